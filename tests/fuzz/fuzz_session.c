/* SPDX-License-Identifier: MIT */
/*
 * A whole worker, with its event loop and a keeper of invented memory, and clients who speak the
 * protocol by hand. Each input is a row of choices: who connects as whom, what he asks, what of
 * that is changed, who reads his replies, when the time passes, frames linger and the worker dies.
 *
 * Held: the worker never crashes, loops or ends; every invariant of the state after each step; each
 * request gets one reply, and one only, unless its session ends; what is no request, or comes with
 * descriptors, ends its session; and when all are gone all memory is free and no descriptor is
 * left.
 */
#include "fake_keeper.h"
#include "inline_loop.h"
#include "log.h"
#include "macros.h"
#include "mangle.h"
#include "packet.h"
#include "server.h"
#include "wire_request.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <syslog.h>
#include <unistd.h>

#define CALLERS     5
#define STEPS_MAX   80
#define WORKERS_MAX 3
#define ASKED_MAX   256
#define FDS_MAX     128
#define PAGE_BYTES  (2 * MiB)

/* Longer than any wait that ends by itself. */
#define LONG_NS (60 * NS_PER_S)

/**
 * struct asked - a request without a reply
 * @seq:     0: none
 * @forever: it may wait as long as its session lives
 */
struct asked {
        uint32_t seq;
        bool forever;
};

/**
 * struct caller - a connection
 * @fd:    -1: none
 * @uid:   as whom; @token: of its session, to come back with
 * @hello: seq of its Hello; 0: it said none
 * @asked: not answered so far
 * @lost:  the worker has closed it, or will: nothing is promised any more
 */
struct caller {
        int fd;
        uint32_t uid, seq, hello;
        uint64_t token;
        struct asked asked[ASKED_MAX];
        bool lost;
};

static struct {
        struct choices choices;
        struct fake_keeper *keeper;
        struct caller callers[CALLERS];
        struct wire_known known;
        struct message_arena arena;
        struct sockaddr_un address;
        socklen_t address_bytes;
        unsigned steps;
        bool dies; /* the worker does, and another one comes */
} on;

static struct pool_settings pools[2];
static struct device_settings devices[2];
static struct state_settings settings = { .backend = "fake",
                                          .pools = pools,
                                          .n_pools = ARRAY_SIZE(pools),
                                          .devices = devices,
                                          .n_devices = ARRAY_SIZE(devices),
                                          .admin_group = (gid_t)-1,
                                          .max_buffers = 20,
                                          .max_clients = 4,
                                          .max_waiting = 3 };

static void must(bool ok)
{
        if (!ok)
                abort();
}

/* ---- replies -------------------------------------------------------------------------------- */

static struct asked *find_asked(struct caller *caller, uint32_t seq)
{
        for (size_t i = 0; i < ASKED_MAX; i++)
                if (caller->asked[i].seq == seq)
                        return &caller->asked[i];
        return NULL;
}

static void hang_up(struct caller *caller)
{
        if (caller->fd >= 0)
                close(caller->fd);
        *caller = (struct caller){ .fd = -1, .uid = caller->uid, .token = caller->token };
}

static void take_reply(struct caller *caller, const Wire__Reply *reply)
{
        struct asked *asked = reply->seq ? find_asked(caller, reply->seq) : NULL;

        must(asked || caller->lost);
        if (asked)
                asked->seq = 0;
        must(!reply->result == !reply->refusal);
        must(!reply->refusal || reply->refusal->sentence[0]);
        if (reply->body_case == WIRE__REPLY__BODY_HELLO)
                caller->token = reply->hello->resume_token;
        if (reply->seq == caller->hello && reply->result)
                caller->lost = true;
}

/* Return: whether there may be more. */
static bool receive(struct caller *caller)
{
        static uint8_t bytes[PACKET_BYTES_MAX];
        struct packet packet;
        Wire__Packet *message;
        int r;

        r = packet_receive(caller->fd, bytes, sizeof(bytes), &packet);
        if (r == -ECONNRESET)
                return true;
        if (r)
                return false;
        packet_close_descriptors(&packet);
        must(!packet.bytes_cut && !packet.descriptors_cut);
        if (!packet.size) {
                must(caller->lost);
                hang_up(caller);
                return false;
        }
        message_arena_reset(&on.arena);
        must(!message_unpack_packet(&on.arena, bytes, packet.size, &message));
        wire_known_learn(&on.known, message);
        if (message->kind_case == WIRE__PACKET__KIND_REPLY)
                take_reply(caller, message->reply);
        return true;
}

