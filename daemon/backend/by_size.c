/* SPDX-License-Identifier: MIT */
/*
 * Owns both backends. A frame goes back to the one that it came from, because its size tells which
 * that is. Refuses nothing itself.
 */
#include "by_size.h"

#include <errno.h>
#include <stdlib.h>

struct by_size {
        struct backend backend;
        uint64_t small_bytes;
        struct backend *small, *rest;
};

static struct by_size *by_size_of(struct backend *backend)
{
        return CONTAINER_OF(backend, struct by_size, backend);
}

static struct backend *which(struct backend *backend, uint64_t page_bytes)
{
        struct by_size *both = by_size_of(backend);

        return page_bytes == both->small_bytes ? both->small : both->rest;
}

static int by_size_take(struct backend *backend, uint64_t page_bytes, int node, struct range window,
                        bool must_pin, struct backend_frame *ret)
{
        struct backend *one = which(backend, page_bytes);

        return one->ops->take(one, page_bytes, node, window, must_pin, ret);
}

static int by_size_open_file(struct backend *backend, const struct backend_frame *frame,
                             int *ret_fd)
{
        struct backend *one = which(backend, frame->page_bytes);

        return one->ops->open_file(one, frame, ret_fd);
}

static int by_size_let_go(struct backend *backend, struct backend_frame *frame, bool owner_gone,
                          enum backend_holder *ret_holder)
{
        struct backend *one = which(backend, frame->page_bytes);

        return one->ops->let_go(one, frame, owner_gone, ret_holder);
}

static int by_size_release(struct backend *backend, struct backend_frame *frame,
                           enum backend_holder *ret_holder)
{
        struct backend *one = which(backend, frame->page_bytes);

        return one->ops->release(one, frame, ret_holder);
}

static int by_size_verify(struct backend *backend, const struct backend_frame *frame,
                          uint64_t *ret_phys)
{
        struct backend *one = which(backend, frame->page_bytes);

        return one->ops->verify(one, frame, ret_phys);
}

static int by_size_look(struct backend *backend, uint64_t page_bytes, int node, struct range window,
                        void (*visit)(void *data, uint64_t phys), void *data)
{
        struct backend *one = which(backend, page_bytes);

        return one->ops->look(one, page_bytes, node, window, visit, data);
}

static int by_size_more(struct backend *backend, uint64_t page_bytes, int node, uint64_t count,
                        uint64_t *ret_added)
{
        struct backend *one = which(backend, page_bytes);

        return one->ops->more(one, page_bytes, node, count, ret_added);
}

static void by_size_less(struct backend *backend, uint64_t page_bytes, int node, uint64_t count)
{
        struct backend *one = which(backend, page_bytes);

        one->ops->less(one, page_bytes, node, count);
}

static uint64_t by_size_demotable(struct backend *backend, uint64_t small_bytes)
{
        struct backend *one = which(backend, small_bytes);

        return one->ops->demotable(one, small_bytes);
}

static int by_size_demote(struct backend *backend, uint64_t page_bytes, int node,
                          uint64_t small_bytes)
{
        struct backend *one = which(backend, small_bytes);

        return one->ops->demote(one, page_bytes, node, small_bytes);
}

static int by_size_node_range(struct backend *backend, int node, struct range *ret)
{
        struct backend *rest = by_size_of(backend)->rest;

        return rest->ops->node_range(rest, node, ret);
}

static void by_size_set_keep_free(struct backend *backend, uint64_t bytes)
{
        struct backend *rest = by_size_of(backend)->rest;

        rest->ops->set_keep_free(rest, bytes);
}

/* Of a carve-out nothing has to be known but its frames. */
static int by_size_save(struct backend *backend, void **ret_bytes, size_t *ret_n)
{
        struct backend *rest = by_size_of(backend)->rest;

        return rest->ops->save(rest, ret_bytes, ret_n);
}

static int by_size_resume(struct backend *backend, const void *bytes, size_t n)
{
        struct backend *rest = by_size_of(backend)->rest;

        return rest->ops->resume(rest, bytes, n);
}

static int by_size_adopt(struct backend *backend, struct backend_frame *frame)
{
        struct backend *one = which(backend, frame->page_bytes);

        return one->ops->adopt(one, frame);
}

static int by_size_reclaim(struct backend *backend, struct backend_frame *frame)
{
        struct backend *one = which(backend, frame->page_bytes);

        return one->ops->reclaim(one, frame);
}

static void by_size_reclaimed(struct backend *backend)
{
        struct backend *rest = by_size_of(backend)->rest;

        rest->ops->reclaimed(rest);
}

static void by_size_deinit(struct backend *backend)
{
        struct by_size *both = by_size_of(backend);

        backend_free(both->small);
        backend_free(both->rest);
}

static const struct backend_ops by_size_ops = {
        .name = "by_size",
        .take = by_size_take,
        .open_file = by_size_open_file,
        .let_go = by_size_let_go,
        .release = by_size_release,
        .verify = by_size_verify,
        .deinit = by_size_deinit,
        .look = by_size_look,
        .more = by_size_more,
        .less = by_size_less,
        .demotable = by_size_demotable,
        .demote = by_size_demote,
        .node_range = by_size_node_range,
        .set_keep_free = by_size_set_keep_free,
        .save = by_size_save,
        .resume = by_size_resume,
        .adopt = by_size_adopt,
        .reclaim = by_size_reclaim,
        .reclaimed = by_size_reclaimed,
};

int by_size_new(uint64_t small_bytes, struct backend *small, struct backend *rest,
                struct backend **ret)
{
        struct by_size *both;

        both = calloc(1, sizeof(*both));
        if (!both) {
                backend_free(small);
                backend_free(rest);
                return -ENOMEM;
        }
        *both = (struct by_size){
                .backend = { .ops = &by_size_ops,
                             .can_pin = rest->can_pin,
                             .takers = rest->takers },
                .small_bytes = small_bytes,
                .small = small,
                .rest = rest,
        };
        *ret = &both->backend;
        return 0;
}
