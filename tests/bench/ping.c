/* SPDX-License-Identifier: MIT */
/*
 * Owns the socket and the server's process. The server is what a programmer would write first with
 * these libraries: a callback that receives, unpacks, packs and sends, with the libraries' own
 * heap. Refuses to be clever: it is what pard is measured against.
 */
#include "ping.h"

#include "message.h"

#include "macros.h"
#include "units.h"

#include <assert.h>
#include <errno.h>
#include <event2/event.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- what is said --------------------------------------------------------------------------- */

static size_t pack_question(enum ping_question question, unsigned char *bytes)
{
        Wire__Request request = WIRE__REQUEST__INIT;
        Wire__Alloc alloc = WIRE__ALLOC__INIT;
        Wire__Free free_it = WIRE__FREE__INIT;

        request.seq = 1000;
        if (question == PING_ALLOC) {
                alloc.size = 64 * KiB;
                request.body_case = WIRE__REQUEST__BODY_ALLOC;
                request.alloc = &alloc;
        } else {
                free_it.buffer = 1000;
                request.body_case = WIRE__REQUEST__BODY_FREE;
                request.free = &free_it;
        }
        return wire__request__pack(&request, bytes);
}

static size_t pack_answer(enum ping_question question, uint32_t seq, unsigned char *bytes)
{
        Wire__Packet packet = WIRE__PACKET__INIT;
        Wire__Reply reply = WIRE__REPLY__INIT;
        Wire__Grant grant = WIRE__GRANT__INIT;
        Wire__ExtentList extents = WIRE__EXTENT_LIST__INIT;
        Wire__Piece piece = WIRE__PIECE__INIT, *pieces = &piece;
        Wire__Segment segment = WIRE__SEGMENT__INIT, *segments = &segment;

        packet.kind_case = WIRE__PACKET__KIND_REPLY;
        packet.reply = &reply;
        reply.seq = seq;
        if (question == PING_FREE)
                return wire__packet__pack(&packet, bytes);
        reply.body_case = WIRE__REPLY__BODY_ALLOC;
        reply.alloc = &grant;
        grant.buffer = 1000;
        grant.size = piece.length = segment.length = 64 * KiB;
        grant.pool = (char *)"any";
        grant.page_size = 2 * MiB;
        grant.segment_count = grant.piece_count = 1;
        grant.extents = &extents;
        piece.frame = UINT64_C(1) << 32;
        piece.phys = segment.phys = segment.dma = (UINT64_C(1) << 32) + MiB;
        piece.frame_offset = MiB;
        piece.keep = true;
        extents.pieces = &pieces;
        extents.segments = &segments;
        extents.n_pieces = extents.n_segments = 1;
        return wire__packet__pack(&packet, bytes);
}

/* ---- the server ----------------------------------------------------------------------------- */

struct ping_server {
        enum ping_kind kind;
        int sockets[PING_CONNECTIONS_MAX], descriptor;
        size_t count, sizes[PING_QUESTIONS], answer_sizes[PING_QUESTIONS];
        unsigned char bytes[PACKET_BYTES_MAX];
};

/* Which question it is, by its size. */
static enum ping_question question_of(const struct ping_server *server, size_t size)
{
        return size == server->sizes[PING_ALLOC] ? PING_ALLOC : PING_FREE;
}

/* Return: bytes of the answer; 0: that was no question. */
static size_t answer(struct ping_server *server, size_t size)
{
        Wire__Request *request;
        enum ping_question question;
        size_t answered;

        if (server->kind < PING_MESSAGE)
                return server->answer_sizes[question_of(server, size)];
        request = wire__request__unpack(NULL, size, server->bytes);
        if (!request)
                return 0;
        question = request->body_case == WIRE__REQUEST__BODY_ALLOC ? PING_ALLOC : PING_FREE;
        answered = pack_answer(question, request->seq, server->bytes);
        wire__request__free_unpacked(request, NULL);
        return answered;
}

/* Return: whether the client is still there. */
static bool serve(struct ping_server *server, int socket)
{
        enum ping_question question;
        ssize_t received;
        size_t size;

        received = recv(socket, server->bytes, sizeof(server->bytes), 0);
        if (received <= 0)
                return false;
        question = question_of(server, (size_t)received);
        size = answer(server, (size_t)received);
        return size && !packet_send(socket, server->bytes, size, &server->descriptor,
                                    server->kind == PING_DESCRIPTOR && question == PING_ALLOC);
}

static void on_readable(evutil_socket_t fd, short what, void *data)
{
        (void)what;
        if (!serve(data, fd))
                _exit(0);
}

