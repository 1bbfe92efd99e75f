/* SPDX-License-Identifier: MIT */
/*
 * Owns the address space of buffers of a connection that is looked after: each has some of its own,
 * with pages around it that cannot be touched, and that cannot be touched at all when it is freed.
 *
 * The frames are mapped as ever, where nobody has a pointer to; their parts are mapped again here.
 * Of a hugepage that is all of it or nothing: beside a buffer that is smaller lies what is in the
 * same hugepage.
 *
 * Invariant: a pointer into a buffer is, and was, of no other one. Refuses to fail: without
 * descriptors or address space a buffer stays where its frames are.
 */
#include "handle.h"

#include "macros.h"
#include "mapping.h"

#include <errno.h>
#include <syslog.h>
#include <unistd.h>

/* The system's unit of mapping for this piece. */
static size_t unit_of(const struct par_buffer *buffer, const struct piece *piece)
{
        return piece->frame->huge ? buffer->page_bytes : (size_t)sysconf(_SC_PAGESIZE);
}

/* Map one piece where its frame would be at @place. Return: 0; -errno. */
static int place_piece(const struct par_buffer *buffer, const struct piece *piece, char *place)
{
        const size_t unit = unit_of(buffer, piece);
        const size_t first = piece->frame_offset & ~(unit - 1);
        const size_t last = (piece->frame_offset + piece->length - 1) | (unit - 1);
        int r;

        if (piece->frame->fd < 0)
                return -EMFILE;
        r = mapping_place_part(piece->frame->fd, first, last - first + 1, place + first);
        if (!r && buffer->keep_on_fork)
                mapping_keep_on_fork(place + first, last - first + 1, true);
        return r;
}

static int place_pieces(const struct par_buffer *buffer, char *place)
{
        int r = 0;

        for (size_t i = 0; i < buffer->n_pieces && !r; i++)
                r = place_piece(buffer, &buffer->pieces[i], place + i * buffer->page_bytes);
        return r;
}

/* A page of the pool's is left free at both ends. Return: 0; -errno. */
static int open_window(struct par_buffer *buffer)
{
        const size_t offset = buffer->pieces[0].frame_offset;
        size_t bytes;
        char *room;
        int r;

        if (__builtin_mul_overflow(buffer->n_pieces + 2, buffer->page_bytes, &bytes))
                return -ENOMEM;
        r = mapping_reserve(bytes, buffer->page_bytes, &room);
        if (r)
                return r;
        if (buffer->window)
                r = mapping_move(buffer->window, buffer->size, room + buffer->page_bytes + offset);
        else
                r = place_pieces(buffer, room + buffer->page_bytes);
        if (r) {
                mapping_release(room, bytes);
                return r;
        }
        buffer->home = buffer->window ? NULL : buffer->data;
        buffer->window = NULL; /* it is in there, if it was one */
        buffer->room = room;
        buffer->room_bytes = bytes;
        buffer->data = room + buffer->page_bytes + offset;
        return 0;
}

void debug_window_open(struct par_buffer *buffer)
{
        int r = open_window(buffer);

        if (r)
                handle_log(buffer->par, LOG_INFO,
                           "buffer %llu has no guard pages, and its addresses are used again: %s",
                           (unsigned long long)buffer->id, par_strerror(r));
}

void debug_window_close(struct par_buffer *buffer, bool keep)
{
        if (keep && !mapping_forbid(buffer->room, buffer->room_bytes))
                return;
        mapping_release(STEAL(buffer->room), buffer->room_bytes);
}
