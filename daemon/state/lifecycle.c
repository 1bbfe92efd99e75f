/* SPDX-License-Identifier: MIT */
/*
 * What becomes of a frame after its last buffer: kept for its owner for a while, then back to the
 * kernel, which may take long where somebody still refers to it. Until it has really left it is
 * charged to its former owner.
 */
#include "macros.h"
#include "state_private.h"
#include "tell.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Whether the pool wants the page again. */
static bool is_wanted(const struct frame *frame)
{
        const struct pool *pool = frame->pool;

        return frame->in_service && !frame->unwanted && !pool_drains(pool, frame_range(frame)) &&
               pool_coming_bytes(pool) <= pool->settings->size_max_bytes;
}

unsigned state_leave_flags(const struct frame *frame)
{
        const struct account *account = frame->account;
        unsigned flags = 0;

        if (frame->comes_back)
                flags |= LEAVE_RETAKE;
        if (frame->told_owner_gone)
                flags |= LEAVE_OWNER_GONE;
        if (account && account->bytes.lingering)
                flags |= LEAVE_PATIENT;
        return flags;
}

void state_frame_leave(struct state *state, struct frame *frame)
{
        struct shown *shown;
        unsigned flags;

        assert(!frame->n_pieces);

        frame->told_owner_gone = !frame->account || !frame->account->owner->n_clients;
        frame_set_comes_back(frame, is_wanted(frame));
        if (frame->in_service && !frame->comes_back)
                frame->pool->counters.shrunk_frames++;
        flags = state_leave_flags(frame);
        due_cancel(&state->dues, &frame->due);
        if (frame->state == FRAME_REUSABLE) {
                frame_remove_from(frame, &frame->account->empty);
                frame->account->reusable = NULL;
        }
        frame_end_parts(frame);
        if (frame->state == FRAME_QUARANTINED && !frame->account) {
                LIST_REMOVE(frame, charged);
                frame->pool->n_orphans--;
        }
        frame_set_state(frame, FRAME_LEAVING);
        LIST_FOREACH (shown, &frame->shown, link)
                if (shown->client->data)
                        state->ops->unneeded(state->data, shown->client->data, frame->name);
        state->ops->leave(state->data, frame->name, frame->pool->index, flags);
}

void state_frame_close(struct state *state, struct frame *frame)
{
        frame_close(frame);
        ledger_close_frame(state->ledger, frame->name.slot);
}

void state_frame_give_back(struct state *state, struct frame *frame)
{
        assert(frame->state == FRAME_FREE);

        frame_remove_from(frame, &frame->pool->free);
        state_frame_leave(state, frame);
}

void state_frame_stay_away(struct state *state, struct frame *frame)
{
        if (!frame->comes_back)
                return;
        frame_set_comes_back(frame, false);
        frame->pool->counters.shrunk_frames++;
        state->ops->leave(state->data, frame->name, frame->pool->index, state_leave_flags(frame));
}

/* Whether to keep the empty frame for its owner: only one, and only what he still has mapped. */
static bool worth_keeping(const struct frame *frame)
{
        return !frame->exported && frame->pool->settings->reuse_delay_ns &&
               !LIST_EMPTY(&frame->shown) && frame->account->owner->n_clients;
}

void state_frame_emptied(struct state *state, struct frame *frame, uint64_t now_ns)
{
        struct account *account = frame->account;

        if (frame->closed) {
                state_frame_leave(state, frame);
                return;
        }
        if (frame->divided)
                node_spaces_clear(&account->partial, frame->node, frame_range(frame));
        /* Keeping it needs memory, leaving does not. */
        if (!worth_keeping(frame) || frame_hold_in(frame, &account->empty)) {
                state_frame_leave(state, frame);
                return;
        }
        if (account->reusable)
                state_frame_leave(state, account->reusable);
        frame_add_to(frame, &account->empty);
        account->reusable = frame;
        frame_set_state(frame, FRAME_REUSABLE);
        due_set(&state->dues, &frame->due, now_ns + frame->pool->settings->reuse_delay_ns);
}

