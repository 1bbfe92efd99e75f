/* SPDX-License-Identifier: MIT */
/*
 * Owns the time and the timeouts of events: libevent has none of its own here, so that what happens
 * does not depend on how fast the machine is.
 */
#include "inline_loop.h"

#include "macros.h"
#include "peer.h"
#include "reaper.h"
#include "state.h"

#include <errno.h>
#include <event2/event.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define TIMEOUTS_MAX 256
#define ROUNDS_MAX   1000

struct timeout {
        struct event *event;
        uint64_t due_ns;
};

static struct {
        bool begun;
        inline_script *script;
        void (*others)(void *data);
        void *data;
        struct event_base *base;
        struct state *state;
        uint64_t now_ns;
        uint32_t uid;
        struct timeout timeouts[TIMEOUTS_MAX];
} on;

void inline_loop_begin(inline_script *script, void (*others)(void *data), void *data)
{
        on.begun = true;
        on.script = script;
        on.others = others;
        on.data = data;
        on.now_ns = on.now_ns ? on.now_ns : NS_PER_S;
        memset(on.timeouts, 0, sizeof(on.timeouts));
}

void inline_loop_end(void)
{
        memset(&on, 0, sizeof(on));
}

void inline_loop_set_uid(uint32_t uid)
{
        on.uid = uid;
}

struct state *inline_loop_state(void)
{
        return on.state;
}

/* ---- time ----------------------------------------------------------------------------------- */

/* The linker looks for those that libevent's other half calls, too; only the worker's calls come
 * here. */
#pragma GCC visibility push(default)
int __real_clock_gettime(clockid_t clock, struct timespec *ret);
int __wrap_clock_gettime(clockid_t clock, struct timespec *ret);
int __real_event_add(struct event *event, const struct timeval *after);
int __wrap_event_add(struct event *event, const struct timeval *after);
int __real_event_del(struct event *event);
int __wrap_event_del(struct event *event);
void __real_event_free(struct event *event);
void __wrap_event_free(struct event *event);
int __wrap_event_remove_timer(struct event *event);
#pragma GCC visibility pop

/* It goes on by itself a little, as it does for who looks at it. */
int __wrap_clock_gettime(clockid_t clock, struct timespec *ret)
{
        if (!on.begun)
                return __real_clock_gettime(clock, ret);
        on.now_ns += NS_PER_US;
        ret->tv_sec = (time_t)(on.now_ns / NS_PER_S);
        ret->tv_nsec = (long)(on.now_ns % NS_PER_S);
        return 0;
}

static struct timeout *find(const struct event *event)
{
        for (size_t i = 0; i < TIMEOUTS_MAX; i++)
                if (on.timeouts[i].event == event)
                        return &on.timeouts[i];
        return NULL;
}

static void forget(const struct event *event)
{
        struct timeout *timeout = find(event);

        if (timeout)
                timeout->event = NULL;
}

int __wrap_event_add(struct event *event, const struct timeval *after)
{
        struct timeout *timeout = find(event) ? find(event) : find(NULL);

        if (!after)
                return __real_event_add(event, NULL);
        if (!timeout)
                abort();
        timeout->event = event;
        if (__builtin_add_overflow(on.now_ns,
                                   (uint64_t)after->tv_sec * NS_PER_S +
                                           (uint64_t)after->tv_usec * NS_PER_US,
                                   &timeout->due_ns))
                timeout->due_ns = UINT64_MAX; /* the end of all time */
        return __real_event_add(event, NULL);
}

int __wrap_event_del(struct event *event)
{
        forget(event);
        return __real_event_del(event);
}

void __wrap_event_free(struct event *event)
{
        forget(event);
        __real_event_free(event);
}

int __wrap_event_remove_timer(struct event *event)
{
        forget(event);
        return 0;
}

/* ---- the loop ------------------------------------------------------------------------------- */

int __wrap_event_base_dispatch(struct event_base *base);

int __wrap_event_base_dispatch(struct event_base *base)
{
        on.base = base;
        on.script(on.data);
        return 0;
}

/* The timeout that is due first; NULL: none is set. */
static struct timeout *first_timeout(void)
{
        struct timeout *first = NULL;

