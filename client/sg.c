/* SPDX-License-Identifier: MIT */
/*
 * Owns scatter lists: their limits, their memory, and what users read of them.
 *
 * Invariant: the segments of a list lie end to end in the order of their offsets, each within the
 * limits, and there are no fewer that say the same. Refuses to hold on to what it describes.
 */
#include "sg.h"

#include "handle.h"
#include "sg_refusal.h"

#include "macros.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

/* ---- life ----------------------------------------------------------------------------------- */

static int check_options(const struct par *par, const struct par_sg_options *options)
{
        uint64_t reserved = options->flags | options->reserved_flags;

        for (size_t i = 0; i < ARRAY_SIZE(options->reserved); i++)
                reserved |= options->reserved[i];
        if (reserved)
                return error_set(-EINVAL, "options: flags or a reserved field is not zero");
        if (options->device && options->device->par != par)
                return error_set(-EINVAL, "the device belongs to another connection");
        return 0;
}

/* What every segment has to satisfy. */
static int set_limits(struct io_want *want, const struct par_constraint *constraint,
                      const struct par_device *device)
{
        enum limit limit;
        int r;

        r = io_want_check(constraint);
        if (r)
                return r;
        io_want_init(want, 1, constraint);
        if (!constraint || !constraint->max_segments)
                want->limits.max_segments = SEGMENTS_ANY;
        if (device)
                io_want_narrow(want, &device->limits, device->name);
        if (constraint && constraint->max_segments == PAR_SEGMENTS_ANY)
                want->limits.max_segments = SEGMENTS_ANY; /* for more than one command */
        r = constraint_check(&want->limits, &limit);
        return r ? sg_refuse_limit(r, want, limit) : 0;
}

int par_sg_create(struct par *par, const struct par_constraint *constraint,
                  const struct par_sg_options *options, struct par_sg **ret)
{
        const struct par_sg_options no_options = { 0 };
        struct io_want want;
        int r;

        if (!ret)
                return error_set(-EINVAL, "no place for the list");
        *ret = NULL;
        options = options ? options : &no_options;
        r = par ? handle_check(par) : 0;
        if (!r)
                r = check_options(par, options);
        if (!r)
                r = set_limits(&want, constraint, options->device);
        if (r)
                return r;
        *ret = calloc(1, sizeof(**ret));
        if (!*ret)
                return error_set(-ENOMEM, "no memory for a list");
        (*ret)->par = par;
        (*ret)->device = options->device;
        (*ret)->want = want;
        return 0;
}

void par_sg_destroy(struct par_sg *list)
{
        if (!list)
                return;
        free(list->segments);
        free(list);
}

void par_sg_clear(struct par_sg *list)
{
        if (!list)
                return;
        list->n = 0;
        list->bytes = list->wanted = 0;
        list->has_view = false;
}

/* ---- adding --------------------------------------------------------------------------------- */

static int check_add(const struct par_sg *list, const void *what, size_t count)
{
        if (!list || (!what && count))
                return error_set(-EINVAL, "no %s", list ? "memory to add" : "list");
        return 0;
}

int par_sg_add(struct par_sg *list, const struct par_sg_part *parts, size_t count)
{
        struct sg_adding adding;
        int r;

        r = check_add(list, parts, count);
        if (r)
                return r;
        sg_adding_begin(&adding, list, DEBUG_CALL);
        return sg_adding_end(&adding, sg_adding_parts(&adding, parts, count));
}

int par_sg_add_segments(struct par_sg *list, const struct par_segment *segments, size_t count)
{
        struct sg_adding adding;
        int r;

        r = check_add(list, segments, count);
        if (r)
                return r;
        sg_adding_begin(&adding, list, DEBUG_CALL);
        for (size_t i = 0; i < count && !r; i++)
                r = sg_adding_piece(&adding, &segments[i]);
        return sg_adding_end(&adding, r);
}

/* ---- what users read ------------------------------------------------------------------------ */

size_t par_sg_segments(const struct par_sg *list, const struct par_segment **ret)
{
        if (ret)
                *ret = list && list->n ? list->segments : NULL;
        return list ? list->n : 0;
}

