/* SPDX-License-Identifier: MIT */
/*
 * An administrator takes buffers away from clients that use libpar: what they see, where the memory
 * is meanwhile, and that it comes back. Then again and again while two threads allocate and free.
 *
 * test_revoke [ROUNDS [sim|hugetlb]]
 */
#include "macros.h"
#include "pard_fixture.h"
#include "process.h"
#include "units.h"
#include "wire_client.h"

#include <errno.h>
#include <par.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>
#include <unistd.h>

#define FRAME_BYTES (2 * MiB)
#define SOON_NS     (60 * NS_PER_S)
#define TRIES       5

static const char config_sim[] =
        "backend = \"sim\"\n"
        "sim { extent \"high\" { first = \"4G\" size = \"1G\" page_size = \"2M\" } }\n"
        "pool \"any\" { size_min = \"32M\" quarantine = \"3s\" }\n";
static const char config_hugetlb[] =
        "backend = \"hugetlb\"\nhugepages = \"reserve\"\nkeep_free = \"512M\"\n"
        "pool \"any\" { page_size = \"2M\" size_min = \"32M\" quarantine = \"3s\" }\n";

static const struct par_constraint any_pieces = { .max_segments = PAR_SEGMENTS_ANY };
static struct wire_client admin;

/* ---- the administrator ----------------------------------------------------------------------- */

/* Return: bytes that were taken away. */
static uint64_t take_away(Wire__Selection which)
{
        Wire__Request request = WIRE__REQUEST__INIT;
        const Wire__Reply *reply;

        request.body_case = WIRE__REQUEST__BODY_REVOKE;
        request.revoke = &which;
        reply = wire_client_ask(&admin, &request);
        if (reply->result == PAR_GONE)
                return 0;
        if (reply->result)
                die("revoke: %s", reply->refusal->sentence);
        return reply->revoke->bytes;
}

static uint64_t revoke_buffer(const struct par_buffer *buffer)
{
        Wire__Selection which = WIRE__SELECTION__INIT;

        which.buffer = par_buffer_id(buffer);
        return take_away(which);
}

static uint64_t revoke_client(const char *name)
{
        Wire__Selection which = WIRE__SELECTION__INIT;

        which.client_name = (char *)(uintptr_t)name;
        return take_away(which);
}

/* End the quarantine of what was taken away. */
static void release_client(const char *name)
{
        Wire__Request request = WIRE__REQUEST__INIT;
        Wire__Selection which = WIRE__SELECTION__INIT;
        const Wire__Reply *reply;

        which.client_name = (char *)(uintptr_t)name;
        request.body_case = WIRE__REQUEST__BODY_RELEASE;
        request.release = &which;
        reply = wire_client_ask(&admin, &request);
        if (reply->result && reply->result != PAR_GONE)
                die("release: %s", reply->refusal->sentence);
}

static const Wire__Found *look_up(uint64_t address)
{
        Wire__Request request = WIRE__REQUEST__INIT;
        Wire__Lookup body = WIRE__LOOKUP__INIT;
        const Wire__Reply *reply;

        body.address = address;
        request.body_case = WIRE__REQUEST__BODY_LOOKUP;
        request.lookup = &body;
        reply = wire_client_ask(&admin, &request);
        if (reply->result)
                die("look-up: %s", reply->refusal->sentence);
        return reply->lookup;
}

static const Wire__StateBytes *pool_bytes(void)
{
        const Wire__StateBytes *bytes = wire_client_pool(&admin, "any")->bytes;

        check_sum_of_states(bytes);
        return bytes;
}

/* Wait until so much is free, lingering and quarantined, and let the client hear what it is told to
 * unmap. */
