/* SPDX-License-Identifier: MIT */
/*
 * Owns the sentences: which limit, who set it, and the figures. Refuses to change anything.
 */
#include "sg_refusal.h"

#include "error.h"

#include "segment.h"

#include <inttypes.h>
#include <stdio.h>

/* Add figures to the sentence that was just set. */
static int add_figures(int r, const struct io_want *want, enum limit limit, uint64_t bytes)
{
        struct par_refusal_info figures = { .size = bytes };
        char who[IO_WANT_WHO_BYTES];

        snprintf(figures.limit, sizeof(figures.limit), "%s", limit_name(limit));
        snprintf(figures.limit_set_by, sizeof(figures.limit_set_by), "%.95s",
                 io_want_setter(want, limit, who));
        return error_set_figures(r, &figures);
}

int sg_refuse_limit(int r, const struct io_want *want, enum limit limit)
{
        const struct constraint *limits = &want->limits;
        char who[IO_WANT_WHO_BYTES];

        error_set(-r,
                  "%s of %s cannot be met by any segment: addresses from %#" PRIx64 " to %#" PRIx64
                  ", align %#" PRIx64 ", boundary %#" PRIx64,
                  limit_name(limit), io_want_setter(want, limit, who), limits->window.first,
                  limits->window.last, limits->align_bytes, limits->boundary_bytes);
        return add_figures(-r, want, limit, 0);
}

int sg_refuse_window(const struct io_want *want, struct range piece)
{
        const struct range window = want->limits.window;
        const enum limit limit = piece.first < window.first ? LIMIT_ADDR_MIN : LIMIT_ADDR_MAX;
        const uint64_t edge = limit == LIMIT_ADDR_MIN ? window.first : window.last;
        char who[IO_WANT_WHO_BYTES];

        error_set(-PAR_NEVER_FITS,
                  "memory at %#" PRIx64 " to %#" PRIx64 " is %s %s %#" PRIx64 " of %s", piece.first,
                  piece.last, limit == LIMIT_ADDR_MIN ? "below" : "above", limit_name(limit), edge,
                  io_want_setter(want, limit, who));
        return add_figures(-PAR_NEVER_FITS, want, limit, piece.last - piece.first + 1);
}

int sg_refuse_align(const struct io_want *want, uint64_t first, bool cut)
{
        const struct constraint *limits = &want->limits;
        enum limit limit = LIMIT_ALIGN;
        char who[IO_WANT_WHO_BYTES], cutter[IO_WANT_WHO_BYTES], reason[256] = "";

        if (cut) {
                limit = limits->boundary_bytes && limits->boundary_bytes < limits->align_bytes
                                ? LIMIT_BOUNDARY
                                : LIMIT_MAX_SEGMENT_BYTES;
                snprintf(reason, sizeof(reason), ", where %s %" PRIu64 " of %s cuts",
                         limit_name(limit),
                         limit == LIMIT_BOUNDARY ? limits->boundary_bytes
                                                 : limits->max_segment_bytes,
                         io_want_setter(want, limit, cutter));
        }
        error_set(-PAR_NEVER_FITS,
                  "a segment would begin at %#" PRIx64 "%s: no multiple of align %" PRIu64 " of %s",
                  first, reason, limits->align_bytes, io_want_setter(want, LIMIT_ALIGN, who));
        return add_figures(-PAR_NEVER_FITS, want, limit, 0);
}

int sg_refuse_count(const struct io_want *want, uint64_t count, uint64_t bytes)
{
        const struct constraint *limits = &want->limits;
        const uint64_t longest = segment_bytes_max(limits);
        const uint64_t least = bytes / longest + (bytes % longest != 0);
        char who[IO_WANT_WHO_BYTES], note[80] = "";
        int r = -PAR_FRAGMENTED;

        if (least > limits->max_segments) {
                r = -PAR_NEVER_FITS;
                snprintf(note, sizeof(note), ", and at least %" PRIu64 " anywhere else", least);
        }
        error_set(r,
                  "%" PRIu64 " bytes take %" PRIu64 " segments where they lie%s: max_segments of "
                  "%s is %" PRIu32,
                  bytes, count, note, io_want_setter(want, LIMIT_MAX_SEGMENTS, who),
                  limits->max_segments);
        return add_figures(r, want, LIMIT_MAX_SEGMENTS, bytes);
}
