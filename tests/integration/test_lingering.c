/* SPDX-License-Identifier: MIT */
/*
 * Frames that linger: each kind of reference is recognised, listed with its owner, its kind and
 * since when, charged, and the frame comes back when the last reference goes, by itself. How soon
 * is measured, beside any number of other frames that linger meanwhile, and what looking at those
 * costs the keeper.
 *
 *     test_lingering [ROUNDS [OTHERS [hugetlb]]]
 *                    default: 3 rounds of each kind beside 20 others, invented memory
 */
#include "frame_tricks.h"
#include "macros.h"
#include "pard_fixture.h"
#include "process.h"
#include "wire_client.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#define ROUNDS_MAX 10000
#define WAIT_NS    (60 * NS_PER_S)
#define OWN_FRAMES 8 /* beside those of others */

/* Others linger in a pool of small pages, which cost little memory. */
static const char small_pool[] = "pool \"small\" { page_size = \"4K\" size_min = \"%zuK\" "
                                 "addr_max = 0xffffffff reuse_delay = \"0ms\" }\n";
static const char pool[] = "pool \"any\" { page_size = \"2M\" size_min = \"16M\" reuse_delay = "
                           "\"0ms\" quarantine = \"0ms\" }\n";
static const char hugetlb[] =
        "backend = \"hugetlb\"\nhugepages = \"reserve\"\nkeep_free = \"512M\"\n";
static const char sim[] =
        "backend = \"sim\"\n"
        "sim { extent \"high\" { first = \"4G\" size = \"1G\" page_size = \"2M\" }\n"
        "      extent \"low\" { first = \"1G\" size = \"1G\" page_size = \"4K\" } }\n";

struct scene {
        struct wire_client admin, keeper;
        pid_t daemon;
        bool real;
        int *others; /* @n_others descriptors of small frames that were given back */
        size_t n_others;
        uint64_t waits_ns[ROUNDS_MAX];
};

/* ---- what the keeper of references does ------------------------------------------------------ */

/* Return: its number; the descriptors are in client->got, the caller's. */
static uint64_t take(struct wire_client *client, const char *from, uint64_t bytes)
{
        Wire__Constraint constraint = WIRE__CONSTRAINT__INIT;
        Wire__Request request = WIRE__REQUEST__INIT;
        Wire__Alloc alloc = WIRE__ALLOC__INIT;
        const Wire__Reply *reply;

        constraint.max_segments = UINT32_MAX;
        alloc.constraint = &constraint;
        alloc.size = bytes;
        alloc.pool = (char *)(uintptr_t)from;
        alloc.wait_ms = -1;
        request.body_case = WIRE__REQUEST__BODY_ALLOC;
        request.alloc = &alloc;
        reply = wire_client_ask(client, &request);
        if (reply->result)
                die("no memory: %s", reply->refusal->sentence);
        return reply->alloc->buffer;
}

static void give_back(struct wire_client *client, uint64_t buffer)
{
        Wire__Request request = WIRE__REQUEST__INIT;
        Wire__Free body = WIRE__FREE__INIT;

        body.buffer = buffer;
        request.body_case = WIRE__REQUEST__BODY_FREE;
        request.free = &body;
        if (wire_client_ask(client, &request)->result)
                die("a buffer could not be given back");
}

static void keep(struct scene *scene, const struct trick *trick, struct held *held)
{
        uint64_t buffer = take(&scene->keeper, "any", FRAME_BYTES);

        *held = (struct held){ .fd = scene->keeper.got.descriptors[0], .kept = { -1, -1 } };
        scene->keeper.got.count = 0;
        held->map = mmap(NULL, FRAME_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, held->fd, 0);
        insist(held->map != MAP_FAILED, "map");
        held->map[0] = 1;
        trick->play(held);
        held_unmap(held);
        close(STEAL_FD(held->fd));
        give_back(&scene->keeper, buffer);
}

/* ---- what is seen of it ---------------------------------------------------------------------- */

