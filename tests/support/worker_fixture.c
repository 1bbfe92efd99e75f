/* SPDX-License-Identifier: MIT */
/* Owns the threads of worker and keeper, and the sockets and arenas of callers. */
#include "worker_fixture.h"

#include "macros.h"

#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#define PATIENCE_MS 10000

static char pool_any[] = "any", pool_low[] = "below4g", device_name[] = "capture0";

static void *run(void *data)
{
        struct worker *worker = data;

        worker->result = server_run(&worker->settings);
        return NULL;
}

static void configure(struct worker *worker, const struct worker_options *options)
{
        unsigned pages = options->pages ? options->pages : 64;

        worker->pools[0] = (struct pool_settings){
                .name = pool_any,
                .window = RANGE_ALL,
                .page_bytes = WORKER_PAGE_BYTES,
                .node = -1,
                .size_min_bytes = pages * WORKER_PAGE_BYTES,
                .size_max_bytes = pages * WORKER_PAGE_BYTES,
                .spill = true,
                .quarantine_ns = 100 * NS_PER_MS,
        };
        worker->pools[1] = worker->pools[0];
        worker->pools[1].name = pool_low;
        worker->pools[1].window = (struct range){ 0, 4 * GiB - 1 };
        worker->pools[1].limited = true;
        worker->pools[1].spill = false;
        worker->pools[1].size_min_bytes = WORKER_LOW_PAGES * WORKER_PAGE_BYTES;
        worker->pools[1].size_max_bytes = WORKER_LOW_PAGES * WORKER_PAGE_BYTES;
        worker->devices[0] = (struct device_settings){
                .name = device_name,
                .limits = { .window = { 0, 256 * MiB - 1 }, .boundary_bytes = 64 * KiB },
        };
        worker->state = (struct state_settings){
                .backend = "fake",
                .pools = worker->pools,
                .n_pools = ARRAY_SIZE(worker->pools),
                .devices = worker->devices,
                .n_devices = ARRAY_SIZE(worker->devices),
                .admin_group = (gid_t)-1,
                .max_buffers = 10000,
                .max_clients = options->max_clients ? options->max_clients : 128,
                .max_waiting = options->max_waiting ? options->max_waiting : 64,
        };
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
        configure(worker, options ? options : &usual);
        worker->settings.state = &worker->state;
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

        assert_int_equal(fake_keeper_new(&keeper, &worker->settings.keeper_fd,
                                         &worker->settings.ledger_fd, &worker->keeper),
                         0);
        assert_int_equal(pthread_create(&worker->thread, NULL, run, worker), 0);
        fake_keeper_wait_ready(worker->keeper);
}

int worker_stop(struct worker *worker)
{
        fake_keeper_free(worker->keeper);
        pthread_join(worker->thread, NULL);
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

void caller_open(const struct worker *worker, const char *name, struct caller *ret)
{
        Wire__Request request = WIRE__REQUEST__INIT;
        Wire__Hello hello = WIRE__HELLO__INIT;
        char copy[64];

        caller_connect(worker, ret);
        strncpy(copy, name, sizeof(copy) - 1);
        copy[sizeof(copy) - 1] = 0;
        hello.version = 1;
        hello.client_name = copy;
        request.body_case = WIRE__REQUEST__BODY_HELLO;
        request.hello = &hello;
        assert_int_equal(caller_ask(ret, &request)->result, 0);
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
