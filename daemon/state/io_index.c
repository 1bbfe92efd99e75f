/* SPDX-License-Identifier: MIT */
/*
 * Owns all mappings, present and former.
 *
 * Invariant: of a client's space no two present mappings overlap, since no IOMMU maps an address
 * twice: whoever tells of a second one has unmapped the first. Of a client, a label and the same
 * addresses one former mapping is remembered, the latest. Refuses to grow with former mappings.
 */
#include "io_index.h"

#include "buffer.h"
#include "macros.h"

#include <errno.h>
#include <stdlib.h>

static int space_compare(const struct io_part *a, const struct io_part *b)
{
        if (a->mapping->client_id != b->mapping->client_id)
                return a->mapping->client_id < b->mapping->client_id ? -1 : 1;
        if (a->mapping->space != b->mapping->space)
                return a->mapping->space < b->mapping->space ? -1 : 1;
        if (a->iova.first != b->iova.first)
                return a->iova.first < b->iova.first ? -1 : 1;
        return 0;
}

static int uid_compare(const struct io_uid *a, const struct io_uid *b)
{
        return (a->uid > b->uid) - (a->uid < b->uid);
}

TREE_GENERATE(io_space_tree, io_part, by_space, space_compare)
TREE_GENERATE(io_uid_tree, io_uid, by_uid, uid_compare)

/* ---- uids ----------------------------------------------------------------------------------- */

/* The uid's, with one mapping more. Return: 0; -ENOMEM. */
static int uid_get(struct io_index *index, uint32_t uid, struct io_uid **ret)
{
        struct io_uid key = { .uid = uid }, *found = RB_FIND(io_uid_tree, &index->uids, &key);

        if (!found) {
                found = calloc(1, sizeof(*found));
                if (!found)
                        return -ENOMEM;
                found->uid = uid;
                TAILQ_INIT(&found->ended);
                RB_INSERT(io_uid_tree, &index->uids, found);
        }
        found->n_mappings++;
        *ret = found;
        return 0;
}

static void uid_put(struct io_index *index, struct io_uid *uid)
{
        if (--uid->n_mappings)
                return;
        RB_REMOVE(io_uid_tree, &index->uids, uid);
        free(uid);
}

/* ---- former ones ---------------------------------------------------------------------------- */

static void forget(struct io_index *index, struct io_mapping *mapping)
{
        for (size_t i = 0; i < mapping->n_parts; i++)
                io_tree_remove(&index->past, &mapping->parts[i]);
        TAILQ_REMOVE(&index->ended, mapping, ended);
        TAILQ_REMOVE(&mapping->uid_of->ended, mapping, ended_uid);
        index->n_ended--;
        mapping->uid_of->n_ended--;
        uid_put(index, mapping->uid_of);
        io_mapping_free(mapping);
}

static void remember(struct io_index *index, struct io_mapping *mapping)
{
        struct io_part *same = io_tree_same(&index->past, &mapping->parts[0]);
        struct io_uid *uid = mapping->uid_of;

        if (same)
                forget(index, same->mapping);
        for (size_t i = 0; i < mapping->n_parts; i++)
                io_tree_insert(&index->past, &mapping->parts[i]);
        TAILQ_INSERT_TAIL(&index->ended, mapping, ended);
        TAILQ_INSERT_TAIL(&uid->ended, mapping, ended_uid);
        index->n_ended++;
        uid->n_ended++;
        if (uid->n_ended > IO_PAST_UID_MAX)
                forget(index, TAILQ_FIRST(&uid->ended));
        if (index->n_ended > IO_PAST_MAX)
                forget(index, TAILQ_FIRST(&index->ended));
}

/* ---- present ones --------------------------------------------------------------------------- */

static void unlink_parts(struct io_index *index, struct io_mapping *mapping)
{
        for (size_t i = 0; i < mapping->n_parts; i++) {
                io_tree_remove(&index->now, &mapping->parts[i]);
                RB_REMOVE(io_space_tree, &index->spaces, &mapping->parts[i]);
        }
}

