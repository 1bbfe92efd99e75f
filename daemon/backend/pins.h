/* SPDX-License-Identifier: MIT */
/*
 * Pins: memory registered with io_uring rings, which the kernel does not move. They outlive the
 * mapping they were made through, and end with the rings.
 */
#pragma once

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#define PINS_A_RING    16384u /* IORING_MAX_REG_BUFFERS of the kernel */
#define PINS_RINGS_MAX 64u
#define PINS_NONE      UINT32_MAX          /* the number of no pin */
#define PINS_BYTES_MAX (UINT64_C(1) << 30) /* longest registered buffer */

/**
 * struct pins - all pins of a process
 * @lock:  over everything below; not held while the kernel pins
 * @rings: @n_rings entries, owned; never moved or removed before pins_deinit()
 * @free:  @n_free pin numbers that are not used, owned; room for every slot of every ring
 * @ending: for every slot of every ring, whether its pin was removed and goes on for the moment;
 *         owned
 */
struct pins {
        pthread_mutex_t lock;
        struct pins_ring *rings[PINS_RINGS_MAX];
        unsigned n_rings;
        uint32_t *free;
        uint32_t n_free;
        bool *ending;
};

/**
 * pins_init() - make the first rings
 * @n: pins for which there is room from the start; at least one ring is made
 *
 * A ring that is made with CAP_IPC_LOCK never counts against RLIMIT_MEMLOCK; and where
 * kernel.io_uring_disabled says so only CAP_SYS_ADMIN can make one. So those that will be needed
 * are made before these are given up.
 *
 * Return: 0; negative errno where this system gives no ring, or one without sparse tables (before
 * Linux 5.19). pins_deinit() is then neither needed nor allowed.
 */
int pins_init(struct pins *pins, uint32_t n);

/* End all pins. */
void pins_deinit(struct pins *pins);

/**
 * pins_add() - pin memory
 * @at:      address and length; a hugepage is pinned by any part of it. The mapping may go away
 * @ret_pin: number of the pin, for pins_remove()
 *
 * Return: 0; -ENOSPC where there is no slot left; negative errno of io_uring_register().
 */
int pins_add(struct pins *pins, struct iovec at, uint32_t *ret_pin);

/**
 * pins_remove() - end a pin
 *
 * An older kernel ends it only up to a second later: see pins_ended().
 */
void pins_remove(struct pins *pins, uint32_t pin);

/**
 * pins_ended() - does the kernel no longer pin what was removed?
 * @pin: that was removed
 */
bool pins_ended(struct pins *pins, uint32_t pin);

/**
 * pins_save() - write down what the next program of this process must know of them
 * @ret_bytes: owned by the caller: free()
 *
 * The rings stay open over exec, and with them all pins.
 *
 * Return: 0; -ENOMEM; other negative errno.
 */
int pins_save(struct pins *pins, void **ret_bytes, size_t *ret_n);

/**
 * pins_resume() - go on with the pins of the former program
 * @pins:  not initialised
 * @bytes: what pins_save() wrote; borrowed
 *
 * Return: 0; -EPROTO where that makes no sense; other negative errno. On failure pins_deinit() is
 * neither needed nor allowed.
 */
int pins_resume(struct pins *pins, const void *bytes, size_t n);
