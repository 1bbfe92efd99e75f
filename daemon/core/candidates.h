/* SPDX-License-Identifier: MIT */
/*
 * What may be taken next for a request of several places, the best first. Private to the core.
 */
#pragma once

#include "range.h"

#include <stddef.h>

/**
 * enum candidate_kind - what is known
 * CANDIDATE_GAP:    nothing is longer than @at, where nobody has looked yet
 * CANDIDATE_WINDOW: the longest piece of @window is @at, in @run
 * CANDIDATE_PIECE:  @at is a piece
 * CANDIDATE_REST:   @at is one, behind full pieces
 */
enum candidate_kind { CANDIDATE_GAP, CANDIDATE_WINDOW, CANDIDATE_PIECE, CANDIDATE_REST };

struct candidate {
        enum candidate_kind kind;
        struct range at, run, window;
};

/**
 * struct candidates - a heap of them
 * @items: owned
 * @count: how many
 * @room:  how many there is memory for
 *
 * Zero is an empty one.
 */
struct candidates {
        struct candidate *items;
        size_t count, room;
};

void candidates_deinit(struct candidates *heap);

/* Return: 0; -ENOMEM. */
int candidates_push(struct candidates *heap, const struct candidate *item);

/**
 * candidates_pop() - take the best one out
 * @ret: the longest; of equal ones a gap, which may turn out to have anything, else the highest
 *
 * Return: whether there is one.
 */
bool candidates_pop(struct candidates *heap, struct candidate *ret);
