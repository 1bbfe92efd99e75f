/* SPDX-License-Identifier: MIT */
/*
 * Owns the meaning of cursors: they are numbers of notes that the session keeps, so a client cannot
 * name a place that it was not sent to, and going on takes no search from the beginning. Invariant:
 * a page never carries more descriptors than the outbox has room for. Refuses a cursor whose note
 * is gone.
 */
#include "grant.h"

#include "convert.h"
#include "server_private.h"

#include <errno.h>

/* The note of that cursor; with cursor 0 the one to overwrite: unused, or the oldest. */
static struct paging *find(struct session *session, uint64_t cursor)
{
        struct paging *oldest = &session->pagings[0];

        for (size_t i = 0; i < SESSION_PAGINGS_MAX; i++) {
                struct paging *paging = &session->pagings[i];

                if (paging->cursor == cursor)
                        return paging;
                if (paging->cursor < oldest->cursor)
                        oldest = paging;
        }
        return cursor ? NULL : oldest;
}

int grant_show_frame(struct session *session, struct frame_name frame, struct reply *reply,
                     bool *ret_has_fd)
{
        int r, fd;

        *ret_has_fd = false;
        r = client_shown(session->client, frame);
        if (r < 0)
                return r;
        if (r) /* it has it */
                return 0;
        reply->shown[reply->n_shown++] = frame;
        fd = keeper_link_frame_fd(session->server->keeper, frame);
        if (fd < 0)
                return -EIO;
        reply->descriptors[reply->n_descriptors++] = fd;
        *ret_has_fd = true;
        return 0;
}

static int fill_pieces(struct session *session, const struct buffer *buffer,
                       const struct buffer_view *view, struct paging *at, struct reply *reply)
{
        const bool whole = export_suits(session, buffer);
        size_t room = outbox_room(&session->outbox);
        struct reply_page *page = &reply->room->page;
        bool has_fd = false;
        size_t n = 0;
        int r;

        while (at->pieces < view->piece_count && n < PAGE_PIECES_MAX &&
               reply->n_descriptors < room) {
                Wire__Piece *wire = &page->pieces[n];
                struct piece piece;

                buffer_piece(buffer, at->pieces, &piece);
                wire__piece__init(wire);
                wire->frame = frame_id(piece.frame);
                wire->phys = view->hidden ? WIRE_PHYS_HIDDEN : piece.phys;
                wire->length = piece.length_bytes;
                wire->frame_offset = piece.frame_offset;
                wire->zeroed = piece.zeroed;
                wire->keep = piece.keep;
                r = whole ? 0 : grant_show_frame(session, piece.frame, reply, &has_fd);
                if (r)
                        return r;
                wire->has_fd = has_fd;
                page->piece_pointers[n++] = wire;
                at->pieces++;
        }
        page->extents.n_pieces = n;
        page->extents.pieces = page->piece_pointers;
        return 0;
}

/* All of a buffer that lies nowhere, as far as its client may know. */
static size_t fill_hidden_segment(const struct buffer_view *view, const struct paging *at,
                                  struct reply_page *page)
{
        if (at->segments)
                return 0;
        wire__segment__init(&page->segments[0]);
        page->segments[0].dma = page->segments[0].phys = WIRE_PHYS_HIDDEN;
        page->segments[0].length = view->size_bytes;
        page->segment_pointers[0] = &page->segments[0];
        return 1;
}

static void fill_segments(const struct buffer *buffer, const struct buffer_view *view,
                          struct paging *at, struct reply_page *page)
{
        size_t n = view->hidden ? fill_hidden_segment(view, at, page) : 0;
        struct range range;

        while (!view->hidden && n < PAGE_SEGMENTS_MAX &&
               buffer_next_segment(buffer, &at->at, &range)) {
                segment_to_wire(range, view->dma_offset, &page->segments[n]);
                page->segment_pointers[n] = &page->segments[n];
                n++;
        }
        at->segments += n;
        page->extents.n_segments = n;
        page->extents.segments = page->segment_pointers;
}

/* One page from @paging on, which is where the note is kept. */
static int fill_page(struct session *session, const struct buffer *buffer,
                     const struct buffer_view *view, struct paging *paging, struct reply *reply)
{
        struct reply_page *page = &reply->room->page;
        struct paging at = *paging;
        int r;

        wire__extent_list__init(&page->extents);
        r = fill_pieces(session, buffer, view, &at, reply);
        if (r)
                return r;
        fill_segments(buffer, view, &at, page);

        if (at.pieces < view->piece_count || at.segments < view->segment_count) {
                at.cursor = ++session->last_cursor;
                page->extents.next_cursor = at.cursor;
        } else {
                at = (struct paging){ 0 };
        }
        *paging = at;
        return 0;
}

int grant_answer(struct session *session, const struct buffer *buffer, struct reply *reply)
{
        struct reply_page *page = &reply->room->page;
        struct paging *paging = find(session, 0);
        struct buffer_view view;
        int r;

        buffer_view(buffer, &view);
        reply->granted = view.id;
        *paging = (struct paging){ .buffer = view.id };
        r = fill_page(session, buffer, &view, paging, reply);
        if (r)
                return r;

        wire__grant__init(&page->grant);
        page->grant.buffer = view.id;
        page->grant.size = view.size_bytes;
        page->grant.pool = (char *)(uintptr_t)view.pool;
        page->grant.page_size = view.page_bytes;
        page->grant.segment_count = view.segment_count;
        page->grant.piece_count = view.piece_count;
        page->grant.dmabuf = export_suits(session, buffer);
        page->grant.extents = &page->extents;
        reply->wire.body_case = WIRE__REPLY__BODY_ALLOC;
        reply->wire.alloc = &page->grant;
        return 0;
}

int grant_continue(struct session *session, const struct buffer *buffer, uint64_t cursor,
                   struct reply *reply)
{
        struct paging *paging = find(session, cursor);
        struct buffer_view view;
        int r;

        buffer_view(buffer, &view);
        if (!cursor)
                *paging = (struct paging){ .buffer = view.id };
        else if (!paging || paging->buffer != view.id)
                return reply_say(reply, PAR_REFUSED_INVALID,
                                 "no such cursor; 0 starts from the beginning");
        r = fill_page(session, buffer, &view, paging, reply);
        if (r)
                return r;
        reply->wire.body_case = WIRE__REPLY__BODY_EXTENTS;
        reply->wire.extents = &reply->room->page.extents;
        return 0;
}
