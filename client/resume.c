/* SPDX-License-Identifier: MIT */
/*
 * Owns the way from a worker that died to the next one. The keeper has the memory and the listening
 * socket, so connecting succeeds at once, and the next worker answers as soon as it serves: it is
 * told the session's token, then which frames are mapped here, then every request that was under
 * way, with its old number. What the former worker had granted the new one knows, and answers
 * instead of granting it again.
 *
 * Invariant: nothing new is sent before all of that. Refuses to sleep but for a moment, in which
 * the daemon's queue of connections is full, or this process is short of descriptors.
 */
#include "resume.h"

#include "connection_wait.h"

#include "macros.h"
#include "protocol.h"
#include "result.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

/* Numbers of frames in a packet: 10 bytes each at most. */
#define FRAMES_PER_PACKET 4096

/* Where thousands come back at once there is no room for all: how often to try a step, and how long
 * to wait in between at first and at most. In all that is about a second. */
#define TRIES_MAX      12
#define TRY_FIRST_US   2000u
#define TRY_LONGEST_US 200000u

void connection_make_resumable(struct connection *connection, const char *name, uint64_t token)
{
        connection->resume.name = name;
        connection->resume.token = token;
}

short resume_poll_events(const struct connection *connection, bool to_send)
{
        switch (connection->resume.stage) {
        case RESUME_GREETING: return POLLIN;
        case RESUME_CATCHING_UP: return POLLIN | POLLOUT;
        default: return to_send ? POLLIN | POLLOUT : POLLIN;
        }
}

/* ---- another socket ------------------------------------------------------------------------- */

/* Half of it to all of it, by chance: those who come back together do not stay together. */
static void nap(unsigned us)
{
        unsigned chance = 0;

        if (getrandom(&chance, sizeof(chance), GRND_NONBLOCK) < 0)
                chance = 0;
        us = us / 2 + chance % (us / 2 + 1);
        nanosleep(&(struct timespec){ .tv_nsec = us * 1000L }, NULL);
}

/* Room in the daemon's queue, descriptors, memory: a moment later there may be some. */
static bool passes(int r)
{
        return r == -EAGAIN || r == -EINTR || r == -EMFILE || r == -ENFILE || r == -ENOBUFS ||
               r == -ENOMEM || r == -ENOSPC;
}

/* Take a step of the way, again and again where that may help. Return: what it gave at last. */
static int persist(struct connection *connection, int (*step)(struct connection *connection))
{
        unsigned us = TRY_FIRST_US;
        int r = -EAGAIN;

        for (unsigned i = 0; i < TRIES_MAX && passes(r); i++) {
                if (i)
                        nap(us);
                us = us < TRY_LONGEST_US / 2 ? us * 2 : TRY_LONGEST_US;
                r = step(connection);
        }
        return r;
}

/* Under the same number: others may be asleep on it, or about to be. Return: 0; -errno. */
static int replace_socket(struct connection *connection)
{
        int fd, r;

        r = connection_open(connection->resume.path, &fd);
        if (r)
                return r;
        if (dup3(fd, connection->socket, O_CLOEXEC) < 0)
                r = -errno;
        close(fd);
        /* poll() looks at the number again whenever it wakes, but waits for news only of what it
         * saw at first. */
        connection_wake_sleepers(connection);
        return r;
}

static int tell_found(struct connection *connection)
{
        return connection->ops->found(connection->data);
}

/* ---- greeting ------------------------------------------------------------------------------- */

static int take_welcome_back(struct request *request, const Wire__Reply *reply,
                             struct packet *packet)
{
        struct connection *connection = CONTAINER_OF(request, struct connection, resume.hello);

        (void)packet;
        if (reply->body_case != WIRE__REPLY__BODY_HELLO ||
            reply->hello->version != PROTOCOL_VERSION)
                return -EPROTO;
        if (!reply->hello->resumed)
                return -PAR_GONE;
        connection->resume.stage = RESUME_CATCHING_UP;
        return 0;
}

static int greet(struct connection *connection)
{
        struct resume *resume = &connection->resume;
        int r;

        wire__hello__init(&resume->body);
        wire__request__init(&resume->message);
        resume->body.version = PROTOCOL_VERSION;
        resume->body.client_name = (char *)(uintptr_t)resume->name;
        resume->body.resume_token = resume->token;
        resume->message.body_case = WIRE__REQUEST__BODY_HELLO;
        resume->message.hello = &resume->body;
        resume->message.seq = connection_unawaited_seq(connection);
        r = connection_post(connection, &resume->message);
        if (r)
                return r;
        resume->hello = (struct request){ .take = take_welcome_back,
                                          .message = &resume->message,
                                          .seq = resume->message.seq };
        TAILQ_INSERT_HEAD(&connection->requests, &resume->hello, link);
        return 0;
}

int resume_begin(struct connection *connection)
{
        struct resume *resume = &connection->resume;
        struct request *request;
        int r;

        if (!resume->token)
                return -PAR_GONE;
        if (resume->stage == RESUME_GREETING && !resume->hello.answered)
                TAILQ_REMOVE(&connection->requests, &resume->hello, link);
        connection->ops->lost(connection->data);
        connection->unawaited = 0;
        r = persist(connection, replace_socket);
        if (!r)
                r = persist(connection, tell_found);
        if (r)
                return r;
        TAILQ_FOREACH (request, &connection->requests, link)
                request->unsent = true;
        resume->stage = RESUME_GREETING;
        resume->told = 0;
        return persist(connection, greet);
}

/* ---- catching up ---------------------------------------------------------------------------- */

/* Return: 0: all were told; -EAGAIN; another -errno. */
static int tell_kept(struct connection *connection)
{
        uint64_t frames[FRAMES_PER_PACKET];
        Wire__Kept body = WIRE__KEPT__INIT;
        Wire__Request message = WIRE__REQUEST__INIT;
        int r;

        message.body_case = WIRE__REQUEST__BODY_KEPT;
        message.kept = &body;
        body.frames = frames;
        for (;;) {
                body.n_frames = connection->ops->mapped(connection->data, connection->resume.told,
                                                        frames, FRAMES_PER_PACKET);
                if (!body.n_frames)
                        return 0;
                message.seq = connection_unawaited_seq(connection);
                r = connection_post(connection, &message);
                if (r)
                        return r;
                connection->unawaited++;
                connection->resume.told = frames[body.n_frames - 1];
        }
}

static int ask_again(struct connection *connection)
{
        struct request *request;
        int r;

        TAILQ_FOREACH (request, &connection->requests, link) {
                if (!request->unsent)
                        continue;
                if (request->again)
                        request->again(request);
                r = connection_post(connection, request->message);
                if (r)
                        return r;
                request->unsent = false;
                request->resent = true;
        }
        return 0;
}

void resume_go_on(struct connection *connection)
{
        int r;

        if (connection->gone)
                return;
        if (connection->resume.stage == RESUME_GREETING && connection->resume.hello.answered)
                connection_end(connection, -PAR_GONE, connection->resume.hello.sentence);
        if (connection->resume.stage != RESUME_CATCHING_UP)
                return;
        r = tell_kept(connection);
        if (!r)
                r = ask_again(connection);
        if (r) /* no room for now; or this worker is gone as well, which reading tells */
                return;
        connection->resume.stage = RESUME_NOT_NEEDED;
        connection->resume.count++;
        connection_tell_of_room(connection);
        connection->ops->resumed(connection->data);
}
