/* SPDX-License-Identifier: MIT */
/*
 * Owns the parts and segments of a mapping that has several.
 *
 * Invariant: parts are in the order of the mapping, and what is in none of them the device sees
 * where it is. Refuses to map half a list: what was mapped goes back where the rest is refused.
 */
#include "dma_list.h"

#include "handle.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* ---- how it is divided ---------------------------------------------------------------------- */

/* How many parts pieces are, of so many bytes at most. */
static size_t count_parts(const struct iovec *pieces, size_t count, size_t bytes)
{
        size_t n = 0;

        for (size_t i = 0; i < count; i++)
                n += bytes ? (pieces[i].iov_len - 1) / bytes + 1 : 1;
        return n;
}

/* Longest part of what is bounced, so that the next one can begin where it has to. */
static size_t part_bytes(const struct map_ask *ask, const struct iovec *pieces, size_t count)
{
        const size_t most = bounce_bytes_max(&ask->device->dma->bounce);
        const struct device_reach *reach = &ask->device->reach;
        uint64_t unit = reach->low_mask > reach->min_align_mask ? reach->low_mask + 1
                                                                : reach->min_align_mask + 1;

        /* As long as there are segments enough an area each, since these are easier to have. */
        if (unit <= AREA_BYTES && AREA_BYTES <= most &&
            count_parts(pieces, count, AREA_BYTES) <= ask->max_segments)
                return AREA_BYTES;
        return most >= unit ? (size_t)(most & ~(unit - 1)) : most;
}

static bool sees(const struct map_ask *ask, const struct iovec *piece)
{
        const struct par_device *device = ask->device;
        struct cut cut;

        cut_init(&cut, &device->reach, NULL, 0);
        return cut_add_buffers(&cut, &device->par->lookup, ask->view, (uintptr_t)piece->iov_base,
                               piece->iov_len);
}

static void add_part(struct map_list *list, struct part part, size_t offset)
{
        part.offset = offset;
        list->flags |= part.pages ? PAR_MAPPING_IOMMU : PAR_MAPPING_BOUNCED;
        list->parts[list->n_parts++] = part;
}

/* A piece that the device does not see: whole, in pages, or in slots. @bytes: of a part at most. */
static int map_piece(const struct map_ask *ask, const struct iovec *piece, size_t offset,
                     size_t bytes, struct map_list *list)
{
        const char *memory = piece->iov_base;
        struct part part;
        int r = -EAGAIN;

        if (ask->view < VIEW_DEVICES) {
                r = part_check(ask, memory, piece->iov_len);
                if (!r)
                        r = part_map_pages(ask, memory, piece->iov_len, &part);
                if (!r)
                        add_part(list, part, offset);
        }
        if (r != -EAGAIN)
                return r;
        for (size_t at = 0; at < piece->iov_len; at += part.length) {
                const size_t left = piece->iov_len - at;

                r = part_map_bounced(ask, memory + at, bytes && left > bytes ? bytes : left, &part);
                if (r)
                        return r;
                add_part(list, part, offset + at);
        }
        return 0;
}

/* Room for as many parts as there may be. */
static int make_room(struct map_list *list, const struct iovec *pieces, size_t count, size_t bytes)
{
        const size_t n = count_parts(pieces, count, bytes);

        assert(n > 0);
        list->parts = calloc(n, sizeof(*list->parts));
        return list->parts ? 0 : error_set(-ENOMEM, "no memory for a mapping");
}

static size_t length_of(const struct iovec *pieces, size_t count)
{
        size_t length = 0;

        for (size_t i = 0; i < count; i++)
                length += pieces[i].iov_len;
        return length;
}

static int map_pieces(const struct map_ask *ask, const struct iovec *pieces, size_t count,
                      struct map_list *list)
{
        const size_t bytes = part_bytes(ask, pieces, count);
        size_t offset = 0;
        int r;

        r = make_room(list, pieces, count, bytes);
        for (size_t i = 0; i < count && !r; i++) {
                if (!sees(ask, &pieces[i]))
                        r = map_piece(ask, &pieces[i], offset, bytes, list);
                offset += pieces[i].iov_len;
        }
        return r;
}

/* ---- segments ------------------------------------------------------------------------------- */

/* All of it, as it is mapped. Return: false where it is not: another thread freed a buffer. */
static bool cut_all(const struct map_ask *ask, const struct iovec *pieces, size_t count,
                    const struct map_list *list, struct cut *cut)
{
        const struct lookup *lookup = &ask->device->par->lookup;
        size_t offset = 0, next = 0;

        for (size_t i = 0; i < count; i++) {
                const size_t after = offset + pieces[i].iov_len;

                if (next == list->n_parts || list->parts[next].offset >= after) {
                        if (!cut_add_buffers(cut, lookup, ask->view, (uintptr_t)pieces[i].iov_base,
                                             pieces[i].iov_len))
                                return false;
                }
                for (; next < list->n_parts && list->parts[next].offset < after; next++) {
                        const struct part *part = &list->parts[next];

                        cut_add(cut, (uintptr_t)part->memory, part->dma, part->length);
                }
                offset = after;
        }
        return cut_end(cut);
}

/* Return: 0; -PAR_NEVER_FITS where they are too many, which their number then tells; -ENOMEM. */
static int make_segments(const struct map_ask *ask, const struct iovec *pieces, size_t count,
                         struct map_list *list)
{
        struct cut cut;

