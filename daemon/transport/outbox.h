/* SPDX-License-Identifier: MIT */
/*
 * What a session has been told, or will be as soon as it reads: packets that wait for room in its
 * socket, with descriptors of their own.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/queue.h>

/*
 * Descriptors in flight count against pard as a whole, so a client that never reads must not have
 * many of them. Both limits are of one session.
 */
#define OUTBOX_DESCRIPTORS_MAX 64
#define OUTBOX_PACKETS_MAX     64

/**
 * struct outbox - embedded in a session
 * @socket:    borrowed
 * @n_queued:  packets that wait
 * @n_held:    descriptors that these own
 * @n_flying:  descriptors that were sent and perhaps not received
 * @dead:      the peer does not listen any more: everything goes nowhere
 */
struct outbox {
        int socket;
        TAILQ_HEAD(, outgoing) queue;
        size_t n_queued, n_held, n_flying;
        bool dead;
};

void outbox_init(struct outbox *outbox, int socket);
void outbox_deinit(struct outbox *outbox);

/* Nothing waits to be sent. */
static inline bool outbox_is_empty(const struct outbox *outbox)
{
        return outbox->n_queued == 0;
}

/* How many descriptors may be sent along now. Asks the kernel where that may have changed. */
size_t outbox_room(struct outbox *outbox);

/**
 * outbox_push() - send a packet now or as soon as the peer reads
 * @bytes:       copied where it must wait
 * @descriptors: @count of them, borrowed; duplicated where it must wait
 * @count:       at most outbox_room()
 *
 * Return: 0; -ENOBUFS where OUTBOX_PACKETS_MAX wait already; -EMFILE, -ENOMEM. On anything but 0
 * nothing is sent.
 */
int outbox_push(struct outbox *outbox, const void *bytes, size_t size, const int *descriptors,
                size_t count);

/**
 * outbox_flush() - send what can be sent
 *
 * Return: 0: nothing is left; -EAGAIN: the rest must wait until the socket is writable;
 * -ETOOMANYREFS: until other sessions have received theirs, which no event tells.
 */
int outbox_flush(struct outbox *outbox);
