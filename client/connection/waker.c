/* SPDX-License-Identifier: MIT */
/*
 * Owns the eventfds on which waiting threads of a handle sleep; they are kept for the next wait.
 *
 * Invariant: a waker in the list is silent. Refuses to fail: a thread that gets none sleeps in
 * short naps instead.
 */
#include "waker.h"

#include <stdint.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

struct waker *waker_take(struct waker **spare)
{
        struct waker *waker = *spare;

        if (waker) {
                *spare = waker->next;
                waker->next = NULL;
                return waker;
        }
        waker = calloc(1, sizeof(*waker));
        if (!waker)
                return NULL;
        waker->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        if (waker->fd < 0) {
                free(waker);
                return NULL;
        }
        return waker;
}

void waker_put(struct waker **spare, struct waker *waker)
{
        eventfd_t count;

        if (!waker)
                return;
        if (waker->rung)
                (void)eventfd_read(waker->fd, &count);
        waker->rung = false;
        waker->next = *spare;
        *spare = waker;
}

void waker_ring(struct waker *waker)
{
        if (!waker->rung)
                (void)eventfd_write(waker->fd, 1);
        waker->rung = true;
}

void wakers_free(struct waker **spare)
{
        struct waker *waker;

        while ((waker = *spare)) {
                *spare = waker->next;
                close(waker->fd);
                free(waker);
        }
}
