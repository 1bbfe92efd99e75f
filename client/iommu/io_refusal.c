/* SPDX-License-Identifier: MIT */
/*
 * Owns the sentences: what was asked for, what rules it out, who set that, and the figures. Refuses
 * to change anything.
 */
#include "io_refusal.h"

#include "error.h"
#include "memlock.h"
#include "reserved.h"

#include "units.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define LIST_BYTES 200
#define WHO_BYTES  IO_WANT_WHO_BYTES

/* The usable ranges, as far as there is room for them. */
static const char *list_usable(const struct iova_plan *plan, char text[LIST_BYTES])
{
        struct range range;
        uint64_t from = 0;
        size_t used = 0;

        text[0] = '\0';
        while (iova_plan_next(plan, from, &range)) {
                int n = snprintf(text + used, LIST_BYTES - used, "%s%#" PRIx64 "-%#" PRIx64,
                                 used ? ", " : "", range.first, range.last);

                if (n < 0 || (size_t)n >= LIST_BYTES - used) {
                        text[used] = '\0';
                        break;
                }
                used += (size_t)n;
                if (range.last == UINT64_MAX)
                        break;
                from = range.last + 1;
        }
        return text;
}

/* Who set the window, where it was not the request: " (addr_max of device edu0)"; or "". */
static const char *who_set(const struct io_want *want, char text[WHO_BYTES])
{
        const bool first = want->set_by_device[LIMIT_ADDR_MIN];
        const bool last = want->set_by_device[LIMIT_ADDR_MAX];

        text[0] = '\0';
        if (first || last)
                snprintf(text, WHO_BYTES, " (%s of device %s)",
                         first && last ? "addr_min and addr_max"
                         : first       ? "addr_min"
                                       : "addr_max",
                         want->who);
        return text;
}

/* The limit of the window that is tighter than none; LIMIT_NONE: there is no window. */
static enum limit limit_of_window(const struct io_want *want)
{
        if (want->limits.window.last != UINT64_MAX)
                return LIMIT_ADDR_MAX;
        return want->limits.window.first ? LIMIT_ADDR_MIN : LIMIT_NONE;
}

/* Add figures to the sentence that was just set. @limit: LIMIT_NONE: none of the request's. */
static int add_figures(int r, const struct io_want *want, enum limit limit, uint64_t free_bytes,
                       uint64_t run_bytes)
{
        struct par_refusal_info figures = {
                .size = want->limits.size_bytes,
                .free_in_window = free_bytes,
                .largest_run = run_bytes,
        };
        char who[WHO_BYTES];

        if (limit != LIMIT_NONE) {
                snprintf(figures.limit, sizeof(figures.limit), "%s", limit_name(limit));
                snprintf(figures.limit_set_by, sizeof(figures.limit_set_by), "%.95s",
                         io_want_setter(want, limit, who));
        }
        return error_set_figures(r, &figures);
}

/* A limit that is not the request's rules it out. */
static int add_outer_limit(int r, const char *limit, const char *set_by, uint64_t size,
                           uint64_t left)
{
        struct par_refusal_info figures = { .size = size,
                                            .free_in_window = left,
                                            .largest_run = left };

        snprintf(figures.limit, sizeof(figures.limit), "%s", limit);
        snprintf(figures.limit_set_by, sizeof(figures.limit_set_by), "%s", set_by);
        return error_set_figures(r, &figures);
}

/* One end of the window is the device's, the other one the request's. */
static bool contradict(const struct io_want *want)
{
        return want->limits.window.first > want->limits.window.last &&
               want->set_by_device[LIMIT_ADDR_MIN] != want->set_by_device[LIMIT_ADDR_MAX];
}

static int refuse_window(const struct io_want *want)
{
        const bool first = want->set_by_device[LIMIT_ADDR_MIN];

        error_set(-PAR_NEVER_FITS,
                  "addr_min %#" PRIx64 " of %s%s is above addr_max %#" PRIx64 " of %s%s",
                  want->limits.window.first, first ? "device " : "the request",
                  first ? want->who : "", want->limits.window.last,
                  first ? "the request" : "device ", first ? "" : want->who);
        return add_figures(-PAR_NEVER_FITS, want, LIMIT_ADDR_MIN, 0, 0);
}

static int refuse_limit(int r, const struct io_want *want, enum limit limit, bool meaningless)
{
        const struct constraint *limits = &want->limits;
        const char *why = meaningless ? "is not valid" : "cannot be met";

        if (limit == LIMIT_ADDR_MIN && contradict(want))
                return refuse_window(want);
        error_set(-r,
                  "%s %s for I/O addresses: %" PRIu64 " bytes from %#" PRIx64 " to %#" PRIx64
                  ", align %#" PRIx64 ", boundary %#" PRIx64 ", max_segment_bytes %" PRIu64
                  ", max_segments %" PRIu32 "%s%s",
                  limit_name(limit), why, limits->size_bytes, limits->window.first,
                  limits->window.last, limits->align_bytes, limits->boundary_bytes,
                  limits->max_segment_bytes, limits->max_segments,
                  want->set_by_device[limit] ? "; it is set by device " : "",
                  want->set_by_device[limit] ? want->who : "");
        return add_figures(-r, want, limit, 0, 0);
}

