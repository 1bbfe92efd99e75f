/* SPDX-License-Identifier: MIT */
/*
 * What one keeper leaves to the next: everything that it knows and the kernel does not, as a sealed
 * memfd of fixed records. The next one is the same process with another program (the descriptors
 * stay open under their numbers), or another process that has them from the service manager
 * (parking.h).
 *
 * The writer says how large its records are, and fields are only ever added at their ends: a reader
 * takes what it knows, and what a former version did not write is 0. Whenever something changes,
 * TAKEOVER_VERSION counts up, and the reader still reads TAKEOVER_OLDEST.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#define TAKEOVER_MAGIC   UINT64_C(0x7265766f656b6174) /* "takeover" */
#define TAKEOVER_VERSION 3u
#define TAKEOVER_OLDEST  1u /* that is understood */

enum takeover_flag {
        TAKEOVER_ANNOUNCED = 1, /* the service manager knows that it serves */
        TAKEOVER_FILLED = 2,    /* the pools were filled once */
        TAKEOVER_PARKED = 4,    /* @memfd of a slot: a place in the bundles; the others count not */
};

/**
 * struct takeover_listener - a listening socket
 * @fd, @lock_fd:    -1: none
 * @device, @inode:  of the socket's file, where it is our own; 0 otherwise
 */
struct takeover_listener {
        int32_t fd, lock_fd;
        uint64_t device, inode;
};

/**
 * struct takeover_head - at the beginning
 * @head_bytes, @slot_bytes: how large the writer's records are
 * @total_bytes:    of the memfd
 * @sum:            over all of it, with 0 for itself
 * @slots_offset:   @n_slots of struct takeover_slot
 * @backend_offset: @backend_bytes that the backend wrote
 * @room:           slots that there are
 * @flags:          enum takeover_flag
 * @starts:         workers started
 * @config_fd, @ledger_fd, @udmabuf_fd: -1: none
 * @n_parked:       frames' descriptors that were parked (since version 2)
 * @written_ns:     CLOCK_REALTIME then (since version 2)
 * @opener_fd:      descriptor of the opener, plus one (since version 3); 0: none
 */
struct takeover_head {
        uint64_t magic;
        uint32_t version, head_bytes;
        uint64_t total_bytes, sum;
        uint32_t slot_bytes, n_slots;
        uint64_t slots_offset, backend_offset, backend_bytes;
        uint32_t room, flags;
        uint64_t starts;
        int32_t config_fd, ledger_fd, udmabuf_fd, filler;
        struct takeover_listener listener, metrics;
        uint64_t n_parked, written_ns;
        int32_t opener_fd, filler_3;
};

enum takeover_slot_flag {
        TAKEOVER_HELD = 1, /* there is a frame; otherwise only @number and @generation count */
        TAKEOVER_GIVEN_UP = 2,
        TAKEOVER_POISONED = 4, /* which the worker knows */
        TAKEOVER_FRAME_PINNED = 8,
        TAKEOVER_FRAME_WAS_PINNED = 16,
        TAKEOVER_FRAME_SEALED = 32,
        TAKEOVER_FRAME_RELEASED = 64,
        TAKEOVER_FRAME_POISONED = 128,
};

/**
 * struct takeover_slot - a slot that has held a frame
 * @memfd: -1: none, or not any more
 * @flags: enum takeover_slot_flag
 * The rest as in struct slot and struct backend_frame.
 */
struct takeover_slot {
        uint32_t number, generation, pool, flags;
        uint64_t page_bytes, phys, told_phys;
        int32_t memfd, node;
        uint32_t pin, filler;
};

_Static_assert(sizeof(struct takeover_head) == 168 && sizeof(struct takeover_slot) == 56,
               "the same for every compiler; fields are only added, and the version counts up");

/**
 * struct takeover - one that was read
 * @head:    as far as the writer knew it; the rest is 0
 * @bytes:   @total_bytes of the whole, mapped; owned
 */
struct takeover {
        struct takeover_head head;
        const unsigned char *bytes;
        size_t total_bytes;
};

/**
 * takeover_write() - make the memfd
 * @head:    without the sizes, the offsets and the sum
 * @slots:   @n_slots of them
 * @backend: @backend_bytes; may be NULL
 * @ret_fd:  sealed, close-on-exec; owned by the caller
 *
 * Return: 0; negative errno.
 */
int takeover_write(const struct takeover_head *head, const struct takeover_slot *slots,
                   uint32_t n_slots, const void *backend, size_t backend_bytes, int *ret_fd);

/**
 * takeover_read() - map and check one
 * @fd:  borrowed
 * @ret: takeover_deinit() it
 *
 * Return: 0; -EPROTO: of a version that is not understood, or nothing of the kind; -EBADMSG: it
 * does not check; other negative errno.
 */
int takeover_read(int fd, struct takeover *ret);
void takeover_deinit(struct takeover *takeover);

/* The record of a slot, @i below head.n_slots; what the writer did not know is 0. */
struct takeover_slot takeover_slot(const struct takeover *takeover, uint32_t i);

/* What the backend wrote. */
static inline const void *takeover_backend(const struct takeover *takeover)
{
        return takeover->bytes + takeover->head.backend_offset;
}