static void await(struct par *par, const char *when, uint64_t free_bytes, uint64_t lingering,
                  uint64_t quarantined)
{
        uint64_t deadline = now_ns() + SOON_NS;
        const Wire__StateBytes *bytes;
        struct par_event event;

        for (;;) {
                while (par_next_event(par, &event) == 0) {
                }
                bytes = pool_bytes();
                if (bytes->free == free_bytes && bytes->lingering == lingering &&
                    bytes->quarantined == quarantined)
                        return;
                if (now_ns() > deadline)
                        die("%s: free %llu, granted %llu, reusable %llu, leaving %llu, lingering "
                            "%llu, quarantined %llu",
                            when, (unsigned long long)bytes->free,
                            (unsigned long long)bytes->granted, (unsigned long long)bytes->reusable,
                            (unsigned long long)bytes->leaving,
                            (unsigned long long)bytes->lingering,
                            (unsigned long long)bytes->quarantined);
                usleep(2000);
        }
}

/* ---- the client ------------------------------------------------------------------------------ */

static void complain(void *data, int level, const char *message)
{
        (void)data;
        if (level <= LOG_WARNING)
                die("libpar says: %s", message);
}

static struct par *connect_as(const struct pard_fixture *pard, const char *name)
{
        struct par_connect_options options = { .client_name = name, .log = complain };
        struct par *par;

        if (par_connect(pard->socket, &options, &par))
                die("%s: %s", name, par_error(NULL));
        return par;
}

static struct par_buffer *get(struct par *par, size_t size, const char *label)
{
        struct par_alloc_options options = { .label = label };
        struct par_buffer *buffer;

        if (par_alloc(par, size, &any_pieces, &options, &buffer))
                die("%zu bytes: %s", size, par_error(par));
        memset(par_buffer_data(buffer), 0x5a, size);
        return buffer;
}

static void expect_revoked(struct par *par, const struct par_buffer *buffer)
{
        struct pollfd fd = { .fd = par_fd(par), .events = POLLIN };
        struct par_event event;
        int r;

        do {
                if (poll(&fd, 1, 60000) != 1)
                        die("no event");
                r = par_next_event(par, &event);
        } while (r == -EAGAIN);
        if (r || event.type != PAR_EVENT_REVOKED || event.buffer != buffer || event.offset ||
            event.length != par_buffer_size(buffer))
                die("event %u of another buffer, or of a part of it", event.type);
}

static uint64_t frame_of(const struct par_buffer *buffer)
{
        return par_buffer_dma(buffer) / FRAME_BYTES;
}

/* A frame that was never revoked is kept for its owner for a second, which may be over before there
 * is a look at it. */
static void see_it_kept(struct par *par, uint64_t held)
{
        for (unsigned tries = 0; tries < TRIES; tries++) {
                const Wire__StateBytes *bytes;

                par_free(get(par, 4096, NULL));
                bytes = pool_bytes();
                if (bytes->reusable == FRAME_BYTES && bytes->free == held - FRAME_BYTES)
                        return;
                await(par, "not kept", held, 0, 0);
        }
        die("a frame that was given back is not kept");
}

static void see_it_go(const struct pard_fixture *pard)
{
        struct par *par = connect_as(pard, "radio");
        struct par_buffer *gone = get(par, 4096, "ring"), *beside = get(par, 4096, NULL), *later,
                          *large;
        const uint64_t held = pool_bytes()->held, where = par_buffer_dma(gone);

        if (revoke_buffer(gone) != 4096)
                die("another size was revoked");
        expect_revoked(par, gone);
        if (revoke_buffer(gone) != 0)
                die("it was revoked twice");
        if (strcmp(look_up(where)->buffer->state, "revoked") != 0)
                die("the look-up does not say that it was revoked");
        /* Both are there still, and nothing new comes to where they are. */
        memset(par_buffer_data(gone), 0x11, 4096);
        memset(par_buffer_data(beside), 0x22, 4096);
        later = get(par, 4096, NULL);
        if (frame_of(later) == frame_of(gone))
                die("a new buffer in the page of one that was revoked");
        if (*(char *)par_buffer_data(gone) != 0x11)
                die("somebody else writes there");

        /* All of it; while it is mapped it does not go. */
        large = get(par, 3 * FRAME_BYTES, NULL);
        if (revoke_client("radio") != 8192 + 3 * FRAME_BYTES)
                die("another size was revoked");
        await(par, "in quarantine", held - 5 * FRAME_BYTES, 0, 5 * FRAME_BYTES);
        await(par, "still mapped", held - 5 * FRAME_BYTES, 5 * FRAME_BYTES, 0);
        par_free(gone);
        par_free(large);
        await(par, "partly freed", held - 2 * FRAME_BYTES, 2 * FRAME_BYTES, 0);
        par_free(beside);
        par_free(later);
        await(par, "freed", held, 0, 0);
        if (look_up(where)->n_former != 1 && look_up(where)->n_former != 2)
                die("nobody knows who had it");
        if (strcmp(look_up(where)->former[0]->client, "radio") != 0)
                die("somebody else is said to have had it");
        see_it_kept(par, held);
        par_disconnect(par);
}

