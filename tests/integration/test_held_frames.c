/* SPDX-License-Identifier: MIT */
/*
 * Whether a client that keeps hold of what it gave back ever sees another owner's bytes there. It
 * fills a frame, keeps a reference of one kind or another, gives the frame back, and looks at all
 * that it has kept each time that others have got memory and written secrets into it. What the
 * others get must be zero.
 *
 *     test_held_frames [TRIES [hugetlb]]       default: 100 tries, invented memory
 */
#include "frame_tricks.h"
#include "macros.h"
#include "pard_fixture.h"
#include "process.h"
#include "random.h"
#include "wire_client.h"

#include <par.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define POOL_FRAMES 16
#define POOL_BYTES  (POOL_FRAMES * FRAME_BYTES)
#define KEPT        6 /* of these are as many frames at once */
#define SECRETS     3 /* buffers of others at once */
#define WAIT_MS     30000
#define SECRET      UINT64_C(0x5ec4e75ec4e75ec4)

/* References to pages are looked for seldom, and their frames are away meanwhile. */
#define PAGES_ONE_IN 40

static const char pool[] = "pool \"any\" { page_size = \"2M\" size_min = \"32M\" reuse_delay = "
                           "\"0ms\" quarantine = \"0ms\" }\n";
static const char hugetlb[] =
        "backend = \"hugetlb\"\nhugepages = \"reserve\"\nkeep_free = \"512M\"\n";
static const char sim[] =
        "backend = \"sim\"\n"
        "sim { extent \"high\" { first = \"4G\" size = \"1G\" page_size = \"2M\" } }\n";

/**
 * struct scene - who is there
 * @keeper: gives back, and keeps hold
 * @others: take turns
 * @played: how often, by trick
 */
struct scene {
        struct random random;
        struct wire_client admin, keeper;
        struct par *others[2];
        struct par_buffer *secrets[SECRETS];
        struct held kept[KEPT];
        uint64_t played[32], secret_bytes;
};

static void __attribute__((__noreturn__)) no_memory(struct scene *scene, const char *why)
{
        const Wire__StateBytes *bytes = wire_client_pool(&scene->admin, "any")->bytes;

        die("no memory: %s; granted %llu, leaving %llu, lingering %llu, quarantined %llu", why,
            (unsigned long long)bytes->granted, (unsigned long long)bytes->leaving,
            (unsigned long long)bytes->lingering, (unsigned long long)bytes->quarantined);
}

static uint64_t take_frame(struct scene *scene, struct held *held)
{
        Wire__Request request = WIRE__REQUEST__INIT;
        Wire__Alloc alloc = WIRE__ALLOC__INIT;
        const Wire__Reply *reply;
        uint64_t buffer;

        alloc.size = FRAME_BYTES;
        alloc.wait_ms = WAIT_MS;
        request.body_case = WIRE__REQUEST__BODY_ALLOC;
        request.alloc = &alloc;
        reply = wire_client_ask(&scene->keeper, &request);
        if (reply->result || scene->keeper.got.count != 1)
                no_memory(scene, reply->refusal ? reply->refusal->sentence : "no descriptor");
        buffer = reply->alloc->buffer;
        held->fd = scene->keeper.got.descriptors[0];
        scene->keeper.got.count = 0;
        held->map = mmap(NULL, FRAME_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, held->fd, 0);
        insist(held->map != MAP_FAILED, "map");
        memset(held->map, (int)(HELD_WORD & 0xff), FRAME_BYTES);
        return buffer;
}

static void give_back(struct scene *scene, uint64_t buffer)
{
        Wire__Request request = WIRE__REQUEST__INIT;
        Wire__Free body = WIRE__FREE__INIT;

        body.buffer = buffer;
        request.body_case = WIRE__REQUEST__BODY_FREE;
        request.free = &body;
        if (wire_client_ask(&scene->keeper, &request)->result)
                die("a buffer could not be given back");
}

/* One that keeps something which can be seen for longer than the session. */
static size_t choose_trick(struct scene *scene)
{
        const bool pages = random_one_in(&scene->random, PAGES_ONE_IN);

        for (;;) {
                size_t i = random_below(&scene->random, n_tricks);

                if (tricks[i].outlives && !tricks[i].steals &&
                    !strcmp(tricks[i].note, PAGES_NOTE) == pages)
                        return i;
        }
}

static void look(struct scene *scene, struct held *held)
{
        if (!held_look(held))
                die("somebody else's bytes are seen through what was kept, after %llu bytes of "
                    "secrets",
                    (unsigned long long)scene->secret_bytes);
}

