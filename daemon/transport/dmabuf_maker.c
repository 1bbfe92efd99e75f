/* SPDX-License-Identifier: MIT */
/*
 * Owns the thread, and the files of what is under way. Those are open while a dma-buf is made: so
 * the keeper's proof that nobody refers to a frame, which sees open files and pinned pages, cannot
 * pass between the two. Refuses nothing.
 */
#include "dmabuf_maker.h"

#include "macros.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define STACK_BYTES (128u * 1024)

/**
 * struct dmabuf_maker - see above
 * @event:   an eventfd: one is made
 * @running: there is a thread
 * @parts:   @count of what is to be made; NULL: nothing is
 * @made:    @result and @fd are of what was made and not taken yet
 */
struct dmabuf_maker {
        int device, event;
        pthread_t thread;
        pthread_mutex_t lock;
        pthread_cond_t work;
        bool running, stop;
        struct udmabuf_part *parts;
        size_t count;
        bool made;
        int result, fd;
};

static void free_parts(struct udmabuf_part *parts, size_t count)
{
        for (size_t i = 0; i < count; i++)
                close(parts[i].file);
        free(parts);
}

/* With the lock, which is let go of while the kernel works. */
static void make(struct dmabuf_maker *maker)
{
        struct udmabuf_part *parts = maker->parts;
        int fd = -1, r;

        pthread_mutex_unlock(&maker->lock);
        r = udmabuf_create(maker->device, parts, maker->count, &fd);
        free_parts(parts, maker->count);
        pthread_mutex_lock(&maker->lock);
        maker->parts = NULL;
        maker->made = true;
        maker->result = r;
        maker->fd = fd;
        (void)eventfd_write(maker->event, 1); /* 0 before: it cannot overflow */
}

static void *serve(void *data)
{
        struct dmabuf_maker *maker = data;

        pthread_mutex_lock(&maker->lock);
        while (maker->parts || !maker->stop) {
                if (maker->parts)
                        make(maker);
                else
                        pthread_cond_wait(&maker->work, &maker->lock);
        }
        pthread_mutex_unlock(&maker->lock);
        return NULL;
}

/* Return: 0; -EAGAIN. */
static int start(struct dmabuf_maker *maker)
{
        sigset_t all, before;
        pthread_attr_t attributes;
        int r;

        if (maker->running)
                return 0;
        if (pthread_attr_init(&attributes))
                return -EAGAIN;
        pthread_attr_setstacksize(&attributes, STACK_BYTES);
        /* Signals are the event loop's. */
        sigfillset(&all);
        pthread_sigmask(SIG_SETMASK, &all, &before);
        r = pthread_create(&maker->thread, &attributes, serve, maker);
        pthread_sigmask(SIG_SETMASK, &before, NULL);
        pthread_attr_destroy(&attributes);
        maker->running = !r;
        return r ? -EAGAIN : 0;
}

int dmabuf_maker_new(int device, struct dmabuf_maker **ret)
{
        struct dmabuf_maker *maker = calloc(1, sizeof(*maker));
        int r;

        if (!maker)
                return -ENOMEM;
        maker->device = device;
        maker->fd = -1;
        maker->event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        if (maker->event < 0) {
                r = -errno;
                free(maker);
                return r;
        }
        pthread_mutex_init(&maker->lock, NULL);
        pthread_cond_init(&maker->work, NULL);
        *ret = maker;
        return 0;
}

void dmabuf_maker_free(struct dmabuf_maker *maker)
{
        if (!maker)
                return;
        if (maker->running) {
                pthread_mutex_lock(&maker->lock);
                maker->stop = true;
                pthread_cond_signal(&maker->work);
                pthread_mutex_unlock(&maker->lock);
                pthread_join(maker->thread, NULL);
        }
        if (maker->fd >= 0)
                close(maker->fd);
        close(maker->event);
        pthread_cond_destroy(&maker->work);
        pthread_mutex_destroy(&maker->lock);
        free(maker);
}

int dmabuf_maker_fd(const struct dmabuf_maker *maker)
{
        return maker->event;
}

int dmabuf_maker_begin(struct dmabuf_maker *maker, struct udmabuf_part *parts, size_t count)
{
        int r;

        r = start(maker);
        if (r) {
                free_parts(parts, count);
                return r;
        }
        pthread_mutex_lock(&maker->lock);
        assert(!maker->parts && !maker->made);
        maker->parts = parts;
        maker->count = count;
        pthread_cond_signal(&maker->work);
        pthread_mutex_unlock(&maker->lock);
        return 0;
}

int dmabuf_maker_take(struct dmabuf_maker *maker, int *ret_result, int *ret_fd)
{
        eventfd_t ignored;
        bool made;

        pthread_mutex_lock(&maker->lock);
        made = maker->made;
        if (made) {
                (void)eventfd_read(maker->event, &ignored);
                maker->made = false;
                *ret_result = maker->result;
                *ret_fd = STEAL_FD(maker->fd);
        }
        pthread_mutex_unlock(&maker->lock);
        return made ? 0 : -EAGAIN;
}
