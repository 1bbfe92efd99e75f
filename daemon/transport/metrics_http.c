/* SPDX-License-Identifier: MIT */
/*
 * Owns the listening socket of the metrics and what libevent's HTTP server keeps for its
 * connections. Invariant: a connection costs a bounded time, a bounded buffer and one of few
 * places, whoever is at its other end and however slowly he reads or writes; one that is too many
 * waits in the kernel. Refuses every request but GET and HEAD of /metrics, and bodies.
 */
#include "metrics_http.h"

#include "dispatch.h"
#include "log.h"
#include "metrics.h"
#include "metrics_quotas.h"
#include "server_private.h"

#include "macros.h"

#include <errno.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/http.h>
#include <event2/listener.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define CONNECTIONS_MAX  8
#define HEADER_BYTES_MAX 4096
#define INPUT_BYTES_MAX  8192 /* more than a header, or it could never be seen to be too long */

/* From accepting a connection to its end. */
static const struct timeval connection_time = { 5, 0 };

/* How long the listening socket rests where there is no descriptor for another connection. */
static const struct timeval accept_rest = { 0, 100000 };

/**
 * struct connection - one of them
 * @stream: what the HTTP server reads from and writes to; a reference, until it has its socket
 * @begin:  it has
 * @socket: a duplicate: when the connection ends is seen here, and can be made so
 * @watch:  for that
 * @deadline: it has had its time
 *
 * libevent does not tell when it closes a connection that has sent no request. So this lives until
 * both directions are shut, however that came about, but no longer than connection_time.
 */
struct connection {
        TAILQ_ENTRY(connection) link; /* metrics_http::connections */
        struct metrics_http *http;
        struct bufferevent *stream;
        struct event *begin, *watch, *deadline;
        int socket;
};

/**
 * struct metrics_http - see above
 * @connections: @n_connections of them
 * @started_s:   when the worker started, in seconds since 1970
 */
struct metrics_http {
        struct server *server;
        struct evhttp *http;
        struct evconnlistener *listener;
        struct event *accept_again;
        TAILQ_HEAD(, connection) connections;
        unsigned n_connections;
        uint64_t started_s;
};

/* ---- what is told --------------------------------------------------------------------------- */

/**
 * struct gathered - what a view points to; owned
 * @uses: of all quotas and claims, pool by pool
 */
struct gathered {
        struct metrics_pool *pools;
        struct metrics_use *uses;
};

static void gathered_deinit(struct gathered *gathered)
{
        free(gathered->pools);
        free(gathered->uses);
}

static void gather_pools(const struct state *state, struct metrics_view *view,
                         struct metrics_pool *pools)
{
        uint64_t cursor = 0;

        while (view->n_pools < view->status.pools &&
               state_next_pool(state, NULL, &cursor, &pools[view->n_pools].report)) {
                state_pool_counters(state, view->n_pools, &pools[view->n_pools].counters);
                view->n_pools++;
        }
}

/* Of one pool. Return: where those of the next one begin. */
static struct metrics_use *gather_pool_uses(const struct state *state, size_t index,
                                            struct metrics_pool *pool, struct metrics_use *use)
{
        const struct pool_settings *settings = pool->report.settings;

        pool->quotas = use;
        for (size_t i = 0; i < settings->n_quotas; i++, use++) {
                metrics_name_quota(&settings->quotas[i], use->whom);
                state_quota_use(state, index, i, &use->use);
        }
        pool->claims = use;
        for (size_t i = 0; i < settings->n_claims; i++, use++) {
                metrics_name_claim(&settings->claims[i], use->whom);
                state_claim_use(state, index, i, &use->use);
        }
        for (unsigned i = 0; i < QUOTA_SHARES; i++)
                pool->users[i] = state_quota_users(state, index, i);
        return use;
}

/* Return: 0; -ENOMEM. */
static int gather_uses(const struct state *state, const struct metrics_view *view,
                       struct gathered *gathered)
{
        struct metrics_use *next;
        size_t n = 1; /* or there would be none where nobody has any */

        for (size_t i = 0; i < view->n_pools; i++)
                n += view->pools[i].report.settings->n_quotas +
                     view->pools[i].report.settings->n_claims;
        gathered->uses = calloc(n, sizeof(*gathered->uses));
        if (!gathered->uses)
                return -ENOMEM;
        next = gathered->uses;
        for (size_t i = 0; i < view->n_pools; i++)
                next = gather_pool_uses(state, i, &gathered->pools[i], next);
        return 0;
}

