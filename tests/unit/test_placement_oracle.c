/* SPDX-License-Identifier: MIT */
/*
 * Placement against brute force: small spaces, several at once, anywhere in the 64-bit range, with
 * requests that nobody sane would make. The oracle tries every granule and cuts every segment; it
 * shares no code with what it judges.
 *
 * PAR_SEED chooses another sequence, PAR_ROUNDS its length.
 */
#include "macros.h"
#include "placement.h"
#include "result.h"
#include "segment.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <setjmp.h>

#include <cmocka.h>

#define GRANULES_MAX 128u
#define SPACES_MAX   5u
#define NOBODY       SPACES_MAX

static uint64_t random_state;

static uint64_t rnd(uint64_t below)
{
        random_state ^= random_state << 13;
        random_state ^= random_state >> 7;
        random_state ^= random_state << 17;
        return random_state % below;
}

/* Small memory, granule by granule. */
struct world {
        uint64_t base, granule, page;
        unsigned n_granules, n_spaces;
        unsigned owner[GRANULES_MAX];
        struct space *space[SPACES_MAX];
};

static uint64_t granule_first(const struct world *world, unsigned i)
{
        return world->base + i * world->granule;
}

static struct range granules(const struct world *world, unsigned first, unsigned last)
{
        return (struct range){ granule_first(world, first),
                               granule_first(world, last) + (world->granule - 1) };
}

static bool is_free(const struct world *world, unsigned i, struct range window)
{
        return world->owner[i] != NOBODY && range_contains(window, granules(world, i, i));
}

static void place_world(struct world *world)
{
        static const unsigned shifts[] = { 0, 4, 12, 12, 21, 57 };
        const unsigned shift = shifts[rnd(ARRAY_SIZE(shifts))];
        uint64_t bytes;

        world->granule = UINT64_C(1) << shift;
        world->n_granules = shift == 57 ? GRANULES_MAX : 1 + (unsigned)rnd(GRANULES_MAX);
        world->page = world->granule << rnd(shift == 57 ? 2 : 4);
        bytes = world->n_granules * world->granule;
        switch (rnd(3)) {
        case 0: world->base = 0; break;
        case 1: world->base = 0 - bytes; break; /* ends with the last address */
        default: world->base = shift == 57 ? 0 : rnd(UINT64_C(1) << 20) << shift; break;
        }
}

/* Runs of random length, so that there is something between dust and all of it. */
static void fill_world(struct world *world, bool whole_pages)
{
        const unsigned unit =
                whole_pages ? (unsigned)(world->page / world->granule) : 1 + (unsigned)rnd(4);
        const uint64_t density = 1 + rnd(8);
        unsigned i = 0;

        if (whole_pages) {
                world->base = align_down(world->base, world->page);
                world->n_granules = (unsigned)align_down(world->n_granules, unit);
        }
        world->n_spaces = 1 + (unsigned)rnd(SPACES_MAX);
        while (i < world->n_granules) {
                const unsigned who = rnd(8) < density ? (unsigned)rnd(world->n_spaces) : NOBODY;
                unsigned length = unit * (1 + (unsigned)rnd(rnd(3) ? 3 : 24));

                for (; length && i < world->n_granules; length--)
                        world->owner[i++] = who;
        }
        /* No space may have all of the 64-bit range. */
        if (world->n_granules)
                world->owner[world->n_granules - 1] = rnd(2) ? NOBODY : world->owner[0];
}

static void build_spaces(struct world *world)
{
        for (unsigned s = 0; s < world->n_spaces; s++) {
                assert_int_equal(space_new(world->granule, &world->space[s]), 0);
                assert_int_equal(space_reserve(world->space[s], world->n_granules), 0);
        }
        for (unsigned i = 0; i < world->n_granules; i++) {
                if (world->owner[i] == NOBODY)
                        continue;
                if (space_bytes(world->space[world->owner[i]]) == UINT64_MAX - world->granule + 1)
                        world->owner[i] = NOBODY;
                else
                        space_add(world->space[world->owner[i]], granules(world, i, i));
        }
        for (unsigned s = 0; s < world->n_spaces; s++) {
                space_unreserve(world->space[s], 0);
                space_check(world->space[s]);
        }
}

static void free_spaces(struct world *world)
{
        for (unsigned s = 0; s < world->n_spaces; s++)
                space_free(world->space[s]);
}

static uint64_t power(unsigned from, unsigned to)
{
        const unsigned shift = from + (unsigned)rnd(to - from + 1);

        return UINT64_C(1) << (shift > 63 ? 63 : shift);
}

static struct range random_window(const struct world *world)
{
        uint64_t a, b;

