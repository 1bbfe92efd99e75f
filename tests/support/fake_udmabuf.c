/* SPDX-License-Identifier: MIT */
/* Owns nothing but its notes, which any thread may write. */
#include "fake_udmabuf.h"

#include <errno.h>
#include <linux/udmabuf.h>
#include <pthread.h>
#include <stdarg.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static struct fake_udmabuf last;
static int error_to_give;
static bool holding, held;

int __real_ioctl(int fd, unsigned long request, ...);
int __wrap_ioctl(int fd, unsigned long request, ...);

void fake_udmabuf_reset(void)
{
        pthread_mutex_lock(&lock);
        last = (struct fake_udmabuf){ .n_parts = 0 };
        error_to_give = 0;
        holding = false;
        pthread_cond_broadcast(&changed);
        pthread_mutex_unlock(&lock);
}

void fake_udmabuf_fail(int error)
{
        pthread_mutex_lock(&lock);
        error_to_give = error;
        pthread_mutex_unlock(&lock);
}

void fake_udmabuf_hold(bool hold)
{
        pthread_mutex_lock(&lock);
        holding = hold;
        pthread_cond_broadcast(&changed);
        pthread_mutex_unlock(&lock);
}

void fake_udmabuf_await_held(void)
{
        pthread_mutex_lock(&lock);
        while (!held)
                pthread_cond_wait(&changed, &lock);
        pthread_mutex_unlock(&lock);
}

struct fake_udmabuf fake_udmabuf_last(void)
{
        struct fake_udmabuf copy;

        pthread_mutex_lock(&lock);
        copy = last;
        pthread_mutex_unlock(&lock);
        return copy;
}

/* With the lock. Return: the size of all. */
static uint64_t note(const struct udmabuf_create_list *list)
{
        uint64_t bytes = 0;
        struct stat status;

        last.made++;
        last.n_parts = list->count;
        last.cloexec = list->flags & UDMABUF_FLAGS_CLOEXEC;
        for (size_t i = 0; i < list->count; i++) {
                const struct udmabuf_create_item *item = &list->list[i];

                bytes += item->size;
                if (i < FAKE_UDMABUF_PARTS_MAX)
                        last.parts[i] = (struct fake_udmabuf_part){
                                fstat((int)item->memfd, &status) ? 0 : status.st_ino,
                                item->offset,
                                item->size,
                        };
        }
        return bytes;
}

static int create(const struct udmabuf_create_list *list)
{
        uint64_t bytes;
        int fd = -1, error;

        pthread_mutex_lock(&lock);
        held = true;
        pthread_cond_broadcast(&changed);
        while (holding)
                pthread_cond_wait(&changed, &lock);
        held = false;
        bytes = note(list);
        error = error_to_give;
        pthread_mutex_unlock(&lock);
        if (!error) {
                fd = memfd_create("fake dma-buf", MFD_CLOEXEC);
                if (fd >= 0 && ftruncate(fd, (off_t)bytes) == 0)
                        return fd;
                error = errno;
        }
        errno = error;
        return -1;
}

int __wrap_ioctl(int fd, unsigned long request, ...)
{
        va_list arguments;
        void *argument;

        va_start(arguments, request);
        argument = va_arg(arguments, void *);
        va_end(arguments);
        if (request == UDMABUF_CREATE_LIST)
                return create(argument);
        return __real_ioctl(fd, request, argument);
}
