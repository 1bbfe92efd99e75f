/* SPDX-License-Identifier: MIT */
/* Ten lines of a user's program, in C and in C++. Exits with the errno that it got. */
#include <par.h>
#include <stdio.h>

int main(void)
{
        struct par *par;
        int r = par_connect(NULL, NULL, &par);

        if (r < 0)
                printf("%s (%s)\n", par_strerror(r), par_error(NULL));
        par_disconnect(par);
        return -r;
}