static void read_all(struct caller *caller)
{
        while (caller->fd >= 0 && receive(caller))
                ;
}

/* ---- requests ------------------------------------------------------------------------------- */

/* What the worker will make of a packet: a reply, or the session's end. */
static void expect(struct caller *caller, const uint8_t *bytes, size_t size)
{
        Wire__Request *request;
        struct asked *room;

        message_arena_reset(&on.arena);
        if (size > PACKET_BYTES_MAX || message_unpack_request(&on.arena, bytes, size, &request)) {
                caller->lost = true;
                return;
        }
        if (!caller->hello && request->body_case == WIRE__REQUEST__BODY_HELLO)
                caller->hello = request->seq;
        if (!request->seq || find_asked(caller, request->seq) || !caller->hello ||
            request->body_case == WIRE__REQUEST__BODY_BYE)
                caller->lost = true; /* it may be: nothing is promised */
        room = find_asked(caller, 0);
        must(room);
        room->seq = request->seq;
        room->forever = request->body_case == WIRE__REQUEST__BODY_ALLOC &&
                        (request->alloc->wait_ms < 0 || request->alloc->wait_ms > 5000);
}

/* With descriptors nobody asked for, now and then. */
static void send_bytes(struct caller *caller, const uint8_t *bytes, size_t size)
{
        int fds[] = { 0, 0, 0 };
        const size_t n = choose(&on.choices, 32) == 31 ? 1 + choose(&on.choices, 3) : 0;

        if (!find_asked(caller, 0) || packet_send(caller->fd, bytes, size, fds, n))
                return;
        if (n)
                caller->lost = true;
        expect(caller, bytes, size);
}

static void send_request(struct caller *caller, struct wire_request *request)
{
        static uint8_t bytes[2 * PACKET_BYTES_MAX];
        const uint64_t how = choose(&on.choices, 16);
        size_t size;

        request->message.seq = ++caller->seq;
        if (how >= 13)
                for (uint64_t n = 1 + choose(&on.choices, 3); n--;)
                        mangle_message(&request->message.base, &on.choices);
        if (message_pack_request(&request->message, bytes, PACKET_BYTES_MAX, &size) || !size)
                return;
        if (how == 12)
                size = mangle_bytes(bytes, size, sizeof(bytes), &on.choices);
        send_bytes(caller, bytes, size);
}

static void ask(struct caller *caller)
{
        struct wire_request request;

        wire_request_choose(&request, &on.known, caller->seq, &on.choices);
        send_request(caller, &request);
}

static void greet(struct caller *caller, uint64_t token)
{
        struct wire_request request;

        wire_request_hello(&request, token);
        send_request(caller, &request);
}

static void say_bye(struct caller *caller)
{
        struct wire_request request;

        wire_request_bye(&request);
        send_request(caller, &request);
}

/* ---- connections ---------------------------------------------------------------------------- */

static void call(struct caller *caller, uint32_t uid)
{
        caller->fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        must(caller->fd >= 0);
        must(!connect(caller->fd, (const struct sockaddr *)&on.address, on.address_bytes));
        caller->uid = uid;
        inline_loop_set_uid(uid);
        inline_loop_turn(); /* it is accepted as this one */
}

static void begin(struct caller *caller)
{
        static const uint32_t uids[] = { 1000, 1000, 1001, 0 };
        const uint64_t token = choose(&on.choices, 4) == 3 ? caller->token : 0;

        call(caller, token ? caller->uid : uids[choose(&on.choices, ARRAY_SIZE(uids))]);
        caller->token = 0;
        caller->lost = choose(&on.choices, 8) == 7; /* it has said nothing for too long */
        if (!caller->lost)
                greet(caller, token);
        if (!caller->hello)
                caller->lost = true; /* what fits into no packet was not said */
}

/* ---- a life --------------------------------------------------------------------------------- */

static void pass_time(void)
{
        static const uint64_t ms[] = { 1, 20, 100, 1000, 11000 };

        inline_loop_pass(ms[choose(&on.choices, ARRAY_SIZE(ms))] * NS_PER_MS);
}