/* ---- in any order ---------------------------------------------------------------------------- */

static atomic_bool enough;

#define KEPT 8

static void *toil(void *data)
{
        static const size_t sizes[] = { 4096, 4096, 65536, FRAME_BYTES, 3 * FRAME_BYTES + 4096 };
        struct par_buffer *kept[KEPT] = { NULL };
        unsigned seed = (unsigned)(uintptr_t)&kept;
        struct par *par = data;
        struct par_event event;
        int r;

        while (!enough) {
                struct par_buffer **at = &kept[(size_t)rand_r(&seed) % KEPT];

                par_free(*at);
                r = par_alloc(par, sizes[(size_t)rand_r(&seed) % ARRAY_SIZE(sizes)], &any_pieces,
                              NULL, at);
                /* What was taken away is still this client's, so there may be too little. */
                if (r && r != -PAR_EXHAUSTED && r != -PAR_FRAGMENTED && r != -PAR_NEVER_FITS &&
                    r != -PAR_BUSY)
                        die("alloc: %s", par_error(par));
                if (*at)
                        memset(par_buffer_data(*at), 1, par_buffer_size(*at));
                while (par_next_event(par, &event) == 0) {
                        /* A thread that waits for memory keeps what was revoked for as long. */
                        if (event.type != PAR_EVENT_REVOKED && event.type != PAR_EVENT_LINGERING)
                                die("event %u", event.type);
                }
        }
        for (size_t i = 0; i < KEPT; i++)
                par_free(kept[i]);
        return NULL;
}

static void again_and_again(const struct pard_fixture *pard, unsigned rounds)
{
        const uint64_t held = pool_bytes()->held;
        struct par *par = connect_as(pard, "toil");
        uint64_t bytes = 0;
        pthread_t threads[2];

        for (size_t i = 0; i < ARRAY_SIZE(threads); i++)
                if (pthread_create(&threads[i], NULL, toil, par))
                        die("no thread");
        for (unsigned i = 0; i < rounds; i++) {
                bytes += revoke_client("toil");
                usleep(1000);
                release_client("toil");
                usleep(1000);
        }
        enough = true;
        for (size_t i = 0; i < ARRAY_SIZE(threads); i++)
                pthread_join(threads[i], NULL);
        await(par, "after all that", held, 0, 0);
        printf("%u rounds, %llu MiB revoked\n", rounds, (unsigned long long)(bytes / MiB));
        if (!bytes)
                die("nothing was there to be revoked");
        par_disconnect(par);
}

int main(int argc, char **argv)
{
        unsigned rounds = argc > 1 ? (unsigned)strtoul(argv[1], NULL, 0) : 200;
        bool hugetlb = argc > 2 && !strcmp(argv[2], "hugetlb");
        struct pard_fixture pard;

        if (geteuid() != 0) {
                puts("only root is an administrator here");
                return EXIT_SKIPPED;
        }
        if (hugetlb)
                require_hugepages(32);
        pard_fixture_start_filled(hugetlb ? config_hugetlb : config_sim, &pard);
        wire_client_open(pard.socket, "admin", &admin);
        see_it_go(&pard);
        again_and_again(&pard, rounds);
        wire_client_close(&admin);
        pard_fixture_stop(&pard);
        return 0;
}
