/* SPDX-License-Identifier: MIT */
/*
 * An ordered queue of embedded entries. Owns none of them and allocates nothing, so setting a time
 * cannot fail.
 */
#include "due.h"

#include <assert.h>
#include <stddef.h>

static int due_compare(const struct due *a, const struct due *b)
{
        if (a->at_ns != b->at_ns)
                return a->at_ns < b->at_ns ? -1 : 1;
        if (a->order != b->order)
                return a->order < b->order ? -1 : 1;
        return 0;
}

TREE_GENERATE(due_tree, due, link, due_compare)

void due_init(struct due *due, enum due_kind kind)
{
        due->at_ns = DUE_NEVER;
        due->kind = kind;
}

void due_set(struct due_queue *queue, struct due *due, uint64_t at_ns)
{
        assert(at_ns != DUE_NEVER);

        due_cancel(queue, due);
        due->at_ns = at_ns;
        due->order = ++queue->last_order;
        RB_INSERT(due_tree, &queue->tree, due);
}

void due_cancel(struct due_queue *queue, struct due *due)
{
        if (!due_is_set(due))
                return;
        RB_REMOVE(due_tree, &queue->tree, due);
        due->at_ns = DUE_NEVER;
}

struct due *due_first(const struct due_queue *queue)
{
        struct due_tree tree = queue->tree; /* RB_MIN wants a head that it may write */

        return RB_MIN(due_tree, &tree);
}
