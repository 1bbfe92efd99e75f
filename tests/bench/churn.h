/* SPDX-License-Identifier: MIT */
/*
 * A placer at work: what lives in its memory, and requests that go and come again. The requests are
 * those of mix.h, as many as fill the memory; who goes is one of the 1,024 that came last, or any,
 * by halves: most live shortly, some for ever.
 *
 * Some go together, and come again in another order. Who is refused is away until the next round;
 * where half of those who may be away are that for want of a place, some of them give up, and
 * others come instead, as many as fill the memory again. If others always came instead, a full
 * memory would soon be one of small requests alone, because large ones are refused more often.
 */
#pragma once

#include "mix.h"
#include "placer.h"

/* How many are away together, at most: one in 64, where that is less. */
#define CHURN_AWAY_MAX 256

/* A request that was met, and where. */
struct living {
        uint64_t first;
        struct request request;
};

/**
 * struct churn - see churn_init()
 * @placer:     owned
 * @living:     what lives, in no order but that the youngest are at the end; owned
 * @away:       what went and comes again
 * @to_go:      how many go before the next comes
 * @to_come:    how many of @away, from the first on, have not tried again yet
 * @free_bytes: what is free when nobody is away
 * @tries:      so far, @refused: of those; @gave_up: who never came
 */
struct churn {
        const struct placer_ops *ops;
        void *placer;
        struct mix mix;
        struct random random;
        struct living *living;
        size_t n_living, n_room;
        struct request away[CHURN_AWAY_MAX];
        size_t n_away, to_go, to_come;
        uint64_t free_bytes;
        uint64_t tries, refused, gave_up;
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

/* Give back for ever, any that lives, until @free_bytes are free, as is to be from now on. */
void churn_shed(struct churn *churn, uint64_t free_bytes);

/**
 * churn_run() - let requests go and come
 * @churn:       after churn_shed()
 * @operations:  taking and giving back, refused or not
 * @deadline_ns: of ticks_wall_ns(): not after that
 * @ret_done:    operations that were made in time
 *
 * Return: 0; -ENOMEM.
 */
int churn_run(struct churn *churn, uint64_t operations, uint64_t deadline_ns, uint64_t *ret_done);

/* Bytes that were asked for by those who live. */
uint64_t churn_living_bytes(const struct churn *churn);

/* ---- one operation, for those who time it ---------------------------------------------------- */

/* Whether the next operation is that one goes, not that one comes. */
bool churn_one_goes(struct churn *churn);

/* Choose one that goes: the caller gives it back. */
struct living churn_choose(struct churn *churn);

/* The request that comes. */
struct request churn_draw(struct churn *churn);

/**
 * churn_settle() - what became of the request that was drawn last
 * @r: what placer_ops.take() said, @first: where the request lies, if that was 0
 *
 * Return: 0; -ENOMEM, also where that is @r.
 */
int churn_settle(struct churn *churn, int r, uint64_t first);
