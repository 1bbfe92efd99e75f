/* SPDX-License-Identifier: MIT */
/*
 * Owns the event loop, the listening socket and every session. Invariant: the state is only changed
 * inside an event, and every event ends with server_settle(), which sends what came of it; so no
 * operation of the state has to send, free or call back. Refuses to block: what can block is the
 * reaper's.
 */
#include "server.h"

#include "accept.h"
#include "awaited.h"
#include "goodbye.h"
#include "log.h"
#include "metrics_http.h"
#include "server_private.h"

#include "macros.h"

#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

/* What is done in one event, and of slow ones one after another, before quick ones get their turn.
 */
#define ACCEPTS_PER_TURN 16
#define SLOW_PER_TURN    16

uint64_t server_now_ns(void)
{
        struct timespec now;

        clock_gettime(CLOCK_MONOTONIC, &now);
        return (uint64_t)now.tv_sec * NS_PER_S + (uint64_t)now.tv_nsec;
}

static void stop(struct server *server, int r)
{
        if (!server->result)
                server->result = r;
        event_base_loopbreak(server->base);
}

/* ---- after every event ---------------------------------------------------------------------- */

void server_work(struct server *server)
{
        struct session *session, *ended = NULL;

        /* Sessions that end stay at the front, in front of the first that was seen to. */
        while ((session = TAILQ_FIRST(&server->busy)) && session != ended) {
                session_work(session);
                TAILQ_REMOVE(&server->busy, session, busy_link);
                session->busy = false;
                if (session->end) {
                        session->busy = true;
                        TAILQ_INSERT_TAIL(&server->busy, session, busy_link);
                        if (!ended)
                                ended = session;
                }
        }
}

static void set_tick(struct server *server)
{
        uint64_t due_ns = state_next_due(server->state), now_ns, after_us;
        struct timeval after;

        if (due_ns == server->tick_ns)
                return;
        server->tick_ns = due_ns;
        if (due_ns == UINT64_MAX) {
                event_del(server->tick);
                return;
        }
        now_ns = server_now_ns();
        after_us = due_ns > now_ns ? (due_ns - now_ns + NS_PER_US - 1) / NS_PER_US : 0;
        after.tv_sec = (time_t)(after_us / 1000000);
        after.tv_usec = (suseconds_t)(after_us % 1000000);
        if (event_add(server->tick, &after))
                stop(server, -ENOMEM);
}

static void tell_keeper(struct server *server)
{
        int r;

        r = keeper_link_flush(server->keeper);
        if (r == -EAGAIN)
                r = event_add(server->keeper_writable, NULL) ? -ENOMEM : 0;
        else if (r == -EPIPE || r == -ECONNRESET)
                r = 0; /* the reading end says so too, after what the keeper still said */
        if (r)
                stop(server, r);
}

/* However much is quick, who is slow has a turn now and then. */
static void share(struct server *server)
{
        struct session *session = TAILQ_FIRST(&server->slow);
        uint64_t now_ns = server_now_ns();

        if (now_ns - server->slow_ns < SERVER_SLOW_NS)
                return;
        server->slow_ns = now_ns;
        if (event_pending(server->acceptable, EV_READ, NULL))
                accept_one(server);
        if (session)
                session_take_turn(session);
}

void server_settle(struct server *server)
{
        struct session *session;

        share(server);
        do {
                server_work(server);
                while ((session = TAILQ_FIRST(&server->busy)) && session->end)
                        session_free(session);
        } while (!TAILQ_EMPTY(&server->busy));
        tell_keeper(server);
        set_tick(server);
}

/* ---- what the state wants ------------------------------------------------------------------- */

static void op_take(void *data, const struct take_wish *wish)
{
        struct server *server = data;

        keeper_link_take(server->keeper, wish);
}

static void op_cancel(void *data, uint32_t pool)
{
        struct server *server = data;

        keeper_link_cancel(server->keeper, pool);
}

static void op_filled(void *data)
{
        struct server *server = data;

        keeper_link_filled(server->keeper);
}

static void op_lend(void *data, struct frame_name frame)
{
        struct server *server = data;

        keeper_link_lend(server->keeper, frame);
}

