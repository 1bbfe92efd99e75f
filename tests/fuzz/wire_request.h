/* SPDX-License-Identifier: MIT */
/*
 * Requests of every kind, as the input chooses: with numbers, names and tokens that mean something
 * because a reply has told them, or nothing.
 */
#pragma once

#include "choices.h"
#include "message.h"

#include <stddef.h>
#include <stdint.h>

#define KNOWN_MAX 8

/* What replies have told so far; the latest of each. */
struct wire_known {
        uint64_t buffers[KNOWN_MAX], frames[KNOWN_MAX], sessions[KNOWN_MAX];
        uint64_t addresses[KNOWN_MAX], cursors[KNOWN_MAX];
        uint8_t tokens[KNOWN_MAX][16];
        unsigned n_buffers, n_frames, n_sessions, n_addresses, n_cursors, n_tokens;
};

/* Learn from a packet. */
void wire_known_learn(struct wire_known *known, const Wire__Packet *packet);

/**
 * struct wire_request - a request, with all that it points to
 * @message: what is sent; its seq is 0
 */
struct wire_request {
        Wire__Request message;
        union {
                Wire__Hello hello;
                Wire__Bye bye;
                Wire__Alloc alloc;
                Wire__Open open;
                Wire__Share share;
                Wire__Remove remove;
                Wire__Extents extents;
                Wire__ExportDmabuf export_dmabuf;
                Wire__Free free;
                Wire__FreeBatch free_batch;
                Wire__Drop drop;
                Wire__Kept kept;
                Wire__Cancel cancel;
                Wire__DeviceOpen device_open;
                Wire__Reclaim reclaim;
                Wire__List list;
                Wire__Lookup lookup;
                Wire__Mapped mapped;
                Wire__LookupIo lookup_io;
                Wire__Resize resize;
                Wire__Drain drain;
                Wire__Selection selection;
                Wire__Reload reload;
        } body;
        Wire__AllocBatch batch; /* of body.alloc */
        Wire__Constraint constraint;
        Wire__Principal allow, *allow_list[1];
        Wire__IoPart part, *part_list[1];
        uint64_t numbers[4];
};

/* Any request but Hello and Bye. @last_seq: of its session, for Cancel. */
void wire_request_choose(struct wire_request *request, const struct wire_known *known,
                         uint32_t last_seq, struct choices *choices);

void wire_request_hello(struct wire_request *request, uint64_t token);
void wire_request_bye(struct wire_request *request);
