/* SPDX-License-Identifier: MIT */
/*
 * A pool of low memory is full as soon as pard serves where a NUMA node lies there.
 */
#include "macros.h"
#include "pard_fixture.h"
#include "process.h"
#include "told.h"

#include <par.h>
#include <stdio.h>

#define POOL_BYTES (64 * MiB)
#define REACH      (UINT64_C(1) << 32)

static const char config[] = "backend = \"hugetlb\"\n"
                             "hugepages = \"reserve\"\n"
                             "keep_free = \"512M\"\n"
                             "pool \"below4g\" { below = \"4G\" size_min = \"64M\" }\n";

int main(void)
{
        struct par_constraint limits = par_constraint_for_mask(32);
        struct par_buffer *buffer = NULL;
        uint64_t started = now_ns();
        struct pard_fixture pard;
        struct par *par;
        int r;

        pard_fixture_start_filled(config, &pard);
        printf("pard serves, and its pool is filled, after %.1f s\n",
               (double)(now_ns() - started) / 1e9);

        limits.max_segments = PAR_SEGMENTS_ANY;
        r = par_connect(NULL, NULL, &par);
        if (!r)
                r = par_alloc(par, POOL_BYTES, &limits, NULL, &buffer);
        if (r)
                die("all of the pool: %s: %s", par_strerror(r), par_error(par));
        told_compare(buffer);
        for (size_t at = 0; at < POOL_BYTES; at += 2 * MiB)
                if (physical_address((char *)par_buffer_data(buffer) + at) >= REACH)
                        die("a page lies above 4 GiB");
        printf("64 MiB below 4 GiB in %zu runs, the first at %#lx\n", par_buffer_runs(buffer, NULL),
               par_buffer_dma(buffer));
        told_print();
        par_disconnect(par);
        pard_fixture_stop(&pard);
        return 0;
}
