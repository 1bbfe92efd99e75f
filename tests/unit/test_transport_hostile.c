/* SPDX-License-Identifier: MIT */
/*
 * A whole worker with the real state, and peers that mean it no good, or are not up to it. Whatever
 * they do, a client beside them is served.
 */
#include "worker_fixture.h"

#include "clock.h"
#include "descriptors.h"
#include "keeper_protocol.h"
#include "lingering_socket.h"
#include "macros.h"
#include "strangers.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#define SO_PASSRIGHTS_OPTION 83
#define PATIENCE_MS          60000
#define FULL_TURNS           10

static struct worker worker;

static int setup(void **state)
{
        (void)state;
        worker_start(&worker, NULL);
        return 0;
}

static int setup_large(void **state)
{
        (void)state;
        worker_start(&worker, &(struct worker_options){ .pages = 700 });
        return 0;
}

static int setup_few(void **state)
{
        (void)state;
        worker_start(&worker, &(struct worker_options){ .max_clients = 3, .max_waiting = 2 });
        return 0;
}

static int setup_sixty(void **state)
{
        (void)state;
        worker_start(&worker, &(struct worker_options){ .max_clients = 60 });
        return 0;
}

static int teardown(void **state)
{
        (void)state;
        return worker_stop(&worker);
}

/* ---- packets -------------------------------------------------------------------------------- */

static const struct {
        const char *name;
        size_t size;
        unsigned char bytes[16];
} garbage_cases[] = {
        { "random bytes", 5, { 0xff, 0xfe, 0xfd, 0xfc, 0xfb } },
        { "a request cut off", 4, { 0x08, 0x02, 0x22, 0x10 } },
        { "a group", 3, { 0x0b, 0x0c, 0x0d } },
        { "seq 0", 2, { 0x22, 0x00 } },
};

static void test_garbage_ends_the_session(void **state)
{
        struct caller beside;

        (void)state;
        caller_open(&worker, "beside", &beside);
        for (size_t i = 0; i < ARRAY_SIZE(garbage_cases); i++) {
                struct caller caller;

                caller_open(&worker, garbage_cases[i].name, &caller);
                caller_send_bytes(&caller, garbage_cases[i].bytes, garbage_cases[i].size);
                caller_expect_end(&caller);
                caller_close(&caller);
        }
        caller_await(&beside, status_clients, 1);
        caller_close(&beside);
}

static void test_an_oversized_packet_ends_the_session(void **state)
{
        static char bytes[PACKET_BYTES_MAX + 1];
        struct caller caller, beside;

        (void)state;
        caller_open(&worker, "beside", &beside);
        caller_open(&worker, "large", &caller);
        assert_int_equal(send(caller.fd, bytes, sizeof(bytes), MSG_NOSIGNAL), sizeof(bytes));
        caller_expect_end(&caller);
        caller_close(&caller);
        caller_await(&beside, status_clients, 1);
        caller_close(&beside);
}

static void test_an_unknown_request_is_answered(void **state)
{
        /* seq 77, and a body with the number 1000. */
        static const unsigned char bytes[] = { 0x08, 77, 0xc2, 0x3e, 0x00 };
        struct caller caller;

        (void)state;
        caller_open(&worker, "newer", &caller);
        caller_send_bytes(&caller, bytes, sizeof(bytes));
        assert_int_equal(caller_reply(&caller, 77)->result, PAR_REFUSED_INVALID);
        assert_int_equal(caller_status(&caller)->clients, 1);
        caller_close(&caller);
}

static void test_hello_comes_first(void **state)
{
        Wire__Request request = WIRE__REQUEST__INIT;
        Wire__List list = WIRE__LIST__INIT;
        struct caller caller;

        (void)state;
        caller_connect(&worker, &caller);
        request.body_case = WIRE__REQUEST__BODY_STATUS;
        request.status = &list;
        assert_int_equal(caller_ask(&caller, &request)->result, EPROTO);
        caller_expect_end(&caller);
        caller_close(&caller);
}