static void op_leave(void *data, struct frame_name frame, uint32_t pool, unsigned flags)
{
        struct server *server = data;

        keeper_link_leave(server->keeper, frame, pool, flags);
}

static void op_nudge(void *data, struct frame_name frame)
{
        struct server *server = data;

        keeper_link_nudge(server->keeper, frame);
}

static void op_watch(void *data, uint32_t device, uint32_t round)
{
        struct server *server = data;

        keeper_link_watch(server->keeper, device, round);
}

static void op_unwatch(void *data, uint32_t device)
{
        struct server *server = data;

        keeper_link_unwatch(server->keeper, device);
}

static void op_unneeded(void *data, void *client_data, struct frame_name frame)
{
        struct session *session = client_data;

        (void)data;
        if (notice_add_frame(&session->notice, frame))
                session_end(session, SESSION_DIED);
        session_mark(session);
}

static void op_event(void *data, void *client_data, enum event_type type, uint64_t buffer,
                     uint64_t offset, uint64_t length)
{
        struct session *session = client_data;
        struct notice_event event = { type, buffer, offset, length };
        int r;

        (void)data;
        r = notice_add_event(&session->notice, &event);
        if (r == -ENOMEM)
                session_end(session, SESSION_DIED);
        session_mark(session);
}

static void op_answer(void *data, void *client_data, uint64_t ticket, int r, struct buffer *buffer,
                      const struct refusal *refusal)
{
        struct session *session = client_data;
        struct wait *wait = session_wait(session, (uint32_t)ticket);
        struct buffer_view view;

        (void)data;
        wait->result = r;
        if (buffer) {
                buffer_view(buffer, &view);
                wait->buffer = view.id;
        } else if (refusal) {
                wait->refusal = *refusal;
        }
        TAILQ_REMOVE(&session->waits, wait, link);
        TAILQ_INSERT_TAIL(&session->answers, wait, link);
        session_mark(session);
}

static void op_log(void *data, int level, const struct log_fields *about, const char *message)
{
        struct server *server = data;

        /* Who punches his frames makes one such message of each. */
        if (!about->has_frame || log_rate_allows(&server->frame_words))
                log_write(level, NULL, about, "%s", message); /* this is not where it comes from */
}

static const struct state_ops ops = {
        .take = op_take,
        .cancel = op_cancel,
        .filled = op_filled,
        .lend = op_lend,
        .leave = op_leave,
        .nudge = op_nudge,
        .watch = op_watch,
        .unwatch = op_unwatch,
        .unneeded = op_unneeded,
        .event = op_event,
        .answer = op_answer,
        .log = op_log,
};

/* ---- events --------------------------------------------------------------------------------- */

static void on_acceptable(evutil_socket_t fd, short what, void *data)
{
        struct server *server = data;

        (void)fd;
        (void)what;
        server->slow_ns = server_now_ns();
        for (int i = 0; i < ACCEPTS_PER_TURN && accept_one(server); i++)
                ;
        server_settle(server);
}

static void on_accept_again(evutil_socket_t fd, short what, void *data)
{
        struct server *server = data;

        (void)fd;
        (void)what;
        if (event_add(server->acceptable, NULL))
                stop(server, -ENOMEM);
}

/* Nobody is heard before it is known who holds what. Return: 0; -ENOMEM. */
static int serve_when_started(struct server *server)
{
        if (server->serving || !keeper_link_is_started(server->keeper))
                return 0;
        server->serving = true;
        awaited_watch(server);
        return event_add(server->acceptable, NULL) ? -ENOMEM : 0;
}

/* Return: 0; -EAGAIN: there is nothing more; -EPIPE: the keeper is gone; other negative errno. */
static int hear_keeper(struct server *server, uint64_t until_ns)
{
        struct keeper_verdict verdict;
        uint64_t socket_time_ns;
        uint32_t wait_ms;
        int r = 0;

        for (uint64_t now_ns = server_now_ns(); !r && now_ns < until_ns; now_ns = server_now_ns()) {
                r = keeper_link_receive(server->keeper, server->state, now_ns, &verdict);
                if (!r && verdict.heard)
                        r = reload_heard(server, &verdict);
                if (!r && keeper_link_stops(server->keeper, &wait_ms, &socket_time_ns)) {
                        goodbye_say(server, wait_ms, socket_time_ns);
                        return -EPIPE;
                }
        }
        return r;
}

