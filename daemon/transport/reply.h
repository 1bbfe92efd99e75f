/* SPDX-License-Identifier: MIT */
/*
 * An answer in the making. Handlers fill it; it is packed, sent or queued at once, so one at a time
 * exists for the whole server.
 */
#pragma once

#include "convert.h"
#include "message.h"
#include "notice.h"
#include "outbox.h"
#include "session.h"
#include "state.h"

#include <stdbool.h>
#include <stddef.h>

/* So much of a grant's description goes into one packet. */
#define PAGE_PIECES_MAX   OUTBOX_DESCRIPTORS_MAX
#define PAGE_SEGMENTS_MAX 500

/* So many rows of a list, and so many bytes of them; the rest of the packet is its frame. */
#define LIST_ROWS_MAX  512
#define LIST_BYTES_MAX (60u * 1024)

#define EXPLAIN_SEGMENTS_MAX 64

/* A page of a grant. */
struct reply_page {
        Wire__Grant grant;
        Wire__ExtentList extents;
        Wire__Piece pieces[PAGE_PIECES_MAX];
        Wire__Piece *piece_pointers[PAGE_PIECES_MAX];
        Wire__Segment segments[PAGE_SEGMENTS_MAX];
        Wire__Segment *segment_pointers[PAGE_SEGMENTS_MAX];
};

/* All of a batch: at worst a run for each of its buffers. */
struct reply_batch {
        Wire__GrantBatch grant;
        Wire__BatchRun runs[BATCH_BUFFERS_MAX];
        Wire__BatchRun *run_pointers[BATCH_BUFFERS_MAX];
};

struct reply_explanation {
        Wire__Explanation explanation;
        Wire__Refusal refusal;
        Wire__Segment segments[EXPLAIN_SEGMENTS_MAX];
        Wire__Segment *segment_pointers[EXPLAIN_SEGMENTS_MAX];
        Wire__Blocker blockers[REPORT_BLOCKERS_MAX];
        Wire__Blocker *blocker_pointers[REPORT_BLOCKERS_MAX];
        struct explanation state; /* what the others borrow from */
};

/* A row of any list, with what hangs on it. */
struct reply_row {
        union {
                ProtobufCMessage base;
                Wire__Pool pool;
                Wire__Frame frame;
                Wire__Buffer buffer;
                Wire__Client client;
                Wire__Extent extent;
                Wire__DeviceRow device;
                Wire__Limit limit;
        };
        Wire__StateBytes bytes;
        struct device_parts device_parts;
        char words[sizeof(((struct client_report *)NULL)->waiting_for)]; /* of a client */
        char note[REPORT_NOTE_BYTES];
        char whom[LIMIT_WHOM_BYTES];
};

struct reply_list {
        union {
                Wire__PoolList pools;
                Wire__FrameList frames;
                Wire__BufferList buffers;
                Wire__ClientList clients;
                Wire__ExtentMap map;
                Wire__DeviceList devices;
                Wire__LimitList limits;
        };
        struct reply_row rows[LIST_ROWS_MAX];
        union {
                Wire__Pool *pool_pointers[LIST_ROWS_MAX];
                Wire__Frame *frame_pointers[LIST_ROWS_MAX];
                Wire__Buffer *buffer_pointers[LIST_ROWS_MAX];
                Wire__Client *client_pointers[LIST_ROWS_MAX];
                Wire__Extent *extent_pointers[LIST_ROWS_MAX];
                Wire__DeviceRow *device_pointers[LIST_ROWS_MAX];
                Wire__Limit *limit_pointers[LIST_ROWS_MAX];
        };
};

struct reply_found {
        Wire__Found found;
        Wire__Frame frame;
        Wire__Buffer buffer;
        Wire__FormerHolder former[FORMER_HOLDERS_MAX];
        Wire__FormerHolder *former_pointers[FORMER_HOLDERS_MAX];
        struct lookup_report report; /* what the others borrow from */
};

struct reply_found_io {
        Wire__FoundIo found;
        Wire__IoHolder holders[IO_HOLDERS_MAX], former[IO_HOLDERS_MAX];
        Wire__IoHolder *holder_pointers[IO_HOLDERS_MAX], *former_pointers[IO_HOLDERS_MAX];
        char pci[2 * IO_HOLDERS_MAX][PCI_FUNCTION_BYTES];
        struct io_report report; /* what the others borrow from */
};

/* Where the bodies of the different answers live; large, and never cleared. */
union reply_room {
        Wire__Welcome welcome;
        struct reply_page page;
        struct reply_batch batch;
        struct reply_explanation explanation;
        struct {
                Wire__Device device;
                Wire__Constraint limits;
                struct sight_parts windows;
        } device;
        Wire__Reclaimed reclaimed;
        struct {
                Wire__Status status;
                Wire__StateBytes bytes;
                struct status_report report; /* what they borrow from */
        } status;
        struct reply_list list;
        struct reply_found found;
        struct reply_found_io found_io;
        Wire__Affected affected;
        Wire__Reloaded reloaded;
        Wire__Exported exported;
        struct {
                Wire__Shared shared;
                struct share_token token; /* what it borrows from */
        } shared;
        struct notice_packet notice;
};

/**
 * struct reply - see above
 * @wire:        handlers set its body; the rest is filled in when it is sent
 * @refusal:     of a handler that returns a refusal
 * @said:        it has a sentence, or the handler put figures there
 * @later:       the request waits: there is nothing to send now
 * @end:         what becomes of the session when this is sent
 * @descriptors: go with the packet; borrowed
 * @shown:       frames that the client was noted to see because of this reply
 * @granted:     buffer that exists because of this reply, the first of @n_granted whose numbers
 *               follow each other; 0: none
 * @opened:      it was there before, and only this session's having it is undone
 * @room:        for the body
 */
struct reply {
        Wire__Reply wire;
        struct refusal refusal;
        bool said, later;
        enum session_end end;
        int descriptors[OUTBOX_DESCRIPTORS_MAX];
        size_t n_descriptors;
        struct frame_name shown[OUTBOX_DESCRIPTORS_MAX];
        size_t n_shown;
        uint64_t granted;
        size_t n_granted;
        bool opened;
        union reply_room *room;
};

/* @room: borrowed for the life of the reply. */
void reply_init(struct reply *reply, union reply_room *room);

/* Put a sentence into the reply. Return: @r, so that handlers can return it. */
int reply_say(struct reply *reply, int r, const char *format, ...)
        __attribute__((__format__(__printf__, 3, 4)));

/**
 * reply_send() - answer a request
 * @seq: of the request
 * @r:   what the handler returned; a negative one is logged here, and nowhere else
 *
 * Where the reply cannot be sent, what it would have told is undone, and the client is told that
 * instead. What the socket does not take now is sent by session_work(): who is not called for that
 * session has to see to it by session_mark().
 */
void reply_send(struct session *session, struct reply *reply, uint32_t seq, int r);
