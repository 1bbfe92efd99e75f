/* SPDX-License-Identifier: MIT */
/*
 * Owns the frames. What it says goes three ways: an honest answer is made, then spoilt, then sent.
 */
#include "hostile_server.h"

#include "macros.h"
#include "mangle.h"
#include "packet.h"
#include "result.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#define PIECES_MAX 16

static void must(bool ok)
{
        if (!ok)
                abort();
}

/**
 * struct answer - a packet that is being made; all that it points to is inside
 * @fds:      @n_fds of them, borrowed; @made: the last of them was made for this packet
 */
struct answer {
        Wire__Packet packet;
        Wire__Reply reply;
        Wire__Notice notice;
        Wire__Refusal refusal;
        Wire__Welcome welcome;
        Wire__Grant grant;
        Wire__GrantBatch batch;
        Wire__BatchRun runs[PIECES_MAX], *run_list[PIECES_MAX];
        Wire__ExtentList list;
        Wire__Piece pieces[PIECES_MAX], *piece_list[PIECES_MAX];
        Wire__Segment segments[PIECES_MAX], *segment_list[PIECES_MAX];
        Wire__Exported exported;
        Wire__Device device;
        Wire__Constraint limits;
        Wire__Reclaimed reclaimed;
        Wire__Shared shared;
        Wire__Event event, *event_list[1];
        Wire__Goodbye goodbye;
        uint64_t frames[PIECES_MAX];
        uint8_t token[16];
        int fds[PIECES_MAX + 4];
        size_t n_fds;
        int made[4];
        size_t n_made;
};

/* ---- descriptors ---------------------------------------------------------------------------- */

static int memory(uint64_t bytes, int seals)
{
        const int fd = memfd_create("hostile", MFD_CLOEXEC | MFD_ALLOW_SEALING);

        must(fd >= 0 && !ftruncate(fd, (off_t)bytes));
        must(!seals || !fcntl(fd, F_ADD_SEALS, seals));
        return fd;
}

/* Something that is no frame, or none of the right size or rights. */
static int strange_descriptor(struct choices *choices)
{
        int pair[2];

        switch (choose(choices, 9)) {
        case 0: return eventfd(0, EFD_CLOEXEC);
        case 1:
                must(!pipe2(pair, O_CLOEXEC));
                close(pair[1]);
                return pair[0];
        case 2: return memory(4096, 0);
        case 3: return memory(SERVER_PAGE_BYTES, F_SEAL_WRITE);
        case 4: return memory(SERVER_PAGE_BYTES - 1, F_SEAL_SHRINK | F_SEAL_GROW);
        case 5: return open("/", O_PATH | O_CLOEXEC);
        case 6: return open("/dev/null", O_RDWR | O_CLOEXEC);
        case 7: return open("/dev/zero", O_RDONLY | O_CLOEXEC);
        default:
                must(!socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair));
                close(pair[1]);
                return pair[0];
        }
}

static void spoil_descriptors(struct answer *answer, struct choices *choices)
{
        const size_t at = answer->n_fds ? choose(choices, answer->n_fds) : 0;

        if (answer->n_fds && choose(choices, 3) == 0) {
                answer->n_fds = at;
                return;
        }
        if (answer->n_made == ARRAY_SIZE(answer->made) || answer->n_fds == ARRAY_SIZE(answer->fds))
                return;
        answer->made[answer->n_made] = strange_descriptor(choices);
        must(answer->made[answer->n_made] >= 0);
        if (answer->n_fds && choose(choices, 2))
                answer->fds[at] = answer->made[answer->n_made++];
        else
                answer->fds[answer->n_fds++] = answer->made[answer->n_made++];
}

/* ---- honest answers ------------------------------------------------------------------------- */

static uint32_t new_frame(struct hostile_server *server)
{
        struct server_frame *frame = &server->frames[server->n_frames];

        *frame = (struct server_frame){ .id = ++server->last_id << 8 | server->n_frames,
                                        .fd = memory(SERVER_PAGE_BYTES, 0) };
        return server->n_frames++;
}

/* Return: NULL: there is no room. */
static struct server_buffer *new_buffer(struct hostile_server *server, uint64_t bytes)
{
        struct server_buffer *buffer = &server->buffers[server->n_buffers];
        const uint64_t size = (bytes + 4095) / 4096 * 4096;
        const uint64_t n = (size + SERVER_PAGE_BYTES - 1) / SERVER_PAGE_BYTES;
        const uint32_t last = server->n_frames - 1;

