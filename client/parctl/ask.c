/* SPDX-License-Identifier: MIT */
/*
 * Owns one connection. Waits for one reply at a time, for a bounded time; refuses packets that are
 * none of the protocol, and closes descriptors, since nothing that is asked here comes with any.
 */
#include "ask.h"

#include "arguments.h"
#include "complain.h"
#include "exits.h"
#include "macros.h"
#include "packet.h"
#include "protocol.h"
#include "result.h"
#include "safe_text.h"
#include "stop.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#define ANSWER_SECONDS 30

struct ask {
        int socket;
        uint32_t seq;
        struct message_arena arena;
        unsigned char bytes[PACKET_BYTES_MAX];
};

static int say(int status, const char *what, int error)
{
        complain("%s: %s", what, strerror(error));
        return status;
}

/* The same as nobody there: trying again later may help. alloc says so, too. */
static int gone(void)
{
        complain("pard closed the connection");
        return EXIT_NO_DAEMON;
}

static int connect_to(struct ask *ask, const char *path)
{
        const struct timeval limit = { .tv_sec = ANSWER_SECONDS };
        struct sockaddr_un address = { .sun_family = AF_UNIX };

        if (strlen(path) >= sizeof(address.sun_path))
                return say(EXIT_OTHER, path, ENAMETOOLONG);
        memcpy(address.sun_path, path, strlen(path) + 1);
        ask->socket = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
        if (ask->socket < 0)
                return say(EXIT_OTHER, "no socket can be made", errno);
        if (setsockopt(ask->socket, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)) ||
            setsockopt(ask->socket, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit)))
                return say(EXIT_OTHER, "the socket takes no time limit", errno);
        if (connect(ask->socket, (struct sockaddr *)&address, sizeof(address)) == 0)
                return 0;
        if (errno == ENOENT || errno == ECONNREFUSED) {
                complain("no pard listens on %s", path);
                return EXIT_NO_DAEMON;
        }
        if (errno == EACCES)
                complain("you may not connect to %s", path);
        else
                say(EXIT_OTHER, path, errno);
        return EXIT_OTHER;
}

static int send_request(struct ask *ask, Wire__Request *request)
{
        size_t size;
        int r;

        request->seq = ++ask->seq;
        r = message_pack_request(request, ask->bytes, sizeof(ask->bytes), &size);
        if (!r)
                r = packet_send(ask->socket, ask->bytes, size, NULL, 0);
        if (r == -EPIPE || r == -ECONNRESET)
                return gone();
        return r ? say(EXIT_OTHER, "the request cannot be sent", -r) : 0;
}

/* The reply to our request; notices are for clients with memory and are passed over. */
static int receive_reply(struct ask *ask, const Wire__Reply **ret)
{
        Wire__Packet *message;
        struct packet packet;
        int r;

        for (;;) {
                do
                        r = packet_receive(ask->socket, ask->bytes, sizeof(ask->bytes), &packet);
                while (r == -EINTR && !stop_signal());
                /* Who says stop needs no explanation. */
                if (r == -EINTR)
                        return EXIT_OTHER;
                if (r == -EAGAIN)
                        return say(EXIT_OTHER, "pard does not answer", ETIMEDOUT);
                if (r || packet.size == 0)
                        return gone();
                packet_close_descriptors(&packet);
                message_arena_reset(&ask->arena);
                r = packet.bytes_cut
                            ? -EBADMSG
                            : message_unpack_packet(&ask->arena, ask->bytes, packet.size, &message);
                if (r)
                        return say(EXIT_OTHER, "pard's answer cannot be read", -r);
                if (message->kind_case == WIRE__PACKET__KIND_REPLY &&
                    message->reply->seq == ask->seq) {
                        *ret = message->reply;
                        return 0;
                }
        }
}

/* Tell why pard said no. */
static int refused(const Wire__Reply *reply)
{
        const Wire__Refusal *refusal = reply->refusal;
        char safe[SAFE_TEXT_BYTES];
        const char *sentence =
                refusal && *refusal->sentence ? safe_text(refusal->sentence, safe) : NULL;

        if (!par_is_refusal((int)reply->result)) {
                complain("pard failed: %s", sentence ? sentence : strerror((int)reply->result));
                return EXIT_OTHER;
        }
        complain("%s", sentence ? sentence : par_refusal_name((int)reply->result));
        return refusal && refusal->permanent ? EXIT_REFUSED_EVER : EXIT_REFUSED;
}

int ask_request(struct ask *ask, Wire__Request *request, const Wire__Reply **ret)
{
        const Wire__Reply *reply;
        int status;

        status = send_request(ask, request);
        if (!status)
                status = receive_reply(ask, &reply);
        if (!status && reply->result)
                status = refused(reply);
        if (!status)
                *ret = reply;
        return status;
}

int ask_for(struct ask *ask, Wire__Request *request, Wire__Reply__BodyCase body,
            const Wire__Reply **ret)
{
        const Wire__Reply *reply;
        int status;

        status = ask_request(ask, request, &reply);
        if (status)
                return status;
        if (reply->body_case != body) {
                complain("pard answered something else");
                return EXIT_OTHER;
        }
        *ret = reply;
        return 0;
}

static int say_hello(struct ask *ask)
{
        Wire__Request request = WIRE__REQUEST__INIT;
        Wire__Hello hello = WIRE__HELLO__INIT;
        char name[] = "parctl";
        const Wire__Reply *reply;
        int status;

        hello.version = PROTOCOL_VERSION;
        hello.client_name = name;
        request.body_case = WIRE__REQUEST__BODY_HELLO;
        request.hello = &hello;
        status = ask_for(ask, &request, WIRE__REPLY__BODY_HELLO, &reply);
        if (status)
                return status;
        if (reply->hello->version != PROTOCOL_VERSION) {
                complain("pard speaks another version of the protocol");
                return EXIT_OTHER;
        }
        return 0;
}

int ask_open(const char *socket_path, struct ask **ret)
{
        struct ask *ask = calloc(1, sizeof(*ask));
        const char *path = socket_path;
        int status;

        if (!ask)
                return say(EXIT_OTHER, "memory", ENOMEM);
        ask->socket = -1;
        if (!path)
                path = getenv("PAR_SOCKET");
        if (!path || !*path)
                path = SOCKET_DEFAULT;
        status = connect_to(ask, path);
        if (!status)
                status = say_hello(ask);
        if (status) {
                ask_close(ask);
                return status;
        }
        *ret = ask;
        return 0;
}

void ask_close(struct ask *ask)
{
        if (!ask)
                return;
        if (ask->socket >= 0)
                close(ask->socket);
        message_arena_deinit(&ask->arena);
        free(ask);
}

int ask_once(const struct arguments *arguments,
             int (*what)(struct ask *ask, const struct arguments *arguments))
{
        struct ask *ask;
        int status;

        status = ask_open(arguments->socket_path, &ask);
        if (status)
                return status;
        status = what(ask, arguments);
        ask_close(ask);
        return status;
}
