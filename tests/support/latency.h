/* SPDX-License-Identifier: MIT */
/*
 * How long an answer takes for a client that only asks for the status now and then, while others
 * keep the daemon busy. What is long on a busy machine, a bare ping-pong between two processes
 * tells, measured at the same time; and how long the daemon and this process had no processor, the
 * kernel counts. That is nobody's fault here, so it is told and not judged.
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
 * @answers: what a caller sees; @served: without the time for want of a processor; @pings: of the
 *           ping-pong; owned
 * @worker:  the process that answers
 * @echo:    our end of the ping-pong; @echo_pid the other
 */
struct latency {
        struct latency_samples *answers, *served, *pings;
        pid_t worker;
        int echo;
        pid_t echo_pid;
};

/* Start the ping-pong's other end. The test program ends where that fails. @worker: of the daemon,
 * and the same to the end */
void latency_start(struct latency *latency, pid_t worker);

/* One round trip of each kind. @idle: a session of this test's own */
void latency_sample(struct latency *latency, struct wire_client *idle);

/**
 * latency_finish() - end the ping-pong, print what was seen, and judge
 * @what: what was going on, for the message
 *
 * The test program ends where the 99th percentile of what the daemon took is above 5 ms (with a
 * sanitizer 200 ms) and above three times that of the ping-pong.
 */
void latency_finish(struct latency *latency, const char *what);
