/* SPDX-License-Identifier: MIT */
/*
 * How long an answer takes for a client that only asks for the status now and then, while others
 * keep the daemon busy. What is long on a busy machine, a bare ping-pong between two processes
 * tells, measured at the same time.
 */
#pragma once

#include "wire_client.h"

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define LATENCY_SAMPLES_MAX (1u << 16)

struct latency_samples {
        uint64_t ns[LATENCY_SAMPLES_MAX];
        size_t count;
};

/**
 * struct latency - a measurement
 * @answers, @pings: owned
 * @echo:            our end of the ping-pong; @echo_pid the other
 */
struct latency {
        struct latency_samples *answers, *pings;
        int echo;
        pid_t echo_pid;
};

/* Start the ping-pong's other end. The test program ends where that fails. */
void latency_start(struct latency *latency);

/* One round trip of each kind. @idle: a session of this test's own */
void latency_sample(struct latency *latency, struct wire_client *idle);

/**
 * latency_finish() - end the ping-pong, print what was seen, and judge
 * @what: what was going on, for the message
 *
 * The test program ends where the 99th percentile of the answers is above 5 ms (with a sanitizer
 * 200 ms) and above three times that of the ping-pong.
 */
void latency_finish(struct latency *latency, const char *what);