        if (!world->n_granules || rnd(3) == 0)
                return RANGE_ALL;
        a = granule_first(world, (unsigned)rnd(world->n_granules));
        b = granule_first(world, (unsigned)rnd(world->n_granules)) + (world->granule - 1);
        if (rnd(4) == 0)
                a += rnd(world->granule);
        if (rnd(4) == 0)
                b -= rnd(world->granule);
        if (rnd(4) == 0)
                a = 0;
        return a <= b ? (struct range){ a, b } : (struct range){ b, a };
}

static struct constraint random_request(const struct world *world)
{
        const unsigned shift = (unsigned)__builtin_ctzll(world->granule);
        const unsigned low = shift > 2 ? shift - 2 : 0;
        struct constraint want = {
                .window = random_window(world),
                .align_bytes = rnd(3) ? power(0, shift) : power(low, shift + 6),
                .boundary_bytes = rnd(2) ? 0 : power(low, shift + 6),
                .max_segments = rnd(3) == 0 ? 1 : 1 + (uint32_t)rnd(12),
        };

        want.size_bytes = world->granule * rnd(rnd(3) ? 6 : 40);
        want.size_bytes += rnd(2) ? world->granule : 1 + rnd(world->granule);
        if (rnd(6) == 0)
                want.max_segments = SEGMENTS_ANY;
        switch (rnd(4)) {
        case 0: want.max_segment_bytes = world->granule * (1 + rnd(8)); break;
        case 1:
                want.max_segment_bytes =
                        world->granule / 4 + 1 + rnd(4) * world->granule + rnd(world->granule);
                break;
        default: break;
        }
        return want;
}

/* ---- the oracle ----------------------------------------------------------------------------- */

/*
 * Segments of a piece, cut one by one; more than enough (UINT64_MAX) where one breaks a rule or
 * there are more than @most.
 */
static uint64_t cut(const struct constraint *want, struct range piece, uint64_t most)
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
                if (segment_length(want, first, piece.last - first + 1) != last - first + 1)
                        fail_msg("segment_length() differs at %#llx", (unsigned long long)first);
                if (last == piece.last)
                        return n;
                first = last + 1;
        }
}

static uint64_t most_segments(const struct constraint *want)
{
        return want->max_segments == SEGMENTS_ANY ? UINT64_MAX - 1 : want->max_segments;
}

/* Granules that a request needs; 0 where that cannot be counted. */
static uint64_t needed(const struct world *world, const struct constraint *want)
{
        const uint64_t n = (want->size_bytes - 1) / world->granule + 1;

        return n <= world->n_granules ? n : 0;
}

static int oracle_room(const struct world *world, const struct constraint *want)
{
        uint64_t n = 0;

        for (unsigned i = 0; i < world->n_granules; i++)
                n += is_free(world, i, want->window);
        return needed(world, want) && needed(world, want) <= n ? 0 : PAR_REFUSED_EXHAUSTED;
}

static int oracle_find(const struct world *world, const struct constraint *want, uint64_t page,
                       struct range *ret)
{
        const unsigned n = (unsigned)needed(world, want);
        struct range place;
        unsigned run = 0;

        if (oracle_room(world, want))
                return PAR_REFUSED_EXHAUSTED;
        for (unsigned i = world->n_granules; i-- > 0;) {
                const uint64_t first = granule_first(world, i);

                run = is_free(world, i, want->window) ? run + 1 : 0;
                if (run < n || first % page || first % want->align_bytes)
                        continue;
                place = granules(world, i, i + n - 1);
                if (cut(want, place, most_segments(want)) != UINT64_MAX) {
                        *ret = place;
                        return 0;
                }
        }
        return PAR_REFUSED_FRAGMENTED;
}

/* ---- comparing ------------------------------------------------------------------------------ */

static void describe(const struct world *world, const struct constraint *want, char *text,
                     size_t size)
{
        int n = snprintf(
                text, size,
                "base %#llx granule %#llx page %#llx, want [%#llx, %#llx] size %#llx align "
                "%#llx boundary %#llx max_segment %#llx max_segments %u, ",
                (unsigned long long)world->base, (unsigned long long)world->granule,
                (unsigned long long)world->page, (unsigned long long)want->window.first,
                (unsigned long long)want->window.last, (unsigned long long)want->size_bytes,
                (unsigned long long)want->align_bytes, (unsigned long long)want->boundary_bytes,
                (unsigned long long)want->max_segment_bytes, want->max_segments);

        for (unsigned i = 0; i < world->n_granules && n >= 0 && (size_t)n + 1 < size; i++) {
                text[n++] = "01234."[world->owner[i]];
                text[n] = '\0';
        }
}

