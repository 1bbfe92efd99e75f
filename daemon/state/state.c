/* SPDX-License-Identifier: MIT */
/*
 * The whole: owns pools, frames, buffers, owners and clients, and keeps the trees by which they are
 * found. Does nothing by itself: every change begins with a call from outside.
 */
#include "state.h"

#include "choice.h"
#include "grow.h"
#include "holder.h"
#include "macros.h"
#include "refusal.h"
#include "share.h"
#include "state_private.h"
#include "tell.h"
#include "views.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int buffer_compare(const struct buffer *a, const struct buffer *b)
{
        if (a->id != b->id)
                return a->id < b->id ? -1 : 1;
        return 0;
}

static int owner_compare(const struct owner *a, const struct owner *b)
{
        if (a->id != b->id)
                return a->id < b->id ? -1 : 1;
        return 0;
}

static int owner_compare_uid(const struct owner *a, const struct owner *b)
{
        if (a->uid != b->uid)
                return a->uid < b->uid ? -1 : 1;
        return 0;
}

TREE_GENERATE(frame_tree, frame, by_phys, frame_compare)
TREE_GENERATE(pool_frame_tree, frame, in_pool, frame_compare)
TREE_GENERATE(buffer_tree, buffer, by_id, buffer_compare)
TREE_GENERATE(owner_tree, owner, by_id, owner_compare)
TREE_GENERATE(uid_owner_tree, owner, by_uid, owner_compare_uid)

/* ---- looking up ----------------------------------------------------------------------------- */

struct frame *state_frame_from(const struct state *state, uint64_t phys)
{
        struct frame_tree tree = state->frames; /* the macros want a head that they may write */
        struct frame key = { .phys = phys };

        return RB_NFIND(frame_tree, &tree, &key);
}

struct frame *state_frame_at(const struct state *state, uint64_t phys)
{
        struct frame *frame = state_frame_from(state, phys);

        /* A page that moved away may still be listed where it was. */
        while (frame && frame->phys == phys && !frame->in_service)
                frame = state_frame_next(state, frame);
        return frame && frame->phys == phys ? frame : NULL;
}

struct frame *state_frame_next(const struct state *state, const struct frame *frame)
{
        (void)state;
        return RB_NEXT(frame_tree, &state->frames, (struct frame *)(uintptr_t)frame);
}

struct frame *state_pool_frame_from(const struct pool *pool, const struct frame *frame)
{
        struct pool_frame_tree tree = pool->frames;

        return RB_NFIND(pool_frame_tree, &tree, (struct frame *)(uintptr_t)frame);
}

struct frame *state_frame_named(const struct state *state, struct frame_name name)
{
        struct frame *frame = name.slot < state->n_slots ? state->slots[name.slot] : NULL;

        return frame && frame->name.generation == name.generation ? frame : NULL;
}

void state_frame_insert(struct state *state, struct frame *frame)
{
        struct frame *there = RB_INSERT(frame_tree, &state->frames, frame);

        assert(!there);
        there = RB_INSERT(pool_frame_tree, &frame->pool->frames, frame);
        assert(!there);
        (void)there;
        state->slots[frame->name.slot] = frame;
}

void state_frame_remove(struct state *state, struct frame *frame)
{
        RB_REMOVE(frame_tree, &state->frames, frame);
        RB_REMOVE(pool_frame_tree, &frame->pool->frames, frame);
        state->slots[frame->name.slot] = NULL;
}

struct buffer *state_buffer_after(const struct state *state, uint64_t id)
{
        struct buffer_tree tree = state->buffers;
        struct buffer key = { .id = id + 1 };

        return RB_NFIND(buffer_tree, &tree, &key);
}

struct buffer *state_buffer(const struct state *state, uint64_t id)
{
        struct buffer_tree tree = state->buffers;
        struct buffer key = { .id = id };

        return RB_FIND(buffer_tree, &tree, &key);
}

void state_buffer_insert(struct state *state, struct buffer *buffer)
{
        RB_INSERT(buffer_tree, &state->buffers, buffer);
        state->n_buffers++;
}

void state_buffer_remove(struct state *state, struct buffer *buffer)
{
        RB_REMOVE(buffer_tree, &state->buffers, buffer);
        state->n_buffers--;
}

struct owner *state_owner_after(const struct state *state, uint64_t id)
{
        struct owner_tree tree = state->owners;
        struct owner key = { .id = id + 1 };

        return RB_NFIND(owner_tree, &tree, &key);
}

