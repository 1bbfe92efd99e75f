/* SPDX-License-Identifier: MIT */
/*
 * A well-behaved client, in a process of another uid than the hostile ones: it takes and gives back
 * memory all the time, keeps some, knows what it wrote there and where that lies, and measures how
 * long everything takes, beside a bare ping-pong between two processes.
 */
#pragma once

#include "attack.h"
#include "histogram.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

enum good_phase {
        GOOD_BEGINS,
        GOOD_IS_READY,
        GOOD_MEASURES,
        GOOD_ENDS,
};

/**
 * struct good_report - what it tells, in shared memory
 * @phase:     set by the client up to GOOD_IS_READY, by who started it after that
 * @victim:    what strangers may know of it
 * @answers:   an alloc and a free of 64 KiB, in ns
 * @served:    the same without the time that pard's worker or the client was ready and had no
 *             processor
 * @pages:     an alloc of a page that was somebody else's, in ns
 * @pings:     two round trips of a bare ping-pong, as many as an answer takes, in ns
 * @newcomers: connecting, with Hello, in ns
 * @refused:   what was not granted; @turned_away: connections that were not had; @why: the last of
 *             both
 * @checks:    times that all that it keeps was looked at
 */
struct good_report {
        _Atomic(enum good_phase) phase;
        struct victim victim;
        struct histogram answers, served, pages, pings, newcomers;
        uint64_t refused, turned_away, checks;
        char why[200];
};

struct good_client {
        pid_t pid;
        struct good_report *report;
};

/* Start it, and wait until it has what it keeps. @worker: pard's, which serves it. @real: its
 * addresses can be compared with the kernel's. The test program ends where it cannot begin. */
void good_client_start(struct good_client *ret, pid_t worker, bool real);

/* It begins to measure. */
void good_client_measure(struct good_client *good);

/* Whether it is still there. */
bool good_client_lives(const struct good_client *good);

/* It looks at everything once more, gives it back, and ends; the test program ends where anything
 * was wrong. Its report stays until good_client_forget(). */
void good_client_stop(struct good_client *good);
void good_client_forget(struct good_client *good);
