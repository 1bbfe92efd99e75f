/* SPDX-License-Identifier: MIT */
/*
 * What places requests in memory, as the benchmarks see it: the engine, and what others do. All of
 * them are asked the same questions in the same run.
 */
#pragma once

#include "constraint.h"

#include <stddef.h>

/**
 * struct placer_ops - one way of placing
 * @name:           short, lower case: what tables and plots call it
 * @open:           begin with @n_memory disjoint ascending ranges of free memory, multiples of
 *                  @granule_bytes; @ret is owned by the caller. Return: 0; -ENOMEM; -ENOTSUP for a
 *                  memory it cannot represent
 * @close:          free everything; NULL is fine
 * @find:           where take() would place a request; nothing changes. Returns the same, but never
 *                  -ENOMEM
 * @take:           place a request in one piece and take it. @want is valid, its max_segments 1.
 *                  Return: 0, with the first address; PAR_REFUSED_EXHAUSTED or
 *                  PAR_REFUSED_FRAGMENTED (where it can tell which); -ENOMEM
 * @give:           give back what was taken, whole. @size_bytes is that of the request
 * @free_bytes:     bytes that are not taken. What rounding wastes is taken
 * @largest_bytes:  the longest free run inside a window
 * @metadata_bytes: bytes of heap it uses
 * @count_visits:   from now on @visits grows by one for each node that is looked into; NULL: no
 *                  more. The operation is NULL where there are no nodes to count
 * @visits_max:     the bound on what one find() adds, NULL where there is none
 * @linear:         a search takes time in proportion to what it passes over, and a narrow window
 *                  makes it short: a large memory is filled piece by piece
 */
struct placer_ops {
        const char *name;
        int (*open)(const struct range *memory, size_t n_memory, uint64_t granule_bytes,
                    void **ret);
        void (*close)(void *placer);
        int (*find)(const void *placer, const struct constraint *want, uint64_t *ret_first);
        int (*take)(void *placer, const struct constraint *want, uint64_t *ret_first);
        void (*give)(void *placer, uint64_t first, uint64_t size_bytes);
        uint64_t (*free_bytes)(const void *placer);
        uint64_t (*largest_bytes)(const void *placer, struct range window);
        size_t (*metadata_bytes)(const void *placer);
        void (*count_visits)(void *placer, size_t *visits);
        size_t (*visits_max)(const void *placer);
        bool linear;
};

/* The engine of this project, daemon/core: the highest place in the window. */
extern const struct placer_ops placer_par;
/* One bit for each granule, searched from the bottom for the first that fits: as gen_pool does. */
extern const struct placer_ops placer_bitmap;
/* Blocks of powers of two, each of which lies on a multiple of its size. */
extern const struct placer_ops placer_buddy;
/* Linux: DMA below 16 MiB, DMA32 below 4 GiB, NORMAL; a buddy each, falling back downwards. */
extern const struct placer_ops placer_zones;
