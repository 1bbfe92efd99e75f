/* SPDX-License-Identifier: MIT */
/*
 * An invented physical memory over ordinary memfds: everything above the backend runs without root,
 * the same every time, at sizes that the machine does not have.
 */
#pragma once

#include "backend.h"

/* A range of invented RAM. @page_bytes: the one page size that it is made of. */
struct sim_extent {
        struct range range;
        int node;
        uint64_t page_bytes;
};

/**
 * struct sim_settings - the invented machine
 * @extents:   @n_extents disjoint ranges, each of whole pages; owned by whoever holds this struct
 * @seed:      decides in which order pages come; 0: from the top down
 * @fail_call: the call of a fallible system function that fails, counting from 1; 0: none
 * @fail_errno: with this error (positive)
 * @snatch_every: every so-many-th released page is taken by somebody else; 0: none
 * @unpinned:  frames say that they are not pinned
 * @blind:     pages come in the order of the seed, whatever window is wished for, as hugepages do;
 *             and only more() puts them into the stock, while otherwise take() itself does
 * @free_bytes: memory that may become stock; 0: all of the extents
 * @delay_ns:  each take() sleeps this long
 */
struct sim_settings {
        struct sim_extent *extents;
        size_t n_extents;
        uint64_t seed;
        uint64_t fail_call;
        int fail_errno;
        uint64_t snatch_every;
        bool unpinned;
        bool blind;
        uint64_t free_bytes;
        uint64_t delay_ns;
};

/**
 * sim_new() - make an invented memory
 * @settings: borrowed until deinit()
 * @ret:      owned by the caller: backend_free()
 *
 * Memory costs nothing until a client touches it.
 *
 * Return: 0; -ENOMEM.
 */
int sim_new(const struct sim_settings *settings, struct backend **ret);
