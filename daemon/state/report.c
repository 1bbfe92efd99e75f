/* SPDX-License-Identifier: MIT */
/*
 * Rows for lists. Reads, changes nothing. A cursor names the last row by address or number, so a
 * list goes on where it was although rows come and go meanwhile.
 */
#include "report.h"

#include "hidden.h"
#include "holder.h"
#include "pci_address.h"
#include "placement.h"
#include "refusal.h"
#include "state_private.h"

#include <stdio.h>
#include <string.h>

/* Frames begin on pages, so the low bits of a cursor count rows at one address. */
#define CURSOR_SAME_ADDRESS UINT64_C(0xfff)

bool report_may_know(const struct client *asker, uint32_t uid)
{
        return asker->is_admin || uid == asker->identity.uid;
}

void report_holding(const struct holding *holding, const struct client *asker,
                    struct holder_report *ret)
{
        *ret = (struct holder_report){ .mine = holding->client == asker ||
                                               (holding->share &&
                                                holder_of(asker, holding->share)) };
        ret->known = report_may_know(asker, holding->uid);
        if (!ret->known)
                return;
        ret->client = holding->name;
        ret->uid = holding->uid;
        ret->pid = holding->pid;
}

void report_owner(const struct owner *owner, const struct client *asker, struct holder_report *ret)
{
        *ret = (struct holder_report){ .mine = owner == asker->session_owner };
        ret->known = report_may_know(asker, owner->uid);
        if (!ret->known)
                return;
        ret->client = owner->name;
        ret->uid = owner->uid;
        ret->pid = owner->pid;
}

/* Of a pool that has nothing because nothing can be pinned it is no truth that all is. */
static bool is_pinned(const struct pool *pool)
{
        return !pool->unpinned_frames && (pool->bytes.held || !pool->cannot_pin);
}

static void status_note(const struct state *state, char to[REPORT_NOTE_BYTES])
{
        const struct watch *watch = watch_noisy(state);
        char text[PCI_ADDRESS_TEXT_BYTES];

        to[0] = '\0';
        if (watch)
                snprintf(to, REPORT_NOTE_BYTES, "device %s is still bus master",
                         pci_address_text(watch->device, text));
}

void state_report(const struct state *state, uint64_t now_ns, struct status_report *ret)
{
        *ret = (struct status_report){
                .backend = state->settings->backend,
                .state = "ready",
                .pinned = true,
                .pools = (uint32_t)state->settings->n_pools,
                .clients = state->n_clients,
                .buffers = state->n_buffers,
                .grants = state->grants,
                .refusals = state->refusals,
                .waiting = state->n_waiters,
                .moved = state->counters.moved,
                .uptime_ns = now_ns - state->started_ns,
        };
        status_note(state, ret->note);
        for (size_t i = 0; i < state->settings->n_pools; i++) {
                const struct pool *pool = &state->pools[i];

                if (!pool->filled_once)
                        ret->state = "filling";
                if (!is_pinned(pool))
                        ret->pinned = false;
                ret->lost_to_system += pool->lost_to_system;
                ret->bytes.held += pool->bytes.held;
                ret->bytes.free += pool->bytes.free;
                ret->bytes.granted += pool->bytes.granted;
                ret->bytes.reusable += pool->bytes.reusable;
                ret->bytes.leaving += pool->bytes.leaving;
                ret->bytes.lingering += pool->bytes.lingering;
                ret->bytes.quarantined += pool->bytes.quarantined;
                ret->bytes.retired += pool->bytes.retired;
        }
}

void state_count_refusal(struct state *state, int result)
{
        assert(result >= PAR_REFUSED_NEVER_FITS && result <= PAR_REFUSED_GONE);

        state->refusals++;
        state->counters.refused[result - PAR_REFUSED_NEVER_FITS]++;
        if (result == PAR_REFUSED_TIMED_OUT)
                state->counters.timed_out_waits++;
}

void state_pool_counters(const struct state *state, size_t pool, struct pool_counters *ret)
{
        assert(pool < state->settings->n_pools);

        *ret = state->pools[pool].counters;
        ret->lost_to_system = state->pools[pool].lost_to_system;
}

void state_counters(const struct state *state, struct state_counters *ret)
{
        *ret = state->counters;
}

