/* SPDX-License-Identifier: MIT */
/*
 * The worker dies at random moments while clients are at work: none of them notices. No call fails,
 * no buffer is lost or granted twice, no byte changes, and in the end every frame is free again.
 *
 * The same when the worker is asked to make room for another (renew), and when the keeper is told
 * to execute its program again, which takes over everything that it holds (replace).
 *
 *     test_restart [KILLS [CLIENTS [sim|hugetlb [kill|renew|replace]]]]
 *                                              default: 20 kills, 8 clients, on sim
 */
#include "macros.h"
#include "pard_fixture.h"
#include "process.h"
#include "random.h"
#include "wire_client.h"

#include <errno.h>
#include <par.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define CLIENTS_MAX 64
#define THREADS     2 /* of each client, on one handle */
#define HELD_MAX    8
#define POOL_BYTES  (256 * MiB)
#define PATIENCE_NS (60 * NS_PER_S)

static const char pool[] = "pool \"any\" { page_size = \"2M\" size_min = \"256M\" reuse_delay = "
                           "\"20ms\" quarantine = \"1s\" }\n";
static const char sim[] =
        "backend = \"sim\"\n"
        "sim { extent \"high\" { first = \"4G\" size = \"4G\" page_size = \"2M\" } }\n";
static const char hugetlb[] =
        "backend = \"hugetlb\"\nhugepages = \"reserve\"\nkeep_free = \"512M\"\n"
        "verify = \"200ms\"\n";

/* ---- a client -------------------------------------------------------------------------------- */

/* Shared with the test. */
struct shared {
        atomic_bool stop;
        atomic_ullong grants, refusals, reconnected;
};

static struct shared *shared;

struct held {
        struct par_buffer *buffer;
        uint64_t dma;
        unsigned char fill;
};

struct client_thread {
        pthread_t thread;
        struct random random;
        struct par *par;
        struct held held[HELD_MAX];
};

static void check_held(const struct held *held)
{
        const unsigned char *data = par_buffer_data(held->buffer);
        const size_t size = par_buffer_size(held->buffer);

        if (data[0] != held->fill || memcmp(data, data + 1, size - 1) != 0)
                die("somebody else wrote into a buffer");
        if (par_buffer_dma(held->buffer) != held->dma)
                die("a buffer's address changed");
}

static size_t some_size(struct random *random)
{
        if (random_one_in(random, 20))
                return 6 * MiB + random_below(random, 4 * MiB);
        return 4096 + random_below(random, random_one_in(random, 4) ? 3 * MiB : 64 * KiB);
}

static void keep(struct client_thread *thread, struct held *held)
{
        held->fill = (unsigned char)random_next(&thread->random);
        held->dma = par_buffer_dma(held->buffer);
        memset(par_buffer_data(held->buffer), held->fill, par_buffer_size(held->buffer));
        atomic_fetch_add(&shared->grants, 1);
}

static void renew(struct client_thread *thread, struct held *held)
{
        const struct par_constraint want = { .max_segments = PAR_SEGMENTS_ANY };
        const struct par_alloc_options options = { .wait_ms = random_one_in(&thread->random, 3)
                                                                      ? 200
                                                                      : 0 };
        int r;

        if (held->buffer)
                check_held(held);
        par_free(held->buffer);
        r = par_alloc(thread->par, some_size(&thread->random), &want, &options, &held->buffer);
        if (r == -PAR_EXHAUSTED || r == -PAR_FRAGMENTED || r == -PAR_TIMED_OUT || r == -PAR_QUOTA) {
                atomic_fetch_add(&shared->refusals, 1);
                return;
        }
        if (r)
                die("alloc: %s: %s", par_strerror(r), par_error(thread->par));
        keep(thread, held);
}

