/* SPDX-License-Identifier: MIT */
/*
 * Owns nothing but counts. Invariant: the samples of one metric stand together below its type, each
 * name with its labels once, and a counter never falls while the worker lives. Refuses to tell
 * names of clients or buffers: who may read metrics need not know whose memory is whose.
 */
#include "metrics.h"

#include "metrics_quotas.h"
#include "metrics_text.h"

#include "macros.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Upper ends, included, and what they are called. Handling a request takes microseconds; a wait up
 * to what the client is patient for. */
static const struct {
        uint64_t ns;
        const char *le;
} buckets[METRICS_BUCKETS] = {
        { NS_PER_US, "1e-06" },        { 2 * NS_PER_US, "2e-06" },    { 5 * NS_PER_US, "5e-06" },
        { 10 * NS_PER_US, "1e-05" },   { 20 * NS_PER_US, "2e-05" },   { 50 * NS_PER_US, "5e-05" },
        { 100 * NS_PER_US, "0.0001" }, { 200 * NS_PER_US, "0.0002" }, { 500 * NS_PER_US, "0.0005" },
        { NS_PER_MS, "0.001" },        { 5 * NS_PER_MS, "0.005" },    { 10 * NS_PER_MS, "0.01" },
        { 100 * NS_PER_MS, "0.1" },    { NS_PER_S, "1.0" },           { 10 * NS_PER_S, "10.0" },
};

void metrics_count(struct metrics_times *times, uint64_t ns)
{
        size_t i = 0;

        while (i < METRICS_BUCKETS && ns > buckets[i].ns)
                i++;
        times->counts[i]++;
        times->sum_ns += ns;
}

const char *metrics_content_type(enum metrics_format format)
{
        if (format == METRICS_OPENMETRICS)
                return "application/openmetrics-text; version=1.0.0; charset=utf-8";
        return "text/plain; version=0.0.4; charset=utf-8";
}

static void put_times(struct metrics_text *text, const char *name, const char *key,
                      const char *value, const struct metrics_times *times)
{
        uint64_t count = 0;

        for (size_t i = 0; i <= METRICS_BUCKETS; i++) {
                count += times->counts[i];
                metrics_put_name(text, name, "_bucket", key, value, "le",
                                 i < METRICS_BUCKETS ? buckets[i].le : "+Inf");
                metrics_end_sample(text, count);
        }
        metrics_sample(text, name, "_count", key, value, count);
        metrics_put_name(text, name, "_sum", key, value, NULL, NULL);
        metrics_put_number(text, times->sum_ns / NS_PER_S, 1);
        metrics_put(text, ".");
        metrics_put_number(text, times->sum_ns % NS_PER_S, 9);
        metrics_put(text, "\n");
}

/* ---- pools ---------------------------------------------------------------------------------- */

static void put_bytes_by_state(struct metrics_text *text, const struct metrics_view *view)
{
        static const struct {
                const char *state;
                size_t offset;
        } states[] = {
                { "free", offsetof(struct state_bytes, free) },
                { "granted", offsetof(struct state_bytes, granted) },
                { "reusable", offsetof(struct state_bytes, reusable) },
                { "leaving", offsetof(struct state_bytes, leaving) },
                { "lingering", offsetof(struct state_bytes, lingering) },
                { "quarantined", offsetof(struct state_bytes, quarantined) },
                { "retired", offsetof(struct state_bytes, retired) },
        };

        metrics_head(text, METRICS_GAUGE, "pard_pool_bytes", "bytes",
                     "Memory that a pool holds, by the state of its frames.");
        for (size_t i = 0; i < view->n_pools; i++) {
                const struct pool_report *report = &view->pools[i].report;

                for (size_t j = 0; j < ARRAY_SIZE(states); j++) {
                        uint64_t bytes;

                        memcpy(&bytes, (const char *)&report->bytes + states[j].offset,
                               sizeof(bytes));
                        metrics_put_name(text, "pard_pool_bytes", "", "pool",
                                         report->settings->name, "state", states[j].state);
                        metrics_end_sample(text, bytes);
                }
        }
}

static uint64_t pool_goal(const struct metrics_pool *pool)
{
        return pool->report.goal_bytes;
}

static uint64_t pool_size_max(const struct metrics_pool *pool)
{
        return pool->report.settings->size_max_bytes;
}

static uint64_t pool_largest_run(const struct metrics_pool *pool)
{
        return pool->report.largest_run_bytes;
}

