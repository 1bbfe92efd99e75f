/* SPDX-License-Identifier: MIT */
/*
 * Owns the order: who asks draws a number, and has it when all who drew one before have had it, and
 * those of them who do not share it with him have left. Refuses to let anybody pass.
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

static bool may_have(const struct fair_lock *fair, uint64_t number, bool alone)
{
        const bool is_had = fair->had != fair->passed;

        return fair->had == number && !(is_had && (alone || fair->alone));
}

static void enter(struct fair_lock *fair, bool alone)
{
        uint64_t number;

        pthread_mutex_lock(&fair->lock);
        number = fair->asked++;
        while (!may_have(fair, number, alone))
                pthread_cond_wait(&fair->changed, &fair->lock);
        fair->had++;
        fair->alone = alone;
        if (!alone)
                pthread_cond_broadcast(&fair->changed); /* the next one may share it */
        pthread_mutex_unlock(&fair->lock);
}

void fair_lock_enter(struct fair_lock *fair)
{
        enter(fair, true);
}

void fair_lock_enter_shared(struct fair_lock *fair)
{
        enter(fair, false);
}

void fair_lock_leave(struct fair_lock *fair)
{
        pthread_mutex_lock(&fair->lock);
        assert(fair->passed < fair->had);
        fair->passed++;
        pthread_cond_broadcast(&fair->changed);
        pthread_mutex_unlock(&fair->lock);
}
