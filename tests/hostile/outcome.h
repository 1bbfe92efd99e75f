/* SPDX-License-Identifier: MIT */
/*
 * What came of an attack, for people and for programs.
 */
#pragma once

#include "attack.h"
#include "footprint.h"
#include "good_client.h"

#include <stdio.h>

/**
 * struct outcome
 * @name:      of the attack
 * @about:     what it does
 * @real:      on real hugepages
 * @seconds:   for how long
 * @processes: hostile ones
 * @tries:     what was tried, as the attack counts it
 * @report:    of the well-behaved client
 * @fresh, @before, @after: what the two processes of pard used when they had served nobody yet,
 *             before this attack, and after it
 * @settle_ms: until all memory was free again, and all descriptors closed, after the last hostile
 *             process was dead
 * @log_lines: that pard wrote meanwhile
 */
struct outcome {
        const char *name, *about;
        bool real;
        double seconds;
        unsigned processes;
        uint64_t tries;
        struct good_report *report;
        struct footprint fresh, before, after;
        uint64_t settle_ms, log_lines;
};

/* The head of the table, and one row of it. */
void outcome_print_head(FILE *to);
void outcome_print(const struct outcome *outcome, FILE *to);

/* The same as one line of JSON. The test program ends where there is no memory for it. */
void outcome_print_json(const struct outcome *outcome, FILE *to);

/*
 * Whether the well-behaved client was served in time: 99 of 100 times within 5 ms, or within three
 * times what a bare ping-pong of as many round trips took then. Return: why not; NULL: it was.
 */
const char *outcome_late(const struct outcome *outcome);
