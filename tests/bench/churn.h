/* SPDX-License-Identifier: MIT */
/*
 * A placer at work: what lives in its memory, and requests that come and go. The requests are those
 * of mix.h. Of what goes, half is one of the 1,024 that came last, and half is any: most live
 * shortly, some for ever.
 */
#pragma once

#include "mix.h"
#include "placer.h"

/* A request that was met. */
struct living {
        uint64_t first, size_bytes;
};

/**
 * struct churn - see churn_init()
 * @placer:   owned
 * @living:   what lives, in no order but that the youngest are at the end; owned
 * @asked:    requests so far; @refused: of those
 */
struct churn {
        const struct placer_ops *ops;
        void *placer;
        struct mix mix;
        struct random random;
        struct living *living;
        size_t n_living, n_room;
        uint64_t asked, refused;
};

/**
 * churn_init() - a placer with memory of which nothing is taken
 * @churn:         filled in; owned by the caller, churn_deinit() also after a failure
 * @ops:           whose
 * @memory_bytes:  [0, @memory_bytes) is memory
 * @granule_bytes: as placer_ops.open() has it
 * @seed:          the same seed, the same requests
 *
 * Return: 0; what placer_ops.open() returns.
 */
int churn_init(struct churn *churn, const struct placer_ops *ops, uint64_t memory_bytes,
               uint64_t granule_bytes, uint64_t seed);
void churn_deinit(struct churn *churn);

/**
 * churn_fill() - take until 2 % are free, or 32 requests for any memory in a row were refused
 *
 * Where searches are linear, 256 MiB at a time from the bottom up: what first fit makes of an empty
 * memory, but for small gaps that it would have filled later.
 *
 * Return: 0; -ENOMEM.
 */
int churn_fill(struct churn *churn);

/* Give back, any that lives, until @free_bytes are free. */
void churn_shed(struct churn *churn, uint64_t free_bytes);

/**
 * churn_run() - take while more than @free_bytes are free, give back otherwise
 * @churn:       already so full
 * @free_bytes:  what is to be free
 * @operations:  taking and giving back, refused or not
 * @deadline_ns: of ticks_wall_ns(): not after that
 * @ret_done:    operations that were made in time
 *
 * Return: 0; -ENOMEM.
 */
int churn_run(struct churn *churn, uint64_t free_bytes, uint64_t operations, uint64_t deadline_ns,
              uint64_t *ret_done);

/* Note what was taken elsewhere. Return: 0; -ENOMEM. */
int churn_keep(struct churn *churn, struct living living);

/* Choose one that goes and forget it: the caller gives it back. There must be one. */
struct living churn_choose(struct churn *churn);
