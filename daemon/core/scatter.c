/* SPDX-License-Identifier: MIT */
/*
 * Several places for one request, with few segments. Runs are cut into pieces that are one segment
 * each, the longest possible ones are taken first, then what remains of the runs by length; since
 * a run yields its longest segments first, no other choice of whole pages needs fewer segments.
 * Places that turn out to be neighbours become one, which never adds a segment.
 *
 * Owns the lists of a search in progress. Refuses to look for cleverer uses of a page of which only
 * the beginning is there: one serves as the end of the buffer when all whole pages are used up.
 */
#include "placement.h"

#include "result.h"
#include "segment.h"
#include "shape.h"
#include "space_union.h"

#include <errno.h>
#include <stdlib.h>

struct places {
        struct range *items;
        size_t count, room;
};

/**
 * struct search - one request on its way
 * @page_bytes:  places begin on multiples of it, and all but one end there
 * @align_bytes: places begin on multiples of it, at least a page
 * @piece_bytes: longest piece that is one segment; 0: segments are shorter than a page, and whole
 *               runs are the pieces
 * @block_bytes: pieces do not straddle multiples of it; 0: none
 * @left_bytes:  still to be found
 * @end_bytes:   what the buffer has in its last page, if it does not fill that
 * @end:         begin of a page that is not there whole, but this much; used where @has_end
 * @taken:       the buffer so far
 * @rest:        shorter pieces, not taken yet
 */
struct search {
        uint64_t page_bytes, align_bytes, piece_bytes, block_bytes;
        uint64_t left_bytes, end_bytes;
        struct range end;
        bool has_end;
        struct places taken, rest;
};

static void search_deinit(struct search *search)
{
        free(search->taken.items);
        free(search->rest.items);
}

static int places_push(struct places *places, struct range place)
{
        if (places->count == places->room) {
                const size_t room = places->room ? 2 * places->room : 16;
                struct range *items;

                if (room > SIZE_MAX / sizeof(*items))
                        return -ENOMEM;
                items = realloc(places->items, room * sizeof(*items));
                if (!items)
                        return -ENOMEM;
                places->items = items;
                places->room = room;
        }
        places->items[places->count++] = place;
        return 0;
}

typedef bool (*before_fn)(struct range a, struct range b);

static bool lower_first(struct range a, struct range b)
{
        return a.first < b.first;
}

static bool longer_first(struct range a, struct range b)
{
        if (run_bytes(a) != run_bytes(b))
                return run_bytes(a) > run_bytes(b);
        return a.first > b.first;
}

static void sift_down(struct range *items, size_t count, size_t i, before_fn before)
{
        for (;;) {
                const struct range moving = items[i];
                size_t child = 2 * i + 1;

                if (child >= count)
                        return;
                if (child + 1 < count && before(items[child], items[child + 1]))
                        child++;
                if (!before(moving, items[child]))
                        return;
                items[i] = items[child];
                items[child] = moving;
                i = child;
        }
}

/* A heap sort: qsort() may ask the system how much memory it has. */
static void places_sort(struct places *places, before_fn before)
{
        for (size_t i = places->count / 2; i-- > 0;)
                sift_down(places->items, places->count, i, before);
        for (size_t n = places->count; n > 1;) {
                const struct range last = places->items[0];

                places->items[0] = places->items[--n];
                places->items[n] = last;
                sift_down(places->items, n, 0, before);
        }
}

static int take(struct search *search, uint64_t first, uint64_t bytes)
{
        const struct range place = range_of(first, bytes);
        struct range *previous;

        search->left_bytes -= bytes;
        /* The way down through a run would otherwise leave a place for each of its blocks. */
        if (search->taken.count) {
                previous = &search->taken.items[search->taken.count - 1];
                if (place.last != UINT64_MAX && place.last + 1 == previous->first) {
                        previous->first = place.first;
                        return 0;
                }
        }
        return places_push(&search->taken, place);
}

/* The highest part of a run in which all pieces start at multiples of the piece from its start. */
static struct range top_chunk(const struct search *search, struct range run)
{
        const uint64_t block = search->block_bytes;
        uint64_t first, lowest;

        if (!block)
                return run;
        first = align_down(run.last, block);
        /* Whole blocks without a rest in each need not be looked at one by one. */
        if ((run.last & (block - 1)) == block - 1 && block % search->piece_bytes == 0 &&
            align_up(run.first, block, &lowest) && lowest < first)
                first = lowest;
        return (struct range){ first > run.first ? first : run.first, run.last };
}

/* Take the full pieces of a chunk, from its top, and note the rest. */
static int cut_chunk(struct search *search, struct range chunk)
{
        const uint64_t piece = search->piece_bytes;
        uint64_t there = 0, wanted, bytes;
        int r;

        if (piece) {
                there = run_bytes(chunk) / piece;
                wanted = search->left_bytes / piece + (search->left_bytes % piece != 0);
                wanted = wanted < there ? wanted : there;
                if (wanted) {
                        bytes = wanted * piece;
                        if (__builtin_mul_overflow(wanted, piece, &bytes) ||
                            bytes > search->left_bytes)
                                bytes = search->left_bytes;
                        r = take(search, chunk.first + (there - wanted) * piece, bytes);
                        if (r)
                                return r;
                }
        }
        if (!search->left_bytes || (there && chunk.last - chunk.first == there * piece - 1))
                return 0;
        return places_push(&search->rest,
                           (struct range){ chunk.first + there * piece, chunk.last });
}