void state_frame_due(struct state *state, struct frame *frame)
{
        assert(frame->state == FRAME_REUSABLE ||
               (frame->state == FRAME_QUARANTINED && !frame->account));
        state_frame_leave(state, frame);
}

void state_orphans_leave(struct state *state, struct pool *pool, uint64_t now_ns, unsigned *steps)
{
        struct frame *frame;

        due_cancel(&state->dues, &pool->orphans_due);
        while ((frame = LIST_FIRST(&pool->orphans))) {
                if (!*steps) {
                        due_set(&state->dues, &pool->orphans_due, now_ns);
                        return;
                }
                --*steps;
                state_frame_leave(state, frame);
        }
}

/* What a former worker gave up was pinned as long as it was somebody's. */
static bool counts_as_unpinned(const struct frame *frame)
{
        return !frame->pinned && !frame->given_up;
}

/* Take it out of everything; the account and its owner may end with it. */
static void frame_gone(struct state *state, struct frame *frame)
{
        struct owner *owner = frame->account ? frame->account->owner : NULL;
        struct pool *pool = frame->pool;
        bool departs = !frame->comes_back;

        assert(frame->state == FRAME_LEAVING || frame->state == FRAME_LINGERING);

        frame_unshow_all(frame);
        frame_discharge(frame);
        frame_set_comes_back(frame, true); /* no longer departing: gone */
        state_bytes_sub(&pool->bytes, frame->state, pool->settings->page_bytes);
        if (counts_as_unpinned(frame))
                pool->unpinned_frames--;
        if (frame->in_service)
                frame_remove_from(frame, &pool->all);
        due_cancel(&state->dues, &frame->due);
        state_frame_remove(state, frame);
        frame_free(frame);
        if (owner)
                state_owner_settle(state, owner);
        if (pool->settings->n_quotas)
                state_came(state, pool); /* others may have more of it now */
        /* What somebody waits for may never be had without them; the last of them says so. */
        if (departs && !pool->departing_bytes) {
                state->prospects_changed = true;
                state_came(state, pool);
        }
}

/* Return: 0; -EINVAL where a frame is in the slot that is not on its way. */
static int clear_slot(struct state *state, uint32_t slot)
{
        struct frame *old = slot < state->n_slots ? state->slots[slot] : NULL;

        if (!old)
                return 0;
        if (old->state != FRAME_LEAVING && old->state != FRAME_LINGERING)
                return -EINVAL;
        frame_gone(state, old);
        return 0;
}

/*
 * A page that was taken again is announced before the news that its former frame has left. But a
 * frame that is on its way may also have lost its page, since whoever had it punched that out: then
 * it stays charged to him, or the keeper would wait for his end, of which nobody told it.
 */
static int clear_address(struct state *state, const struct frame_news *news)
{
        struct frame *old = state_frame_at(state, news->phys);

        if (!old)
                return 0;
        if (old->state != FRAME_LEAVING && old->state != FRAME_LINGERING)
                return -EINVAL;
        if (frame_id(old->name) == frame_id(news->former))
                frame_gone(state, old);
        else
                state_frame_end_service(old);
        return 0;
}

static int frame_news_check(const struct state *state, const struct frame_news *news)
{
        const struct pool_settings *settings;

        if (news->pool >= state->settings->n_pools)
                return -EINVAL;
        settings = &state->settings->pools[news->pool];
        if (news->page_bytes != settings->page_bytes || news->phys & (news->page_bytes - 1) ||
            news->phys > UINT64_MAX - (news->page_bytes - 1) || !news->name.generation)
                return -EINVAL;
        if (news->given_up && !news->lent)
                return -EINVAL;
        if (!range_contains(settings->window, range_of(news->phys, news->page_bytes)))
                return -EINVAL;
        return 0;
}