struct pool *state_pool_named(const struct state *state, const char *name)
{
        for (size_t i = 0; i < state->settings->n_pools; i++)
                if (!strcmp(state->pools[i].settings->name, name))
                        return &state->pools[i];
        return NULL;
}

/* ---- owners --------------------------------------------------------------------------------- */

int state_owner_new(struct state *state, uint64_t id, const struct identity *identity,
                    struct owner **ret)
{
        struct owner *owner;
        int r;

        r = owner_new(state->settings->n_pools, &owner);
        if (r)
                return r;
        r = user_join(state, identity->uid, owner);
        if (r) {
                owner_free(owner);
                return r;
        }
        owner->uid = identity->uid;
        owner_identify(state, owner, identity);
        owner->id = id ? id : ++state->last_owner;
        RB_INSERT(owner_tree, &state->owners, owner);
        *ret = owner;
        return 0;
}

int state_uid_owner(struct state *state, const struct identity *identity, uint64_t now_ns,
                    struct owner **ret)
{
        struct owner key = { .uid = identity->uid };
        struct owner *owner;
        int r;

        owner = RB_FIND(uid_owner_tree, &state->uid_owners, &key);
        if (!owner) {
                r = state_owner_new(state, 0, identity, &owner);
                if (r)
                        return r;
                owner->is_uid = true;
                owner->since_ns = now_ns;
                snprintf(owner->name, sizeof(owner->name), "uid %u", identity->uid);
                RB_INSERT(uid_owner_tree, &state->uid_owners, owner);
        } else {
                owner_identify(state, owner, identity);
        }
        *ret = owner;
        return 0;
}

static void owner_remove(struct state *state, struct owner *owner)
{
        RB_REMOVE(owner_tree, &state->owners, owner);
        due_cancel(&state->dues, &owner->leak);
        if (owner->is_uid)
                RB_REMOVE(uid_owner_tree, &state->uid_owners, owner);
        user_leave(state, owner);
        owner_free(owner);
}

void state_owner_settle(struct state *state, struct owner *owner)
{
        if (!owner_is_done(owner))
                return;
        ledger_drop_session(state->ledger, owner->record);
        owner_remove(state, owner);
}

/* ---- life ----------------------------------------------------------------------------------- */

static uint64_t window_width(const struct pool_settings *settings)
{
        return settings->window.last - settings->window.first;
}

/* Widest first; the configuration's order where equal. Few pools, once: insertion will do. */
static void order_pools(struct state *state)
{
        for (size_t i = 0; i < state->settings->n_pools; i++) {
                const struct pool_settings *settings = &state->settings->pools[i];
                size_t at = i;

                while (at > 0 &&
                       window_width(settings) >
                               window_width(state->pools[state->preferred[at - 1]].settings)) {
                        state->preferred[at] = state->preferred[at - 1];
                        at--;
                }
                state->preferred[at] = (uint32_t)i;
        }
}

int state_new(const struct state_settings *settings, const struct state_ops *ops, void *data,
              uint64_t now_ns, struct state **ret)
{
        struct state *state;

        assert(settings->n_pools > 0 && settings->n_pools <= POOLS_MAX);

        state = calloc(1, sizeof(*state));
        if (!state)
                return -ENOMEM;
        state->pools = calloc(settings->n_pools, sizeof(state->pools[0]));
        state->preferred = calloc(settings->n_pools, sizeof(state->preferred[0]));
        if (!state->pools || !state->preferred) {
                free(state->pools);
                free(state->preferred);
                free(state);
                return -ENOMEM;
        }
        state->settings = settings;
        state->ops = ops;
        state->data = data;
        state->started_ns = now_ns;
        TAILQ_INIT(&state->waiters);
        due_init(&state->filling, DUE_FILLING);
        due_init(&state->run, DUE_RUN);
        for (size_t i = 0; i < settings->n_pools; i++)
                pool_init(&state->pools[i], &settings->pools[i], (uint32_t)i);
        order_pools(state);
        history_init(&state->history);
        io_index_init(&state->io);
        *ret = state;
        return 0;
}

static void free_clients(struct state *state)
{
        struct client *client, *next;

        LIST_FOREACH_SAFE (client, &state->clients, link, next) {
                for (size_t i = 0; i < state->settings->n_pools; i++)
                        free(client->holdings[i]);
                client_forget_lost(client);
                free(client);
        }
}

static void free_frames(struct state *state)
{
        struct frame *frame, *next;

        RB_FOREACH_SAFE (frame, frame_tree, &state->frames, next) {
                frame_unshow_all(frame);
                frame_discharge(frame);
                RB_INIT(&frame->pieces);
                RB_REMOVE(frame_tree, &state->frames, frame);
                frame_free(frame);
        }
}

