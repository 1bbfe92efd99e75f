/* SPDX-License-Identifier: MIT */
/*
 * Owns the connection of a command that only looks.
 */
#include "show.h"

#include "ask.h"
#include "output.h"
#include "pools.h"

int show_run(const struct arguments *arguments)
{
        const struct output output = output_of(stdout, arguments->no_color);
        struct ask *ask;
        int status;

        status = ask_open(arguments->socket_path, &ask);
        if (status)
                return status;
        status = pools_check(ask, arguments->pool);
        if (!status)
                status = arguments->command->show(arguments, ask, &output);
        ask_close(ask);
        return status;
}