static void on_keeper_readable(evutil_socket_t fd, short what, void *data)
{
        struct server *server = data;
        int r;

        (void)fd;
        (void)what;
        descriptor_limit_release(&server->descriptor_limit);
        r = hear_keeper(server, server_now_ns() + SERVER_TURN_NS);
        descriptor_limit_keep_back(&server->descriptor_limit);
        if (!r || r == -EAGAIN) /* reading all that was left may have taken longer than a turn */
                r = serve_when_started(server);
        if (r == -EPIPE)
                stop(server, 0);
        else if (r)
                stop(server, r);
        server_settle(server);
}

static void on_keeper_writable(evutil_socket_t fd, short what, void *data)
{
        (void)fd;
        (void)what;
        tell_keeper(data);
}

static void on_tick(evutil_socket_t fd, short what, void *data)
{
        struct server *server = data;

        (void)fd;
        (void)what;
        server->tick_ns = UINT64_MAX;
        state_tick(server->state, server_now_ns());
        server_settle(server);
}

/* Where it is the keeper's, the reason was said before. */
static void on_signal(evutil_socket_t fd, short what, void *data)
{
        (void)fd;
        (void)what;
        (void)hear_keeper(data, UINT64_MAX);
        stop(data, 0);
}

/* ---- start and end -------------------------------------------------------------------------- */

static struct event *new_event(struct server *server, int fd, short what, event_callback_fn call,
                               enum server_priority priority)
{
        struct event *event = event_new(server->base, fd, what, call, server);

        if (event)
                event_priority_set(event, (int)priority);
        return event;
}

static struct event *add_event(struct server *server, int fd, short what, event_callback_fn call,
                               enum server_priority priority)
{
        struct event *event = new_event(server, fd, what, call, priority);

        if (event && what && !(what & EV_WRITE) && event_add(event, NULL)) {
                event_free(event);
                event = NULL;
        }
        return event;
}

static int add_events(struct server *server)
{
        int keeper_fd = keeper_link_fd(server->keeper);

        server->acceptable = new_event(server, server->listen_fd, EV_READ | EV_PERSIST,
                                       on_acceptable, PRIORITY_SLOW);
        server->accept_again = add_event(server, -1, 0, on_accept_again, PRIORITY_SLOW);
        server->keeper_readable = add_event(server, keeper_fd, EV_READ | EV_PERSIST,
                                            on_keeper_readable, PRIORITY_QUICK);
        server->keeper_writable =
                add_event(server, keeper_fd, EV_WRITE, on_keeper_writable, PRIORITY_QUICK);
        server->tick = add_event(server, -1, 0, on_tick, PRIORITY_QUICK);
        server->sigterm =
                add_event(server, SIGTERM, EV_SIGNAL | EV_PERSIST, on_signal, PRIORITY_QUICK);
        server->sigint =
                add_event(server, SIGINT, EV_SIGNAL | EV_PERSIST, on_signal, PRIORITY_QUICK);
        if (!server->acceptable || !server->accept_again || !server->keeper_readable ||
            !server->keeper_writable || !server->tick || !server->sigterm || !server->sigint)
                return -ENOMEM;
        return 0;
}

static void free_events(struct server *server)
{
        struct event *const all[] = {
                server->acceptable,      server->accept_again, server->keeper_readable,
                server->keeper_writable, server->tick,         server->sigterm,
                server->sigint,
        };

        for (size_t i = 0; i < ARRAY_SIZE(all); i++)
                if (all[i])
                        event_free(all[i]);
        if (server->base)
                event_base_free(server->base);
}