/* *ret: gathered_deinit() it, whatever is returned. */
static int gather(const struct metrics_http *http, struct metrics_view *view, struct gathered *ret)
{
        const struct server *server = http->server;

        *ret = (struct gathered){ 0 };
        *view = (struct metrics_view){
                .version = PAR_VERSION,
                .started_s = http->started_s,
                .worker_starts = keeper_link_worker_starts(server->keeper),
        };
        dispatch_labels(view->requests);
        state_counters(server->state, &view->counters);
        state_report(server->state, server_now_ns(), &view->status);
        ret->pools = calloc(view->status.pools, sizeof(*ret->pools));
        if (!ret->pools)
                return -ENOMEM;
        view->pools = ret->pools;
        gather_pools(server->state, view, ret->pools);
        return gather_uses(server->state, view, ret);
}

/* *ret is owned by the caller. */
static int render(const struct metrics_http *http, enum metrics_format format, char **ret,
                  size_t *ret_size)
{
        struct gathered gathered;
        struct metrics_view view;
        int r;

        r = gather(http, &view, &gathered);
        if (!r)
                r = metrics_render(&http->server->metrics, &view, format, ret, ret_size);
        gathered_deinit(&gathered);
        return r;
}

/* ---- answers -------------------------------------------------------------------------------- */

static void free_text(const void *text, size_t size, void *data)
{
        (void)size;
        (void)data;
        free((void *)(uintptr_t)text);
}

/* What a scraper that knows OpenMetrics says; others get what was there before. */
static enum metrics_format format_for(struct evhttp_request *request)
{
        const char *accept =
                evhttp_find_header(evhttp_request_get_input_headers(request), "Accept");

        return accept && strstr(accept, "application/openmetrics-text") ? METRICS_OPENMETRICS
                                                                        : METRICS_PLAIN;
}

static void answer(struct evhttp_request *request, int code, const char *reason,
                   struct evbuffer *body)
{
        struct evkeyvalq *headers = evhttp_request_get_output_headers(request);

        /* Its time is bounded, so it does not stay for another request. */
        evhttp_add_header(headers, "Connection", "close");
        evhttp_send_reply(request, code, reason, body);
}

/* Return: the text as a body; NULL without memory. */
static struct evbuffer *body_of(const struct metrics_http *http, enum metrics_format format)
{
        struct evbuffer *body = evbuffer_new();
        char *text;
        size_t size;

        if (!body)
                return NULL;
        if (render(http, format, &text, &size)) {
                evbuffer_free(body);
                return NULL;
        }
        if (evbuffer_add_reference(body, text, size, free_text, NULL)) {
                free(text);
                evbuffer_free(body);
                return NULL;
        }
        return body;
}

static void on_metrics(struct evhttp_request *request, void *data)
{
        /* libevent would send the body then, too. */
        const bool head = evhttp_request_get_command(request) == EVHTTP_REQ_HEAD;
        enum metrics_format format = format_for(request);
        struct evbuffer *body = head ? NULL : body_of(data, format);

        if (!body && !head) {
                answer(request, HTTP_SERVUNAVAIL, "out of memory", NULL);
                return;
        }
        evhttp_add_header(evhttp_request_get_output_headers(request), "Content-Type",
                          metrics_content_type(format));
        answer(request, HTTP_OK, "OK", body);
        if (body)
                evbuffer_free(body);
}

static void on_anything_else(struct evhttp_request *request, void *data)
{
        (void)data;
        answer(request, HTTP_NOTFOUND, "only /metrics is here", NULL);
}

/* ---- connections ---------------------------------------------------------------------------- */

static void free_event(struct event *event)
{
        if (event)
                event_free(event);
}

static void connection_end(struct connection *connection)
{
        struct metrics_http *http = connection->http;

        TAILQ_REMOVE(&http->connections, connection, link);
        http->n_connections--;
        if (connection->stream)
                bufferevent_decref(connection->stream);
        free_event(connection->begin);
        free_event(connection->watch);
        free_event(connection->deadline);
        if (connection->socket >= 0)
                close(connection->socket);
        free(connection);
        evconnlistener_enable(http->listener);
}

static void on_watch(evutil_socket_t fd, short what, void *data)
{
        struct pollfd state = { .fd = fd };

        (void)what;
        if (poll(&state, 1, 0) > 0) /* broken, or shut in both directions */
                connection_end(data);
}

static void on_deadline(evutil_socket_t fd, short what, void *data)
{
        struct connection *connection = data;

        (void)fd;
        (void)what;
        shutdown(connection->socket, SHUT_RDWR); /* the HTTP server sees that, too */
        connection_end(connection);
}

/* Have its end seen. Return: 0; -ENOMEM; -EMFILE. */
static int watch(struct connection *connection)
{
        struct event_base *base = connection->http->server->base;

        connection->socket = fcntl(bufferevent_getfd(connection->stream), F_DUPFD_CLOEXEC, 0);
        if (connection->socket < 0)
                return -errno;
        connection->watch =
                event_new(base, connection->socket, EV_READ | EV_CLOSED | EV_ET | EV_PERSIST,
                          on_watch, connection);
        connection->deadline = event_new(base, -1, 0, on_deadline, connection);
        if (!connection->watch || !connection->deadline || event_add(connection->watch, NULL) ||
            event_add(connection->deadline, &connection_time))
                return -ENOMEM;
        return 0;
}

