/* SPDX-License-Identifier: MIT */
/*
 * Turns the description of a grant into a mapped buffer, piece by piece, as the packets arrive.
 *
 * Frames are mapped here, by whichever thread reads, and not by the one that asked: a reply to
 * another thread that arrives later may lie in the same frame, and relies on its place. A buffer in
 * one frame lies inside that frame's mapping, wherever it is. For a larger one contiguous address
 * space is reserved, and its frames are mapped or moved into it side by side; the daemon grants
 * such frames only while nothing else of this session is in them. A buffer that comes as a dma-buf
 * is mapped by itself, and its frames are never seen.
 *
 * Invariant: a frame that holds a live buffer is never moved. Refuses whatever a daemon of this
 * protocol would not say (-EPROTO, which ends the session): so nothing that arrives can make the
 * library write outside of frames.
 */
#include "grant.h"

#include "macros.h"
#include "mapping.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PAGE_BYTES_MIN UINT64_C(4096)
#define PAGE_BYTES_MAX (UINT64_C(1) << 40)

/* ---- the head of a grant -------------------------------------------------------------------- */

static bool is_as_large_as_asked(const struct grant *grant, const Wire__Grant *head)
{
        return !grant->asked_bytes || (head->size >= grant->asked_bytes &&
                                       head->size - grant->asked_bytes < head->page_size);
}

static bool head_is_sane(const struct grant *grant, const Wire__Grant *head)
{
        return head->extents && head->buffer && head->page_size >= PAGE_BYTES_MIN &&
               head->page_size <= PAGE_BYTES_MAX && !(head->page_size & (head->page_size - 1)) &&
               is_as_large_as_asked(grant, head) && head->size <= SIZE_MAX / 2 &&
               head->piece_count && head->piece_count <= head->size / head->page_size + 2 &&
               head->segment_count && head->segment_count <= head->size;
}

/* The next descriptor of a packet, owned by the caller. Return: 0; -EMFILE: lost; -EPROTO. */
static int next_descriptor(struct packet *packet, int *ret)
{
        for (size_t i = 0; i < packet->count; i++) {
                if (packet->descriptors[i] >= 0) {
                        *ret = STEAL_FD(packet->descriptors[i]);
                        return 0;
                }
        }
        return packet->descriptors_cut ? -EMFILE : -EPROTO;
}

/* It is mapped when all of it is known. Return: 0; -EPROTO. */
static int take_dmabuf(struct grant *grant, struct packet *packet)
{
        int r;

        grant->whole = true;
        r = next_descriptor(packet, &grant->buffer->dmabuf);
        if (r == -EPROTO)
                return r;
        grant->fault = r;
        return 0;
}

static int take_head(struct grant *grant, const Wire__Grant *head, struct packet *packet)
{
        struct par_buffer *buffer = grant->buffer;
        const size_t name_bytes = strnlen(head->pool, sizeof(buffer->pool) - 1);

        if (!head_is_sane(grant, head) || buffers_find(&grant->par->buffers, head->buffer))
                return -EPROTO;

        buffer->id = head->buffer;
        memcpy(buffer->pool, head->pool, name_bytes); /* it was zeroed */
        buffer->size = head->size;
        buffer->page_bytes = head->page_size;
        buffer_expect(buffer, head->piece_count, head->segment_count);
        buffers_insert(&grant->par->buffers, buffer);
        if (head->dmabuf)
                return take_dmabuf(grant, packet);
        if (buffer->piece_count > 1)
                grant->fault = mapping_reserve(buffer->piece_count * buffer->page_bytes,
                                               buffer->page_bytes, &buffer->reserved);
        return 0;
}

/* ---- pieces: where to map ------------------------------------------------------------------- */

/* Where the frame of piece @index belongs; NULL: wherever it is. */
static char *place_of(const struct par_buffer *buffer, size_t index)
{
        return buffer->reserved ? buffer->reserved + index * buffer->page_bytes : NULL;
}

/* Room for one more element; nothing is claimed before the packets that fill it arrive. Return: the
 * array, which may have moved; NULL without memory: it is as it was. */
static void *grow(void *array, size_t count, size_t *room, size_t element_bytes)
{
        size_t more = *room ? *room * 2 : 4;
        void *larger;

        if (count < *room)
                return array;
        larger = reallocarray(array, more, element_bytes);
        if (larger)
                *room = more;
        return larger;
}

/**
 * adopt_frame() - a frame that this session sees for the first time
 *
 * Where it cannot be mapped it is recorded all the same: the daemon has to be told.
 */
static int adopt_frame(struct grant *grant, uint64_t id, struct packet *packet, struct frame **ret)
{
        struct par_buffer *buffer = grant->buffer;
        int r, fd = -1;

        r = next_descriptor(packet, &fd);
        if (r == -EPROTO)
                return r;
        if (r && !grant->fault)
                grant->fault = r;

        r = frames_add(&grant->par->frames, id, buffer->page_bytes, ret);
        if (!r && fd >= 0 && (!grant->fault || grant->fault == -ESTALE)) {
                r = frame_map(*ret, fd, place_of(buffer, buffer->n_pieces));
                if (r && r != -EPROTO) {
                        grant->fault = r;
                        r = 0;
                }
        }
        if (!r && fd >= 0 && grant->par->owner)
                frame_keep_fd(*ret, STEAL_FD(fd));
        if (fd >= 0)
                close(fd);
        return r;
}

