/* SPDX-License-Identifier: MIT */
/*
 * Owns the frames of an invented machine, and one session at a time.
 *
 * Invariant: a frame's granules are in use exactly while a buffer of the session covers them; what
 * the client says it has dropped is checked by sealing the memory, which the kernel refuses while
 * it is mapped. Refuses nothing but what a test asks it to: its answers are only as clever as
 * libpar needs them.
 */
#include "mock_server.h"

#include "macros.h"
#include "result.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

/* Like assert(), in every build. */
static void must(bool condition)
{
        if (!condition)
                abort();
}

#define FIRST_PHYS (UINT64_C(1) << 32)

/* ---- frames --------------------------------------------------------------------------------- */

static size_t granules_per_frame(const struct mock *mock)
{
        return mock->settings.page_bytes / MOCK_GRANULE;
}

static uint32_t frame_new(struct mock *mock)
{
        for (uint32_t i = 0; i < MOCK_FRAMES_MAX; i++) {
                struct mock_frame *frame = &mock->frames[i];

                if (frame->id)
                        continue;
                frame->fd = memfd_create("mock-frame", MFD_CLOEXEC | MFD_ALLOW_SEALING);
                must(frame->fd >= 0);
                must(!ftruncate(frame->fd, (off_t)mock->settings.page_bytes));
                frame->used = calloc(granules_per_frame(mock), 1);
                must(frame->used);
                frame->id = ++mock->last_id << 32 | i;
                frame->phys = FIRST_PHYS + i * mock->settings.page_bytes;
                frame->shown = frame->written = frame->closed = false;
                frame->granules = 0;
                mock->counts.frames++;
                return i;
        }
        abort();
}

static void frame_free(struct mock *mock, struct mock_frame *frame)
{
        close(frame->fd);
        free(frame->used);
        frame->id = 0;
        mock->counts.frames--;
        mock->counts.shown -= frame->shown;
}

static void frame_use(struct mock *mock, uint32_t slot, size_t offset, size_t bytes, bool use)
{
        struct mock_frame *frame = &mock->frames[slot];
        size_t first = offset / MOCK_GRANULE, count = bytes / MOCK_GRANULE;

        for (size_t i = first; i < first + count; i++) {
                must(frame->used[i] == !use);
                frame->used[i] = use;
        }
        frame->granules = use ? frame->granules + count : frame->granules - count;
}

/* First free run of @bytes inside a frame. Return: whether there is one. */
static bool frame_fits(const struct mock *mock, const struct mock_frame *frame, size_t bytes,
                       size_t *ret_offset)
{
        size_t need = bytes / MOCK_GRANULE, run = 0;

        for (size_t i = 0; frame->id && !frame->closed && i < granules_per_frame(mock); i++) {
                run = frame->used[i] ? 0 : run + 1;
                if (run == need) {
                        *ret_offset = (i + 1 - need) * MOCK_GRANULE;
                        return true;
                }
        }
        return false;
}

static void dropped(struct mock *mock, uint64_t id)
{
        struct mock_frame *frame = &mock->frames[(uint32_t)id % MOCK_FRAMES_MAX];

        mock->counts.drops++;
        if (frame->id != id || !frame->shown)
                return;
        frame->shown = false;
        mock->counts.shown--;
        if (frame->granules)
                return; /* granted again meanwhile: the client will notice */
        if (fcntl(frame->fd, F_ADD_SEALS, F_SEAL_WRITE))
                mock->counts.still_mapped++;
        frame_free(mock, frame);
}

/* ---- buffers -------------------------------------------------------------------------------- */

static void piece_span(const struct mock *mock, const struct mock_buffer *buffer, size_t index,
                       size_t *ret_offset, size_t *ret_bytes)
{
        size_t page = mock->settings.page_bytes;

        *ret_offset = index ? 0 : buffer->offset;
        *ret_bytes = buffer->size - index * page;
        if (*ret_bytes > page)
                *ret_bytes = page;
}

static void buffer_mark(struct mock *mock, const struct mock_buffer *buffer, bool use)
{
        size_t offset, bytes;

        for (size_t i = 0; i < buffer->n_frames; i++) {
                piece_span(mock, buffer, i, &offset, &bytes);
                frame_use(mock, buffer->frames[i], offset, bytes, use);
                if (!use)
                        mock->frames[buffer->frames[i]].written = true;
        }
}

static struct mock_buffer *buffer_new(struct mock *mock, uint64_t size)
{
        size_t page = mock->settings.page_bytes;
        struct mock_buffer *buffer = calloc(1, sizeof(*buffer));

