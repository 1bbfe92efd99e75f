/* SPDX-License-Identifier: MIT */
/* A space as a line of a table. */
#pragma once

#include "space.h"

#include <stddef.h>

#define PIECES_MAX 6

/* A range by its first address and its bytes; 0 bytes: none. */
struct piece {
        uint64_t first, bytes;
};

/* Return: a space of these pieces, owned by the caller. */
static inline struct space *space_of_pieces(uint64_t granule_bytes, const struct piece *pieces)
{
        struct space *space;

        assert_int_equal(space_new(granule_bytes, &space), 0);
        for (size_t i = 0; i < PIECES_MAX && pieces[i].bytes; i++)
                assert_int_equal(space_add(space, range_of(pieces[i].first, pieces[i].bytes)), 0);
        space_check(space);
        return space;
}
