/* SPDX-License-Identifier: MIT */
/*
 * How a run of free memory is cut into pieces for a request of several places, as long as segments
 * may be. Arithmetic only: where there is free memory is not its business. Private to the core.
 */
#pragma once

#include "constraint.h"
#include "shape.h"

/**
 * struct cut - the rule of one request
 * @page_bytes:  pieces begin and end on multiples of it
 * @align_bytes: and begin on multiples of this, at least a page
 * @piece_bytes: longest piece that is one segment; 0: segments are shorter than a page, and whole
 *               runs are the pieces
 * @block_bytes: pieces do not straddle multiples of it; 0: none
 *
 * Plain value.
 */
struct cut {
        uint64_t page_bytes, align_bytes, piece_bytes, block_bytes;
};

/* @want: valid; borrowed. @page_bytes: power of two. */
void cut_init(struct cut *cut, const struct constraint *want, uint64_t page_bytes);

/**
 * cut_pages() - what can be used of a run: whole pages from the first aligned one on
 *
 * Return: whether there are any.
 */
bool cut_pages(const struct cut *cut, struct range run, struct range *ret);

/**
 * cut_tail() - the page behind those, of which only the beginning lies in the run
 * @bytes: > 0; so much of it has to be there
 * @ret:   so much of it
 *
 * Return: whether there is one.
 */
bool cut_tail(const struct cut *cut, struct range run, uint64_t bytes, struct range *ret);

/* The highest part of usable pages in which all pieces start at multiples of the piece from its
 * start. */
struct range cut_top_chunk(const struct cut *cut, struct range pages);

/* The part of usable pages around an address that does not straddle a block. */
struct range cut_chunk_at(const struct cut *cut, struct range pages, uint64_t at);

/* What a place of so many bytes has to look like to lie in one chunk: @bytes of whole pages, at
 * most a piece where there is one. */
void cut_shape(const struct cut *cut, uint64_t bytes, struct shape *ret);
