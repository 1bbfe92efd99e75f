/* SPDX-License-Identifier: MIT */
/*
 * A lock that is had in the order in which it was asked for. A thread that lets go of a mutex and
 * wants it again at once gets it before all who wait; here it gets it after them.
 */
#pragma once

#include <pthread.h>
#include <stdint.h>

/**
 * struct fair_lock - who has it, and who is next
 * @lock, @changed: over the rest; never held for long
 * @asked:  how often it was asked for
 * @passed: how often it was let go of
 */
struct fair_lock {
        pthread_mutex_t lock;
        pthread_cond_t changed;
        uint64_t asked, passed;
};

void fair_lock_init(struct fair_lock *fair);
/* Nobody has it or waits for it. */
void fair_lock_deinit(struct fair_lock *fair);

void fair_lock_enter(struct fair_lock *fair);
void fair_lock_leave(struct fair_lock *fair);