static void step(void)
{
        struct caller *caller = &on.callers[choose(&on.choices, CALLERS)];

        if (caller->fd < 0) {
                begin(caller);
                return;
        }
        switch (choose(&on.choices, 24)) {
        case 0: hang_up(caller); return;
        case 1: say_bye(caller); return;
        case 2:
        case 3: pass_time(); return;
        case 4: fake_keeper_keep(on.keeper); return;
        case 5: fake_keeper_let_go(on.keeper); return;
        case 6: on.dies = choose(&on.choices, 4) == 3; return;
        case 7:
        case 8:
        case 9:
        case 10: read_all(caller); return;
        default: ask(caller); return;
        }
}

/* Everybody hears what he was told. */
static void read_everything(void)
{
        for (unsigned i = 0; i < 64; i++) {
                for (size_t c = 0; c < CALLERS; c++)
                        read_all(&on.callers[c]);
                inline_loop_turn();
        }
}

static void check_answered(const struct caller *caller)
{
        for (size_t i = 0; i < ASKED_MAX && caller->fd >= 0 && !caller->lost; i++)
                must(!caller->asked[i].seq || caller->asked[i].forever);
}

static void must_be_empty(const struct status_report *report)
{
        const struct state_bytes *bytes = &report->bytes;

        if (bytes->free == bytes->held && !report->clients && !report->buffers)
                return;
        fprintf(stderr,
                "%" PRIu64 " held: %" PRIu64 " free, %" PRIu64 " granted, %" PRIu64
                " reusable, %" PRIu64 " leaving, %" PRIu64 " lingering, %" PRIu64
                " quarantined, %" PRIu64 " retired; %" PRIu32 " clients, %" PRIu64 " buffers\n",
                bytes->held, bytes->free, bytes->granted, bytes->reusable, bytes->leaving,
                bytes->lingering, bytes->quarantined, bytes->retired, report->clients,
                report->buffers);
        abort();
}

static void take_away(struct caller *root, Wire__Request__BodyCase how, char *pool)
{
        struct wire_request request;

        wire__request__init(&request.message);
        wire__selection__init(&request.body.selection);
        request.body.selection.pool = pool;
        request.message.body_case = how;
        request.message.revoke = &request.body.selection; /* where release's is, too */
        send_request(root, &request);
}

/* An administrator takes away what lasts; then all go, and nothing is left. */
static void come_to_an_end(void)
{
        struct caller *root = &on.callers[0];
        struct status_report report;

        on.choices.left = 0; /* nothing is changed from here on */
        fake_keeper_let_go(on.keeper);
        inline_loop_pass(LONG_NS);
        read_everything();
        for (size_t i = 0; i < CALLERS; i++) {
                check_answered(&on.callers[i]);
                hang_up(&on.callers[i]);
        }
        inline_loop_turn();
        call(root, 0);
        greet(root, 0);
        for (size_t i = 0; i < settings.n_pools; i++)
                take_away(root, WIRE__REQUEST__BODY_REVOKE, settings.pools[i].name);
        for (size_t i = 0; i < settings.n_pools; i++)
                take_away(root, WIRE__REQUEST__BODY_RELEASE, settings.pools[i].name);
        inline_loop_turn();
        read_everything();
        check_answered(root);
        hang_up(root);
        inline_loop_pass(LONG_NS);
        state_check(inline_loop_state());
        state_report(inline_loop_state(), 0, &report);
        must_be_empty(&report);
}

/* What a worker does instead of waiting. Return, and it ends. */
static void live(void *data)
{
        (void)data;
        inline_loop_turn();
        on.dies = false;
        while (on.steps < STEPS_MAX && !on.choices.over && !on.dies) {
                step();
                on.steps++;
                inline_loop_turn();
                state_check(inline_loop_state());
        }
        if (!on.dies)
                come_to_an_end();
        else
                fake_keeper_leave_worker(on.keeper);
}

static void keeper_turn(void *data)
{
        (void)data;
        fake_keeper_turn(on.keeper);
}

/* ---- workers -------------------------------------------------------------------------------- */

