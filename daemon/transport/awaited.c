/* SPDX-License-Identifier: MIT */
/*
 * Owns a pidfd for each client that is awaited. Its number was the kernel's word when the session
 * began, and the session would have ended with the process: only one that died and was reaped in
 * the moments without a worker can have left its number to another. That one's memory is held until
 * the other is gone, too.
 */
#include "awaited.h"

#include "peer.h"
#include "server_private.h"

#include "macros.h"

#include <errno.h>
#include <event2/event.h>
#include <stdlib.h>
#include <sys/queue.h>
#include <unistd.h>

struct awaited {
        struct server *server;
        struct client *client;
        int pidfd;
        struct event *death;
        LIST_ENTRY(awaited) link; /* server::awaited */
};

static void awaited_free(struct awaited *awaited)
{
        if (awaited->death)
                event_free(awaited->death);
        if (awaited->pidfd >= 0)
                close(awaited->pidfd);
        free(awaited);
}

DEFINE_CLEANUP(struct awaited, awaited_free)

static void on_death(evutil_socket_t fd, short what, void *data)
{
        struct awaited *awaited = data;
        struct server *server = awaited->server;

        (void)fd;
        (void)what;
        LIST_REMOVE(awaited, link);
        client_end(server->state, awaited->client, false, server_now_ns());
        awaited_free(awaited);
        server_settle(server);
}

/* Where this fails the client has only the time that the state gives it. Return: 0; -ESRCH: its
 * process is no more. */
static int watch(struct server *server, struct client *client)
{
        _cleanup_(awaited_freep) struct awaited *awaited = calloc(1, sizeof(*awaited));

        if (!awaited)
                return 0;
        awaited->server = server;
        awaited->client = client;
        awaited->pidfd = peer_open_pidfd(client_pid(client));
        if (awaited->pidfd < 0) /* one of another PID namespace has no number here */
                return awaited->pidfd == -ESRCH && client_pid(client) ? -ESRCH : 0;
        awaited->death = event_new(server->base, awaited->pidfd, EV_READ, on_death, awaited);
        if (!awaited->death || event_add(awaited->death, NULL))
                return 0;
        client_watched(server->state, client, awaited);
        LIST_INSERT_HEAD(&server->awaited, awaited, link);
        (void)STEAL(awaited);
        return 0;
}

/* Who is dead already ends before anybody else comes: whoever follows him answers for what he has
 * left behind. */
void awaited_watch(struct server *server)
{
        struct client *client = state_next_awaited(server->state, NULL), *next;

        for (; client; client = next) {
                next = state_next_awaited(server->state, client);
                if (watch(server, client) == -ESRCH)
                        client_end(server->state, client, false, server_now_ns());
        }
}

void awaited_forget(struct server *server, const struct client *client)
{
        struct awaited *awaited = client_watch(client);

        (void)server;
        if (!awaited)
                return;
        LIST_REMOVE(awaited, link);
        awaited_free(awaited);
}

void awaited_free_all(struct server *server)
{
        struct awaited *awaited;

        while ((awaited = LIST_FIRST(&server->awaited))) {
                LIST_REMOVE(awaited, link);
                awaited_free(awaited);
        }
}
