/* SPDX-License-Identifier: MIT */
/*
 * Owns the way from a worker that died to the next one. The keeper has the memory and the listening
 * socket, so connecting succeeds at once, and the next worker answers as soon as it serves: it is
 * told the session's token, then which frames are mapped here, then every request that was under
 * way, with its old number. What the former worker had granted the new one knows, and answers
 * instead of granting it again.
 *
 * Where pard itself was stopped it has said goodbye. Then nobody is called before the file of the
 * socket shows that another pard serves: where systemd has the socket, a call would start a pard
 * which somebody has just stopped.
 *
 * Invariant: nothing new is sent before all of that, and it comes to an end: the clock is set as
 * long as the session is lost. Refuses to sleep.
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
#include <sys/stat.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

/* Numbers of frames in a packet: 10 bytes each at most. */
#define FRAMES_PER_PACKET 4096

/* How long to wait between tries, at first and at most: thousands come back at once, and there is
 * no room for all. */
#define TRY_FIRST_NS    (2 * NS_PER_MS)
#define TRY_DOUBLES_MAX 7

int resume_poll_socket(const struct connection *connection)
{
        return connection->resume.stage == RESUME_AWAY ? -1 : connection->socket;
}

short resume_poll_events(const struct connection *connection, bool to_send)
{
        switch (connection->resume.stage) {
        case RESUME_GREETING: return POLLIN;
        case RESUME_CATCHING_UP: return POLLIN | POLLOUT;
        default: return to_send ? POLLIN | POLLOUT : POLLIN;
        }
}

/* ---- the clock ------------------------------------------------------------------------------ */

static uint64_t now_ns(void)
{
        struct timespec now;

        clock_gettime(CLOCK_MONOTONIC, &now);
        return (uint64_t)now.tv_sec * NS_PER_S + (uint64_t)now.tv_nsec;
}

int connection_make_resumable(struct connection *connection, const char *name, uint64_t token)
{
        struct resume *resume = &connection->resume;
        int r;

        resume->clock = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
        r = resume->clock < 0 ? -errno : connection->ops->watch(connection->data, resume->clock);
        if (r)
                return error_set(r, "a clock for coming back: %s", par_strerror(r));
        resume->name = name;
        resume->token = token;
        return 0;
}

/* At @at_ns, or when the time is over. */
static void set_clock(struct resume *resume, uint64_t at_ns)
{
        struct itimerspec when = { 0 };

        if (at_ns > resume->deadline_ns)
                at_ns = resume->deadline_ns;
        when.it_value.tv_sec = (time_t)(at_ns / NS_PER_S);
        when.it_value.tv_nsec = (long)(at_ns % NS_PER_S);
        (void)timerfd_settime(resume->clock, TFD_TIMER_ABSTIME, &when, NULL);
}

/* Half of it to all of it, by chance: those who come back together do not stay together. */
static uint64_t about(uint64_t ns)
{
        uint64_t chance;

        if (getrandom(&chance, sizeof(chance), GRND_NONBLOCK) != (ssize_t)sizeof(chance))
                chance = now_ns();
        return ns / 2 + chance % (ns / 2 + 1);
}

static void try_later(struct resume *resume)
{
        unsigned doubles = resume->tries < TRY_DOUBLES_MAX ? resume->tries : TRY_DOUBLES_MAX;

        resume->tries++;
        set_clock(resume, now_ns() + about(TRY_FIRST_NS << doubles));
}

/* It rings once for each time it is set. */
static bool clock_rang(const struct resume *resume)
{
        uint64_t times;

        return read(resume->clock, &times, sizeof(times)) == sizeof(times);
}

static void stop_clock(struct resume *resume)
{
        const struct itimerspec never = { 0 };

        (void)timerfd_settime(resume->clock, 0, &never, NULL);
}

void resume_stop(struct connection *connection)
{
        struct resume *resume = &connection->resume;

        resume->stage = RESUME_NOT_NEEDED;
        resume->absent = false;
        if (resume->clock >= 0)
                close(STEAL_FD(resume->clock));
}

void resume_deinit(struct connection *connection)
{
        resume_stop(connection);
        free(connection->resume.path);
        connection->resume.path = NULL;
}

/* ---- goodbye -------------------------------------------------------------------------------- */

void resume_note_goodbye(struct connection *connection, const Wire__Goodbye *goodbye)
{
        struct resume *resume = &connection->resume;

        resume->absent = true;
        resume->socket_time = goodbye->socket_time;
        resume->wait_ms =
                goodbye->wait_ms < RESUME_ABSENCE_MS_MAX ? goodbye->wait_ms : RESUME_ABSENCE_MS_MAX;
        if (!goodbye->wait_ms)
                resume->token = 0;
}

