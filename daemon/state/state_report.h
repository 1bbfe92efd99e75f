/* SPDX-License-Identifier: MIT */
/*
 * What there is, for lists, single answers and metrics.
 */
#pragma once

#include "frame_name.h"
#include "range.h"
#include "request.h"
#include "result.h"
#include "state_settings.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define REPORT_BLOCKERS_MAX 8
#define REPORT_NOTE_BYTES   96

struct client;
struct state;

struct state_bytes { /* together they are held */
        uint64_t held, free, granted, reusable, leaving, lingering, quarantined, retired;
};

struct status_report {
        const char *backend, *state; /* state: "filling", "ready" */
        struct state_bytes bytes;
        bool pinned;
        uint32_t pools, clients;
        uint64_t buffers, grants, refusals, waiting, lost_to_system, moved, uptime_ns;
        char note[REPORT_NOTE_BYTES]; /* a device for which memory is in quarantine, or "" */
};

/**
 * struct pool_report - a pool
 * @goal_bytes:        what it wants to hold now
 * @largest_run_bytes: of free frames
 * @taking_bytes, @taken_bytes: of the take that is under way, and how much of it is there
 * @held_aside_bytes:  that a harvest holds meanwhile
 * @draining_bytes:    in frames that are to be drained
 * @claimed_bytes:     kept for those who claimed it, in all; @unmet_bytes: of that not in use
 * @state:             "filling", "growing", "harvesting", "draining", "ready", "short"
 * @note:              why it is short, or ""
 */
struct pool_report {
        const struct pool_settings *settings;
        struct state_bytes bytes;
        uint64_t goal_bytes, largest_run_bytes, lost_to_system;
        uint64_t taking_bytes, taken_bytes, held_aside_bytes, draining_bytes;
        uint64_t waiting;
        uint64_t claimed_bytes, unmet_bytes;
        bool pinned, allowed;
        const char *state;
        const char *note;
};

/* What has happened since the start, for metrics; never decreases. */
struct pool_counters {
        uint64_t grants, frees, grown_frames, shrunk_frames, harvests, lost_to_system, waits;
};
void state_pool_counters(const struct state *state, size_t pool, struct pool_counters *ret);

/**
 * struct quota_use - how much of a quota or a claim is used
 * @bytes, @buffers: now; of a quota of each user: 0
 * @peak_bytes, @peak_buffers: the most since the worker started, or since the settings were read
 *          again; of a quota of each user: the most that any one of them had
 */
struct quota_use {
        uint64_t bytes, buffers, peak_bytes, peak_buffers;
};

/* By their indexes in the settings. */
void state_quota_use(const struct state *state, size_t pool, size_t quota, struct quota_use *ret);
void state_claim_use(const struct state *state, size_t pool, size_t claim, struct quota_use *ret);

/* How many users have a share at least, by its index, of what a pool lets each of them have: of
 * bytes, frames or buffers, whichever it is. */
#define QUOTA_SHARES 4
extern const unsigned quota_percents[QUOTA_SHARES]; /* in rising order */
uint32_t state_quota_users(const struct state *state, size_t pool, unsigned share);

/* @refused: by result, PAR_REFUSED_NEVER_FITS first; REFUSALS entries. */
#define REFUSALS (PAR_REFUSED_GONE - PAR_REFUSED_NEVER_FITS + 1)
struct state_counters {
        uint64_t refused[REFUSALS];
        uint64_t moved, poisoned, timed_out_waits, sessions;
};
void state_counters(const struct state *state, struct state_counters *ret);

/* Who is behind something, where the asker may know: himself, or everybody to an administrator. */
struct holder_report {
        bool known, mine;
        const char *client;
        uint32_t uid, pid;
};

/* @note: why it is retired, cannot leave or is in quarantine, or "" */
struct frame_report {
        struct frame_name name;
        const char *pool, *state;
        const char *kept_by;       /* what keeps it from leaving: "file", "pages" ...; or "" */
        uint64_t lingers_since_ns; /* 0: it does not linger */
        char note[REPORT_NOTE_BYTES];
        uint64_t phys, page_bytes;
        int node;
        bool pinned;
        uint32_t buffers;
        struct holder_report holder;
};

/**
 * struct buffer_report - a buffer
 * @name:    under which others open it, or ""
 * @shared:  several sessions may have it; @holders do, which may be none where it is @lasting
 */
struct buffer_report {
        uint64_t id, size_bytes, segments, age_ns;
        uint64_t needs_below; /* its own highest usable address; 0: it has no such limit */
        struct range extent;  /* lowest and highest address of it */
        bool hidden;          /* where the asker may not know these: @extent and @segments are 0 */
        const char *label, *name, *pool, *state;
        bool shared, lasting;
        uint64_t holders;
        char note[REPORT_NOTE_BYTES]; /* why it is in quarantine, or "" */
        uint64_t quarantine_ns;       /* until that has lasted its time; 0: it has */
        struct holder_report holder;
};