static void test_a_seq_that_waits_is_not_used_twice(void **state)
{
        struct caller rich, poor;

        (void)state;
        caller_open(&worker, "rich", &rich);
        caller_open(&worker, "poor", &poor);
        assert_int_equal(caller_alloc(&rich, 64 * WORKER_PAGE_BYTES, "any")->result, 0);
        caller_send_alloc(&poor, 4096, "any", -1);
        poor.seq--;
        caller_send_alloc(&poor, 4096, "any", -1);
        caller_expect_end(&poor);
        caller_await(&rich, status_clients, 1);
        assert_int_equal(caller_status(&rich)->waiting, 0);
        caller_close(&poor);
        caller_close(&rich);
}

/* ---- descriptors ---------------------------------------------------------------------------- */

static bool kernel_refuses_rights(void)
{
        int ends[2], off = 0, r;

        assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends), 0);
        r = setsockopt(ends[0], SOL_SOCKET, SO_PASSRIGHTS_OPTION, &off, sizeof(off));
        close(ends[0]);
        close(ends[1]);
        return r == 0;
}

static void test_descriptors_nobody_asked_for_block_nobody(void **state)
{
        struct caller caller, beside;
        struct lingering_socket lingering;
        uint64_t began;
        int r;

        (void)state;
        caller_open(&worker, "beside", &beside);
        caller_open(&worker, "sender", &caller);
        lingering_socket_init(&lingering);
        r = packet_send(caller.fd, "x", 1, &lingering.fd, 1);
        if (kernel_refuses_rights()) {
                assert_int_equal(r, -EPERM);
        } else {
                assert_int_equal(r, 0);
                close(STEAL_FD(lingering.fd)); /* theirs is the last */
                began = now_ms();
                caller_expect_end(&caller);
                caller_await(&beside, status_clients, 1);
                assert_true(now_ms() - began < LINGERING_SECONDS * 1000 / 2);
        }
        lingering_socket_deinit(&lingering);
        caller_close(&caller);
        caller_close(&beside);
}

/* ---- load ----------------------------------------------------------------------------------- */

/* Until another packet goes out, or so often the worker has answered somebody else meanwhile, and
 * so had its turn, that none will. Return: as of packet_send(). */
static int send_when_read(struct caller *mute, const void *bytes, size_t size,
                          struct caller *beside)
{
        const struct timespec pause = { 0, 5000000 };
        int r = packet_send(mute->fd, bytes, size, NULL, 0);

        for (int turns = 0; r == -EAGAIN && turns < FULL_TURNS; turns++) {
                assert_int_equal(caller_status(beside)->clients, 2);
                nanosleep(&pause, NULL);
                r = packet_send(mute->fd, bytes, size, NULL, 0);
        }
        return r;
}

/* Ask for page after page, numbered from 1000, until nothing more goes out. Return: how many. */
static int ask_until_full(struct caller *mute, struct caller *beside)
{
        uint8_t bytes[64];
        size_t size;
        int sent = 0;

        fcntl(mute->fd, F_SETFL, O_NONBLOCK);
        for (;;) {
                Wire__Request request = WIRE__REQUEST__INIT;
                Wire__Alloc alloc = WIRE__ALLOC__INIT;
                int r;

                alloc.size = WORKER_PAGE_BYTES;
                request.seq = 1000 + (uint32_t)sent;
                request.body_case = WIRE__REQUEST__BODY_ALLOC;
                request.alloc = &alloc;
                assert_int_equal(message_pack_request(&request, bytes, sizeof(bytes), &size), 0);
                r = send_when_read(mute, bytes, size, beside);
                if (r == -EAGAIN)
                        return sent;
                assert_int_equal(r, 0);
                sent++;
                assert_true(sent < 100000);
        }
}

