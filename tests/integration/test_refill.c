/* SPDX-License-Identifier: MIT */
/*
 * A pool that grows, is emptied and refilled, again and again, while others keep the daemon busy:
 * nothing leaks, what fits into the spare frames is granted without waiting for a page, and a
 * client that only asks for the status has its answer soon.
 *
 *     test_refill [ROUNDS [hugetlb]]      default: 20 rounds, invented memory
 */
#include "footprint.h"
#include "latency.h"
#include "load.h"
#include "macros.h"
#include "metrics_client.h"
#include "pard_fixture.h"
#include "process.h"
#include "random.h"
#include "units.h"

#include <errno.h>
#include <par.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FRAME_BYTES    (2 * MiB)
#define FRAMES_SPARE   8u
#define FRAMES_MAX     64u
#define LOADS          4u
#define SETTLE_NS      (60 * NS_PER_S)
#define SAMPLES_A_TRY  4
#define WARM_UP_ROUNDS 4
#define PATIENCE_MS    20000

/* The load has a pool of its own: what waits there is not this test's affair. A page takes 1 ms to
 * come, so that whoever waits for one is seen. */
static const char pools[] =
        "pool \"work\" { page_size = \"2M\" size_min = \"32M\" size_max = \"128M\" spare = \"16M\" "
        "shrink_delay = \"300ms\" reuse_delay = \"10ms\" }\n"
        "pool \"load\" { page_size = \"2M\" size_min = \"32M\" quarantine = \"200ms\" "
        "reuse_delay = \"10ms\" }\n";
static const char sim[] = "backend = \"sim\"\n"
                          "sim { delay = \"1ms\" extent \"high\" { first = \"4G\" size = \"1G\" "
                          "page_size = \"2M\" } }\n";
static const char hugetlb[] =
        "backend = \"hugetlb\"\nhugepages = \"reserve\"\nkeep_free = \"512M\"\n";

/* ---- the load -------------------------------------------------------------------------------- */

static void take_and_free(struct par *par, struct random *random)
{
        const struct par_alloc_options options = { .pool = "load", .wait_ms = 20 };

        load_take_and_free(par, random, &options, 3000);
}

/* ---- the pool -------------------------------------------------------------------------------- */

/**
 * struct run - the test's own clients
 * @watcher: asks for figures
 * @held:    what it has of the pool
 */
struct run {
        struct par *par;
        struct wire_client watcher;
        struct latency latency;
        const char *metrics;
        struct par_buffer *held[FRAMES_MAX];
        unsigned n_held;
};

/* Until the pool has as many free bytes, or holds as many in all. */
static void await(struct run *run, const char *name, bool (*done)(const Wire__Pool *),
                  const char *what)
{
        uint64_t deadline = now_ns() + SETTLE_NS;
        struct par_event event;

        for (;;) {
                const Wire__Pool *pool = wire_client_pool(&run->watcher, name);

                check_sum_of_states(pool->bytes);
                if (pool->bytes->held > FRAMES_MAX * FRAME_BYTES)
                        die("the pool holds %llu bytes, more than its size_max",
                            (unsigned long long)pool->bytes->held);
                if (done(pool))
                        return;
                if (now_ns() > deadline)
                        die("%s: held %llu, free %llu, goal %llu, leaving %llu, lingering %llu: %s",
                            what, (unsigned long long)pool->bytes->held,
                            (unsigned long long)pool->bytes->free, (unsigned long long)pool->goal,
                            (unsigned long long)pool->bytes->leaving,
                            (unsigned long long)pool->bytes->lingering, pool->note);
                latency_sample(&run->latency, &run->watcher);
                /* Unmap what pard has asked for meanwhile: libpar has no thread of its own. */
                if (par_next_event(run->par, &event) != -EAGAIN)
                        die("an event, or a failure: %s", par_error(run->par));
                usleep(1000);
        }
}

static bool has_spare(const Wire__Pool *pool)
{
        return pool->bytes->free >= FRAMES_SPARE * FRAME_BYTES;
}

