/* SPDX-License-Identifier: MIT */
/*
 * First fit in a linear bitmap. Owns one bit for each granule between the lowest and the highest
 * address of memory; the bits of holes in between are set for ever.
 *
 * The rules are the kernel's. gen_pool (lib/genalloc.c) searches with gen_pool_first_fit_align(),
 * which is bitmap_find_next_zero_area_off() (lib/bitmap.c): the next clear bit, aligned up; the
 * next set bit behind it; and on from there if that is too near. The boundary is what
 * iommu_area_alloc() (lib/iommu-helper.c) does around the same search: what straddles is tried
 * again from the boundary on. A window limits the bits that are looked at.
 */
#include "placer.h"

#include "bitmap.h"
#include "granules.h"
#include "huge_array.h"
#include "result.h"

#include <errno.h>
#include <stdlib.h>

/**
 * struct map - the memory
 * @words: a bit for each of @n granules from @base on; set: taken. Owned
 * @free:  how many are clear
 */
struct map {
        uint64_t *words;
        uint64_t base, n, free;
        unsigned shift;
};

static size_t words_bytes(const struct map *map)
{
        return bitmap_words(map->n) * sizeof(*map->words);
}

static void map_close(void *placer)
{
        struct map *map = placer;

        if (!map)
                return;
        huge_array_free(map->words, words_bytes(map));
        free(map);
}

static void take_holes(struct map *map, const struct range *memory, size_t n_memory)
{
        for (size_t i = 0; i < n_memory; i++) {
                const uint64_t first = memory[i].first >> map->shift;
                const uint64_t last = memory[i].last >> map->shift;

                map->free += last - first + 1;
                if (i > 0) {
                        const uint64_t hole = (memory[i - 1].last >> map->shift) + 1;

                        if (hole < first)
                                bitmap_flip(map->words, hole - map->base, first - hole);
                }
        }
}

static int map_open(const struct range *memory, size_t n_memory, uint64_t granule_bytes, void **ret)
{
        struct map *map = calloc(1, sizeof(*map));

        if (!map)
                return -ENOMEM;
        map->shift = granule_shift(granule_bytes);
        map->base = memory[0].first >> map->shift;
        map->n = (memory[n_memory - 1].last >> map->shift) - map->base + 1;
        map->words = huge_array_new(words_bytes(map));
        if (!map->words) {
                free(map);
                return -ENOMEM;
        }
        take_holes(map, memory, n_memory);
        *ret = map;
        return 0;
}

/* The bits of the granules in a window, [*@ret_at, *@ret_end); false where there is none. */
static bool window_bits(const struct map *map, struct range window, uint64_t *ret_at,
                        uint64_t *ret_end)
{
        const struct range all = { map->base, map->base + (map->n - 1) };
        struct range granules;

        if (!granules_in(window, map->shift, &granules) ||
            !range_intersect(granules, all, &granules))
                return false;
        *ret_at = granules.first - map->base;
        *ret_end = granules.last - map->base + 1;
        return true;
}

/* First fit of @n granules in [@at, @end); false where nothing fits. */
static bool first_fit(const struct map *map, uint64_t at, uint64_t end, uint64_t n, uint64_t align,
                      uint64_t boundary, uint64_t *ret)
{
        while (at < end) {
                uint64_t granule, set;

                at = bitmap_next_clear(map->words, at, end);
                if (!align_up(map->base + at, align, &granule))
                        return false;
                at = granule - map->base;
                if (at > end || end - at < n)
                        return false;
                if (boundary && (granule & (boundary - 1)) + n > boundary) {
                        at += boundary - (granule & (boundary - 1));
                        continue;
                }
                set = bitmap_next_set(map->words, at, at + n);
                if (set == at + n) {
                        *ret = at;
                        return true;
                }
                at = set + 1;
        }
        return false;
}

static int map_find_bit(const struct map *map, const struct constraint *want, uint64_t *ret)
{
        const uint64_t n = granules_for(want->size_bytes, map->shift);
        const uint64_t align = want->align_bytes >> map->shift;
        uint64_t at, end;

        /* gen_pool, too, looks at what is available first. */
        if (n > map->free || !window_bits(map, want->window, &at, &end))
                return PAR_REFUSED_EXHAUSTED;
        if (!first_fit(map, at, end, n, align ? align : 1, want->boundary_bytes >> map->shift, ret))
                return PAR_REFUSED_FRAGMENTED;
        return 0;
}

static int map_find(const void *placer, const struct constraint *want, uint64_t *ret_first)
{
        const struct map *map = placer;
        uint64_t bit;
        int r;

        r = map_find_bit(map, want, &bit);
        if (!r)
                *ret_first = (map->base + bit) << map->shift;
        return r;
}

static int map_take(void *placer, const struct constraint *want, uint64_t *ret_first)
{
        struct map *map = placer;
        const uint64_t n = granules_for(want->size_bytes, map->shift);
        uint64_t bit;
        int r;

        r = map_find_bit(map, want, &bit);
        if (r)
                return r;
        bitmap_flip(map->words, bit, n);
        map->free -= n;
        *ret_first = (map->base + bit) << map->shift;
        return 0;
}

static void map_give(void *placer, uint64_t first, uint64_t size_bytes)
{
        struct map *map = placer;
        const uint64_t n = granules_for(size_bytes, map->shift);

        bitmap_flip(map->words, (first >> map->shift) - map->base, n);
        map->free += n;
}

static uint64_t map_free_bytes(const void *placer)
{
        const struct map *map = placer;

        return map->free << map->shift;
}

static uint64_t map_largest_bytes(const void *placer, struct range window)
{
        const struct map *map = placer;
        uint64_t at, end, longest = 0;

        if (!window_bits(map, window, &at, &end))
                return 0;
        while (at < end) {
                const uint64_t clear = bitmap_next_clear(map->words, at, end);

                at = bitmap_next_set(map->words, clear, end);
                if (at - clear > longest)
                        longest = at - clear;
        }
        return longest << map->shift;
}

static size_t map_metadata_bytes(const void *placer)
{
        const struct map *map = placer;

        return sizeof(*map) + words_bytes(map);
}

const struct placer_ops placer_bitmap = {
        .name = "bitmap",
        .open = map_open,
        .close = map_close,
        .find = map_find,
        .take = map_take,
        .give = map_give,
        .free_bytes = map_free_bytes,
        .largest_bytes = map_largest_bytes,
        .metadata_bytes = map_metadata_bytes,
        .linear = true,
};