static uint64_t lingering_bytes(struct scene *scene, const char *which)
{
        const Wire__StateBytes *bytes = wire_client_pool(&scene->admin, which)->bytes;

        check_sum_of_states(bytes);
        return bytes->lingering;
}

static void await_lingering(struct scene *scene, const char *which, uint64_t bytes)
{
        uint64_t deadline = now_ns() + WAIT_NS;

        while (lingering_bytes(scene, which) != bytes) {
                if (now_ns() > deadline)
                        die("pool %s: %llu bytes linger, %llu should", which,
                            (unsigned long long)lingering_bytes(scene, which),
                            (unsigned long long)bytes);
                usleep(200);
        }
}

/* The packet of the list that has rows; where none has, the last. */
static const Wire__FrameList *list_lingering(struct scene *scene, const char *which)
{
        Wire__Request request = WIRE__REQUEST__INIT;
        Wire__List list = WIRE__LIST__INIT;
        const Wire__Reply *reply;

        list.pool = (char *)(uintptr_t)which;
        list.state = (char *)(uintptr_t) "lingering";
        request.body_case = WIRE__REQUEST__BODY_FRAMES;
        request.frames = &list;
        do {
                reply = wire_client_ask(&scene->admin, &request);
                if (reply->result)
                        die("no list of frames: %u", reply->result);
                list.cursor = reply->frames->next_cursor;
        } while (!reply->frames->n_frames && list.cursor);
        return reply->frames;
}

/* The one frame that lingers is listed as what it is. */
static void check_listed(struct scene *scene, const struct trick *trick)
{
        const Wire__FrameList *list = list_lingering(scene, "any");
        const Wire__Frame *frame;

        if (list->n_frames != 1)
                die("%s: %zu frames are listed as lingering", trick->name, list->n_frames);
        frame = list->frames[0];
        if (strcmp(frame->state, "lingering") != 0 || strcmp(frame->client, "keeper") != 0 ||
            frame->uid != geteuid() || !frame->lingering_ms || !strstr(frame->note, trick->note) ||
            strcmp(frame->holder, trick->holder) != 0)
                die("%s: listed as %s of %s (uid %u) for %llu ms, held by \"%s\": %s", trick->name,
                    frame->state, frame->client, frame->uid,
                    (unsigned long long)frame->lingering_ms, frame->holder, frame->note);
}

/* ---- how soon it comes back ------------------------------------------------------------------ */

static int by_size(const void *a, const void *b)
{
        uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

        return (x > y) - (x < y);
}

static void play(struct scene *scene, const struct trick *trick, size_t rounds)
{
        uint64_t median_ns, late_ns;

        for (size_t i = 0; i < rounds; i++) {
                struct held held;
                uint64_t let_go;

                keep(scene, trick, &held);
                await_lingering(scene, "any", FRAME_BYTES);
                check_listed(scene, trick);
                /* Somewhere between two looks, as far as they are that often. */
                usleep((useconds_t)(i * 7919 % 20000));
                held_let_go(&held);
                let_go = now_ns();
                await_lingering(scene, "any", 0);
                scene->waits_ns[i] = now_ns() - let_go;
        }
        qsort(scene->waits_ns, rounds, sizeof(scene->waits_ns[0]), by_size);
        median_ns = scene->waits_ns[rounds / 2];
        late_ns = scene->waits_ns[rounds * 99 / 100];
        printf("%-40s back after %8.1f ms (median), %8.1f ms (99 %%) of %zu\n", trick->name,
               (double)median_ns / 1e6, (double)late_ns / 1e6, rounds);
}

/* ---- others ---------------------------------------------------------------------------------- */

#define A_BUFFER 64u /* frames of the others that are taken at once */

static void keep_others(struct scene *scene, struct wire_client *hoarder)
{
        scene->others = calloc(scene->n_others + A_BUFFER, sizeof(scene->others[0]));
        if (!scene->others)
                die("no memory");
        for (size_t n = 0; n < scene->n_others;) {
                size_t now = scene->n_others - n < A_BUFFER ? scene->n_others - n : A_BUFFER;
                uint64_t buffer = take(hoarder, "small", now * 4096);

                if (hoarder->got.count != now)
                        die("%zu descriptors of %zu", hoarder->got.count, now);
                memcpy(&scene->others[n], hoarder->got.descriptors, now * sizeof(int));
                hoarder->got.count = 0;
                n += now;
                give_back(hoarder, buffer);
        }
        await_lingering(scene, "small", scene->n_others * 4096);
}

