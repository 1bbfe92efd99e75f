/* SPDX-License-Identifier: MIT */
/*
 * Owns the socket and the requests under way: sends, receives, and brings each reply to the request
 * that it answers. connection_wait.c is about the threads that sleep meanwhile.
 *
 * Invariant: a request is in the list exactly from its sending until it is answered or forgotten.
 * Replies are taken under the lock in the order in which they arrive, whoever reads them. Refuses
 * to go on after anything that a daemon of this protocol would not send: the session ends, and
 * every caller is told.
 */
#include "connection_wait.h"
#include "resume.h"

#include "result.h"
#include "waker.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

/* Longest path of a socket, without its NUL. */
#define SOCKET_PATH_MAX (sizeof(((struct sockaddr_un *)0)->sun_path) - 1)

/* Numbers from here on are those of requests for whose reply nobody waits. */
#define SEQ_UNAWAITED (UINT32_C(1) << 31)

/* @flags: of the socket. Return: 0; -errno, and nothing is said. */
static int open_socket(const char *path, int flags, int *ret)
{
        struct sockaddr_un address = { .sun_family = AF_UNIX };
        int fd, r;

        memcpy(address.sun_path, path, strlen(path) + 1);
        fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | flags, 0);
        if (fd < 0)
                return -errno;
        do {
                r = connect(fd, (struct sockaddr *)&address, sizeof(address)) ? -errno : 0;
        } while (r == -EINTR);
        if (!r && !flags && fcntl(fd, F_SETFL, O_NONBLOCK))
                r = -errno;
        if (r) {
                close(fd);
                return r;
        }
        *ret = fd;
        return 0;
}

int connection_open(const char *path, int *ret)
{
        return open_socket(path, SOCK_NONBLOCK, ret);
}

int connection_init(struct connection *connection, const char *path, pthread_mutex_t *lock,
                    const struct connection_ops *ops, void *data)
{
        int r;

        TAILQ_INIT(&connection->requests);
        connection->lock = lock;
        connection->resume.clock = -1;
        connection->ops = ops;
        connection->data = data;
        if (!*path || strlen(path) > SOCKET_PATH_MAX)
                return error_set(-EINVAL, "socket path of %zu bytes: 1 to %zu are possible",
                                 strlen(path), SOCKET_PATH_MAX);
        connection->resume.path = strdup(path);
        if (!connection->resume.path)
                return error_set(-ENOMEM, "no memory for a connection");
        r = open_socket(path, 0, &connection->socket);
        if (r)
                return error_set(r, "no connection to pard at %s: %s", path, par_strerror(r));
        return 0;
}

void connection_deinit(struct connection *connection)
{
        if (connection->socket >= 0)
                close(connection->socket);
        connection->socket = -1;
        resume_deinit(connection);
        wakers_free(&connection->spare_wakers);
        message_arena_deinit(&connection->arena);
}

/* ---- requests ------------------------------------------------------------------------------- */

static struct request *find(struct connection *connection, uint32_t seq)
{
        struct request *request;

        TAILQ_FOREACH (request, &connection->requests, link) {
                if (request->seq == seq)
                        return request;
        }
        return NULL;
}

static uint32_t next_seq(struct connection *connection)
{
        do {
                connection->last_seq = (connection->last_seq + 1) % SEQ_UNAWAITED;
        } while (!connection->last_seq || find(connection, connection->last_seq));
        return connection->last_seq;
}

uint32_t connection_unawaited_seq(struct connection *connection)
{
        return SEQ_UNAWAITED | connection->last_unawaited++;
}

int connection_post(struct connection *connection, Wire__Request *message)
{
        size_t size;
        int r;

        if (message_pack_request(message, connection->outgoing, sizeof(connection->outgoing),
                                 &size))
                return -EINVAL;
        do {
                r = packet_send(connection->socket, connection->outgoing, size, NULL, 0);
        } while (r == -EINTR);
        return r;
}