        must(buffer);
        buffer->size = (size + MOCK_GRANULE - 1) / MOCK_GRANULE * MOCK_GRANULE;
        buffer->id = ++mock->last_id;
        /* A small one where there is room; a large one in empty frames, of any address. */
        for (uint32_t i = 0; i < MOCK_FRAMES_MAX; i++) {
                struct mock_frame *frame = &mock->frames[i];

                if (buffer->n_frames * page >= buffer->size)
                        break;
                if (buffer->size > page ? frame->id && !frame->granules && !frame->closed
                                        : frame_fits(mock, frame, buffer->size, &buffer->offset))
                        buffer->frames[buffer->n_frames++] = i;
        }
        while (buffer->n_frames * page < buffer->size)
                buffer->frames[buffer->n_frames++] = frame_new(mock);
        buffer_mark(mock, buffer, true);

        for (size_t i = 0; i < MOCK_BUFFERS_MAX; i++) {
                if (mock->buffers[i])
                        continue;
                mock->buffers[i] = buffer;
                mock->counts.buffers++;
                return buffer;
        }
        abort();
}

static struct mock_buffer **buffer_find(struct mock *mock, uint64_t id)
{
        for (size_t i = 0; i < MOCK_BUFFERS_MAX; i++) {
                if (mock->buffers[i] && mock->buffers[i]->id == id)
                        return &mock->buffers[i];
        }
        return NULL;
}

static void buffer_free(struct mock *mock, struct mock_buffer **buffer)
{
        buffer_mark(mock, *buffer, false);
        free(*buffer);
        *buffer = NULL;
        mock->counts.buffers--;
}

/* The newest buffer; NULL: there is none. */
static struct mock_buffer **buffer_newest(struct mock *mock)
{
        struct mock_buffer **newest = NULL;

        for (size_t i = 0; i < MOCK_BUFFERS_MAX; i++) {
                if (mock->buffers[i] && (!newest || mock->buffers[i]->id > (*newest)->id))
                        newest = &mock->buffers[i];
        }
        return newest;
}

static void buffer_revoke(struct mock *mock, struct mock_buffer **buffer)
{
        for (size_t i = 0; i < (*buffer)->n_frames; i++)
                mock->frames[(*buffer)->frames[i]].closed = true;
        buffer_free(mock, buffer);
}

/* The next connection knows nothing of what this one has shown. */
static void session_pause(struct mock *mock)
{
        for (size_t i = 0; i < MOCK_FRAMES_MAX; i++)
                mock->frames[i].shown = false;
        mock->counts.shown = 0;
        memset(mock->waiting, 0, sizeof(mock->waiting));
        mock->counts.waiting = 0;
}

static void session_end(struct mock *mock)
{
        for (size_t i = 0; i < MOCK_BUFFERS_MAX; i++) {
                if (mock->buffers[i])
                        buffer_free(mock, &mock->buffers[i]);
        }
        for (size_t i = 0; i < MOCK_FRAMES_MAX; i++) {
                if (mock->frames[i].id)
                        frame_free(mock, &mock->frames[i]);
        }
        memset(mock->waiting, 0, sizeof(mock->waiting));
        mock->counts.waiting = 0;
}

/* ---- replies -------------------------------------------------------------------------------- */

static void send_packet(struct mock *mock, struct mock_reply *reply, bool spoil)
{
        size_t size = 0;

        if (spoil && mock->settings.spoil)
                mock->settings.spoil(mock, reply);
        if (mock->client < 0)
                return;
        if (spoil && mock->settings.lose_replies) {
                mock->settings.lose_replies--;
                shutdown(mock->client, SHUT_RDWR);
                return;
        }
        if (reply->raw_bytes)
                (void)packet_send(mock->client, reply->raw, reply->raw_bytes, reply->descriptors,
                                  reply->count);
        else if (!message_pack_packet(reply->packet, mock->outgoing, PACKET_BYTES_MAX, &size))
                (void)packet_send(mock->client, mock->outgoing, size, reply->descriptors,
                                  reply->count);
}

static void send_reply(struct mock *mock, struct mock_reply *reply, Wire__Reply *body, uint32_t seq)
{
        Wire__Packet packet = WIRE__PACKET__INIT;

        body->seq = seq;
        packet.kind_case = WIRE__PACKET__KIND_REPLY;
        packet.reply = body;
        reply->packet = &packet;
        send_packet(mock, reply, body->body_case != WIRE__REPLY__BODY_HELLO);
        reply->packet = NULL;
}

