/* SPDX-License-Identifier: MIT */
/* Owns the threads of worker and keeper, and the sockets and arenas of callers. */
#include "worker_fixture.h"

#include "macros.h"

#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#define PATIENCE_MS 60000

static char pool_any[] = "any", pool_low[] = "below4g", device_name[] = "capture0";

static void *run(void *data)
{
        struct worker *worker = data;

        worker->result = server_run(&worker->settings);
        return NULL;
}

static struct worker_config *config_of(const struct worker_options *options)
{
        struct worker_config *config = calloc(1, sizeof(*config));
        unsigned pages = options->pages ? options->pages : 64;

        assert_non_null(config);
        config->pools[0] = (struct pool_settings){
                .name = pool_any,
                .window = RANGE_ALL,
                .page_bytes = WORKER_PAGE_BYTES,
                .node = -1,
                .size_min_bytes = pages * WORKER_PAGE_BYTES,
                .size_max_bytes = (pages + options->more_pages) * WORKER_PAGE_BYTES,
                .shrink_delay_ns = 50 * NS_PER_MS,
                .spill = true,
                .quarantine_ns = 100 * NS_PER_MS,
        };
        config->pools[1] = config->pools[0];
        config->pools[1].name = pool_low;
        config->pools[1].window = (struct range){ 0, 4 * GiB - 1 };
        config->pools[1].limited = true;
        config->pools[1].spill = false;
        config->pools[1].size_min_bytes = WORKER_LOW_PAGES * WORKER_PAGE_BYTES;
        config->pools[1].size_max_bytes = WORKER_LOW_PAGES * WORKER_PAGE_BYTES;
        if (options->handout_dmabuf)
                config->pools[1].handout = HANDOUT_DMABUF;
        config->devices[0] = (struct device_settings){
                .name = device_name,
                .limits = { .window = { 0, 256 * MiB - 1 }, .boundary_bytes = 64 * KiB },
        };
        config->state = (struct state_settings){
                .backend = "fake",
                .n_pools = ARRAY_SIZE(config->pools),
                .n_devices = ARRAY_SIZE(config->devices),
                .admin_group = options->admin_group ? getegid() : (gid_t)-1,
                .max_buffers = 10000,
                .max_clients = options->max_clients ? options->max_clients : 128,
                .max_waiting = options->max_waiting ? options->max_waiting : 64,
        };
        config->state.pools = config->pools;
        config->state.devices = config->devices;
        return config;
}

/* ---- another configuration ------------------------------------------------------------------ */

static struct worker_config *copy_config(const struct worker_config *from)
{
        struct worker_config *copy = malloc(sizeof(*copy));

        if (copy) {
                *copy = *from;
                copy->state.pools = copy->pools;
                copy->state.devices = copy->devices;
        }
        return copy;
}

/* Return: how many settings that changes; -1: there is no such word. */
static int apply(struct worker_config *config, const char *text)
{
        const char *number = strchr(text, ' ');
        unsigned long n = number ? strtoul(number, NULL, 10) : 0;

        if (strncmp(text, "pages ", 6) == 0)
                config->pools[0].size_max_bytes = n * WORKER_PAGE_BYTES;
        else if (strncmp(text, "quarantine ", 11) == 0)
                config->pools[0].quarantine_ns = config->pools[1].quarantine_ns = n * NS_PER_MS;
        else
                return strncmp(text, "changes ", 8) == 0 ? (int)n : -1;
        return 1;
}