        if (!size || n > PIECES_MAX || n + server->n_frames > SERVER_FRAMES_MAX ||
            server->n_buffers == SERVER_BUFFERS_MAX)
                return NULL;
        *buffer = (struct server_buffer){ .id = ++server->last_id,
                                          .size_bytes = size,
                                          .n_frames = (uint32_t)n };
        /* A small one lies beside the one before it, where there is room. */
        if (server->n_frames && server->frames[last].used_bytes &&
            server->frames[last].used_bytes + size <= SERVER_PAGE_BYTES) {
                buffer->first = last;
                buffer->offset = server->frames[last].used_bytes;
                server->frames[last].used_bytes += size;
        } else {
                buffer->first = server->n_frames;
                for (uint64_t i = 0; i < n; i++)
                        server->frames[new_frame(server)].used_bytes =
                                n == 1 ? size : SERVER_PAGE_BYTES;
        }
        server->n_buffers++;
        return buffer;
}

static struct server_buffer *find_buffer(struct hostile_server *server, uint64_t id)
{
        for (uint32_t i = 0; i < server->n_buffers; i++)
                if (server->buffers[i].id == id)
                        return &server->buffers[i];
        return NULL;
}

static void describe_piece(struct hostile_server *server, struct answer *answer,
                           const struct server_buffer *buffer, uint64_t index, size_t at)
{
        struct server_frame *frame = &server->frames[buffer->first + index];
        const uint64_t left = buffer->size_bytes - index * SERVER_PAGE_BYTES;
        Wire__Segment *segment = &answer->segments[at];
        Wire__Piece *piece = &answer->pieces[at];

        wire__piece__init(piece);
        wire__segment__init(segment);
        piece->frame = frame->id;
        piece->frame_offset = buffer->offset;
        piece->length = left < SERVER_PAGE_BYTES ? left : SERVER_PAGE_BYTES;
        piece->phys = segment->dma = segment->phys =
                GiB + (buffer->first + index) * SERVER_PAGE_BYTES + buffer->offset;
        segment->length = piece->length;
        piece->has_fd = !frame->shown;
        piece->keep = choose(server->choices, 2) == 1;
        piece->zeroed = choose(server->choices, 2) == 1;
        if (!frame->shown)
                answer->fds[answer->n_fds++] = frame->fd;
        frame->shown = true;
        answer->piece_list[at] = piece;
        answer->segment_list[at] = segment;
}

static void describe(struct hostile_server *server, struct answer *answer,
                     const struct server_buffer *buffer, uint64_t from)
{
        Wire__ExtentList *list = &answer->list;
        const uint64_t most = choose(server->choices, 4) ? PIECES_MAX : 2;
        uint64_t i;

        wire__extent_list__init(list);
        for (i = from; i < buffer->n_frames && list->n_pieces < most; i++)
                describe_piece(server, answer, buffer, i, list->n_pieces++);
        list->n_segments = list->n_pieces;
        list->pieces = answer->piece_list;
        list->segments = answer->segment_list;
        list->next_cursor = i < buffer->n_frames ? i : 0;
}

static void refuse(struct answer *answer, uint32_t result)
{
        wire__refusal__init(&answer->refusal);
        answer->refusal.sentence = (char *)(uintptr_t) "not for you";
        answer->refusal.limit = (char *)(uintptr_t) "addr_max";
        answer->refusal.limit_set_by = (char *)(uintptr_t) "the request";
        answer->reply.refusal = &answer->refusal;
        answer->reply.result = result;
}

static void grant(struct hostile_server *server, struct answer *answer, uint64_t bytes)
{
        const struct server_buffer *buffer = new_buffer(server, bytes);
        Wire__Grant *head = &answer->grant;

        if (!buffer) {
                refuse(answer, PAR_REFUSED_EXHAUSTED);
                return;
        }
        wire__grant__init(head);
        head->buffer = buffer->id;
        head->size = buffer->size_bytes;
        head->pool = (char *)(uintptr_t) "any";
        head->page_size = SERVER_PAGE_BYTES;
        head->piece_count = head->segment_count = buffer->n_frames;
        head->extents = &answer->list;
        answer->reply.body_case = WIRE__REPLY__BODY_ALLOC;
        answer->reply.alloc = head;
        describe(server, answer, buffer, 0);
        if (choose(server->choices, 8) != 7)
                return;
        head->dmabuf = true;
        for (size_t i = 0; i < answer->list.n_pieces; i++)
                answer->pieces[i].has_fd = false;
        answer->made[answer->n_made] = memory(buffer->size_bytes, 0);
        answer->fds[0] = answer->made[answer->n_made++];
        answer->n_fds = 1;
}