static void send_result(struct mock *mock, uint32_t seq, uint32_t result, char *sentence)
{
        struct mock_reply *reply = calloc(1, sizeof(*reply));
        Wire__Reply body = WIRE__REPLY__INIT;
        Wire__Refusal refusal = WIRE__REFUSAL__INIT;

        must(reply);
        body.result = result;
        refusal.sentence = sentence;
        refusal.permanent = result == PAR_REFUSED_NEVER_FITS;
        refusal.limit = (char *)"size";
        refusal.limit_set_by = (char *)"the mock";
        refusal.size = 1;
        refusal.free_in_window = 2;
        refusal.largest_run = 3;
        if (result)
                body.refusal = &refusal;
        send_reply(mock, reply, &body, seq);
        free(reply);
}

/* A part of a buffer's description, on the heap until it is sent. */
struct description {
        struct mock_reply reply;
        Wire__ExtentList list;
        Wire__Piece pieces[PACKET_DESCRIPTORS_MAX], *piece_list[PACKET_DESCRIPTORS_MAX];
        Wire__Segment segments[PACKET_DESCRIPTORS_MAX], *segment_list[PACKET_DESCRIPTORS_MAX];
};

/* One segment a piece: the addresses of adjacent frames are not merged. */
static struct description *describe(struct mock *mock, struct mock_buffer *buffer, size_t cursor)
{
        struct description *d = calloc(1, sizeof(*d));
        size_t offset, bytes, n = 0;

        must(d);
        wire__extent_list__init(&d->list);
        for (size_t i = cursor; i < buffer->n_frames; i++, n++) {
                struct mock_frame *frame = &mock->frames[buffer->frames[i]];
                const bool shows = !frame->shown && !mock->settings.handout_dmabuf;

                if (n == mock->settings.pieces_per_packet)
                        break;
                piece_span(mock, buffer, i, &offset, &bytes);
                wire__piece__init(&d->pieces[n]);
                d->pieces[n].frame = frame->id;
                d->pieces[n].phys = frame->phys + offset;
                d->pieces[n].length = bytes;
                d->pieces[n].frame_offset = offset;
                d->pieces[n].has_fd = shows;
                d->pieces[n].zeroed = !frame->written;
                d->pieces[n].keep = mock->settings.keep;
                wire__segment__init(&d->segments[n]);
                d->segments[n].dma = d->segments[n].phys = d->pieces[n].phys;
                d->segments[n].length = bytes;
                d->piece_list[n] = &d->pieces[n];
                d->segment_list[n] = &d->segments[n];
                if (!shows)
                        continue;
                d->reply.descriptors[d->reply.count++] = frame->fd;
                mock->counts.shown++;
                frame->shown = true;
        }
        d->list.pieces = d->piece_list;
        d->list.segments = d->segment_list;
        d->list.n_pieces = d->list.n_segments = n;
        d->list.next_cursor = cursor + n < buffer->n_frames ? cursor + n : 0;
        return d;
}

static int file_of(size_t bytes)
{
        int fd = memfd_create("mock dma-buf", MFD_CLOEXEC);

        must(fd >= 0 && !ftruncate(fd, (off_t)bytes));
        return fd;
}

/* No piece has a descriptor, but the whole. */
static void hand_out_whole(const struct mock_buffer *buffer, Wire__Grant *head,
                           struct mock_reply *reply)
{
        head->dmabuf = true;
        reply->descriptors[0] = file_of(buffer->size);
        reply->count = 1;
}

static void answer(struct mock *mock, uint32_t seq, struct mock_buffer *buffer)
{
        struct description *d = describe(mock, buffer, 0);
        Wire__Reply body = WIRE__REPLY__INIT;
        Wire__Grant head = WIRE__GRANT__INIT;

        head.buffer = buffer->id;
        head.size = buffer->size;
        head.pool = (char *)"mock";
        head.page_size = mock->settings.page_bytes;
        head.segment_count = head.piece_count = buffer->n_frames;
        head.extents = &d->list;
        body.body_case = WIRE__REPLY__BODY_ALLOC;
        body.alloc = &head;
        if (mock->settings.handout_dmabuf)
                hand_out_whole(buffer, &head, &d->reply);
        send_reply(mock, &d->reply, &body, seq);
        if (mock->settings.handout_dmabuf)
                close(d->reply.descriptors[0]);
        free(d);
}

static void grant(struct mock *mock, uint32_t seq, uint64_t size)
{
        struct mock_buffer *buffer = buffer_new(mock, size);

        buffer->seq = seq;
        answer(mock, seq, buffer);
}

/* Return: whether it was granted before. */
static bool answer_again(struct mock *mock, uint32_t seq)
{
        for (size_t i = 0; i < MOCK_BUFFERS_MAX; i++) {
                if (!mock->buffers[i] || mock->buffers[i]->seq != seq)
                        continue;
                mock->counts.answered++;
                answer(mock, seq, mock->buffers[i]);
                return true;
        }
        return false;
}

