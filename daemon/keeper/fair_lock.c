/* SPDX-License-Identifier: MIT */
/*
 * Owns the order: who asks draws a number, and enters when as many have left as drew one before.
 * Refuses to let anybody pass.
 */
#include "fair_lock.h"

#include <assert.h>

void fair_lock_init(struct fair_lock *fair)
{
        *fair = (struct fair_lock){ 0 };
        pthread_mutex_init(&fair->lock, NULL);
        pthread_cond_init(&fair->changed, NULL);
}

void fair_lock_deinit(struct fair_lock *fair)
{
        assert(fair->asked == fair->passed);

        pthread_cond_destroy(&fair->changed);
        pthread_mutex_destroy(&fair->lock);
}

void fair_lock_enter(struct fair_lock *fair)
{
        uint64_t number;

        pthread_mutex_lock(&fair->lock);
        number = fair->asked++;
        while (fair->passed != number)
                pthread_cond_wait(&fair->changed, &fair->lock);
        pthread_mutex_unlock(&fair->lock);
}

void fair_lock_leave(struct fair_lock *fair)
{
        pthread_mutex_lock(&fair->lock);
        assert(fair->passed < fair->asked);
        fair->passed++;
        pthread_cond_broadcast(&fair->changed);
        pthread_mutex_unlock(&fair->lock);
}
