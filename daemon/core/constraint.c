/* SPDX-License-Identifier: MIT */
/*
 * Whether a request makes sense on its own. Owns nothing and looks at no memory: what is refused
 * here would be refused by an empty machine of any size.
 */
#include "constraint.h"

#include "result.h"
#include "segment.h"

#include <stddef.h>

const char *limit_name(enum limit limit)
{
        switch (limit) {
        case LIMIT_SIZE: return "size";
        case LIMIT_ADDR_MIN: return "addr_min";
        case LIMIT_ADDR_MAX: return "addr_max";
        case LIMIT_ALIGN: return "align";
        case LIMIT_BOUNDARY: return "boundary";
        case LIMIT_MAX_SEGMENT_BYTES: return "max_segment_bytes";
        case LIMIT_MAX_SEGMENTS: return "max_segments";
        case LIMIT_NODES: return "nodes";
        case LIMIT_NONE:
        case LIMIT_COUNT: break;
        }
        return NULL;
}

/* Values that mean nothing, each on its own. */
static enum limit meaningless(const struct constraint *want)
{
        if (want->size_bytes == 0)
                return LIMIT_SIZE;
        if (want->window.first > want->window.last)
                return LIMIT_ADDR_MIN;
        if (!is_power_of_two(want->align_bytes))
                return LIMIT_ALIGN;
        if (want->boundary_bytes && !is_power_of_two(want->boundary_bytes))
                return LIMIT_BOUNDARY;
        if (want->max_segments == 0)
                return LIMIT_MAX_SEGMENTS;
        return LIMIT_NONE;
}

/* Whether so many segments, none longer than that, can add up to the size. */
static bool adds_up(const struct constraint *want, uint64_t segment_bytes)
{
        uint64_t sum;

        if (want->max_segments == SEGMENTS_ANY)
                return true;
        return __builtin_mul_overflow(segment_bytes, want->max_segments, &sum) ||
               sum >= want->size_bytes;
}

/* Limits that contradict one another or the size. All values mean something by now. */
static enum limit impossible(const struct constraint *want)
{
        const uint64_t size = want->size_bytes, align = want->align_bytes;
        const uint64_t boundary = want->boundary_bytes, longest = want->max_segment_bytes;
        uint64_t first;

        if (size - 1 > want->window.last - want->window.first)
                return want->window.last == UINT64_MAX ? LIMIT_ADDR_MIN : LIMIT_ADDR_MAX;
        if (!align_up(want->window.first, align, &first) || first > want->window.last)
                return LIMIT_ALIGN;
        if (want->max_segments == 1 && size - 1 > want->window.last - first)
                return LIMIT_ALIGN;
        /* A second segment would start at the cut, which is not aligned then. */
        if (boundary && size > boundary && (boundary < align || !adds_up(want, boundary)))
                return LIMIT_BOUNDARY;
        if (longest && size > longest && longest < align)
                return LIMIT_MAX_SEGMENT_BYTES;
        if (longest && !adds_up(want, segment_bytes_max(want)))
                return LIMIT_MAX_SEGMENT_BYTES;
        return LIMIT_NONE;
}

int constraint_check(const struct constraint *want, enum limit *ret_limit)
{
        enum limit limit;

        limit = meaningless(want);
        if (limit) {
                *ret_limit = limit;
                return PAR_REFUSED_INVALID;
        }
        limit = impossible(want);
        if (limit) {
                *ret_limit = limit;
                return PAR_REFUSED_NEVER_FITS;
        }
        return 0;
}