static void handle_extents(struct mock *mock, uint32_t seq, const Wire__Extents *request)
{
        struct mock_buffer **buffer = buffer_find(mock, request->buffer);
        Wire__Reply body = WIRE__REPLY__INIT;
        struct description *d;

        if (buffer && mock->settings.revoke_described) {
                mock->settings.revoke_described--;
                buffer_revoke(mock, buffer);
                buffer = NULL;
        }
        if (!buffer) {
                send_result(mock, seq, PAR_REFUSED_GONE, (char *)"no such buffer");
                return;
        }
        d = describe(mock, *buffer, request->cursor);
        body.body_case = WIRE__REPLY__BODY_EXTENTS;
        body.extents = &d->list;
        send_reply(mock, &d->reply, &body, seq);
        free(d);
}

static void handle_alloc(struct mock *mock, uint32_t seq, const Wire__Alloc *request)
{
        mock->counts.wait_ms = request->wait_ms;
        if (request->again && answer_again(mock, seq))
                return;
        if (mock->settings.refuse) {
                send_result(mock, seq, mock->settings.refuse, (char *)"the mock refuses");
        } else if (!request->size) {
                send_result(mock, seq, PAR_REFUSED_INVALID, (char *)"size is 0");
        } else if (request->size > GiB) {
                send_result(mock, seq, PAR_REFUSED_NEVER_FITS, (char *)"more than there is");
        } else if (!strcmp(request->pool, "errno")) {
                send_result(mock, seq, ENOMEM, (char *)"");
        } else if (mock->settings.hold && request->wait_ms) {
                for (size_t i = 0; i < MOCK_WAITING_MAX; i++) {
                        if (mock->waiting[i].seq)
                                continue;
                        mock->waiting[i].seq = seq;
                        mock->waiting[i].size = request->size;
                        mock->counts.waiting++;
                        return;
                }
        } else {
                grant(mock, seq, request->size);
        }
}

/* ---- sharing -------------------------------------------------------------------------------- */

static void note_alloc(struct mock *mock, const Wire__Alloc *request)
{
        struct mock_asked *asked = &mock->asked;

        must(request->n_allow <= 8);
        *asked = (struct mock_asked){ .body = WIRE__REQUEST__BODY_ALLOC,
                                      .shared = request->shared,
                                      .lasting = request->lasting,
                                      .n_allow = request->n_allow };
        snprintf(asked->name, sizeof(asked->name), "%s", request->name);
        for (size_t i = 0; i < request->n_allow; i++)
                asked->allow[i] = request->allow[i]->id | (request->allow[i]->group ? 1u << 31 : 0);
}

static bool is_gone(const char *name)
{
        return strncmp(name, "gone", 4) == 0;
}

static void handle_open(struct mock *mock, uint32_t seq, const Wire__Open *request)
{
        struct mock_asked *asked = &mock->asked;

        *asked = (struct mock_asked){ .body = WIRE__REQUEST__BODY_OPEN,
                                      .token_bytes = request->token.len };
        must(request->token.len <= sizeof(asked->token));
        snprintf(asked->name, sizeof(asked->name), "%s", request->name);
        if (request->token.len)
                memcpy(asked->token, request->token.data, request->token.len);
        if (request->again && answer_again(mock, seq))
                return;
        if (is_gone(request->name))
                send_result(mock, seq, PAR_REFUSED_GONE, (char *)"it is not there");
        else
                grant(mock, seq, MOCK_OPENED_BYTES);
}

/* The token of every buffer counts from 1 to 16. */
static void handle_share(struct mock *mock, uint32_t seq, const Wire__Share *request)
{
        struct mock_reply *reply = calloc(1, sizeof(*reply));
        Wire__Reply body = WIRE__REPLY__INIT;
        Wire__Shared shared = WIRE__SHARED__INIT;
        uint8_t token[16];

        must(reply);
        for (size_t i = 0; i < sizeof(token); i++)
                token[i] = (uint8_t)(i + 1);
        mock->asked = (struct mock_asked){ .body = WIRE__REQUEST__BODY_SHARE,
                                           .buffer = request->buffer,
                                           .end = request->end };
        shared.token.data = token;
        shared.token.len = request->end ? 0 : sizeof(token);
        body.body_case = WIRE__REPLY__BODY_SHARE;
        body.share = &shared;
        send_reply(mock, reply, &body, seq);
        free(reply);
}

static void handle_remove(struct mock *mock, uint32_t seq, const Wire__Remove *request)
{
        mock->asked = (struct mock_asked){ .body = WIRE__REQUEST__BODY_REMOVE };
        snprintf(mock->asked.name, sizeof(mock->asked.name), "%s", request->name);
        send_result(mock, seq, is_gone(request->name) ? PAR_REFUSED_GONE : 0,
                    (char *)"it is not there");
}