static void describe_run(struct hostile_server *server, struct answer *answer,
                         const struct server_buffer *buffer)
{
        Wire__GrantBatch *batch = &answer->batch;
        Wire__BatchRun *run = &answer->runs[batch->n_runs];

        describe_piece(server, answer, buffer, 0, 0);
        wire__batch_run__init(run);
        run->count = 1;
        run->pool = (char *)(uintptr_t) "any";
        run->page_size = SERVER_PAGE_BYTES;
        run->frame = answer->pieces[0].frame;
        run->frame_offset = answer->pieces[0].frame_offset;
        run->phys = run->dma = answer->pieces[0].phys;
        run->has_fd = answer->pieces[0].has_fd;
        run->zeroed = answer->pieces[0].zeroed;
        run->keep = answer->pieces[0].keep;
        answer->run_list[batch->n_runs++] = run;
}

static void grant_batch(struct hostile_server *server, struct answer *answer,
                        const Wire__AllocBatch *request)
{
        const uint32_t count = request->count, before = server->n_buffers;

        if (request->alloc->size > SERVER_PAGE_BYTES || count > PIECES_MAX) {
                refuse(answer, PAR_REFUSED_INVALID);
                return;
        }
        for (uint32_t i = 0; i < count; i++)
                if (!new_buffer(server, request->alloc->size)) {
                        refuse(answer, PAR_REFUSED_EXHAUSTED);
                        return;
                }
        wire__grant_batch__init(&answer->batch);
        answer->batch.buffer = server->last_id + 1;
        answer->batch.size = server->buffers[before].size_bytes;
        for (uint32_t i = before; i < server->n_buffers; i++) {
                server->buffers[i].id = ++server->last_id;
                describe_run(server, answer, &server->buffers[i]);
        }
        answer->batch.runs = answer->run_list;
        answer->reply.body_case = WIRE__REPLY__BODY_ALLOC_BATCH;
        answer->reply.alloc_batch = &answer->batch;
}

static void go_on_describing(struct hostile_server *server, struct answer *answer,
                             const Wire__Extents *request)
{
        const struct server_buffer *buffer = find_buffer(server, request->buffer);

        if (!buffer || request->cursor >= buffer->n_frames) {
                refuse(answer, PAR_REFUSED_GONE);
                return;
        }
        answer->reply.body_case = WIRE__REPLY__BODY_EXTENTS;
        answer->reply.extents = &answer->list;
        describe(server, answer, buffer, request->cursor);
}

static void welcome(struct hostile_server *server, struct answer *answer,
                    const Wire__Hello *request)
{
        wire__welcome__init(&answer->welcome);
        answer->welcome.version = 1;
        answer->welcome.client = 1;
        answer->welcome.granule = 4096;
        answer->welcome.batch_max = 64;
        answer->welcome.resumed = request->resume_token && request->resume_token == server->token;
        if (!answer->welcome.resumed)
                server->token = choose(server->choices, 4) ? 77 : 0;
        answer->welcome.resume_token = server->token;
        answer->reply.body_case = WIRE__REPLY__BODY_HELLO;
        answer->reply.hello = &answer->welcome;
        for (uint32_t i = 0; i < server->n_frames; i++)
                server->frames[i].shown = false;
}

static void export(struct hostile_server *server, struct answer *answer, uint64_t id)
{
        const struct server_buffer *buffer = find_buffer(server, id);

        if (!buffer) {
                refuse(answer, PAR_REFUSED_GONE);
                return;
        }
        wire__exported__init(&answer->exported);
        answer->exported.size = buffer->size_bytes;
        answer->reply.body_case = WIRE__REPLY__BODY_EXPORT_DMABUF;
        answer->reply.export_dmabuf = &answer->exported;
        answer->made[answer->n_made] = memory(buffer->size_bytes, 0);
        answer->fds[answer->n_fds++] = answer->made[answer->n_made++];
}

static void mark(struct hostile_server *server, const uint64_t *ids, size_t n, bool shown)
{
        for (size_t i = 0; i < n; i++)
                for (uint32_t j = 0; j < server->n_frames; j++)
                        if (server->frames[j].id == ids[i])
                                server->frames[j].shown = shown;
}

