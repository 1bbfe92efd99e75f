/* SPDX-License-Identifier: MIT */
/*
 * Figures for monitoring: how long requests take is counted here, everything else is asked of the
 * state when somebody wants to know; and all of it as text. No clock, no sockets.
 */
#pragma once

#include "state_report.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define METRICS_REQUESTS_MAX 48 /* kinds of requests */
#define METRICS_BUCKETS      15 /* from 1 us to 10 s */

/**
 * struct metrics_times - how long something took
 * @counts: by the smallest bucket that it fits into; the last: more than 10 s
 * @sum_ns: of all
 */
struct metrics_times {
        uint64_t counts[METRICS_BUCKETS + 1];
        uint64_t sum_ns;
};

/**
 * struct metrics - what is counted; zeroed is empty
 * @requests: by kind, from reading the packet to its reply being queued; without those that waited
 * @waits:    of requests that waited, from reading the packet to the answer being queued
 */
struct metrics {
        struct metrics_times requests[METRICS_REQUESTS_MAX];
        struct metrics_times waits;
};

void metrics_count(struct metrics_times *times, uint64_t ns);

#define METRICS_WHOM_BYTES 16

/* Somebody's quota, or claim: "uid:1000", "gid:44", "user:*", and how much of it is used. */
struct metrics_use {
        char whom[METRICS_WHOM_BYTES];
        struct quota_use use;
};

/**
 * struct metrics_pool - a pool as it is, and what has happened in it
 * @quotas, @claims: one for each of its settings; borrowed
 * @users:  who have a share of what each user may have; see state_quota_users()
 */
struct metrics_pool {
        struct pool_report report;
        struct pool_counters counters;
        const struct metrics_use *quotas, *claims;
        uint32_t users[QUOTA_SHARES];
};

/**
 * struct metrics_view - what is told beside the counts; borrowed
 * @version:       of pard
 * @started_s:     when the worker started, in seconds since 1970
 * @worker_starts: how often one was started
 * @status:        of the whole
 * @counters:      of the whole
 * @pools:         @n_pools entries
 * @requests:      names of the kinds of requests; NULL: there is no such kind
 */
struct metrics_view {
        const char *version;
        uint64_t started_s;
        uint32_t worker_starts;
        struct status_report status;
        struct state_counters counters;
        const struct metrics_pool *pools;
        size_t n_pools;
        const char *requests[METRICS_REQUESTS_MAX];
};

enum metrics_format {
        METRICS_OPENMETRICS, /* application/openmetrics-text; version=1.0.0; charset=utf-8 */
        METRICS_PLAIN,       /* text/plain; version=0.0.4; charset=utf-8: before OpenMetrics */
};

const char *metrics_content_type(enum metrics_format format);

/**
 * metrics_render() - all of it as text
 * @ret: owned by the caller; *ret_size bytes without a NUL
 *
 * Takes some 50 us, 2 us more for each pool, and 1 us for each quota: it may be done in the event
 * loop.
 *
 * Return: 0; -ENOMEM.
 */
int metrics_render(const struct metrics *metrics, const struct metrics_view *view,
                   enum metrics_format format, char **ret, size_t *ret_size);
