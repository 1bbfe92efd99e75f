/* SPDX-License-Identifier: MIT */
/*
 * Owns the connection of a command that only looks.
 */
#include "show.h"

#include "ask.h"
#include "output.h"
#include "pools.h"

int show_once(const struct arguments *arguments, struct ask *ask, const struct output *output)
{
        const int status = pools_check(ask, arguments->pool);

        return status ? status : arguments->command->show(arguments, ask, output);
}

int show_run(const struct arguments *arguments)
{
        const struct output output = output_of(stdout, arguments->no_color);
        struct ask *ask;
        int status;

        status = ask_open(arguments->socket_path, &ask);
        if (status)
                return status;
        status = show_once(arguments, ask, &output);
        ask_close(ask);
        return status;
}