static bool somebody_serves(const struct resume *resume)
{
        struct stat status;

        if (!resume->absent)
                return true;
        if (stat(resume->path, &status))
                return false;
        return (uint64_t)status.st_mtim.tv_sec * NS_PER_S + (uint64_t)status.st_mtim.tv_nsec !=
               resume->socket_time;
}

/* ---- another socket ------------------------------------------------------------------------- */

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
        connection->batch_max = reply->hello->batch_max;
        connection->resume.stage = RESUME_CATCHING_UP;
        return 0;
}

/* Whether a later try may do better. */
static bool passes(const struct resume *resume, int r)
{
        switch (r) {
        case -EAGAIN: /* the daemon's queue of connections is full */
        case -EINTR:
        case -EMFILE: /* this process, or the system, is short of something */
        case -ENFILE:
        case -ENOBUFS:
        case -ENOMEM:
        case -ENOSPC: return true;
        case -ECONNREFUSED: /* the socket is just being made */
        case -ENOENT: return resume->absent;
        default: return false;
        }
}

/* Return: 0, also where the other end is gone already, which reading tells; -errno that passes. */
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
        if (passes(resume, r))
                return r;
        resume->hello = (struct request){ .take = take_welcome_back,
                                          .message = &resume->message,
                                          .seq = resume->message.seq };
        TAILQ_INSERT_HEAD(&connection->requests, &resume->hello, link);
        resume->absent = false;
        resume->tries++;
        resume->stage = RESUME_GREETING;
        set_clock(resume, UINT64_MAX);
        return 0;
}

/* Return: 0: there is another socket; -EAGAIN: nobody serves yet; another -errno. */
static int reach_next(struct connection *connection)
{
        int r;

        r = somebody_serves(&connection->resume) ? replace_socket(connection) : -EAGAIN;
        return r ? r : connection->ops->watch(connection->data, connection->socket);
}

/* Return: 0: somebody was greeted, or it is tried again later; -errno. */
static int try_now(struct connection *connection)
{
        struct resume *resume = &connection->resume;
        int r;

        r = reach_next(connection);
        if (!r)
                r = greet(connection);
        if (!passes(resume, r))
                return r;
        try_later(resume);
        return 0;
}

int resume_begin(struct connection *connection)
{
        struct resume *resume = &connection->resume;
        struct request *request;

        if (!resume->token)
                return -PAR_GONE;
        if (resume->stage == RESUME_NOT_NEEDED || resume->absent) {
                const uint64_t ms = resume->absent ? resume->wait_ms : RESUME_LOST_MS;

                resume->deadline_ns = now_ns() + ms * NS_PER_MS;
                resume->tries = 0;
        }
        if (resume->stage == RESUME_GREETING && !resume->hello.answered)
                TAILQ_REMOVE(&connection->requests, &resume->hello, link);
        connection->ops->lost(connection->data);
        connection->unawaited = 0;
        resume->told = 0;
        TAILQ_FOREACH (request, &connection->requests, link)
                request->unsent = true;
        resume->stage = RESUME_AWAY;
        if (!resume->tries)
                return try_now(connection);
        try_later(resume);
        return 0;
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

static void catch_up(struct connection *connection)
{
        int r;

        r = tell_kept(connection);
        if (!r)
                r = ask_again(connection);
        if (r) /* no room for now; or this worker is gone as well, which reading tells */
                return;
        stop_clock(&connection->resume);
        connection->resume.stage = RESUME_NOT_NEEDED;
        connection->resume.count++;
        connection_tell_of_room(connection);
        connection->ops->resumed(connection->data);
}

/* Whether the session is still to be saved. */
static bool keep_time(struct connection *connection)
{
        struct resume *resume = &connection->resume;
        int r;

        if (!clock_rang(resume))
                return true;
        if (now_ns() >= resume->deadline_ns) {
                connection_end(connection, -PAR_GONE, "no pard has served it in time");
                return false;
        }
        r = resume->stage == RESUME_AWAY ? try_now(connection) : 0;
        if (r)
                connection_end(connection, -PAR_GONE, par_strerror(r));
        return !r;
}

void resume_go_on(struct connection *connection)
{
        struct resume *resume = &connection->resume;

        if (connection->gone || resume->stage == RESUME_NOT_NEEDED || !keep_time(connection))
                return;
        if (resume->stage == RESUME_GREETING && resume->hello.answered)
                connection_end(connection, -PAR_GONE, resume->hello.sentence);
        else if (resume->stage == RESUME_CATCHING_UP)
                catch_up(connection);
}
