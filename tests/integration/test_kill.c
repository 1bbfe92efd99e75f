/* SPDX-License-Identifier: MIT */
/*
 * 64 clients at once, which take and free memory as fast as they can and are killed at random: no
 * frame, descriptor or memory of the daemon is lost, and a client that only asks for the status now
 * and then has its answer soon. What "soon" is on a busy machine, a bare ping-pong between two
 * processes tells, measured at the same time.
 *
 *     test_kill [SECONDS [CLIENTS [hugetlb]]]      default: 5 seconds, 64 clients, invented memory
 */
#include "footprint.h"
#include "latency.h"
#include "load.h"
#include "macros.h"
#include "pard_fixture.h"
#include "process.h"
#include "random.h"
#include "wire_client.h"

#include <par.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define HELD_MAX        8
#define SAMPLE_EVERY_US 4000
#define SETTLE_NS       (20 * NS_PER_S)

static const char pools[] = "pool \"any\" { page_size = \"2M\" size_min = \"256M\" quarantine = "
                            "\"200ms\" reuse_delay = \"50ms\" }\n";
static const char sim[] =
        "backend = \"sim\"\n"
        "sim { extent \"high\" { first = \"4G\" size = \"4G\" page_size = \"2M\" } }\n";
static const char hugetlb[] =
        "backend = \"hugetlb\"\nhugepages = \"reserve\"\nkeep_free = \"512M\"\n";

/* ---- a client that lives until it is killed -------------------------------------------------- */

static void take_and_free(struct par *par, struct random *random)
{
        struct par_buffer *held[HELD_MAX] = { NULL };

        for (;;) {
                size_t i = random_below(random, HELD_MAX);
                struct par_constraint want = { .max_segments = PAR_SEGMENTS_ANY };
                struct par_alloc_options options = { .wait_ms = random_one_in(random, 4) ? 50 : 0 };
                int r;

                par_free(held[i]);
                r = par_alloc(par, 4096 + random_below(random, 4 * MiB), &want, &options, &held[i]);
                if (r == 0)
                        memset(par_buffer_data(held[i]), 1, 4096);
                else if (r == -PAR_GONE || r > -PAR_NEVER_FITS)
                        die("client: %s: %s", par_strerror(r), par_error(par));
        }
}

/* ---- the run --------------------------------------------------------------------------------- */

static void run_load(const struct pard_fixture *pard, struct wire_client *idle, struct load *load,
                     uint64_t seconds)
{
        uint64_t deadline = now_ns() + seconds * NS_PER_S;
        struct latency latency;
        char what[96];

        latency_start(&latency, pard_fixture_worker(pard));
        while (now_ns() < deadline) {
                latency_sample(&latency, idle);
                if (random_one_in(&load->random, 5))
                        load_replace_one(load);
                usleep(SAMPLE_EVERY_US);
        }
        snprintf(what, sizeof(what), "%zu clients, %llu killed in %llu s", load->count,
                 (unsigned long long)load->killed, (unsigned long long)seconds);
        latency_finish(&latency, what);
}

/* Everything is free again once quarantines are over; what other processes of the system snatched
 * on the way is counted. */
static void wait_until_free(struct wire_client *idle)
{
        uint64_t deadline = now_ns() + SETTLE_NS;

        for (;;) {
                const Wire__Pool *pool = wire_client_pool(idle, "any");

                check_sum_of_states(pool->bytes);
                /* What others took of the system's pages meanwhile is replaced within seconds. */
                if (pool->bytes->free == pool->size_min)
                        return;
                if (now_ns() > deadline)
                        die("of %llu bytes held %llu are free: lost %llu pages, granted %llu, "
                            "reusable "
                            "%llu, leaving "
                            "%llu, lingering %llu, quarantined %llu",
                            (unsigned long long)pool->bytes->held,
                            (unsigned long long)pool->bytes->free,
                            (unsigned long long)pool->lost_to_system,
                            (unsigned long long)pool->bytes->granted,
                            (unsigned long long)pool->bytes->reusable,
                            (unsigned long long)pool->bytes->leaving,
                            (unsigned long long)pool->bytes->lingering,
                            (unsigned long long)pool->bytes->quarantined);
                usleep(20000);
        }
}

int main(int argc, char **argv)
{
        uint64_t seconds = argc > 1 ? strtoull(argv[1], NULL, 0) : 5;
        size_t count = argc > 2 ? strtoull(argv[2], NULL, 0) : 64;
        bool real = argc > 3 && strcmp(argv[3], "hugetlb") == 0;
        struct load load;
        struct footprint before, after;
        struct wire_client idle;
        struct pard_fixture pard;
        char config[1024];

        if (real)
                require_hugepages(256);
        snprintf(config, sizeof(config), "%s%s", real ? hugetlb : sim, pools);
        pard_fixture_start_filled(config, &pard);
        wire_client_open(pard.socket, "idle", &idle);

        /* The heap grows to its size under a first load; after that it must not grow. */
        load_start(&load, count, take_and_free, 1);
        usleep(500000);
        load_stop(&load);
        wait_until_free(&idle);
        footprint_look(&pard, &before);

        load_start(&load, count, take_and_free, 2);
        run_load(&pard, &idle, &load, seconds);
        load_stop(&load);
        wait_until_free(&idle);
        footprint_look(&pard, &after);
        footprint_compare(&before, &after);

        wire_client_close(&idle);
        pard_fixture_stop(&pard);
        return 0;
}