static void server_free(struct server *server)
{
        struct session *session;

        /* For the next worker these sessions go on. */
        if (server->state)
                state_keep_in(server->state, NULL);
        /* The state outlives them, the keeper's link outlives the state's last wishes. */
        while ((session = TAILQ_FIRST(&server->sessions)))
                session_free(session);
        awaited_free_all(server);
        reload_deinit(server);
        exporter_deinit(server);
        metrics_http_free(server->metrics_http);
        free_events(server);
        state_free(server->state);
        keeper_link_free(server->keeper);
        reaper_free(server->reaper);
        message_arena_deinit(&server->arena);
        close(server->listen_fd);
        if (server->metrics_fd >= 0)
                close(server->metrics_fd);
        free(server);
}

DEFINE_CLEANUP(struct server, server_free)

/* Frames take one each, connections two: themselves, and whose they are. */
static void init_descriptors(struct server *server)
{
        const struct state_settings *settings = server->state_settings;
        uint64_t clients = 2 * ((uint64_t)settings->max_clients + SERVER_STRANGERS_MAX) + 64;
        uint64_t frames = 0;

        for (size_t i = 0; i < settings->n_pools; i++)
                frames += settings->pools[i].size_max_bytes / settings->pools[i].page_bytes;
        descriptor_limit_init(&server->descriptor_limit, frames, clients);
}

/* Slow events, which the others are unless they say so, are left for quick ones after a while. */
static struct event_base *make_base(void)
{
        static const struct timeval turn = { 0, SERVER_TURN_NS / NS_PER_US };
        struct event_config *config = event_config_new();
        struct event_base *base = NULL;

        if (!config)
                return NULL;
        if (!event_config_set_max_dispatch_interval(config, &turn, SLOW_PER_TURN, PRIORITY_SLOW))
                base = event_base_new_with_config(config);
        event_config_free(config);
        if (base && event_base_priority_init(base, PRIORITIES)) {
                event_base_free(base);
                return NULL;
        }
        return base;
}

static int server_start(struct server *server)
{
        int flags, r;

        flags = fcntl(server->listen_fd, F_GETFL);
        if (flags < 0 || fcntl(server->listen_fd, F_SETFL, flags | O_NONBLOCK))
                return -errno;
        server->base = make_base();
        if (!server->base)
                return -ENOMEM;
        r = reaper_new(&server->reaper);
        if (r)
                return r;
        r = state_new(server->state_settings, &ops, server, server_now_ns(), &server->state);
        if (r)
                return r;
        state_keep_in(server->state, keeper_link_records(server->keeper));
        if (keeper_link_records_lost(server->keeper))
                state_ledger_is_lost(server->state);
        r = reload_init(server);
        if (r)
                return r;
        r = exporter_init(server);
        if (r)
                return r;
        r = add_events(server);
        if (r || server->metrics_fd < 0)
                return r;
        return metrics_http_new(server, STEAL_FD(server->metrics_fd), &server->metrics_http);
}

int server_run(const struct server_settings *settings)
{
        _cleanup_(server_freep) struct server *server = calloc(1, sizeof(*server));
        int r;

        if (!server) {
                close(settings->listen_fd);
                close(settings->keeper_fd);
                close(settings->ledger_fd);
                if (settings->metrics_fd >= 0)
                        close(settings->metrics_fd);
                if (settings->udmabuf_fd >= 0)
                        close(settings->udmabuf_fd);
                return -ENOMEM;
        }
        server->settings = settings;
        server->state_settings = settings->state;
        server->listen_fd = settings->listen_fd;
        server->metrics_fd = settings->metrics_fd;
        server->exporter.device = settings->udmabuf_fd;
        server->tick_ns = UINT64_MAX;
        TAILQ_INIT(&server->sessions);
        TAILQ_INIT(&server->busy);
        TAILQ_INIT(&server->slow);
        snprintf(server->name, sizeof(server->name), "pard %s", PAR_VERSION);
        init_descriptors(server);

        r = keeper_link_new(settings->keeper_fd, settings->ledger_fd, settings->state,
                            &server->keeper);
        if (r)
                return r;
        r = server_start(server);
        if (!r && settings->confine)
                r = settings->confine();
        if (r)
                return r;
        if (event_base_dispatch(server->base) < 0)
                return -EIO;
        return server->result;
}
