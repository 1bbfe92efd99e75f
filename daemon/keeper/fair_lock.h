/* SPDX-License-Identifier: MIT */
/*
 * A lock that is had in the order in which it was asked for, by one or, shared, by several. A
 * thread that lets go of a mutex and wants it again at once gets it before all who wait; here it
 * gets it after them.
 */
#pragma once

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

/**
 * struct fair_lock - who has it, and who is next
 * @lock, @changed: over the rest; never held for long
 * @asked:  how often it was asked for
 * @had:    how often it was had
 * @passed: how often it was let go of
 * @alone:  who has it shares it with nobody
 */
struct fair_lock {
        pthread_mutex_t lock;
        pthread_cond_t changed;
        uint64_t asked, had, passed;
        bool alone;
};

void fair_lock_init(struct fair_lock *fair);
/* Nobody has it or waits for it. */
void fair_lock_deinit(struct fair_lock *fair);

/* Have it alone. */
void fair_lock_enter(struct fair_lock *fair);

/* Have it together with others who share it; not before one who asked earlier to have it alone. */
void fair_lock_enter_shared(struct fair_lock *fair);

/* After either. */
void fair_lock_leave(struct fair_lock *fair);
