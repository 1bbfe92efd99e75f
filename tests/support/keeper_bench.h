/* SPDX-License-Identifier: MIT */
/*
 * The keeper's main loop without a process, a worker and a clock: a test says what the worker
 * sends, and when the loop turns. The threads are real.
 */
#pragma once

#include "keeper_protocol.h"

#include <stdbool.h>
#include <stdint.h>

struct keeper_bench;
struct sim_settings;

/**
 * keeper_bench_new() - a keeper with @pools pools of 2 MiB pages on invented memory
 * @sim:   borrowed until keeper_bench_free()
 * @slots: frames that it may hold
 *
 * Return: NULL without memory or threads.
 */
struct keeper_bench *keeper_bench_new(struct sim_settings *sim, uint32_t pools, uint32_t slots);

/* The end, as after SIGTERM. */
void keeper_bench_free(struct keeper_bench *bench);

/* A message of the worker. Return: 0; -EBADMSG where that is the end of the worker. */
int keeper_bench_say(struct keeper_bench *bench, const struct keeper_message *message);

/* What the keeper tells, if it does. Descriptors are closed. */
bool keeper_bench_hear(struct keeper_bench *bench, struct keeper_message *ret);

/* Wait until there is something to be heard or dealt with, for at most a second. */
void keeper_bench_wait(struct keeper_bench *bench);

/* Deal with what the threads report. */
void keeper_bench_turn(struct keeper_bench *bench);

/* The worker dies, and the next one is there: what was under way has come back, and it was told of
 * no frame yet. */
void keeper_bench_next_worker(struct keeper_bench *bench);

/* Frames that it holds, or that are on their way out. */
uint32_t keeper_bench_used(const struct keeper_bench *bench);

/* Walk all that must be true at any moment; assert() it. */
void keeper_bench_check(const struct keeper_bench *bench);