void state_free(struct state *state)
{
        struct holding *holding, *next_holding;
        struct buffer *buffer, *next_buffer;
        struct owner *owner, *next_owner;
        struct waiter *waiter;
        struct due *due;

        if (!state)
                return;
        /* What is due lies in what is freed, in any order. */
        while ((due = due_first(&state->dues)))
                due_cancel(&state->dues, due);
        while ((waiter = TAILQ_FIRST(&state->waiters)))
                waiter_drop(state, waiter);
        waiting_uids_deinit(state);
        free_frames(state);
        shares_free(state);
        RB_FOREACH_SAFE (buffer, buffer_tree, &state->buffers, next_buffer) {
                RB_REMOVE(buffer_tree, &state->buffers, buffer);
                buffer_free(buffer);
        }
        LIST_FOREACH_SAFE (holding, &state->ended, ended, next_holding)
                free(holding);
        free_clients(state);
        RB_FOREACH_SAFE (owner, owner_tree, &state->owners, next_owner)
                owner_remove(state, owner);
        for (size_t i = 0; i < state->settings->n_pools; i++)
                pool_deinit(&state->pools[i]);
        watches_free(state);
        history_deinit(&state->history);
        io_index_deinit(&state->io);
        free(state->slots);
        free(state->pools);
        free(state->preferred);
        free(state);
}

void state_log(const struct state *state, int level, const struct log_fields *about,
               const char *format, ...)
{
        char message[256];
        va_list args;

        va_start(args, format);
        vsnprintf(message, sizeof(message), format, args);
        va_end(args);
        state->ops->log(state->data, level, about, message);
}

/* ---- requests ------------------------------------------------------------------------------- */

int state_check_request(const struct state *state, const struct client *client,
                        const struct request *request, uint64_t pools, uint64_t denied,
                        struct refusal *refusal)
{
        int r;

        if (request->pool && *request->pool && !state_pool_named(state, request->pool))
                return refusal_set(refusal, PAR_REFUSED_INVALID, "there is no pool %.64s",
                                   request->pool);
        if (!pools && denied)
                return refusal_set(refusal, PAR_REFUSED_DENIED,
                                   "no pool that would do is open to uid %u%s%.64s",
                                   client->identity.uid,
                                   request->pool && *request->pool ? ": not " : "",
                                   request->pool ? request->pool : "");
        if (!pools)
                return refusal_set(refusal, PAR_REFUSED_NEVER_FITS,
                                   "every pool here is limited to an address range and kept for "
                                   "devices that need it: name one, or state the device's limits");
        r = share_check(state, client, &request->share, refusal);
        return r ? r : client_may_have_more(client, refusal);
}

int state_decide(const struct state *state, struct client *client, const struct request *request,
                 struct demand *demand, uint64_t *ret_pools, struct choice *ret,
                 struct refusal *refusal)
{
        uint64_t denied;
        int r;

        r = demand_init(state, request, demand, refusal);
        if (r)
                return r;
        *ret_pools = choice_pools(state, client, demand, request->pool, &denied);
        r = state_check_request(state, client, request, *ret_pools, denied, refusal);
        if (r)
                return r;
        r = views_find(state, client, demand, *ret_pools, state->held_up, ret);
        if (r > 0)
                return views_explain_barred(state, client, demand, *ret_pools, ret->barred,
                                            &ret->excess, r, refusal);
        return r;
}

int state_alloc(struct state *state, struct client *client, const struct request *request,
                uint64_t now_ns, struct buffer **ret_buffer, struct refusal *ret_refusal)
{
        _cleanup_(choice_deinit) struct choice choice = { 0 };
        struct demand demand;
        uint64_t pools;
        int r;

        state->now_ns = now_ns;
        r = state_decide(state, client, request, &demand, &pools, &choice, ret_refusal);
        if (!r)
                r = state_grant(state, client, &demand, &choice, now_ns, ret_buffer);
        /* Whoever goes on to wait is counted when he has his answer. */
        if (r > 0 && !ret_refusal->growing && (ret_refusal->permanent || !request->patient))
                state_count_refusal(state, r);
        state_changed(state, now_ns);
        return r;
}

/* Return: 0; PAR_REFUSED_GONE. */
static int release(struct state *state, struct client *client, uint64_t id, uint64_t now_ns)
{
        struct buffer *buffer = client_buffer(client, id);
        unsigned steps = TICK_STEPS_MAX;
        const struct owner *owner;

        if (!buffer)
                return PAR_REFUSED_GONE;
        if (buffer->share) {
                holder_end(holder_of(client, buffer->share), true, now_ns, &steps);
                return 0;
        }
        owner = buffer->holding->account->owner;
        state_ungrant(state, buffer, now_ns);
        state_freed_by(state, owner);
        return 0;
}

