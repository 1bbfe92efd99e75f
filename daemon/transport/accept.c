/* SPDX-License-Identifier: MIT */
/*
 * Owns nothing. There are places for all clients that there may be, and for some more who said no
 * Hello yet. Refuses to let one uid keep all of them: where none is left, who has more than his
 * share makes way.
 */
#include "accept.h"

#include "log.h"
#include "server_private.h"

#include <errno.h>
#include <event2/event.h>
#include <string.h>
#include <sys/socket.h>

/* Who is asked to make way for one connection, before that has to do without a place. */
#define PLACE_TRIES_MAX 4

/* How long the listening socket rests where there is no room for another connection, and where
 * those that ended are not closed yet. */
static const struct timeval accept_rest = { 0, 100000 }, accept_pause = { 0, 2000 };

/*
 * Have one who only keeps his place make way. Whose Hello has come and was not read yet does not
 * wait in vain: it is answered, and he is a stranger no longer. He who ends is freed with this
 * event; he does not make way twice.
 *
 * Return: whether a place is free, or will be.
 */
static bool make_room(struct server *server)
{
        for (int i = 0; i < PLACE_TRIES_MAX; i++) {
                struct session *session = strangers_first_to_go(&server->strangers);

                if (!session)
                        return false;
                if (!session->end)
                        session_take_turn(session);
                if (session->client)
                        continue;
                strangers_remove(&server->strangers, session);
                session_blame(session, "no Hello, and others need its place");
                return true;
        }
        return false;
}

static void rest(struct server *server, const struct timeval *time)
{
        event_del(server->acceptable);
        event_add(server->accept_again, time);
}

bool accept_one(struct server *server)
{
        size_t room = (size_t)server->state_settings->max_clients + SERVER_STRANGERS_MAX;
        int socket, r;

        if (reaper_is_behind(server->reaper)) {
                rest(server, &accept_pause);
                return false;
        }
        socket = accept4(server->listen_fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (socket < 0 && (errno == EAGAIN || errno == EINTR || errno == ECONNABORTED))
                return errno != EAGAIN;
        if (socket < 0) {
                if (log_rate_allows(&server->rests))
                        log_warning("no further connection can be accepted for now: %s",
                                    strerror(errno));
                rest(server, &accept_rest);
                return false;
        }
        if (server->n_sessions >= room && !make_room(server)) {
                reaper_close_session(server->reaper, socket);
                return true;
        }
        r = session_new(server, socket);
        if (r && r != -ESRCH) /* dead already: nobody to serve */
                log_warning("a connection could not be served: %s", strerror(-r));
        return true;
}
