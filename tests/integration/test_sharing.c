/* SPDX-License-Identifier: MIT */
/*
 * Buffers that outlive their drivers, and that several users have: a driver is killed and goes on
 * with the same memory, another user opens it by name or by a token, the worker dies meanwhile, and
 * in the end every byte is free. Needs root, to become the others.
 *
 *     test_sharing [hugetlb]      default: on sim
 */
#include "macros.h"
#include "pard_fixture.h"
#include "process.h"
#include "wire_client.h"

#include <errno.h>
#include <grp.h>
#include <par.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define POOL_BYTES  (16 * MiB)
#define BYTES       (3 * MiB)
#define PATIENCE_NS (60 * NS_PER_S)

#define CHECK(condition)                                                                   \
        do {                                                                               \
                if (!(condition))                                                          \
                        die("line %d: not %s: %s", __LINE__, #condition, par_error(NULL)); \
        } while (0)

static const char pool[] = "mode = \"0666\"\n"
                           "pool \"any\" { page_size = \"2M\" size_min = \"16M\" reuse_delay = "
                           "\"1s\" quarantine = \"1h\" }\n";
static const char sim[] =
        "backend = \"sim\"\n"
        "sim { extent \"high\" { first = \"4G\" size = \"1G\" page_size = \"2M\" } }\n";
static const char hugetlb[] =
        "backend = \"hugetlb\"\nhugepages = \"reserve\"\nkeep_free = \"512M\"\n";

/* Users: who makes buffers, who is named, whose group is, and who is not. */
enum { MAKER = 65010, FRIEND = 65020, MEMBER = 65030, GROUP = 65031, STRANGER = 65040 };

/* What the processes tell each other. */
static struct board {
        uint64_t dma[2]; /* of the first and the last byte */
        struct par_token token;
} * board;

/* ---- processes ------------------------------------------------------------------------------- */

static void become(uid_t uid, gid_t gid)
{
        if (setgroups(1, &gid) || setresgid(gid, gid, gid) || setresuid(uid, uid, uid))
                die("becoming uid %u: %s", uid, strerror(errno));
        prctl(PR_SET_PDEATHSIG, SIGKILL);
}

/* A process of another user that does one thing and ends. */
static void as(uid_t uid, gid_t gid, void (*act)(struct par *par))
{
        const struct par_connect_options options = { .client_name = "driver" };
        struct par *par;
        int status;
        pid_t pid;

        fflush(NULL);
        pid = fork();
        CHECK(pid >= 0);
        if (pid == 0) {
                become(uid, gid);
                CHECK(!par_connect(NULL, &options, &par));
                act(par);
                par_disconnect(par);
                exit(0);
        }
        CHECK(waitpid(pid, &status, 0) == pid);
        if (status)
                exit(EXIT_FAILURE); /* it has said why */
}

/* One that does it, says so, and stays until it is killed. */
static pid_t as_until_killed(uid_t uid, gid_t gid, void (*act)(struct par *par))
{
        const struct par_connect_options options = { .client_name = "driver" };
        struct par *par;
        char done = 1;
        int ends[2];
        pid_t pid;

        CHECK(!pipe(ends));
        fflush(NULL);
        pid = fork();
        CHECK(pid >= 0);
        if (pid == 0) {
                become(uid, gid);
                CHECK(!par_connect(NULL, &options, &par));
                act(par);
                CHECK(write(ends[1], &done, 1) == 1);
                for (;;)
                        pause();
        }
        close(ends[1]);
        if (read(ends[0], &done, 1) != 1)
                exit(EXIT_FAILURE);
        close(ends[0]);
        return pid;
}

static void kill_and_reap(pid_t pid)
{
        CHECK(!kill(pid, SIGKILL) && waitpid(pid, NULL, 0) == pid);
}

/* ---- what they do ---------------------------------------------------------------------------- */

static void fill(struct par_buffer *buffer, unsigned char with)
{
        memset(par_buffer_data(buffer), with, par_buffer_size(buffer));
}

static bool is_filled(const struct par_buffer *buffer, unsigned char with)
{
        const unsigned char *data = par_buffer_data(buffer);

        return data[0] == with && !memcmp(data, data + 1, par_buffer_size(buffer) - 1);
}

static uint64_t dma_at(struct par *par, const struct par_buffer *buffer, size_t offset)
{
        uint64_t dma;

        CHECK(!par_dma_address(par, (char *)par_buffer_data(buffer) + offset, &dma, NULL));
        return dma;
}

static void note(struct par *par, const struct par_buffer *buffer)
{
        board->dma[0] = dma_at(par, buffer, 0);
        board->dma[1] = dma_at(par, buffer, BYTES - 1);
}

static void check_same(struct par *par, const struct par_buffer *buffer)
{
        CHECK(par_buffer_size(buffer) == BYTES);
        CHECK(dma_at(par, buffer, 0) == board->dma[0]);
        CHECK(dma_at(par, buffer, BYTES - 1) == board->dma[1]);
}

static void make_lasting(struct par *par)
{
        const struct par_constraint any = { .max_segments = PAR_SEGMENTS_ANY };
        const struct par_alloc_options options = { .name = "ring",
                                                   .flags = PAR_ALLOC_LASTING,
                                                   .allow = "uid:65020,gid:65031" };
        struct par_buffer *buffer, *again;

        CHECK(!par_alloc(par, BYTES, &any, &options, &buffer));
        CHECK(is_filled(buffer, 0));
        fill(buffer, 0x11);
        note(par, buffer);
        CHECK(par_alloc(par, BYTES, &any, &options, &again) == -PAR_BUSY && !again);
        CHECK(par_open(par, "ring", NULL, &again) == -PAR_BUSY && !again);
}

static void go_on(struct par *par)
{
        struct par_buffer *buffer, *none;

        CHECK(par_open(par, "rink", NULL, &none) == -PAR_GONE && !none);
        CHECK(!par_open(par, "ring", NULL, &buffer));
        check_same(par, buffer);
        CHECK(is_filled(buffer, 0x11));
        fill(buffer, 0x22);
        fill(buffer, 0x11);
}

static void look_as_friend(struct par *par)
{
        struct par_buffer *buffer;
        struct par_token token;

        CHECK(!par_open(par, "65010/ring", NULL, &buffer));
        check_same(par, buffer);
        CHECK(is_filled(buffer, 0x11));
        CHECK(par_buffer_share(buffer, &token) == -PAR_DENIED);
        CHECK(par_remove(par, "65010/ring") == -PAR_DENIED);
        /* Again, once it was given back. */
        par_free(buffer);
        CHECK(!par_open(par, "65010/ring", NULL, &buffer));
        check_same(par, buffer);
        CHECK(is_filled(buffer, 0x11));
}

static void look_as_stranger(struct par *par)
{
        static const char *const names[] = { "ring", "65010/ring", "65040/ring" };
        struct par_buffer *buffer;

        for (size_t i = 0; i < ARRAY_SIZE(names); i++)
                CHECK(par_open(par, names[i], NULL, &buffer) == -PAR_GONE && !buffer);
        CHECK(par_open(par, "65010/ring/x", NULL, &buffer) == -PAR_INVALID);
        CHECK(par_open(par, "maker/ring", NULL, &buffer) == -PAR_INVALID);
        CHECK(par_open(par, "", NULL, &buffer) == -PAR_INVALID);
}

/* Small, with a token, beside a buffer of its own that nobody may see. */
static void make_shared(struct par *par)
{
        const struct par_alloc_options options = { .flags = PAR_ALLOC_SHARED };
        struct par_buffer *beside, *buffer;
        struct par_token again;

        CHECK(!par_alloc(par, 4096, NULL, NULL, &beside));
        CHECK(par_buffer_share(beside, &board->token) == -PAR_INVALID);
        CHECK(!par_alloc(par, 4096, NULL, &options, &buffer));
        fill(beside, 0x33);
        fill(buffer, 0x44);
        CHECK(!par_buffer_share(buffer, &board->token));
        CHECK(!par_buffer_share(buffer, &again));
        CHECK(!memcmp(&again, &board->token, sizeof(again)));
}

static void open_by_token(struct par *par)
{
        struct par_token wrong = board->token;
        struct par_buffer *buffer;
        const unsigned char *page;

        wrong.bytes[15] ^= 1;
        CHECK(par_open_shared(par, &wrong, NULL, &buffer) == -PAR_GONE && !buffer);
        CHECK(!par_open_shared(par, &board->token, NULL, &buffer));
        CHECK(is_filled(buffer, 0x44));
        /* All of the page that it lies in: nothing of its maker's is there. */
        page = (const unsigned char *)par_buffer_data(buffer) -
               ((uintptr_t)par_buffer_data(buffer) & (2 * MiB - 1));
        for (size_t i = 0; i < 2 * MiB; i++)
                CHECK(page[i] == 0 || page[i] == 0x44);
}

static void remove_ring(struct par *par)
{
        struct par_buffer *buffer;

        CHECK(!par_open(par, "ring", NULL, &buffer));
        CHECK(!par_remove(par, "ring"));
        CHECK(par_remove(par, "ring") == -PAR_GONE);
        CHECK(is_filled(buffer, 0x11));
        par_free(buffer);
}

static void remove_unopened(struct par *par)
{
        CHECK(!par_remove(par, "65010/ring"));
}

static void reclaim(struct par *par)
{
        uint64_t bytes;

        CHECK(!par_reclaim(par, NULL, &bytes));
        CHECK(bytes == BYTES);
}

/* ---- what is seen from outside --------------------------------------------------------------- */

/* Until so much is granted and in quarantine, and the rest free. */
static void await_bytes(const struct pard_fixture *pard, uint64_t granted, uint64_t quarantined)
{
        const uint64_t deadline = now_ns() + PATIENCE_NS;
        const Wire__Status *status;
        struct wire_client client;

        wire_client_open(pard->socket, "the test", &client);
        for (;;) {
                status = wire_client_status(&client);
                if (status->bytes->granted == granted &&
                    status->bytes->quarantined == quarantined &&
                    status->bytes->free == POOL_BYTES - granted - quarantined)
                        break;
                if (now_ns() > deadline)
                        die("%llu bytes granted, %llu in quarantine, %llu free; not %llu and %llu",
                            (unsigned long long)status->bytes->granted,
                            (unsigned long long)status->bytes->quarantined,
                            (unsigned long long)status->bytes->free, (unsigned long long)granted,
                            (unsigned long long)quarantined);
                usleep(10000);
        }
        wire_client_close(&client);
}

static void kill_worker(const struct pard_fixture *pard)
{
        const pid_t before = pard_fixture_worker(pard);
        const uint64_t deadline = now_ns() + PATIENCE_NS;
        pid_t worker;

        CHECK(before && !kill(before, SIGKILL));
        while (!(worker = pard_fixture_worker(pard)) || worker == before) {
                if (now_ns() > deadline)
                        die("no other worker");
                usleep(1000);
        }
}

int main(int argc, char **argv)
{
        const bool real = argc > 1 && strcmp(argv[1], "hugetlb") == 0;
        const uint64_t whole = 4 * MiB; /* in which BYTES lie */
        struct pard_fixture pard;
        char config[1024];
        pid_t driver, friend;

        if (geteuid() != 0) {
                puts("only root can become other users");
                return EXIT_SKIPPED;
        }
        if (real)
                require_hugepages(POOL_BYTES / MiB);
        board = mmap(NULL, sizeof(*board), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
                     0);
        CHECK(board != MAP_FAILED);
        snprintf(config, sizeof(config), "%s%s", real ? hugetlb : sim, pool);
        pard_fixture_start_filled(config, &pard);
        setenv("PAR_SOCKET", pard.socket, 1);

        /* A driver is killed, and goes on. */
        driver = as_until_killed(MAKER, MAKER, make_lasting);
        kill_and_reap(driver);
        await_bytes(&pard, whole, 0);
        as(MAKER, MAKER, go_on);
        await_bytes(&pard, whole, 0);

        /* Others; and the worker dies under all of them. */
        driver = as_until_killed(MAKER, MAKER, go_on);
        as(FRIEND, FRIEND, look_as_friend);
        as(MEMBER, GROUP, look_as_friend);
        as(STRANGER, STRANGER, look_as_stranger);
        friend = as_until_killed(FRIEND, FRIEND, look_as_friend);
        kill_worker(&pard);
        as(MEMBER, GROUP, look_as_friend);
        as(STRANGER, STRANGER, look_as_stranger);
        kill_and_reap(driver);
        kill_worker(&pard);
        as(MAKER, MAKER, go_on);
        kill_and_reap(friend);
        await_bytes(&pard, whole, 0);
        kill_worker(&pard);

        /* The device of the friend may still be writing, for all that pard knows. */
        as(MAKER, MAKER, remove_ring);
        await_bytes(&pard, 0, whole);
        as(FRIEND, FRIEND, reclaim);
        await_bytes(&pard, 0, 0);

        /* Nobody has it when its name is removed, by an administrator. */
        kill_and_reap(as_until_killed(MAKER, MAKER, make_lasting));
        as(0, 0, remove_unopened);
        await_bytes(&pard, 0, whole);
        kill_worker(&pard);
        await_bytes(&pard, 0, whole);
        as(MAKER, MAKER, reclaim);
        await_bytes(&pard, 0, 0);

        /* By a token, to somebody whom nobody has named. */
        driver = as_until_killed(MAKER, MAKER, make_shared);
        as(STRANGER, STRANGER, open_by_token);
        kill_worker(&pard);
        as(STRANGER, STRANGER, open_by_token);
        kill_and_reap(driver);
        await_bytes(&pard, 0, 4 * MiB); /* two pages */

        pard_fixture_stop(&pard);
        return 0;
}