static void serve_events(struct ping_server *server)
{
        struct event_base *base = event_base_new();
        struct event *event;

        for (size_t i = 0; i < server->count && base; i++) {
                event = event_new(base, server->sockets[i], EV_READ | EV_PERSIST, on_readable,
                                  server);
                if (!event || event_add(event, NULL))
                        return;
        }
        if (base)
                event_base_dispatch(base);
}

static void __attribute__((__noreturn__)) run_server(struct ping_server *server, pid_t parent)
{
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (getppid() != parent)
                _exit(1);
        server->descriptor = memfd_create("ping", MFD_CLOEXEC);
        if (server->descriptor < 0)
                _exit(1);
        for (enum ping_question i = 0; i < PING_QUESTIONS; i++) {
                server->sizes[i] = pack_question(i, server->bytes);
                server->answer_sizes[i] = pack_answer(i, 1000, server->bytes);
        }
        if (server->kind >= PING_EVENT)
                serve_events(server);
        else
                while (serve(server, server->sockets[0])) {
                }
        _exit(0);
}

/* ---- the client ----------------------------------------------------------------------------- */

/* Both sides' ends. Return: 0; negative errno. */
static int connect_all(struct ping *ping, struct ping_server *server, size_t connections)
{
        for (; ping->count < connections; ping->count++) {
                int ends[2];

                if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends))
                        return -errno;
                ping->sockets[ping->count] = ends[0];
                server->sockets[ping->count] = ends[1];
        }
        server->count = ping->count;
        return 0;
}

static void close_all(const int *sockets, size_t count)
{
        for (size_t i = 0; i < count; i++)
                close(sockets[i]);
}

static int start_server(struct ping *ping, struct ping_server *server)
{
        const pid_t self = getpid();

        ping->server = fork();
        if (ping->server == 0) {
                close_all(ping->sockets, ping->count);
                run_server(server, self);
        }
        return ping->server < 0 ? -EAGAIN : 0;
}

int ping_start(struct ping *ping, enum ping_kind kind, size_t connections)
{
        struct ping_server *server = calloc(1, sizeof(*server));
        int r;

        assert(connections > 0 && connections <= PING_CONNECTIONS_MAX);
        if (!server)
                return -ENOMEM;
        memset(ping, 0, sizeof(*ping));
        ping->kind = server->kind = kind;
        for (enum ping_question i = 0; i < PING_QUESTIONS; i++)
                ping->sizes[i] = pack_question(i, ping->bytes);
        r = connect_all(ping, server, connections);
        if (!r)
                r = start_server(ping, server);
        close_all(server->sockets, ping->count);
        free(server);
        return r;
}

void ping_stop(struct ping *ping)
{
        close_all(ping->sockets, ping->count);
        ping->count = 0;
        if (ping->server <= 0)
                return;
        kill(ping->server, SIGKILL);
        waitpid(ping->server, NULL, 0);
        ping->server = 0;
}

void ping_turn(struct ping *ping)
{
        ping->next = (ping->next + 1) % ping->count;
}

static int take_answer(struct ping *ping, enum ping_question question, struct packet *packet)
{
        const bool brings = ping->kind == PING_DESCRIPTOR && question == PING_ALLOC;
        Wire__Packet *message;
        bool right;

        right = packet->count == brings;
        packet_close_descriptors(packet);
        if (ping->kind < PING_MESSAGE)
                return right ? 0 : -EPROTO;
        message = wire__packet__unpack(NULL, packet->size, ping->bytes);
        right = right && message && message->kind_case == WIRE__PACKET__KIND_REPLY &&
                (message->reply->body_case == WIRE__REPLY__BODY_ALLOC) == (question == PING_ALLOC);
        if (message)
                wire__packet__free_unpacked(message, NULL);
        return right ? 0 : -EPROTO;
}

/* With room for descriptors only where they come: recv() is quicker. Return: 0; negative errno. */
static int receive(struct ping *ping, struct packet *packet)
{
        const int socket = ping->sockets[ping->next];
        ssize_t received;

        if (ping->kind == PING_DESCRIPTOR)
                return packet_receive(socket, ping->bytes, sizeof(ping->bytes), packet);
        do
                received = recv(socket, ping->bytes, sizeof(ping->bytes),
                                ping->spins ? MSG_DONTWAIT : 0);
        while (received < 0 && errno == EAGAIN);
        if (received <= 0)
                return received ? -errno : -EPIPE;
        packet->size = (size_t)received;
        packet->count = 0;
        return 0;
}

int ping_once(struct ping *ping, enum ping_question question)
{
        struct packet packet;
        size_t size = ping->sizes[question];
        int r;

        if (ping->kind >= PING_MESSAGE)
                size = pack_question(question, ping->bytes);
        r = packet_send(ping->sockets[ping->next], ping->bytes, size, NULL, 0);
        if (!r)
                r = receive(ping, &packet);
        return r ? r : take_answer(ping, question, &packet);
}
