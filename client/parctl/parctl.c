/* SPDX-License-Identifier: MIT */
/*
 * parctl - what pard holds, who uses it, and what would come of a request. Knows the list of
 * commands; each of them does its work and gives the exit status.
 */
#include "commands.h"

#include "macros.h"
#include "show.h"
#include "watch.h"

#include <locale.h>
#include <signal.h>
#include <string.h>

const struct command *const *commands(size_t *ret_count)
{
        static const struct command *const all[] = {
                &command_status,  &command_pools,  &command_frames,  &command_buffers,
                &command_clients, &command_limits, &command_devices, &command_map,
                &command_lookup,  &command_alloc,  &command_explain, &command_drain,
                &command_grow,    &command_shrink, &command_revoke,  &command_release,
                &command_remove,  &command_reload, &command_help,
        };

        *ret_count = ARRAY_SIZE(all);
        return all;
}

const struct command *command_find(const char *name)
{
        size_t n;
        const struct command *const *all = commands(&n);

        for (size_t i = 0; i < n; i++)
                if (strcmp(all[i]->name, name) == 0)
                        return all[i];
        return NULL;
}

int main(int argc, char **argv)
{
        struct arguments arguments;
        int status;

        /* How wide a name is, and which of its bytes are characters. Numbers stay as they are. */
        setlocale(LC_CTYPE, "");
        /* A reader that has seen enough is no reason to leave a buffer to quarantine. */
        signal(SIGPIPE, SIG_IGN);
        if (!arguments_parse(argc, argv, &arguments, &status))
                return status;
        if (arguments.watch_ns)
                return watch_run(&arguments);
        if (arguments.command->show)
                return show_run(&arguments);
        return arguments.command->run(&arguments);
}
