/* SPDX-License-Identifier: MIT */
/*
 * What random clients do with shared buffers.
 */
#pragma once

#include "world.h"

/* One decision after the other. Return: a number below @below. */
typedef uint64_t lives_choose(uint64_t below);

void lives_shared_begin(void);

/* A client makes, opens, passes on, gives back or removes something. Every answer is looked at, and
 * the state itself is for the caller to check. */
void lives_shared_step(struct world *world, struct client *client, lives_choose *choose);

/* No name is left. @root: an administrator. */
void lives_shared_end(struct world *world, struct client *root);
