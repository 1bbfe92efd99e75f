/* SPDX-License-Identifier: MIT */
/*
 * Makes dma-bufs on a thread of its own, one at a time: pinning takes longer than the event loop
 * has.
 */
#pragma once

#include "udmabuf.h"

struct dmabuf_maker;

/**
 * dmabuf_maker_new() - without a thread; it is started with the first dma-buf
 * @device: an open /dev/udmabuf; borrowed until dmabuf_maker_free()
 * @ret:    owned by the caller: dmabuf_maker_free()
 *
 * Return: 0; -ENOMEM; other negative errno.
 */
int dmabuf_maker_new(int device, struct dmabuf_maker **ret);

/* Waits until what it began is made, which nobody else can delay. NULL is fine. */
void dmabuf_maker_free(struct dmabuf_maker *maker);

/* Readable while there is something to take; borrowed. */
int dmabuf_maker_fd(const struct dmabuf_maker *maker);

/**
 * dmabuf_maker_begin() - have one made
 * @parts: @count of them, on the heap; consumed with their files, also on failure
 *
 * Only while none is under way.
 *
 * Return: 0: dmabuf_maker_take() tells; -EAGAIN where there is no thread and none can be started.
 */
int dmabuf_maker_begin(struct dmabuf_maker *maker, struct udmabuf_part *parts, size_t count);

/**
 * dmabuf_maker_take() - the one that was begun
 * @ret_result: of udmabuf_create()
 * @ret_fd:     the dma-buf, owned by the caller; -1 where it was not made
 *
 * Return: 0; -EAGAIN where it is not made yet, or none was begun.
 */
int dmabuf_maker_take(struct dmabuf_maker *maker, int *ret_result, int *ret_fd);
