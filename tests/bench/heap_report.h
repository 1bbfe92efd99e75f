/* SPDX-License-Identifier: MIT */
/*
 * What par-bench heap found, for people and for programs.
 */
#pragma once

#include "heap_case.h"

#define HEAP_CASES_MAX 16
#define HEAP_WHY_BYTES 160

/* An allocator that was not measured, and why. */
struct heap_missing {
        const struct heap_peer *peer;
        char why[HEAP_WHY_BYTES];
};

/**
 * struct heap_report - a run
 * @peers: the first is who the others are compared with
 */
struct heap_report {
        struct ticks ticks;
        const struct heap_peer *peers[HEAP_PEERS_MAX];
        struct heap_missing missing[HEAP_PEERS_MAX + 1];
        struct heap_case cases[HEAP_CASES_MAX];
        struct heap_result results[HEAP_CASES_MAX];
        size_t n_peers, n_missing, n_cases;
};

/* A table on standard output. Return: 0; -EIO. */
int heap_report_text(const struct heap_report *report);

/* One object in one line on standard output; keys are only ever added. Return: 0; -EIO, -ENOMEM. */
int heap_report_json(const struct heap_report *report);