/* It asks and asks for memory, and never reads an answer. */
static void test_a_client_that_never_reads_costs_little(void **state)
{
        struct caller mute, beside;
        unsigned before;
        int sent;

        (void)state;
        caller_open(&worker, "beside", &beside);
        caller_open(&worker, "mute", &mute);
        before = descriptors_open();
        sent = ask_until_full(&mute, &beside);
        /* Descriptors in flight are bounded: so are the grants. */
        assert_int_equal(caller_status(&beside)->grants, 64);
        assert_true(descriptors_open() < before + 10);
        assert_int_equal(caller_alloc(&beside, WORKER_PAGE_BYTES, "any")->result, 0);

        /* It reads after all: everything is answered, in the order of the requests. */
        fcntl(mute.fd, F_SETFL, 0);
        for (int i = 0; i < sent; i++)
                caller_reply(&mute, 1000 + (uint32_t)i);
        mute.seq = 100000;
        assert_int_equal(caller_status(&mute)->clients, 2);
        caller_close(&mute);
        caller_close(&beside);
}

/* What it asked for before it ended is not looked for: nobody would have it. */
static void test_the_dead_are_granted_nothing(void **state)
{
        struct caller mute, beside;

        (void)state;
        caller_open(&worker, "beside", &beside);
        caller_open(&worker, "mute", &mute);
        assert_in_range(ask_until_full(&mute, &beside), 65, 100000);
        assert_int_equal(caller_status(&beside)->grants, 64);
        caller_close(&mute);
        caller_await(&beside, status_clients, 1);
        /* One answer finds out. */
        assert_in_range(caller_status(&beside)->grants, 64, 65);
        caller_close(&beside);
}

/* Large answers that nobody reads, then the end. */
static void test_a_client_that_never_reads_may_die(void **state)
{
        struct caller mute, beside;
        uint8_t bytes[64];
        size_t size;
        int r = 0;

        (void)state;
        caller_open(&worker, "beside", &beside);
        caller_open(&worker, "mute", &mute);
        fcntl(mute.fd, F_SETFL, O_NONBLOCK);
        for (int i = 0; i < 500 && !r; i++) {
                Wire__Request request = WIRE__REQUEST__INIT;
                Wire__List list = WIRE__LIST__INIT;

                request.seq = 1000 + (uint32_t)i;
                request.body_case = WIRE__REQUEST__BODY_FRAMES;
                request.frames = &list;
                assert_int_equal(message_pack_request(&request, bytes, sizeof(bytes), &size), 0);
                r = packet_send(mute.fd, bytes, size, NULL, 0);
        }
        assert_int_equal(caller_status(&beside)->clients, 2);
        caller_close(&mute);
        caller_await(&beside, status_clients, 1);
        caller_close(&beside);
}

struct flood {
        pthread_t thread;
        atomic_bool stop;
        bool failed;
};

static void *flood(void *data)
{
        struct flood *it = data;
        static const unsigned char status[] = { 0x08, 0x09, 0x62, 0x00 };
        char bytes[1024]; /* nobody looks at the rest */
        struct caller caller;
        struct packet packet;

        caller_connect(&worker, &caller);
        {
                /* Hello{version: 1}, seq 1 */
                static const unsigned char hello[] = { 0x08, 0x01, 0x12, 0x02, 0x08, 0x01 };

                (void)packet_send(caller.fd, hello, sizeof(hello), NULL, 0);
        }
        fcntl(caller.fd, F_SETFL, O_NONBLOCK);
        while (!it->stop) {
                while (!packet_send(caller.fd, status, sizeof(status), NULL, 0))
                        ;
                while (!packet_receive(caller.fd, bytes, sizeof(bytes), &packet))
                        ;
        }
        caller_close(&caller);
        return NULL;
}

static void test_floods_starve_nobody(void **state)
{
        struct flood floods[4] = { 0 };
        struct caller beside;
        uint64_t worst = 0;

        (void)state;
        caller_open(&worker, "beside", &beside);
        for (size_t i = 0; i < ARRAY_SIZE(floods); i++)
                assert_int_equal(pthread_create(&floods[i].thread, NULL, flood, &floods[i]), 0);
        for (int i = 0; i < 200; i++) {
                uint64_t began = now_ms();

                caller_status(&beside);
                if (now_ms() - began > worst)
                        worst = now_ms() - began;
        }
        for (size_t i = 0; i < ARRAY_SIZE(floods); i++) {
                floods[i].stop = true;
                pthread_join(floods[i].thread, NULL);
        }
        assert_true(worst < PATIENCE_MS); /* starved would be for ever; the machine may be busy */
        caller_await(&beside, status_clients, 1);
        caller_close(&beside);
}

