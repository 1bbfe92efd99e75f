/* SPDX-License-Identifier: MIT */
/*
 * Owns nothing. Pieces that lie side by side for the device are one run, and runs are cut where the
 * device's limits say, with the same rule as buffers are.
 */
#include "dma_cut.h"

#include "segment.h"

void cut_init(struct cut *cut, const struct dma_reach *reach, struct par_segment *segments,
              size_t room)
{
        *cut = (struct cut){ .reach = reach, .segments = segments, .room = room, .ok = true };
}

static void cut_run(struct cut *cut)
{
        const struct constraint *limits = &cut->reach->limits;
        struct par_segment left = cut->run;

        cut->run.length = 0;
        if (!left.length)
                return;
        if (!cut->segments) {
                cut->n += segment_count(limits, range_of(left.dma, left.length));
                return;
        }
        while (left.length) {
                const uint64_t bytes = segment_length(limits, left.dma, left.length);

                if (cut->n < cut->room)
                        cut->segments[cut->n] = (struct par_segment){
                                .dma = left.dma,
                                .phys = PAR_PHYS_NONE,
                                .length = bytes,
                                .offset = left.offset,
                        };
                cut->n++;
                left.dma += bytes;
                left.offset += bytes;
                left.length -= bytes;
        }
}

static bool in_window(const struct cut *cut, uint64_t dma, uint64_t bytes)
{
        return range_contains(cut->reach->limits.window, range_of(dma, bytes));
}

void cut_add(struct cut *cut, uint64_t pointer, uint64_t dma, uint64_t bytes)
{
        const uint64_t offset = cut->run.offset + cut->run.length;

        if (!in_window(cut, dma, bytes))
                cut->ok = false;
        if (cut->run.length && dma && cut->run.dma + (cut->run.length - 1) == dma - 1) {
                cut->run.length += bytes;
                return;
        }
        if (dma & cut->reach->low_mask || (dma ^ pointer) & cut->reach->min_align_mask)
                cut->ok = false;
        cut_run(cut);
        cut->run = (struct par_segment){ .dma = dma, .length = bytes, .offset = offset };
}

bool cut_add_buffers(struct cut *cut, const struct lookup *lookup, uint32_t view, uint64_t pointer,
                     uint64_t bytes)
{
        struct extent extent;
        uint64_t dma, part;

        while (bytes && cut->ok) {
                if (!lookup_pointer(lookup, pointer, &extent))
                        return false;
                part = extent.bytes - (pointer - extent.first);
                if (part > bytes)
                        part = bytes;
                if (!reach_find(cut->reach, view, &extent, pointer - extent.first, part, &dma))
                        return false;
                cut_add(cut, pointer, dma, part);
                pointer += part;
                bytes -= part;
        }
        return cut->ok;
}

bool cut_end(struct cut *cut)
{
        cut_run(cut);
        return cut->ok;
}