static void keep_one(struct scene *scene, struct held *held)
{
        size_t trick = choose_trick(scene);
        uint64_t buffer;

        look(scene, held);
        held_let_go(held);
        *held = (struct held){ .fd = -1, .kept = { -1, -1 } };
        buffer = take_frame(scene, held);
        tricks[trick].play(held);
        held_unmap(held);
        close(STEAL_FD(held->fd));
        give_back(scene, buffer);
        scene->played[trick]++;
}

static void check_zero(const struct par_buffer *buffer)
{
        const uint64_t *words = par_buffer_data(buffer);

        for (size_t i = 0; i < par_buffer_size(buffer) / sizeof(*words); i++)
                if (words[i])
                        die("a byte of a former owner at %zu", i * sizeof(*words));
}

static void write_secret(struct scene *scene)
{
        const struct par_constraint want = { .max_segments = PAR_SEGMENTS_ANY };
        const struct par_alloc_options options = { .wait_ms = WAIT_MS };
        size_t i = random_below(&scene->random, SECRETS), who = random_below(&scene->random, 2);
        size_t bytes = (1 + random_below(&scene->random, 2)) * FRAME_BYTES;
        uint64_t *words;

        par_free(scene->secrets[i]);
        if (par_alloc(scene->others[who], bytes, &want, &options, &scene->secrets[i]))
                no_memory(scene, par_error(NULL));
        check_zero(scene->secrets[i]);
        words = par_buffer_data(scene->secrets[i]);
        for (size_t j = 0; j < bytes / sizeof(*words); j++)
                words[j] = SECRET;
        scene->secret_bytes += bytes;
}

static void await_free(struct scene *scene)
{
        uint64_t deadline = now_ns() + WAIT_MS * NS_PER_MS;

        for (;;) {
                const Wire__StateBytes *bytes = wire_client_pool(&scene->admin, "any")->bytes;

                check_sum_of_states(bytes);
                if (bytes->free == bytes->held && bytes->held == POOL_BYTES)
                        return;
                if (now_ns() > deadline)
                        die("%llu of %llu bytes are free, %llu linger",
                            (unsigned long long)bytes->free, (unsigned long long)bytes->held,
                            (unsigned long long)bytes->lingering);
                usleep(5000);
        }
}

static void open_all(struct scene *scene, const char *socket)
{
        wire_client_open(socket, "held-frames-admin", &scene->admin);
        wire_client_open(socket, "keeper", &scene->keeper);
        for (size_t i = 0; i < ARRAY_SIZE(scene->others); i++)
                if (par_connect(NULL, NULL, &scene->others[i]))
                        die("another client: %s", par_error(NULL));
        for (size_t i = 0; i < KEPT; i++)
                scene->kept[i] = (struct held){ .fd = -1, .kept = { -1, -1 } };
}

static void close_all(struct scene *scene)
{
        for (size_t i = 0; i < KEPT; i++) {
                look(scene, &scene->kept[i]);
                held_let_go(&scene->kept[i]);
        }
        for (size_t i = 0; i < ARRAY_SIZE(scene->others); i++)
                par_disconnect(scene->others[i]);
        await_free(scene);
        wire_client_close(&scene->keeper);
        wire_client_close(&scene->admin);
}

int main(int argc, char **argv)
{
        uint64_t tries = argc > 1 ? strtoull(argv[1], NULL, 0) : 100;
        bool real = argc > 2 && strcmp(argv[2], "hugetlb") == 0;
        struct scene scene = { .random = { 1 } };
        uint64_t started = now_ns();
        struct pard_fixture pard;
        char config[1024];

        if (real)
                require_hugepages(POOL_BYTES / MiB);
        snprintf(config, sizeof(config), "%s%s", real ? hugetlb : sim, pool);
        pard_fixture_start_filled(config, &pard);
        open_all(&scene, pard.socket);

        for (uint64_t i = 0; i < tries; i++) {
                keep_one(&scene, &scene.kept[i % KEPT]);
                write_secret(&scene);
                for (size_t j = 0; j < KEPT; j++)
                        look(&scene, &scene.kept[j]);
        }
        close_all(&scene);
        printf("%llu tries in %.1f s, %llu MiB of secrets: never seen through what was kept\n",
               (unsigned long long)tries, (double)(now_ns() - started) / 1e9,
               (unsigned long long)(scene.secret_bytes / MiB));
        for (size_t i = 0; i < n_tricks; i++)
                if (scene.played[i])
                        printf("  %s: %llu\n", tricks[i].name, (unsigned long long)scene.played[i]);
        pard_fixture_stop(&pard);
        return 0;
}