bool state_next_pool(const struct state *state, const struct client *asker, uint64_t *cursor,
                     struct pool_report *ret)
{
        struct space_list list = { .count = 0 };
        const struct pool *pool;

        if (*cursor >= state->settings->n_pools)
                return false;
        pool = &state->pools[(*cursor)++];
        space_list_add(&list, &pool->free, 0);
        *ret = (struct pool_report){
                .settings = pool->settings,
                .bytes = pool->bytes,
                .goal_bytes = pool->goal_bytes,
                .taking_bytes = pool->taking * pool->settings->page_bytes,
                .taken_bytes = (pool->taking ? pool->taken : 0) * pool->settings->page_bytes,
                .held_aside_bytes = pool->aside_bytes,
                .draining_bytes = pool_draining_bytes(pool),
                .waiting = pool->waiting,
                .claimed_bytes = pool->claimed_bytes,
                .unmet_bytes = pool->unmet_bytes,
                .largest_run_bytes = placement_largest_run(list.of, list.count, RANGE_ALL),
                .lost_to_system = pool->lost_to_system,
                .pinned = is_pinned(pool),
                .allowed = !asker || (asker->allowed >> pool->index & 1),
                .state = pool_state_name(pool),
                .note = pool->note,
        };
        return true;
}

static const char *fault_note(enum frame_fault fault)
{
        static const char *const notes[] = {
                [FRAME_SOUND] = "",
                [FRAME_MOVED] = "the kernel moved it",
                [FRAME_PUNCHED] = "its holder punched it out",
                [FRAME_POISONED] = "its memory has failed",
        };

        return notes[fault];
}

static const char *holder_note(const struct frame *frame)
{
        static const char *const notes[] = {
                [FRAME_HOLDER_NONE] = "",
                [FRAME_HOLDER_FILE] = "a descriptor or mapping is still open",
                [FRAME_HOLDER_PAGES] =
                        "its pages are still referred to (a dma-buf, vmsplice, io_uring or VFIO)",
                [FRAME_HOLDER_HOLE] = "its holder punched it out",
                [FRAME_HOLDER_PATH] = "an O_PATH descriptor still keeps it",
        };
        size_t n = sizeof(notes) / sizeof(notes[0]);

        if (frame->state != FRAME_LINGERING || frame->holder < 0 || (size_t)frame->holder >= n)
                return "";
        return notes[frame->holder];
}

/* A word for programs, where holder_note() is for people. */
static const char *holder_word(const struct frame *frame)
{
        static const char *const words[] = {
                [FRAME_HOLDER_NONE] = "",       [FRAME_HOLDER_FILE] = "file",
                [FRAME_HOLDER_PAGES] = "pages", [FRAME_HOLDER_HOLE] = "hole",
                [FRAME_HOLDER_PATH] = "path",
        };

        if (frame->state != FRAME_LINGERING || frame->holder < 0 ||
            (size_t)frame->holder >= sizeof(words) / sizeof(words[0]))
                return "";
        return words[frame->holder];
}

/* How much of its time a quarantine still has. */
static uint64_t time_left(const struct holding *holding, uint64_t now_ns)
{
        return holding_waits(holding) && holding->until_ns > now_ns ? holding->until_ns - now_ns
                                                                    : 0;
}

/* Memory that fails matters more than who still has it; who has it, more than that it moved. */
static void frame_note(const struct frame *frame, char to[REPORT_NOTE_BYTES])
{
        const struct buffer_piece *piece = frame_piece_from(frame, 0);
        const char *note = frame->fault == FRAME_POISONED ? "" : holder_note(frame);

        if (!*note)
                note = fault_note(frame->fault);
        if (!*note && frame->state == FRAME_QUARANTINED && frame->aside)
                note = "what was known of it is lost: an administrator may release it";
        if (!*note && frame->state == FRAME_QUARANTINED && !frame->account)
                note = "a client of a former worker may still use it";
        if (!*note && frame->state == FRAME_QUARANTINED)
                quarantine_words(piece->buffer->holding, to, REPORT_NOTE_BYTES);
        else
                snprintf(to, REPORT_NOTE_BYTES, "%s", note);
}

