/* SPDX-License-Identifier: MIT */
/*
 * Owns rings that are used for their buffer tables alone: nothing is ever submitted. A pin number
 * is the ring's number times the size of its table plus the place in it; each is either in use or
 * on the free list. Refuses to grow beyond PINS_RINGS_MAX rings.
 */
#include "pins.h"

#include "macros.h"

#include <assert.h>
#include <errno.h>
#include <liburing.h>
#include <stdlib.h>

struct pins_ring {
        struct io_uring ring;
};

static int ring_new(struct pins_ring **ret)
{
        struct pins_ring *ring;
        int r;

        ring = calloc(1, sizeof(*ring));
        if (!ring)
                return -ENOMEM;

        r = io_uring_queue_init(1, &ring->ring, 0);
        if (r) {
                free(ring);
                return r;
        }
        r = io_uring_register_buffers_sparse(&ring->ring, PINS_A_RING);
        if (r) {
                io_uring_queue_exit(&ring->ring);
                free(ring);
                return r;
        }
        *ret = ring;
        return 0;
}

static int add_ring(struct pins *pins)
{
        uint32_t *larger;
        uint32_t first;
        int r;

        if (pins->n_rings == PINS_RINGS_MAX)
                return -ENOSPC;
        larger = reallocarray(pins->free, (pins->n_rings + 1) * (size_t)PINS_A_RING,
                              sizeof(*larger));
        if (!larger)
                return -ENOMEM;
        pins->free = larger;

        r = ring_new(&pins->rings[pins->n_rings]);
        if (r)
                return r;
        first = pins->n_rings++ * PINS_A_RING;
        for (uint32_t i = PINS_A_RING; i-- > 0;)
                pins->free[pins->n_free++] = first + i;
        return 0;
}

int pins_init(struct pins *pins)
{
        int r;

        *pins = (struct pins){ .n_rings = 0 };
        r = add_ring(pins);
        if (r) {
                free(pins->free);
                return r;
        }
        pthread_mutex_init(&pins->lock, NULL);
        return 0;
}

void pins_deinit(struct pins *pins)
{
        for (unsigned i = 0; i < pins->n_rings; i++) {
                io_uring_queue_exit(&pins->rings[i]->ring);
                free(pins->rings[i]);
        }
        free(pins->free);
        pthread_mutex_destroy(&pins->lock);
}

static struct io_uring *ring_of(struct pins *pins, uint32_t pin)
{
        struct pins_ring *ring;

        pthread_mutex_lock(&pins->lock);
        assert(pin / PINS_A_RING < pins->n_rings);
        ring = pins->rings[pin / PINS_A_RING];
        pthread_mutex_unlock(&pins->lock);
        return &ring->ring;
}

static int take_number(struct pins *pins, uint32_t *ret)
{
        int r = 0;

        pthread_mutex_lock(&pins->lock);
        if (!pins->n_free)
                r = add_ring(pins);
        if (!r)
                *ret = pins->free[--pins->n_free];
        pthread_mutex_unlock(&pins->lock);
        return r;
}

static void return_number(struct pins *pins, uint32_t pin)
{
        pthread_mutex_lock(&pins->lock);
        pins->free[pins->n_free++] = pin;
        pthread_mutex_unlock(&pins->lock);
}

static int update(struct pins *pins, uint32_t pin, struct iovec at)
{
        __u64 tag = 0;
        int n;

        n = io_uring_register_buffers_update_tag(ring_of(pins, pin), pin % PINS_A_RING, &at, &tag,
                                                 1);
        if (n < 0)
                return n;
        return n == 1 ? 0 : -EIO;
}

int pins_add(struct pins *pins, struct iovec at, uint32_t *ret_pin)
{
        uint32_t pin;
        int r;

        r = take_number(pins, &pin);
        if (r)
                return r;
        r = update(pins, pin, at);
        if (r) {
                return_number(pins, pin);
                return r;
        }
        *ret_pin = pin;
        return 0;
}

void pins_remove(struct pins *pins, uint32_t pin)
{
        /* A slot that cannot be emptied is never used again, rather than used twice. */
        if (update(pins, pin, (struct iovec){ NULL, 0 }) == 0)
                return_number(pins, pin);
}
