/* SPDX-License-Identifier: MIT */
/*
 * Owns nothing. Checks that the pool there is before a list leaves it out in silence.
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

static int show(struct ask *ask, const struct arguments *arguments)
{
        const struct output output = output_of(stdout, arguments->no_color);

        return show_once(arguments, ask, &output);
}

int show_run(const struct arguments *arguments)
{
        return ask_once(arguments, show);
}