static void open_device(struct answer *answer)
{
        wire__device__init(&answer->device);
        wire__constraint__init(&answer->limits);
        answer->limits.addr_max = UINT32_MAX;
        answer->device.name = (char *)(uintptr_t) "capture0";
        answer->device.limits = &answer->limits;
        answer->reply.body_case = WIRE__REPLY__BODY_DEVICE_OPEN;
        answer->reply.device_open = &answer->device;
}

static void share(struct answer *answer, bool end)
{
        wire__shared__init(&answer->shared);
        answer->shared.token.data = answer->token;
        answer->shared.token.len = end ? 0 : sizeof(answer->token);
        answer->reply.body_case = WIRE__REPLY__BODY_SHARE;
        answer->reply.share = &answer->shared;
}

static void make_reply(struct hostile_server *server, struct answer *answer,
                       const Wire__Request *request)
{
        wire__packet__init(&answer->packet);
        wire__reply__init(&answer->reply);
        answer->packet.kind_case = WIRE__PACKET__KIND_REPLY;
        answer->packet.reply = &answer->reply;
        answer->reply.seq = request->seq;
        switch (request->body_case) {
        case WIRE__REQUEST__BODY_HELLO: welcome(server, answer, request->hello); return;
        case WIRE__REQUEST__BODY_ALLOC: grant(server, answer, request->alloc->size); return;
        case WIRE__REQUEST__BODY_ALLOC_BATCH:
                grant_batch(server, answer, request->alloc_batch);
                return;
        case WIRE__REQUEST__BODY_FREE_BATCH:
                mark(server, request->free_batch->dropped_frames,
                     request->free_batch->n_dropped_frames, false);
                return;
        case WIRE__REQUEST__BODY_OPEN: grant(server, answer, 4096 * 3); return;
        case WIRE__REQUEST__BODY_EXTENTS:
                go_on_describing(server, answer, request->extents);
                return;
        case WIRE__REQUEST__BODY_EXPORT_DMABUF:
                export(server, answer, request->export_dmabuf->buffer);
                return;
        case WIRE__REQUEST__BODY_FREE:
                mark(server, request->free->dropped_frames, request->free->n_dropped_frames, false);
                return;
        case WIRE__REQUEST__BODY_DROP:
                mark(server, request->drop->frames, request->drop->n_frames, false);
                return;
        case WIRE__REQUEST__BODY_KEPT:
                mark(server, request->kept->frames, request->kept->n_frames, true);
                return;
        case WIRE__REQUEST__BODY_DEVICE_OPEN: open_device(answer); return;
        case WIRE__REQUEST__BODY_SHARE: share(answer, request->share->end); return;
        case WIRE__REQUEST__BODY_RECLAIM:
                wire__reclaimed__init(&answer->reclaimed);
                answer->reply.body_case = WIRE__REPLY__BODY_RECLAIM;
                answer->reply.reclaim = &answer->reclaimed;
                return;
        default: return; /* done */
        }
}

/* ---- notices -------------------------------------------------------------------------------- */

static void add_event(struct hostile_server *server, struct answer *answer)
{
        const uint32_t which = (uint32_t)choose(server->choices, server->n_buffers + 1);

        wire__event__init(&answer->event);
        answer->event.type = (uint32_t)choose(server->choices, 10);
        answer->event.buffer = which < server->n_buffers ? server->buffers[which].id : 0;
        answer->event.length = 4096;
        answer->event_list[0] = &answer->event;
        answer->notice.events = answer->event_list;
        answer->notice.n_events = 1;
}

static void make_notice(struct hostile_server *server, struct answer *answer)
{
        wire__packet__init(&answer->packet);
        wire__notice__init(&answer->notice);
        answer->packet.kind_case = WIRE__PACKET__KIND_NOTICE;
        answer->packet.notice = &answer->notice;
        switch (choose(server->choices, 4)) {
        case 0:
                for (uint32_t i = 0; i < server->n_frames && i < PIECES_MAX; i++)
                        answer->frames[i] = server->frames[i].id;
                answer->notice.unneeded_frames = answer->frames;
                answer->notice.n_unneeded_frames =
                        choose(server->choices,
                               (server->n_frames < PIECES_MAX ? server->n_frames : PIECES_MAX) + 1);
                return;
        case 1:
                wire__goodbye__init(&answer->goodbye);
                answer->goodbye.wait_ms = (uint32_t)choose(server->choices, 3) * 1000;
                answer->notice.goodbye = &answer->goodbye;
                return;
        default: add_event(server, answer); return;
        }
}

/* ---- what is sent --------------------------------------------------------------------------- */

