/* SPDX-License-Identifier: MIT */
/*
 * Owns the queue of events and the descriptor that par_fd() returns.
 *
 * Invariant: the bell rings exactly while the queue is not empty. Each slot is in the queue at most
 * once, so the queue is bounded by the number of buffers, however much a daemon sends. Refuses to
 * allocate: an event cannot get lost for want of memory.
 */
#include "event.h"

#include <errno.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

int events_init(struct events *events)
{
        TAILQ_INIT(&events->queue);
        events->poller = -1;
        events->bell = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        if (events->bell < 0)
                return -errno;
        events->poller = epoll_create1(EPOLL_CLOEXEC);
        if (events->poller < 0)
                return -errno;
        return events_watch(events, events->bell);
}

void events_deinit(struct events *events)
{
        if (events->poller >= 0)
                close(events->poller);
        if (events->bell >= 0)
                close(events->bell);
}

int events_watch(struct events *events, int socket)
{
        struct epoll_event in = { .events = EPOLLIN };

        return epoll_ctl(events->poller, EPOLL_CTL_ADD, socket, &in) ? -errno : 0;
}

void events_unwatch(struct events *events, int socket)
{
        (void)epoll_ctl(events->poller, EPOLL_CTL_DEL, socket, NULL);
}

static void widen(struct par_event *told, const struct par_event *more)
{
        uint64_t end = told->offset + told->length;
        uint64_t more_end = more->offset + more->length;

        if (more->offset < told->offset)
                told->offset = more->offset;
        told->length = (more_end > end ? more_end : end) - told->offset;
}

void events_push(struct events *events, struct event *slot, const struct par_event *told)
{
        if (slot->queued) {
                if (told->buffer)
                        widen(&slot->told, told);
                else
                        slot->told = *told;
                return;
        }
        if (TAILQ_EMPTY(&events->queue))
                (void)eventfd_write(events->bell, 1);
        slot->told = *told;
        slot->queued = true;
        TAILQ_INSERT_TAIL(&events->queue, slot, link);
}

static void take_out(struct events *events, struct event *slot)
{
        eventfd_t count;

        TAILQ_REMOVE(&events->queue, slot, link);
        slot->queued = false;
        if (TAILQ_EMPTY(&events->queue))
                (void)eventfd_read(events->bell, &count);
}

bool events_pop(struct events *events, struct par_event *ret)
{
        struct event *slot = TAILQ_FIRST(&events->queue);

        if (!slot)
                return false;
        *ret = slot->told;
        take_out(events, slot);
        return true;
}

void events_withdraw(struct events *events, struct event *slots, size_t count)
{
        for (size_t i = 0; i < count; i++) {
                if (slots[i].queued)
                        take_out(events, &slots[i]);
        }
}