/* Several in one request each way. */
static void renew_batch(struct client_thread *thread)
{
        const size_t n = 2 + random_below(&thread->random, HELD_MAX - 1);
        struct par_buffer *buffers[HELD_MAX];
        int r;

        for (size_t i = 0; i < n; i++) {
                if (thread->held[i].buffer)
                        check_held(&thread->held[i]);
                buffers[i] = thread->held[i].buffer;
        }
        par_free_batch(buffers, n);
        r = par_alloc_batch(thread->par, n, 4096 + random_below(&thread->random, 64 * KiB), NULL,
                            NULL, buffers);
        if (r == -PAR_EXHAUSTED || r == -PAR_FRAGMENTED || r == -PAR_QUOTA)
                atomic_fetch_add(&shared->refusals, 1);
        else if (r)
                die("a batch: %s: %s", par_strerror(r), par_error(thread->par));
        for (size_t i = 0; i < n; i++) {
                thread->held[i].buffer = buffers[i];
                if (buffers[i])
                        keep(thread, &thread->held[i]);
        }
}

static void *work(void *data)
{
        struct client_thread *thread = data;

        while (!atomic_load(&shared->stop)) {
                if (random_one_in(&thread->random, 4))
                        renew_batch(thread);
                renew(thread, &thread->held[random_below(&thread->random, HELD_MAX)]);
                if (random_one_in(&thread->random, 8))
                        usleep((useconds_t)random_below(&thread->random, 3000));
        }
        for (size_t i = 0; i < HELD_MAX; i++) {
                if (thread->held[i].buffer)
                        check_held(&thread->held[i]);
                par_free(thread->held[i].buffer);
        }
        return NULL;
}

static void count_events(struct par *par)
{
        struct par_event event;

        while (!par_next_event(par, &event) && event.type != PAR_EVENT_NONE)
                if (event.type == PAR_EVENT_RECONNECTED)
                        atomic_fetch_add(&shared->reconnected, 1);
                else if (event.type == PAR_EVENT_LOST)
                        die("the connection is lost");
}

static void be_a_client(unsigned number, const char *socket)
{
        static struct client_thread threads[THREADS];
        struct par *par;

        if (par_connect(socket, NULL, &par))
                die("connect: %s", par_error(NULL));
        for (unsigned i = 0; i < THREADS; i++) {
                threads[i] =
                        (struct client_thread){ .random = { number * THREADS + i }, .par = par };
                if (pthread_create(&threads[i].thread, NULL, work, &threads[i]))
                        die("a thread cannot be had");
        }
        while (!atomic_load(&shared->stop)) {
                struct pollfd fd = { par_fd(par), POLLIN, 0 };

                (void)poll(&fd, 1, 100);
                count_events(par);
        }
        for (unsigned i = 0; i < THREADS; i++)
                pthread_join(threads[i].thread, NULL);
        par_disconnect(par);
        _exit(0);
}

/* ---- the worker's deaths --------------------------------------------------------------------- */

static pid_t next_worker(const struct pard_fixture *pard, pid_t before)
{
        const uint64_t deadline = now_ns() + PATIENCE_NS;
        pid_t worker;

        while (!(worker = pard_fixture_worker(pard)) || worker == before) {
                if (now_ns() > deadline)
                        die("no other worker");
                usleep(1000);
        }
        return worker;
}

/* Until every client has come back to some worker as often as it could. */
static void await_grants(uint64_t more)
{
        const uint64_t deadline = now_ns() + PATIENCE_NS;
        const uint64_t goal = atomic_load(&shared->grants) + more;

        while (atomic_load(&shared->grants) < goal) {
                if (now_ns() > deadline)
                        die("nobody gets anything any more");
                usleep(1000);
        }
}

/* No frame has moved while it was held, and where memory is real all of it is pinned. */
static void check_frames(const struct pard_fixture *pard, bool real)
{
        struct wire_client client;
        const Wire__Status *status;

        wire_client_open(pard->socket, "the test", &client);
        status = wire_client_status(&client);
        check_sum_of_states(status->bytes);
        if (status->moved || (real && !status->pinned)) {
                pard_fixture_show_log(pard);
                die("%llu frames have moved, or not all are pinned",
                    (unsigned long long)status->moved);
        }
        wire_client_close(&client);
}