static int propose(void *data, int fd, struct proposal *ret, char *error, size_t error_bytes)
{
        struct worker *worker = data;
        char text[64] = "";
        int n;

        free(STEAL(worker->proposed));
        if (pread(fd, text, sizeof(text) - 1, 0) < 0 || strcmp(text, "lost") == 0) {
                snprintf(error, error_bytes, "no memory for it");
                return -ENOMEM;
        }
        worker->proposed = copy_config(worker->config);
        n = worker->proposed ? apply(worker->proposed, text) : -1;
        if (n < 0) {
                free(STEAL(worker->proposed));
                snprintf(error, error_bytes, "line 1: \"%s\" means nothing \xff", text);
                return -EINVAL;
        }
        for (int i = 0; i < n; i++) {
                snprintf(worker->changed[i], sizeof(worker->changed[i]), "%s (%d)", text, i);
                worker->changed_pointers[i] = worker->changed[i];
        }
        *ret = (struct proposal){ &worker->proposed->state, worker->changed_pointers, (size_t)n };
        return 0;
}

static void adopt(void *data)
{
        struct worker *worker = data;

        memset(worker->config, 0x55, sizeof(*worker->config));
        free(worker->config);
        worker->config = STEAL(worker->proposed);
}

void worker_start(struct worker *worker, const struct worker_options *options)
{
        static const struct worker_options usual;
        struct fake_keeper_settings keeper = {
                .slots = 4096,
                .descending = true,
                .let_go = !(options && options->clumsy),
        };

        *worker = (struct worker){ 0 };
        worker->config = config_of(options ? options : &usual);
        worker->reload = (struct server_reload){ worker, propose, adopt };
        worker->settings.state = &worker->config->state;
        worker->settings.reload = &worker->reload;
        worker->settings.reload_ms = options ? options->reload_ms : 0;
        worker->settings.metrics_fd = options && options->metrics_fd ? options->metrics_fd : -1;
        worker->settings.udmabuf_fd = options && options->udmabuf_fd ? options->udmabuf_fd : -1;
        worker->settings.listen_fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
        assert_true(worker->settings.listen_fd >= 0);

        /* The kernel finds a free abstract name. */
        worker->address.sun_family = AF_UNIX;
        worker->address_bytes = sizeof(worker->address);
        assert_int_equal(bind(worker->settings.listen_fd, (struct sockaddr *)&worker->address,
                              sizeof(sa_family_t)),
                         0);
        assert_int_equal(getsockname(worker->settings.listen_fd,
                                     (struct sockaddr *)&worker->address, &worker->address_bytes),
                         0);
        assert_int_equal(listen(worker->settings.listen_fd, 128), 0);
        worker->listener = dup(worker->settings.listen_fd);
        assert_true(worker->listener >= 0);

        assert_int_equal(fake_keeper_new(&keeper, &worker->settings.keeper_fd,
                                         &worker->settings.ledger_fd, &worker->keeper),
                         0);
        assert_int_equal(pthread_create(&worker->thread, NULL, run, worker), 0);
        fake_keeper_wait_ready(worker->keeper);
}

void worker_restart(struct worker *worker)
{
        fake_keeper_leave_worker(worker->keeper);
        pthread_join(worker->thread, NULL);
        assert_int_equal(worker->result, 0);
        worker->settings.listen_fd = dup(worker->listener);
        assert_int_equal(fake_keeper_next_worker(worker->keeper, &worker->settings.keeper_fd,
                                                 &worker->settings.ledger_fd),
                         0);
        assert_int_equal(pthread_create(&worker->thread, NULL, run, worker), 0);
        fake_keeper_wait_ready(worker->keeper);
}

void worker_set_quarantine(struct worker *worker, unsigned ms)
{
        char text[32];
        const struct fake_reload reload = { .text = text };

        snprintf(text, sizeof(text), "quarantine %u", ms);
        fake_keeper_tell_config(worker->keeper, &reload, false);
        fake_keeper_ping(worker->keeper);
}

int worker_stop(struct worker *worker)
{
        fake_keeper_free(worker->keeper);
        return worker_end(worker);
}

int worker_end(struct worker *worker)
{
        pthread_join(worker->thread, NULL);
        close(worker->listener);
        free(worker->config);
        free(worker->proposed);
        return worker->result;
}

