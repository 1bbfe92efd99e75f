/* SPDX-License-Identifier: MIT */
/*
 * Invariant, which usage_check.c walks: each user is counted where his usage puts him. Who has
 * nothing uses no share, also of a quota that allows nothing, so users come and go uncounted.
 */
#include "crowd.h"

#include "usage.h"

#include <assert.h>

const unsigned quota_percents[QUOTA_SHARES] = { 50, 75, 90, 100 };

/* Rounded up, and something. */
static uint64_t share_of(uint64_t most, unsigned percent)
{
        uint64_t share = most / 100 * percent + (most % 100 * percent + 99) / 100;

        return share ? share : 1;
}

static uint64_t bytes_of_frames(uint64_t frames, uint64_t page_bytes)
{
        uint64_t bytes;

        return __builtin_mul_overflow(frames, page_bytes, &bytes) ? UINT64_MAX : bytes;
}

static void set_shares(struct crowd *crowd, const struct quota_settings *quota, uint64_t page_bytes)
{
        for (unsigned i = 0; i < QUOTA_SHARES; i++) {
                const unsigned percent = quota_percents[i];
                uint64_t bytes;

                if (quota->bytes != QUOTA_NONE)
                        crowd->bytes[i] = share_of(quota->bytes, percent);
                if (quota->frames != QUOTA_NONE) {
                        bytes = bytes_of_frames(share_of(quota->frames, percent), page_bytes);
                        if (bytes < crowd->bytes[i])
                                crowd->bytes[i] = bytes;
                }
                if (quota->buffers != QUOTA_NONE)
                        crowd->buffers[i] = share_of(quota->buffers, percent);
        }
}

void crowd_init(struct crowd *crowd, const struct pool_settings *settings)
{
        for (unsigned i = 0; i < QUOTA_SHARES; i++) {
                crowd->bytes[i] = crowd->buffers[i] = UINT64_MAX;
                crowd->users[i] = 0;
        }
        for (size_t i = 0; i < settings->n_quotas; i++)
                if (settings->quotas[i].each)
                        set_shares(crowd, &settings->quotas[i], settings->page_bytes);
}

unsigned crowd_place(const struct crowd *crowd, const struct usage *usage)
{
        unsigned place = 0;

        while (place < QUOTA_SHARES &&
               (usage->bytes >= crowd->bytes[place] || usage->n_buffers >= crowd->buffers[place]))
                place++;
        return place;
}

void crowd_move(struct crowd *crowd, unsigned from, unsigned to)
{
        if (from) {
                assert(crowd->users[from - 1]);
                crowd->users[from - 1]--;
        }
        if (to)
                crowd->users[to - 1]++;
}

uint32_t crowd_users(const struct crowd *crowd, unsigned share)
{
        uint32_t users = 0;

        for (; share < QUOTA_SHARES; share++)
                users += crowd->users[share];
        return users;
}
