/* SPDX-License-Identifier: MIT */
/*
 * The line of requests that wait, in the order of arrival. Who is held up by whom is decided in
 * turn.c; here they are tried again when there is something new, and answered. A search costs
 * little, many searches do not, so a run through the line may take several turns.
 */
#include "waiter.h"

#include "choice.h"
#include "grow.h"
#include "macros.h"
#include "quota.h"
#include "refusal.h"
#include "share.h"
#include "state_private.h"
#include "views.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* For how long a request that does not wait for others waits for pools to grow. */
#define GROWTH_WAIT_NS (2 * NS_PER_S)

/* How often pools grow for a request that is none the better for it. */
#define GROWTH_ASKS_MAX 4

/* Searches in one go. */
#define RUN_STEPS_MAX 32

static const char *copy_string(char **at, const char *from)
{
        size_t n = from ? strlen(from) + 1 : 1;
        char *to = *at;

        memcpy(to, from ? from : "", n);
        *at += n;
        return to;
}

static size_t string_room(const char *s)
{
        return s ? strlen(s) + 1 : 1;
}

int waiter_new(struct client *client, const struct request *request, struct waiter **ret)
{
        struct waiter *waiter;
        char *at;

        waiter = calloc(1, sizeof(*waiter));
        if (!waiter)
                return -ENOMEM;
        waiter->strings = malloc(string_room(request->device) + string_room(request->pool) +
                                 string_room(request->label) + string_room(request->share.name));
        if (!waiter->strings) {
                free(waiter);
                return -ENOMEM;
        }
        at = waiter->strings;
        waiter->client = client;
        waiter->request = *request;
        waiter->request.device = copy_string(&at, request->device);
        waiter->request.pool = copy_string(&at, request->pool);
        waiter->request.label = copy_string(&at, request->label);
        waiter->request.share.name = copy_string(&at, request->share.name);
        due_init(&waiter->due, DUE_WAITER);
        due_init(&waiter->turn, DUE_TURN);
        *ret = waiter;
        return 0;
}

void waiter_free(struct waiter *waiter)
{
        if (!waiter)
                return;
        free(waiter->strings);
        free(waiter);
}

static void count(struct state *state, uint64_t pools, int by)
{
        for (size_t i = 0; i < state->settings->n_pools; i++)
                if (pools >> i & 1)
                        state->pools[i].waiting += (uint64_t)(int64_t)by;
}

void waiter_drop(struct state *state, struct waiter *waiter)
{
        if (state->run_next == waiter)
                state->run_next = TAILQ_NEXT(waiter, link);
        turn_end(state, waiter);
        waiting_uid_remove(state, waiter->of_uid);
        TAILQ_REMOVE(&state->waiters, waiter, link);
        TAILQ_REMOVE(&waiter->client->waiters, waiter, of_client);
        due_cancel(&state->dues, &waiter->due);
        count(state, waiter->reach, -1);
        waiter->client->n_waiting--;
        state->n_waiters--;
        waiter_free(waiter);
}

void waiter_to_the_end(struct state *state, struct waiter *waiter)
{
        if (state->run_next == waiter)
                state->run_next = TAILQ_NEXT(waiter, link);
        TAILQ_REMOVE(&state->waiters, waiter, link);
        TAILQ_INSERT_TAIL(&state->waiters, waiter, link);
}

static void answer(struct state *state, struct waiter *waiter, int r, struct buffer *buffer,
                   const struct refusal *refusal)
{
        void *client_data = waiter->client->data;
        uint64_t ticket = waiter->ticket;

        if (!r)
                waiting_uid_was_served(waiter->of_uid, waiter->holds);
        waiter_drop(state, waiter);
        if (r > 0)
                state_count_refusal(state, r);
        state->ops->answer(state->data, client_data, ticket, r, buffer, refusal);
}

/* What it comes down to, and where it may go. Return: 0; PAR_REFUSED_*. */
static int look_up(struct state *state, struct client *client, const struct request *request,
                   struct demand *demand, uint64_t *ret_pools, struct refusal *refusal)
{
        uint64_t denied;
        int r;

