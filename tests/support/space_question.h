/* SPDX-License-Identifier: MIT */
/*
 * One question to a space, and the same to the cells that it should consist of.
 */
#pragma once

#include "cells.h"
#include "choices.h"

enum question_kind {
        QUESTION_FIND,
        QUESTION_LONGEST,
        QUESTION_CONTAINS,
        QUESTION_BYTES_IN,
        QUESTION_NEXT,
        QUESTION_PREV,
        QUESTION_NEXT_GAP,
        QUESTION_COUNT,
};

/**
 * struct question - what to ask, as far as its kind needs it
 * @window:      of a search, sum or membership
 * @size_bytes:  of a place, or the least of a range; > 0
 * @align_bytes: of a place; power of two
 * @end:         which place
 * @from:        where a walk begins
 */
struct question {
        enum question_kind kind;
        struct range window;
        uint64_t size_bytes, align_bytes;
        enum space_end end;
        uint64_t from;
};

/* Any question, but mostly one whose answer is not plain: half of them are searches. */
struct question question_choose(const struct cells *cells, struct choices *choices);

/**
 * question_agrees() - whether space and cells give the same answer
 * @visits: what the space counts its visits in, see space_count_visits(); must be at most
 *          space_visits_max(), and for a search three quarters of it
 */
bool question_agrees(const struct question *question, const struct space *space,
                     const struct cells *cells, size_t *visits);

/* Write a question with both answers to stderr. */
void question_print(const struct question *question, const struct space *space,
                    const struct cells *cells);
