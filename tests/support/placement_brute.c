/* SPDX-License-Identifier: MIT */
/* Owns nothing. */
#include "placement_brute.h"

#include "result.h"
#include "two_ends.h"

#include <string.h>

uint64_t brute_cut(const struct constraint *want, struct range piece, uint64_t most)
{
        const uint64_t align = want->align_bytes, boundary = want->boundary_bytes;
        uint64_t longest = want->max_segment_bytes, first = piece.first, n = 0;

        if (longest > align)
                longest -= longest % align;
        for (;;) {
                uint64_t last = piece.last;

                if (first % align || ++n > most)
                        return UINT64_MAX;
                if (longest && last - first > longest - 1)
                        last = first + (longest - 1);
                if (boundary && last > (first | (boundary - 1)))
                        last = first | (boundary - 1);
                if (last == piece.last)
                        return n;
                first = last + 1;
        }
}

uint64_t brute_segments(const struct constraint *want)
{
        return want->max_segments == SEGMENTS_ANY ? UINT64_MAX - 1 : want->max_segments;
}

uint64_t brute_granules(const struct placement_world *world, const struct constraint *want)
{
        const uint64_t n = (want->size_bytes - 1) / world->granule + 1;

        /* The whole 64-bit range is no place: it has no size. */
        return n <= world->n_granules && n <= UINT64_MAX / world->granule ? n : 0;
}

int brute_room(const struct placement_world *world, const struct constraint *want)
{
        const uint64_t needed = brute_granules(world, want);
        uint64_t n = 0;

        for (unsigned i = 0; i < world->n_granules; i++)
                n += world_is_free(world, i, want->window);
        return needed && needed <= n ? 0 : PAR_REFUSED_EXHAUSTED;
}

int brute_find(const struct placement_world *world, const struct constraint *want, uint64_t page,
               struct range *ret)
{
        const unsigned n = (unsigned)brute_granules(world, want);
        unsigned run = 0;

        if (brute_room(world, want))
                return PAR_REFUSED_EXHAUSTED;
        for (unsigned i = world->n_granules; i-- > 0;) {
                const uint64_t first = world_granules(world, i, i).first;
                struct range place;

                run = world_is_free(world, i, want->window) ? run + 1 : 0;
                if (run < n || first % page || first % want->align_bytes)
                        continue;
                place = world_granules(world, i, i + n - 1);
                if (brute_cut(want, place, brute_segments(want)) != UINT64_MAX) {
                        *ret = place;
                        return 0;
                }
        }
        return PAR_REFUSED_FRAGMENTED;
}

/* Addresses that as many kinds of devices reach. */
static struct range brute_tier(uint64_t at)
{
        const unsigned borders[] = { 0, 24, 28, 30, 31, 32, 36, 40, 64 };
        unsigned i = 1;

        while (borders[i] < 64 && at >> borders[i])
                i++;
        return (struct range){ i == 1 ? 0 : UINT64_C(1) << borders[i - 1],
                               borders[i] == 64 ? UINT64_MAX : (UINT64_C(1) << borders[i]) - 1 };
}

/* Whether @n granules can begin at one, in a run that ends below @end. */
static bool brute_begins(const struct placement_world *world, const struct constraint *want,
                         unsigned i, unsigned n, unsigned end)
{
        const uint64_t first = world_granules(world, i, i).first;

        return i + n <= end && first % want->align_bytes == 0 &&
               brute_cut(want, world_granules(world, i, i + n - 1), brute_segments(want)) !=
                       UINT64_MAX;
}

/* Where @n granules go in the run of granules from @begin to below @end; @end: nowhere. */
static unsigned brute_low_end(const struct placement_world *world, const struct constraint *want,
                              unsigned n, unsigned begin, unsigned end)
{
        unsigned i;

        for (i = begin; i < end; i++) {
                if (world_granules(world, i, i).first % want->align_bytes == 0)
                        break;
        }
        if (i < end && brute_begins(world, want, i, n, end))
                return i;
        for (i = begin; want->boundary_bytes && i < end; i++) {
                if (world_granules(world, i, i).first % want->boundary_bytes == 0)
                        break;
        }
        if (want->boundary_bytes && i < end && brute_begins(world, want, i, n, end))
                return i;
        for (i = end; i-- > begin;) {
                if (brute_begins(world, want, i, n, end))
                        return i;
        }
        return end;
}

int brute_two_ends(const struct placement_world *world, const struct constraint *want,
                   struct range *ret)
{
        const unsigned n = (unsigned)brute_granules(world, want);
        const int r = brute_find(world, want, 1, ret);
        unsigned shortest = UINT32_MAX, end = 0, runs = 0;
        struct range window;

