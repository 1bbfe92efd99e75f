/* SPDX-License-Identifier: MIT */
/*
 * A pool below 4 GiB on a system that hands out its low memory last: it is made larger and smaller
 * again, and each time pard has to look through the system's memory for it. What it finds lies
 * where it should, nothing of the rest is kept, and a client that only asks for the status has its
 * answer soon meanwhile.
 *
 *     test_harvest [ROUNDS [hugetlb]]      default: 5 rounds, invented memory
 *
 * On real memory it takes all but 3 GiB for moments.
 */
#include "latency.h"
#include "macros.h"
#include "pard_fixture.h"
#include "process.h"
#include "units.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SIZE_SMALL (2 * MiB)
#define SIZE_LARGE (64 * MiB)
#define SETTLE_NS  (60 * NS_PER_S)
#define LOW_LAST   UINT32_MAX

static const char pools[] = "pool \"low\" { below = \"4G\" page_size = \"2M\" size_min = \"2M\" "
                            "size_max = \"64M\" harvest_max = \"64G\" }\n";
/* Seed 0: from the top down. */
static const char sim[] = "backend = \"sim\"\n"
                          "sim { order = \"blind\" delay = \"10ms\"\n"
                          "  extent \"high\" { first = \"4G\" size = \"16G\" page_size = \"2M\" }\n"
                          "  extent \"low\" { first = \"1G\" size = \"1G\" page_size = \"2M\" }\n"
                          "}\nkeep_free = \"64M\"\n";
static const char hugetlb[] =
        "backend = \"hugetlb\"\nhugepages = \"reserve\"\nkeep_free = \"3G\"\n";

/**
 * struct run - the test's own client
 * @aside_most: most that was seen held aside
 */
struct run {
        struct wire_client admin;
        struct latency latency;
        uint64_t aside_most, longest_ns;
};

static void resize(struct run *run, uint64_t size)
{
        char name[] = "low";
        Wire__Resize body = WIRE__RESIZE__INIT;
        Wire__Request request = WIRE__REQUEST__INIT;
        const Wire__Reply *reply;

        body.pool = name;
        body.size = size;
        request.body_case = WIRE__REQUEST__BODY_RESIZE;
        request.resize = &body;
        reply = wire_client_ask(&run->admin, &request);
        if (reply->result)
                die("to %llu bytes: %s", (unsigned long long)size, reply->refusal->sentence);
}

/* Until the pool holds that much, or gives up. */
static uint64_t await(struct run *run, uint64_t size)
{
        uint64_t started = now_ns(), held;

        for (;;) {
                const Wire__Pool *pool = wire_client_pool(&run->admin, "low");

                check_sum_of_states(pool->bytes);
                held = pool->bytes->held;
                if (pool->held_aside > run->aside_most)
                        run->aside_most = pool->held_aside;
                if (held == size && pool->bytes->free == held && !pool->taking)
                        break;
                if (!strcmp(pool->state, "short") && !pool->taking) {
                        printf("it has %llu of %llu MiB: %s\n", (unsigned long long)(held / MiB),
                               (unsigned long long)(size / MiB), pool->note);
                        break;
                }
                if (now_ns() - started > SETTLE_NS)
                        die("it holds %llu bytes, %llu were wanted; %s, goal %llu, taking %llu: %s",
                            (unsigned long long)held, (unsigned long long)size, pool->state,
                            (unsigned long long)pool->goal, (unsigned long long)pool->taking,
                            pool->note);
                latency_sample(&run->latency, &run->admin);
                usleep(500);
        }
        if (now_ns() - started > run->longest_ns)
                run->longest_ns = now_ns() - started;
        return held;
}

/* Every frame of the pool lies where its device can reach it. */
static void check_places(struct run *run)
{
        Wire__List body = WIRE__LIST__INIT;
        Wire__Request request = WIRE__REQUEST__INIT;
        const Wire__Reply *reply;

        request.body_case = WIRE__REQUEST__BODY_FRAMES;
        request.frames = &body;
        reply = wire_client_ask(&run->admin, &request);
        if (reply->result || reply->frames->next_cursor)
                die("the frames do not come in one piece");
        for (size_t i = 0; i < reply->frames->n_frames; i++) {
                const Wire__Frame *frame = reply->frames->frames[i];

                if (frame->phys + frame->size - 1 > LOW_LAST)
                        die("a frame at 0x%llx", (unsigned long long)frame->phys);
        }
}

int main(int argc, char **argv)
{
        unsigned rounds = argc > 1 ? (unsigned)strtoul(argv[1], NULL, 0) : 5;
        bool real = argc > 2 && strcmp(argv[2], "hugetlb") == 0;
        struct pard_fixture pard;
        struct run run = { 0 };
        char config[1024], what[160];
        uint64_t most = 0;

        if (real)
                require_hugepages(2048);
        snprintf(config, sizeof(config), "admin_group = \"%u\"\n%s%s", (unsigned)getgid(),
                 real ? hugetlb : sim, pools);
        pard_fixture_start(config, &pard);
        wire_client_open(pard.socket, "admin", &run.admin);
        latency_start(&run.latency, pard_fixture_worker(&pard));
        await(&run, SIZE_SMALL);

        for (unsigned i = 0; i < rounds; i++) {
                uint64_t held;

                resize(&run, SIZE_LARGE);
                held = await(&run, SIZE_LARGE);
                if (held > most)
                        most = held;
                if (!real && held != SIZE_LARGE)
                        die("%llu bytes found, %llu are there", (unsigned long long)held,
                            (unsigned long long)SIZE_LARGE);
                check_places(&run);
                resize(&run, SIZE_SMALL);
                await(&run, SIZE_SMALL);
        }
        snprintf(what, sizeof(what), "%u harvests of up to %llu MiB, %llu MiB held, at most %.1f s",
                 rounds, (unsigned long long)(most / MiB),
                 (unsigned long long)(run.aside_most / MiB), (double)run.longest_ns / 1e9);
        latency_finish(&run.latency, what);
        if (!run.aside_most)
                die("nobody saw what was held aside");
        wire_client_close(&run.admin);
        pard_fixture_stop(&pard);
        return 0;
}