static uint64_t pool_missing(const struct metrics_pool *pool)
{
        const struct pool_report *report = &pool->report;

        return report->taking_bytes > report->taken_bytes
                       ? report->taking_bytes - report->taken_bytes
                       : 0;
}

static uint64_t pool_held_aside(const struct metrics_pool *pool)
{
        return pool->report.held_aside_bytes;
}

static uint64_t pool_draining(const struct metrics_pool *pool)
{
        return pool->report.draining_bytes;
}

static uint64_t pool_claimed(const struct metrics_pool *pool)
{
        return pool->report.claimed_bytes;
}

static uint64_t pool_claims_unused(const struct metrics_pool *pool)
{
        return pool->report.unmet_bytes;
}

static uint64_t pool_waiting(const struct metrics_pool *pool)
{
        return pool->report.waiting;
}

static uint64_t pool_short(const struct metrics_pool *pool)
{
        return strcmp(pool->report.state, "short") == 0;
}

static uint64_t pool_grants(const struct metrics_pool *pool)
{
        return pool->counters.grants;
}

static uint64_t pool_frees(const struct metrics_pool *pool)
{
        return pool->counters.frees;
}

static uint64_t pool_grown(const struct metrics_pool *pool)
{
        return pool->counters.grown_frames;
}

static uint64_t pool_shrunk(const struct metrics_pool *pool)
{
        return pool->counters.shrunk_frames;
}

static uint64_t pool_harvests(const struct metrics_pool *pool)
{
        return pool->counters.harvests;
}

static uint64_t pool_lost(const struct metrics_pool *pool)
{
        return pool->counters.lost_to_system;
}

static uint64_t pool_waits(const struct metrics_pool *pool)
{
        return pool->counters.waits;
}

/* One number for each pool. */
static const struct {
        enum metrics_kind kind;
        const char *name, *unit, *help;
        uint64_t (*value)(const struct metrics_pool *pool);
} pool_metrics[] = {
        { METRICS_GAUGE, "pard_pool_goal_bytes", "bytes",
          "What a pool wants to hold: size_min, or what an administrator set.", pool_goal },
        { METRICS_GAUGE, "pard_pool_size_max_bytes", "bytes", "What a pool may grow to.",
          pool_size_max },
        { METRICS_GAUGE, "pard_pool_largest_run_bytes", "bytes",
          "Longest piece of free memory of a pool that is contiguous.", pool_largest_run },
        { METRICS_GAUGE, "pard_pool_missing_bytes", "bytes",
          "What is being taken from the system for a pool and is not there yet.", pool_missing },
        { METRICS_GAUGE, "pard_pool_held_aside_bytes", "bytes",
          "What a harvest for a pool holds beyond what it looks for.", pool_held_aside },
        { METRICS_GAUGE, "pard_pool_draining_bytes", "bytes",
          "Frames of a pool that are to be drained.", pool_draining },
        { METRICS_GAUGE, "pard_pool_claimed_bytes", "bytes",
          "What of a pool is kept for those who claimed it.", pool_claimed },
        { METRICS_GAUGE, "pard_pool_claims_unused_bytes", "bytes",
          "What of a pool's claims is not in use: so much of what is free is nobody else's.",
          pool_claims_unused },
        { METRICS_GAUGE, "pard_pool_waiting_requests", NULL,
          "Requests that wait and that a pool may serve.", pool_waiting },
        { METRICS_GAUGE, "pard_pool_short", NULL,
          "1: a pool holds less than its goal, and the system has no more.", pool_short },
        { METRICS_COUNTER, "pard_grants", NULL, "Buffers granted.", pool_grants },
        { METRICS_COUNTER, "pard_frees", NULL, "Buffers freed.", pool_frees },
        { METRICS_COUNTER, "pard_grown_frames", NULL, "Frames that a pool took from the system.",
          pool_grown },
        { METRICS_COUNTER, "pard_shrunk_frames", NULL, "Frames that a pool gave back for good.",
          pool_shrunk },
        { METRICS_COUNTER, "pard_harvests", NULL, "Takes that held pages which nobody wanted.",
          pool_harvests },
        { METRICS_COUNTER, "pard_lost_pages", NULL,
          "Pages that went to somebody else while they changed hands.", pool_lost },
        { METRICS_COUNTER, "pard_waits", NULL, "Requests that had to wait.", pool_waits },
};