static void configure(void)
{
        pools[0] = (struct pool_settings){
                .name = (char *)(uintptr_t) "any",
                .window = RANGE_ALL,
                .page_bytes = PAGE_BYTES,
                .node = -1,
                .size_min_bytes = 6 * PAGE_BYTES,
                .size_max_bytes = 10 * PAGE_BYTES,
                .shrink_delay_ns = 50 * NS_PER_MS,
                .reuse_delay_ns = choose(&on.choices, 2) * 100 * NS_PER_MS,
                .quarantine_ns = 100 * NS_PER_MS,
                .spill = true,
        };
        pools[1] = pools[0];
        pools[1].name = (char *)(uintptr_t) "below4g";
        pools[1].window.last = 4 * GiB - 1;
        pools[1].limited = true;
        pools[1].spill = false;
        pools[1].isolation = choose(&on.choices, 2) ? ISOLATE_UID : ISOLATE_SESSION;
        pools[1].hidden = choose(&on.choices, 3) == 2;
        devices[0] = (struct device_settings){
                .name = (char *)(uintptr_t) "capture0",
                .limits = { .window = { 0, 3 * GiB - 1 }, .boundary_bytes = 64 * KiB },
        };
        devices[1] = (struct device_settings){
                .name = (char *)(uintptr_t) "disk",
                .limits = { .window = RANGE_ALL, .align_bytes = 1, .max_segments = SEGMENTS_ANY },
                .pci = "0000:01:00.0",
                .facts = { .known = true, .dma_mask_bits = 48, .node = -1, .iommu_group = -1 },
        };
}

static int no_proposal(void *data, int fd, struct proposal *ret, char *error, size_t error_bytes)
{
        (void)data;
        (void)fd;
        (void)ret;
        if (error_bytes)
                error[0] = '\0';
        return -EINVAL;
}

static void no_adoption(void *data)
{
        (void)data;
}

static int listen_somewhere(void)
{
        const int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

        must(fd >= 0);
        on.address.sun_family = AF_UNIX;
        on.address_bytes = sizeof(on.address);
        must(!bind(fd, (struct sockaddr *)&on.address, sizeof(sa_family_t)));
        must(!getsockname(fd, (struct sockaddr *)&on.address, &on.address_bytes));
        must(!listen(fd, 16));
        return fd;
}

static void run_workers(void)
{
        static const struct server_reload reload = { NULL, no_proposal, no_adoption };
        const struct fake_keeper_settings keeper = { .slots = 64,
                                                     .descending = true,
                                                     .let_go = true,
                                                     .reload = { .result = -EINVAL },
                                                     .by_hand = true };
        struct server_settings server = {
                .state = &settings, .reload = &reload, .metrics_fd = -1, .udmabuf_fd = -1
        };
        const int listener = listen_somewhere();
        unsigned n = 0;

        must(!fake_keeper_new(&keeper, &server.keeper_fd, &server.ledger_fd, &on.keeper));
        do {
                if (n++)
                        must(!fake_keeper_next_worker(on.keeper, &server.keeper_fd,
                                                      &server.ledger_fd));
                server.listen_fd = dup(listener);
                must(server.listen_fd >= 0);
                for (size_t i = 0; i < CALLERS; i++)
                        hang_up(&on.callers[i]);
                if (n == WORKERS_MAX)
                        on.steps = STEPS_MAX;
                inline_loop_begin(live, keeper_turn, NULL);
                must(!server_run(&server));
        } while (on.dies);
        close(listener);
        fake_keeper_free(on.keeper);
}

/* ---- the whole ------------------------------------------------------------------------------ */

static unsigned count_descriptors(void)
{
        unsigned n = 0;

        for (int fd = 0; fd < FDS_MAX; fd++)
                n += fcntl(fd, F_GETFD) >= 0;
        return n;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
        const unsigned descriptors = count_descriptors();

        /* Refusals are what this is about. */
        log_open("pard", getenv("PAR_FUZZ_LOG") ? LOG_DEBUG : LOG_EMERG);
        memset(&on, 0, sizeof(on));
        on.choices = choices_from_input(bytes, size);
        for (size_t i = 0; i < CALLERS; i++)
                on.callers[i].fd = -1;
        configure();
        run_workers();
        inline_loop_end();
        message_arena_deinit(&on.arena);
        must(count_descriptors() == descriptors);
        return 0;
}