/* Cut a run of the spaces. */
static int cut_run(struct search *search, struct range run)
{
        const uint64_t mask = search->page_bytes - 1;
        struct range chunk;
        uint64_t end;
        int r;

        if (!align_up(run.first, search->align_bytes, &run.first) || run.first > run.last)
                return 0;
        if ((run.last & mask) != mask) {
                end = align_down(run.last, search->page_bytes);
                if (search->end_bytes && !search->has_end &&
                    run.last - end >= search->end_bytes - 1) {
                        search->end = range_of(end, search->end_bytes);
                        search->has_end = true;
                }
                if (end == run.first)
                        return 0;
                run.last = end - 1;
        }

        for (;;) {
                chunk = top_chunk(search, run);
                r = cut_chunk(search, chunk);
                if (r)
                        return r;
                if (!search->left_bytes || chunk.first == run.first)
                        return 0;
                run.last = chunk.first - 1;
        }
}

static int take_rest(struct search *search)
{
        places_sort(&search->rest, longer_first);
        for (size_t i = 0; i < search->rest.count && search->left_bytes; i++) {
                const struct range piece = search->rest.items[i];
                uint64_t bytes = run_bytes(piece), first;
                int r;

                if (bytes > search->left_bytes)
                        bytes = search->left_bytes;
                first = align_down(piece.last - (bytes - 1), search->align_bytes);
                r = take(search, first, bytes);
                if (r)
                        return r;
        }
        return 0;
}

/* Let the buffer end in a page that is not there whole. */
static int take_end(struct search *search)
{
        if (!search->has_end || search->left_bytes != search->end_bytes)
                return 0;
        /* If it does not begin aligned, what lies below it was taken, and they become one place. */
        return take(search, search->end.first, search->end_bytes);
}

/* Bring the places into their order, neighbours made one. */
static void arrange(struct search *search)
{
        const uint64_t mask = search->page_bytes - 1;
        struct range *items = search->taken.items, odd;
        size_t n = 0, i;

        places_sort(&search->taken, lower_first);
        for (i = 1; i < search->taken.count; i++) {
                if (items[n].last + 1 == items[i].first)
                        items[n].last = items[i].last;
                else
                        items[++n] = items[i];
        }
        search->taken.count = ++n;

        for (i = 0; i < n && (items[i].last & mask) == mask; i++)
                ;
        if (i == n)
                return;
        odd = items[i];
        for (; i + 1 < n; i++)
                items[i] = items[i + 1];
        items[n - 1] = odd;
}

static uint64_t segments(const struct constraint *want, const struct places *places)
{
        uint64_t sum = 0;

        for (size_t i = 0; i < places->count; i++)
                sum += segment_count(want, places->items[i]);
        return sum;
}

/* Cut the runs of a window from the top down, until there is enough. */
static int cut_runs(struct search *search, struct space_union spaces, struct range window)
{
        const uint64_t granule = space_granule(spaces.of[0]);
        const struct shape any = { .size_bytes = granule, .align_bytes = granule };
        struct range run;
        uint64_t at;
        int r;

        while (search->left_bytes && space_union_find(spaces, window, &any, &at)) {
                run = space_union_run(spaces, window, at);
                r = cut_run(search, run);
                if (r || run.first == window.first)
                        return r;
                window.last = run.first - 1;
        }
        return 0;
}

static int run_search(struct search *search, struct space_union spaces, struct range window,
                      const struct constraint *want, struct range **ret, size_t *ret_count)
{
        int r;

        r = cut_runs(search, spaces, window);
        if (r)
                return r;
        r = take_rest(search);
        if (r)
                return r;
        r = take_end(search);
        if (r)
                return r;
        if (search->left_bytes)
                return PAR_REFUSED_FRAGMENTED;

        arrange(search);
        if (segments(want, &search->taken) > segments_allowed(want))
                return PAR_REFUSED_FRAGMENTED;
        *ret = search->taken.items;
        *ret_count = search->taken.count;
        search->taken.items = NULL;
        return 0;
}

/* One segment is one place. */
static int find_one(const struct space *const *spaces, size_t n_spaces, uint64_t page_bytes,
                    const struct constraint *want, struct range **ret, size_t *ret_count)
{
        struct range place, *places;
        int r;

        r = placement_find_aligned(spaces, n_spaces, page_bytes, want, &place);
        if (r)
                return r;
        places = malloc(sizeof(*places));
        if (!places)
                return -ENOMEM;
        places[0] = place;
        *ret = places;
        *ret_count = 1;
        return 0;
}

int placement_find_scattered(const struct space *const *spaces, size_t n_spaces,
                             uint64_t page_bytes, const struct constraint *want, struct range **ret,
                             size_t *ret_count)
{
        struct search search = { .page_bytes = page_bytes };
        const struct space_union all = { spaces, n_spaces };
        struct range window;
        int r;

        assert(is_power_of_two(page_bytes));
        if (segments_allowed(want) == 1)
                return find_one(spaces, n_spaces, page_bytes, want, ret, ret_count);
        if (!space_union_granules(all, want->window, &window) ||
            !align_up(want->size_bytes, space_granule(spaces[0]), &search.left_bytes) ||
            space_union_bytes_in(all, window) < search.left_bytes)
                return PAR_REFUSED_EXHAUSTED;

        assert(page_bytes % space_granule(spaces[0]) == 0);
        search.end_bytes = search.left_bytes & (page_bytes - 1);
        search.align_bytes = want->align_bytes > page_bytes ? want->align_bytes : page_bytes;
        search.piece_bytes = align_down(segment_bytes_max(want), search.align_bytes);
        search.block_bytes = search.piece_bytes ? want->boundary_bytes : 0;
        r = run_search(&search, all, window, want, ret, ret_count);
        search_deinit(&search);
        return r;
}
