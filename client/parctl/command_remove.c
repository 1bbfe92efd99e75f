/* SPDX-License-Identifier: MIT */
/*
 * Free names of buffers, as par_remove() does.
 */
#include "commands.h"
#include "complain.h"
#include "exits.h"
#include "json.h"
#include "par.h"
#include "request_device.h"
#include "safe_text.h"

/* Return: the exit status. */
static int remove_one(struct par *par, const char *name)
{
        char safe[SAFE_TEXT_BYTES];
        int r;

        r = par_remove(par, name);
        if (!r)
                return EXIT_DONE;
        if (r > -PAR_NEVER_FITS)
                return request_failed(r);
        complain("%s was not removed: %s", safe_text(name, safe), par_error(par));
        return par_is_permanent(r) ? EXIT_REFUSED_EVER : EXIT_REFUSED;
}

static int print(const struct arguments *arguments, size_t removed)
{
        json_t *object;

        if (arguments->json) {
                object = json_object();
                json_object_set_new(object, "names", json_size(removed));
                if (json_print(stdout, "remove", object))
                        return EXIT_OTHER;
        } else {
                printf("removed: %zu name%s\n", removed, removed == 1 ? "" : "s");
        }
        return fflush(stdout) ? EXIT_OTHER : EXIT_DONE;
}

/* All of them, whatever becomes of one. Return: the first failure's status. */
static int remove_all(struct par *par, const struct arguments *arguments)
{
        int status, first = EXIT_DONE, printed;
        size_t removed = 0;

        for (size_t i = 0; i < arguments->n_operands; i++) {
                status = remove_one(par, arguments->operands[i]);
                removed += status == EXIT_DONE;
                if (first == EXIT_DONE)
                        first = status;
        }
        if (!removed)
                return first;
        printed = print(arguments, removed);
        return first == EXIT_DONE ? printed : first;
}

static int run(const struct arguments *arguments)
{
        const struct par_connect_options options = { .client_name = "parctl" };
        struct par *par;
        int r, status;

        r = par_connect(arguments->socket_path, &options, &par);
        if (r)
                return request_failed(r);
        status = remove_all(par, arguments);
        par_disconnect(par);
        return status;
}

const struct command command_remove = {
        .name = "remove",
        .operands = "NAME...",
        .operands_min = 1,
        .operands_max = SIZE_MAX,
        .summary = "Free names of buffers, and the buffers that nobody has",
        .help = "NAME is that of a buffer of yours; administrators write 1001/NAME for that of "
                "another user. A buffer with a name is given up when nobody has it and its name "
                "is gone; where a program died with it and did not come back it goes into "
                "quarantine then, which \"parctl release\" ends. The exit status is 1 where the "
                "answer is no.",
        .run = run,
};