/* The other end is gone: the session goes on with another worker where it can. */
static void lose(struct connection *connection, const char *why)
{
        int r;

        r = resume_begin(connection);
        if (r == -PAR_GONE && connection->resume.absent)
                why = "pard was stopped";
        else if (r && r != -PAR_GONE)
                why = par_strerror(r);
        if (r)
                connection_end(connection, -PAR_GONE, why);
}

int connection_try_send(struct connection *connection, Wire__Request *message,
                        struct request *request)
{
        int r;

        if (connection->gone)
                return error_set(-PAR_GONE, "%s", connection->why);
        if (connection->resume.stage)
                return -EAGAIN;

        message->seq = request ? next_seq(connection) : connection_unawaited_seq(connection);
        r = connection_post(connection, message);
        if (r == -EAGAIN)
                return r;
        if (r == -EINVAL)
                return error_set(r, "a request with names this long fits into no packet");
        if (r) {
                const uint32_t resumed = connection->resume.count;

                connection_read(
                        connection); /* pard's last words, and perhaps the next one's first */
                /* While the other end is being closed, writing fails before reading says so. */
                if (!connection->resume.stage && !connection->gone &&
                    connection->resume.count == resumed)
                        lose(connection, par_strerror(r));
                if (!connection->gone)
                        return -EAGAIN;
                return error_set(-PAR_GONE, "%s", connection->why);
        }

        if (request) {
                request->seq = message->seq;
                request->message = message;
                request->answered = request->unsent = request->resent = false;
                TAILQ_INSERT_TAIL(&connection->requests, request, link);
        } else {
                connection->unawaited++;
        }
        return 0;
}

void connection_forget(struct connection *connection, struct request *request)
{
        if (!request->seq || request->answered)
                return;
        TAILQ_REMOVE(&connection->requests, request, link);
        request->answered = true;
        request->result = -ETIMEDOUT;
}

static void answer(struct connection *connection, struct request *request, int r,
                   const char *sentence)
{
        TAILQ_REMOVE(&connection->requests, request, link);
        request->answered = true;
        request->result = r;
        request->sentence[0] = '\0';
        if (*sentence)
                snprintf(request->sentence, sizeof(request->sentence), "%s", sentence);
        if (request->waker)
                waker_ring(request->waker);
}

/* @from: NULL: none came with the reply. */
static void note_figures(struct request *request, int r, const Wire__Refusal *from)
{
        struct par_refusal_info *to = &request->figures;

        *to = (struct par_refusal_info){ 0 };
        if (!from || r > -PAR_NEVER_FITS)
                return;
        to->result = r;
        to->permanent = from->permanent ? 1 : 0;
        to->size = from->size;
        to->free_in_window = from->free_in_window;
        to->largest_run = from->largest_run;
        snprintf(to->limit, sizeof(to->limit), "%s", from->limit);
        snprintf(to->limit_set_by, sizeof(to->limit_set_by), "%s", from->limit_set_by);
}

int request_error(const struct request *request)
{
        error_set_sentence(request->result, request->sentence);
        return error_set_figures(request->result, &request->figures);
}

void connection_end(struct connection *connection, int r, const char *sentence)
{
        struct request *request;

        if (connection->gone)
                return;
        connection->gone = true;
        snprintf(connection->why, sizeof(connection->why), "the connection to pard is gone: %s",
                 sentence);
        shutdown(connection->socket, SHUT_RDWR); /* also wakes who sleeps on it */
        resume_stop(connection);
        connection_tell_of_room(connection);
        while ((request = TAILQ_FIRST(&connection->requests)))
                answer(connection, request, r, connection->why);
        connection->ops->ended(connection->data, r, connection->why);
}

/* ---- what arrives --------------------------------------------------------------------------- */

static int result_of(const Wire__Reply *reply)
{
        if (reply->result <= 4095 || par_is_refusal((int)reply->result))
                return -(int)reply->result;
        return -EPROTO;
}

