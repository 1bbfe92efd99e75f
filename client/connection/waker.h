/* SPDX-License-Identifier: MIT */
/*
 * How a thread that sleeps in poll() is woken by another one: an eventfd. poll(), unlike a
 * condition variable, also ends when a signal arrives.
 */
#pragma once

#include <stdbool.h>

/**
 * struct waker - one sleeper's alarm
 * @fd:   readable when woken
 * @rung: it was; only under the lock
 * @next: in the list of those that nobody uses
 */
struct waker {
        int fd;
        bool rung;
        struct waker *next;
};

/* A waker of the list, or a new one; NULL where there is neither memory nor a descriptor. */
struct waker *waker_take(struct waker **spare);

/* Give it back, silent again. NULL is fine. */
void waker_put(struct waker **spare, struct waker *waker);

void waker_ring(struct waker *waker);

/* Close all that are in the list. */
void wakers_free(struct waker **spare);
