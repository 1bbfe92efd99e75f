/* SPDX-License-Identifier: MIT */
/*
 * A binary heap. Owns its array.
 */
#include "candidates.h"

#include <errno.h>
#include <stdlib.h>

static bool before(const struct candidate *a, const struct candidate *b)
{
        const uint64_t bytes_a = a->at.last - a->at.first, bytes_b = b->at.last - b->at.first;

        if (bytes_a != bytes_b)
                return bytes_a > bytes_b;
        if ((a->kind == CANDIDATE_GAP) != (b->kind == CANDIDATE_GAP))
                return a->kind == CANDIDATE_GAP;
        return a->at.first > b->at.first;
}

void candidates_deinit(struct candidates *heap)
{
        free(heap->items);
        *heap = (struct candidates){ 0 };
}

static int grow(struct candidates *heap)
{
        const size_t room = heap->room ? 2 * heap->room : 16;
        struct candidate *items;

        if (room > SIZE_MAX / sizeof(*items))
                return -ENOMEM;
        items = realloc(heap->items, room * sizeof(*items));
        if (!items)
                return -ENOMEM;
        heap->items = items;
        heap->room = room;
        return 0;
}

int candidates_push(struct candidates *heap, const struct candidate *item)
{
        size_t i = heap->count;
        int r;

        if (heap->count == heap->room) {
                r = grow(heap);
                if (r)
                        return r;
        }
        heap->count++;
        for (; i && before(item, &heap->items[(i - 1) / 2]); i = (i - 1) / 2)
                heap->items[i] = heap->items[(i - 1) / 2];
        heap->items[i] = *item;
        return 0;
}

bool candidates_pop(struct candidates *heap, struct candidate *ret)
{
        struct candidate *items = heap->items, moving;
        size_t i = 0, child;

        if (!heap->count)
                return false;
        *ret = items[0];
        moving = items[--heap->count];
        while ((child = 2 * i + 1) < heap->count) {
                if (child + 1 < heap->count && before(&items[child + 1], &items[child]))
                        child++;
                if (!before(&items[child], &moving))
                        break;
                items[i] = items[child];
                i = child;
        }
        items[i] = moving;
        return true;
}
