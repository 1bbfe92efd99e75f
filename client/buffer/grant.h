/* SPDX-License-Identifier: MIT */
/*
 * A grant while it arrives: replies become a mapped buffer.
 */
#pragma once

#include "handle.h"

/**
 * struct grant - an Alloc under way, and then the Extents that complete it
 * @request:     must be first
 * @par:         borrowed
 * @buffer:      being filled; its id is not 0 as soon as the daemon has granted it
 * @asked_bytes: what was asked for; 0: whatever it has
 * @told:        frames.told when the Alloc was sent
 * @cursor:      where its description goes on; 0: it is complete
 * @deadline_ms: of CLOCK_MONOTONIC, where it may wait
 * @cancelled:   the caller waits no longer
 * @whole:       it comes as a dma-buf: its frames are not ours to see
 * @fault:       0; or why the buffer has to be given back although all is well with the session:
 *               -EMFILE, -ENOMEM, another -errno of mmap(), or -ESTALE: it lies in a frame that was
 *               given up, or filled otherwise, while the answer was on its way. Ask again
 */
struct grant {
        struct request request;
        struct par *par;
        struct par_buffer *buffer;
        uint64_t asked_bytes, told, cursor;
        int64_t deadline_ms;
        bool cancelled;
        bool whole;
        int fault;
};

/* request::take of an Alloc and of an Extents whose request is that of a struct grant. */
int grant_take_alloc(struct request *request, const Wire__Reply *reply, struct packet *packet);
int grant_take_extents(struct request *request, const Wire__Reply *reply, struct packet *packet);

/* A grant that is described whole. @packet: with descriptors, of which it takes those of its own
 * frames. Return: as request::take. */
int grant_take_whole(struct grant *grant, const Wire__Grant *head, struct packet *packet);

/* The daemon took a buffer away, whole or half described: it lies where it is until it is given up,
 * and its frames are not kept then. With the lock held. */
void grant_revoked(struct par_buffer *buffer);

/* The frames of this buffer are unmapped with their last buffer, so that pard does not grant them
 * to us again. With the lock held. */
void grant_not_again(struct par_buffer *buffer);

/**
 * grant_give_up() - take a buffer apart, whole or half mapped
 *
 * Its frames lose a buffer and are perhaps unmapped; its number and its events are forgotten. With
 * the lock held. The daemon is not told.
 */
void grant_give_up(struct par *par, struct par_buffer *buffer);