/* Whether a descriptor is left that nobody took. */
static bool has_rest(const struct packet *packet)
{
        for (size_t i = 0; i < packet->count; i++) {
                if (packet->descriptors[i] >= 0)
                        return true;
        }
        return false;
}

static bool is_greeting(const struct connection *connection, uint32_t seq)
{
        return connection->resume.stage == RESUME_GREETING && connection->resume.hello.seq == seq;
}

static int take_reply(struct connection *connection, const Wire__Reply *reply,
                      struct packet *packet)
{
        const char *sentence = reply->refusal ? reply->refusal->sentence : "";
        struct request *request;
        int r;

        if (reply->seq >= SEQ_UNAWAITED && !is_greeting(connection, reply->seq)) {
                if (!connection->unawaited)
                        return -EPROTO;
                connection->unawaited--;
                return has_rest(packet) ? -EPROTO : 0;
        }
        request = find(connection, reply->seq);
        if (!request || reply->result > INT32_MAX)
                return -EPROTO;
        r = result_of(reply);
        if (!r && request->take) {
                r = request->take(request, reply, packet);
                if (r)
                        return r; /* the end of the session answers it */
        } else if (r == -EPROTO && reply->result != EPROTO) {
                return r;
        }
        if (has_rest(packet))
                return -EPROTO;
        note_figures(request, r, reply->refusal);
        answer(connection, request, r, sentence);
        return 0;
}

static int take_packet(struct connection *connection, struct packet *packet)
{
        Wire__Packet *message;
        int r;

        if (packet->bytes_cut)
                return -EPROTO;
        message_arena_reset(&connection->arena);
        r = message_unpack_packet(&connection->arena, connection->incoming, packet->size, &message);
        if (r)
                return r == -ENOMEM ? r : -EPROTO;

        switch (message->kind_case) {
        case WIRE__PACKET__KIND_REPLY: return take_reply(connection, message->reply, packet);
        case WIRE__PACKET__KIND_NOTICE:
                if (has_rest(packet))
                        return -EPROTO;
                if (message->notice->goodbye)
                        resume_note_goodbye(connection, message->notice->goodbye);
                connection->ops->notice(connection->data, message->notice);
                return 0;
        default: return -EPROTO;
        }
}

static void close_rest(struct packet *packet)
{
        for (size_t i = 0; i < packet->count; i++) {
                if (packet->descriptors[i] >= 0)
                        close(packet->descriptors[i]);
        }
}

static const char *words_for_end(int r)
{
        if (r == -EPROTO)
                return "pard sent what this library does not understand";
        if (r == -PAR_GONE)
                return "pard was started anew, and does not know this session";
        return par_strerror(r);
}

/* Return: whether something was read. */
static bool read_one(struct connection *connection)
{
        struct packet packet;
        int r;

        do {
                r = packet_receive(connection->socket, connection->incoming,
                                   sizeof(connection->incoming), &packet);
        } while (r == -EINTR || r == -ECONNRESET); /* which comes before what it left to be read */
        if (r == -EAGAIN)
                return false;
        if (r || !packet.size) {
                if (!r)
                        close_rest(&packet);
                lose(connection, r ? par_strerror(r) : "pard closed it");
                return false;
        }

        r = take_packet(connection, &packet);
        close_rest(&packet);
        if (r)
                connection_end(connection, r, words_for_end(r));
        return true;
}

static bool may_read(const struct connection *connection)
{
        return !connection->gone && connection->resume.stage != RESUME_AWAY;
}

void connection_read(struct connection *connection)
{
        while (may_read(connection) && read_one(connection)) {
        }
        resume_go_on(connection);
}

bool connection_read_until(struct connection *connection, const struct request *request)
{
        while (may_read(connection) && !request->answered && read_one(connection)) {
        }
        resume_go_on(connection);
        return request->answered;
}
