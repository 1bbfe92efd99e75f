/* SPDX-License-Identifier: MIT */
/* Owns nothing. A ratio is how many times the time of the first allocator. */
#include "heap_report.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>

static double ratio(const struct heap_result *result, size_t peer)
{
        return result->ns[0] > 0 ? result->ns[peer] / result->ns[0] : 0;
}

int heap_report_text(const struct heap_report *report)
{
        printf("Nanoseconds of an allocation and its free, and how many times those of %s\n\n",
               report->peers[0]->name);
        printf("%10s %8s %8s", "bytes", "threads", "live");
        for (size_t i = 0; i < report->n_peers; i++)
                printf(" %18s", report->peers[i]->name);
        for (size_t i = 0; i < report->n_cases; i++) {
                const struct heap_case *of = &report->cases[i];

                printf("\n%10zu %8u %8u", of->size, of->threads, of->live);
                for (size_t j = 0; j < report->n_peers; j++)
                        printf(" %9.1f %7.2fx", report->results[i].ns[j],
                               ratio(&report->results[i], j));
        }
        printf("\n");
        for (size_t i = 0; i < report->n_missing; i++)
                printf("\nNot measured: %s: %s\n", report->missing[i].peer->name,
                       report->missing[i].why);
        return fflush(stdout) ? -EIO : 0;
}

/* json_pack() passes "no memory" on: a NULL that is packed makes the whole NULL. */
static json_t *of_case(const struct heap_report *report, size_t of)
{
        const struct heap_case *one = &report->cases[of];
        json_t *peers = json_array();

        for (size_t i = 0; i < report->n_peers; i++)
                if (json_array_append_new(peers, json_pack("{s:s, s:f, s:f}", "allocator",
                                                           report->peers[i]->name, "ns",
                                                           report->results[of].ns[i], "ratio",
                                                           ratio(&report->results[of], i)))) {
                        json_decref(peers);
                        return NULL;
                }
        return json_pack("{s:I, s:i, s:i, s:o}", "size", (json_int_t)one->size, "threads",
                         (int)one->threads, "live", (int)one->live, "allocators", peers);
}

static json_t *of_missing(const struct heap_missing *missing)
{
        return json_pack("{s:s, s:s}", "allocator", missing->peer->name, "why", missing->why);
}

int heap_report_json(const struct heap_report *report)
{
        json_t *cases = json_array(), *missing = json_array(), *all;
        int r = 0;

        for (size_t i = 0; i < report->n_cases && !r; i++)
                r = json_array_append_new(cases, of_case(report, i));
        for (size_t i = 0; i < report->n_missing && !r; i++)
                r = json_array_append_new(missing, of_missing(&report->missing[i]));
        all = json_pack("{s:{s:s, s:o, s:o}}", "heap", "clock", report->ticks.name, "cases", cases,
                        "missing", missing);
        if (!all || r) {
                json_decref(all);
                return -ENOMEM;
        }
        r = json_dumpf(all, stdout, JSON_COMPACT) || putchar('\n') == EOF || fflush(stdout);
        json_decref(all);
        return r ? -EIO : 0;
}