        r = demand_init(state, request, demand, refusal);
        if (r)
                return r;
        *ret_pools = choice_pools(state, client, demand, request->pool, &denied);
        return state_check_request(state, client, request, *ret_pools, denied, refusal);
}

/* Of these pools, those with addresses that would do. */
static uint64_t reach_of(const struct state *state, const struct demand *demand, uint64_t pools)
{
        uint64_t reach = 0;

        for (size_t i = 0; i < state->settings->n_pools; i++)
                for (size_t j = 0; j < demand->n_views; j++)
                        if (range_overlaps(state->pools[i].settings->window,
                                           demand->views[j].at.phys))
                                reach |= pools & UINT64_C(1) << i;
        return reach;
}

static void set_aims(struct state *state, struct waiter *waiter, const struct demand *demand,
                     uint64_t pools)
{
        waiter->pools = pools;
        waiter->reach = reach_of(state, demand, pools);
        waiter->window = demand_hull(demand);
}

static void waiter_begin(struct state *state, struct waiter *waiter, uint64_t deadline_ns,
                         uint64_t now_ns)
{
        waiter->since_ns = now_ns;
        waiter->for_growth = deadline_ns == WAIT_FOR_GROWTH;
        if (waiter->for_growth)
                deadline_ns = now_ns + GROWTH_WAIT_NS;
        if (deadline_ns != UINT64_MAX)
                due_set(&state->dues, &waiter->due, deadline_ns);
        turn_begin(state, waiter, now_ns);
        TAILQ_INSERT_TAIL(&state->waiters, waiter, link);
        TAILQ_INSERT_TAIL(&waiter->client->waiters, waiter, of_client);
        waiter->client->n_waiting++;
        state->n_waiters++;
        count(state, waiter->reach, 1);
        for (size_t i = 0; i < state->settings->n_pools; i++)
                if (waiter->reach >> i & 1 && !waiter->for_growth)
                        state->pools[i].counters.waits++;
}

static int may_wait(const struct state *state, const struct client *client, struct refusal *refusal)
{
        if (client->n_waiting >= state->settings->max_waiting)
                return refusal_set(refusal, PAR_REFUSED_QUOTA,
                                   "%u requests of this client wait already, and max_waiting is %u",
                                   client->n_waiting, state->settings->max_waiting);
        return waiting_uid_check(state, client, refusal);
}

static bool is_barred(uint64_t barred, uint64_t reach)
{
        return barred && !(reach & ~barred);
}

/* Nothing is kept any longer for those for whom the quota counts. */
static void let_go_of_kept(struct state *state, const struct client *client,
                           const struct quota_excess *excess)
{
        const struct owner *owner;

        for (owner = state_owner_after(state, 0); owner;
             owner = state_owner_after(state, owner->id)) {
                const struct account *account = owner->accounts[excess->pool->index];

                if (account && account->reusable && quota_counts(excess, client, account))
                        state_frame_leave(state, account->reusable);
        }
}

/* It does not wait for what only its own client could give back. @excess: where all pools that are
 * left are barred. Return: 0; PAR_REFUSED_QUOTA. */
static int refuse_barred(struct state *state, struct client *client, const struct demand *demand,
                         const struct quota_excess *excess, bool for_growth,
                         struct refusal *ret_refusal)
{
        const bool coming = quota_is_coming(excess);

        if (coming && !quota_is_leaving(excess))
                let_go_of_kept(state, client, excess);
        if (coming || (!for_growth && quota_may_help_to_wait(excess)))
                return 0;
        return quota_explain(client, demand, excess, ret_refusal);
}

static int wait_or_refuse(struct state *state, struct client *client, const struct request *request,
                          uint64_t deadline_ns, uint64_t ticket, uint64_t now_ns,
                          struct refusal *ret_refusal)
{
        bool for_growth = deadline_ns == WAIT_FOR_GROWTH, asked = false, coming;
        struct quota_excess excess;
        struct demand demand;
        struct waiter *waiter;
        uint64_t pools, barred;
        int r;