/* One request at a time, and the next as soon as the answer is there. */
static void *ask_on_and_on(void *data)
{
        static const unsigned char hello[] = { 0x08, 0x01, 0x12, 0x02, 0x08, 0x01 };
        static const unsigned char status[] = { 0x08, 0x09, 0x62, 0x00 };
        struct flood *it = data;
        struct caller caller;
        struct packet packet;
        char bytes[1024];
        int r;

        caller_connect(&worker, &caller);
        r = packet_send(caller.fd, hello, sizeof(hello), NULL, 0);
        while (!r && !it->stop) {
                r = packet_receive(caller.fd, bytes, sizeof(bytes), &packet);
                if (!r)
                        r = packet_send(caller.fd, status, sizeof(status), NULL, 0);
        }
        it->failed = r != 0;
        caller_close(&caller);
        return NULL;
}

/* Who says no Hello yet comes after those who are known, but he comes. */
static void test_who_is_known_does_not_keep_strangers_out(void **state)
{
        struct flood eager[8] = { 0 };
        struct caller stranger;

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(eager); i++)
                assert_int_equal(pthread_create(&eager[i].thread, NULL, ask_on_and_on, &eager[i]),
                                 0);
        for (int i = 0; i < 50; i++) {
                uint64_t began = now_ms();

                caller_open(&worker, "stranger", &stranger);
                caller_close(&stranger);
                assert_true(now_ms() - began < PATIENCE_MS); /* starved would be for ever */
        }
        for (size_t i = 0; i < ARRAY_SIZE(eager); i++) {
                eager[i].stop = true;
                pthread_join(eager[i].thread, NULL);
                assert_false(eager[i].failed);
        }
        caller_open(&worker, "afterwards", &stranger);
        caller_await(&stranger, status_clients, 1);
        caller_close(&stranger);
}

struct burst {
        pthread_t thread;
        uint32_t frames;
};

static void *give_frames(void *data)
{
        struct burst *burst = data;

        fake_keeper_give(worker.keeper, 0, burst->frames, 0);
        fake_keeper_end_take(worker.keeper, 0, 0);
        return NULL;
}

/*
 * One burst, with somebody beside it who asks on and on.
 * Return: how many answers saw a part of the frames arrived.
 */
static unsigned answers_within_a_burst(void)
{
        enum { FRAMES = 1500 };
        struct caller wants, beside;
        struct burst burst;
        unsigned within = 0;

        worker_start(&worker, &(struct worker_options){ .more_pages = FRAMES });
        caller_open(&worker, "beside", &beside);
        caller_open(&worker, "wants", &wants);
        fake_keeper_hold_takes(worker.keeper);
        caller_send_alloc(&wants, (64 + FRAMES) * WORKER_PAGE_BYTES, "any", -1);
        burst.frames = fake_keeper_await_take(worker.keeper, 0);
        assert_int_equal(burst.frames, FRAMES);
        uint64_t before = status_held(caller_status(&beside));
        assert_int_equal(pthread_create(&burst.thread, NULL, give_frames, &burst), 0);
        for (;;) {
                const Wire__Status *status = caller_status(&beside);

                if (status->grants)
                        break;
                within += status_held(status) > before;
        }
        pthread_join(burst.thread, NULL);
        caller_close(&wants);
        caller_close(&beside);
        assert_int_equal(worker_stop(&worker), 0);
        return within;
}

/*
 * Thousands of frames that arrive at once: others are answered between them. A burst is over in
 * milliseconds, in which the scheduler need not let the asker run: one seen of many bursts proves
 * it, and a worker that reads a burst to its end is never seen within.
 */
static void test_a_burst_of_frames_holds_up_nobody(void **state)
{
        unsigned within = 0;

        (void)state;
        for (int i = 0; i < 20 && !within; i++)
                within = answers_within_a_burst();
        assert_true(within > 0);
}