static bool is_small_again(const Wire__Pool *pool)
{
        return pool->bytes->free == pool->bytes->held && pool->bytes->held == pool->size_min;
}

static int take_frame(struct run *run, int32_t wait_ms)
{
        struct par_alloc_options options = { .pool = "work", .wait_ms = wait_ms };
        int r;

        r = par_alloc(run->par, FRAME_BYTES, NULL, &options, &run->held[run->n_held]);
        run->n_held += r == 0;
        return r;
}

/* What the spare frames can serve does not wait. */
static void take_spare(struct run *run)
{
        double before = metrics_value(run->metrics, "pard_waits_total{pool=\"work\"}"), after;

        for (unsigned i = 0; i < FRAMES_SPARE; i++)
                if (take_frame(run, 0))
                        die("with spare frames in stock: %s", par_error(run->par));
        after = metrics_value(run->metrics, "pard_waits_total{pool=\"work\"}");
        if (after != before)
                die("%g grants waited although the spare frames sufficed", after - before);
}

/* Take all that the pool may ever have: it grows meanwhile, and what was given back in the round
 * before may still be on its way through the kernel. */
static void empty(struct run *run)
{
        int r = 0;

        while (!r && run->n_held < FRAMES_MAX)
                r = take_frame(run, PATIENCE_MS);
        if (r)
                die("after %u of %u frames: %s", run->n_held, FRAMES_MAX, par_error(run->par));
}

static void free_all(struct run *run)
{
        while (run->n_held)
                par_free(run->held[--run->n_held]);
}

static void one_round(struct run *run)
{
        await(run, "work", has_spare, "no spare frames");
        take_spare(run);
        latency_sample(&run->latency, &run->watcher);
        empty(run);
        for (unsigned i = 0; i < SAMPLES_A_TRY; i++)
                latency_sample(&run->latency, &run->watcher);
        free_all(run);
}

/* Rounds under load, and the daemon's footprint when all is quiet again. */
static void run_rounds(struct run *run, const struct pard_fixture *pard, unsigned rounds,
                       struct footprint *ret)
{
        struct load load;

        load_start(&load, LOADS, take_and_free, 1);
        for (unsigned i = 0; i < rounds; i++)
                one_round(run);
        load_stop(&load);
        await(run, "work", is_small_again, "the pool did not shrink");
        await(run, "load", is_small_again, "the load's pool is not whole again");
        footprint_look(pard, ret);
}

int main(int argc, char **argv)
{
        unsigned rounds = argc > 1 ? (unsigned)strtoul(argv[1], NULL, 0) : 20;
        bool real = argc > 2 && strcmp(argv[2], "hugetlb") == 0;
        struct footprint before, after;
        char config[2048], metrics[64], what[96];
        struct pard_fixture pard;
        struct run run = { .metrics = metrics };

        if (real)
                require_hugepages(192);
        snprintf(metrics, sizeof(metrics), "/tmp/par-refill-%d.metrics", (int)getpid());
        snprintf(config, sizeof(config), "metrics = \"%s\"\n%s%s", metrics, real ? hugetlb : sim,
                 pools);
        pard_fixture_start_filled(config, &pard);
        wire_client_open(pard.socket, "watcher", &run.watcher);
        if (par_connect(NULL, NULL, &run.par))
                die("%s", par_error(NULL));
        latency_start(&run.latency, pard_fixture_worker(&pard));

        /* The heap grows to its size in the first rounds; after that it must not grow. */
        run_rounds(&run, &pard, WARM_UP_ROUNDS, &before);
        run_rounds(&run, &pard, rounds, &after);
        snprintf(what, sizeof(what), "%u times emptied and refilled", rounds);
        latency_finish(&run.latency, what);
        footprint_compare(&before, &after);

        par_disconnect(run.par);
        wire_client_close(&run.watcher);
        pard_fixture_stop(&pard);
        return 0;
}
