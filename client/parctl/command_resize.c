/* SPDX-License-Identifier: MIT */
/*
 * grow and shrink: what a pool wants to hold from now on. The same request in two directions, so
 * that a slip of the pen does not turn one into the other.
 */
#include "ask.h"
#include "commands.h"
#include "complain.h"
#include "exits.h"
#include "json.h"
#include "pool_wait.h"
#include "safe_text.h"
#include "table.h"
#include "units.h"

/* The goal that was asked for. Return: 0, or EXIT_USAGE with a complaint. */
static int new_goal(const struct arguments *arguments, const struct pool_view *pool, bool grow,
                    uint64_t *ret)
{
        char goal[UNIT_TEXT_BYTES];
        uint64_t wanted = arguments->to;
        bool wrong = false;

        if (!wanted && grow)
                wrong = __builtin_add_overflow(pool->goal, arguments->by, &wanted);
        else if (!wanted)
                wrong = __builtin_sub_overflow(pool->goal, arguments->by, &wanted);
        if (!wrong && (grow ? wanted >= pool->goal : wanted <= pool->goal)) {
                *ret = wanted;
                return 0;
        }
        complain("the goal of pool %s is %s: %s cannot bring it there", pool->name,
                 size_text(pool->goal, arguments->bytes, goal), grow ? "grow" : "shrink");
        return EXIT_USAGE;
}

static int ask_resize(struct ask *ask, const char *name, uint64_t goal)
{
        Wire__Request request = WIRE__REQUEST__INIT;
        Wire__Resize resize = WIRE__RESIZE__INIT;
        const Wire__Reply *reply;

        resize.pool = (char *)name;
        resize.size = goal;
        request.body_case = WIRE__REQUEST__BODY_RESIZE;
        request.resize = &resize;
        return ask_for(ask, &request, WIRE__REPLY__BODY_RESIZE, &reply);
}

static json_t *pool_json(const struct pool_view *pool)
{
        json_t *object = json_object();

        json_object_set_new(object, "pool", json_text(pool->name));
        json_object_set_new(object, "goal", json_size(pool->goal));
        json_object_set_new(object, "held", json_size(pool->held));
        json_object_set_new(object, "in_use", json_size(pool->in_use));
        json_object_set_new(object, "state", json_text(pool->state));
        json_object_set_new(object, "note", json_text(pool->note));
        return object;
}

static int print(const struct pool_view *pool, const struct arguments *arguments)
{
        char held[UNIT_TEXT_BYTES], goal[UNIT_TEXT_BYTES], used[UNIT_TEXT_BYTES];
        int r = 0;

        if (arguments->json)
                r = json_print(stdout, arguments->command->name, pool_json(pool));
        else
                printf("%s: its goal is %s, it holds %s, %s of that in use\n", pool->name,
                       size_text(pool->goal, arguments->bytes, goal),
                       size_text(pool->held, arguments->bytes, held),
                       size_text(pool->in_use, arguments->bytes, used));
        return r || fflush(stdout) ? EXIT_OTHER : EXIT_DONE;
}

static int resize(struct ask *ask, const struct arguments *arguments, bool grow)
{
        const char *name = arguments->operands[0];
        const struct pool_view *pool;
        struct pools pools = { 0 };
        int status, waited = EXIT_DONE;
        uint64_t goal = 0;

        status = pools_ask(ask, &pools);
        if (!status) {
                pool = pools_find(&pools, name);
                status = pool ? new_goal(arguments, pool, grow, &goal) : EXIT_USAGE;
        }
        if (!status)
                status = ask_resize(ask, name, goal);
        if (!status && arguments->no_wait)
                status = pools_ask(ask, &pools);
        else if (!status)
                waited = pool_wait(ask, name, grow ? POOL_WAIT_GROW : POOL_WAIT_SHRINK, arguments,
                                   &pools);
        if (!status && (waited == EXIT_DONE || waited == EXIT_REFUSED)) {
                pool = pools_find(&pools, name);
                status = pool ? print(pool, arguments) : EXIT_OTHER;
        }
        pools_deinit(&pools);
        return status ? status : waited;
}

static int grow(struct ask *ask, const struct arguments *arguments)
{
        return resize(ask, arguments, true);
}

static int shrink(struct ask *ask, const struct arguments *arguments)
{
        return resize(ask, arguments, false);
}

static int run_grow(const struct arguments *arguments)
{
        return ask_once(arguments, grow);
}

static int run_shrink(const struct arguments *arguments)
{
        return ask_once(arguments, shrink);
}

const struct command command_grow = {
        .name = "grow",
        .operands = "POOL",
        .operands_min = 1,
        .operands_max = 1,
        .takes = TAKES_RESIZE,
        .summary = "Have a pool hold more from now on, up to its size_max",
        .help = "For administrators. Waits until the pool holds as much, and shows on a terminal "
                "how far it is. SIGINT and SIGTERM end the waiting, not the growing; the exit "
                "status is 1 then, and where the memory is not to be had. A pool grows by itself "
                "when more is asked of it; what grow adds stays there also when it is free.",
        .run = run_grow,
};

const struct command command_shrink = {
        .name = "shrink",
        .operands = "POOL",
        .operands_min = 1,
        .operands_max = 1,
        .takes = TAKES_RESIZE,
        .summary = "Have a pool hold less from now on, down to its size_min",
        .help = "For administrators. Gives free memory back to the system; buffers are left alone. "
                "Waits until the pool holds no more than its goal, or what is in use and to spare, "
                "if that is more: the rest goes when it comes free. What the pool was still "
                "looking "
                "for, a harvest too, it looks for no more.",
        .run = run_shrink,
};
