/* SPDX-License-Identifier: MIT */
/*
 * Several threads that take pages from the system's stock for one take: what a page costs is that
 * the kernel zeroes it, which as many processors do as there are.
 */
#pragma once

#include "take.h"

/**
 * drawing_run() - take pages, with as many threads as help
 * @take:   what they find is put where it belongs, by one of them at a time
 * @node:   or NODE_ANY
 * @chosen: sorted addresses of those that are wanted: until all are had; NULL: until no more are
 *          wanted
 * @most:   pages that are still taken at most; in and out
 * @n:      how many of those that are wanted were had; in and out
 *
 * Never takes more than one thread alone would. Ends early where a page cannot be had or put away,
 * or the take is over: why is not told, since another thread's page may be the reason; whoever goes
 * on alone finds out. Does nothing where several threads would not be quicker.
 */
void drawing_run(struct take *take, int node, const struct addresses *chosen, uint64_t *most,
                 size_t *n);
