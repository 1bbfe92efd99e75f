/* SPDX-License-Identifier: MIT */
/*
 * Owns nothing but counts. Invariant: the samples of one metric stand together below its type, each
 * name with its labels once, and a counter never falls while the worker lives. Refuses to tell
 * names of clients or buffers: who may read metrics need not know whose memory is whose.
 */
#include "metrics.h"

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

/* ---- the format ----------------------------------------------------------------------------- */

/**
 * struct text - what is being written, by hand: with printf() it would take the event loop ten
 * times as long
 * @start: @used bytes of @room; owned
 * @failed: there was no memory for more
 */
struct text {
        char *start;
        size_t used, room;
        bool failed, open_metrics;
};

static void put_bytes(struct text *text, const char *bytes, size_t n)
{
        if (n > text->room - text->used) {
                size_t room = (text->room + n) * 2;
                char *grown = text->failed ? NULL : realloc(text->start, room);

                if (!grown) {
                        text->failed = true;
                        return;
                }
                text->start = grown;
                text->room = room;
        }
        memcpy(text->start + text->used, bytes, n);
        text->used += n;
}

static void put(struct text *text, const char *string)
{
        put_bytes(text, string, strlen(string));
}

/* With leading zeros up to @digits. */
static void put_number(struct text *text, uint64_t number, unsigned digits)
{
        char all[20]; /* as many as 64 bits have */
        size_t i = sizeof(all);

        do {
                all[--i] = (char)('0' + number % 10);
                number /= 10;
        } while (number || sizeof(all) - i < digits);
        put_bytes(text, all + i, sizeof(all) - i);
}

enum kind { GAUGE, COUNTER, HISTOGRAM, INFO };

/* "# WORD name_suffix value" */
static void put_comment(struct text *text, const char *word, const char *name, const char *suffix,
                        const char *value)
{
        const char *const parts[] = { "# ", word, " ", name, suffix, " ", value, "\n" };

        for (size_t i = 0; i < ARRAY_SIZE(parts); i++)
                put(text, parts[i]);
}

/* @unit: that the name ends with; NULL: none. */
static void head(struct text *text, enum kind kind, const char *name, const char *unit,
                 const char *help)
{
        static const char *const types[] = { "gauge", "counter", "histogram", "info" };
        /* A metric is called like its samples only where that is older than OpenMetrics. */
        const char *suffix = text->open_metrics ? ""
                             : kind == COUNTER  ? "_total"
                             : kind == INFO     ? "_info"
                                                : "";
        const char *type = kind == INFO && !text->open_metrics ? "gauge" : types[kind];

        put_comment(text, "TYPE", name, suffix, type);
        if (unit && text->open_metrics)
                put_comment(text, "UNIT", name, "", unit);
        put_comment(text, "HELP", name, suffix, help);
}

/* key="value" */
static void put_label(struct text *text, const char *key, const char *value)
{
        put(text, key);
        put(text, "=\"");
        for (; *value; value++) {
                switch (*value) {
                case '\\': put(text, "\\\\"); break;
                case '"': put(text, "\\\""); break;
                case '\n': put(text, "\\n"); break;
                default: put_bytes(text, value, 1);
                }
        }
        put(text, "\"");
}

/* name{key="value",key2="value2"} and a blank; keys may be NULL. */
static void put_name(struct text *text, const char *name, const char *suffix, const char *key,
                     const char *value, const char *key2, const char *value2)
{
        put(text, name);
        put(text, suffix);
        if (key || key2) {
                put(text, "{");
                if (key)
                        put_label(text, key, value);
                if (key && key2)
                        put(text, ",");
                if (key2)
                        put_label(text, key2, value2);
                put(text, "}");
        }
        put(text, " ");
}

static void end_sample(struct text *text, uint64_t number)
{
        put_number(text, number, 1);
        put(text, "\n");
}

static void sample(struct text *text, const char *name, const char *suffix, const char *key,
                   const char *value, uint64_t number)
{
        put_name(text, name, suffix, key, value, NULL, NULL);
        end_sample(text, number);
}

