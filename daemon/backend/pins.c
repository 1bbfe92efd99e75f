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

/* A tag of 0 is none. */
#define FIRST_TAG UINT64_C(1)

/* Completions that wait to be read; the kernel keeps more than these, more slowly. */
#define RING_COMPLETIONS 1024u

struct pins_ring {
        struct io_uring ring;
};

static int ring_new(struct pins_ring **ret)
{
        struct io_uring_params params = { .flags = IORING_SETUP_CQSIZE,
                                          .cq_entries = RING_COMPLETIONS };
        struct pins_ring *ring;
        int r;

        ring = calloc(1, sizeof(*ring));
        if (!ring)
                return -ENOMEM;

        r = io_uring_queue_init_params(1, &ring->ring, &params);
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

/* Room in the books for one ring more. */
static int make_room(struct pins *pins)
{
        size_t room = (pins->n_rings + 1) * (size_t)PINS_A_RING;
        uint32_t *larger_free;
        bool *larger_ending;

        larger_free = reallocarray(pins->free, room, sizeof(*larger_free));
        if (!larger_free)
                return -ENOMEM;
        pins->free = larger_free;
        larger_ending = reallocarray(pins->ending, room, sizeof(*larger_ending));
        if (!larger_ending)
                return -ENOMEM;
        pins->ending = larger_ending;
        return 0;
}

static void return_number(struct pins *pins, uint32_t pin)
{
        pins->ending[pin] = false;
        pins->free[pins->n_free++] = pin;
}

static int add_ring(struct pins *pins)
{
        uint32_t first;
        int r;

        if (pins->n_rings == PINS_RINGS_MAX)
                return -ENOSPC;
        r = make_room(pins);
        if (r)
                return r;

        r = ring_new(&pins->rings[pins->n_rings]);
        if (r)
                return r;
        first = pins->n_rings++ * PINS_A_RING;
        for (uint32_t i = PINS_A_RING; i-- > 0;)
                return_number(pins, first + i);
        return 0;
}

int pins_init(struct pins *pins)
{
        int r;

        *pins = (struct pins){ .n_rings = 0 };
        r = add_ring(pins);
        if (r) {
                free(pins->free);
                free(pins->ending);
                return r;
        }
        pthread_mutex_init(&pins->lock, NULL);
        return 0;
}

void pins_deinit(struct pins *pins)
{
        for (unsigned i = 0; i < pins->n_rings; i++) {
                /* The kernel takes a ring apart in the background, some time after its end; this
                 * unpins now, so that the pages can go back before we say that they have. */
                (void)io_uring_unregister_buffers(&pins->rings[i]->ring);
                io_uring_queue_exit(&pins->rings[i]->ring);
                free(pins->rings[i]);
        }
        free(pins->free);
        free(pins->ending);
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

/* The kernel tells of pins that ended: their numbers may be used again. @lock is held. */
static void hear_of_ends(struct pins *pins)
{
        struct io_uring_cqe *cqe;

        for (unsigned i = 0; i < pins->n_rings; i++) {
                struct io_uring *ring = &pins->rings[i]->ring;

                while (io_uring_peek_cqe(ring, &cqe) == 0) {
                        return_number(pins, (uint32_t)(cqe->user_data - FIRST_TAG));
                        io_uring_cqe_seen(ring, cqe);
                }
        }
}

static int take_number(struct pins *pins, uint32_t *ret)
{
        int r = 0;

        pthread_mutex_lock(&pins->lock);
        if (!pins->n_free)
                hear_of_ends(pins);
        if (!pins->n_free)
                r = add_ring(pins);
        if (!r)
                *ret = pins->free[--pins->n_free];
        pthread_mutex_unlock(&pins->lock);
        return r;
}

/* The tag is posted when what is put there now is taken away; nothing has none. */
static int update(struct pins *pins, uint32_t pin, struct iovec at)
{
        __u64 tag = at.iov_base ? FIRST_TAG + pin : 0;
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
                pthread_mutex_lock(&pins->lock);
                return_number(pins, pin);
                pthread_mutex_unlock(&pins->lock);
                return r;
        }
        *ret_pin = pin;
        return 0;
}

static void set_ending(struct pins *pins, uint32_t pin, bool ending)
{
        pthread_mutex_lock(&pins->lock);
        pins->ending[pin] = ending;
        pthread_mutex_unlock(&pins->lock);
}

void pins_remove(struct pins *pins, uint32_t pin)
{
        /* Before: another thread may hear of the end before this one goes on. */
        set_ending(pins, pin, true);
        /* A slot that cannot be emptied is never used again, rather than used twice. */
        if (update(pins, pin, (struct iovec){ NULL, 0 }))
                set_ending(pins, pin, false);
}

bool pins_ended(struct pins *pins, uint32_t pin)
{
        bool ended;

        pthread_mutex_lock(&pins->lock);
        hear_of_ends(pins);
        ended = !pins->ending[pin];
        pthread_mutex_unlock(&pins->lock);
        return ended;
}