void caller_connect(const struct worker *worker, struct caller *ret)
{
        *ret = (struct caller){ .fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0) };
        assert_true(ret->fd >= 0);
        assert_int_equal(
                connect(ret->fd, (const struct sockaddr *)&worker->address, worker->address_bytes),
                0);
}

void caller_greet(const char *name, struct caller *caller)
{
        Wire__Request request = WIRE__REQUEST__INIT;
        Wire__Hello hello = WIRE__HELLO__INIT;
        char copy[64];

        strncpy(copy, name, sizeof(copy) - 1);
        copy[sizeof(copy) - 1] = 0;
        hello.version = 1;
        hello.client_name = copy;
        request.body_case = WIRE__REQUEST__BODY_HELLO;
        request.hello = &hello;
        assert_int_equal(caller_ask(caller, &request)->result, 0);
}

void caller_open(const struct worker *worker, const char *name, struct caller *ret)
{
        caller_connect(worker, ret);
        caller_greet(name, ret);
}

bool caller_can_be(const struct worker *worker, enum caller_role role)
{
        bool admins = worker->config->state.admin_group != (gid_t)-1;

        if (geteuid() == 0)
                return true;
        return role == CALLER_ADMIN ? admins : role == CALLER_USER && !admins;
}

struct disguise {
        const struct worker *worker;
        uid_t uid;
        struct caller caller;
};

/* The C library would change the whole process; the kernel changes one thread. */
static void *connect_disguised(void *data)
{
        struct disguise *disguise = data;
        uid_t uid = disguise->uid;

        assert_int_equal(syscall(SYS_setgroups, 0, NULL), 0);
        assert_int_equal(syscall(SYS_setresgid, uid, uid, uid), 0);
        assert_int_equal(syscall(SYS_setresuid, uid, uid, uid), 0);
        caller_connect(disguise->worker, &disguise->caller);
        return NULL;
}

void caller_connect_as(const struct worker *worker, enum caller_role role, struct caller *ret)
{
        struct disguise disguise = { .worker = worker, .uid = role == CALLER_USER ? 65533 : 65532 };
        pthread_t thread;

        assert_true(caller_can_be(worker, role));
        if (geteuid() || role == CALLER_ADMIN) {
                caller_connect(worker, ret);
                return;
        }
        assert_int_equal(pthread_create(&thread, NULL, connect_disguised, &disguise), 0);
        pthread_join(thread, NULL);
        *ret = disguise.caller;
}

void caller_open_as(const struct worker *worker, enum caller_role role, const char *name,
                    struct caller *ret)
{
        caller_connect_as(worker, role, ret);
        caller_greet(name, ret);
}

void caller_close(struct caller *caller)
{
        packet_close_descriptors(&caller->got);
        message_arena_deinit(&caller->arena);
        close(caller->fd);
}

void caller_send_bytes(struct caller *caller, const void *bytes, size_t size)
{
        assert_int_equal(packet_send(caller->fd, bytes, size, NULL, 0), 0);
}

uint32_t caller_send(struct caller *caller, Wire__Request *request)
{
        static uint8_t bytes[PACKET_BYTES_MAX];
        size_t size;

        request->seq = ++caller->seq;
        assert_int_equal(message_pack_request(request, bytes, sizeof(bytes), &size), 0);
        caller_send_bytes(caller, bytes, size);
        return request->seq;
}

bool caller_receive(struct caller *caller)
{
        static uint8_t bytes[PACKET_BYTES_MAX];
        struct pollfd poll_fd = { .fd = caller->fd, .events = POLLIN };
        int r;

        packet_close_descriptors(&caller->got);
        message_arena_reset(&caller->arena);
        assert_int_equal(poll(&poll_fd, 1, PATIENCE_MS), 1);
        do
                r = packet_receive(caller->fd, bytes, sizeof(bytes), &caller->got);
        while (r == -ECONNRESET);
        assert_int_equal(r, 0);
        if (!caller->got.size)
                return false;
        assert_false(caller->got.bytes_cut);
        assert_int_equal(
                message_unpack_packet(&caller->arena, bytes, caller->got.size, &caller->packet), 0);
        return true;
}

