/* SPDX-License-Identifier: MIT */
/*
 * Several threads on one handle, and forks in the middle of it: no buffer is ever another's, a
 * child has neither buffers nor a connection, gives back its copy of the handle, and can connect
 * for itself.
 *
 *     test_threads [SECONDS [THREADS]]      default: 3 seconds, 8 threads
 */
#include "macros.h"
#include "pard_fixture.h"
#include "process.h"
#include "random.h"

#include <errno.h>
#include <par.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define THREADS_MAX 64
#define HELD_MAX    6

/**
 * struct worker - one thread
 * @held: its buffers, and what each is filled with
 */
struct worker {
        pthread_t thread;
        struct random random;
        struct par *par;
        atomic_bool *stop;
        struct par_buffer *held[HELD_MAX];
        unsigned char fill[HELD_MAX];
        uint64_t grants;
};

static void check_fill(const struct par_buffer *buffer, unsigned char fill)
{
        const unsigned char *data = par_buffer_data(buffer);
        size_t size = par_buffer_size(buffer);

        if (data[0] != fill || memcmp(data, data + 1, size - 1) != 0)
                die("another thread wrote into this buffer");
}

/* Lookups see what this thread has, whatever the others do. */
static void check_lookup(struct par *par, const struct par_buffer *buffer)
{
        size_t contiguous;
        uint64_t dma;

        if (par_dma_address(par, par_buffer_data(buffer), &dma, &contiguous))
                die("lookup: %s", par_error(par));
        if (dma != par_buffer_dma(buffer))
                die("lookup: %#llx, not %#llx", (unsigned long long)dma,
                    (unsigned long long)par_buffer_dma(buffer));
}

static void renew(struct worker *worker, size_t i)
{
        struct par_constraint want = { .max_segments = PAR_SEGMENTS_ANY };
        struct par_alloc_options options = { .wait_ms =
                                                     random_one_in(&worker->random, 3) ? 20 : 0 };
        int r;

        if (worker->held[i])
                check_fill(worker->held[i], worker->fill[i]);
        par_free(worker->held[i]);
        r = par_alloc(worker->par, 4096 + random_below(&worker->random, MiB), &want, &options,
                      &worker->held[i]);
        if (r == -PAR_GONE || (r < 0 && r > -PAR_NEVER_FITS))
                die("thread: %s: %s", par_strerror(r), par_error(worker->par));
        if (r)
                return;
        check_lookup(worker->par, worker->held[i]);
        worker->fill[i] = (unsigned char)random_next(&worker->random);
        memset(par_buffer_data(worker->held[i]), worker->fill[i], par_buffer_size(worker->held[i]));
        worker->grants++;
}

static void *work(void *data)
{
        struct worker *worker = data;

        while (!atomic_load(worker->stop))
                renew(worker, random_below(&worker->random, HELD_MAX));
        for (size_t i = 0; i < HELD_MAX; i++) {
                if (worker->held[i])
                        check_fill(worker->held[i], worker->fill[i]);
                par_free(worker->held[i]);
        }
        return NULL;
}

/* ---- in a child ------------------------------------------------------------------------------ */

static int is_mapped(void *page)
{
        unsigned char resident;

        return mincore(page, 4096, &resident) == 0;
}

static void be_a_child(struct par *par, void *parents_memory, const char *socket)
{
        struct par_buffer *buffer;
        uint64_t dma;
        int r;

        r = par_alloc(par, 4096, NULL, NULL, &buffer);
        if (r != -ECHILD || buffer)
                die("a child's par_alloc() gives %d", r);
        r = par_dma_address(par, parents_memory, &dma, NULL);
        if (r != -ECHILD)
                die("a child's par_dma_address() gives %d", r);
        if (is_mapped(parents_memory))
                die("a child has its parent's buffer");
        par_disconnect(par);

        if (par_connect(socket, NULL, &par))
                die("a child cannot connect: %s", par_error(NULL));
        r = par_alloc(par, 4096, NULL, NULL, &buffer);
        if (r && r != -PAR_EXHAUSTED && r != -PAR_FRAGMENTED)
                die("a child's own par_alloc(): %s", par_error(par));
        if (!r)
                memset(par_buffer_data(buffer), 1, 4096);
        par_disconnect(par);
        _exit(0);
}

static void fork_once(struct par *par, struct par_buffer *own, const char *socket)
{
        void *memory = par_buffer_data(own);
        int status;
        pid_t pid;

        fflush(NULL);
        pid = fork();
        if (pid < 0)
                die("fork: %s", strerror(errno));
        if (pid == 0)
                be_a_child(par, memory, socket);
        if (waitpid(pid, &status, 0) != pid || status)
                die("a child ended with status %#x", (unsigned)status);
}

/* ---- the run --------------------------------------------------------------------------------- */

static void start_threads(struct worker *workers, size_t count, struct par *par, atomic_bool *stop)
{
        for (size_t i = 0; i < count; i++) {
                workers[i] = (struct worker){ .random = { i }, .par = par, .stop = stop };
                if (pthread_create(&workers[i].thread, NULL, work, &workers[i]))
                        die("a thread cannot be had");
        }
}

int main(int argc, char **argv)
{
        uint64_t seconds = argc > 1 ? strtoull(argv[1], NULL, 0) : 3;
        size_t count = argc > 2 ? strtoull(argv[2], NULL, 0) : 8;
        uint64_t deadline, grants = 0, forks = 0;
        static struct worker workers[THREADS_MAX];
        atomic_bool stop = false;
        struct pard_fixture pard;
        struct par_buffer *own;
        struct par *par;

        if (count > THREADS_MAX)
                die("at most %d threads", THREADS_MAX);
        pard_fixture_start_filled(pard_config_sim, &pard);
        if (par_connect(pard.socket, NULL, &par) || par_alloc(par, 4096, NULL, NULL, &own))
                die("start: %s", par_error(NULL));
        memset(par_buffer_data(own), 0x77, 4096);

        start_threads(workers, count, par, &stop);
        for (deadline = now_ns() + seconds * NS_PER_S; now_ns() < deadline; forks++) {
                fork_once(par, own, pard.socket);
                usleep(20000);
        }
        atomic_store(&stop, true);
        for (size_t i = 0; i < count; i++) {
                pthread_join(workers[i].thread, NULL);
                grants += workers[i].grants;
        }
        check_fill(own, 0x77);
        printf("%zu threads on one handle for %llu s: %llu grants, %llu forks in between\n", count,
               (unsigned long long)seconds, (unsigned long long)grants, (unsigned long long)forks);

        par_disconnect(par);
        pard_fixture_stop(&pard);
        return 0;
}