static double processor_seconds(pid_t pid)
{
        unsigned long user, system;
        char path[64], line[1024], *at;
        FILE *file;

        snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
        file = fopen(path, "re");
        if (!file || !fgets(line, sizeof(line), file) || !(at = strrchr(line, ')')))
                die("%s cannot be read", path);
        fclose(file);
        /* Behind the name: the state and ten figures, then the two that are wanted. */
        for (unsigned i = 0; i < 12 && at; i++)
                at = strchr(at + 1, ' ');
        if (!at)
                die("%s has no such line", path);
        user = strtoul(at, &at, 10);
        system = strtoul(at, &at, 10);
        return (double)(user + system) / (double)sysconf(_SC_CLK_TCK);
}

static void measure_looks(const struct scene *scene, unsigned seconds)
{
        double before = processor_seconds(scene->daemon);

        sleep(seconds);
        printf("%zu frames linger: the keeper uses %.2f %% of a processor\n", scene->n_others,
               (processor_seconds(scene->daemon) - before) * 100 / seconds);
}

static void let_others_go(struct scene *scene)
{
        uint64_t started = now_ns();

        for (size_t i = 0; i < scene->n_others; i++)
                close(scene->others[i]);
        await_lingering(scene, "small", 0);
        printf("%zu frames that linger, let go of at once: back after %.1f ms\n", scene->n_others,
               (double)(now_ns() - started) / 1e6);
        free(scene->others);
}

static void raise_limit(void)
{
        struct rlimit limit;

        insist(getrlimit(RLIMIT_NOFILE, &limit) == 0, "limits");
        limit.rlim_cur = limit.rlim_max;
        insist(setrlimit(RLIMIT_NOFILE, &limit) == 0, "limits");
}

int main(int argc, char **argv)
{
        static struct scene scene;
        size_t rounds = argc > 1 ? strtoull(argv[1], NULL, 0) : 3;
        struct pard_fixture pard;
        struct wire_client hoarder;
        char config[2048];
        int n;

        scene.n_others = argc > 2 ? strtoull(argv[2], NULL, 0) : 20;
        scene.real = argc > 3 && strcmp(argv[3], "hugetlb") == 0;
        if (!rounds || rounds > ROUNDS_MAX)
                die("1 to %d rounds", ROUNDS_MAX);
        if (scene.real) {
                require_hugepages(OWN_FRAMES * 2);
                scene.n_others = 0;
        }
        raise_limit();
        n = snprintf(config, sizeof(config), "%s%s", scene.real ? hugetlb : sim, pool);
        if (!scene.real)
                snprintf(config + n, sizeof(config) - (size_t)n, small_pool,
                         (scene.n_others + A_BUFFER) * 4);
        pard_fixture_start_filled(config, &pard);
        scene.daemon = pard.pid;
        wire_client_open(pard.socket, "admin", &scene.admin);
        wire_client_open(pard.socket, "keeper", &scene.keeper);
        wire_client_open(pard.socket, "hoarder", &hoarder);

        if (scene.n_others) {
                keep_others(&scene, &hoarder);
                if (scene.n_others > 1000)
                        measure_looks(&scene, 20);
        }
        for (size_t i = 0; i < n_tricks; i++)
                if (tricks[i].outlives && !tricks[i].steals &&
                    (scene.real || strcmp(tricks[i].holder, "path") != 0))
                        play(&scene, &tricks[i], rounds);
        if (scene.n_others)
                let_others_go(&scene);

        wire_client_close(&hoarder);
        wire_client_close(&scene.keeper);
        wire_client_close(&scene.admin);
        pard_fixture_stop(&pard);
        return 0;
}