/* Until it is put into the pool's spaces, and out again. */
static int hold_arrival(const struct frame *frame)
{
        struct pool *pool = frame->pool;
        int r;

        r = frame_hold_in(frame, &pool->all);
        if (r)
                return r;
        r = frame_hold_in(frame, &pool->free);
        if (r)
                frame_release_in(frame, &pool->all);
        return r;
}

static void release_arrival(const struct frame *frame)
{
        frame_release_in(frame, &frame->pool->free);
        frame_release_in(frame, &frame->pool->all);
}

static int grow_slots(struct state *state, uint32_t slot)
{
        size_t n = state->n_slots ? state->n_slots : 64;
        struct frame **slots;

        if (slot < state->n_slots)
                return 0;
        while (n <= slot)
                n *= 2;
        slots = reallocarray(state->slots, n, sizeof(slots[0]));
        if (!slots)
                return -ENOMEM;
        memset(slots + state->n_slots, 0, (n - state->n_slots) * sizeof(slots[0]));
        state->slots = slots;
        state->n_slots = n;
        return 0;
}

/*
 * Whoever had a frame may have punched its page out, which the kernel may give to the next that
 * asks: before anybody has looked, if he is quick. No page is in two frames, so the former has
 * none any more.
 */
static void displace(struct state *state, uint64_t phys, uint64_t now_ns)
{
        const struct frame *old = state_frame_at(state, phys);

        if (old && old->lent)
                state_frame_moved(state, old->name, UINT64_MAX, now_ns);
}

/*
 * The same, before a worker died, of which the keeper tells in any order, but of frames that were
 * given up last. Such a one has no address any more, but an owner, to whom it stays charged, and of
 * whose end the keeper is told. What nobody was lent nobody has punched; of two that were lent the
 * ledger knows.
 */
static bool has_lost_its_page(const struct state *state, const struct frame_news *news)
{
        const struct frame *there = state_frame_at(state, news->phys);
        uint64_t last_buffer;

        if (!news->lent)
                return false;
        return ledger_frame_lost(state->ledger, news->name.slot, news->name.generation,
                                 &last_buffer) ||
               (there && (news->given_up || !there->lent));
}

/* It arrives without an address. Its holders, where it has any, are told when they are known. */
static void arrive_lost(struct frame *frame)
{
        if (frame->given_up)
                return;
        frame->put_off = FRAME_MOVED;
        frame->moved_to = UINT64_MAX;
}

/* It can be put into the pool's spaces, and is in nobody's way. Return: 0; -EINVAL; -ENOMEM. */
static int prepare_service(struct state *state, const struct frame *frame,
                           const struct frame_news *news)
{
        int r;

        r = hold_arrival(frame);
        if (r)
                return r;
        r = clear_slot(state, news->name.slot);
        if (!r)
                r = clear_address(state, news);
        if (r)
                release_arrival(frame);
        return r;
}

static void begin_service(struct frame *frame)
{
        frame_add_to(frame, &frame->pool->all);
        if (frame->lent)
                frame_release_in(frame, &frame->pool->free);
        frame->in_service = true;
}

/* The page that comes for one which is leaving or lingering is there before that one is gone. */
static bool is_beyond_max(const struct pool *pool)
{
        uint64_t staying = pool->bytes.held - pool->bytes.leaving - pool->bytes.lingering;

        return staying > pool->settings->size_max_bytes;
}

/* A client of a former worker may still use it. */
static void enter_orphan(struct state *state, struct frame *frame, uint64_t now_ns)
{
        struct pool *pool = frame->pool;

        frame->used = true;
        frame_set_state(frame, FRAME_QUARANTINED);
        LIST_INSERT_HEAD(&pool->orphans, frame, charged);
        pool->n_orphans++;
        /* Before the ledger is read it may be anybody's who lives. */
        if (!state->restoring)
                due_set(&state->dues, &frame->due, now_ns + pool->settings->quarantine_ns);
}