void caller_expect_end(struct caller *caller)
{
        while (caller_receive(caller))
                ;
}

const Wire__Reply *caller_reply(struct caller *caller, uint32_t seq)
{
        do
                assert_true(caller_receive(caller));
        while (caller->packet->kind_case != WIRE__PACKET__KIND_REPLY);
        assert_int_equal(caller->packet->reply->seq, seq);
        if (caller->packet->reply->result) {
                assert_non_null(caller->packet->reply->refusal);
                assert_true(caller->packet->reply->refusal->sentence[0] != 0);
        }
        return caller->packet->reply;
}

const Wire__Reply *caller_ask(struct caller *caller, Wire__Request *request)
{
        uint32_t seq = caller_send(caller, request);

        return caller_reply(caller, seq);
}

uint32_t caller_send_alloc(struct caller *caller, uint64_t size, const char *pool, int32_t wait_ms)
{
        Wire__Request request = WIRE__REQUEST__INIT;
        Wire__Alloc alloc = WIRE__ALLOC__INIT;
        Wire__Constraint constraint = WIRE__CONSTRAINT__INIT;

        constraint.max_segments = UINT32_MAX;
        alloc.size = size;
        alloc.constraint = &constraint;
        alloc.pool = (char *)(uintptr_t)pool;
        alloc.wait_ms = wait_ms;
        request.body_case = WIRE__REQUEST__BODY_ALLOC;
        request.alloc = &alloc;
        return caller_send(caller, &request);
}

const Wire__Reply *caller_alloc(struct caller *caller, uint64_t size, const char *pool)
{
        return caller_reply(caller, caller_send_alloc(caller, size, pool, 0));
}

const Wire__Reply *caller_free(struct caller *caller, uint64_t buffer)
{
        Wire__Request request = WIRE__REQUEST__INIT;
        Wire__Free body = WIRE__FREE__INIT;

        body.buffer = buffer;
        request.body_case = WIRE__REQUEST__BODY_FREE;
        request.free = &body;
        return caller_ask(caller, &request);
}

const Wire__Status *caller_status(struct caller *caller)
{
        Wire__Request request = WIRE__REQUEST__INIT;
        Wire__List list = WIRE__LIST__INIT;
        const Wire__Reply *reply;

        request.body_case = WIRE__REQUEST__BODY_STATUS;
        request.status = &list;
        reply = caller_ask(caller, &request);
        assert_int_equal(reply->result, 0);
        assert_int_equal(reply->body_case, WIRE__REPLY__BODY_STATUS);
        return reply->status;
}

uint64_t status_free(const Wire__Status *status)
{
        return status->bytes->free;
}

uint64_t status_granted(const Wire__Status *status)
{
        return status->bytes->granted;
}

uint64_t status_held(const Wire__Status *status)
{
        return status->bytes->held;
}

uint64_t status_lingering(const Wire__Status *status)
{
        return status->bytes->lingering;
}

uint64_t status_quarantined(const Wire__Status *status)
{
        return status->bytes->quarantined;
}

uint64_t status_clients(const Wire__Status *status)
{
        return status->clients;
}

uint64_t status_waiting(const Wire__Status *status)
{
        return status->waiting;
}

void caller_await(struct caller *caller, uint64_t (*pick)(const Wire__Status *), uint64_t value)
{
        const struct timespec pause = { 0, 5 * 1000000 };

        for (int i = 0; i < PATIENCE_MS / 5; i++) {
                if (pick(caller_status(caller)) == value)
                        return;
                nanosleep(&pause, NULL);
        }
        assert_int_equal(pick(caller_status(caller)), value);
}