void report_frame(const struct frame *frame, const struct client *asker, struct frame_report *ret)
{
        *ret = (struct frame_report){
                .name = frame->name,
                .pool = frame->pool->settings->name,
                .state = frame_state_name(frame->state),
                .kept_by = holder_word(frame),
                .lingers_since_ns = frame->state == FRAME_LINGERING ? frame->lingers_since_ns : 0,
                .phys = frame->phys,
                .page_bytes = frame->pool->settings->page_bytes,
                .node = frame->node_number,
                .pinned = frame->pinned,
                .buffers = frame->n_pieces,
        };
        frame_note(frame, ret->note);
        if (frame->account)
                report_owner(frame->account->owner, asker, &ret->holder);
}

bool report_wants_pool(const struct pool *pool, const char *name)
{
        return !name || !*name || !strcmp(pool->settings->name, name);
}

/* The lowest address at which a frame can begin that reaches into the window. */
static uint64_t first_begin(const struct state *state, struct range window)
{
        uint64_t longest = 0;

        for (size_t i = 0; i < state->settings->n_pools; i++)
                if (state->settings->pools[i].page_bytes > longest)
                        longest = state->settings->pools[i].page_bytes;
        return window.first < longest ? 0 : window.first - (longest - 1);
}

/* This frame, or the first after it that the asker may know of. What he may not know of is passed
 * over in one go, or a list that stops there would tell him by its cursor where that lies. */
static struct frame *known_from(const struct state *state, const struct client *asker,
                                struct frame *frame, unsigned *steps)
{
        struct frame *first = NULL;

        if (!frame || !hidden_from(frame->pool, asker))
                return frame;
        for (size_t i = 0; i < state->settings->n_pools; i++) {
                struct frame *there;

                if (hidden_from(&state->pools[i], asker))
                        continue;
                there = state_pool_frame_from(&state->pools[i], frame);
                if (there && (!first || frame_compare(there, first) < 0))
                        first = there;
                if (*steps > 1) /* or a list would not get on */
                        --*steps;
        }
        return first;
}

struct frame *report_frame_next(const struct state *state, const struct client *asker,
                                const struct frame *frame, unsigned *steps)
{
        return known_from(state, asker, state_frame_next(state, frame), steps);
}

struct frame *report_frame_at(const struct state *state, const struct client *asker,
                              struct range window, uint64_t cursor, unsigned *steps)
{
        uint64_t from = cursor & ~CURSOR_SAME_ADDRESS;
        uint64_t skip = cursor & CURSOR_SAME_ADDRESS;
        uint64_t begin = first_begin(state, window);
        struct frame *frame;

        if (from < begin)
                return known_from(state, asker, state_frame_from(state, begin), steps);
        frame = known_from(state, asker, state_frame_from(state, from), steps);
        while (frame && skip && frame->phys == from) {
                skip--;
                frame = report_frame_next(state, asker, frame, steps);
        }
        return frame;
}

struct frame *state_frame_in(const struct state *state, struct range window)
{
        return state_frame_from(state, first_begin(state, window));
}

void report_pass(uint64_t *cursor, const struct frame *frame)
{
        if ((*cursor & ~CURSOR_SAME_ADDRESS) == frame->phys)
                ++*cursor;
        else
                *cursor = frame->phys + 1;
}

bool state_next_frame(const struct state *state, const struct client *asker, struct range window,
                      const char *pool, uint64_t *cursor, unsigned *steps, struct frame_report *ret)
{
        struct frame *frame = report_frame_at(state, asker, window, *cursor, steps);

        for (; frame && frame->phys <= window.last;
             frame = report_frame_next(state, asker, frame, steps)) {
                if (!*steps)
                        return false;
                --*steps;
                report_pass(cursor, frame);
                if (report_wants_pool(frame->pool, pool) &&
                    range_overlaps(frame_range(frame), window)) {
                        report_frame(frame, asker, ret);
                        return true;
                }
        }
        return false;
}

const char *report_buffer_state(const struct buffer *buffer)
{
        if (buffer->holding->quarantined)
                return buffer->holding->revoked ? "revoked" : "quarantined";
        for (size_t i = 0; i < buffer->n_pieces; i++)
                if (buffer->pieces[i].frame->state == FRAME_RETIRED)
                        return "retired";
        return "granted";
}