#define EXPECT(condition, world, want)                                                  \
        do {                                                                            \
                if (!(condition)) {                                                     \
                        char text[1024];                                                \
                        describe(world, want, text, sizeof(text));                      \
                        fail_msg("seed %llu: not so: %s: %s", (unsigned long long)seed, \
                                 #condition, text);                                     \
                }                                                                       \
        } while (0)

static uint64_t seed;

static const struct space *const *spaces_of(const struct world *world)
{
        return (const struct space *const *)world->space;
}

static void compare_contiguous(const struct world *world, const struct constraint *want)
{
        const uint64_t page = rnd(2) ? 1 : world->page;
        struct range expected = { 0, 0 }, place = { 0, 0 };
        enum limit limit = LIMIT_NONE;
        int r, checked;

        checked = constraint_check(want, &limit);
        EXPECT(!checked || (checked == PAR_REFUSED_NEVER_FITS && limit), world, want);
        r = oracle_find(world, want, page, &expected);
        if (checked) {
                EXPECT(r, world, want);
                return;
        }
        if (page == 1)
                EXPECT(placement_find(spaces_of(world), world->n_spaces, want, &place) == r, world,
                       want);
        else
                EXPECT(placement_find_aligned(spaces_of(world), world->n_spaces, page, want,
                                              &place) == r,
                       world, want);
        EXPECT(place.first == expected.first && place.last == expected.last, world, want);
        if (!r)
                EXPECT(segment_count(want, place) == cut(want, place, UINT64_MAX - 1), world, want);
}

static void compare_sums(const struct world *world, const struct constraint *want)
{
        uint64_t sum = 0, run = 0, longest = 0;
        const struct range window = want->window;

        for (unsigned i = 0; i < world->n_granules; i++) {
                struct range part;
                const bool there = world->owner[i] != NOBODY &&
                                   range_intersect(granules(world, i, i), window, &part);

                run = there ? run + range_size(part) : 0;
                sum += there ? range_size(part) : 0;
                /* Zero is all of the 64-bit range. */
                if (there && run == 0)
                        run = sum = UINT64_MAX;
                longest = run > longest ? run : longest;
        }
        EXPECT(placement_free_bytes(spaces_of(world), world->n_spaces, window) == sum, world, want);
        EXPECT(placement_largest_run(spaces_of(world), world->n_spaces, window) == longest, world,
               want);
}

static bool cuts_unaligned(const struct constraint *want)
{
        return (want->boundary_bytes && want->boundary_bytes < want->align_bytes) ||
               (want->max_segment_bytes && want->max_segment_bytes < want->align_bytes);
}

/* What scattered places are made of: whole pages, and whether one serves as the end. */
static void usable(const struct world *world, const struct constraint *want, bool *page_usable,
                   uint64_t *ret_pages, bool *ret_end)
{
        const uint64_t start = want->align_bytes > world->page ? want->align_bytes : world->page;
        const uint64_t end =
                (want->size_bytes - 1) / world->granule * world->granule + world->granule;
        const bool in_page = end % world->page;
        bool begun = false;
        uint64_t bytes = 0, long_enough = 0;

        *ret_pages = 0;
        for (unsigned i = 0; i < world->n_granules; i++) {
                const uint64_t first = granule_first(world, i);

                page_usable[i] = false;
                begun = is_free(world, i, want->window) && (begun || first % start == 0);
                if (!begun || first % world->page == 0)
                        bytes = 0;
                if (!begun)
                        continue;
                bytes += world->granule;
                long_enough += in_page && bytes == end % world->page;
                if (bytes == world->page) {
                        long_enough -= in_page;
                        *ret_pages += 1;
                        page_usable[i + 1 - world->page / world->granule] = true;
                }
        }
        *ret_end = long_enough > 0;
}

static void check_places(const struct world *world, const struct constraint *want,
                         const struct range *places, size_t count, uint64_t *ret_segments)
{
        bool used[GRANULES_MAX] = { false };
        uint64_t n = 0, segments = 0;

        for (size_t p = 0; p < count; p++) {
                const uint64_t most = most_segments(want) - segments;
                const uint64_t more = cut(want, places[p], most);

                EXPECT(more != UINT64_MAX, world, want);
                segments += more;
                EXPECT(places[p].first % world->page == 0, world, want);
                EXPECT(p == count - 1 || places[p].last % world->page == world->page - 1, world,
                       want);
                EXPECT(p < 2 || p == count - 1 || places[p].first > places[p - 1].last, world,
                       want);
                for (unsigned i = 0; i < world->n_granules; i++) {
                        if (!range_overlaps(granules(world, i, i), places[p]))
                                continue;
                        EXPECT(range_contains(places[p], granules(world, i, i)), world, want);
                        EXPECT(is_free(world, i, want->window) && !used[i], world, want);
                        used[i] = true;
                        n++;
                }
        }
        EXPECT(n == needed(world, want), world, want);
        *ret_segments = segments;
}

/*
 * The fewest segments that so many pages can be had with; page by page, with the length of the
 * segment that is open. UINT64_MAX where there are not so many pages.
 */
static uint64_t fewest(const struct world *world, const struct constraint *want,
                       const bool *page_usable, unsigned pages, unsigned longest)
{
        static uint64_t now[GRANULES_MAX + 1][GRANULES_MAX + 1];
        static uint64_t next[GRANULES_MAX + 1][GRANULES_MAX + 1];
        const unsigned step = (unsigned)(world->page / world->granule);
        uint64_t best = UINT64_MAX;

        memset(now, 0xff, sizeof(now));
        now[0][0] = 0;
        for (unsigned i = 0; i < world->n_granules; i++) {
                const uint64_t first = granule_first(world, i);

                if (first % world->page)
                        continue;
                if (i + step > world->n_granules)
                        break;
                memset(next, 0xff, sizeof(next));
                for (unsigned n = 0; n <= pages; n++) {
                        for (unsigned open = 0; open <= longest; open++) {
                                const uint64_t cost = now[n][open];

                                if (cost == UINT64_MAX)
                                        continue;
                                if (cost < next[n][0])
                                        next[n][0] = cost;
                                if (!page_usable[i] || n == pages)
                                        continue;
                                if (open && open < longest &&
                                    !(want->boundary_bytes && first % want->boundary_bytes == 0) &&
                                    cost < next[n + 1][open + 1])
                                        next[n + 1][open + 1] = cost;
                                if (first % want->align_bytes == 0 && cost + 1 < next[n + 1][1])
                                        next[n + 1][1] = cost + 1;
                        }
                }
                memcpy(now, next, sizeof(now));
        }
        for (unsigned open = 0; open <= longest; open++)
                best = now[pages][open] < best ? now[pages][open] : best;
        return best;
}

static void compare_fewest(const struct world *world, const struct constraint *want,
                           const bool *page_usable, int r, uint64_t segments)
{
        const unsigned pages = (unsigned)((want->size_bytes - 1) / world->page) + 1;
        uint64_t best, longest = segment_bytes_max(want) / world->page;

        if (segment_bytes_max(want) < world->page ||
            (want->max_segment_bytes && want->max_segment_bytes % world->page))
                return;
        longest = longest > world->n_granules ? world->n_granules : longest;
        best = fewest(world, want, page_usable, pages, (unsigned)longest);
        EXPECT((r == 0) == (best <= most_segments(want)), world, want);
        if (!r)
                EXPECT(segments == best, world, want);
}

static void compare_scattered(const struct world *world, const struct constraint *want,
                              bool whole_pages)
{
        bool page_usable[GRANULES_MAX], end;
        struct range *places = NULL, place;
        uint64_t pages, segments = 0;
        size_t count = 0;
        enum limit limit;
        int r;

        if (constraint_check(want, &limit))
                return;
        r = placement_find_scattered(spaces_of(world), world->n_spaces, world->page, want, &places,
                                     &count);
        EXPECT((r == PAR_REFUSED_EXHAUSTED) == (oracle_room(world, want) != 0), world, want);
        if (!r)
                check_places(world, want, places, count, &segments);
        free(places);
        if (r == PAR_REFUSED_EXHAUSTED)
                return;
        EXPECT(!r || r == PAR_REFUSED_FRAGMENTED, world, want);

        if (cuts_unaligned(want) || want->max_segments == 1) {
                EXPECT(r == oracle_find(world, want, world->page, &place), world, want);
                return;
        }
        usable(world, want, page_usable, &pages, &end);
        if (want->max_segments == SEGMENTS_ANY) {
                const uint64_t whole = (want->size_bytes - 1) / world->granule + 1;
                const uint64_t a_page = world->page / world->granule;
                const bool exists = pages * a_page >= whole || (end && pages == whole / a_page);

                EXPECT((r == 0) == exists, world, want);
        }
        if (whole_pages && !end && world->n_granules <= 64)
                compare_fewest(world, want, page_usable, r, segments);
}

static void test_placement_oracle(void **state)
{
        const char *text = getenv("PAR_ROUNDS");
        const unsigned rounds = text ? (unsigned)strtoul(text, NULL, 0) : 12000;

        (void)state;
        text = getenv("PAR_SEED");
        seed = text ? strtoull(text, NULL, 0) : 1;
        random_state = seed * UINT64_C(0x9e3779b97f4a7c15) | 1;
        for (unsigned round = 0; round < rounds; round++) {
                const bool whole_pages = rnd(2);
                struct world world = { 0 };

                place_world(&world);
                fill_world(&world, whole_pages);
                build_spaces(&world);
                for (unsigned i = 0; i < 30; i++) {
                        const struct constraint want = random_request(&world);

                        compare_contiguous(&world, &want);
                        if (i % 3 == 0)
                                compare_scattered(&world, &want, whole_pages && i % 6 == 0);
                        if (i % 6 == 0)
                                compare_sums(&world, &want);
                }
                free_spaces(&world);
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_placement_oracle),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
