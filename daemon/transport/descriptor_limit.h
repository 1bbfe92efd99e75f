/* SPDX-License-Identifier: MIT */
/*
 * How many descriptors the worker may have. Whoever connects, sends descriptors or does not read
 * those that he was granted costs some, so clients could use up all there are: then no connection
 * is accepted for a while, which is their matter. But a frame that the keeper sends must arrive, or
 * the worker knows nothing of it; so a few are for that alone.
 */
#pragma once

#include <stdint.h>
#include <sys/resource.h>

/**
 * struct descriptor_limit - limits of this process
 * @all:     what the kernel allows; 0: not known, and nothing is kept back
 * @clients: without those that are for the keeper's
 */
struct descriptor_limit {
        rlim_t all, clients;
};

/**
 * descriptor_limit_init() - raise the limit to what is allowed, and keep some back
 * @frames: as many as the pools may ever have; @clients: what connections take
 *
 * Has the kernel make the table as large as that at once. Where it grows later and the process has
 * threads (the reaper's), an accept takes until every processor has been through the scheduler:
 * 5 to 13 ms were seen.
 */
void descriptor_limit_init(struct descriptor_limit *limit, uint64_t frames, uint64_t clients);

/* From here on all may be used, and from there on no longer; what is open stays open. */
void descriptor_limit_release(const struct descriptor_limit *limit);
void descriptor_limit_keep_back(const struct descriptor_limit *limit);