static void handle_cancel(struct mock *mock, uint32_t seq, const Wire__Cancel *request)
{
        for (size_t i = 0; i < MOCK_WAITING_MAX; i++) {
                if (!request->seq || mock->waiting[i].seq != request->seq)
                        continue;
                mock->waiting[i].seq = 0;
                mock->counts.waiting--;
                if (mock->settings.grant_cancelled)
                        grant(mock, request->seq, mock->waiting[i].size);
                else
                        send_result(mock, request->seq, ECANCELED, (char *)"cancelled");
        }
        send_result(mock, seq, 0, NULL);
}

static void handle_free(struct mock *mock, uint32_t seq, const Wire__Free *request)
{
        struct mock_buffer **buffer = buffer_find(mock, request->buffer);

        mock->counts.frees++;
        if (buffer)
                buffer_free(mock, buffer);
        for (size_t i = 0; i < request->n_dropped_frames; i++)
                dropped(mock, request->dropped_frames[i]);
        send_result(mock, seq, buffer ? 0 : PAR_REFUSED_GONE, (char *)"no such buffer");
}

static void handle_mapped(struct mock *mock, uint32_t seq, const Wire__Mapped *request)
{
        must(request->n_parts == 1 && buffer_find(mock, request->buffer));
        mock->counts.told++;
        mock->told = (struct mock_told){
                .buffer = request->buffer,
                .space = request->space,
                .iova = request->parts[0]->iova,
                .length = request->parts[0]->length,
                .offset = request->parts[0]->offset,
        };
        snprintf(mock->told.device, sizeof(mock->told.device), "%s", request->device);
        send_result(mock, seq, 0, NULL);
}

static void handle_device(struct mock *mock, uint32_t seq, const Wire__DeviceOpen *request)
{
        struct mock_reply *reply = calloc(1, sizeof(*reply));
        Wire__Reply body = WIRE__REPLY__INIT;
        Wire__Device device = WIRE__DEVICE__INIT;

        must(reply);
        device.name = (char *)"capture0";
        body.body_case = WIRE__REPLY__BODY_DEVICE_OPEN;
        body.device_open = &device;
        if (!strcmp(request->name, "capture0") || !strcmp(request->name, "0000:01:00.0"))
                send_reply(mock, reply, &body, seq);
        else
                send_result(mock, seq, PAR_REFUSED_INVALID, (char *)"no such device");
        free(reply);
}

/* A file as large as the buffer. */
static void handle_export(struct mock *mock, uint32_t seq, const Wire__ExportDmabuf *request)
{
        struct mock_buffer **buffer = buffer_find(mock, request->buffer);
        struct mock_reply *reply = calloc(1, sizeof(*reply));
        Wire__Reply body = WIRE__REPLY__INIT;
        Wire__Exported exported = WIRE__EXPORTED__INIT;

        must(reply);
        if (buffer) {
                exported.size = (*buffer)->size;
                body.body_case = WIRE__REPLY__BODY_EXPORT_DMABUF;
                body.export_dmabuf = &exported;
                reply->descriptors[0] = file_of(exported.size);
                reply->count = 1;
                send_reply(mock, reply, &body, seq);
                close(reply->descriptors[0]);
        } else {
                send_result(mock, seq, PAR_REFUSED_GONE, (char *)"no such buffer");
        }
        free(reply);
}

static void send_simple(struct mock *mock, uint32_t seq, Wire__Reply *body)
{
        struct mock_reply *reply = calloc(1, sizeof(*reply));

        must(reply);
        send_reply(mock, reply, body, seq);
        free(reply);
}

/* A session goes on, or does not. */
static void handle_resume(struct mock *mock, uint32_t seq, const Wire__Hello *hello)
{
        Wire__Reply body = WIRE__REPLY__INIT;
        Wire__Welcome welcome = WIRE__WELCOME__INIT;
        const struct mock_settings *settings = &mock->settings;

        if (settings->hello_deaths) {
                mock->settings.hello_deaths--;
                shutdown(mock->client, SHUT_RDWR);
                return;
        }
        if (settings->hello_result) {
                send_result(mock, seq, settings->hello_result, (char *)"no room for you");
                return;
        }
        welcome.version = settings->hello_version ? settings->hello_version : 1;
        welcome.resumed = hello->resume_token == settings->token && !settings->forgotten;
        welcome.resume_token = settings->token;
        mock->counts.resumed += welcome.resumed ? 1 : 0;
        body.body_case = WIRE__REPLY__BODY_HELLO;
        body.hello = &welcome;
        send_simple(mock, seq, &body);
}

