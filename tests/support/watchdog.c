/* SPDX-License-Identifier: MIT */
/* Owns a thread that lives as long as the program. */
#include "watchdog.h"

#include "process.h"
#include "units.h"

#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdint.h>
#include <unistd.h>

static _Atomic uint64_t deadline_ns = UINT64_MAX;
static sem_t begun;

static void *watch(void *late)
{
        void (*const *call)(void) = late;

        sem_post(&begun);
        while (now_ns() < atomic_load(&deadline_ns))
                usleep(100000);
        (*call)();
        return NULL;
}

void watchdog_start(void (*late)(void))
{
        static void (*call)(void);
        pthread_t thread;

        call = late;
        sem_init(&begun, 0, 0);
        if (pthread_create(&thread, NULL, watch, &call))
                die("a thread cannot be had");
        pthread_detach(thread);
        while (sem_wait(&begun))
                ;
}

void watchdog_set(unsigned seconds)
{
        atomic_store(&deadline_ns, now_ns() + seconds * NS_PER_S);
}
