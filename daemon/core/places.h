/* SPDX-License-Identifier: MIT */
/*
 * The places that are to make up a buffer, as they are collected. Private to the core.
 */
#pragma once

#include "constraint.h"

#include <stddef.h>

/**
 * struct places - a list
 * @items: owned
 * @count: how many
 * @room:  how many there is memory for
 *
 * Zero is an empty one.
 */
struct places {
        struct range *items;
        size_t count, room;
};

void places_deinit(struct places *places);

/**
 * places_add() - one more, which none of them overlaps
 *
 * Where it ends directly below the one before, that one grows.
 *
 * Return: 0; -ENOMEM.
 */
int places_add(struct places *places, struct range place);

/**
 * places_arrange() - put them in the order in which they make up the buffer
 * @page_bytes: power of two
 *
 * Ascending, neighbours made one, and the one that does not end on a page, if any, is the last.
 */
void places_arrange(struct places *places, uint64_t page_bytes);

/* How many segments they are cut into. */
uint64_t places_segments(const struct places *places, const struct constraint *want);
