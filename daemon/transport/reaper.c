/* SPDX-License-Identifier: MIT */
/*
 * Owns the descriptors in its two queues until they are closed. Invariant: the thread for sessions
 * never closes a stranger's descriptor: it takes what lies unread in a socket out of it, and hands
 * that to the others. So however many strangers' closes hang, sessions end. Refuses to start more
 * threads than it has room for: what hangs costs strangers their descriptors, and pard a few
 * threads.
 */
#include "reaper.h"

#include "packet.h"

#include "macros.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define STRANGER_THREADS_MAX 7
#define SESSION_THREADS_MAX  1
#define STACK_BYTES          (128u * 1024)
#define PATIENCE_S           2 /* of reaper_free() */

struct reaped {
        int fd;
        STAILQ_ENTRY(reaped) link; /* lane::queue */
};

/**
 * struct lane - a queue and the threads that serve it
 * @close:   closes one
 * @idle:    threads that wait for work
 * @running: threads that exist
 */
struct lane {
        struct reaper *reaper;
        void (*close)(struct reaper *reaper, int fd);
        unsigned max_threads, running, idle, queued;
        STAILQ_HEAD(, reaped) queue;
        pthread_cond_t work;
};

struct reaper {
        pthread_mutex_t lock;
        pthread_cond_t ended;
        bool stop;
        struct lane strangers, sessions;
};

/* Without it a close of a connected socket returns at once, whatever is unsent. */
static void forget_lingering(int fd)
{
        struct linger off = { 0 };

        /* No socket: nothing to do. */
        (void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &off, sizeof(off));
}

static void close_stranger(struct reaper *reaper, int fd)
{
        (void)reaper;
        forget_lingering(fd);
        close(fd);
}

static void close_session(struct reaper *reaper, int fd)
{
        struct packet packet;
        int on = 1, r;
        char byte;

        /* From here on nothing more comes in. What the peer has not read yet, it still can. */
        shutdown(fd, SHUT_RD);
        /* An empty packet is not the end: there may be descriptors behind it. */
        (void)setsockopt(fd, SOL_SOCKET, SO_PASSCRED, &on, sizeof(on));
        do {
                r = packet_receive(fd, &byte, 1, &packet);
                for (size_t i = 0; !r && i < packet.count; i++)
                        reaper_close_stranger(reaper, packet.descriptors[i]);
                /* A reset is told before what it left to be read. */
        } while (r == -ECONNRESET || r == -EINTR ||
                 (!r && (packet.size || packet.count || packet.credentials)));
        close(fd);
}

static void *serve(void *data)
{
        struct lane *lane = data;
        struct reaper *reaper = lane->reaper;

        pthread_mutex_lock(&reaper->lock);
        for (;;) {
                struct reaped *next = STAILQ_FIRST(&lane->queue);

                if (next) {
                        STAILQ_REMOVE_HEAD(&lane->queue, link);
                        lane->queued--;
                        pthread_mutex_unlock(&reaper->lock);
                        lane->close(reaper, next->fd);
                        free(next);
                        pthread_mutex_lock(&reaper->lock);
                } else if (reaper->stop) {
                        break;
                } else {
                        lane->idle++;
                        pthread_cond_wait(&lane->work, &reaper->lock);
                        lane->idle--;
                }
        }
        lane->running--;
        pthread_cond_signal(&reaper->ended);
        pthread_mutex_unlock(&reaper->lock);
        return NULL;
}

/* Called with the lock. A thread that cannot be started is no loss where others run. */
static void add_thread(struct lane *lane)
{
        sigset_t all, before;
        pthread_attr_t attributes;
        pthread_t thread;

        if (pthread_attr_init(&attributes))
                return;
        pthread_attr_setstacksize(&attributes, STACK_BYTES);
        pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
        /* Signals are the event loop's. */
        sigfillset(&all);
        pthread_sigmask(SIG_SETMASK, &all, &before);
        if (!pthread_create(&thread, &attributes, serve, lane))
                lane->running++;
        pthread_sigmask(SIG_SETMASK, &before, NULL);
        pthread_attr_destroy(&attributes);
}

static void lane_add(struct lane *lane, int fd)
{
        struct reaper *reaper = lane->reaper;
        struct reaped *reaped = malloc(sizeof(*reaped));

        if (!reaped) { /* better a pause than a descriptor lost */
                lane->close(reaper, fd);
                return;
        }
        reaped->fd = fd;

        pthread_mutex_lock(&reaper->lock);
        STAILQ_INSERT_TAIL(&lane->queue, reaped, link);
        lane->queued++;
        if (lane->idle < lane->queued && lane->running < lane->max_threads)
                add_thread(lane);
        pthread_cond_signal(&lane->work);
        pthread_mutex_unlock(&reaper->lock);
}

void reaper_close_stranger(struct reaper *reaper, int fd)
{
        lane_add(&reaper->strangers, fd);
}

void reaper_close_session(struct reaper *reaper, int socket)
{
        lane_add(&reaper->sessions, socket);
}

bool reaper_is_behind(struct reaper *reaper)
{
        bool behind;

        pthread_mutex_lock(&reaper->lock);
        behind = reaper->sessions.queued >= REAPER_SESSIONS_MAX;
        pthread_mutex_unlock(&reaper->lock);
        return behind;
}

static void lane_init(struct lane *lane, struct reaper *reaper, unsigned max_threads,
                      void (*close_one)(struct reaper *, int))
{
        lane->reaper = reaper;
        lane->max_threads = max_threads;
        lane->close = close_one;
        STAILQ_INIT(&lane->queue);
        pthread_cond_init(&lane->work, NULL);
}

int reaper_new(struct reaper **ret)
{
        struct reaper *reaper = calloc(1, sizeof(*reaper));

        if (!reaper)
                return -ENOMEM;
        pthread_mutex_init(&reaper->lock, NULL);
        pthread_cond_init(&reaper->ended, NULL);
        lane_init(&reaper->strangers, reaper, STRANGER_THREADS_MAX, close_stranger);
        lane_init(&reaper->sessions, reaper, SESSION_THREADS_MAX, close_session);
        *ret = reaper;
        return 0;
}

/* Called with the lock. Whether all threads of the lane have ended in time. */
static bool lane_wait(struct lane *lane, const struct timespec *until)
{
        pthread_cond_broadcast(&lane->work);
        while (lane->running)
                if (pthread_cond_timedwait(&lane->reaper->ended, &lane->reaper->lock, until))
                        return false;
        return true;
}

void reaper_free(struct reaper *reaper)
{
        struct timespec until;
        bool done;

        if (!reaper)
                return;
        clock_gettime(CLOCK_REALTIME, &until);
        until.tv_sec += PATIENCE_S;

        pthread_mutex_lock(&reaper->lock);
        reaper->stop = true;
        /* Sessions first: they hand on to the others. */
        done = lane_wait(&reaper->sessions, &until);
        done = lane_wait(&reaper->strangers, &until) && done;
        pthread_mutex_unlock(&reaper->lock);
        if (!done)
                return; /* a thread in a stranger's file still needs it */

        pthread_cond_destroy(&reaper->strangers.work);
        pthread_cond_destroy(&reaper->sessions.work);
        pthread_cond_destroy(&reaper->ended);
        pthread_mutex_destroy(&reaper->lock);
        free(reaper);
}
