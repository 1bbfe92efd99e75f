/* SPDX-License-Identifier: MIT */
/* Owns the table of searches. */
#include "search.h"

#include "macros.h"

#define GRANULE (4 * KiB)

/* Windows that are tried until one has no place of 64 KiB within a boundary of as much. */
#define WINDOW_TRIES 64

/**
 * struct search - one of them
 * @below:        where the window ends, 0: it does not
 * @window_most:  bytes of a window at a random place, 0: none
 * @window_least: the same, at least: in between any power of two
 * @size_most:    bytes of a request
 * @fails:        more is asked for than there is
 */
struct search {
        const char *name;
        uint64_t below;
        uint64_t window_least, window_most;
        uint64_t size_most;
        uint64_t align, boundary;
        bool fails;
};

static const struct search searches[SEARCHES] = {
        [SEARCH_MIX] = { .name = "mix" },
        [SEARCH_ANY] = { .name = "any", .size_most = UINT64_MAX },
        [SEARCH_WINDOW] = { .name = "window_1g",
                            .window_least = GiB,
                            .window_most = GiB,
                            .size_most = UINT64_MAX },
        [SEARCH_BELOW_4G] = { .name = "below_4g", .below = 4 * GiB, .size_most = UINT64_MAX },
        [SEARCH_BELOW_16M] = { .name = "below_16m", .below = 16 * MiB, .size_most = 64 * KiB },
        [SEARCH_ALIGN] = { .name = "align_2m", .align = 2 * MiB, .size_most = UINT64_MAX },
        [SEARCH_BOUNDARY] = { .name = "boundary_64k", .boundary = 64 * KiB, .size_most = 64 * KiB },
        [SEARCH_ANY_FAILS] = { .name = "any_fails", .fails = true },
        [SEARCH_WINDOW_FAILS] = { .name = "window_1g_fails",
                                  .window_least = GiB,
                                  .window_most = GiB,
                                  .fails = true },
        [SEARCH_BELOW_4G_FAILS] = { .name = "below_4g_fails", .below = 4 * GiB, .fails = true },
        [SEARCH_BELOW_16M_FAILS] = { .name = "below_16m_fails", .below = 16 * MiB, .fails = true },
        [SEARCH_ALIGN_FAILS] = { .name = "align_2m_fails",
                                 .window_least = GiB,
                                 .window_most = GiB,
                                 .align = 2 * MiB,
                                 .fails = true },
        [SEARCH_BOUNDARY_FAILS] = { .name = "boundary_64k_fails",
                                    .window_least = 64 * KiB,
                                    .window_most = 16 * MiB,
                                    .boundary = 64 * KiB,
                                    .fails = true },
};

const char *search_name(enum search_id search)
{
        return searches[search].name;
}

bool search_fails(enum search_id search)
{
        return searches[search].fails;
}

/* A window of one of the sizes that the search has, anywhere. */
static struct range random_window(const struct search *search, uint64_t memory_bytes,
                                  struct random *random)
{
        uint64_t bytes = search->window_least, first;

        while (bytes < search->window_most && random_one_in(random, 2))
                bytes *= 2;
        if (bytes >= memory_bytes)
                return range_of(0, memory_bytes);
        first = GRANULE * random_below(random, (memory_bytes - bytes) / GRANULE + 1);
        return range_of(first, bytes);
}

/* All but the size. */
static struct constraint limits(const struct search *search, const struct churn *churn,
                                struct random *random)
{
        struct constraint want = {
                .window = RANGE_ALL,
                .size_bytes = GRANULE,
                .align_bytes = search->align ? search->align : GRANULE,
                .boundary_bytes = search->boundary,
                .max_segments = 1,
        };

        if (search->window_most)
                want.window = random_window(search, churn->mix.memory_bytes, random);
        if (search->below)
                want.window.last = search->below - 1;
        return want;
}

struct constraint search_draw(enum search_id search, const struct churn *churn,
                              struct random *random)
{
        struct constraint want;

        assert(search != SEARCH_MIX);
        want = limits(&searches[search], churn, random);
        want.size_bytes = mix_size(random, searches[search].size_most);
        return want;
}

static bool has_place(const struct churn *churn, const struct constraint *limits,
                      uint64_t size_bytes)
{
        struct constraint want = *limits;
        uint64_t first;

        want.size_bytes = size_bytes;
        return churn->ops->find(churn->placer, &want, &first) == 0;
}

/* The largest size for which there is a place, a multiple of the granule; 0 where there is none. */
static uint64_t largest_place(const struct churn *churn, const struct constraint *limits,
                              uint64_t most)
{
        uint64_t low = 0, high = most / GRANULE;

        if (!high || has_place(churn, limits, high * GRANULE))
                return high * GRANULE;
        while (high - low > 1) {
                const uint64_t middle = low + (high - low) / 2;

                if (has_place(churn, limits, middle * GRANULE))
                        low = middle;
                else
                        high = middle;
        }
        return low * GRANULE;
}

bool search_draw_failing(enum search_id search, const struct churn *churn, struct random *random,
                         struct constraint *ret)
{
        const unsigned tries = searches[search].boundary ? WINDOW_TRIES : 1;

        for (unsigned i = 0; i < tries; i++) {
                struct constraint want = limits(&searches[search], churn, random);
                uint64_t most = churn->ops->largest_bytes(churn->placer, want.window);
                enum limit limit;

                if (want.boundary_bytes && most > want.boundary_bytes)
                        most = want.boundary_bytes;
                want.size_bytes = largest_place(churn, &want, most) + GRANULE;
                if (constraint_check(&want, &limit) == 0) {
                        *ret = want;
                        return true;
                }
        }
        return false;
}
