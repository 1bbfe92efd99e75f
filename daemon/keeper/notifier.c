/* SPDX-License-Identifier: MIT */
/*
 * Owns the thread, and the texts that it has not said yet: few, since a later state takes the place
 * of an earlier one. Where the manager never reads, the thread is left behind, and
 * frees what belongs to it should it ever end.
 */
#include "notifier.h"

#include "macros.h"

#include <errno.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-daemon.h>
#include <time.h>

#define TEXT_BYTES 600
#define TEXTS_MAX  256
#define GOODBYE_S  1

/* Half a minute for each text. */
#define TRIES_MAX    300u
#define TRY_AGAIN_NS 100000000L

struct text {
        char bytes[TEXT_BYTES];
};

/**
 * struct notifier - see above
 * @works: there is a thread
 * @ended: nothing more comes
 * @gone:  the thread has said everything after that
 * @left:  nobody waits for the thread any more: it frees the notifier
 * @texts: @n_texts, in the order in which they are to be said
 */
struct notifier {
        bool works, ended, gone, left;
        pthread_t thread;
        pthread_mutex_t lock;
        pthread_cond_t changed;
        struct text texts[TEXTS_MAX];
        size_t n_texts;
};

/* With the lock. */
static void forget(struct notifier *notifier, size_t i)
{
        notifier->n_texts--;
        memmove(&notifier->texts[i], &notifier->texts[i + 1],
                (notifier->n_texts - i) * sizeof(notifier->texts[0]));
}

static void destroy(struct notifier *notifier)
{
        pthread_cond_destroy(&notifier->changed);
        pthread_mutex_destroy(&notifier->lock);
        free(notifier);
}

/* Short of memory, descriptors or room in a queue: later it may well work. */
static bool passes(int r)
{
        return r == -ENOBUFS || r == -ENOMEM || r == -EMFILE || r == -ENFILE || r == -EAGAIN ||
               r == -EINTR;
}

/* A manager that never hears READY=1 kills us. */
static void say(const struct text *text)
{
        for (unsigned i = 0; i < TRIES_MAX && passes(sd_notify(0, text->bytes)); i++)
                nanosleep(&(struct timespec){ .tv_nsec = TRY_AGAIN_NS }, NULL);
}

static void *say_all(void *data)
{
        struct notifier *notifier = data;
        struct text text;
        bool left;

        pthread_mutex_lock(&notifier->lock);
        for (;;) {
                while (!notifier->n_texts && !notifier->ended)
                        pthread_cond_wait(&notifier->changed, &notifier->lock);
                if (!notifier->n_texts)
                        break;
                text = notifier->texts[0];
                forget(notifier, 0);
                pthread_mutex_unlock(&notifier->lock);
                say(&text);
                pthread_mutex_lock(&notifier->lock);
        }
        notifier->gone = true;
        left = notifier->left;
        pthread_cond_broadcast(&notifier->changed);
        pthread_mutex_unlock(&notifier->lock);
        if (left)
                destroy(notifier);
        return NULL;
}

int notifier_new(struct notifier **ret)
{
        struct notifier *notifier = calloc(1, sizeof(*notifier));
        int r;

        if (!notifier)
                return -ENOMEM;
        pthread_mutex_init(&notifier->lock, NULL);
        pthread_cond_init(&notifier->changed, NULL);
        if (getenv("NOTIFY_SOCKET")) {
                r = pthread_create(&notifier->thread, NULL, say_all, notifier);
                if (r) {
                        free(notifier);
                        return -r;
                }
                notifier->works = true;
        }
        *ret = notifier;
        return 0;
}

/* What is only of interest as it is now; what happened, and in which order, is said in full. */
static bool makes_obsolete(const char *later, const char *earlier)
{
        static const char *const kinds[] = { "STATUS=", "WATCHDOG=", "EXTEND_TIMEOUT_USEC=" };

        for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
                size_t length = strlen(kinds[i]);

                if (!strncmp(later, kinds[i], length))
                        return !strncmp(earlier, kinds[i], length);
        }
        return false;
}

void notifier_tell(struct notifier *notifier, const char *format, ...)
{
        struct text text;
        va_list args;

        if (!notifier->works)
                return;
        va_start(args, format);
        vsnprintf(text.bytes, sizeof(text.bytes), format, args);
        va_end(args);

        pthread_mutex_lock(&notifier->lock);
        for (size_t i = 0; i < notifier->n_texts; i++) {
                if (makes_obsolete(text.bytes, notifier->texts[i].bytes)) {
                        forget(notifier, i);
                        break;
                }
        }
        /* A manager that has not read for so long needs the latest most. */
        if (notifier->n_texts == TEXTS_MAX)
                forget(notifier, 0);
        notifier->texts[notifier->n_texts++] = text;
        pthread_cond_broadcast(&notifier->changed);
        pthread_mutex_unlock(&notifier->lock);
}

/* Return: whether the thread has ended. */
static bool wait_for_the_end(struct notifier *notifier)
{
        struct timespec deadline;
        bool gone;

        clock_gettime(CLOCK_REALTIME, &deadline);
        deadline.tv_sec += GOODBYE_S;
        pthread_mutex_lock(&notifier->lock);
        notifier->ended = true;
        pthread_cond_broadcast(&notifier->changed);
        while (!notifier->gone &&
               pthread_cond_timedwait(&notifier->changed, &notifier->lock, &deadline) != ETIMEDOUT)
                ;
        gone = notifier->gone;
        notifier->left = !gone;
        /* Afterwards it may be the thread's alone. */
        if (!gone)
                pthread_detach(notifier->thread);
        pthread_mutex_unlock(&notifier->lock);
        return gone;
}

void notifier_free(struct notifier *notifier)
{
        if (!notifier)
                return;
        if (notifier->works) {
                if (!wait_for_the_end(notifier))
                        return;
                pthread_join(notifier->thread, NULL);
        }
        destroy(notifier);
}
