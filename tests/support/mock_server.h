/* SPDX-License-Identifier: MIT */
/*
 * A daemon in a thread, for tests of libpar: grants ordinary memfds with invented addresses, keeps
 * books about what its client holds, and can be told to wait, to remind, to lie and to die.
 *
 * Serves one client after the other on a socket of its own. Every function may be called from any
 * thread.
 */
#pragma once

#include "message.h"
#include "packet.h"

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MOCK_FRAMES_MAX  4096
#define MOCK_BUFFERS_MAX 4096
#define MOCK_WAITING_MAX 64
#define MOCK_GRANULE     4096u

struct mock;

/**
 * struct mock_reply - a packet about to be sent; mock_settings.spoil may change all of it
 * @packet:      message
 * @descriptors: @count of them, borrowed; room for PACKET_DESCRIPTORS_MAX
 * @raw:         bytes to send instead of @packet where @raw_bytes is not 0
 */
struct mock_reply {
        Wire__Packet *packet;
        int descriptors[PACKET_DESCRIPTORS_MAX];
        size_t count;
        uint8_t raw[PACKET_BYTES_MAX];
        size_t raw_bytes;
};

/**
 * struct mock_settings - all zero is an honest daemon
 * @page_bytes:        of frames; 0: 64 KiB
 * @pieces_per_packet: of a grant's description; 0: 200
 * @keep:              frames may stay mapped
 * @handout_dmabuf:    a buffer comes as one file, as large as it is, and no frame does
 * @hold:              requests that may wait do, until mock_release() or Cancel
 * @grant_cancelled:   Cancel arrives too late: the request is granted
 * @refuse:            what each Alloc is answered with; 0: it is granted
 * @revoke_described:  so many buffers are revoked after the first packet of their description
 * @token:             sessions outlive their connections: with this one they go on; 0: they do not
 * @forgotten:         but they were forgotten
 * @hello_result:      of a Hello with a token; 0: it is welcome
 * @hello_version:     of the protocol, in the reply to a Hello with a token; 0: the right one
 * @hello_deaths:      so many of those are not answered, but the connection is closed
 * @first_deaths:      so many Hellos without a token are answered so as well
 * @lose_replies:      so many replies get lost with the connection: it is closed instead
 * @spoil:             called with every reply that is not to Hello, before it is sent
 */
struct mock_settings {
        size_t page_bytes, pieces_per_packet;
        bool keep, hold, grant_cancelled, handout_dmabuf;
        uint32_t refuse;
        unsigned revoke_described;
        uint64_t token;
        bool forgotten;
        uint32_t hello_result, hello_version;
        unsigned hello_deaths, first_deaths, lose_replies;
        void (*spoil)(struct mock *mock, struct mock_reply *reply);
};

struct mock_frame {
        uint64_t id, phys;
        int fd;
        bool shown, written; /* written: a client has used it before */
        bool closed;         /* a buffer in it was revoked: nothing more from there */
        size_t granules;     /* in use */
        uint8_t *used;
};

struct mock_buffer {
        uint64_t id, size, shown_pieces;
        uint32_t seq;
        uint32_t frames[MOCK_FRAMES_MAX / 2]; /* slots */
        size_t n_frames, offset;              /* offset: in the first frame */
};

/**
 * struct mock_counts - the books, as they are at one moment
 * @buffers, @frames, @shown: granted; existing; that the client has mapped
 * @waiting:      requests
 * @requests:     ever seen
 * @frees:        requests, also for buffers that are gone
 * @still_mapped: frames that the client said it had dropped, but that were still mapped
 * @told:     buffers that the client said are mapped for a device
 * @connections: accepted so far
 * @resumed:  how often a session went on
 * @kept:     frames that the client said it still has
 * @answered: requests that were sent again, and had been granted before
 * @wait_ms:  of the last Alloc
 */
struct mock_counts {
        size_t buffers, frames, shown, waiting, requests, drops, frees, still_mapped, told;
        size_t connections, resumed, kept, answered;
        int32_t wait_ms;
};

/* The last Mapped, which has one part. */
struct mock_told {
        uint64_t buffer;
        uint32_t space;
        char device[64];
        uint64_t iova, length, offset;
};

/* The last request about sharing: an Alloc's, or that of an Open, Share or Remove. */
struct mock_asked {
        int body;
        char name[80];
        bool shared, lasting, end;
        size_t n_allow, token_bytes;
        uint8_t token[16];
        uint32_t allow[8]; /* ids; groups have the highest bit set */
        uint64_t buffer;
};

/* The size of what an Open gets: two frames as a rule. A name that begins with "gone" is not there.
 */
#define MOCK_OPENED_BYTES (64 * 1024 + 4096)

struct mock {
        struct mock_settings settings;
        char path[64], dir[32];
        pthread_t thread;
        pthread_mutex_t lock;
        int listener, client, stop; /* stop: an eventfd */
        uint64_t last_id;
        char client_name[64]; /* of the last Hello */
        struct mock_frame frames[MOCK_FRAMES_MAX];
        struct mock_buffer *buffers[MOCK_BUFFERS_MAX];
        struct {
                uint32_t seq;
                uint64_t size;
        } waiting[MOCK_WAITING_MAX];
        struct mock_counts counts;
        struct mock_told told;
        struct mock_asked asked;
        struct message_arena arena;
        uint8_t incoming[PACKET_BYTES_MAX], outgoing[PACKET_BYTES_MAX];
};

/* Start one; asserts. Owned by the caller: mock_stop(), which also ends the session of its client.
 */
struct mock *mock_start(const struct mock_settings *settings);
void mock_stop(struct mock *mock);

/* End the session, as if the daemon had died. */
void mock_hang_up(struct mock *mock);

/* Say goodbye, and end the connection. */
void mock_goodbye(struct mock *mock, uint32_t wait_ms);

/* Change the time of the socket's file, as a pard does that begins to serve. */
void mock_mark(struct mock *mock);

/* Nobody listens any more. */
void mock_vanish(struct mock *mock);

/* Change how it behaves from now on. */
void mock_change(struct mock *mock, const struct mock_settings *settings);

struct mock_counts mock_counts(struct mock *mock);

/* What the client told last of a buffer's I/O addresses. */
struct mock_told mock_told(struct mock *mock);

/* What was asked last about sharing. */
struct mock_asked mock_asked(struct mock *mock);

/* As whom the last client introduced itself; stays until the next one does. */
const char *mock_client_name(struct mock *mock);

/* Make frames ahead, so that granting them needs no new descriptor. */
void mock_prepare(struct mock *mock, size_t frames);

/* Grant all requests that wait. */
void mock_release(struct mock *mock);

/* Say that all empty frames are not needed any more. */
void mock_send_unneeded(struct mock *mock);

/* Tell of an event; of the newest buffer where @of_buffer. */
void mock_send_event(struct mock *mock, uint32_t type, bool of_buffer, uint64_t offset,
                     uint64_t length);

/* The same of a whole buffer of any number. */
void mock_send_event_of(struct mock *mock, uint32_t type, uint64_t buffer);

/* Take the newest buffer away; @tell: and say so. */
void mock_revoke(struct mock *mock, bool tell);

/* Send any bytes, with a descriptor where @fd is not -1. */
void mock_send_raw(struct mock *mock, const void *bytes, size_t size, int fd);
