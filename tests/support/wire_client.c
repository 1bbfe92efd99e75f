/* SPDX-License-Identifier: MIT */
/* Owns one socket and the arena of its last reply. Refuses notices politely: it reads past them. */
#include "wire_client.h"

#include "process.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define PROTOCOL_VERSION 1

static int connect_to(const char *socket_path)
{
        struct sockaddr_un address = { .sun_family = AF_UNIX };
        int fd;

        snprintf(address.sun_path, sizeof(address.sun_path), "%s", socket_path);
        fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
        if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
                die("%s: %s", socket_path, strerror(errno));
        return fd;
}

/* @token: 0: a new session. */
static void say_hello(struct wire_client *client, const char *name, uint64_t token)
{
        Wire__Request request = WIRE__REQUEST__INIT;
        Wire__Hello hello = WIRE__HELLO__INIT;
        char client_name[64];
        const Wire__Reply *reply;

        snprintf(client_name, sizeof(client_name), "%s", name);
        hello.version = PROTOCOL_VERSION;
        hello.client_name = client_name;
        hello.resume_token = token;
        request.body_case = WIRE__REQUEST__BODY_HELLO;
        request.hello = &hello;
        reply = wire_client_ask(client, &request);
        if (reply->result)
                die("hello: result %u", reply->result);
        if (token && !reply->hello->resumed)
                die("hello: the session is not known any more");
        client->token = reply->hello->resume_token;
}

void wire_client_open(const char *socket_path, const char *name, struct wire_client *ret)
{
        *ret = (struct wire_client){ .fd = connect_to(socket_path) };
        say_hello(ret, name, 0);
}

void wire_client_resume(const char *socket_path, struct wire_client *client)
{
        close(client->fd);
        client->fd = connect_to(socket_path);
        say_hello(client, "", client->token);
}

void wire_client_abandon(struct wire_client *client)
{
        packet_close_descriptors(&client->got);
        close(client->fd);
        message_arena_deinit(&client->arena);
}

void wire_client_close(struct wire_client *client)
{
        Wire__Request request = WIRE__REQUEST__INIT;
        Wire__Bye bye = WIRE__BYE__INIT;

        request.body_case = WIRE__REQUEST__BODY_BYE;
        request.bye = &bye;
        wire_client_ask(client, &request);
        wire_client_abandon(client);
}

static Wire__Packet *receive(struct wire_client *client)
{
        static char bytes[PACKET_BYTES_MAX];
        struct packet *packet = &client->got;
        Wire__Packet *message;
        int r;

        packet_close_descriptors(packet);
        do
                r = packet_receive(client->fd, bytes, sizeof(bytes), packet);
        while (r == -EINTR);
        if (r || packet->size == 0)
                die("no reply: %s", r ? strerror(-r) : "pard closed the session");
        message_arena_reset(&client->arena);
        r = message_unpack_packet(&client->arena, bytes, packet->size, &message);
        if (r)
                die("a reply that is none: %s", strerror(-r));
        return message;
}

const Wire__Reply *wire_client_ask(struct wire_client *client, Wire__Request *request)
{
        char bytes[4096];
        Wire__Packet *packet;
        size_t size;
        int r;

        request->seq = ++client->seq;
        r = message_pack_request(request, bytes, sizeof(bytes), &size);
        if (!r)
                r = packet_send(client->fd, bytes, size, NULL, 0);
        if (r)
                die("a request cannot be sent: %s", strerror(-r));
        do
                packet = receive(client);
        while (packet->kind_case != WIRE__PACKET__KIND_REPLY);
        if (packet->reply->seq != request->seq)
                die("reply %u to request %u", packet->reply->seq, request->seq);
        return packet->reply;
}

const Wire__Status *wire_client_status(struct wire_client *client)
{
        Wire__Request request = WIRE__REQUEST__INIT;
        Wire__List list = WIRE__LIST__INIT;
        const Wire__Reply *reply;

        request.body_case = WIRE__REQUEST__BODY_STATUS;
        request.status = &list;
        reply = wire_client_ask(client, &request);
        if (reply->result || reply->body_case != WIRE__REPLY__BODY_STATUS)
                die("status: result %u", reply->result);
        return reply->status;
}

const Wire__Pool *wire_client_pool(struct wire_client *client, const char *pool)
{
        Wire__Request request = WIRE__REQUEST__INIT;
        Wire__List list = WIRE__LIST__INIT;
        const Wire__Reply *reply;

        request.body_case = WIRE__REQUEST__BODY_POOLS;
        request.pools = &list;
        reply = wire_client_ask(client, &request);
        if (reply->result || reply->body_case != WIRE__REPLY__BODY_POOLS)
                die("pools: result %u", reply->result);
        for (size_t i = 0; i < reply->pools->n_pools; i++)
                if (strcmp(reply->pools->pools[i]->pool, pool) == 0)
                        return reply->pools->pools[i];
        die("there is no pool %s", pool);
}

void check_sum_of_states(const Wire__StateBytes *bytes)
{
        uint64_t sum = bytes->free + bytes->granted + bytes->reusable + bytes->leaving +
                       bytes->lingering + bytes->quarantined + bytes->retired;

        if (sum != bytes->held)
                die("%llu bytes in all states, %llu held", (unsigned long long)sum,
                    (unsigned long long)bytes->held);
}
