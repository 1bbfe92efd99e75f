/* SPDX-License-Identifier: MIT */
/*
 * Owns the spaces; makes them when the first change is reserved, so that a node that is not there
 * costs a pointer.
 */
#include "node_spaces.h"

#include "state.h"

int node_spaces_reserve(struct node_spaces *spaces, unsigned index, size_t n_changes)
{
        int r;

        assert(index < NODE_INDEXES);

        if (!spaces->of[index]) {
                r = space_new(GRANULE_BYTES, &spaces->of[index]);
                if (r)
                        return r;
        }
        return space_reserve(spaces->of[index], n_changes);
}

void node_spaces_deinit(struct node_spaces *spaces)
{
        for (unsigned i = 0; i < NODE_INDEXES; i++) {
                space_free(spaces->of[i]);
                spaces->of[i] = NULL;
        }
}

uint64_t node_spaces_bytes(const struct node_spaces *spaces)
{
        uint64_t bytes = 0;

        for (unsigned i = 0; i < NODE_INDEXES; i++)
                if (spaces->of[i])
                        bytes += space_bytes(spaces->of[i]);
        return bytes;
}

uint64_t node_spaces_bytes_in(const struct node_spaces *spaces, struct range window)
{
        uint64_t bytes = 0;

        for (unsigned i = 0; i < NODE_INDEXES; i++)
                if (spaces->of[i])
                        bytes += space_bytes_in(spaces->of[i], window);
        return bytes;
}

size_t node_spaces_ranges(const struct node_spaces *spaces)
{
        size_t n = 0;

        for (unsigned i = 0; i < NODE_INDEXES; i++)
                if (spaces->of[i])
                        n += space_ranges(spaces->of[i]);
        return n;
}

void space_list_add(struct space_list *list, const struct node_spaces *spaces, uint64_t nodes)
{
        if (!spaces)
                return;
        for (unsigned i = 0; i < NODE_INDEXES; i++) {
                bool wanted = !nodes || (i < NODES_MAX && nodes >> i & 1);

                if (!wanted || !spaces->of[i] || !space_bytes(spaces->of[i]))
                        continue;
                assert(list->count < sizeof(list->of) / sizeof(list->of[0]));
                list->of[list->count++] = spaces->of[i];
        }
}