static void handle_kept(struct mock *mock, uint32_t seq, const Wire__Kept *request)
{
        for (size_t i = 0; i < request->n_frames; i++) {
                struct mock_frame *frame =
                        &mock->frames[(uint32_t)request->frames[i] % MOCK_FRAMES_MAX];

                mock->counts.kept++;
                if (frame->id != request->frames[i] || frame->shown)
                        continue;
                frame->shown = true;
                mock->counts.shown++;
        }
        send_result(mock, seq, 0, NULL);
}

static void handle(struct mock *mock, const Wire__Request *request)
{
        Wire__Reply body = WIRE__REPLY__INIT;
        Wire__Welcome welcome = WIRE__WELCOME__INIT;
        Wire__Reclaimed reclaimed = WIRE__RECLAIMED__INIT;
        uint32_t seq = request->seq;

        switch (request->body_case) {
        case WIRE__REQUEST__BODY_HELLO:
                snprintf(mock->client_name, sizeof(mock->client_name), "%s",
                         request->hello->client_name);
                if (request->hello->resume_token) {
                        handle_resume(mock, seq, request->hello);
                        break;
                }
                if (mock->settings.first_deaths) {
                        mock->settings.first_deaths--;
                        shutdown(mock->client, SHUT_RDWR);
                        break;
                }
                welcome.resume_token = mock->settings.token;
                welcome.version = strcmp(request->hello->client_name, "future") ? 1 : 2;
                body.body_case = WIRE__REPLY__BODY_HELLO;
                body.hello = &welcome;
                send_simple(mock, seq, &body);
                break;
        case WIRE__REQUEST__BODY_BYE:
                session_end(mock); /* what it has is given back when it is told so */
                send_result(mock, seq, 0, NULL);
                break;
        case WIRE__REQUEST__BODY_ALLOC:
                note_alloc(mock, request->alloc);
                handle_alloc(mock, seq, request->alloc);
                break;
        case WIRE__REQUEST__BODY_OPEN: handle_open(mock, seq, request->open); break;
        case WIRE__REQUEST__BODY_SHARE: handle_share(mock, seq, request->share); break;
        case WIRE__REQUEST__BODY_REMOVE: handle_remove(mock, seq, request->remove); break;
        case WIRE__REQUEST__BODY_EXTENTS: handle_extents(mock, seq, request->extents); break;
        case WIRE__REQUEST__BODY_CANCEL: handle_cancel(mock, seq, request->cancel); break;
        case WIRE__REQUEST__BODY_FREE: handle_free(mock, seq, request->free); break;
        case WIRE__REQUEST__BODY_DROP:
                for (size_t i = 0; i < request->drop->n_frames; i++)
                        dropped(mock, request->drop->frames[i]);
                send_result(mock, seq, 0, NULL);
                break;
        case WIRE__REQUEST__BODY_KEPT: handle_kept(mock, seq, request->kept); break;
        case WIRE__REQUEST__BODY_MAPPED: handle_mapped(mock, seq, request->mapped); break;
        case WIRE__REQUEST__BODY_DEVICE_OPEN: handle_device(mock, seq, request->device_open); break;
        case WIRE__REQUEST__BODY_EXPORT_DMABUF:
                handle_export(mock, seq, request->export_dmabuf);
                break;
        case WIRE__REQUEST__BODY_RECLAIM:
                reclaimed.bytes = strcmp(request->reclaim->client_name, "me") ? 0 : MiB;
                body.body_case = WIRE__REPLY__BODY_RECLAIM;
                body.reclaim = &reclaimed;
                send_simple(mock, seq, &body);
                break;
        default: send_result(mock, seq, 0, NULL); break;
        }
}

/* ---- the thread ----------------------------------------------------------------------------- */

/* Return: whether the session goes on. */
static bool serve_one(struct mock *mock)
{
        Wire__Request *request;
        struct packet packet;
        int r;

        pthread_mutex_lock(&mock->lock);
        r = packet_receive(mock->client, mock->incoming, PACKET_BYTES_MAX, &packet);
        if (r == -EAGAIN || r == -EINTR) {
                pthread_mutex_unlock(&mock->lock);
                return true;
        }
        if (!r && packet.size) {
                message_arena_reset(&mock->arena);
                r = message_unpack_request(&mock->arena, mock->incoming, packet.size, &request);
                must(!r);
                mock->counts.requests++;
                handle(mock, request);
        }
        r = r || !packet.size;
        pthread_mutex_unlock(&mock->lock);
        return !r;
}

static void hang_up(struct mock *mock)
{
        if (mock->client >= 0)
                close(mock->client);
        mock->client = -1;
        if (mock->settings.token)
                session_pause(mock);
        else
                session_end(mock);
}