/* Bring a frame that is mapped already to where this buffer needs it. */
static int settle_frame(struct grant *grant, struct frame *frame, bool first_packet)
{
        char *place = place_of(grant->buffer, grant->buffer->n_pieces);

        if (frame->page_bytes != grant->buffer->page_bytes)
                return -EPROTO;
        if (grant->fault)
                return 0;
        if (!frame->base) {
                /* Lost with another thread's grant, and about to be sent again. */
                grant->fault = -ESTALE;
                return 0;
        }
        if (!place || frame->base == place)
                return 0;
        if (frame->buffers) {
                /* Only what was granted after this buffer, and arrived before the rest of its
                 * description, can be here. */
                if (first_packet)
                        return -EPROTO;
                grant->fault = -ESTALE;
                return 0;
        }
        grant->fault = mapping_move(frame->base, frame->page_bytes, place);
        if (!grant->fault)
                frame->base = place;
        return 0;
}

static bool piece_is_sane(const struct par_buffer *buffer, const Wire__Piece *piece)
{
        const struct piece *before =
                buffer->n_pieces ? &buffer->pieces[buffer->n_pieces - 1] : NULL;

        if (buffer->n_pieces == buffer->piece_count || !piece->length ||
            piece->frame_offset >= buffer->page_bytes ||
            piece->length > buffer->page_bytes - piece->frame_offset)
                return false;
        if (!before)
                return true;
        return !piece->frame_offset && before->frame_offset + before->length == buffer->page_bytes;
}

/**
 * take_frame() - the frame of the next piece, mapped where the buffer needs it
 * @ret: NULL where it is not to be had; @grant->fault says why
 *
 * Return: 0; -EPROTO, -ENOMEM.
 */
static int take_frame(struct grant *grant, const Wire__Piece *wire, struct packet *packet,
                      bool first_packet, struct frame **ret)
{
        struct frames *frames = &grant->par->frames;

        *ret = frames_find(frames, wire->frame);
        if (wire->has_fd)
                return *ret ? -EPROTO : adopt_frame(grant, wire->frame, packet, ret);
        if (*ret)
                return settle_frame(grant, *ret, first_packet);
        if (frames->unmapped == grant->told)
                return -EPROTO; /* nothing was given up of which the daemon could not know */
        if (!grant->fault)
                grant->fault = -ESTALE;
        return 0;
}

static int take_piece(struct grant *grant, const Wire__Piece *wire, struct packet *packet,
                      bool first_packet)
{
        struct par_buffer *buffer = grant->buffer;
        struct piece *pieces;
        struct frame *frame = NULL;
        int r = 0;

        if (!piece_is_sane(buffer, wire))
                return -EPROTO;
        pieces = grow(buffer->pieces, buffer->n_pieces, &buffer->piece_room, sizeof(*pieces));
        if (!pieces)
                return -ENOMEM;
        buffer->pieces = pieces;

        if (!grant->whole)
                r = take_frame(grant, wire, packet, first_packet, &frame);
        else if (wire->has_fd)
                r = -EPROTO;
        if (r)
                return r;

        if (frame) {
                frame->keep = wire->keep;
                frame_ref(frame, buffer->keep_on_fork);
        }
        buffer->pieces[buffer->n_pieces++] = (struct piece){
                .frame = frame,
                .phys = wire->phys,
                .length = wire->length,
                .frame_offset = wire->frame_offset,
                .zeroed = wire->zeroed,
        };
        return 0;
}

/* ---- segments: what the device sees --------------------------------------------------------- */

static int take_segment(struct par_buffer *buffer, const Wire__Segment *wire)
{
        const struct par_segment *before =
                buffer->n_segments ? &buffer->segments[buffer->n_segments - 1] : NULL;
        uint64_t offset = before ? before->offset + before->length : 0;
        struct par_segment *segments;

        if (buffer->n_segments == buffer->segment_count || !wire->length ||
            wire->length > buffer->size - offset ||
            (wire->dma != PAR_PHYS_NONE && wire->length - 1 > UINT64_MAX - wire->dma))
                return -EPROTO;
        segments = grow(buffer->segments, buffer->n_segments, &buffer->segment_room,
                        sizeof(*segments));
        if (!segments)
                return -ENOMEM;
        buffer->segments = segments;
        buffer->segments[buffer->n_segments++] = (struct par_segment){
                .dma = wire->dma,
                .phys = wire->phys,
                .length = wire->length,
                .offset = offset,
        };
        return 0;
}

/* ---- the whole ------------------------------------------------------------------------------ */

/* Map a dma-buf, at an address as in a frame. Return: 0; -EPROTO where it is not as large as the
 * buffer; other negative errno. */
