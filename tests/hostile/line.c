/* SPDX-License-Identifier: MIT */
/* Owns one socket and the arena of its last packet. Refuses to end the process: that is for who
 * finds something. */
#include "line.h"

#include "process.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define END_MS 10000

const unsigned char line_hello[6] = { 0x08, 0x01, 0x12, 0x02, 0x08, 0x01 };

static const char *client_name = "hostile";

void line_call_clients(const char *name)
{
        client_name = name;
}

bool line_connect(struct line *ret)
{
        struct sockaddr_un address = { .sun_family = AF_UNIX };
        const char *path = getenv("PAR_SOCKET");
        int error;

        *ret = (struct line){ .fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0) };
        if (ret->fd < 0 || !path)
                return false;
        snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
        if (connect(ret->fd, (struct sockaddr *)&address, sizeof(address)) == 0)
                return true;
        error = errno;
        line_close(ret);
        errno = error;
        return false;
}

void line_close(struct line *line)
{
        packet_close_descriptors(&line->got);
        line->got.count = 0;
        message_arena_deinit(&line->arena);
        line->arena = (struct message_arena){ 0 };
        if (line->fd >= 0)
                close(line->fd);
        line->fd = -1;
}

bool line_open(struct line *ret, uint64_t token)
{
        Wire__Request request = WIRE__REQUEST__INIT;
        Wire__Hello hello = WIRE__HELLO__INIT;
        char name[64];
        const Wire__Reply *reply;

        if (!line_connect(ret))
                return false;
        snprintf(name, sizeof(name), "%s", client_name);
        hello.version = 1;
        hello.client_name = name;
        hello.resume_token = token;
        request.body_case = WIRE__REQUEST__BODY_HELLO;
        request.hello = &hello;
        reply = line_ask(ret, &request);
        if (!reply || reply->result || reply->body_case != WIRE__REPLY__BODY_HELLO) {
                line_close(ret);
                return false;
        }
        ret->token = reply->hello->resume_token;
        ret->client = reply->hello->client;
        ret->resumed = reply->hello->resumed;
        return true;
}

bool line_say(const struct line *line, const void *bytes, size_t size)
{
        return send(line->fd, bytes, size, MSG_NOSIGNAL | MSG_DONTWAIT) == (ssize_t)size;
}

/* Return: the packet's size; 0: the line is over; -1: nothing came in time. */
static int receive(struct line *line, int wait_ms, char *bytes)
{
        struct pollfd wait = { .fd = line->fd, .events = POLLIN };
        int r;

        packet_close_descriptors(&line->got);
        line->got.count = 0;
        if (poll(&wait, 1, wait_ms) <= 0)
                return -1;
        r = packet_receive(line->fd, bytes, PACKET_BYTES_MAX, &line->got);
        return r ? 0 : (int)line->got.size;
}

bool line_drain(struct line *line, int wait_ms)
{
        static char bytes[PACKET_BYTES_MAX];
        int size;

        do
                size = receive(line, wait_ms, bytes);
        while (size > 0);
        return size < 0;
}

bool line_ends(struct line *line)
{
        bool over = !line_drain(line, END_MS);

        line_close(line);
        return over;
}

bool line_send(struct line *line, Wire__Request *request)
{
        char bytes[4096];
        size_t size;

        request->seq = ++line->seq;
        if (message_pack_request(request, bytes, sizeof(bytes), &size))
                die("a hostile request does not fit");
        return packet_send(line->fd, bytes, size, NULL, 0) == 0;
}

const Wire__Reply *line_ask(struct line *line, Wire__Request *request)
{
        static char bytes[PACKET_BYTES_MAX];
        Wire__Packet *packet;
        int size;

        if (!line_send(line, request))
                return NULL;
        for (;;) {
                size = receive(line, -1, bytes);
                if (size <= 0)
                        return NULL;
                message_arena_reset(&line->arena);
                if (message_unpack_packet(&line->arena, bytes, (size_t)size, &packet))
                        die("pard sent what is no packet");
                if (packet->kind_case == WIRE__PACKET__KIND_REPLY &&
                    packet->reply->seq == request->seq)
                        return packet->reply;
        }
}

static int result_of(const Wire__Reply *reply)
{
        return reply ? (int)reply->result : -1;
}

int line_alloc(struct line *line, uint64_t bytes, int32_t wait_ms, uint64_t *ret_buffer)
{
        Wire__Constraint constraint = WIRE__CONSTRAINT__INIT;
        Wire__Request request = WIRE__REQUEST__INIT;
        Wire__Alloc alloc = WIRE__ALLOC__INIT;
        const Wire__Reply *reply;

        constraint.max_segments = UINT32_MAX;
        alloc.size = bytes;
        alloc.wait_ms = wait_ms;
        alloc.constraint = &constraint;
        request.body_case = WIRE__REQUEST__BODY_ALLOC;
        request.alloc = &alloc;
        reply = line_ask(line, &request);
        if (reply && !reply->result)
                *ret_buffer = reply->alloc->buffer;
        return result_of(reply);
}

int line_free(struct line *line, uint64_t buffer)
{
        Wire__Request request = WIRE__REQUEST__INIT;
        Wire__Free body = WIRE__FREE__INIT;

        body.buffer = buffer;
        request.body_case = WIRE__REQUEST__BODY_FREE;
        request.free = &body;
        return result_of(line_ask(line, &request));
}

int line_bye(struct line *line)
{
        Wire__Request request = WIRE__REQUEST__INIT;
        Wire__Bye bye = WIRE__BYE__INIT;

        request.body_case = WIRE__REQUEST__BODY_BYE;
        request.bye = &bye;
        return result_of(line_ask(line, &request));
}