static void hang_up(struct hostile_server *server)
{
        if (server->socket >= 0)
                close(STEAL_FD(server->socket));
}

static void send_answer(struct hostile_server *server, struct answer *answer, bool raw)
{
        static uint8_t bytes[2 * PACKET_BYTES_MAX];
        size_t size = 0;

        if (server->socket < 0 ||
            message_pack_packet(&answer->packet, bytes, PACKET_BYTES_MAX, &size))
                return;
        if (raw || !size)
                size = mangle_bytes(bytes, size, sizeof(bytes), server->choices);
        (void)packet_send(server->socket, bytes, size, answer->fds, answer->n_fds);
}

static void close_made(struct answer *answer)
{
        for (size_t i = 0; i < answer->n_made; i++)
                close(answer->made[i]);
}

static void notify(struct hostile_server *server, bool spoil)
{
        struct answer answer = { .n_fds = 0 };

        make_notice(server, &answer);
        if (spoil)
                mangle_message(&answer.packet.base, server->choices);
        if (spoil && choose(server->choices, 4) == 3)
                spoil_descriptors(&answer, server->choices);
        send_answer(server, &answer, false);
        close_made(&answer);
}

static void respond(struct hostile_server *server, const Wire__Request *request)
{
        struct answer answer = { .n_fds = 0 };
        struct choices *choices = server->choices;
        const uint64_t how = choose(choices, 32);

        if (how == 0) {
                hang_up(server);
                return;
        }
        if (how == 1)
                return;
        make_reply(server, &answer, request);
        if (how == 2)
                refuse(&answer, (uint32_t)mangle_number(PAR_REFUSED_EXHAUSTED, choices));
        else if (how == 3)
                notify(server, false);
        if (how >= 4 && how <= 9)
                for (uint64_t n = 1 + choose(choices, 3); n--;)
                        mangle_message(&answer.packet.base, choices);
        if (how == 9 || how == 10 || how == 11)
                spoil_descriptors(&answer, choices);
        send_answer(server, &answer, how == 12);
        if (how == 13)
                send_answer(server, &answer, false);
        close_made(&answer);
}

/* ---- its part in the system ----------------------------------------------------------------- */

static void turn(void *data)
{
        static uint8_t bytes[PACKET_BYTES_MAX];
        struct hostile_server *server = data;
        Wire__Request *request;
        struct packet packet;

        while (server->socket >= 0) {
                if (server->choices->over) {
                        hang_up(server);
                        return;
                }
                if (packet_receive(server->socket, bytes, sizeof(bytes), &packet))
                        break;
                packet_close_descriptors(&packet);
                if (!packet.size) {
                        hang_up(server);
                        return;
                }
                message_arena_reset(&server->arena);
                /* What the library sends is always a request. */
                must(!message_unpack_request(&server->arena, bytes, packet.size, &request));
                inline_system_stir();
                respond(server, request);
        }
        if (server->socket >= 0 && choose(server->choices, 16) == 15) {
                inline_system_stir();
                notify(server, choose(server->choices, 2));
        }
}

static int accept_one(void *data, int fd)
{
        static const int results[] = { 0, 0, 0, 0, 0, 0, -ECONNREFUSED, -EAGAIN };
        struct hostile_server *server = data;
        const int r = server->choices->over ? -ECONNREFUSED : results[choose(server->choices, 8)];

        if (r) {
                close(fd);
                return r;
        }
        inline_system_stir();
        hang_up(server);
        server->socket = fd;
        return 0;
}

static int socket_time(void *data, uint64_t *ret_ns)
{
        struct hostile_server *server = data;

        *ret_ns = choose(server->choices, 2);
        return choose(server->choices, 4) == 3 ? -ENOENT : 0;
}

/* Somebody waits without a limit of time. */
static void silent(void *data)
{
        hang_up(data);
}

struct inline_server hostile_server_inline(struct hostile_server *server)
{
        return (struct inline_server){ server, turn, accept_one, socket_time, silent };
}

void hostile_server_begin(struct hostile_server *server, struct choices *choices)
{
        *server = (struct hostile_server){ .choices = choices, .socket = -1 };
}

void hostile_server_end(struct hostile_server *server)
{
        hang_up(server);
        for (uint32_t i = 0; i < server->n_frames; i++) {
                must(!fcntl(server->frames[i].fd, F_ADD_SEALS, F_SEAL_WRITE));
                close(server->frames[i].fd);
        }
        message_arena_deinit(&server->arena);
}