static void put_pools(struct metrics_text *text, const struct metrics_view *view)
{
        put_bytes_by_state(text, view);
        for (size_t i = 0; i < ARRAY_SIZE(pool_metrics); i++) {
                const char *name = pool_metrics[i].name;
                const char *suffix = pool_metrics[i].kind == METRICS_COUNTER ? "_total" : "";

                metrics_head(text, pool_metrics[i].kind, name, pool_metrics[i].unit,
                             pool_metrics[i].help);
                for (size_t j = 0; j < view->n_pools; j++)
                        metrics_sample(text, name, suffix, "pool",
                                       view->pools[j].report.settings->name,
                                       pool_metrics[i].value(&view->pools[j]));
        }
}

/* ---- the whole ------------------------------------------------------------------------------ */

static void put_one(struct metrics_text *text, enum metrics_kind kind, const char *name,
                    const char *unit, const char *help, uint64_t number)
{
        metrics_head(text, kind, name, unit, help);
        metrics_sample(text, name, kind == METRICS_COUNTER ? "_total" : "", NULL, NULL, number);
}

static void put_whole(struct metrics_text *text, const struct metrics_view *view)
{
        const struct status_report *status = &view->status;

        put_one(text, METRICS_GAUGE, "pard_clients", NULL, "Clients that are connected.",
                status->clients);
        put_one(text, METRICS_GAUGE, "pard_buffers", NULL, "Buffers that are granted.",
                status->buffers);
        put_one(text, METRICS_GAUGE, "pard_waiting_requests", NULL, "Requests that wait.",
                status->waiting);
        put_one(text, METRICS_GAUGE, "pard_pinned", NULL,
                "1: the kernel is kept from moving every frame that pard holds.", status->pinned);
        put_one(text, METRICS_COUNTER, "pard_sessions", NULL, "Clients that have connected.",
                view->counters.sessions);
        put_one(text, METRICS_COUNTER, "pard_timed_out_waits", NULL,
                "Requests that waited until their deadline.", view->counters.timed_out_waits);
        put_one(text, METRICS_COUNTER, "pard_moved_frames", NULL,
                "Frames that were found at another address than they had.", view->counters.moved);
        put_one(text, METRICS_COUNTER, "pard_poisoned_frames", NULL, "Frames whose memory failed.",
                view->counters.poisoned);
        put_one(text, METRICS_COUNTER, "pard_worker_starts", NULL,
                "Times that the process which serves clients was started.", view->worker_starts);
        put_one(text, METRICS_GAUGE, "pard_start_time_seconds", "seconds",
                "When the process which serves clients started, since 1970.", view->started_s);

        metrics_head(text, METRICS_COUNTER, "pard_refusals", NULL,
                     "Requests for memory that were refused.");
        for (int i = 0; i < REFUSALS; i++)
                metrics_sample(text, "pard_refusals", "_total", "reason",
                               par_refusal_name(PAR_REFUSED_FIRST + i), view->counters.refused[i]);

        metrics_head(text, METRICS_INFO, "pard_build", NULL, "Which pard this is.");
        metrics_put_name(text, "pard_build", "_info", "version", view->version, "backend",
                         status->backend);
        metrics_end_sample(text, 1);
}

static void put_all_times(struct metrics_text *text, const struct metrics *metrics,
                          const struct metrics_view *view)
{
        metrics_head(text, METRICS_HISTOGRAM, "pard_request_seconds", "seconds",
                     "From reading a request to its answer being queued, for requests that did not "
                     "wait.");
        for (size_t i = 0; i < METRICS_REQUESTS_MAX; i++)
                if (view->requests[i])
                        put_times(text, "pard_request_seconds", "request", view->requests[i],
                                  &metrics->requests[i]);
        metrics_head(
                text, METRICS_HISTOGRAM, "pard_wait_seconds", "seconds",
                "From reading a request to its answer being queued, for requests that waited.");
        put_times(text, "pard_wait_seconds", NULL, NULL, &metrics->waits);
}

int metrics_render(const struct metrics *metrics, const struct metrics_view *view,
                   enum metrics_format format, char **ret, size_t *ret_size)
{
        struct metrics_text text = { .open_metrics = format == METRICS_OPENMETRICS };

        put_pools(&text, view);
        metrics_put_quotas(&text, view);
        put_whole(&text, view);
        put_all_times(&text, metrics, view);
        metrics_put(&text, "# EOF\n");
        if (text.failed) {
                free(text.start);
                return -ENOMEM;
        }
        *ret = text.start;
        *ret_size = text.used;
        return 0;
}
