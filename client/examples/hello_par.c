/* SPDX-License-Identifier: MIT */
/* The shortest program that gets memory for a device with 32 address lines. */
#include <par.h>
#include <stdio.h>

int main(void)
{
        struct par *par;
        struct par_buffer *buffer = NULL;
        struct par_constraint want = par_constraint_for_mask(32);
        int r = par_connect(NULL, NULL, &par);

        if (!r)
                r = par_alloc(par, 4096, &want, NULL, &buffer);
        if (!r)
                printf("%p is %#llx\n", par_buffer_data(buffer),
                       (unsigned long long)par_buffer_dma(buffer));
        else
                fprintf(stderr, "%s\n", par_error(par));
        par_free(buffer);
        par_disconnect(par);
        return r ? 1 : 0;
}
