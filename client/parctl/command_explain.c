/* SPDX-License-Identifier: MIT */
/* Would this fit, and if not, why? */
#include "commands.h"
#include "explanation.h"

static int run(const struct arguments *arguments)
{
        return explanation_print(arguments, stdout);
}

const struct command command_explain = {
        .name = "explain",
        .takes = TAKES_REQUEST,
        .summary = "Tell whether a request would be granted, and if not, why",
        .help = "Nothing is granted. The exit status is that of the request: 0 it would "
                "be granted, 1 not now, 3 never.",
        .run = run,
};
