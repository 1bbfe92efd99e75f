/* SPDX-License-Identifier: MIT */
/*
 * How near users come to what a pool lets each of them have ("user:*"). Kept up to date where what
 * one of them has changes, so that nobody has to look at all of them to know.
 */
#pragma once

#include "state_report.h"

#include <stdint.h>

struct usage;

/**
 * struct crowd - the users of one pool whom a quota of each user concerns
 * @bytes, @buffers: from how much on one uses a share of it; UINT64_MAX: there is no such limit
 * @users: who use so large a share, and not the next larger one; of no share nobody is counted
 */
struct crowd {
        uint64_t bytes[QUOTA_SHARES], buffers[QUOTA_SHARES];
        uint32_t users[QUOTA_SHARES];
};

/* Nobody has anything, and each may have what the settings say. */
void crowd_init(struct crowd *crowd, const struct pool_settings *settings);

/* How many of the shares one who has so much uses, which is 0 to QUOTA_SHARES. */
unsigned crowd_place(const struct crowd *crowd, const struct usage *usage);

/* One of them uses more shares or fewer than before. */
void crowd_move(struct crowd *crowd, unsigned from, unsigned to);

/* Users who use a share at least, by its index. */
uint32_t crowd_users(const struct crowd *crowd, unsigned share);
