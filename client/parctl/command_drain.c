/* SPDX-License-Identifier: MIT */
/*
 * Empty a pool, or a part of it: nothing is granted from there any more, and what comes free goes
 * back to the system.
 */
#include "ask.h"
#include "commands.h"
#include "complain.h"
#include "exits.h"
#include "json.h"
#include "pool_wait.h"
#include "table.h"
#include "units.h"

static int print(const struct arguments *arguments, uint64_t in_use)
{
        const char *pool = arguments->operands[0];
        char size[UNIT_TEXT_BYTES];
        json_t *object;

        if (arguments->json) {
                object = json_object();
                json_object_set_new(object, "pool", json_text(pool));
                json_object_set_new(object, "end", json_boolean(arguments->end));
                json_object_set_new(object, "in_use",
                                    arguments->end ? json_null() : json_size(in_use));
                if (json_print(stdout, "drain", object))
                        return EXIT_OTHER;
        } else if (arguments->end) {
                printf("%s: grants from there again\n", pool);
        } else if (in_use) {
                printf("%s: draining, %s still in use\n", pool,
                       size_text(in_use, arguments->bytes, size));
        } else {
                printf("%s: drained\n", pool);
        }
        return fflush(stdout) ? EXIT_OTHER : EXIT_DONE;
}

static int ask_drain(struct ask *ask, const struct arguments *arguments, uint64_t *ret_in_use)
{
        Wire__Request request = WIRE__REQUEST__INIT;
        Wire__Drain drain = WIRE__DRAIN__INIT;
        const Wire__Reply *reply;
        int status;

        drain.pool = arguments->operands[0];
        drain.addr_min = arguments->addr_min;
        drain.addr_max = arguments->addr_max;
        drain.end = arguments->end;
        request.body_case = WIRE__REQUEST__BODY_DRAIN;
        request.drain = &drain;
        status = ask_for(ask, &request, WIRE__REPLY__BODY_DRAIN, &reply);
        if (!status)
                *ret_in_use = reply->drain->bytes;
        return status;
}

static int drain(struct ask *ask, const struct arguments *arguments)
{
        const char *name = arguments->operands[0];
        struct pools pools = { 0 };
        int status, waited = EXIT_DONE;
        uint64_t in_use = 0;

        status = pools_check(ask, name);
        if (!status)
                status = ask_drain(ask, arguments, &in_use);
        if (!status && arguments->wait_empty && in_use) {
                waited = pool_wait(ask, name, POOL_WAIT_DRAIN, arguments, &pools);
                if (waited == EXIT_DONE)
                        in_use = 0;
                pools_deinit(&pools);
        }
        if (!status && waited == EXIT_DONE)
                status = print(arguments, in_use);
        return status ? status : waited;
}

static int run(const struct arguments *arguments)
{
        return ask_once(arguments, drain);
}

const struct command command_drain = {
        .name = "drain",
        .operands = "POOL",
        .operands_min = 1,
        .operands_max = 1,
        .takes = TAKES_DRAIN,
        .summary = "Grant nothing any more from a pool or a part of it, and empty it",
        .help = "For administrators. Free memory there goes back to the system; owners of buffers "
                "there are told, and what they give back goes too. --wait waits for that, and "
                "shows on a terminal how far it is; SIGINT and SIGTERM end the waiting, not the "
                "draining, and the exit status is 1 then. --end ends drains inside the same "
                "addresses, so that the pool may grow there and grants from there again.",
        .run = run,
};