static void test_more_clients_than_may_be_are_told(void **state)
{
        struct caller few[3], extra;
        Wire__Request request = WIRE__REQUEST__INIT;
        Wire__Hello hello = WIRE__HELLO__INIT;

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(few); i++)
                caller_open(&worker, "few", &few[i]);
        caller_connect_as(&worker, CALLER_USER, &extra); /* root would come in */
        hello.version = 1;
        request.body_case = WIRE__REQUEST__BODY_HELLO;
        request.hello = &hello;
        assert_int_equal(caller_ask(&extra, &request)->result, PAR_REFUSED_QUOTA);
        caller_expect_end(&extra);
        caller_close(&extra);

        caller_close(&few[0]);
        caller_await(&few[1], status_clients, 2);
        caller_open(&worker, "few", &few[0]);
        for (size_t i = 0; i < ARRAY_SIZE(few); i++)
                caller_close(&few[i]);
}

/* Places of a worker with setup_few(). */
#define FEW_PLACES (3 + 64)

/* One uid takes all places that there are, and more, and says nothing: another comes in, and who
 * keeps no more than a share has kept his. */
static void test_one_uid_cannot_take_all_places(void **state)
{
        struct caller silent[FEW_PLACES + 30], modest[STRANGERS_SHARE], late;

        (void)state;
        if (!caller_can_be(&worker, CALLER_STRANGER) || !caller_can_be(&worker, CALLER_USER))
                skip();
        for (size_t i = 0; i < ARRAY_SIZE(modest); i++)
                caller_connect_as(&worker, CALLER_USER, &modest[i]);
        for (size_t i = 0; i < ARRAY_SIZE(silent); i++)
                caller_connect_as(&worker, CALLER_STRANGER, &silent[i]);
        caller_open(&worker, "late", &late);
        assert_int_equal(caller_status(&late)->clients, 1);

        /* All but so many had to make way, the oldest first. */
        for (size_t i = 0; i + FEW_PLACES < ARRAY_SIZE(silent) + ARRAY_SIZE(modest) + 1; i++)
                caller_expect_end(&silent[i]);
        caller_greet("the oldest of a share", &modest[0]);
        caller_greet("who came last", &silent[ARRAY_SIZE(silent) - 1]);
        assert_int_equal(caller_status(&late)->clients, 3);
        for (size_t i = 0; i < ARRAY_SIZE(modest); i++)
                caller_close(&modest[i]);
        for (size_t i = 0; i < ARRAY_SIZE(silent); i++)
                caller_close(&silent[i]);
        caller_close(&late);
}

/* All of one uid at once, as after a worker's death, with many of it that say nothing: who speaks
 * does not have to make way. */
static void test_a_burst_of_one_uid_is_welcomed(void **state)
{
        static const unsigned char hello[] = { 0x08, 0x01, 0x12, 0x02, 0x08, 0x01 };
        struct caller silent[90], burst[60];

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(silent); i++)
                caller_connect(&worker, &silent[i]);
        for (size_t i = 0; i < ARRAY_SIZE(burst); i++) {
                caller_connect(&worker, &burst[i]);
                caller_send_bytes(&burst[i], hello, sizeof(hello));
        }
        for (size_t i = 0; i < ARRAY_SIZE(burst); i++)
                assert_int_equal(caller_reply(&burst[i], 1)->result, 0);
        assert_int_equal(caller_status(&burst[0])->clients, ARRAY_SIZE(burst));
        for (size_t i = 0; i < ARRAY_SIZE(burst); i++)
                caller_close(&burst[i]);
        for (size_t i = 0; i < ARRAY_SIZE(silent); i++)
                caller_close(&silent[i]);
}

static void test_more_waiting_than_may_be_is_refused(void **state)
{
        struct caller rich, poor;

        (void)state;
        caller_open(&worker, "rich", &rich);
        caller_open(&worker, "poor", &poor);
        assert_int_equal(caller_alloc(&rich, 64 * WORKER_PAGE_BYTES, "any")->result, 0);
        caller_send_alloc(&poor, 4096, "any", -1);
        caller_send_alloc(&poor, 4096, "any", -1);
        assert_int_equal(caller_reply(&poor, caller_send_alloc(&poor, 4096, "any", -1))->result,
                         PAR_REFUSED_QUOTA);
        caller_close(&poor);
        caller_close(&rich);
}