        r = look_up(state, client, request, &demand, &pools, ret_refusal);
        if (r)
                return r;
        r = may_wait(state, client, ret_refusal);
        if (r && !for_growth)
                return r;
        barred = quota_bars(state, client, &demand, reach_of(state, &demand, pools), &excess);
        coming = !r && views_grow_for(state, client, &demand, pools & ~barred, &asked);
        if (!r && is_barred(barred, reach_of(state, &demand, pools))) {
                r = refuse_barred(state, client, &demand, &excess, for_growth, ret_refusal);
                if (r)
                        return r;
                coming = true;
        }
        if (r || (!coming && for_growth))
                return views_explain(state, client, &demand, pools, PAR_REFUSED_EXHAUSTED,
                                     ret_refusal);
        r = waiter_new(client, request, &waiter);
        if (r)
                return r;
        r = waiting_uid_add(state, client->identity.uid, &waiter->of_uid);
        if (r) {
                waiter_free(waiter);
                return r;
        }
        waiter->ticket = ticket;
        waiter->asks = asked;
        waiter->barred = barred;
        set_aims(state, waiter, &demand, pools);
        waiter_begin(state, waiter, deadline_ns, now_ns);
        return 0;
}

int state_wait(struct state *state, struct client *client, const struct request *request,
               uint64_t deadline_ns, uint64_t ticket, uint64_t now_ns, struct refusal *ret_refusal)
{
        int r = wait_or_refuse(state, client, request, deadline_ns, ticket, now_ns, ret_refusal);

        if (r > 0)
                state_count_refusal(state, r);
        return r;
}

int state_cancel(struct state *state, struct client *client, uint64_t ticket, uint64_t now_ns)
{
        struct waiter *waiter;

        TAILQ_FOREACH (waiter, &client->waiters, of_client) {
                if (waiter->ticket == ticket) {
                        waiter_drop(state, waiter);
                        state_changed(state, now_ns);
                        return 0;
                }
        }
        return PAR_REFUSED_GONE;
}

/* Return: 0: a choice was granted; PAR_REFUSED_*: not now, or never; -ENOMEM. */
static int try_grant(struct state *state, struct waiter *waiter, struct demand *demand,
                     uint64_t now_ns, struct buffer **ret, struct quota_excess *ret_excess)
{
        _cleanup_(choice_deinit) struct choice choice = { 0 };
        int r;

        r = views_find(state, waiter->client, demand, waiter->pools,
                       turns_against(state, waiter, waiter->pools), &choice);
        if (r >= 0) {
                turn_bar(state, waiter, choice.barred);
                *ret_excess = choice.excess;
        }
        if (r)
                return r;
        return state_grant(state, waiter->client, demand, &choice, now_ns, ret);
}

/* Whether growth may still bring what it waits for. */
static bool may_grow(struct state *state, struct waiter *waiter, struct demand *demand)
{
        bool asked = false, coming;

        if (waiter->asks >= GROWTH_ASKS_MAX)
                return false;
        coming = views_grow_for(state, waiter->client, demand, waiter->pools & ~waiter->barred,
                                &asked);
        waiter->asks += asked;
        return coming;
}

/* Serve one waiter, or leave it. */
static void waiter_try(struct state *state, struct waiter *waiter, bool prospects_changed,
                       uint64_t now_ns)
{
        struct client *client = waiter->client;
        struct refusal refusal = { 0 };
        struct buffer *buffer = NULL;
        struct quota_excess excess;
        struct demand demand;
        bool coming;
        int r;

        r = demand_init(state, &waiter->request, &demand, &refusal);
        if (!r)
                r = client_may_have_more(client, &refusal);
        if (!r)
                r = share_check(state, client, &waiter->request.share, &refusal);
        if (r) {
                answer(state, waiter, r, NULL, &refusal);
                return;
        }
        r = try_grant(state, waiter, &demand, now_ns, &buffer, &excess);
        if (r <= 0) {
                answer(state, waiter, r, buffer, NULL);
                return;
        }
        coming = may_grow(state, waiter, &demand);
        if (is_barred(waiter->barred, waiter->reach)) {
                r = refuse_barred(state, client, &demand, &excess, waiter->for_growth, &refusal);
                refusal.growing = false;
                if (r)
                        answer(state, waiter, r, NULL, &refusal);
                return;
        }
        /* The client may give back itself meanwhile: it has other threads. */
        if ((waiter->for_growth && !coming) ||
            (prospects_changed &&
             views_could_ever(state, client, &demand, waiter->pools, true) == 0)) {
                r = views_explain(state, client, &demand, waiter->pools, r, &refusal);
                refusal.growing = false;
                answer(state, waiter, r, NULL, r > 0 ? &refusal : NULL);
        }
}