/* What is shared; its name where the asker may know whose it is. */
static void report_share(const struct share *share, struct buffer_report *ret)
{
        ret->name = "";
        if (!share)
                return;
        ret->shared = true;
        ret->lasting = share->lasting;
        ret->holders = share->n_holders;
        if (ret->holder.known)
                ret->name = share->name;
}

void report_buffer(const struct buffer *buffer, const struct client *asker, uint64_t now_ns,
                   struct buffer_report *ret)
{
        *ret = (struct buffer_report){
                .id = buffer->id,
                .size_bytes = buffer->size_bytes,
                .segments = buffer->segment_count,
                .age_ns = now_ns - buffer->since_ns,
                .needs_below = buffer->needs_below,
                .extent = buffer_extent(buffer),
                .label = buffer->label,
                .pool = buffer->holding->account->pool->settings->name,
                .state = report_buffer_state(buffer),
        };
        quarantine_words(buffer->holding, ret->note, sizeof(ret->note));
        ret->quarantine_ns = time_left(buffer->holding, now_ns);
        report_holding(buffer->holding, asker, &ret->holder);
        if (!ret->holder.known)
                ret->label = "";
        report_share(buffer->share, ret);
        if (hidden_buffer(buffer, asker)) {
                ret->hidden = true;
                ret->extent = (struct range){ 0, 0 };
                ret->segments = 0;
        }
}

static bool is_everything(struct range window)
{
        return window.first == 0 && window.last == UINT64_MAX;
}

/* What is hidden lies in no window but the whole, or windows would tell where it is. */
static bool buffer_reaches(const struct buffer *buffer, const struct client *asker,
                           struct range window)
{
        if (hidden_buffer(buffer, asker))
                return is_everything(window);
        for (size_t i = 0; i < buffer->n_runs; i++)
                if (range_overlaps(buffer->runs[i], window))
                        return true;
        return false;
}

bool state_next_buffer(const struct state *state, const struct client *asker, struct range window,
                       const char *pool, uint64_t now_ns, uint64_t *cursor, unsigned *steps,
                       struct buffer_report *ret)
{
        const struct buffer *buffer;

        while ((buffer = state_buffer_after(state, *cursor))) {
                if (!*steps)
                        return false;
                --*steps;
                *cursor = buffer->id;
                if (report_wants_pool(buffer->holding->account->pool, pool) &&
                    buffer_reaches(buffer, asker, window)) {
                        report_buffer(buffer, asker, now_ns, ret);
                        return true;
                }
        }
        return false;
}

static void report_waiting(const struct client *client, uint64_t now_ns, struct client_report *ret)
{
        const struct waiter *waiter;
        struct refusal refusal;
        struct demand demand;

        if (!client || TAILQ_EMPTY(&client->waiters))
                return;
        waiter = TAILQ_FIRST(&client->waiters);
        ret->waiting = client->n_waiting;
        ret->waiting_ns = now_ns - waiter->since_ns + 1; /* 0 says: it does not wait */
        ret->waiting_bytes = waiter->request.want.size_bytes;
        if (demand_init(client->state, &waiter->request, &demand, &refusal))
                return; /* by now its device has other limits: the next attempt says so */
        ret->waiting_bytes = demand.want.size_bytes;
        demand_words(&demand, ret->waiting_for, sizeof(ret->waiting_for));
}

bool state_next_client(const struct state *state, const struct client *asker, uint64_t now_ns,
                       uint64_t *cursor, struct client_report *ret)
{
        const struct owner *owner = state_owner_after(state, *cursor);

        if (!owner)
                return false;
        *cursor = owner->id;
        *ret = (struct client_report){
                .id = owner->id,
                .age_ns = now_ns - owner->since_ns,
                .connected = owner->n_clients > 0,
        };
        owner_bytes(owner, &ret->bytes, &ret->buffers);
        if (!LIST_EMPTY(&owner->quarantined)) {
                quarantine_words(LIST_FIRST(&owner->quarantined), ret->note, sizeof(ret->note));
                ret->quarantine_ns = time_left(LIST_FIRST(&owner->quarantined), now_ns);
        }
        report_owner(owner, asker, &ret->holder);
        report_waiting(owner->client, now_ns, ret);
        return true;
}