/**
 * struct client_report - an owner of memory, or a session
 * @waiting:       requests of it that wait
 * @note:          why memory of it is in quarantine, or ""
 * @quarantine_ns: until the first of that has lasted its time; 0: it has
 * @waiting_ns, @waiting_bytes, @waiting_for: of the first of them: since when, how much, in words
 */
struct client_report {
        uint64_t id, buffers, age_ns, waiting, waiting_ns, waiting_bytes, quarantine_ns;
        char waiting_for[304], note[REPORT_NOTE_BYTES];
        struct state_bytes bytes;
        bool connected;
        struct holder_report holder;
};

/**
 * struct extent_report - adjacent memory of one pool in one state
 * @free_bytes: of it that can still be granted: all of "free" frames, and of "granted" ones what
 *              their owner may have
 */
struct extent_report {
        struct range range;
        const char *pool, *state;
        bool draining;
        uint64_t page_bytes, free_bytes;
};

/* Who had the frame of an address before. @age_ns: how long ago that ended. */
struct former_report {
        char client[LABEL_BYTES_MAX + 1], label[LABEL_BYTES_MAX + 1];
        bool known;
        uint32_t uid;
        uint64_t age_ns;
};
#define FORMER_HOLDERS_MAX 4

/**
 * struct lookup_report - what is at an address
 * @held:       pard has a frame there; otherwise only @former can say anything
 * @frame:      its frame
 * @has_buffer: it lies in a live buffer, at @offset
 * @former:     who had it before, latest first; what they were called only where the asker may know
 */
struct lookup_report {
        bool held, has_buffer;
        struct frame_report frame;
        struct buffer_report buffer;
        uint64_t offset;
        struct former_report former[FORMER_HOLDERS_MAX];
        size_t n_former;
};

struct blocker {
        uint64_t buffer, size_bytes, needs_below;
        struct holder_report holder;
};

/**
 * struct explanation - what would come of a request
 * @result:    0: it would be granted, in @pool
 * @refusal:   sentence and figures in either case
 * @segments:  the first of what it would be, where it would: physical addresses
 * @dma_offset: from those to what its device would see, modulo 2^64
 * @blockers:  who is in the way, largest first. Where that would take too long to find out, those
 *             among the largest of the pools, and at the beginning of the window. Where a quota
 *             stands in the way, what counts for it
 * @largest:   the largest run in the window that this client could have as one buffer (first above
 *             last: none)
 * @longer:    what would lengthen it, in words: which buffers end at its ends, which memory beside
 *             it pard does not hold; "" where nothing would
 */
struct explanation {
        int result;
        struct refusal refusal;
        const char *pool;
        struct range segments[64];
        size_t n_segments;
        uint64_t dma_offset;
        struct blocker blockers[REPORT_BLOCKERS_MAX];
        size_t n_blockers;
        struct range largest;
        char longer[SENTENCE_BYTES];
};

/* Return: 0 (the explanation's own result tells the outcome); -ENOMEM. */
int state_explain(struct state *state, struct client *client, const struct request *request,
                  uint64_t now_ns, struct explanation *ret);

void state_lookup(const struct state *state, const struct client *asker, uint64_t phys,
                  uint64_t now_ns, struct lookup_report *ret);

void state_report(const struct state *state, uint64_t now_ns, struct status_report *ret);

/**
 * The lists. @cursor is 0 at first and moves on with each row; a list goes on where it was,
 * whatever has changed meanwhile. Frames and buffers are in the order of their addresses and
 * numbers; only those that reach into @window (of pool @pool, where not NULL or "") are shown.
 *
 * @steps: how many entries may still be looked at: a filter that nothing passes must not hold up
 * the rest. Where it came down to 0 the list stopped there and goes on at the cursor.
 *
 * state_next_pool() does without an asker (NULL), for metrics.
 *
 * Return: whether there was another row.
 */
bool state_next_pool(const struct state *state, const struct client *asker, uint64_t *cursor,
                     struct pool_report *ret);
bool state_next_frame(const struct state *state, const struct client *asker, struct range window,
                      const char *pool, uint64_t *cursor, unsigned *steps,
                      struct frame_report *ret);
bool state_next_buffer(const struct state *state, const struct client *asker, struct range window,
                       const char *pool, uint64_t now_ns, uint64_t *cursor, unsigned *steps,
                       struct buffer_report *ret);
bool state_next_client(const struct state *state, const struct client *asker, uint64_t now_ns,
                       uint64_t *cursor, struct client_report *ret);
bool state_next_extent(const struct state *state, const struct client *asker, struct range window,
                       const char *pool, uint64_t *cursor, unsigned *steps,
                       struct extent_report *ret);