static bool is_of(const struct client *client, const struct owner *owner)
{
        return owner && (client->session_owner == owner || client->uid_owner == owner);
}

/* From the beginning of the line, with what is new now. */
static void run_begin(struct state *state)
{
        state->run_next = TAILQ_FIRST(&state->waiters);
        state->run_came = state->came;
        state->run_freed_by = state->freed_by;
        state->run_prospects_changed = state->prospects_changed;
        state->came = 0;
        state->freed_by = NULL;
        state->prospects_changed = false;
}

void waiters_run(struct state *state, uint64_t now_ns)
{
        unsigned steps = RUN_STEPS_MAX;
        struct waiter *waiter;

        due_cancel(&state->dues, &state->run);
        if (!state->run_next)
                run_begin(state);
        while (steps && (waiter = state->run_next)) {
                state->run_next = TAILQ_NEXT(waiter, link);
                if (!(waiter->reach & state->run_came) &&
                    !is_of(waiter->client, state->run_freed_by))
                        continue;
                steps--;
                waiter_try(state, waiter, state->run_prospects_changed, now_ns);
        }
        if (state->run_next)
                due_set(&state->dues, &state->run, now_ns);
}

void waiter_time_out(struct state *state, struct waiter *waiter)
{
        struct client *client = waiter->client;
        struct refusal refusal = { 0 };
        struct demand demand;
        char why[SENTENCE_BYTES];
        int r;

        r = demand_init(state, &waiter->request, &demand, &refusal);
        if (!r)
                r = views_explain(state, client, &demand, waiter->pools, PAR_REFUSED_EXHAUSTED,
                                  &refusal);
        refusal.growing = false;
        if (r < 0 || waiter->for_growth) {
                answer(state, waiter, r, NULL, r > 0 ? &refusal : NULL);
                return;
        }
        memcpy(why, refusal.sentence, sizeof(why));
        snprintf(refusal.sentence, sizeof(refusal.sentence), "waited in vain: %.600s", why);
        refusal.result = PAR_REFUSED_TIMED_OUT;
        refusal.permanent = false;
        answer(state, waiter, PAR_REFUSED_TIMED_OUT, NULL, &refusal);
}

void waiters_may_ask_again(struct state *state, struct pool *pool)
{
        struct waiter *waiter;

        TAILQ_FOREACH (waiter, &state->waiters, link)
                if (waiter->reach >> pool->index & 1)
                        waiter->asks = 0;
        state_came(state, pool);
}

void waiters_reconfigure(struct state *state, uint64_t now_ns)
{
        struct waiter *waiter, *next;

        TAILQ_FOREACH_SAFE (waiter, &state->waiters, link, next) {
                struct refusal refusal = { 0 };
                struct quota_excess excess;
                struct demand demand;
                uint64_t pools;
                int r;

                turn_end(state, waiter);
                waiter->ripe = false;
                r = look_up(state, waiter->client, &waiter->request, &demand, &pools, &refusal);
                if (r) {
                        answer(state, waiter, r, NULL, &refusal);
                        continue;
                }
                count(state, waiter->reach, -1);
                set_aims(state, waiter, &demand, pools);
                count(state, waiter->reach, 1);
                waiter->barred = quota_bars(state, waiter->client, &demand, waiter->reach, &excess);
                turn_begin(state, waiter, now_ns);
        }
}
