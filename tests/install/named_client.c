/* SPDX-License-Identifier: MIT */
/* named_client NAME - connect under this name, get 64 KiB, say so, and stay until killed. */
#include <par.h>
#include <stdio.h>
#include <unistd.h>

int main(int argc, char **argv)
{
        const struct par_connect_options options = { .client_name = argc > 1 ? argv[1] : NULL };
        struct par_buffer *buffer;
        struct par *par;

        if (par_connect(NULL, &options, &par) || par_alloc(par, 65536, NULL, NULL, &buffer)) {
                fprintf(stderr, "%s\n", par_error(NULL));
                return 1;
        }
        puts("connected");
        fflush(stdout);
        pause();
        return 0;
}
