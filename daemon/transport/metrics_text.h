/* SPDX-License-Identifier: MIT */
/*
 * Text in the format of OpenMetrics, or of Prometheus before it: what a metric is, and its samples.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum metrics_kind { METRICS_GAUGE, METRICS_COUNTER, METRICS_HISTOGRAM, METRICS_INFO };

/**
 * struct metrics_text - what is being written, by hand: with printf() it would take the event loop
 * ten times as long
 * @start: @used bytes of @room; owned
 * @failed: there was no memory for more
 */
struct metrics_text {
        char *start;
        size_t used, room;
        bool failed, open_metrics;
};

void metrics_put(struct metrics_text *text, const char *string);

/* With leading zeros up to @digits. */
void metrics_put_number(struct metrics_text *text, uint64_t number, unsigned digits);

/* What the metric is whose samples follow. @unit: that the name ends with; NULL: none. */
void metrics_head(struct metrics_text *text, enum metrics_kind kind, const char *name,
                  const char *unit, const char *help);

/* name{key="value",key2="value2"} and a blank; keys may be NULL. */
void metrics_put_name(struct metrics_text *text, const char *name, const char *suffix,
                      const char *key, const char *value, const char *key2, const char *value2);

/* The number behind that. */
void metrics_end_sample(struct metrics_text *text, uint64_t number);

/* A sample with one label, or none. */
void metrics_sample(struct metrics_text *text, const char *name, const char *suffix,
                    const char *key, const char *value, uint64_t number);
