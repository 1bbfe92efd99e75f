/* SPDX-License-Identifier: MIT */
/*
 * Owns the backend, and frames for the moment that they are held. Refuses to count what is not
 * filling: giving back is done beside the clock.
 */
#include "path_fill.h"

#include "hugetlb.h"
#include "source.h"
#include "ticks.h"
#include "units.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#define PAGE_BYTES (2 * MiB)
#define FRAMES     64u

struct path_fill {
        struct backend *backend;
        struct keeper_pool pool;
        struct keeper_settings settings;
        struct reports reports;
        struct work work;
};

int path_fill_new(struct path_fill **ret)
{
        const struct hugetlb_need need = { PAGE_BYTES, NODE_ANY };
        const struct hugetlb_settings settings = {
                .needs = &need,
                .n_needs = 1,
                .pins = FRAMES,
                .record_path = "/tmp/par-bench.record",
                .sysfs_root = "",
        };
        struct path_fill *fill;
        char error[512];
        int r;

        fill = calloc(1, sizeof(*fill));
        if (!fill)
                return -ENOMEM;
        r = hugetlb_new(&settings, &fill->backend, error, sizeof(error));
        if (!r)
                r = reports_init(&fill->reports);
        if (r) {
                fprintf(stderr, "par-bench: %s\n", error);
                backend_free(fill->backend);
                free(fill);
                return r;
        }
        fill->pool = (struct keeper_pool){ .name = "any", .page_bytes = PAGE_BYTES };
        fill->settings = (struct keeper_settings){
                .backend = fill->backend,
                .pools = &fill->pool,
                .n_pools = 1,
        };
        work_init(&fill->work, &fill->settings, &fill->reports);
        *ret = fill;
        return 0;
}

void path_fill_free(struct path_fill *fill)
{
        if (!fill)
                return;
        work_deinit(&fill->work);
        reports_deinit(&fill->reports);
        backend_free(fill->backend);
        free(fill);
}

/* Give back what came. Return: 0; why the take ended; -ENOMEM where not all came. */
static int give_back(struct path_fill *fill)
{
        struct report *report;
        unsigned n = 0;
        int r = -ENOMEM;

        while ((report = reports_next(&fill->reports))) {
                if (report->kind == REPORT_FRAME) {
                        work_give_back(&fill->work, &report->frame);
                        n++;
                } else if (report->kind == REPORT_DONE) {
                        r = report->job->take.result;
                }
                report_free(report);
        }
        return !r && n < FRAMES ? -ENOMEM : r;
}

int path_fill_once(struct path_fill *fill, unsigned threads, uint64_t *ret_ticks)
{
        struct job *job = job_new(JOB_TAKE, &(struct keeper_message){ .page_bytes = PAGE_BYTES,
                                                                      .last = UINT64_MAX,
                                                                      .count = FRAMES,
                                                                      .node = NODE_ANY });
        uint64_t began;

        if (!job)
                return -ENOMEM;
        fill->backend->takers = threads;
        began = ticks_now();
        source_take(&fill->work, job);
        *ret_ticks = (ticks_now() - began) / FRAMES;
        return give_back(fill);
}
