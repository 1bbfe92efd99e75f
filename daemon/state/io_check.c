/* SPDX-License-Identifier: MIT */
/*
 * Walks every invariant of the I/O addresses that clients told, as check.c does those of the rest.
 */
#undef NDEBUG /* to check is all that this file does */

#include "buffer.h"
#include "io_index.h"

/**
 * struct walk - through a tree, in its order
 * @before: the part before; NULL at first
 * @n:      parts so far
 */
struct walk {
        const struct io_part *before;
        size_t n;
};

/* Return: the highest address of the parts below. */
static uint64_t walk_addresses(const struct io_part *part, bool present, struct walk *walk)
{
        uint64_t highest, right;

        if (!part)
                return 0;
        highest = walk_addresses(RB_LEFT(part, by_iova), present, walk);
        assert(!walk->before || walk->before->iova.first <= part->iova.first);
        assert(!part->mapping->buffer == !present);
        walk->before = part;
        walk->n++;
        right = walk_addresses(RB_RIGHT(part, by_iova), present, walk);
        highest = right > highest ? right : highest;
        highest = part->iova.last > highest ? part->iova.last : highest;
        assert(part->highest == highest);
        return highest;
}

static bool is_same_space(const struct io_part *a, const struct io_part *b)
{
        return a->mapping->client_id == b->mapping->client_id &&
               a->mapping->space == b->mapping->space;
}

static void walk_spaces(const struct io_part *part, struct walk *walk)
{
        if (!part)
                return;
        walk_spaces(RB_LEFT(part, by_space), walk);
        assert(part->mapping->buffer->io == part->mapping);
        assert(part->offset + (part->iova.last - part->iova.first) <
               part->mapping->buffer->size_bytes);
        assert(!walk->before || !is_same_space(walk->before, part) ||
               walk->before->iova.last < part->iova.first);
        walk->before = part;
        walk->n++;
        walk_spaces(RB_RIGHT(part, by_space), walk);
}

/* Return: parts of all former mappings. */
static size_t walk_ended(const struct io_index *index)
{
        const struct io_mapping *mapping;
        size_t n = 0, n_parts = 0;

        TAILQ_FOREACH (mapping, &index->ended, ended) {
                assert(mapping->uid_of->uid == mapping->uid);
                assert(mapping->uid_of->n_ended <= IO_PAST_UID_MAX);
                n_parts += mapping->n_parts;
                n++;
        }
        assert(n == index->n_ended && n <= IO_PAST_MAX);
        return n_parts;
}

void io_index_check(const struct io_index *index)
{
        struct walk now = { .n = 0 }, past = { .n = 0 }, spaces = { .n = 0 };

        walk_addresses(RB_ROOT(&index->now), true, &now);
        walk_addresses(RB_ROOT(&index->past), false, &past);
        walk_spaces(RB_ROOT(&index->spaces), &spaces);
        assert(spaces.n == now.n);
        assert(walk_ended(index) == past.n);
}
