/* SPDX-License-Identifier: MIT */
/*
 * Have pard read its configuration again.
 */
#include "ask.h"
#include "commands.h"
#include "complain.h"
#include "exits.h"
#include "json.h"
#include "safe_text.h"

static int print(const Wire__Reloaded *reloaded, const struct arguments *arguments)
{
        char safe[SAFE_TEXT_BYTES];
        int r = 0;

        if (arguments->json) {
                json_t *object = json_object(), *array = json_array();

                for (size_t i = 0; i < reloaded->n_changed; i++)
                        json_array_append_new(array, json_text(reloaded->changed[i]));
                json_object_set_new(object, "changed", array);
                r = json_print(stdout, "reload", object);
        } else {
                for (size_t i = 0; i < reloaded->n_changed; i++)
                        printf("changed: %s\n", safe_text(reloaded->changed[i], safe));
                if (!reloaded->n_changed)
                        puts("nothing changed");
        }
        if (!r && fflush(stdout) == 0)
                return EXIT_DONE;
        complain("what changed cannot be printed");
        return EXIT_OTHER;
}

static int reload(struct ask *ask, const struct arguments *arguments)
{
        Wire__Request request = WIRE__REQUEST__INIT;
        Wire__Reload body = WIRE__RELOAD__INIT;
        const Wire__Reply *reply;
        int status;

        request.body_case = WIRE__REQUEST__BODY_RELOAD;
        request.reload = &body;
        status = ask_for(ask, &request, WIRE__REPLY__BODY_RELOAD, &reply);
        if (!status)
                status = print(reply->reload, arguments);
        return status;
}

static int run(const struct arguments *arguments)
{
        return ask_once(arguments, reload);
}

const struct command command_reload = {
        .name = "reload",
        .summary = "Have pard read its configuration again",
        .help = "For administrators. Tells which keys have changed. Where pard refuses the new "
                "configuration nothing at all has changed; it says which key, and the exit status "
                "is 1 or 3.",
        .run = run,
};
