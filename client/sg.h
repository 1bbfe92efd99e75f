/* SPDX-License-Identifier: MIT */
/*
 * A scatter list, from inside.
 */
#pragma once

#include "debug.h"
#include "public.h"

#include "io_want.h"

/**
 * struct par_sg - a list
 * @par:      whose; borrowed. NULL: nobody's
 * @device:   that it is for; borrowed. NULL: none
 * @want:     its limits; size_bytes says nothing
 * @segments: @n, with room for @room
 * @bytes:    of all of them
 * @wanted:   as par_sg_wanted()
 * @view:     whose addresses those in it are, with @has_view; see lookup.h
 */
struct par_sg {
        struct par *par;
        const struct par_device *device;
        struct io_want want;
        struct par_segment *segments;
        size_t n, room;
        uint64_t bytes, wanted;
        uint32_t view;
        bool has_view;
};

/**
 * struct sg_adding - what is being added to a list, all of it or nothing
 * @call:   who adds it
 * @list:   has what it had before; but there may be more behind that, and its last segment is @last
 * @before: that segment as it was, where there is one
 * @last:   the last segment so far
 * @count:  segments so far, also where they are too many to be kept
 * @bytes:  of all of them
 * @view, @has_view: as the list's
 */
struct sg_adding {
        struct par_sg *list;
        struct debug_call call;
        struct par_segment before, last;
        uint64_t count, bytes;
        uint32_t view;
        bool has_view;
};

void sg_adding_begin(struct sg_adding *adding, struct par_sg *list, struct debug_call call);

/**
 * sg_adding_piece() - add contiguous memory
 * @piece: any values; its offset does not matter
 *
 * Return: 0; what par_sg_add_segments() returns but for too many segments. par_error() is set.
 */
int sg_adding_piece(struct sg_adding *adding, const struct par_segment *piece);

/* Add parts of buffers. Return: 0; what par_sg_add() returns but for too many segments. par_error()
 * is set. */
int sg_adding_parts(struct sg_adding *adding, const struct par_sg_part *parts, size_t count);

/**
 * sg_adding_end() - the list has what was added, or is as it was
 * @r: of the last of these calls
 *
 * Return: @r; where that is 0, also -PAR_NEVER_FITS and -PAR_FRAGMENTED. par_error() is set.
 */
int sg_adding_end(struct sg_adding *adding, int r);
