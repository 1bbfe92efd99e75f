/* SPDX-License-Identifier: MIT */
/*
 * Owns the sleep of those who wait for a reply. The library has no thread: of the waiting callers
 * one, the reader, sleeps on the socket and reads for all; the others sleep on wakers of their own.
 *
 * Invariant: while a caller waits, there is a reader, or a caller has been woken to become it; and
 * whoever sleeps is woken when its request is answered by another thread's reading, the reader
 * included. Refuses to hold the lock while it sleeps.
 */
#include "connection_wait.h"

#include "macros.h"
#include "resume.h"
#include "waker.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <time.h>

/* A sleeper without a waker looks again this often. */
#define NAP_MS 1

static uint64_t now_ns(void)
{
        struct timespec now;

        clock_gettime(CLOCK_MONOTONIC, &now);
        return (uint64_t)now.tv_sec * NS_PER_S + (uint64_t)now.tv_nsec;
}

/* @deadline_ns: 0: none. Return: milliseconds for poll(), rounded up; -1: no end. */
static int sleep_ms(uint64_t deadline_ns, const struct waker *waker)
{
        uint64_t now, left_ms;

        if (!waker)
                return NAP_MS;
        if (!deadline_ns)
                return -1;
        now = now_ns();
        if (now >= deadline_ns)
                return 0;
        left_ms = (deadline_ns - now) / NS_PER_MS + 1;
        return left_ms > INT_MAX ? INT_MAX : (int)left_ms;
}

/* Sleep once. Return: 0, also without reason; -EINTR. */
static int sleep_once(struct connection *connection, struct request *request, bool reads)
{
        struct waker *waker = waker_take(&connection->spare_wakers);
        struct pollfd fds[] = {
                { .fd = waker ? waker->fd : -1, .events = POLLIN },
                { .fd = reads ? resume_poll_socket(connection) : -1,
                  .events = resume_poll_events(connection, false) },
                { .fd = reads && connection->resume.stage ? connection->resume.clock : -1,
                  .events = POLLIN },
        };
        int timeout_ms = sleep_ms(request->deadline_ns, waker);
        int r;

        request->waker = waker;
        pthread_mutex_unlock(connection->lock);
        r = poll(fds, ARRAY_SIZE(fds), timeout_ms) < 0 ? -errno : 0;
        pthread_mutex_lock(connection->lock);
        request->waker = NULL;
        waker_put(&connection->spare_wakers, waker);
        return r;
}

/* Look again and again for a while. Return: whether the request is answered. */
static bool spin(struct connection *connection, const struct request *request)
{
        uint64_t until_ns;

        if (!connection->spin_us)
                return false;
        until_ns = now_ns() + connection->spin_us * NS_PER_US;
        do {
                if (connection_read_until(connection, request))
                        return true;
                pthread_mutex_unlock(connection->lock);
                pthread_mutex_lock(connection->lock);
        } while (now_ns() < until_ns);
        return request->answered;
}

static int wait_as_reader(struct connection *connection, struct request *request)
{
        int r = 0;

        connection->reader = request;
        if (!spin(connection, request)) {
                r = sleep_once(connection, request, true);
                connection_read_until(connection, request);
        }
        connection->reader = NULL;
        return r;
}

/* Nobody reads any more: wake one of those who wait. */
static void hand_over(struct connection *connection)
{
        struct request *request;

        if (connection->reader)
                return;
        TAILQ_FOREACH (request, &connection->requests, link) {
                if (request->waker) {
                        waker_ring(request->waker);
                        return;
                }
        }
}

int connection_await(struct connection *connection, struct request *request, bool interruptible)
{
        int r = 0;

        while (!request->answered) {
                r = connection->reader ? sleep_once(connection, request, false)
                                       : wait_as_reader(connection, request);
                if (request->answered || (r == -EINTR && interruptible))
                        break;
                r = request->deadline_ns && now_ns() >= request->deadline_ns ? -ETIMEDOUT : 0;
                if (r)
                        break;
        }
        hand_over(connection);
        return request->answered ? 0 : r;
}

int connection_send(struct connection *connection, Wire__Request *message, struct request *request)
{
        int r;

        const uint64_t deadline_ns = request ? request->deadline_ns : 0;

        while ((r = connection_try_send(connection, message, request)) == -EAGAIN) {
                if (deadline_ns && now_ns() >= deadline_ns)
                        return error_set(-ETIMEDOUT, "pard takes no request");
                connection_wait_for_room(connection, deadline_ns);
        }
        return r;
}

void connection_wait_for_room(struct connection *connection, uint64_t deadline_ns)
{
        struct room_waiter waiter = { .waker = waker_take(&connection->spare_wakers) };
        struct pollfd fds[] = {
                { .fd = resume_poll_socket(connection),
                  .events = resume_poll_events(connection, true) },
                { .fd = waiter.waker ? waiter.waker->fd : -1, .events = POLLIN },
                { .fd = connection->resume.clock, .events = POLLIN },
        };
        int timeout_ms = sleep_ms(deadline_ns, waiter.waker);

        LIST_INSERT_HEAD(&connection->room_waiters, &waiter, link);
        pthread_mutex_unlock(connection->lock);
        (void)poll(fds, ARRAY_SIZE(fds), timeout_ms);
        pthread_mutex_lock(connection->lock);
        LIST_REMOVE(&waiter, link);
        waker_put(&connection->spare_wakers, waiter.waker);
        connection_read(connection);
}

void connection_tell_of_room(struct connection *connection)
{
        struct room_waiter *waiter;

        LIST_FOREACH (waiter, &connection->room_waiters, link)
                if (waiter->waker)
                        waker_ring(waiter->waker);
}

void connection_wake_sleepers(struct connection *connection)
{
        if (connection->reader && connection->reader->waker)
                waker_ring(connection->reader->waker);
        connection_tell_of_room(connection);
}

int connection_call(struct connection *connection, Wire__Request *message, struct request *request)
{
        int r;

        r = connection_send(connection, message, request);
        if (r)
                return r;
        (void)connection_await(connection, request, false);
        if (!request->answered) {
                connection_forget(connection, request);
                return error_set(-ETIMEDOUT, "pard did not answer");
        }
        return request->result ? request_error(request) : 0;
}
