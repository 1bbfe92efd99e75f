/* SPDX-License-Identifier: MIT */
/*
 * Owns the order of the buffers by address, for par_dma_address().
 *
 * Invariant: the buffers in the tree are whole and do not overlap. Refuses to share the handle's
 * lock: a look-up never waits for a request.
 */
#include "lookup.h"

#include "handle.h"

#include <errno.h>

static int address_compare(const struct par_buffer *a, const struct par_buffer *b)
{
        return (a->data > b->data) - (a->data < b->data);
}

TREE_GENERATE(address_tree, par_buffer, by_address, address_compare)

void lookup_init(struct lookup *lookup)
{
        pthread_rwlock_init(&lookup->lock, NULL);
        RB_INIT(&lookup->by_address);
}

void lookup_deinit(struct lookup *lookup)
{
        pthread_rwlock_destroy(&lookup->lock);
}

/* The buffer that starts at @pointer or is the last to start before it; NULL: none. */
static struct par_buffer *find_before(struct lookup *lookup, const char *pointer)
{
        struct par_buffer *at = RB_ROOT(&lookup->by_address), *best = NULL;

        while (at) {
                if (at->data <= pointer) {
                        best = at;
                        at = RB_RIGHT(at, by_address);
                } else {
                        at = RB_LEFT(at, by_address);
                }
        }
        return best;
}

int lookup_insert(struct lookup *lookup, struct par_buffer *buffer)
{
        const struct par_buffer *before;
        int r = 0;

        pthread_rwlock_wrlock(&lookup->lock);
        before = find_before(lookup, buffer->data + buffer->size - 1);
        if (before && before->data + before->size > buffer->data)
                r = -EPROTO;
        else
                RB_INSERT(address_tree, &lookup->by_address, buffer);
        pthread_rwlock_unlock(&lookup->lock);
        return r;
}

void lookup_remove(struct lookup *lookup, struct par_buffer *buffer)
{
        pthread_rwlock_wrlock(&lookup->lock);
        RB_REMOVE(address_tree, &lookup->by_address, buffer);
        pthread_rwlock_unlock(&lookup->lock);
}

int par_dma_address(struct par *par, const void *pointer, uint64_t *ret_dma,
                    size_t *ret_contiguous_bytes)
{
        const struct par_segment *segment;
        const struct par_buffer *buffer;
        uint64_t offset, into;
        int r;

        if (ret_dma)
                *ret_dma = 0;
        if (ret_contiguous_bytes)
                *ret_contiguous_bytes = 0;
        r = handle_check(par);
        if (r)
                return r;
        if (!ret_dma)
                return error_set(-EINVAL, "no place for the address");

        pthread_rwlock_rdlock(&par->lookup.lock);
        buffer = find_before(&par->lookup, pointer);
        offset = buffer ? (uint64_t)((const char *)pointer - buffer->data) : 0;
        if (buffer && offset < buffer->size && buffer_check_dma(buffer)) {
                r = -PAR_DENIED;
        } else if (buffer && offset < buffer->size) {
                segment = buffer_segment_at(buffer, offset);
                into = offset - segment->offset;
                *ret_dma = segment->dma + into;
                if (ret_contiguous_bytes)
                        *ret_contiguous_bytes = segment->length - into;
        } else {
                r = error_set(-EFAULT, "no buffer at %p", pointer);
        }
        pthread_rwlock_unlock(&par->lookup.lock);
        return r;
}
