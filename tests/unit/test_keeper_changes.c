/* SPDX-License-Identifier: MIT */
/*
 * Frames come and go at the keeper, again and again, by all the ways that a worker has: afterwards
 * it has not more memory and not more descriptors than after the first tenth.
 *
 *     test_keeper_changes [CHANGES]      default: 20,000
 */
#include "keeper_bench.h"
#include "macros.h"
#include "process.h"
#include "sim.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PAGE   (2 * MiB)
#define POOLS  2u
#define FRAMES 64u /* at once */

/* A sanitizer keeps what was freed; valgrind is told apart by its tests' environment. */
#ifdef __has_feature
#define HAS_SANITIZER (__has_feature(address_sanitizer) || __has_feature(thread_sanitizer))
#else
#define HAS_SANITIZER 0
#endif
#if HAS_SANITIZER || defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define GROWTH_KIB (1l << 20)
#else
#define GROWTH_KIB 2048l
#endif

/**
 * struct worker - who asks
 * @changes: frames that came so far
 * @takes:   that are under way
 */
struct worker {
        struct keeper_bench *bench;
        uint64_t changes, goal;
        unsigned takes;
};

static void say(struct worker *worker, struct keeper_message message)
{
        if (keeper_bench_say(worker->bench, &message))
                die("the keeper refuses message %u", message.type);
}

static void take(struct worker *worker, uint32_t pool)
{
        say(worker, (struct keeper_message){ .type = KEEPER_TAKE,
                                             .pool = pool,
                                             .page_bytes = PAGE,
                                             .count = FRAMES / POOLS,
                                             .last = UINT64_MAX,
                                             .node = KEEPER_NODE_ANY });
        worker->takes++;
}

/* Every second page is taken again in the same step, every seventh is in no hurry. */
static void leave(struct worker *worker, const struct keeper_message *frame)
{
        const bool goes_on = worker->changes < worker->goal;

        say(worker, (struct keeper_message){
                            .type = KEEPER_LEAVE,
                            .pool = frame->pool,
                            .slot = frame->slot,
                            .generation = frame->generation,
                            .last = UINT64_MAX,
                            .node = KEEPER_NODE_ANY,
                            .flags = (goes_on && worker->changes % 2 ? KEEPER_RETAKE : 0) |
                                     (worker->changes % 7 ? 0 : KEEPER_PATIENT),
                    });
}

static void hear(struct worker *worker, const struct keeper_message *message)
{
        switch (message->type) {
        case KEEPER_FRAME:
                worker->changes++;
                leave(worker, message);
                break;
        case KEEPER_TAKEN: worker->takes--; break;
        default: break;
        }
}

/* Until so many frames have come, and all of them have gone. */
static void change(struct worker *worker, uint64_t goal)
{
        struct keeper_message message;

        worker->goal = goal;
        while (worker->changes < goal || worker->takes || keeper_bench_used(worker->bench)) {
                for (uint32_t pool = 0; pool < POOLS && worker->changes < goal &&
                                        worker->takes < POOLS && !keeper_bench_used(worker->bench);
                     pool++)
                        take(worker, pool);
                keeper_bench_wait(worker->bench);
                keeper_bench_turn(worker->bench);
                while (keeper_bench_hear(worker->bench, &message))
                        hear(worker, &message);
        }
        keeper_bench_check(worker->bench);
}

int main(int argc, char **argv)
{
        struct sim_extent extents[] = { { { 4 * GiB, 5 * GiB - 1 }, 0, PAGE } };
        struct sim_settings sim = { .extents = extents, .n_extents = ARRAY_SIZE(extents) };
        const uint64_t changes = argc > 1 ? strtoull(argv[1], NULL, 0) : 20000;
        struct worker worker = { .bench = keeper_bench_new(&sim, POOLS, 2 * FRAMES) };
        unsigned descriptors;
        uint64_t begun, warm;
        long kib;

        if (!worker.bench)
                die("no keeper");
        begun = now_ns();
        change(&worker, changes / 10);
        warm = worker.changes;
        kib = process_resident_kib(getpid());
        descriptors = process_descriptors(getpid());
        change(&worker, changes);
        printf("%llu frames: %ld KiB and %u descriptors; %llu frames: %ld KiB and %u descriptors; "
               "%llu s\n",
               (unsigned long long)warm, kib, descriptors, (unsigned long long)worker.changes,
               process_resident_kib(getpid()), process_descriptors(getpid()),
               (unsigned long long)((now_ns() - begun) / NS_PER_S));
        if (process_descriptors(getpid()) != descriptors ||
            (!getenv("PAR_UNDER_VALGRIND") && process_resident_kib(getpid()) > kib + GROWTH_KIB))
                die("the keeper has grown");
        keeper_bench_free(worker.bench);
        return 0;
}
