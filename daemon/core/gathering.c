/* SPDX-License-Identifier: MIT */
/*
 * Owns the lists of a search in progress. Places that turn out to be neighbours become one, which
 * never adds a segment. Refuses to look for cleverer uses of a page of which only the beginning is
 * there: one serves as the end of the buffer when all whole pages are used up.
 */
#include "gathering.h"

#include "result.h"
#include "segment.h"

static uint64_t min(uint64_t a, uint64_t b)
{
        return a < b ? a : b;
}

static uint64_t ceil_div(uint64_t a, uint64_t b)
{
        return a / b + (a % b != 0);
}

void gathering_init(struct gathering *gathering, struct space_union spaces, uint64_t page_bytes,
                    const struct constraint *want, uint64_t bytes)
{
        const uint64_t segment = segment_bytes_max(want);

        *gathering = (struct gathering){
                .spaces = spaces,
                .want = want,
                .left_bytes = bytes,
                .end_bytes = bytes & (page_bytes - 1),
        };
        cut_init(&gathering->cut, want, page_bytes);
        /* Else a segment may have a full piece and a part of what follows. */
        gathering->exact = !gathering->cut.piece_bytes || gathering->cut.piece_bytes == segment ||
                           segment == UINT64_MAX;
}

void gathering_deinit(struct gathering *gathering)
{
        places_deinit(&gathering->taken);
        candidates_deinit(&gathering->rest);
}

bool gathering_hopeful(const struct gathering *gathering, uint64_t longest_bytes)
{
        const uint64_t allowed = segments_allowed(gathering->want);
        const uint64_t segment = min(longest_bytes, segment_bytes_max(gathering->want));

        if (gathering->segments > allowed)
                return false;
        /* What ends inside a page may become part of the segment before. */
        return !gathering->exact || ceil_div(gathering->left_bytes - gathering->end_bytes,
                                             segment) <= allowed - gathering->segments;
}

static int take(struct gathering *gathering, uint64_t first, uint64_t bytes)
{
        gathering->left_bytes -= bytes;
        return places_add(&gathering->taken, range_of(first, bytes));
}

static int cut_chunk(struct gathering *gathering, struct range chunk)
{
        const uint64_t piece = gathering->cut.piece_bytes;
        const uint64_t there = piece ? run_bytes(chunk) / piece : 0;
        struct candidate rest = { .kind = CANDIDATE_PIECE, .at = chunk };
        uint64_t wanted, first, bytes;
        int r;

        if (there) {
                wanted = min(there, ceil_div(gathering->left_bytes, piece));
                bytes = min(gathering->left_bytes, wanted * piece);
                first = chunk.first + (there - wanted) * piece;
                gathering->segments += segment_count(gathering->want, range_of(first, bytes));
                r = take(gathering, first, bytes);
                if (r)
                        return r;
                rest.kind = CANDIDATE_REST;
                rest.at.first += there * piece;
        }
        if (!gathering->left_bytes || chunk.last - chunk.first < there * piece)
                return 0;
        return candidates_push(&gathering->rest, &rest);
}

int gathering_cut(struct gathering *gathering, struct range run)
{
        const struct cut *cut = &gathering->cut;
        struct range pages, chunk, end;
        int r;

        if (gathering->end_bytes && cut_tail(cut, run, gathering->end_bytes, &end))
                gathering_note_end(gathering, end);
        if (!cut_pages(cut, run, &pages))
                return 0;
        for (;;) {
                chunk = cut_top_chunk(cut, pages);
                r = cut_chunk(gathering, chunk);
                if (r)
                        return r;
                if (!gathering->left_bytes || chunk.first == pages.first)
                        return 0;
                pages.last = chunk.first - 1;
        }
}

void gathering_note_end(struct gathering *gathering, struct range end)
{
        if (!gathering->has_end || end.first > gathering->end.first)
                gathering->end = end;
        gathering->has_end = true;
}

int gathering_take(struct gathering *gathering, const struct candidate *piece)
{
        const uint64_t bytes = min(run_bytes(piece->at), gathering->left_bytes);
        const uint64_t first = align_down(piece->at.last - (bytes - 1), gathering->cut.align_bytes);

        /* Behind full pieces it may be a part of their last segment, where that is longer. */
        if (piece->kind == CANDIDATE_PIECE || gathering->exact)
                gathering->segments += segment_count(gathering->want, range_of(first, bytes));
        return take(gathering, first, bytes);
}

int gathering_finish(struct gathering *gathering, struct range **ret, size_t *ret_count)
{
        struct places *taken = &gathering->taken;
        int r;

        if (gathering->has_end && gathering->left_bytes == gathering->end_bytes) {
                /* If it does not begin aligned, what lies below it was taken, and they are one. */
                r = take(gathering, gathering->end.first, gathering->end_bytes);
                if (r)
                        return r;
        }
        if (gathering->left_bytes)
                return PAR_REFUSED_FRAGMENTED;
        places_arrange(taken, gathering->cut.page_bytes);
        if (places_segments(taken, gathering->want) > segments_allowed(gathering->want))
                return PAR_REFUSED_FRAGMENTED;
        *ret = taken->items;
        *ret_count = taken->count;
        *taken = (struct places){ 0 };
        return 0;
}
