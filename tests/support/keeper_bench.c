/* SPDX-License-Identifier: MIT */
/*
 * Owns the keeper, its threads and both ends of the channel.
 */
#include "keeper_bench.h"

#include "keeper_private.h"
#include "macros.h"
#include "sim.h"

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

struct keeper_bench {
        struct keeper keeper;
        struct keeper_settings settings;
        struct keeper_pool pools[KEEPER_POOLS_MAX];
        struct backend *backend;
        int worker;
};

static int open_for(void *data, const struct keeper_message *message, int *ret_fd)
{
        struct keeper *keeper = data;
        const struct slot *slot;

        if (message->type != KEEPER_FRAME || message->flags & KEEPER_GIVEN_UP)
                return 0;
        slot = &keeper->slots.slots[message->slot];
        if (slot->state != SLOT_HELD || slot->generation != message->generation)
                return -ESTALE;
        return keeper->settings->backend->ops->open_file(keeper->settings->backend, &slot->frame,
                                                         ret_fd);
}

/* No device is a bus master. */
static int look(void *data, uint32_t device)
{
        (void)data, (void)device;
        return 0;
}

static int open_channel(struct keeper_bench *bench)
{
        int ends[2];

        if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) < 0)
                return -errno;
        channel_attach(&bench->keeper.channel, ends[0]);
        bench->worker = ends[1];
        return 0;
}

struct keeper_bench *keeper_bench_new(struct sim_settings *sim, uint32_t pools, uint32_t slots)
{
        struct keeper_bench *bench = calloc(1, sizeof(*bench));
        struct keeper *keeper;
        int r;

        if (!bench)
                return NULL;
        keeper = &bench->keeper;
        bench->worker = -1;
        for (uint32_t i = 0; i < pools; i++)
                bench->pools[i] = (struct keeper_pool){ .name = "pool", .page_bytes = 2 * MiB };
        r = sim_new(sim, &bench->backend);
        if (r) {
                free(bench);
                return NULL;
        }
        bench->settings = (struct keeper_settings){ .backend = bench->backend,
                                                    .pools = bench->pools,
                                                    .n_pools = pools,
                                                    .slots = slots,
                                                    .threads = 2,
                                                    .look = look };
        keeper->settings = &bench->settings;
        keeper->config_fd = keeper->offered_fd = -1;
        LIST_INIT(&keeper->jobs_out);
        STAILQ_INIT(&keeper->takes);
        channel_init(&keeper->channel, open_for, keeper);
        keeper->channel.fd = -1;
        r = slots_init(&keeper->slots, slots + 1);
        if (!r)
                r = ledger_init(&keeper->ledger, slots + 1);
        if (!r)
                r = open_channel(bench);
        if (!r)
                r = keeper_start_threads(keeper);
        assert(!r); /* a machine without these runs no test at all */
        keeper->welcomed = true;
        return bench;
}

void keeper_bench_free(struct keeper_bench *bench)
{
        keeper_end_threads(&bench->keeper);
        channel_detach(&bench->keeper.channel);
        close(bench->worker);
        slots_deinit(&bench->keeper.slots);
        ledger_deinit(&bench->keeper.ledger);
        backend_free(bench->backend);
        free(bench);
}

int keeper_bench_say(struct keeper_bench *bench, const struct keeper_message *message)
{
        return keeper_request(&bench->keeper, message);
}

bool keeper_bench_hear(struct keeper_bench *bench, struct keeper_message *ret)
{
        /* Without room for descriptors the kernel closes them. */
        const bool heard = recv(bench->worker, ret, sizeof(*ret), MSG_DONTWAIT) == sizeof(*ret);

        (void)channel_flush(&bench->keeper.channel);
        return heard;
}

void keeper_bench_wait(struct keeper_bench *bench)
{
        struct pollfd news[] = {
                { .fd = bench->keeper.jobs.reports.event, .events = POLLIN },
                { .fd = bench->worker, .events = POLLIN },
        };

        (void)poll(news, ARRAY_SIZE(news), 1000);
}

void keeper_bench_turn(struct keeper_bench *bench)
{
        keeper_hear_reports(&bench->keeper);
        keeper_tidy(&bench->keeper, UINT64_MAX);
        (void)channel_flush(&bench->keeper.channel);
}

void keeper_bench_next_worker(struct keeper_bench *bench)
{
        struct keeper *keeper = &bench->keeper;
        struct pollfd news = { .fd = keeper->jobs.reports.event, .events = POLLIN };

        keeper->welcomed = false;
        channel_detach(&keeper->channel);
        close(bench->worker);
        keeper_forget_takes(keeper);
        jobs_wind_up(&keeper->jobs, true);
        watches_clear(&keeper->jobs.watches);
        keeper_filling(keeper, false);
        keeper->reloads = 0;
        while (keeper->n_out) {
                (void)poll(&news, 1, -1);
                keeper_hear_reports(keeper);
        }
        jobs_wind_up(&keeper->jobs, false);
        keeper_filling(keeper, true);
        if (open_channel(bench))
                abort();
        keeper->welcomed = true;
}

uint32_t keeper_bench_used(const struct keeper_bench *bench)
{
        return slots_used(&bench->keeper.slots);
}

void keeper_bench_check(const struct keeper_bench *bench)
{
        const struct keeper *keeper = &bench->keeper;
        const struct slots *slots = &keeper->slots;
        uint32_t used = 0, wanted = 0;
        const struct job *job;

        for (uint32_t i = 0; i < slots->room; i++) {
                const struct slot *slot = &slots->slots[i];

                used += slot->state != SLOT_EMPTY;
                assert(!!(slots->used[i / 64] >> i % 64 & 1) == (slot->state != SLOT_EMPTY));
                assert(slot->state != SLOT_LEAVING || slot->job);
                assert(slot->state != SLOT_HELD || slot->frame.memfd >= 0 || slot->given_up);
        }
        assert(used == slots_used(slots));
        STAILQ_FOREACH (job, &keeper->takes, queued)
                wanted += job->request.count;
        assert(wanted <= keeper->promised);
        assert(used + keeper->promised <= keeper->settings->slots + keeper->n_out + 1);
        assert(keeper->n_takes <= KEEPER_TAKES_MAX);
}