/* The IOMMU maps nothing there: for want of lines, or since the addresses mean something else. */
static int refuse_unusable(int r, const struct iova_plan *plan, const struct io_want *want)
{
        const struct range window = want->limits.window;
        char kind[RESERVED_KIND_BYTES], list[LIST_BYTES], who[WHO_BYTES], reason[64] = "";

        if (reserved_kind(NULL, window, kind))
                snprintf(reason, sizeof(reason), ": reserved, %s",
                         strcmp(kind, "msi") ? kind : "for interrupts (msi)");
        error_set(-r,
                  "the IOMMU maps no I/O address from %#" PRIx64 " to %#" PRIx64 "%s%s; it "
                  "maps %s",
                  window.first, window.last, who_set(want, who), reason, list_usable(plan, list));
        return add_figures(-r, want, limit_of_window(want), 0, 0);
}

int io_refusal_place(int r, const struct iova_plan *plan, const struct io_want *want,
                     const struct iova_refusal *refusal)
{
        const struct range window = want->limits.window;
        char list[LIST_BYTES], who[WHO_BYTES];

        switch (refusal->reason) {
        case IOVA_MEANINGLESS:
        case IOVA_CONTRADICTORY:
                return refuse_limit(r, want, refusal->limit, refusal->reason == IOVA_MEANINGLESS);
        case IOVA_UNUSABLE: return refuse_unusable(r, plan, want);
        case IOVA_TOO_NARROW:
                error_set(-r,
                          "%" PRIu64 " bytes of I/O addresses from %#" PRIx64 " to %#" PRIx64
                          "%s: the IOMMU maps %" PRIu64 " there, the longest run is %" PRIu64
                          "; it maps %s",
                          want->limits.size_bytes, window.first, window.last, who_set(want, who),
                          refusal->usable, refusal->usable_run, list_usable(plan, list));
                return add_figures(-r, want, limit_of_window(want), refusal->usable,
                                   refusal->usable_run);
        case IOVA_FULL:
        case IOVA_SCATTERED: break;
        }
        error_set(-r,
                  "%" PRIu64 " bytes of I/O addresses from %#" PRIx64 " to %#" PRIx64 "%s: %" PRIu64
                  " of %" PRIu64 " are free there, the longest run is %" PRIu64,
                  want->limits.size_bytes, window.first, window.last, who_set(want, who),
                  refusal->free, refusal->usable, refusal->free_run);
        return add_figures(-r, want, limit_of_window(want), refusal->free, refusal->free_run);
}

/* The system's limit may have been changed since, and others may map in the container, too. */
static int refuse_more(const struct io_count *count, uint64_t bytes)
{
        char text[128] = "";

        if (count->room != UINT32_MAX)
                snprintf(text, sizeof(text),
                         "; there was room for %zu when the device was attached (dma_entry_limit "
                         "of vfio_iommu_type1)",
                         count->room);
        error_set(-PAR_QUOTA,
                  "the VFIO container takes no more mappings: %zu are this connection's, "
                  "one for each buffer or linked piece%s",
                  count->mappings, text);
        return add_outer_limit(-PAR_QUOTA, "dma_entry_limit", "the VFIO container", bytes, 0);
}

static uint64_t memlock_left(const struct memlock *memlock)
{
        return memlock->locked_bytes < memlock->limit_bytes
                       ? memlock->limit_bytes - memlock->locked_bytes
                       : 0;
}

/* Return: whether the limit of locked memory is why @bytes cannot be mapped. */
static bool memlock_explains(uint64_t bytes, struct memlock *ret)
{
        return memlock_read(ret) && ret->limit_bytes != UINT64_MAX &&
               (ret->locked_bytes > ret->limit_bytes ||
                bytes > ret->limit_bytes - ret->locked_bytes);
}

int io_refusal_map(int r, struct range place, const struct io_count *count)
{
        const uint64_t bytes = range_size(place);
        struct memlock memlock;

        if (r == -ENOSPC)
                return refuse_more(count, bytes);
        if (r == -ENOMEM && memlock_explains(bytes, &memlock)) {
                error_set(-PAR_QUOTA,
                          "VFIO counts what it maps against RLIMIT_MEMLOCK: %" PRIu64
                          " bytes more than the %" PRIu64 " that are locked are above its %" PRIu64,
                          bytes, memlock.locked_bytes, memlock.limit_bytes);
                return add_outer_limit(-PAR_QUOTA, "RLIMIT_MEMLOCK", "the process", bytes,
                                       memlock_left(&memlock));
        }
        return error_set(r, "VFIO cannot map %" PRIu64 " bytes at I/O address %#" PRIx64 ": %s",
                         bytes, place.first, par_strerror(r));
}
