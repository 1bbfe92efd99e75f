/* SPDX-License-Identifier: MIT */
/*
 * The part of a pool's addresses that is to be empty. What is free there goes back to the system,
 * what is granted goes when it is freed, and nothing comes.
 */
#pragma once

#include "due.h"
#include "range.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DRAIN_WINDOWS_MAX 8

struct buffer;
struct frame;
struct pool;
struct state;

/**
 * struct drain - of one pool
 * @windows: @n_windows of them, which do not touch; each begins and ends where frames do
 * @next, @last: frames between them have not been seen to yet, while @walk is set
 */
struct drain {
        struct range windows[DRAIN_WINDOWS_MAX];
        size_t n_windows;
        uint64_t next, last;
        struct due walk;
};

/* Whether a frame at this place is to be drained. */
bool pool_drains(const struct pool *pool, struct range frame);

/* Bytes of frames that are. */
uint64_t pool_draining_bytes(const struct pool *pool);

/**
 * pool_gaps() - the parts of a window that are not drained
 * @window:    from the beginning of a frame to the end of one
 * @min_bytes: shorter ones are left out; > 0
 * @ret:       room for DRAIN_WINDOWS_MAX + 1; the longest first
 *
 * Return: how many.
 */
size_t pool_gaps(const struct pool *pool, struct range window, uint64_t min_bytes,
                 struct range *ret);

/* One event for all of a buffer that is drained, and of which its client was not told; @again: or
 * was, too. */
void state_tell_draining(struct state *state, struct buffer *buffer, bool again);

/* See to up to *steps frames; the rest becomes due at once. */
void state_drain_walk(struct state *state, struct pool *pool, uint64_t now_ns, unsigned *steps);