/* The HTTP server has given the stream its socket. */
static void on_begin(evutil_socket_t fd, short what, void *data)
{
        struct connection *connection = data;

        (void)fd;
        (void)what;
        if (watch(connection)) {
                shutdown(bufferevent_getfd(connection->stream), SHUT_RDWR);
                connection_end(connection);
        } else {
                bufferevent_decref(connection->stream);
                connection->stream = NULL;
        }
}

/* The HTTP server has accepted somebody, and wants a stream for him. Without one from here it makes
 * one itself, and times out by its own clock. */
static struct bufferevent *on_connection(struct event_base *base, void *data)
{
        struct metrics_http *http = data;
        struct connection *connection = calloc(1, sizeof(*connection));

        if (!connection)
                return NULL;
        connection->http = http;
        connection->socket = -1;
        TAILQ_INSERT_TAIL(&http->connections, connection, link);
        if (++http->n_connections == CONNECTIONS_MAX)
                evconnlistener_disable(http->listener);

        connection->begin = event_new(base, -1, 0, on_begin, connection);
        if (connection->begin)
                connection->stream = bufferevent_socket_new(base, -1, 0);
        if (!connection->stream) {
                connection_end(connection);
                return NULL;
        }
        bufferevent_setwatermark(connection->stream, EV_READ, 0, INPUT_BYTES_MAX);
        bufferevent_incref(connection->stream);
        event_active(connection->begin, 0, 0);
        return connection->stream;
}

/* A worker has one. The listening socket's data are the HTTP server's own, not ours. */
static struct metrics_http *accepting;

static void on_accept_error(struct evconnlistener *listener, void *data)
{
        struct metrics_http *http = accepting;

        (void)data;
        evconnlistener_disable(listener);
        event_add(http->accept_again, &accept_rest);
}

static void on_accept_again(evutil_socket_t fd, short what, void *data)
{
        struct metrics_http *http = data;

        (void)fd;
        (void)what;
        if (http->n_connections < CONNECTIONS_MAX)
                evconnlistener_enable(http->listener);
}

/* ---- life ----------------------------------------------------------------------------------- */

static void on_library_log(int severity, const char *message)
{
        if (severity >= EVENT_LOG_ERR)
                log_error("libevent: %s", message);
        else
                log_debug("libevent: %s", message);
}

static int set_up(struct metrics_http *http, int fd)
{
        struct event_base *base = http->server->base;
        struct evhttp_bound_socket *bound;

        http->accept_again = event_new(base, -1, 0, on_accept_again, http);
        http->http = evhttp_new(base);
        if (!http->accept_again || !http->http)
                return -ENOMEM;
        evhttp_set_max_headers_size(http->http, HEADER_BYTES_MAX);
        evhttp_set_max_body_size(http->http, 0);
        evhttp_set_allowed_methods(http->http, EVHTTP_REQ_GET | EVHTTP_REQ_HEAD);
        evhttp_set_timeout_tv(http->http, &connection_time);
        evhttp_set_bevcb(http->http, on_connection, http);
        evhttp_set_gencb(http->http, on_anything_else, http);
        if (evhttp_set_cb(http->http, "/metrics", on_metrics, http))
                return -ENOMEM;
        bound = evhttp_accept_socket_with_handle(http->http, fd);
        if (!bound)
                return -ENOMEM;
        http->listener = evhttp_bound_socket_get_listener(bound);
        accepting = http;
        evconnlistener_set_error_cb(http->listener, on_accept_error);
        return 0;
}

int metrics_http_new(struct server *server, int fd, struct metrics_http **ret)
{
        struct metrics_http *http = calloc(1, sizeof(*http));
        struct timespec now;
        int r;

        if (!http) {
                close(fd);
                return -ENOMEM;
        }
        http->server = server;
        TAILQ_INIT(&http->connections);
        clock_gettime(CLOCK_REALTIME, &now);
        http->started_s = (uint64_t)now.tv_sec;
        /* Where a scraper has gone, libevent's writing must not end the worker. */
        signal(SIGPIPE, SIG_IGN);
        event_set_log_callback(on_library_log);
        r = set_up(http, fd);
        if (r) {
                if (!http->listener)
                        close(fd);
                metrics_http_free(http);
                return r;
        }
        *ret = http;
        return 0;
}

void metrics_http_free(struct metrics_http *http)
{
        struct connection *connection;

        if (!http)
                return;
        while ((connection = TAILQ_FIRST(&http->connections)))
                connection_end(connection);
        free_event(http->accept_again);
        if (http->http)
                evhttp_free(http->http);
        if (accepting == http)
                accepting = NULL;
        free(http);
}
