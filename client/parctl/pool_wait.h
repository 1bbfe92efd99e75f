/* SPDX-License-Identifier: MIT */
/*
 * Waiting until a pool is where it was told to go.
 */
#pragma once

#include "arguments.h"
#include "pools.h"

enum pool_wait {
        POOL_WAIT_GROW,   /* until it holds its goal */
        POOL_WAIT_SHRINK, /* until it holds no more than its goal */
        POOL_WAIT_DRAIN,  /* until nothing is in use that is to be drained */
};

/**
 * pool_wait() - look again and again until it is there
 * @name: of a pool that pard has
 * @ret:  the pools as they were seen last
 *
 * On a terminal it shows how far it is, on standard error. SIGINT and SIGTERM end the waiting, and
 * nothing else.
 *
 * Return: EXIT_DONE: it is there; EXIT_REFUSED, with a complaint: it cannot get there now, or the
 * waiting was ended; another exit status where pard does not answer.
 */
int pool_wait(struct ask *ask, const char *name, enum pool_wait what,
              const struct arguments *arguments, struct pools *ret);
