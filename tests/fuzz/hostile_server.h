/* SPDX-License-Identifier: MIT */
/*
 * A daemon that tells the truth or not, as the input chooses: its frames and buffers are as real as
 * a client needs them, and any packet may be changed by a field, by bytes, in its descriptors, be
 * sent twice, late, unasked or never. When the input is used up it is gone.
 */
#pragma once

#include "choices.h"
#include "inline_system.h"
#include "message.h"

#include <stdbool.h>

#define SERVER_FRAMES_MAX  48
#define SERVER_BUFFERS_MAX 64
#define SERVER_PAGE_BYTES  UINT64_C(65536)

struct server_frame {
        uint64_t id;
        int fd;
        bool shown;
        uint64_t used_bytes;
};

struct server_buffer {
        uint64_t id, size_bytes, offset;
        uint32_t first, n_frames;
};

/**
 * struct hostile_server - one, with one connection at a time
 * @socket: -1: nobody is connected
 * @token:  of the session; 0: it cannot be resumed
 */
struct hostile_server {
        struct choices *choices;
        int socket;
        uint64_t token, last_id;
        struct server_frame frames[SERVER_FRAMES_MAX];
        uint32_t n_frames;
        struct server_buffer buffers[SERVER_BUFFERS_MAX];
        uint32_t n_buffers;
        struct message_arena arena;
};

void hostile_server_begin(struct hostile_server *server, struct choices *choices);

/* Its frames are closed; whoever has one mapped is not allowed to any more: that aborts. */
void hostile_server_end(struct hostile_server *server);

/* How it takes part in an inline system. */
struct inline_server hostile_server_inline(struct hostile_server *server);