/* Whom to send which signal. */
static const struct ending {
        const char *name, *what;
        int signal;
        bool to_keeper;
} endings[] = {
        { "kill", "deaths of the worker", SIGKILL, false },
        { "renew", "workers that made room for another", SIGUSR1, true },
        { "replace", "programs of the keeper that took over", SIGUSR2, true },
};

static const struct ending *find_ending(const char *name)
{
        for (size_t i = 0; i < ARRAY_SIZE(endings); i++)
                if (strcmp(endings[i].name, name) == 0)
                        return &endings[i];
        die("%s: neither kill, renew nor replace", name);
}

static void kill_workers(const struct pard_fixture *pard, const struct ending *how, unsigned kills,
                         bool real)
{
        struct random random = { 7 };
        pid_t worker = pard_fixture_worker(pard);

        for (unsigned i = 0; i < kills; i++) {
                await_grants(1);
                check_frames(pard, real);
                usleep((useconds_t)random_below(&random, 150000));
                kill(how->to_keeper ? pard->pid : worker, how->signal);
                worker = next_worker(pard, worker);
        }
        await_grants(100);
}

static void expect_all_free(const struct pard_fixture *pard, unsigned kills)
{
        const uint64_t deadline = now_ns() + PATIENCE_NS;
        struct wire_client client;
        const Wire__Status *status;

        wire_client_open(pard->socket, "the test", &client);
        do {
                status = wire_client_status(&client);
                if (now_ns() > deadline)
                        die("%llu of %llu bytes are free in the end, %llu quarantined, %llu "
                            "lingering, %llu buffers",
                            (unsigned long long)status->bytes->free,
                            (unsigned long long)status->bytes->held,
                            (unsigned long long)status->bytes->quarantined,
                            (unsigned long long)status->bytes->lingering,
                            (unsigned long long)status->buffers);
                usleep(10000);
        } while (status->bytes->free != POOL_BYTES || status->buffers);
        if (status->worker_starts != kills + 1)
                die("%u workers, and %u kills", status->worker_starts, kills);
        wire_client_close(&client);
}

int main(int argc, char **argv)
{
        unsigned kills = argc > 1 ? (unsigned)strtoul(argv[1], NULL, 0) : 20;
        unsigned count = argc > 2 ? (unsigned)strtoul(argv[2], NULL, 0) : 8;
        const bool real = argc > 3 && strcmp(argv[3], "hugetlb") == 0;
        const struct ending *how = find_ending(argc > 4 ? argv[4] : "kill");
        struct pard_fixture pard;
        pid_t clients[CLIENTS_MAX];
        char config[1024];

        if (count > CLIENTS_MAX)
                die("at most %d clients", CLIENTS_MAX);
        if (real)
                require_hugepages(POOL_BYTES / MiB);
        shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
                      0);
        if (shared == MAP_FAILED)
                die("no memory");
        snprintf(config, sizeof(config), "%s%s", real ? hugetlb : sim, pool);
        pard_fixture_start_filled(config, &pard);
        for (unsigned i = 0; i < count; i++) {
                fflush(NULL);
                clients[i] = fork();
                if (clients[i] == 0)
                        be_a_client(i, pard.socket);
        }
        kill_workers(&pard, how, kills, real);
        atomic_store(&shared->stop, true);
        for (unsigned i = 0; i < count; i++) {
                int status;

                if (waitpid(clients[i], &status, 0) != clients[i] || status)
                        die("a client ended with status %#x", (unsigned)status);
        }
        expect_all_free(&pard, kills);
        printf("%u %s under %u clients: %llu grants, %llu refusals, told %llu "
               "times; none failed\n",
               kills, how->what, count, (unsigned long long)atomic_load(&shared->grants),
               (unsigned long long)atomic_load(&shared->refusals),
               (unsigned long long)atomic_load(&shared->reconnected));
        pard_fixture_stop(&pard);
        return 0;
}