static void enter_free(struct state *state, struct frame *frame)
{
        struct pool *pool = frame->pool;

        frame_add_to(frame, &pool->free);
        if (pool_drains(pool, frame_range(frame)) || is_beyond_max(pool))
                state_frame_give_back(state, frame);
        state_came(state, pool);
}

int state_frame_arrived(struct state *state, const struct frame_news *news, uint64_t now_ns)
{
        const bool lost = has_lost_its_page(state, news);
        struct frame *frame;
        struct pool *pool;
        int r;

        r = frame_news_check(state, news);
        if (r)
                return r;
        pool = &state->pools[news->pool];
        if (!lost)
                displace(state, news->phys, now_ns);
        r = grow_slots(state, news->name.slot);
        if (r)
                return r;
        r = frame_new(pool, news, &frame);
        if (r)
                return r;
        frame->given_up = news->given_up;
        frame->lent = news->lent;
        r = lost ? clear_slot(state, news->name.slot) : prepare_service(state, frame, news);
        if (r) {
                frame_free(frame);
                return r;
        }

        state_frame_insert(state, frame);
        state_bytes_add(&pool->bytes, FRAME_FREE, news->page_bytes);
        if (counts_as_unpinned(frame))
                pool->unpinned_frames++;
        if (lost)
                arrive_lost(frame);
        else
                begin_service(frame);
        if (frame->lent)
                enter_orphan(state, frame, now_ns);
        else
                enter_free(state, frame);
        state_changed(state, now_ns);
        return 0;
}

/* Somebody keeps pages: what else of his is on its way is looked at when there is time for it, or
 * the keeper would be busy with him alone. */
static void be_patient(struct state *state, const struct account *account)
{
        size_t pool = account->pool->index;
        struct owner *owner;
        struct frame *frame;

        for (owner = state_owner_after(state, 0); owner;
             owner = state_owner_after(state, owner->id)) {
                if (owner->uid != account->owner->uid || !owner->accounts[pool])
                        continue;
                LIST_FOREACH (frame, &owner->accounts[pool]->frames, charged)
                        if (frame->state == FRAME_LEAVING)
                                state->ops->leave(state->data, frame->name, (uint32_t)pool,
                                                  state_leave_flags(frame) | LEAVE_PATIENT);
        }
}

void state_frame_lingers(struct state *state, struct frame_name name, int holder, uint64_t now_ns)
{
        struct frame *frame = state_frame_named(state, name);

        if (!frame || (frame->state != FRAME_LEAVING && frame->state != FRAME_LINGERING))
                return;
        frame->holder = holder;
        if (frame->state == FRAME_LEAVING)
                frame->lingers_since_ns = now_ns;
        frame_set_state(frame, FRAME_LINGERING);
        /* Its owner may have gone between the leaving and this news. */
        if (frame->account && !frame->account->owner->n_clients && !frame->told_owner_gone) {
                frame->told_owner_gone = true;
                state->ops->leave(state->data, frame->name, frame->pool->index,
                                  state_leave_flags(frame) | LEAVE_PATIENT);
        }
        if (frame->account && holder == FRAME_HOLDER_PAGES)
                be_patient(state, frame->account);
        state_changed(state, now_ns);
        tell_lingering_later(state, frame);
}

void state_frame_left(struct state *state, struct frame_name name, bool lost, uint64_t now_ns)
{
        struct frame *frame = state_frame_named(state, name);
        struct pool *pool;
        bool retired;

        if (!frame || (frame->state != FRAME_LEAVING && frame->state != FRAME_LINGERING))
                return; /* its place is taken already, and nothing was lost */
        pool = frame->pool;
        retired = !frame->in_service;
        lost = lost && frame->comes_back;
        frame_gone(state, frame);
        if (lost)
                pool->lost_to_system++;
        /* Who snatched it may need a moment more; nor is there a page in the place of one that was
         * retired. */
        if (lost || retired)
                state_refill_later(state, pool, now_ns);
        state_changed(state, now_ns);
}