static int map_whole(struct par_buffer *buffer)
{
        const size_t room_bytes = buffer->piece_count * buffer->page_bytes;
        const size_t offset = buffer->pieces[0].frame_offset;
        const off_t size = lseek(buffer->dmabuf, 0, SEEK_END);
        char *room;
        bool huge;
        int r;

        if (size < 0 || (uint64_t)size != buffer->size)
                return -EPROTO;
        r = mapping_reserve(room_bytes, buffer->page_bytes, &room);
        if (r)
                return r;
        r = mapping_place(buffer->dmabuf, buffer->size, room + offset, &huge);
        if (r) {
                mapping_release(room, room_bytes);
                return r;
        }
        mapping_release(room, offset);
        mapping_release(room + offset + buffer->size, room_bytes - offset - buffer->size);
        buffer->data = buffer->window = room + offset;
        if (buffer->keep_on_fork)
                mapping_keep_on_fork(buffer->window, buffer->size, true);
        close(STEAL_FD(buffer->dmabuf));
        return 0;
}

/* All has been said: is it a whole buffer? */
static int finish(struct grant *grant)
{
        struct par_buffer *buffer = grant->buffer;
        const struct par_segment *last;
        uint64_t bytes = 0;

        for (size_t i = 0; i < buffer->n_pieces; i++)
                bytes += buffer->pieces[i].length;
        if (buffer->n_pieces != buffer->piece_count || bytes != buffer->size ||
            buffer->n_segments != buffer->segment_count)
                return -EPROTO;
        last = &buffer->segments[buffer->n_segments - 1];
        if (last->offset + last->length != buffer->size)
                return -EPROTO;

        if (!grant->fault)
                grant->fault = buffer_finish_runs(buffer);
        if (!grant->fault && grant->whole)
                grant->fault = map_whole(buffer);
        if (grant->fault)
                return grant->fault == -EPROTO ? -EPROTO : 0;
        if (!grant->whole) {
                buffer->data = buffer->pieces[0].frame->base + buffer->pieces[0].frame_offset;
                buffer->reserved = NULL; /* full: it belongs to the frames now */
        }
        return 0;
}

static int take_list(struct grant *grant, const Wire__ExtentList *list, struct packet *packet,
                     bool first_packet)
{
        int r;

        if (list->next_cursor && !list->n_pieces && !list->n_segments)
                return -EPROTO; /* this could go on for ever */
        for (size_t i = 0; i < list->n_pieces; i++) {
                r = take_piece(grant, list->pieces[i], packet, first_packet);
                if (r)
                        return r;
        }
        for (size_t i = 0; i < list->n_segments; i++) {
                r = take_segment(grant->buffer, list->segments[i]);
                if (r)
                        return r;
        }
        grant->cursor = list->next_cursor;
        return grant->cursor ? 0 : finish(grant);
}

int grant_take_whole(struct grant *grant, const Wire__Grant *head, struct packet *packet)
{
        int r;

        r = take_head(grant, head, packet);
        return r ? r : take_list(grant, head->extents, packet, true);
}

int grant_take_alloc(struct request *request, const Wire__Reply *reply, struct packet *packet)
{
        struct grant *grant = CONTAINER_OF(request, struct grant, request);

        if (reply->body_case != WIRE__REPLY__BODY_ALLOC)
                return -EPROTO;
        return grant_take_whole(grant, reply->alloc, packet);
}

int grant_take_extents(struct request *request, const Wire__Reply *reply, struct packet *packet)
{
        struct grant *grant = CONTAINER_OF(request, struct grant, request);

        if (reply->body_case != WIRE__REPLY__BODY_EXTENTS)
                return -EPROTO;
        return take_list(grant, reply->extents, packet, false);
}

void grant_revoked(struct par_buffer *buffer)
{
        buffer->revoked = true;
        grant_not_again(buffer);
}

void grant_not_again(struct par_buffer *buffer)
{
        for (size_t i = 0; i < buffer->n_pieces; i++) {
                if (buffer->pieces[i].frame)
                        buffer->pieces[i].frame->keep = false;
        }
}

void grant_give_up(struct par *par, struct par_buffer *buffer)
{
        if (!buffer->id)
                return;
        for (size_t i = 0; buffer->reserved && i < buffer->piece_count; i++) {
                const struct frame *frame = i < buffer->n_pieces ? buffer->pieces[i].frame : NULL;
                char *place = place_of(buffer, i);

                if (!frame || frame->base != place)
                        mapping_release(place, buffer->page_bytes);
        }
        for (size_t i = 0; i < buffer->n_pieces; i++) {
                if (buffer->pieces[i].frame)
                        frame_unref(&par->frames, buffer->pieces[i].frame, buffer->keep_on_fork);
        }
        buffer_unmap(buffer);
        buffer->reserved = NULL;
        buffer->n_pieces = 0;
        events_withdraw(&par->events, buffer->events, EVENT_SLOTS);
        buffers_remove(&par->buffers, buffer);
}
