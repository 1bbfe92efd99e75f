/* SPDX-License-Identifier: MIT */
/*
 * Runs, chunks, pieces: a run is what is free in one piece, a chunk the part of it that lies in one
 * block (or in several, where that makes no difference), and a piece is a segment of a chunk. A
 * chunk is cut from its beginning, so that what is shorter than a piece lies at its end. Owns
 * nothing.
 */
#include "cut.h"

#include "segment.h"

void cut_init(struct cut *cut, const struct constraint *want, uint64_t page_bytes)
{
        assert(is_power_of_two(page_bytes));
        cut->page_bytes = page_bytes;
        cut->align_bytes = want->align_bytes > page_bytes ? want->align_bytes : page_bytes;
        cut->piece_bytes = align_down(segment_bytes_max(want), cut->align_bytes);
        cut->block_bytes = cut->piece_bytes ? want->boundary_bytes : 0;
}

static bool page_ends_at(const struct cut *cut, uint64_t last)
{
        return (last & (cut->page_bytes - 1)) == cut->page_bytes - 1;
}

bool cut_pages(const struct cut *cut, struct range run, struct range *ret)
{
        uint64_t behind = align_down(run.last, cut->page_bytes);

        if (!align_up(run.first, cut->align_bytes, &ret->first) || ret->first > run.last)
                return false;
        ret->last = run.last;
        if (page_ends_at(cut, run.last))
                return true;
        if (behind == ret->first)
                return false;
        ret->last = behind - 1;
        return true;
}

bool cut_tail(const struct cut *cut, struct range run, uint64_t bytes, struct range *ret)
{
        const uint64_t page = align_down(run.last, cut->page_bytes);
        uint64_t first;

        if (page_ends_at(cut, run.last) || run.last - page < bytes - 1 ||
            !align_up(run.first, cut->align_bytes, &first) || first > page)
                return false;
        *ret = range_of(page, bytes);
        return true;
}

struct range cut_top_chunk(const struct cut *cut, struct range pages)
{
        const uint64_t block = cut->block_bytes;
        uint64_t first, lowest;

        if (!block)
                return pages;
        first = align_down(pages.last, block);
        /* Whole blocks without a rest in each need not be looked at one by one. */
        if ((pages.last & (block - 1)) == block - 1 && block % cut->piece_bytes == 0 &&
            align_up(pages.first, block, &lowest) && lowest < first)
                first = lowest;
        return (struct range){ first > pages.first ? first : pages.first, pages.last };
}

struct range cut_chunk_at(const struct cut *cut, struct range pages, uint64_t at)
{
        struct range chunk = pages, block;

        if (cut->block_bytes) {
                block = range_of(align_down(at, cut->block_bytes), cut->block_bytes);
                range_intersect(pages, block, &chunk);
        }
        return chunk;
}

void cut_shape(const struct cut *cut, uint64_t bytes, struct shape *ret)
{
        const struct constraint inside = {
                .window = RANGE_ALL,
                .size_bytes = bytes,
                .align_bytes = cut->align_bytes,
                .boundary_bytes = cut->block_bytes,
                .max_segments = 1,
        };
        bool any;

        any = shape_init(ret, &inside, bytes, cut->align_bytes);
        assert(any); /* a piece is not longer than a block */
        (void)any;
}