int state_release(struct state *state, struct client *client, uint64_t id, uint64_t now_ns)
{
        int r;

        r = release(state, client, id, now_ns);
        if (!r)
                state_changed(state, now_ns);
        return r;
}

int state_release_batch(struct state *state, struct client *client, const uint64_t *ids,
                        size_t count, uint64_t now_ns, uint64_t *ret_gone)
{
        int answer = 0;

        for (size_t i = 0; i < count; i++) {
                if (!release(state, client, ids[i], now_ns) || answer)
                        continue;
                answer = PAR_REFUSED_GONE;
                *ret_gone = ids[i];
        }
        state_changed(state, now_ns);
        return answer;
}

/* ---- time ----------------------------------------------------------------------------------- */

static void do_due(struct state *state, struct due *due, uint64_t now_ns, unsigned *steps)
{
        switch (due->kind) {
        case DUE_HOLDING:
                holding_due(state, CONTAINER_OF(due, struct holding, due), now_ns, steps);
                return;
        case DUE_FRAME: state_frame_due(state, CONTAINER_OF(due, struct frame, due)); return;
        case DUE_WAITER: waiter_time_out(state, CONTAINER_OF(due, struct waiter, due)); return;
        case DUE_ORPHANS:
                state_orphans_leave(state, CONTAINER_OF(due, struct pool, orphans_due), now_ns,
                                    steps);
                return;
        case DUE_REFILL:
        case DUE_RUN: due_cancel(&state->dues, due); return; /* state_changed() does it */
        case DUE_REGROW: grow_due(state, CONTAINER_OF(due, struct pool, regrow), now_ns); return;
        case DUE_SHRINK:
                state_shrink_due(state, CONTAINER_OF(due, struct pool, shrink), now_ns);
                return;
        case DUE_DRAIN:
                state_drain_walk(state, CONTAINER_OF(due, struct pool, drain.walk), now_ns, steps);
                return;
        case DUE_TURN: turn_due(state, CONTAINER_OF(due, struct waiter, turn), now_ns); return;
        case DUE_POOL_TURN:
                turn_pool_due(state, CONTAINER_OF(due, struct pool, turn), now_ns);
                return;
        case DUE_WAITING_UID:
                waiting_uid_due(state, CONTAINER_OF(due, struct waiting_uid, again));
                return;
        case DUE_FILLING: state_filling_due(state); return;
        case DUE_LEAK: tell_lingering(state, CONTAINER_OF(due, struct owner, leak)); return;
        case DUE_RESUME:
                client_end(state, CONTAINER_OF(due, struct client, resume), false, now_ns);
                return;
        }
        abort();
}

void state_tick(struct state *state, uint64_t now_ns)
{
        unsigned steps = TICK_STEPS_MAX;
        struct due *due;

        while (steps && (due = due_first(&state->dues)) && due->at_ns <= now_ns) {
                steps--;
                do_due(state, due, now_ns, &steps);
        }
        state_changed(state, now_ns);
}

uint64_t state_next_due(const struct state *state)
{
        const struct due *due = due_first(&state->dues);

        return due ? due->at_ns : DUE_NEVER;
}

void state_came(struct state *state, const struct pool *pool)
{
        state->came |= UINT64_C(1) << pool->index;
}

void state_freed_by(struct state *state, const struct owner *owner)
{
        /* Only one can be noted; where there are two everybody looks. */
        if (state->freed_by && state->freed_by != owner)
                state->came = UINT64_MAX;
        state->freed_by = owner;
}

static bool somebody_may_be_served(const struct state *state)
{
        return (state->came || state->freed_by || state->run_next) &&
               !TAILQ_EMPTY(&state->waiters) && !due_is_set(&state->run) && !state->serving_waiters;
}

void state_changed(struct state *state, uint64_t now_ns)
{
        state->now_ns = now_ns;
        turns_settle(state, now_ns);
        while (somebody_may_be_served(state)) {
                state->serving_waiters = true;
                waiters_run(state, now_ns);
                state->serving_waiters = false;
                turns_settle(state, now_ns);
        }
        if (TAILQ_EMPTY(&state->waiters)) {
                state->came = 0;
                state->freed_by = NULL;
                state->prospects_changed = false;
        }
        state_pools_settle(state, now_ns);
#ifdef PAR_CHECKS
        state_check_after_change(state);
#endif
}
