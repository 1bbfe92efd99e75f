/* SPDX-License-Identifier: MIT */
/*
 * One of those who are compared: a placer at work, and what its searches took. Contenders alternate
 * in turns of a tenth of a second at most, so that what else the machine does hits all of them.
 */
#pragma once

#include "churn.h"
#include "histogram.h"
#include "search.h"
#include "ticks.h"

/**
 * struct cell - what one search took, in ticks
 * @find:    to find a place; @take: to find and take it; @give: to give it back
 * @refusal: finding or taking that was refused
 */
struct cell {
        struct histogram find, take, give, refusal;
};

/**
 * struct visits - nodes that one search looked into, at most
 * @find: to find a place, or that there is none; @take, @give: as in struct cell
 */
struct visits {
        size_t find, take, give;
};

/**
 * struct contender - see contender_init()
 * @churn:    its memory
 * @cells:    one for each search, of the state that memory is in now
 * @visits:   the same; all zero where nothing counts them
 * @counter:  counts them
 * @fill_ns:  what filling took
 * @churn_ns: what the churn before this state took, @churned: of so many operations
 * @spent_ns: spent on samples of this state, @cycles: so many
 */
struct contender {
        struct churn churn;
        struct cell cells[SEARCHES];
        struct visits visits[SEARCHES];
        size_t counter;
        struct random random;
        uint64_t fill_ns, churn_ns, churned;
        uint64_t spent_ns, cycles;
};

/**
 * struct contender_plan - how much is done in one state of memory
 * @operations: of churn
 * @cycles:     of samples
 * @box_ns:     the longest that either may take
 */
struct contender_plan {
        uint64_t operations, cycles, box_ns;
};

/**
 * contender_init() - a placer with a memory that is as good as full
 * @contender: filled in; owned by the caller, contender_deinit() also after a failure
 *
 * Others as for churn_init().
 *
 * Return: 0; what placer_ops.open() returns.
 */
int contender_init(struct contender *contender, const struct placer_ops *ops, uint64_t memory_bytes,
                   uint64_t granule_bytes, uint64_t seed);
void contender_deinit(struct contender *contender);

/* Fill the memory. Return: 0; -ENOMEM. */
int contender_fill(struct contender *contender);

/**
 * contender_enter() - begin with a state of memory: shed what is too much, churn, count visits
 * @contender:    not as full as that any more before
 * @fill_percent: how full memory is to be
 * @plan:         borrowed
 *
 * Samples of an earlier state are forgotten.
 *
 * Return: 0; -ENOMEM.
 */
int contender_enter(struct contender *contender, unsigned fill_percent,
                    const struct contender_plan *plan);

/* Whether there are samples left to be taken. */
bool contender_goes_on(const struct contender *contender, const struct contender_plan *plan);

/**
 * contender_turn() - up to 1,024 cycles of samples, each of which makes every search once
 * @contender: after contender_enter()
 * @ticks:     of this machine
 * @plan:      not beyond its cycles, nor its time by more than a cycle
 *
 * By turns a cycle finds, or takes and gives back: neither warms the caches for the other. In each
 * a request of the churn comes, and others go.
 *
 * Return: 0; -ENOMEM.
 */
int contender_turn(struct contender *contender, const struct ticks *ticks,
                   const struct contender_plan *plan);