static void *run(void *data)
{
        struct mock *mock = data;

        for (;;) {
                struct pollfd fds[] = {
                        { .fd = mock->stop, .events = POLLIN },
                        { .fd = mock->client >= 0 ? mock->client : mock->listener,
                          .events = POLLIN },
                };
                eventfd_t why = 0;

                if (poll(fds, ARRAY_SIZE(fds), -1) < 0)
                        continue;
                if (fds[0].revents) {
                        (void)eventfd_read(mock->stop, &why);
                        if (why > 1)
                                return NULL;
                        continue;
                }
                if (mock->client < 0) {
                        pthread_mutex_lock(&mock->lock);
                        mock->client = accept4(mock->listener, NULL, NULL, SOCK_CLOEXEC);
                        mock->counts.connections++;
                        pthread_mutex_unlock(&mock->lock);
                        continue;
                }
                if (!serve_one(mock)) {
                        pthread_mutex_lock(&mock->lock);
                        hang_up(mock);
                        pthread_mutex_unlock(&mock->lock);
                }
        }
}

struct mock *mock_start(const struct mock_settings *settings)
{
        struct sockaddr_un address = { .sun_family = AF_UNIX };
        struct mock *mock = calloc(1, sizeof(*mock));

        must(mock);
        if (settings)
                mock->settings = *settings;
        if (!mock->settings.page_bytes)
                mock->settings.page_bytes = 64 * KiB;
        if (!mock->settings.pieces_per_packet)
                mock->settings.pieces_per_packet = 200;
        pthread_mutex_init(&mock->lock, NULL);
        mock->client = -1;
        mock->stop = eventfd(0, EFD_CLOEXEC);
        snprintf(mock->dir, sizeof(mock->dir), "/tmp/par-mock-XXXXXX");
        must(mkdtemp(mock->dir));
        snprintf(mock->path, sizeof(mock->path), "%s/sock", mock->dir);
        memcpy(address.sun_path, mock->path, strlen(mock->path) + 1);
        mock->listener = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
        must(mock->listener >= 0);
        must(!bind(mock->listener, (struct sockaddr *)&address, sizeof(address)));
        must(!listen(mock->listener, 8));
        must(!pthread_create(&mock->thread, NULL, run, mock));
        return mock;
}

void mock_stop(struct mock *mock)
{
        (void)eventfd_write(mock->stop, 2);
        pthread_join(mock->thread, NULL);
        hang_up(mock);
        session_end(mock);
        close(mock->listener);
        close(mock->stop);
        unlink(mock->path);
        rmdir(mock->dir);
        message_arena_deinit(&mock->arena);
        pthread_mutex_destroy(&mock->lock);
        free(mock);
}

/* ---- what tests ask for --------------------------------------------------------------------- */

void mock_hang_up(struct mock *mock)
{
        pthread_mutex_lock(&mock->lock);
        if (mock->client >= 0)
                shutdown(mock->client, SHUT_RDWR); /* the thread sees it, and closes */
        pthread_mutex_unlock(&mock->lock);
}

const char *mock_client_name(struct mock *mock)
{
        return mock->client_name; /* written before the client was answered */
}

struct mock_counts mock_counts(struct mock *mock)
{
        struct mock_counts counts;

        pthread_mutex_lock(&mock->lock);
        counts = mock->counts;
        pthread_mutex_unlock(&mock->lock);
        return counts;
}

struct mock_told mock_told(struct mock *mock)
{
        struct mock_told told;

        pthread_mutex_lock(&mock->lock);
        told = mock->told;
        pthread_mutex_unlock(&mock->lock);
        return told;
}

struct mock_asked mock_asked(struct mock *mock)
{
        struct mock_asked asked;

        pthread_mutex_lock(&mock->lock);
        asked = mock->asked;
        pthread_mutex_unlock(&mock->lock);
        return asked;
}

void mock_prepare(struct mock *mock, size_t frames)
{
        pthread_mutex_lock(&mock->lock);
        while (frames--)
                frame_new(mock);
        pthread_mutex_unlock(&mock->lock);
}

void mock_release(struct mock *mock)
{
        pthread_mutex_lock(&mock->lock);
        for (size_t i = 0; i < MOCK_WAITING_MAX; i++) {
                if (!mock->waiting[i].seq)
                        continue;
                mock->counts.waiting--;
                grant(mock, mock->waiting[i].seq, mock->waiting[i].size);
                mock->waiting[i].seq = 0;
        }
        pthread_mutex_unlock(&mock->lock);
}

