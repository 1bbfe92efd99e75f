/* SPDX-License-Identifier: MIT */
/*
 * Owns its array. Knows nothing of where the places come from.
 */
#include "places.h"

#include "segment.h"

#include <errno.h>
#include <stdlib.h>

void places_deinit(struct places *places)
{
        free(places->items);
        *places = (struct places){ 0 };
}

static int grow(struct places *places)
{
        const size_t room = places->room ? 2 * places->room : 16;
        struct range *items;

        if (room > SIZE_MAX / sizeof(*items))
                return -ENOMEM;
        items = realloc(places->items, room * sizeof(*items));
        if (!items)
                return -ENOMEM;
        places->items = items;
        places->room = room;
        return 0;
}

int places_add(struct places *places, struct range place)
{
        struct range *previous;
        int r;

        /* The way down through a run would otherwise leave a place for each of its blocks. */
        if (places->count) {
                previous = &places->items[places->count - 1];
                if (place.last != UINT64_MAX && place.last + 1 == previous->first) {
                        previous->first = place.first;
                        return 0;
                }
        }
        if (places->count == places->room) {
                r = grow(places);
                if (r)
                        return r;
        }
        places->items[places->count++] = place;
        return 0;
}

static void sift_down(struct range *items, size_t count, size_t i)
{
        const struct range moving = items[i];
        size_t child;

        while ((child = 2 * i + 1) < count) {
                if (child + 1 < count && items[child].first < items[child + 1].first)
                        child++;
                if (items[child].first < moving.first)
                        break;
                items[i] = items[child];
                i = child;
        }
        items[i] = moving;
}

/* A heap sort: qsort() may ask the system how much memory it has. */
static void sort(struct places *places)
{
        struct range *items = places->items;

        for (size_t i = places->count / 2; i-- > 0;)
                sift_down(items, places->count, i);
        for (size_t n = places->count; n > 1;) {
                const struct range highest = items[0];

                items[0] = items[--n];
                items[n] = highest;
                sift_down(items, n, 0);
        }
}

static void join_neighbours(struct places *places)
{
        struct range *items = places->items;
        size_t n = 0;

        for (size_t i = 1; i < places->count; i++) {
                if (items[n].last + 1 == items[i].first)
                        items[n].last = items[i].last;
                else
                        items[++n] = items[i];
        }
        if (places->count)
                places->count = n + 1;
}

void places_arrange(struct places *places, uint64_t page_bytes)
{
        const uint64_t mask = page_bytes - 1;
        struct range *items = places->items, odd;
        size_t i = 0;

        sort(places);
        join_neighbours(places);
        while (i < places->count && (items[i].last & mask) == mask)
                i++;
        if (i == places->count)
                return;
        odd = items[i];
        for (; i + 1 < places->count; i++)
                items[i] = items[i + 1];
        items[i] = odd;
}

uint64_t places_segments(const struct places *places, const struct constraint *want)
{
        uint64_t sum = 0;

        for (size_t i = 0; i < places->count; i++)
                sum += segment_count(want, places->items[i]);
        return sum;
}