        for (size_t i = 0; i < TIMEOUTS_MAX; i++)
                if (on.timeouts[i].event && (!first || on.timeouts[i].due_ns < first->due_ns))
                        first = &on.timeouts[i];
        return first;
}

static void ring(void)
{
        struct timeout *timeout;

        while ((timeout = first_timeout()) && timeout->due_ns <= on.now_ns)
                event_active(STEAL(timeout->event), EV_TIMEOUT, 0);
}

/* Every event looks at the clock, so where that stands still nothing has happened. */
void inline_loop_turn(void)
{
        uint64_t before_ns;
        unsigned rounds = 0;

        do {
                before_ns = on.now_ns;
                ring();
                (void)event_base_loop(on.base, EVLOOP_NONBLOCK);
                on.others(on.data);
                (void)event_base_loop(on.base, EVLOOP_NONBLOCK);
                if (++rounds > ROUNDS_MAX)
                        abort(); /* it goes round in circles */
        } while (on.now_ns != before_ns);
}

void inline_loop_pass(uint64_t ns)
{
        const uint64_t until_ns = on.now_ns + ns;
        const struct timeout *timeout;

        while ((timeout = first_timeout()) && timeout->due_ns <= until_ns) {
                if (timeout->due_ns > on.now_ns)
                        on.now_ns = timeout->due_ns;
                inline_loop_turn();
        }
        if (until_ns > on.now_ns)
                on.now_ns = until_ns;
        inline_loop_turn();
}

/* ---- who is there, and what is closed ------------------------------------------------------- */

int __real_state_new(const struct state_settings *settings, const struct state_ops *ops, void *data,
                     uint64_t now_ns, struct state **ret);
int __wrap_state_new(const struct state_settings *settings, const struct state_ops *ops, void *data,
                     uint64_t now_ns, struct state **ret);
int __real_setsockopt(int fd, int level, int option, const void *value, socklen_t size);
int __wrap_setsockopt(int fd, int level, int option, const void *value, socklen_t size);
int __wrap_peer_init(int socket, struct peer *ret);
int __wrap_peer_open_pidfd(uint32_t pid);
int __wrap_reaper_new(struct reaper **ret);
void __wrap_reaper_free(struct reaper *reaper);
void __wrap_reaper_close_stranger(struct reaper *reaper, int fd);
void __wrap_reaper_close_session(struct reaper *reaper, int socket);
bool __wrap_reaper_is_behind(struct reaper *reaper);

int __wrap_state_new(const struct state_settings *settings, const struct state_ops *ops, void *data,
                     uint64_t now_ns, struct state **ret)
{
        const int r = __real_state_new(settings, ops, data, now_ns, ret);

        on.state = r ? NULL : *ret;
        return r;
}

/* The kernel is none that refuses descriptors (SO_PASSRIGHTS): they come, and are the worker's. */
int __wrap_setsockopt(int fd, int level, int option, const void *value, socklen_t size)
{
        return option == 83 ? 0 : __real_setsockopt(fd, level, option, value, size);
}

int __wrap_peer_init(int socket, struct peer *ret)
{
        (void)socket;
        *ret = (struct peer){
                .identity = { .uid = on.uid,
                              .gid = on.uid,
                              .pid = 1,
                              .groups = { on.uid },
                              .n_groups = 1 },
                .pidfd = -1,
        };
        return 0;
}

/* Nobody's process is watched. */
int __wrap_peer_open_pidfd(uint32_t pid)
{
        (void)pid;
        return -EACCES;
}

int __wrap_reaper_new(struct reaper **ret)
{
        *ret = NULL;
        return 0;
}

void __wrap_reaper_free(struct reaper *reaper)
{
        (void)reaper;
}

void __wrap_reaper_close_stranger(struct reaper *reaper, int fd)
{
        (void)reaper;
        close(fd);
}

void __wrap_reaper_close_session(struct reaper *reaper, int socket)
{
        (void)reaper;
        close(socket);
}

/* It closes at once. */
bool __wrap_reaper_is_behind(struct reaper *reaper)
{
        (void)reaper;
        return false;
}