static void put_times(struct text *text, const char *name, const char *key, const char *value,
                      const struct metrics_times *times)
{
        uint64_t count = 0;

        for (size_t i = 0; i <= METRICS_BUCKETS; i++) {
                count += times->counts[i];
                put_name(text, name, "_bucket", key, value, "le",
                         i < METRICS_BUCKETS ? buckets[i].le : "+Inf");
                end_sample(text, count);
        }
        sample(text, name, "_count", key, value, count);
        put_name(text, name, "_sum", key, value, NULL, NULL);
        put_number(text, times->sum_ns / NS_PER_S, 1);
        put(text, ".");
        put_number(text, times->sum_ns % NS_PER_S, 9);
        put(text, "\n");
}

/* ---- pools ---------------------------------------------------------------------------------- */

static void put_bytes_by_state(struct text *text, const struct metrics_view *view)
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

        head(text, GAUGE, "pard_pool_bytes", "bytes",
             "Memory that a pool holds, by the state of its frames.");
        for (size_t i = 0; i < view->n_pools; i++) {
                const struct pool_report *report = &view->pools[i].report;

                for (size_t j = 0; j < ARRAY_SIZE(states); j++) {
                        uint64_t bytes;

                        memcpy(&bytes, (const char *)&report->bytes + states[j].offset,
                               sizeof(bytes));
                        put_name(text, "pard_pool_bytes", "", "pool", report->settings->name,
                                 "state", states[j].state);
                        end_sample(text, bytes);
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
        enum kind kind;
        const char *name, *unit, *help;
        uint64_t (*value)(const struct metrics_pool *pool);
} pool_metrics[] = {
        { GAUGE, "pard_pool_goal_bytes", "bytes",
          "What a pool wants to hold: size_min, or what an administrator set.", pool_goal },
        { GAUGE, "pard_pool_size_max_bytes", "bytes", "What a pool may grow to.", pool_size_max },
        { GAUGE, "pard_pool_largest_run_bytes", "bytes",
          "Longest piece of free memory of a pool that is contiguous.", pool_largest_run },
        { GAUGE, "pard_pool_missing_bytes", "bytes",
          "What is being taken from the system for a pool and is not there yet.", pool_missing },
        { GAUGE, "pard_pool_held_aside_bytes", "bytes",
          "What a harvest for a pool holds beyond what it looks for.", pool_held_aside },
        { GAUGE, "pard_pool_draining_bytes", "bytes", "Frames of a pool that are to be drained.",
          pool_draining },
        { GAUGE, "pard_pool_claimed_bytes", "bytes",
          "What of a pool is kept for those who claimed it.", pool_claimed },
        { GAUGE, "pard_pool_claims_unused_bytes", "bytes",
          "What of a pool's claims is not in use: so much of what is free is nobody else's.",
          pool_claims_unused },
        { GAUGE, "pard_pool_waiting_requests", NULL,
          "Requests that wait and that a pool may serve.", pool_waiting },
        { GAUGE, "pard_pool_short", NULL,
          "1: a pool holds less than its goal, and the system has no more.", pool_short },
        { COUNTER, "pard_grants", NULL, "Buffers granted.", pool_grants },
        { COUNTER, "pard_frees", NULL, "Buffers freed.", pool_frees },
        { COUNTER, "pard_grown_frames", NULL, "Frames that a pool took from the system.",
          pool_grown },
        { COUNTER, "pard_shrunk_frames", NULL, "Frames that a pool gave back for good.",
          pool_shrunk },
        { COUNTER, "pard_harvests", NULL, "Takes that held pages which nobody wanted.",
          pool_harvests },
        { COUNTER, "pard_lost_pages", NULL,
          "Pages that went to somebody else while they changed hands.", pool_lost },
        { COUNTER, "pard_waits", NULL, "Requests that had to wait.", pool_waits },
};

static void put_pools(struct text *text, const struct metrics_view *view)
{
        put_bytes_by_state(text, view);
        for (size_t i = 0; i < ARRAY_SIZE(pool_metrics); i++) {
                const char *name = pool_metrics[i].name;
                const char *suffix = pool_metrics[i].kind == COUNTER ? "_total" : "";

                head(text, pool_metrics[i].kind, name, pool_metrics[i].unit, pool_metrics[i].help);
                for (size_t j = 0; j < view->n_pools; j++)
                        sample(text, name, suffix, "pool", view->pools[j].report.settings->name,
                               pool_metrics[i].value(&view->pools[j]));
        }
}

/* ---- the whole ------------------------------------------------------------------------------ */

static void put_one(struct text *text, enum kind kind, const char *name, const char *unit,
                    const char *help, uint64_t number)
{
        head(text, kind, name, unit, help);
        sample(text, name, kind == COUNTER ? "_total" : "", NULL, NULL, number);
}

static void put_whole(struct text *text, const struct metrics_view *view)
{
        const struct status_report *status = &view->status;

        put_one(text, GAUGE, "pard_clients", NULL, "Clients that are connected.", status->clients);
        put_one(text, GAUGE, "pard_buffers", NULL, "Buffers that are granted.", status->buffers);
        put_one(text, GAUGE, "pard_waiting_requests", NULL, "Requests that wait.", status->waiting);
        put_one(text, GAUGE, "pard_pinned", NULL,
                "1: the kernel is kept from moving every frame that pard holds.", status->pinned);
        put_one(text, COUNTER, "pard_sessions", NULL, "Clients that have connected.",
                view->counters.sessions);
        put_one(text, COUNTER, "pard_timed_out_waits", NULL,
                "Requests that waited until their deadline.", view->counters.timed_out_waits);
        put_one(text, COUNTER, "pard_moved_frames", NULL,
                "Frames that were found at another address than they had.", view->counters.moved);
        put_one(text, COUNTER, "pard_poisoned_frames", NULL, "Frames whose memory failed.",
                view->counters.poisoned);
        put_one(text, COUNTER, "pard_worker_starts", NULL,
                "Times that the process which serves clients was started.", view->worker_starts);
        put_one(text, GAUGE, "pard_start_time_seconds", "seconds",
                "When the process which serves clients started, since 1970.", view->started_s);

        head(text, COUNTER, "pard_refusals", NULL, "Requests for memory that were refused.");
        for (int i = 0; i < REFUSALS; i++)
                sample(text, "pard_refusals", "_total", "reason",
                       par_refusal_name(PAR_REFUSED_FIRST + i), view->counters.refused[i]);

        head(text, INFO, "pard_build", NULL, "Which pard this is.");
        put_name(text, "pard_build", "_info", "version", view->version, "backend", status->backend);
        end_sample(text, 1);
}

static void put_all_times(struct text *text, const struct metrics *metrics,
                          const struct metrics_view *view)
{
        head(text, HISTOGRAM, "pard_request_seconds", "seconds",
             "From reading a request to its answer being queued, for requests that did not wait.");
        for (size_t i = 0; i < METRICS_REQUESTS_MAX; i++)
                if (view->requests[i])
                        put_times(text, "pard_request_seconds", "request", view->requests[i],
                                  &metrics->requests[i]);
        head(text, HISTOGRAM, "pard_wait_seconds", "seconds",
             "From reading a request to its answer being queued, for requests that waited.");
        put_times(text, "pard_wait_seconds", NULL, NULL, &metrics->waits);
}

int metrics_render(const struct metrics *metrics, const struct metrics_view *view,
                   enum metrics_format format, char **ret, size_t *ret_size)
{
        struct text text = { .open_metrics = format == METRICS_OPENMETRICS };

        put_pools(&text, view);
        put_whole(&text, view);
        put_all_times(&text, metrics, view);
        put(&text, "# EOF\n");
        if (text.failed) {
                free(text.start);
                return -ENOMEM;
        }
        *ret = text.start;
        *ret_size = text.used;
        return 0;
}
