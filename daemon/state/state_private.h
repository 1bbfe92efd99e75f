/* SPDX-License-Identifier: MIT */
/*
 * The state's own parts, for the files of this folder.
 */
#pragma once

#include "account.h"
#include "buffer.h"
#include "client.h"
#include "due.h"
#include "frame.h"
#include "history.h"
#include "holding.h"
#include "io_index.h"
#include "ledger.h"
#include "pool.h"
#include "quarantine.h"
#include "share.h"
#include "state.h"
#include "usage.h"
#include "waiter.h"
#include "waiting_uid.h"

/* Work that is done in one go when something is due; the rest waits for the next turn. */
#define TICK_STEPS_MAX 1024

struct choice;
struct demand;

/**
 * struct state - everything
 * @now_ns:    when it was changed last, or asked for memory: for words
 * @pools:     by their index in the configuration
 * @preferred: the same pools' indexes, widest address range first
 * @slots:     the keeper's slots, @n_slots of them
 * @ended:     what ended clients left
 * @ledger:    what the next worker will know; NULL: nothing
 * @resumable: clients of a former worker that have not come back yet, by their tokens
 * @restoring: that former worker's ledger has not been read: what lent frames are for is not known
 * @ledger_lost: what that worker left could not be read
 * @limits_bent: quotas were set, or set anew, after memory was granted: what is there may exceed
 * them
 * @watches:   PCI devices that buffers were granted for
 * @shares:    of buffers that several sessions may have, while they may
 */
struct state {
        const struct state_settings *settings;
        const struct state_ops *ops;
        void *data;
        uint64_t started_ns, now_ns;
        struct pool *pools;
        uint32_t *preferred;
        struct frame **slots;
        size_t n_slots;
        struct frame_tree frames;
        struct buffer_tree buffers;
        uint64_t last_buffer, n_buffers;
        struct owner_tree owners;
        struct uid_owner_tree uid_owners;
        struct user_tree users;
        uint64_t last_owner;
        struct client_list clients;
        uint32_t n_clients;
        bool started;     /* state_start() was called */
        bool taking_told; /* ops->filled() was called for the takes so far */
        struct holding_list ended;
        struct ledger *ledger;
        struct resumable_tree resumable;
        bool restoring, ledger_lost, limits_bent;
        struct watch_tree watches;
        struct share_uid_tree share_uids;
        struct share_token_tree share_tokens;
        struct share_list shares;
        struct history history;
        struct io_index io;
        struct waiter_queue waiters;
        struct waiting_uid_tree waiting_uids;
        uint64_t n_waiters;
        struct due_queue dues;
        struct due filling;           /* when it is called although some are not over */
        uint64_t came;                /* pools in which waiters have something new to look at */
        const struct owner *freed_by; /* who else may look at his own memory again; not followed */
        bool prospects_changed;       /* who waits may wait in vain now */
        struct waiter *run_next;      /* how far the line was tried with the last such news... */
        uint64_t run_came;
        const struct owner *run_freed_by;
        bool run_prospects_changed;
        bool serving_waiters;
        bool turns_changed; /* somebody's turn has come or is over */
        struct due run;
        uint64_t held_up, open; /* pools: for somebody who waits; for all, for a moment */
        uint64_t grants, refusals;
        struct state_counters counters;
};

/* Trees of the state. */
struct frame *state_frame_at(const struct state *state, uint64_t phys);       /* in service there */
struct frame *state_frame_from(const struct state *state, uint64_t phys);     /* there, or above */
struct frame *state_frame_in(const struct state *state, struct range window); /* or below it */
struct frame *state_frame_next(const struct state *state, const struct frame *frame);

/* Of a pool: the first that does not come before @frame, which may be another's; NULL: none. */
struct frame *state_pool_frame_from(const struct pool *pool, const struct frame *frame);

struct frame *state_frame_named(const struct state *state, struct frame_name name);
void state_frame_insert(struct state *state, struct frame *frame);
void state_frame_remove(struct state *state, struct frame *frame);
struct buffer *state_buffer_after(const struct state *state, uint64_t id);
struct buffer *state_buffer(const struct state *state, uint64_t id);
void state_buffer_insert(struct state *state, struct buffer *buffer);
void state_buffer_remove(struct state *state, struct buffer *buffer);
struct owner *state_owner_after(const struct state *state, uint64_t id);
struct pool *state_pool_named(const struct state *state, const char *name); /* or NULL */

/**
 * state_owner_new() - an owner in the state's tree
 * @id:  its number, which nobody else has; 0: the next one
 * @identity: whose; of a uid's owner that of one of its sessions
 *
 * Return: 0; -ENOMEM.
 */
int state_owner_new(struct state *state, uint64_t id, const struct identity *identity,
                    struct owner **ret);

/* The owner of a uid, made where there is none; it has the groups of this session, too. Return: 0;
 * -ENOMEM. */
int state_uid_owner(struct state *state, const struct identity *identity, uint64_t now_ns,
                    struct owner **ret);

/* Free the owner where nobody needs it any more. */
void state_owner_settle(struct state *state, struct owner *owner);

/* grant.c: the choice becomes a buffer. Return: 0; -ENOMEM, and nothing changed. */
int state_grant(struct state *state, struct client *client, const struct demand *demand,
                const struct choice *choice, uint64_t now_ns, struct buffer **ret);

/* grant.c: the reverse; cannot fail. */
void state_ungrant(struct state *state, struct buffer *buffer, uint64_t now_ns);

