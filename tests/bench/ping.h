/* SPDX-License-Identifier: MIT */
/*
 * What two processes cannot be quicker than: a server in a process of its own, which answers what
 * is said to it over a SOCK_SEQPACKET socket, and does nothing else.
 */
#pragma once

#include "packet.h"

#include <sys/types.h>

/* What the round trip is made of; each has all of those before it. */
enum ping_kind {
        PING_BARE,       /* recv() and send() */
        PING_EVENT,      /* the server's is an event loop of libevent */
        PING_MESSAGE,    /* both sides pack and unpack messages with protobuf-c */
        PING_DESCRIPTOR, /* the first answer of a pair brings a descriptor */
};

/* The two questions: what par_alloc() and par_free() send, with answers as pard's. */
enum ping_question { PING_ALLOC, PING_FREE, PING_QUESTIONS };

/* More connections than these to one server are not for comparing. */
#define PING_CONNECTIONS_MAX 1000

/**
 * struct ping - the client's side
 * @sockets: @count of them, connected to one server
 * @next:   whose turn it is
 * @server: its process
 * @spins:  look again and again for the answer, instead of sleeping
 * @sizes:  of the questions, for those that are not packed each time
 */
struct ping {
        enum ping_kind kind;
        int sockets[PING_CONNECTIONS_MAX];
        size_t count, next;
        pid_t server;
        bool spins;
        size_t sizes[PING_QUESTIONS];
        unsigned char bytes[PACKET_BYTES_MAX];
};

/**
 * ping_start() - start a server
 * @ping: filled in; ping_stop() it
 * @connections: 1 to PING_CONNECTIONS_MAX; of more than one each has a question in turn, and the
 *        server is PING_EVENT or more
 *
 * The server runs where the calling thread may run now, and dies with it.
 *
 * Return: 0; negative errno.
 */
int ping_start(struct ping *ping, enum ping_kind kind, size_t connections);
void ping_stop(struct ping *ping);

/* One round trip, on the connection whose turn it is. Return: 0; negative errno, -EPROTO where the
 * answer is none. */
int ping_once(struct ping *ping, enum ping_question question);

/* The next connection's turn. */
void ping_turn(struct ping *ping);