uint64_t par_sg_bytes(const struct par_sg *list)
{
        return list ? list->bytes : 0;
}

uint64_t par_sg_wanted(const struct par_sg *list)
{
        return list ? list->wanted : 0;
}

/* The segment in which the byte at @offset, below the list's bytes, lies. */
static const struct par_segment *segment_at(const struct par_sg *list, uint64_t offset)
{
        size_t first = 0, last = list->n - 1;

        while (first < last) {
                const size_t middle = first + (last - first + 1) / 2;

                if (list->segments[middle].offset <= offset)
                        first = middle;
                else
                        last = middle - 1;
        }
        return &list->segments[first];
}

int par_sg_address(const struct par_sg *list, uint64_t offset, uint64_t *ret_dma,
                   uint64_t *ret_contiguous_bytes)
{
        const struct par_segment *segment;

        if (ret_dma)
                *ret_dma = 0;
        if (ret_contiguous_bytes)
                *ret_contiguous_bytes = 0;
        if (!list || !ret_dma)
                return error_set(-EINVAL, "no %s", list ? "place for the address" : "list");
        if (offset >= list->bytes)
                return error_set(-ERANGE, "offset %llu: the list has %llu bytes",
                                 (unsigned long long)offset, (unsigned long long)list->bytes);
        segment = segment_at(list, offset);
        *ret_dma = segment->dma + (offset - segment->offset);
        if (ret_contiguous_bytes)
                *ret_contiguous_bytes = segment->length - (offset - segment->offset);
        return 0;
}

/* ---- pages ---------------------------------------------------------------------------------- */

/* Whether a segment goes on where the one before it ends. */
static bool goes_on(const struct par_sg *list, size_t i)
{
        return i && list->segments[i].dma &&
               list->segments[i - 1].dma + list->segments[i - 1].length == list->segments[i].dma;
}

/* Whether all pages but the first begin as pages do, and all but the last end so. Where memory goes
 * on it does not matter how it was cut. Return: 0; -ERANGE. */
static int check_pages(const struct par_sg *list, uint64_t page_bytes)
{
        for (size_t i = 1; i < list->n; i++) {
                const struct par_segment *segment = &list->segments[i], *before = segment - 1;
                const uint64_t end = before->dma + before->length; /* 0 after the last address */

                if (goes_on(list, i) || !((segment->dma | end) & (page_bytes - 1)))
                        continue;
                return error_set(-ERANGE,
                                 "segment %zu ends before %#" PRIx64 " and the next begins at "
                                 "%#" PRIx64 ": both have to be on pages of %" PRIu64 " bytes",
                                 i - 1, end, segment->dma, page_bytes);
        }
        return 0;
}

/* The first page that is the segment's own: of one that goes on, what has begun before is not.
 * Return: whether there is one. */
static bool first_page(const struct par_sg *list, size_t i, uint64_t page_bytes, uint64_t *ret)
{
        const struct par_segment *segment = &list->segments[i];

        *ret = segment->dma;
        return !goes_on(list, i) ||
               (align_up(segment->dma, page_bytes, ret) && *ret - segment->dma < segment->length);
}

int par_sg_pages(const struct par_sg *list, size_t page_bytes, uint64_t *dma, size_t room,
                 size_t *ret_count)
{
        uint64_t count = 0, page;
        int r;

        if (ret_count)
                *ret_count = 0;
        if (!list || !ret_count || (!dma && room))
                return error_set(-EINVAL, "no %s", list ? "place for the addresses" : "list");
        if (!is_power_of_two(page_bytes))
                return error_set(-EINVAL, "a page of %zu bytes: it takes a power of two",
                                 page_bytes);
        r = check_pages(list, page_bytes);
        for (size_t i = 0; i < list->n && !r; i++) {
                const uint64_t last = list->segments[i].dma + (list->segments[i].length - 1);

                if (!first_page(list, i, page_bytes, &page))
                        continue;
                for (uint64_t n = last / page_bytes - page / page_bytes + 1; n; n--, count++) {
                        if (count >= room) {
                                count += n;
                                break;
                        }
                        dma[count] = page;
                        page = align_down(page, page_bytes) + page_bytes;
                }
        }
        *ret_count = (size_t)count;
        return r;
}
