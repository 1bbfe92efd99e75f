/* SPDX-License-Identifier: MIT */
/*
 * Whose turn it is with each byte of a mapping: the device's, or the processor's.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#define TURN_RANGES_MAX 16

/**
 * struct turn - all zero: it is the device's, with all
 * @mine:   what is the processor's: @n ranges in order, inclusive, that do not touch
 * @unsure: there are more of them than there is room: nothing is judged
 */
struct turn {
        size_t n;
        bool unsure;
        struct turn_range {
                size_t first, last;
        } mine[TURN_RANGES_MAX];
};

/* The processor takes bytes, up to @last. Return: false where it had all of them before. */
bool turn_take(struct turn *turn, size_t first, size_t last);

/* The device gets bytes back; with @all, all there are. Return: false where it had all of them. */
bool turn_give(struct turn *turn, size_t first, size_t last, bool all);

/* Whether all is the device's, for certain. */
static inline bool turn_is_devices(const struct turn *turn)
{
        return !turn->n && !turn->unsure;
}
