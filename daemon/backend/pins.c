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
#include <fcntl.h>
#include <liburing.h>
#include <stdlib.h>
#include <string.h>

/* A tag of 0 is none. */
#define FIRST_TAG UINT64_C(1)

/* Completions that wait to be read; the kernel keeps more than these, more slowly. */
#define RING_COMPLETIONS 1024u

/* @params: as the kernel filled them in, for whoever maps the ring again */
struct pins_ring {
        struct io_uring ring;
        struct io_uring_params params;
};

static int ring_new(struct pins_ring **ret)
{
        struct pins_ring *ring;
        int r;

        ring = calloc(1, sizeof(*ring));
        if (!ring)
                return -ENOMEM;

        ring->params.flags = IORING_SETUP_CQSIZE;
        ring->params.cq_entries = RING_COMPLETIONS;
        r = io_uring_queue_init_params(1, &ring->ring, &ring->params);
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

int pins_init(struct pins *pins, uint32_t n)
{
        int r;

        *pins = (struct pins){ .n_rings = 0 };
        pthread_mutex_init(&pins->lock, NULL);
        r = add_ring(pins);
        if (r) {
                pins_deinit(pins);
                return r;
        }
        /* Those that cannot be had now are tried again when they are needed. */
        while (!r && pins->n_free < n)
                r = add_ring(pins);
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

/* ---- another program takes over -------------------------------------------------------------- */

/* What was written down: this, @n_rings of struct saved_ring, and a byte for every slot of every
 * ring. Its own version, since the rest of a takeover is not ours. */
#define SAVED_VERSION 1u

struct saved {
        uint32_t version, n_rings;
};

struct saved_ring {
        int32_t fd, filler;
        struct io_uring_params params;
};

enum saved_pin {
        SAVED_USED,
        SAVED_FREE,
        SAVED_ENDING,
};

_Static_assert(sizeof(struct io_uring_params) == 120, "the kernel's");

static size_t saved_bytes(uint32_t n_rings)
{
        return sizeof(struct saved) + n_rings * (sizeof(struct saved_ring) + PINS_A_RING);
}

static void save_slots(const struct pins *pins, unsigned char *slots)
{
        for (size_t i = 0; i < (size_t)pins->n_rings * PINS_A_RING; i++)
                slots[i] = pins->ending[i] ? SAVED_ENDING : SAVED_USED;
        for (uint32_t i = 0; i < pins->n_free; i++)
                slots[pins->free[i]] = SAVED_FREE;
}

int pins_save(struct pins *pins, void **ret_bytes, size_t *ret_n)
{
        const struct saved saved = { SAVED_VERSION, pins->n_rings };
        const size_t n = saved_bytes(pins->n_rings);
        unsigned char *bytes = calloc(1, n), *at = bytes;

        if (!bytes)
                return -ENOMEM;
        memcpy(at, &saved, sizeof(saved));
        at += sizeof(saved);
        for (unsigned i = 0; i < pins->n_rings; i++) {
                const struct saved_ring ring = { .fd = pins->rings[i]->ring.ring_fd,
                                                 .params = pins->rings[i]->params };

                if (fcntl(ring.fd, F_SETFD, 0) < 0) {
                        free(bytes);
                        return -errno;
                }
                memcpy(at, &ring, sizeof(ring));
                at += sizeof(ring);
        }
        save_slots(pins, at);
        *ret_bytes = bytes;
        *ret_n = n;
        return 0;
}

static int resume_ring(struct pins *pins, const struct saved_ring *saved)
{
        struct pins_ring *ring = calloc(1, sizeof(*ring));
        int r;

        if (!ring)
                return -ENOMEM;
        ring->params = saved->params;
        if (fcntl(saved->fd, F_SETFD, FD_CLOEXEC) < 0)
                r = -EPROTO;
        else
                r = io_uring_queue_mmap(saved->fd, &ring->params, &ring->ring);
        if (r) {
                free(ring);
                return r;
        }
        pins->rings[pins->n_rings] = ring;
        return 0;
}

/* From the last to the first, so that the first is used next. */
static int resume_slots(struct pins *pins, uint32_t first, const unsigned char *slots)
{
        for (uint32_t i = PINS_A_RING; i-- > 0;) {
                pins->ending[first + i] = slots[i] == SAVED_ENDING;
                if (slots[i] > SAVED_ENDING)
                        return -EPROTO;
                if (slots[i] == SAVED_FREE)
                        return_number(pins, first + i);
        }
        return 0;
}

static int resume_all(struct pins *pins, const unsigned char *rings, uint32_t n_rings)
{
        const unsigned char *slots = rings + n_rings * sizeof(struct saved_ring);
        int r = 0;

        for (uint32_t i = 0; !r && i < n_rings; i++) {
                struct saved_ring ring;

                memcpy(&ring, rings + i * sizeof(ring), sizeof(ring));
                r = make_room(pins);
                if (!r)
                        r = resume_ring(pins, &ring);
                pins->n_rings += !r;
                if (!r)
                        r = resume_slots(pins, i * PINS_A_RING, slots + (size_t)i * PINS_A_RING);
        }
        return r;
}

int pins_resume(struct pins *pins, const void *bytes, size_t n)
{
        struct saved saved;
        int r;

        *pins = (struct pins){ .n_rings = 0 };
        if (n < sizeof(saved))
                return -EPROTO;
        memcpy(&saved, bytes, sizeof(saved));
        if (saved.version != SAVED_VERSION || !saved.n_rings || saved.n_rings > PINS_RINGS_MAX ||
            n != saved_bytes(saved.n_rings))
                return -EPROTO;
        pthread_mutex_init(&pins->lock, NULL);
        r = resume_all(pins, (const unsigned char *)bytes + sizeof(saved), saved.n_rings);
        if (r)
                pins_deinit(pins);
        return r;
}
