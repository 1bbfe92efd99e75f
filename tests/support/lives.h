/* SPDX-License-Identifier: MIT */
/*
 * Random lives of clients against a model that knows only what each buffer was told: no two live
 * buffers overlap, no frame is shared by two owners, every constraint holds, every invariant of the
 * state holds after every step, and at the end everything has come back.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/**
 * struct lives - where the decisions come from, and what became of them
 * @next:     the next 64 random bits; false where there are no more, which ends the lives
 * @grants, @refusals: counted
 */
struct lives {
        bool (*next)(void *data, uint64_t *ret);
        void *data;
        unsigned grants, refusals;
};

/* Live at most @steps steps; fails the running test where anything is wrong. */
void lives_run(struct lives *of, unsigned steps);
