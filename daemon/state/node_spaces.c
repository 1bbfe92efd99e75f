/* SPDX-License-Identifier: MIT */
/*
 * Owns the spaces; makes them when something is held in them first, so that a node that is not
 * there costs a pointer. Changes only what is held: who changes anything else has made a mistake.
 */
#include "node_spaces.h"

#include "state.h"

int node_spaces_hold(struct node_spaces *spaces, unsigned index, struct range range,
                     uint64_t grain_bytes)
{
        int r;

        assert(index < NODE_INDEXES);

        if (!spaces->of[index]) {
                r = space_new(GRANULE_BYTES, &spaces->of[index]);
                if (r)
                        return r;
                if (index >= spaces->count)
                        spaces->count = index + 1;
        }
        return space_hold(spaces->of[index], range, grain_bytes);
}

void node_spaces_release(struct node_spaces *spaces, unsigned index, struct range range,
                         uint64_t grain_bytes)
{
        space_release(spaces->of[index], range, grain_bytes);
}

void node_spaces_add(struct node_spaces *spaces, unsigned index, struct range range)
{
        int r = space_add(spaces->of[index], range);

        assert(!r);
        (void)r;
}

void node_spaces_remove(struct node_spaces *spaces, unsigned index, struct range range)
{
        int r = space_remove(spaces->of[index], range);

        assert(!r);
        (void)r;
}

void node_spaces_clear(struct node_spaces *spaces, unsigned index, struct range range)
{
        int r = space_clear(spaces->of[index], range);

        assert(!r);
        (void)r;
}

void node_spaces_deinit(struct node_spaces *spaces)
{
        for (unsigned i = 0; i < spaces->count; i++)
                space_free(spaces->of[i]);
        *spaces = (struct node_spaces){ 0 };
}

uint64_t node_spaces_bytes(const struct node_spaces *spaces)
{
        uint64_t bytes = 0;

        for (unsigned i = 0; i < spaces->count; i++)
                if (spaces->of[i])
                        bytes += space_bytes(spaces->of[i]);
        return bytes;
}

uint64_t node_spaces_bytes_in(const struct node_spaces *spaces, struct range window)
{
        uint64_t bytes = 0;

        for (unsigned i = 0; i < spaces->count; i++)
                if (spaces->of[i])
                        bytes += space_bytes_in(spaces->of[i], window);
        return bytes;
}

void space_list_add(struct space_list *list, const struct node_spaces *spaces, uint64_t nodes)
{
        if (!spaces)
                return;
        for (unsigned i = 0; i < spaces->count; i++) {
                bool wanted = !nodes || (i < NODES_MAX && nodes >> i & 1);

                if (!wanted || !spaces->of[i] || !space_bytes(spaces->of[i]))
                        continue;
                assert(list->count < sizeof(list->of) / sizeof(list->of[0]));
                list->of[list->count++] = spaces->of[i];
        }
}