/**
 * state_place() - grant.c: a buffer in one place, of which nobody is to hear yet
 * @at:  as a search found it
 *
 * Followed by state_announce(), which enters the ledger, or state_unplace(), the reverse: it counts
 * meanwhile. Neither can fail.
 *
 * Return: 0; -ENOMEM, -ENOSPC, and nothing changed.
 */
int state_place(struct state *state, struct client *client, const struct demand *demand,
                struct pool *pool, struct range at, uint64_t now_ns, struct buffer **ret);
void state_announce(struct state *state, const struct client *client, const struct buffer *buffer);
void state_unplace(struct state *state, struct buffer *buffer, uint64_t now_ns);

/* client.c: against max_buffers. Return: 0; PAR_REFUSED_QUOTA. */
int client_may_have_more(const struct client *client, struct refusal *refusal);

/* grant.c: a buffer whose frames and holding know it is listed everywhere else. */
void state_list_buffer(struct state *state, struct buffer *buffer);

/* retire.c: nothing is placed in the frame any more, and it is not found by its address; in any
 * state. No page is to come back for it, unless the keeper was told so already. */
void state_frame_end_service(struct frame *frame);

/* retire.c: deal with what was put off. The frame may be gone after that. */
void state_frame_catch_up(struct state *state, struct frame *frame, uint64_t now_ns);

/* restore.c: what the ledger says of who held what when the former worker died. Return: 0; -ENOMEM,
 * and the state is good for nothing. */
int state_restore(struct state *state, uint64_t now_ns);

/* lifecycle.c: a frame goes back to the kernel. */
void state_frame_leave(struct state *state, struct frame *frame);

/* lifecycle.c: its last buffer is gone. */
void state_frame_emptied(struct state *state, struct frame *frame, uint64_t now_ns);

/* lifecycle.c: what a frame's due time means. */
void state_frame_due(struct state *state, struct frame *frame);

/* lifecycle.c: the quarantine of what clients of a former worker had is over, in this pool. */
void state_orphans_leave(struct state *state, struct pool *pool, uint64_t now_ns, unsigned *steps);

/* frame_close(), over the worker's death, too. */
void state_frame_close(struct state *state, struct frame *frame);

/* lifecycle.c: a free frame leaves. */
void state_frame_give_back(struct state *state, struct frame *frame);

/* lifecycle.c: a frame that leaves or lingers does not come back. */
void state_frame_stay_away(struct state *state, struct frame *frame);

/* lifecycle.c: LEAVE_* for a frame that leaves or lingers. */
unsigned state_leave_flags(const struct frame *frame);

/* fill.c: ask the keeper for frames; none may be under way for this pool. */
void state_take(struct state *state, struct pool *pool, const struct take_wish *wish,
                bool for_demand);

/* fill.c: what a pool lacks is asked for, but not before a moment has passed. */
void state_refill_later(struct state *state, struct pool *pool, uint64_t now_ns);

/* fill.c: after changes: ask for what pools lack, note what they do not need. */
void state_pools_settle(struct state *state, uint64_t now_ns);

/* fill.c: the first filling has taken long enough. */
void state_filling_due(struct state *state);

/* shrink.c: note what the pool does not need; give back what it has not needed; do so now. */
void state_shrink_settle(struct state *state, struct pool *pool, uint64_t now_ns);
void state_shrink_due(struct state *state, struct pool *pool, uint64_t now_ns);
void state_shrink_now(struct state *state, struct pool *pool, uint64_t bytes, uint64_t now_ns);

/* reconfigure.c: a pool that an administrator names. Return: 0; PAR_REFUSED_DENIED,
 * PAR_REFUSED_INVALID. */
int state_admin_pool(struct state *state, const struct client *asker, const char *name,
                     struct pool **ret, struct refusal *refusal);

/* What rules a request out before anybody looks for memory. Return: 0; PAR_REFUSED_*. */
int state_check_request(const struct state *state, const struct client *client,
                        const struct request *request, uint64_t pools, uint64_t denied,
                        struct refusal *refusal);

/**
 * state_decide() - everything up to the decision; what state_alloc() and state_explain() share
 * @demand:    filled in
 * @ret_pools: where it was looked for
 * @ret:       the choice, owned by the caller
 * @refusal:   filled with a result above 0
 *
 * Return: 0; PAR_REFUSED_*; -ENOMEM.
 */
int state_decide(const struct state *state, struct client *client, const struct request *request,
                 struct demand *demand, uint64_t *ret_pools, struct choice *ret,
                 struct refusal *refusal);

/* quota_use.c: what counts for a quota of somebody's; nothing, where it is one of each user. */
struct usage state_quota_usage(const struct state *state, const struct pool *pool, size_t quota);

/* report.c: a request was refused; every answer above 0 is counted once. */
void state_count_refusal(struct state *state, int result);

/* Waiters may find something new in a pool. */
void state_came(struct state *state, const struct pool *pool);

/* An owner has more room in frames that are his already. */
void state_freed_by(struct state *state, const struct owner *owner);

/* After every change of the state: serve who waits, and check where checks are on. */
void state_changed(struct state *state, uint64_t now_ns);

/* check.c: state_check(), less often where there is much to walk. */
void state_check_after_change(const struct state *state);

/* @about: borrowed for the call. */
void state_log(const struct state *state, int level, const struct log_fields *about,
               const char *format, ...) __attribute__((__format__(__printf__, 4, 5)));