/* No descriptor is left for another connection: those that are there go on, and later so does he.
 */
static void test_no_descriptor_left_to_accept_with(void **state)
{
        struct caller beside, late;
        struct rlimit limit, low;
        int next;

        (void)state;
        caller_open(&worker, "beside", &beside);
        late.fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
        next = dup(0);
        close(next);
        assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
        low = limit;
        low.rlim_cur = (rlim_t)next;
        assert_int_equal(setrlimit(RLIMIT_NOFILE, &low), 0);
        assert_int_equal(connect(late.fd, (struct sockaddr *)&worker.address, worker.address_bytes),
                         0);
        for (int i = 0; i < 100; i++)
                assert_int_equal(caller_status(&beside)->clients, 1);
        assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
        close(late.fd);
        caller_open(&worker, "late", &late);
        assert_int_equal(caller_status(&beside)->clients, 2);
        caller_close(&late);
        caller_close(&beside);
}

static void test_nothing_is_left_behind(void **state)
{
        struct caller beside;
        unsigned before;

        (void)state;
        caller_open(&worker, "beside", &beside);
        caller_await(&beside, status_free, (64 + WORKER_LOW_PAGES) * WORKER_PAGE_BYTES);
        before = descriptors_open();
        for (int i = 0; i < 50; i++) {
                struct caller caller;

                caller_open(&worker, "comes and goes", &caller);
                caller_send_alloc(&caller, WORKER_PAGE_BYTES, "any", i % 2 ? -1 : 0);
                if (i % 3)
                        caller_receive(&caller);
                caller_close(&caller);
        }
        caller_await(&beside, status_clients, 1);
        caller_await(&beside, status_free, (64 + WORKER_LOW_PAGES) * WORKER_PAGE_BYTES);
        for (int i = 0; i < PATIENCE_MS / 10 && descriptors_open() > before; i++) {
                const struct timespec pause = { 0, 10000000 };

                nanosleep(&pause, NULL);
        }
        assert_int_equal(descriptors_open(), before);
        caller_close(&beside);
}

/* ---- the keeper ----------------------------------------------------------------------------- */

static const struct {
        const char *name;
        struct keeper_message message;
        bool brings; /* a descriptor */
} nonsense_cases[] = {
        { "an unknown type", { .type = 200 }, false },
        { "a second welcome", { .type = KEEPER_WELCOME }, false },
        { "a request of the worker's", { .type = KEEPER_TAKE }, false },
        { "another one", { .type = KEEPER_RELOAD }, false },
        { "an answer of the worker's", { .type = KEEPER_PONG }, false },
        { "a slot beyond the ledger",
          { .type = KEEPER_LEFT, .slot = 1u << 20, .generation = 1 },
          false },
        { "generation 0", { .type = KEEPER_LEFT }, false },
        { "a frame without a descriptor",
          { .type = KEEPER_FRAME, .slot = 9, .generation = 999 },
          false },
        { "a frame of an unknown pool",
          { .type = KEEPER_FRAME, .slot = 9, .generation = 999, .pool = 17 },
          true },
        { "the end of an unknown pool's take", { .type = KEEPER_TAKEN, .pool = 17 }, false },
        { "the end of a take that nobody asked for", { .type = KEEPER_TAKEN }, false },
        { "the progress of an unknown pool", { .type = KEEPER_PROGRESS, .pool = 17 }, false },
        { "the progress of a take that is over", { .type = KEEPER_PROGRESS }, false },
        { "a sight that means nothing",
          { .type = KEEPER_SEEN, .result = KEEPER_SEEN_MASTER + 1 },
          false },
        { "a sight with a number that is too large",
          { .type = KEEPER_SEEN, .first = UINT64_C(1) << 32 },
          false },
        { "a sight with a descriptor", { .type = KEEPER_SEEN }, true },
        { "progress with a descriptor", { .type = KEEPER_PROGRESS }, true },
        { "a ping with a descriptor", { .type = KEEPER_PING }, true },
        { "a configuration that was not asked for",
          { .type = KEEPER_CONFIG, .count = 1, .result = -EINVAL },
          false },
        { "a configuration in force without its text", { .type = KEEPER_CONFIG }, false },
        { "a configuration asked for twice",
          { .type = KEEPER_CONFIG, .count = 2, .result = -EINVAL },
          false },
        { "a configuration with a refusal",
          { .type = KEEPER_CONFIG, .result = PAR_REFUSED_DENIED },
          true },
};