void io_index_end(struct io_index *index, struct io_mapping *mapping, uint64_t now_ns)
{
        unlink_parts(index, mapping);
        io_mapping_end(mapping, now_ns);
        remember(index, mapping);
}

void io_index_end_buffer(struct io_index *index, struct buffer *buffer, uint64_t until_ns)
{
        struct io_mapping *mapping = buffer->io;

        if (!mapping)
                return;
        unlink_parts(index, mapping);
        io_mapping_end_with_buffer(mapping, until_ns);
        remember(index, mapping);
}

/* The first part of the space that reaches to the beginning of this one, or begins after it. */
static struct io_part *part_from(struct io_index *index, struct io_part *part)
{
        struct io_part *at = RB_NFIND(io_space_tree, &index->spaces, part), *before;

        before = at ? RB_PREV(io_space_tree, &index->spaces, at)
                    : RB_MAX(io_space_tree, &index->spaces);
        if (before && before->mapping->client_id == part->mapping->client_id &&
            before->mapping->space == part->mapping->space && before->iova.last >= part->iova.first)
                return before;
        return at;
}

/* Another buffer's part in the same space that is in the way; NULL: there is none. @after: the one
 * before it; NULL: the first. */
static struct io_part *in_the_way(struct io_index *index, struct io_part *part,
                                  struct io_part *after)
{
        struct io_part *at =
                after ? RB_NEXT(io_space_tree, &index->spaces, after) : part_from(index, part);

        if (!at || at->mapping->client_id != part->mapping->client_id ||
            at->mapping->space != part->mapping->space || at->iova.first > part->iova.last)
                return NULL;
        return at;
}

/* Return: 0; PAR_REFUSED_BUSY. */
static int count_in_the_way(struct io_index *index, struct io_mapping *mapping)
{
        size_t n = 0;

        for (size_t i = 0; i < mapping->n_parts; i++) {
                struct io_part *at = NULL;

                while ((at = in_the_way(index, &mapping->parts[i], at)))
                        if (++n > IO_REPLACED_MAX)
                                return PAR_REFUSED_BUSY;
        }
        return 0;
}

int io_index_put(struct io_index *index, struct io_mapping *mapping, uint64_t now_ns)
{
        struct buffer *buffer = mapping->buffer;
        struct io_part *at;
        int r;

        r = count_in_the_way(index, mapping);
        if (!r)
                r = uid_get(index, mapping->uid, &mapping->uid_of);
        if (r) {
                io_mapping_free(mapping);
                return r;
        }

        /* From here on nothing fails. */
        mapping->number = ++index->last_number;
        if (buffer->io)
                io_index_end(index, buffer->io, now_ns);
        for (size_t i = 0; i < mapping->n_parts; i++)
                while ((at = in_the_way(index, &mapping->parts[i], NULL)))
                        io_index_end(index, at->mapping, now_ns);
        for (size_t i = 0; i < mapping->n_parts; i++) {
                io_tree_insert(&index->now, &mapping->parts[i]);
                RB_INSERT(io_space_tree, &index->spaces, &mapping->parts[i]);
        }
        buffer->io = mapping;
        return 0;
}

/* ---- life ----------------------------------------------------------------------------------- */

void io_index_init(struct io_index *index)
{
        *index = (struct io_index){ .n_ended = 0 };
        TAILQ_INIT(&index->ended);
}

void io_index_deinit(struct io_index *index)
{
        struct io_mapping *mapping;
        struct io_part *part;

        while ((mapping = TAILQ_FIRST(&index->ended)))
                forget(index, mapping);
        while ((part = RB_ROOT(&index->spaces))) {
                mapping = part->mapping;
                unlink_parts(index, mapping);
                uid_put(index, mapping->uid_of);
                io_mapping_free(mapping);
        }
}
