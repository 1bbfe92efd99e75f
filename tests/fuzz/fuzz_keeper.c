/* SPDX-License-Identifier: MIT */
/*
 * What a worker may send, in its right mind or not, to a keeper on invented memory. One that is
 * refused dies, and the next one goes on where it was. Each input is a row of bytes that choose:
 * a raw message, or one whose fields are small enough to mean something.
 */
#include "keeper_bench.h"
#include "log.h"
#include "macros.h"
#include "sim.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>

#define POOLS     3u
#define SLOTS     24u
#define STEPS_MAX 200u

struct input {
        const uint8_t *bytes;
        size_t size;
};

static uint8_t next(struct input *input)
{
        if (!input->size)
                return 0;
        input->size--;
        return *input->bytes++;
}

static struct keeper_message raw(struct input *input)
{
        struct keeper_message message = { 0 };
        const size_t n = input->size < sizeof(message) ? input->size : sizeof(message);

        memcpy(&message, input->bytes, n);
        input->bytes += n;
        input->size -= n;
        return message;
}

/* Frames of both extents, or of one, or none. */
static void choose_window(struct input *input, struct keeper_message *message)
{
        message->last = UINT64_MAX;
        switch (next(input) % 4) {
        case 0: message->first = 4 * GiB; break;
        case 1: message->last = 4 * GiB - 1; break;
        case 2: message->first = 8 * GiB; break;
        default: break;
        }
}

static struct keeper_message sensible(struct input *input)
{
        const uint8_t run = next(input);
        struct keeper_message message = {
                .type = 1 + next(input) % 12,
                .pool = next(input) % (POOLS + 1),
                .slot = next(input) % (SLOTS + 2),
                .generation = next(input) % 4,
                .count = next(input) % 16,
                .page_bytes = 2 * MiB,
                .phys = run % 8 ? 0 : (run / 8) % 4 * 2 * MiB,
                .node = next(input) % 3 - 1,
        };

        choose_window(input, &message);
        if (message.type == KEEPER_LEAVE)
                message.flags = next(input) & (KEEPER_RETAKE | KEEPER_PATIENT | KEEPER_OWNER_GONE);
        return message;
}

static void hear_all(struct keeper_bench *bench)
{
        struct keeper_message message;

        while (keeper_bench_hear(bench, &message))
                if (message.type < KEEPER_WELCOME)
                        abort(); /* these are the worker's to say */
}

static void step(struct keeper_bench *bench, struct input *input)
{
        const uint8_t what = next(input);
        struct keeper_message message;

        switch (what % 16) {
        case 0: keeper_bench_next_worker(bench); return;
        case 1: hear_all(bench); return;
        case 2: message = raw(input); break;
        default: message = sensible(input); break;
        }
        if (keeper_bench_say(bench, &message))
                keeper_bench_next_worker(bench);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
        struct sim_extent extents[] = {
                { { 16 * MiB, 64 * MiB - 1 }, 0, 2 * MiB },
                { { 4 * GiB, 4 * GiB + 32 * MiB - 1 }, 1, 2 * MiB },
        };
        struct input input = { bytes, size };
        struct sim_settings sim = { .extents = extents,
                                    .n_extents = ARRAY_SIZE(extents),
                                    .seed = next(&input) };
        struct keeper_bench *bench;

        log_open("pard", LOG_EMERG); /* refusals are what this is about */
        sim.blind = next(&input) & 1;
        sim.snatch_every = next(&input) % 8;
        bench = keeper_bench_new(&sim, POOLS, SLOTS);
        if (!bench)
                return 0;
        for (unsigned i = 0; input.size && i < STEPS_MAX; i++) {
                step(bench, &input);
                keeper_bench_turn(bench);
                keeper_bench_check(bench);
        }
        hear_all(bench);
        keeper_bench_free(bench);
        return 0;
}