static void test_keeper_that_talks_nonsense(void **state)
{
        int fd = dup(0);

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(nonsense_cases); i++) {
                worker_start(&worker, NULL);
                assert_int_equal(fake_keeper_say(worker.keeper, &nonsense_cases[i].message,
                                                 nonsense_cases[i].brings ? fd : -1),
                                 0);
                if (worker_end(&worker) != -EPROTO)
                        fail_msg("%s: %d", nonsense_cases[i].name, worker.result);
                fake_keeper_free(worker.keeper);
        }
        close(fd);
}

static const struct {
        const char *name;
        struct keeper_message message;
} take_cases[] = {
        { "more than was asked for", { .type = KEEPER_TAKEN, .count = 1000 } },
        { "an end that is no fault", { .type = KEEPER_TAKEN, .result = 1 } },
        { "progress beyond the end", { .type = KEEPER_PROGRESS, .count = 1000 } },
};

/* While a take is under way. */
static void test_keeper_that_overdoes_a_take(void **state)
{
        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(take_cases); i++) {
                struct caller caller;

                worker_start(&worker, &(struct worker_options){ .more_pages = 16 });
                fake_keeper_hold_takes(worker.keeper);
                caller_open(&worker, "large", &caller);
                caller_send_alloc(&caller, 70 * WORKER_PAGE_BYTES, "any", -1);
                fake_keeper_await_take(worker.keeper, 0);
                assert_int_equal(fake_keeper_say(worker.keeper, &take_cases[i].message, -1), 0);
                caller_expect_end(&caller);
                caller_close(&caller);
                if (worker_end(&worker) != -EPROTO)
                        fail_msg("%s: %d", take_cases[i].name, worker.result);
                fake_keeper_free(worker.keeper);
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
#define TEST(name)  cmocka_unit_test_setup_teardown(name, setup, teardown)
#define LARGE(name) cmocka_unit_test_setup_teardown(name, setup_large, teardown)
#define FEW(name)   cmocka_unit_test_setup_teardown(name, setup_few, teardown)
                TEST(test_garbage_ends_the_session),
                TEST(test_an_oversized_packet_ends_the_session),
                TEST(test_an_unknown_request_is_answered),
                TEST(test_hello_comes_first),
                TEST(test_a_seq_that_waits_is_not_used_twice),
                TEST(test_descriptors_nobody_asked_for_block_nobody),
                LARGE(test_a_client_that_never_reads_costs_little),
                LARGE(test_the_dead_are_granted_nothing),
                LARGE(test_a_client_that_never_reads_may_die),
                LARGE(test_floods_starve_nobody),
                TEST(test_who_is_known_does_not_keep_strangers_out),
                cmocka_unit_test(test_a_burst_of_frames_holds_up_nobody),
                FEW(test_more_clients_than_may_be_are_told),
                FEW(test_one_uid_cannot_take_all_places),
                cmocka_unit_test_setup_teardown(test_a_burst_of_one_uid_is_welcomed, setup_sixty,
                                                teardown),
                FEW(test_more_waiting_than_may_be_is_refused),
                TEST(test_no_descriptor_left_to_accept_with),
                TEST(test_nothing_is_left_behind),
                cmocka_unit_test(test_keeper_that_talks_nonsense),
                cmocka_unit_test(test_keeper_that_overdoes_a_take),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
