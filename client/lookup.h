/* SPDX-License-Identifier: MIT */
/*
 * From a pointer to the buffer it points into.
 */
#pragma once

#include "buffer.h"

#include <pthread.h>

RB_HEAD(address_tree, par_buffer);

/**
 * struct lookup - the buffers of a handle by address
 * @lock: read by par_dma_address(), written when a buffer comes or goes
 */
struct lookup {
        pthread_rwlock_t lock;
        struct address_tree by_address;
};

void lookup_init(struct lookup *lookup);
void lookup_deinit(struct lookup *lookup);

/**
 * lookup_insert() - make a whole buffer known
 * @buffer: borrowed until lookup_remove()
 *
 * Return: 0; -EPROTO where it overlaps another one: the daemon gave the same memory out twice.
 */
int lookup_insert(struct lookup *lookup, struct par_buffer *buffer);

/* Forget a buffer. */
void lookup_remove(struct lookup *lookup, struct par_buffer *buffer);
