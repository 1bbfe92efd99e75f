/* SPDX-License-Identifier: MIT */
/*
 * What no placement can do better than.
 */
#pragma once

#include "experiment_run.h"

/**
 * bound_refused_bytes() - the fewest bytes of constrained requests that anybody refuses
 * @trace: borrowed
 * @ret:   the bound
 *
 * Of those that come after warming up; what came before may have been refused for nothing. It holds
 * for every allocator, also for one that knows the future and moves what is alive as it likes: at
 * each moment the requests that it serves and whose devices reach
 * nothing outside a window W are no more bytes than there is memory in W. The fewest bytes that
 * have to be dropped for one W are found by dropping, whenever W is over-full, the bytes that would
 * be given back last (something has to go at that moment, and to exchange any other choice for
 * those never makes a later moment fuller); the bound is the largest over all W that begin where
 * one device's reach begins and end where one's ends.
 *
 * Return: 0; -ENOMEM.
 */
int bound_refused_bytes(const struct trace *trace, uint64_t *ret);

/**
 * bound_unserved() - the least part of what is asked for that nobody can have alive at once
 * @trace: borrowed
 *
 * At any moment, of the requests confined to a window no more bytes can be alive than it has
 * memory, whatever was decided before. The rest of the largest such window, of all bytes that
 * constrained requests ask for at that moment; averaged over the samples of the second half.
 *
 * Return: millionths.
 */
uint32_t bound_unserved(const struct trace *trace);

/**
 * ideal_run() - what a memory would refuse that rearranges itself all the time
 * @trace: borrowed
 * @ret:   counts, and in the samples what is unserved; the rest is 0
 *
 * It refuses a request only where the devices' reaches alone forbid it: where for some window the
 * requests that are alive and confined to it would be more bytes than it has. By Hall's theorem all
 * others can be served (windows are intervals; bytes are counted as if each could lie anywhere).
 * Not a bound over a whole trace: to refuse something now may help later. But an allocator that
 * refuses what this one serves, having the same alive, has lost it to its placement.
 *
 * Return: 0; -ENOMEM.
 */
int ideal_run(const struct trace *trace, struct run_result *ret);