        cut_init(&cut, &ask->device->reach, NULL, 0);
        if (!cut_all(ask, pieces, count, list, &cut))
                return error_set(-EFAULT, "memory was freed while it was being mapped");
        list->n_segments = cut.n;
        if (cut.n > ask->max_segments)
                return error_set(-PAR_NEVER_FITS, "%zu segments, where device %s takes %u", cut.n,
                                 ask->device->name, ask->max_segments);
        list->segments = calloc(cut.n, sizeof(*list->segments));
        if (!list->segments)
                return error_set(-ENOMEM, "no memory for segments");
        cut_init(&cut, &ask->device->reach, list->segments, list->n_segments);
        if (!cut_all(ask, pieces, count, list, &cut) || cut.n != list->n_segments)
                return error_set(-EFAULT, "memory was freed while it was being mapped");
        return 0;
}

/* ---- all in one ----------------------------------------------------------------------------- */

static void give_all(struct map_list *list, struct dma *dma, bool may_wait, int *r)
{
        for (size_t i = 0; i < list->n_parts; i++) {
                const int given = part_give(&list->parts[i], dma, may_wait);

                if (!*r)
                        *r = given;
        }
        list->n_parts = 0;
}

/* A device takes fewer segments than there are: bounce all of it through slots side by side. The
 * first part has them, and the others are in them. */
static int gather(const struct map_ask *ask, const struct iovec *pieces, size_t count,
                  struct map_list *list)
{
        const bool copies = part_copies_in(ask->direction, ask->flags);
        struct dma *dma = ask->device->dma;
        struct bounce_slot slot;
        size_t offset = 0;
        int r;

        r = bounce_take(&dma->bounce, (uintptr_t)pieces[0].iov_base, list->length,
                        !(ask->flags & PAR_MAP_ATOMIC), &slot);
        for (size_t i = 0; i < count && !r; i++) {
                struct part part = {
                        .memory = pieces[i].iov_base,
                        .length = pieces[i].iov_len,
                        .dma = slot.dma + offset,
                        .slot = { .chunk = slot.chunk, .data = slot.data + offset },
                        .site = sites_find(&dma->sites, ask->label, ask->caller),
                };

                if (!i)
                        part.slot.run = slot.run;
                add_part(list, part, offset);
                (void)sites_count(&dma->sites, part.site, 0);
                if (copies)
                        r = part_copy_in(&part, dma, 0, part.length);
                offset += part.length;
        }
        return r;
}

/* Whether it helps where each piece for itself was refused: there were too many segments, or too
 * few slots, of which small pieces take less together. */
static bool may_gather(const struct map_ask *ask, size_t count, const struct map_list *list, int r)
{
        const bool few = r == -PAR_EXHAUSTED || r == -PAR_FRAGMENTED;

        return (few ? count > 1 : r == -PAR_NEVER_FITS && list->n_segments > ask->max_segments) &&
               !(ask->flags & PAR_MAP_NO_BOUNCE) && !ask->device->reach.min_align_mask &&
               list->length <= bounce_bytes_max(&ask->device->dma->bounce);
}

static int build(const struct map_ask *ask, const struct iovec *pieces, size_t count,
                 struct map_list *list)
{
        int r, given = 0;

        list->length = length_of(pieces, count);
        r = map_pieces(ask, pieces, count, list);
        if (!r)
                r = make_segments(ask, pieces, count, list);
        if (!may_gather(ask, count, list, r))
                return r;
        give_all(list, ask->device->dma, !(ask->flags & PAR_MAP_ATOMIC), &given);
        list->flags = 0;
        free(list->parts);
        list->parts = calloc(count, sizeof(*list->parts));
        if (!list->parts)
                return error_set(-ENOMEM, "no memory for a mapping");
        r = gather(ask, pieces, count, list);
        return r ? r : make_segments(ask, pieces, count, list);
}

int map_list_new(const struct map_ask *ask, const struct iovec *pieces, size_t count,
                 struct map_list **ret)
{
        struct map_list *list = calloc(1, sizeof(*list));
        int r;

        if (!list)
                return error_set(-ENOMEM, "no memory for a mapping");
        r = build(ask, pieces, count, list);
        if (r)
                (void)map_list_free(list, ask->device->dma, !(ask->flags & PAR_MAP_ATOMIC));
        else
                *ret = list;
        return r;
}

int map_list_copy(const struct map_list *list, struct dma *dma, size_t offset, size_t length,
                  bool in)
{
        int r = 0;

        for (size_t i = 0; i < list->n_parts; i++) {
                const struct part *part = &list->parts[i];
                const size_t first = offset > part->offset ? offset - part->offset : 0;
                size_t after = offset + length > part->offset ? offset + length - part->offset : 0;
                int copied;

                if (after > part->length)
                        after = part->length;
                if (first >= after)
                        continue;
                copied = in ? part_copy_in(part, dma, first, after - first)
                            : part_copy_out(part, dma, first, after - first);
                r = r ? r : copied;
        }
        return r;
}

int map_list_free(struct map_list *list, struct dma *dma, bool may_wait)
{
        int r = 0;

        give_all(list, dma, may_wait, &r);
        free(list->parts);
        free(list->segments);
        free(list);
        return r;
}
