/* SPDX-License-Identifier: MIT */
/*
 * The queue of requests that wait. First come, first served, so that a large request is not starved
 * by small ones behind it: who cannot be served holds up the pools that he may go to.
 */
#include "waiter.h"

#include "choice.h"
#include "macros.h"
#include "refusal.h"
#include "state_private.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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
                                 string_room(request->label));
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
        due_init(&waiter->due, DUE_WAITER);
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

void waiter_drop(struct state *state, struct waiter *waiter)
{
        TAILQ_REMOVE(&state->waiters, waiter, link);
        TAILQ_REMOVE(&waiter->client->waiters, waiter, of_client);
        due_cancel(&state->dues, &waiter->due);
        waiter->client->n_waiting--;
        state->n_waiters--;
        waiter_free(waiter);
}

static void answer(struct state *state, struct waiter *waiter, int r, struct buffer *buffer,
                   const struct refusal *refusal)
{
        void *client_data = waiter->client->data;
        uint64_t ticket = waiter->ticket;

        waiter_drop(state, waiter);
        if (r > 0)
                state_count_refusal(state, r);
        state->ops->answer(state->data, client_data, ticket, r, buffer, refusal);
}

int state_wait(struct state *state, struct client *client, const struct request *request,
               uint64_t deadline_ns, uint64_t ticket, uint64_t now_ns, struct refusal *ret_refusal)
{
        struct demand demand;
        struct waiter *waiter;
        uint64_t denied;
        int r;

        if (client->n_waiting >= state->settings->max_waiting)
                return refusal_set(ret_refusal, PAR_REFUSED_QUOTA,
                                   "%u requests of this client wait already: no more may",
                                   client->n_waiting);
        r = demand_init(state, request, &demand, ret_refusal);
        if (r)
                return r;
        r = waiter_new(client, request, &waiter);
        if (r)
                return r;
        waiter->ticket = ticket;
        waiter->since_ns = now_ns;
        waiter->pools = choice_pools(state, client, &demand, request->pool, &denied);
        if (deadline_ns != UINT64_MAX)
                due_set(&state->dues, &waiter->due, deadline_ns);
        TAILQ_INSERT_TAIL(&state->waiters, waiter, link);
        TAILQ_INSERT_TAIL(&client->waiters, waiter, of_client);
        client->n_waiting++;
        state->n_waiters++;
        return 0;
}

int state_cancel(struct state *state, struct client *client, uint64_t ticket)
{
        struct waiter *waiter;

        TAILQ_FOREACH (waiter, &client->waiters, of_client) {
                if (waiter->ticket == ticket) {
                        waiter_drop(state, waiter);
                        return 0;
                }
        }
        return PAR_REFUSED_GONE;
}

/* Return: 0: a choice was granted; PAR_REFUSED_*: not now, or never; -ENOMEM. */
static int try_grant(struct state *state, struct waiter *waiter, const struct demand *demand,
                     uint64_t own_only, uint64_t now_ns, struct buffer **ret)
{
        _cleanup_(choice_deinit) struct choice choice = { 0 };
        int r;

        r = choice_find(state, waiter->client, demand, waiter->pools, own_only, &choice);
        if (r)
                return r;
        return state_grant(state, waiter->client, demand, &choice, now_ns, ret);
}

/* Serve one waiter, or leave it; @held_up are pools that somebody before it waits for. */
static void waiter_try(struct state *state, struct waiter *waiter, uint64_t *held_up,
                       uint64_t now_ns)
{
        struct client *client = waiter->client;
        struct refusal refusal = { 0 };
        struct buffer *buffer = NULL;
        struct demand demand;
        int r;

        r = demand_init(state, &waiter->request, &demand, &refusal);
        if (!r)
                r = client_may_have_more(client, &refusal);
        if (r) {
                answer(state, waiter, r, NULL, &refusal);
                return;
        }
        r = try_grant(state, waiter, &demand, waiter->pools & *held_up, now_ns, &buffer);
        if (r <= 0) {
                state->grants += !r;
                answer(state, waiter, r, buffer, NULL);
                return;
        }
        *held_up |= waiter->pools;
        /* The client may give back itself meanwhile: it has other threads. */
        if (choice_could_ever(state, client, &demand, waiter->pools, true) == 0) {
                r = refusal_explain(state, client, &demand, waiter->pools, r, &refusal);
                answer(state, waiter, r, NULL, &refusal);
        }
}

static bool is_of(const struct client *client, const struct owner *owner)
{
        return owner && (client->session_owner == owner || client->uid_owner == owner);
}

void waiters_run(struct state *state, uint64_t now_ns)
{
        const struct owner *freed_by = state->freed_by;
        struct waiter *waiter, *next;
        uint64_t held_up = 0;

        state->freed_by = NULL;
        for (waiter = TAILQ_FIRST(&state->waiters); waiter; waiter = next) {
                next = TAILQ_NEXT(waiter, link);
                if (waiter->pools & ~held_up || is_of(waiter->client, freed_by))
                        waiter_try(state, waiter, &held_up, now_ns);
        }
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
                r = refusal_explain(state, client, &demand, waiter->pools, PAR_REFUSED_EXHAUSTED,
                                    &refusal);
        if (r < 0) {
                answer(state, waiter, r, NULL, NULL);
                return;
        }
        memcpy(why, refusal.sentence, sizeof(why));
        snprintf(refusal.sentence, sizeof(refusal.sentence), "waited in vain: %.480s", why);
        refusal.result = PAR_REFUSED_TIMED_OUT;
        refusal.permanent = false;
        answer(state, waiter, PAR_REFUSED_TIMED_OUT, NULL, &refusal);
}
