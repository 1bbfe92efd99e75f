/* SPDX-License-Identifier: MIT */
/* Scatter lists as lines of a table, and buffers that are only described. */
#pragma once

#include "handle.h"
#include "macros.h"
#include "sg.h"

#include <string.h>
#include <unistd.h>

#define NONE       PAR_PHYS_NONE
#define BASE       (UINT64_C(64) * 1024 * GiB)
#define PIECES_MAX 5

/* A segment by its dma, phys and length. */
#define P(dma, phys, length)         \
        {                            \
                dma, phys, length, 0 \
        }
#define TOP (UINT64_MAX - 4095) /* the last page of all */

/* A handle that only looks up, with a device of its own and one behind an IOMMU. */
struct setup {
        struct par par;
        struct par_device device, attached;
};

static inline void begin(struct setup *setup)
{
        static char name[] = "capture0", other[] = "nvme";

        memset(setup, 0, sizeof(*setup));
        setup->par.pid = getpid();
        fork_mark_init(&setup->par.mark);
        lookup_init(&setup->par.lookup);
        setup->device = (struct par_device){
                .par = &setup->par,
                .name = name,
                .limits = { .addr_max = 0xffffff,
                            .boundary = 64 * KiB,
                            .max_segment_bytes = 32 * KiB,
                            .max_segments = 4 },
                .view = VIEW_DEVICES,
        };
        setup->attached = (struct par_device){ .par = &setup->par, .name = other, .view = 1 };
}

static inline void end(struct setup *setup)
{
        lookup_deinit(&setup->par.lookup);
        fork_mark_deinit(&setup->par.mark);
}

/* A buffer whose segments are given by dma and length. */
static inline void describe(struct setup *setup, struct par_buffer *buffer, uint64_t first,
                            struct par_segment *segments, size_t n)
{
        *buffer = (struct par_buffer){
                .par = &setup->par,
                .data = (char *)(uintptr_t)first,
                .segments = segments,
                .n_segments = n,
        };
        for (size_t i = 0; i < n; i++) {
                segments[i].offset = buffer->size;
                buffer->size += segments[i].length;
        }
}

static inline struct par_sg *list_of(struct par *par, const struct par_constraint *limits,
                                     const struct par_device *device)
{
        const struct par_sg_options options = { .device = device };
        struct par_sg *list;

        assert_int_equal(par_sg_create(par, limits, &options, &list), 0);
        return list;
}

static inline size_t count_of(const struct par_segment *segments)
{
        size_t n = 0;

        while (n < PIECES_MAX && segments[n].length)
                n++;
        return n;
}

static inline void check_segments(const char *name, const struct par_sg *list,
                                  const struct par_segment *expected)
{
        const struct par_segment *segments;
        const size_t n = par_sg_segments(list, &segments);
        uint64_t bytes = 0;

        if (n != count_of(expected))
                fail_msg("%s: %zu segments", name, n);
        for (size_t i = 0; i < n; i++) {
                if (segments[i].dma != expected[i].dma || segments[i].phys != expected[i].phys ||
                    segments[i].length != expected[i].length || segments[i].offset != bytes)
                        fail_msg("%s: segment %zu: %#llx, %#llx, %llu bytes at %llu", name, i,
                                 (unsigned long long)segments[i].dma,
                                 (unsigned long long)segments[i].phys,
                                 (unsigned long long)segments[i].length,
                                 (unsigned long long)segments[i].offset);
                bytes += segments[i].length;
        }
        assert_int_equal(par_sg_bytes(list), bytes);
}
