/* SPDX-License-Identifier: MIT */
/*
 * What the keeper tells of its frames: they have come, are on their way, cannot leave yet, have
 * left, moved, or failed.
 */
#pragma once

#include "frame_name.h"
#include "range.h"

#include <stdbool.h>
#include <stdint.h>

struct state;

/**
 * struct frame_news - a frame that the keeper holds for a pool
 * @phys: where it was when it came; state_frame_moved() tells that it is elsewhere by now
 * @lent: a client of a former worker may still use it: it goes into quarantine. Where its address
 *        is another frame's by now, whoever had it punched its page out: then it has none
 * @given_up: a former worker had it leave, so it is @lent; to be told after the others. All that it
 *        does is to leave, charged to whom it was charged to
 * @former: the frame that is gone, in whose place it was taken; generation 0: it is in no one's
 */
struct frame_news {
        struct frame_name name, former;
        uint32_t pool;
        uint64_t page_bytes, phys;
        int node;
        bool pinned, lent, given_up;
};

/**
 * state_frame_arrived() - a frame is there
 *
 * Return: 0; -EINVAL where it contradicts what is known (no such pool, wrong size, an address that
 * is taken): it stays out of service; -ENOMEM.
 */
int state_frame_arrived(struct state *state, const struct frame_news *news, uint64_t now_ns);

/**
 * struct take_result - the end of a take()
 * @got:        frames that were had, and arrived before this
 * @r:          0, or why not more: -ENOMEM: the system has none; -EDQUOT: keep_free forbids it;
 *              -EFBIG: it would take more than harvest_max; -ECANCELED; other negative errno
 * @seen:       addresses that were seen on the way (first above last: none)
 * @held_bytes: most that was held at once beyond what was wanted
 * @harvested:  pages were held that were not wanted
 */
struct take_result {
        uint32_t got;
        int r;
        struct range seen;
        uint64_t held_bytes;
        bool harvested;
};
void state_taken(struct state *state, uint32_t pool, const struct take_result *result,
                 uint64_t now_ns);

/* How far a take() is: @got frames so far, @held_bytes held beyond them. */
void state_taking(struct state *state, uint32_t pool, uint32_t got, uint64_t held_bytes,
                  uint64_t now_ns);

/* Why a frame cannot leave yet; the keeper's values. */
enum frame_holder {
        FRAME_HOLDER_NONE,
        FRAME_HOLDER_FILE,
        FRAME_HOLDER_PAGES, /* which takes long to find out, each time */
        FRAME_HOLDER_HOLE,
        FRAME_HOLDER_PATH,
};

/* @holder: enum frame_holder */
void state_frame_lingers(struct state *state, struct frame_name name, int holder, uint64_t now_ns);
void state_frame_left(struct state *state, struct frame_name name, bool lost, uint64_t now_ns);
/* @phys: where it is now; UINT64_MAX: its page was punched out. */
void state_frame_moved(struct state *state, struct frame_name name, uint64_t phys, uint64_t now_ns);

/* Memory of the frame has failed, wherever it is: what refers to it gets SIGBUS. Nobody gets it any
 * more, and no page is taken in its place in the same step. */
void state_frame_poisoned(struct state *state, struct frame_name name, uint64_t now_ns);