static void send_notice(struct mock *mock, Wire__Notice *notice)
{
        struct mock_reply *reply = calloc(1, sizeof(*reply));
        Wire__Packet packet = WIRE__PACKET__INIT;

        must(reply);
        packet.kind_case = WIRE__PACKET__KIND_NOTICE;
        packet.notice = notice;
        reply->packet = &packet;
        send_packet(mock, reply, false);
        reply->packet = NULL;
        free(reply);
}

void mock_goodbye(struct mock *mock, uint32_t wait_ms)
{
        Wire__Notice notice = WIRE__NOTICE__INIT;
        Wire__Goodbye goodbye = WIRE__GOODBYE__INIT;
        struct stat status;

        must(!stat(mock->path, &status));
        goodbye.wait_ms = wait_ms;
        goodbye.socket_time =
                (uint64_t)status.st_mtim.tv_sec * NS_PER_S + (uint64_t)status.st_mtim.tv_nsec;
        notice.goodbye = &goodbye;
        pthread_mutex_lock(&mock->lock);
        send_notice(mock, &notice);
        shutdown(mock->client, SHUT_RDWR);
        pthread_mutex_unlock(&mock->lock);
}

void mock_mark(struct mock *mock)
{
        const struct timespec times[] = { { .tv_sec = 1 }, { .tv_sec = 1 } };

        must(!utimensat(AT_FDCWD, mock->path, times, 0));
}

void mock_vanish(struct mock *mock)
{
        pthread_mutex_lock(&mock->lock);
        unlink(mock->path);
        shutdown(mock->client, SHUT_RDWR);
        pthread_mutex_unlock(&mock->lock);
}

void mock_change(struct mock *mock, const struct mock_settings *settings)
{
        pthread_mutex_lock(&mock->lock);
        mock->settings.token = settings->token;
        mock->settings.forgotten = settings->forgotten;
        mock->settings.hello_result = settings->hello_result;
        mock->settings.hello_version = settings->hello_version;
        mock->settings.hello_deaths = settings->hello_deaths;
        mock->settings.first_deaths = settings->first_deaths;
        mock->settings.lose_replies = settings->lose_replies;
        mock->settings.hold = settings->hold;
        mock->settings.spoil = settings->spoil;
        mock->settings.refuse = settings->refuse;
        pthread_mutex_unlock(&mock->lock);
}

void mock_send_unneeded(struct mock *mock)
{
        Wire__Notice notice = WIRE__NOTICE__INIT;
        uint64_t ids[MOCK_FRAMES_MAX];

        pthread_mutex_lock(&mock->lock);
        notice.unneeded_frames = ids;
        for (size_t i = 0; i < MOCK_FRAMES_MAX; i++) {
                if (mock->frames[i].id && mock->frames[i].shown && !mock->frames[i].granules)
                        ids[notice.n_unneeded_frames++] = mock->frames[i].id;
        }
        send_notice(mock, &notice);
        pthread_mutex_unlock(&mock->lock);
}

/* With the lock held. */
static void send_event(struct mock *mock, uint32_t type, uint64_t buffer, uint64_t offset,
                       uint64_t length)
{
        Wire__Notice notice = WIRE__NOTICE__INIT;
        Wire__Event event = WIRE__EVENT__INIT, *list = &event;

        event.type = type;
        event.buffer = buffer;
        event.offset = offset;
        event.length = length;
        notice.events = &list;
        notice.n_events = 1;
        send_notice(mock, &notice);
}

void mock_send_event(struct mock *mock, uint32_t type, bool of_buffer, uint64_t offset,
                     uint64_t length)
{
        struct mock_buffer **newest;

        pthread_mutex_lock(&mock->lock);
        newest = of_buffer ? buffer_newest(mock) : NULL;
        send_event(mock, type, newest ? (*newest)->id : 0, offset, length);
        pthread_mutex_unlock(&mock->lock);
}

void mock_send_event_of(struct mock *mock, uint32_t type, uint64_t buffer)
{
        pthread_mutex_lock(&mock->lock);
        send_event(mock, type, buffer, 0, UINT64_MAX);
        pthread_mutex_unlock(&mock->lock);
}

void mock_revoke(struct mock *mock, bool tell)
{
        struct mock_buffer **newest;
        uint64_t id;

        pthread_mutex_lock(&mock->lock);
        newest = buffer_newest(mock);
        must(newest);
        id = (*newest)->id;
        buffer_revoke(mock, newest);
        if (tell)
                send_event(mock, 5, id, 0, UINT64_MAX);
        pthread_mutex_unlock(&mock->lock);
}

void mock_send_raw(struct mock *mock, const void *bytes, size_t size, int fd)
{
        pthread_mutex_lock(&mock->lock);
        if (mock->client >= 0)
                (void)packet_send(mock->client, bytes, size, &fd, fd >= 0 ? 1 : 0);
        pthread_mutex_unlock(&mock->lock);
}
