/* SPDX-License-Identifier: MIT */
/*
 * Owns the way of memory into a list: what is adjacent is joined, what is too long is cut.
 *
 * Invariant: cutting is greedy. Each segment is as long as the limits and the memory allow, and so
 * there are as few of them as can be; a list that grows bit by bit is the same as one that is made
 * at once. Refuses to keep more segments than there may be: those are only counted, which takes
 * constant time for each piece.
 */
#include "sg.h"

#include "error.h"
#include "sg_refusal.h"

#include "segment.h"

#include <errno.h>
#include <stdlib.h>

#define ROOM_FIRST 16

void sg_adding_begin(struct sg_adding *adding, struct par_sg *list, struct debug_call call)
{
        *adding = (struct sg_adding){
                .list = list,
                .call = call,
                .count = list->n,
                .bytes = list->bytes,
                .view = list->view,
                .has_view = list->has_view,
        };
        if (list->n)
                adding->before = adding->last = list->segments[list->n - 1];
}

/* Whether there are more segments than there may be. */
static bool is_too_much(const struct sg_adding *adding)
{
        const uint32_t most = adding->list->want.limits.max_segments;

        return most != SEGMENTS_ANY && adding->count > most;
}

/* ---- joining -------------------------------------------------------------------------------- */

/* Whether @next is what comes after @bytes from @first on. */
static bool adjoins(uint64_t first, uint64_t bytes, uint64_t next)
{
        return next && first + (bytes - 1) == next - 1;
}

static bool phys_adjoins(const struct par_segment *last, const struct par_segment *piece)
{
        return last->phys != PAR_PHYS_NONE && piece->phys != PAR_PHYS_NONE &&
               adjoins(last->phys, last->length, piece->phys);
}

/* Take bytes off the beginning of a piece. */
static void cut_off(struct par_segment *piece, uint64_t bytes)
{
        piece->dma += bytes;
        piece->length -= bytes;
        if (piece->phys != PAR_PHYS_NONE)
                piece->phys += bytes;
}

/* The last segment, which the piece adjoins, takes as much of it as the limits allow. */
static void join(struct sg_adding *adding, struct par_segment *piece)
{
        struct par_segment *last = &adding->last;
        const uint64_t whole = last->length + piece->length; /* at most the bytes of the list */
        const uint64_t bytes =
                segment_length(&adding->list->want.limits, last->dma, whole) - last->length;

        if (!bytes)
                return;
        if (!phys_adjoins(last, piece))
                last->phys = PAR_PHYS_NONE;
        last->length += bytes;
        adding->bytes += bytes;
        cut_off(piece, bytes);
}

/* ---- cutting -------------------------------------------------------------------------------- */

/* Return: 0; -ENOMEM. */
static int make_room(struct par_sg *list, uint64_t count)
{
        size_t room = list->room ? list->room : ROOM_FIRST;
        struct par_segment *segments = NULL;

        if (count <= list->room)
                return 0;
        while (room < count && room <= SIZE_MAX / 2)
                room *= 2;
        if (room >= count)
                segments = reallocarray(list->segments, room, sizeof(*segments));
        if (!segments)
                return error_set(-ENOMEM, "no memory for a list of %llu segments",
                                 (unsigned long long)count);
        list->segments = segments;
        list->room = room;
        return 0;
}

/* The last one of the segments that a piece is cut into. */
static struct par_segment last_of(const struct constraint *limits, struct par_segment piece)
{
        const uint64_t boundary = limits->boundary_bytes, longest = segment_bytes_max(limits);
        uint64_t block;

        if (boundary) {
                block = align_down(piece.dma + (piece.length - 1), boundary);
                if (block > piece.dma)
                        cut_off(&piece, block - piece.dma);
        }
        cut_off(&piece, (piece.length - 1) / longest * longest);
        return piece;
}

/* A piece becomes segments, for which there is room from the @i-th on. */
static void cut(struct sg_adding *adding, struct par_segment piece, size_t i)
{
        struct par_sg *list = adding->list;

        while (piece.length) {
                const uint64_t length = segment_length(&list->want.limits, piece.dma, piece.length);

                if (i)
                        list->segments[i - 1] = adding->last;
                adding->last = piece;
                adding->last.length = length;
                adding->last.offset = adding->bytes;
                adding->bytes += length;
                cut_off(&piece, length);
                i++;
        }
}

/* A piece that is not joined with anything. @adjacent: only since a limit is between them. */
static int append(struct sg_adding *adding, struct par_segment piece, bool adjacent)
{
        const struct io_want *want = &adding->list->want;
        const uint64_t align = want->limits.align_bytes, longest = segment_bytes_max(&want->limits);
        const uint64_t before = adding->count;
        int r;

        if (piece.dma & (align - 1))
                return sg_refuse_align(want, piece.dma, adjacent);
        adding->count += segment_count(&want->limits, range_of(piece.dma, piece.length));
        if (adding->count > before + 1 && longest & (align - 1))
                return sg_refuse_align(want, piece.dma + longest, true);
        if (is_too_much(adding)) {
                adding->last = last_of(&want->limits, piece);
                adding->bytes += piece.length;
                return 0;
        }
        r = make_room(adding->list, adding->count);
        if (!r)
                cut(adding, piece, (size_t)before);
        return r;
}

/* ---- a piece -------------------------------------------------------------------------------- */

static int check(const struct sg_adding *adding, const struct par_segment *piece)
{
        const struct io_want *want = &adding->list->want;
        uint64_t last, sum;

        if (!piece->length)
                return error_set(-EINVAL, "a segment has no bytes");
        if (piece->dma == PAR_PHYS_NONE)
                return error_set(-PAR_DENIED, "a segment has no address for any device");
        if (__builtin_add_overflow(piece->dma, piece->length - 1, &last))
                return error_set(-EINVAL,
                                 "%llu bytes at address %#llx go beyond the last one of 64 bits",
                                 (unsigned long long)piece->length, (unsigned long long)piece->dma);
        if (__builtin_add_overflow(adding->bytes, piece->length, &sum))
                return error_set(-EINVAL, "a list of more than 2^64 - 1 bytes");
        if (!range_contains(want->limits.window, (struct range){ piece->dma, last }))
                return sg_refuse_window(want, (struct range){ piece->dma, last });
        return 0;
}

int sg_adding_piece(struct sg_adding *adding, const struct par_segment *piece)
{
        const struct par_segment *last = &adding->last;
        struct par_segment rest = *piece;
        bool adjacent;
        int r;

        r = check(adding, piece);
        if (r)
                return r;
        adjacent = adding->count && adjoins(last->dma, last->length, piece->dma);
        if (adjacent)
                join(adding, &rest);
        return rest.length ? append(adding, rest, adjacent) : 0;
}

int sg_adding_end(struct sg_adding *adding, int r)
{
        struct par_sg *list = adding->list;

        if (!r && is_too_much(adding)) {
                list->wanted = adding->count;
                r = sg_refuse_count(&list->want, adding->count, adding->bytes);
        }
        if (r) {
                if (list->n)
                        list->segments[list->n - 1] = adding->before;
                return r;
        }
        list->n = (size_t)adding->count;
        list->bytes = adding->bytes;
        list->view = adding->view;
        list->has_view = adding->has_view;
        if (list->n)
                list->segments[list->n - 1] = adding->last;
        return 0;
}
