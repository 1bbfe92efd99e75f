/* SPDX-License-Identifier: MIT */
/*
 * Things that become due at a time: ends of quarantine, of reuse, of waiting.
 */
#pragma once

#include "lists.h"

#include <stdbool.h>
#include <stdint.h>

#define DUE_NEVER UINT64_MAX

enum due_kind {
        DUE_HOLDING,     /* what an ended client held */
        DUE_FRAME,       /* an empty frame's reuse, or a lent frame's quarantine */
        DUE_WAITER,      /* a deadline */
        DUE_REFILL,      /* a pool that lacks frames may ask again */
        DUE_REGROW,      /* the same for those who wait */
        DUE_SHRINK,      /* what a pool has not needed goes back */
        DUE_DRAIN,       /* more frames are to be drained */
        DUE_TURN,        /* a waiter's turn, or its end */
        DUE_POOL_TURN,   /* the same of a pool */
        DUE_WAITING_UID, /* pools may be held up for it again */
        DUE_RUN,         /* more of the line is to be tried */
        DUE_FILLING,     /* the first filling takes long */
        DUE_ORPHANS,     /* the rest of what a former worker's clients had */
        DUE_LEAK,        /* an owner has had memory that lingers for a while */
        DUE_RESUME,      /* a client of a former worker has not come back */
};

/**
 * struct due - embedded in what becomes due
 * @at_ns: when; DUE_NEVER while it is not in a queue
 * @order: equal times keep the order in which they were set
 */
struct due {
        RB_ENTRY(due) link; /* due_queue::tree */
        uint64_t at_ns, order;
        enum due_kind kind;
};

RB_HEAD(due_tree, due);

struct due_queue {
        struct due_tree tree;
        uint64_t last_order;
};

void due_init(struct due *due, enum due_kind kind);

/* Set or move; @at_ns is not DUE_NEVER. */
void due_set(struct due_queue *queue, struct due *due, uint64_t at_ns);

/* Take out of the queue; fine where it is not in. */
void due_cancel(struct due_queue *queue, struct due *due);

/* The earliest; NULL where nothing is due ever. */
struct due *due_first(const struct due_queue *queue);

static inline bool due_is_set(const struct due *due)
{
        return due->at_ns != DUE_NEVER;
}