        if (r || want->size_bytes < TWO_ENDS_LARGE_BYTES || ret->last > brute_tier(ret->first).last)
                return r;
        window = brute_tier(ret->first);
        for (unsigned i = world->n_granules; i-- > 0 && runs < TWO_ENDS_RUNS;) {
                const bool there = world_is_free(world, i, want->window) &&
                                   range_contains(window, world_granules(world, i, i));
                unsigned at;

                if (!there)
                        continue;
                for (end = i + 1; i > 0 && world_is_free(world, i - 1, want->window) &&
                                  range_contains(window, world_granules(world, i - 1, i - 1));)
                        i--;
                at = brute_low_end(world, want, n, i, end);
                runs += at < end;
                if (at < end && end - i < shortest) {
                        shortest = end - i;
                        *ret = world_granules(world, at, at + n - 1);
                }
        }
        return 0;
}

uint64_t brute_bytes(const struct placement_world *world, struct range window)
{
        uint64_t sum = 0;
        struct range part;

        for (unsigned i = 0; i < world->n_granules; i++)
                if (world->owner[i] != NOBODY &&
                    range_intersect(world_granules(world, i, i), window, &part) &&
                    __builtin_add_overflow(sum, range_size(part), &sum))
                        return UINT64_MAX;
        return sum;
}

bool brute_longest(const struct placement_world *world, struct range window, struct range *ret)
{
        unsigned run = 0, longest = 0;

        for (unsigned i = world->n_granules; i-- > 0;) {
                run = world_is_free(world, i, window) ? run + 1 : 0;
                if (run > longest) {
                        longest = run;
                        *ret = world_granules(world, i, i + run - 1);
                }
        }
        return longest;
}

uint64_t brute_usable(const struct placement_world *world, const struct constraint *want,
                      bool ret_usable[WORLD_GRANULES_MAX], bool *ret_end)
{
        const uint64_t start = want->align_bytes > world->page ? want->align_bytes : world->page;
        const uint64_t end =
                (want->size_bytes - 1) / world->granule * world->granule + world->granule;
        const bool in_page = end % world->page;
        uint64_t bytes = 0, long_enough = 0, pages = 0;
        bool begun = false;

        for (unsigned i = 0; i < world->n_granules; i++) {
                const uint64_t first = world_granules(world, i, i).first;

                ret_usable[i] = false;
                begun = world_is_free(world, i, want->window) && (begun || first % start == 0);
                if (!begun || first % world->page == 0)
                        bytes = 0;
                if (!begun)
                        continue;
                bytes += world->granule;
                long_enough += in_page && bytes == end % world->page;
                if (bytes == world->page) {
                        long_enough -= in_page;
                        pages++;
                        ret_usable[i + 1 - world->page / world->granule] = true;
                }
        }
        *ret_end = long_enough > 0;
        return pages;
}

/*
 * Fewest segments so far, by the pages taken and the pages of the segment that is open; 0 of these:
 * none is.
 */
struct costs {
        uint64_t of[FEWEST_GRANULES_MAX + 1][FEWEST_GRANULES_MAX + 1];
};

static void lower(uint64_t *cost, uint64_t to)
{
        if (to < *cost)
                *cost = to;
}

/* Take a page or leave it. @begins, @goes_on: whether a segment may begin there, or go on. */
static void one_page(const struct costs *now, struct costs *next, unsigned pages, unsigned longest,
                     bool begins, bool goes_on)
{
        memset(next, 0xff, sizeof(*next));
        for (unsigned n = 0; n <= pages; n++) {
                for (unsigned open = 0; open <= longest; open++) {
                        const uint64_t cost = now->of[n][open];

                        if (cost == UINT64_MAX)
                                continue;
                        lower(&next->of[n][0], cost);
                        if (goes_on && n < pages && open && open < longest)
                                lower(&next->of[n + 1][open + 1], cost);
                        if (begins && n < pages)
                                lower(&next->of[n + 1][1], cost + 1);
                }
        }
}

uint64_t brute_fewest(const struct placement_world *world, const struct constraint *want,
                      const bool *usable, unsigned pages)
{
        static struct costs costs[2];
        const unsigned step = (unsigned)(world->page / world->granule);
        const uint64_t boundary = want->boundary_bytes;
        uint64_t longest = UINT64_MAX, best = UINT64_MAX;
        unsigned now = 0;

        if (pages > FEWEST_GRANULES_MAX)
                return UINT64_MAX;
        if (want->max_segment_bytes)
                longest = want->max_segment_bytes;
        if (longest > want->align_bytes)
                longest -= longest % want->align_bytes;
        if (boundary && boundary < longest)
                longest = boundary;
        longest /= world->page;
        if (longest > FEWEST_GRANULES_MAX - 1)
                longest = FEWEST_GRANULES_MAX - 1;

        memset(&costs[0], 0xff, sizeof(costs[0]));
        costs[0].of[0][0] = 0;
        for (unsigned i = 0; i + step <= world->n_granules; i++) {
                const uint64_t first = world_granules(world, i, i).first;

                if (first % world->page)
                        continue;
                one_page(&costs[now], &costs[!now], pages, (unsigned)longest,
                         usable[i] && first % want->align_bytes == 0,
                         usable[i] && !(boundary && first % boundary == 0));
                now = !now;
        }
        for (unsigned open = 0; open <= longest; open++)
                lower(&best, costs[now].of[pages][open]);
        return best;
}
