/* SPDX-License-Identifier: MIT */
/*
 * Owns the table of comparisons, and what an operation of each is.
 */
#include "path.h"

#include "macros.h"
#include "units.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/memfd.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define SIM                                                     \
        "backend = \"sim\"\n"                                   \
        "sim {\n"                                               \
        "  extent \"high\" { first = \"4G\" size = \"16G\" }\n" \
        "}\n"                                                   \
        "max_buffers = 1100000\n"                               \
        "max_clients = 1100\n"

/* Reused at once: what is measured is the way, not where memory comes from. */
static const char sim[] = SIM "pool \"any\" { size_min = \"64M\" size_max = \"128M\" }\n";
static const char sim_large[] = SIM "pool \"any\" { size_min = \"64M\" size_max = \"12G\" }\n";

/* An owner keeps one frame, to which it comes back: one that is large enough for large buffers. */
static const char sim_recycled[] =
        "backend = \"sim\"\n"
        "sim { extent \"high\" { first = \"4G\" size = \"4G\" page_size = \"1G\" } }\n"
        "pool \"any\" { page_size = \"1G\" size_min = \"2G\" size_max = \"2G\" "
        "reuse_delay = \"60s\" }\n";

/* Never reused: each buffer is fresh from the stock. pard takes 256 pages of those that are
 * reserved; the rest is the peer's. */
static const char huge[] = "backend = \"hugetlb\"\n"
                           "hugepages = \"existing\"\n"
                           "keep_free = \"1G\"\n"
                           "pool \"any\" { page_size = \"2M\" size_min = \"512M\" size_max = "
                           "\"512M\" spare = \"128M\" "
                           "reuse_delay = \"0\" }\n";

#define SPIN_US     100000
#define PAGE_BYTES  (2 * MiB)
#define TOUCH_BYTES (4 * KiB)
#define HUGEPAGES   320
#define FILL_PAGES  72

/* ---- round trips ---------------------------------------------------------------------------- */

static int pair(struct ping *ping, uint64_t *ret_ticks)
{
        const uint64_t began = ticks_now();
        int r;

        r = ping_once(ping, PING_ALLOC);
        if (!r)
                r = ping_once(ping, PING_FREE);
        *ret_ticks = ticks_now() - began;
        return r;
}

static int first_pair(struct path_scene *scene, uint64_t *ret_ticks)
{
        return pair(&scene->pings[0], ret_ticks);
}

static int second_pair(struct path_scene *scene, uint64_t *ret_ticks)
{
        return pair(&scene->pings[1], ret_ticks);
}

static int alloc_free(struct path_scene *scene, uint64_t *ret_ticks)
{
        const uint64_t began = ticks_now();
        struct par_buffer *buffer;
        int r;

        r = par_alloc(scene->sides[0].sessions[0], scene->size, NULL, &scene->options, &buffer);
        par_free(buffer);
        *ret_ticks = ticks_now() - began;
        return r;
}

static int open_floor(struct path_scene *scene, const struct path_row *row)
{
        int r;

        r = path_start_ping(&scene->pings[0], row->kinds[0], PATH_SAME_CORE, false, 1);
        return r ? r : path_start_ping(&scene->pings[1], row->kinds[1], PATH_SAME_CORE, false, 1);
}

/* A buffer stays, so that its frame does, and another one costs a round trip and nothing else. */
static int open_daemon(struct path_scene *scene, enum path_place place, unsigned spin_us)
{
        int r;

        scene->size = 64 * KiB;
        r = path_start_pard(&scene->sides[0], sim, place, spin_us);
        return r ? r : path_populate(&scene->sides[0], 1, 1);
}

static int open_alloc(struct path_scene *scene, const struct path_row *row)
{
        int r;

        r = open_daemon(scene, PATH_SAME_CORE, 0);
        return r ? r : path_start_ping(&scene->pings[1], row->kinds[1], PATH_SAME_CORE, false, 1);
}

static int open_alloc_raw(struct path_scene *scene, const struct path_row *row)
{
        scene->options.flags = PAR_ALLOC_UNINITIALIZED;
        return open_alloc(scene, row);
}

static int open_sleeping(struct path_scene *scene, const struct path_row *row)
{
        int r;

        if (sysconf(_SC_NPROCESSORS_ONLN) < 2)
                return -ENOTSUP;
        scene->options.flags = PAR_ALLOC_UNINITIALIZED;
        r = open_daemon(scene, PATH_TWO_CORES, 0);
        return r ? r : path_start_ping(&scene->pings[1], row->kinds[1], PATH_TWO_CORES, false, 1);
}

static int open_busy(struct path_scene *scene, const struct path_row *row)
{
        int r;

        if (sysconf(_SC_NPROCESSORS_ONLN) < 2)
                return -ENOTSUP;
        scene->options.flags = PAR_ALLOC_UNINITIALIZED;
        r = open_daemon(scene, PATH_TWO_CORES, SPIN_US);
        return r ? r : path_start_ping(&scene->pings[1], row->kinds[1], PATH_TWO_CORES, true, 1);
}

/* ---- batches -------------------------------------------------------------------------------- */

/* Of each buffer: what is compared is what one costs. */
static int alloc_free_batch(struct path_scene *scene, uint64_t *ret_ticks)
{
        const uint64_t began = ticks_now();
        struct par_buffer *buffers[PAR_BATCH_MAX];
        int r;

        r = par_alloc_batch(scene->sides[0].sessions[0], PAR_BATCH_MAX, scene->size, NULL,
                            &scene->options, buffers);
        if (!r)
                par_free_batch(buffers, PAR_BATCH_MAX);
        *ret_ticks = (ticks_now() - began) / PAR_BATCH_MAX;
        return r;
}

static int open_batch(struct path_scene *scene, const struct path_row *row)
{
        int r;

        r = open_alloc_raw(scene, row);
        scene->size = 4 * KiB;
        return r;
}

/* ---- the first use of a page ---------------------------------------------------------------- */

/* Write to a byte of each so many. */
static void touch(void *data, size_t step_bytes)
{
        for (size_t at = 0; at < PAGE_BYTES; at += step_bytes)
                ((volatile char *)data)[at] = 1;
}

static int first_use(struct path_scene *scene, uint64_t *ret_ticks)
{
        const uint64_t began = ticks_now();
        struct par_buffer *buffer;
        int r;

        r = par_alloc(scene->sides[0].sessions[0], PAGE_BYTES, NULL, &scene->options, &buffer);
        if (r)
                return r;
        touch(par_buffer_data(buffer), scene->size);
        *ret_ticks = ticks_now() - began;
        par_free(buffer);
        return 0;
}

static int first_use_of_kernel(struct path_scene *scene, uint64_t *ret_ticks)
{
        const uint64_t began = ticks_now();
        void *data = MAP_FAILED;
        int fd;

        fd = memfd_create("page", MFD_CLOEXEC | MFD_HUGETLB | MFD_HUGE_2MB);
        if (fd < 0)
                return -errno;
        if (!ftruncate(fd, PAGE_BYTES) && !fallocate(fd, 0, 0, PAGE_BYTES))
                data = mmap(NULL, PAGE_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        if (data == MAP_FAILED) {
                close(fd);
                return -ENOMEM;
        }
        touch(data, scene->size);
        *ret_ticks = ticks_now() - began;
        munmap(data, PAGE_BYTES);
        close(fd);
        return 0;
}

static bool have_hugepages(void)
{
        return getuid() == 0 && access("/sys/kernel/mm/hugepages/hugepages-2048kB", F_OK) == 0;
}

/* Neither is bound to a processor: what pard does ahead of time is not to be in the client's way.
 */
static int open_pages(struct path_scene *scene, size_t step_bytes)
{
        int r;

        scene->size = step_bytes;
        scene->options.wait_ms = -1; /* where they go faster than the system takes them back */
        r = have_hugepages() ? path_reserve_pages(scene, HUGEPAGES) : -ENOTSUP;
        return r ? r : path_start_pard(&scene->sides[0], huge, PATH_ANYWHERE, 0);
}

static int open_first_use(struct path_scene *scene, const struct path_row *row)
{
        (void)row;
        return open_pages(scene, PAGE_BYTES);
}

static int open_first_use_all(struct path_scene *scene, const struct path_row *row)
{
        (void)row;
        return open_pages(scene, TOUCH_BYTES);
}

/* ---- memory that its owner had before ------------------------------------------------------- */

static int recycled(struct path_scene *scene, uint64_t *ret_ticks)
{
        const struct par_alloc_options options = { 0 };
        const uint64_t began = ticks_now();
        struct par_buffer *buffer;
        int r;

        r = par_alloc(scene->sides[0].sessions[0], scene->size, NULL, &options, &buffer);
        *ret_ticks = ticks_now() - began;
        par_free(buffer);
        return r;
}

static int recycled_and_memset(struct path_scene *scene, uint64_t *ret_ticks)
{
        const struct par_alloc_options options = { .flags = PAR_ALLOC_UNINITIALIZED };
        const uint64_t began = ticks_now();
        struct par_buffer *buffer;
        int r;

        r = par_alloc(scene->sides[0].sessions[0], scene->size, NULL, &options, &buffer);
        if (r)
                return r;
        memset(par_buffer_data(buffer), 0, scene->size);
        *ret_ticks = ticks_now() - began;
        par_free(buffer);
        return 0;
}

static int open_recycled(struct path_scene *scene, size_t bytes)
{
        scene->size = bytes;
        return path_start_pard(&scene->sides[0], sim_recycled, PATH_SAME_CORE, 0);
}

static int open_recycled_2m(struct path_scene *scene, const struct path_row *row)
{
        (void)row;
        return open_recycled(scene, 2 * MiB);
}

static int open_recycled_64m(struct path_scene *scene, const struct path_row *row)
{
        (void)row;
        return open_recycled(scene, 64 * MiB);
}

/* ---- filling a pool ------------------------------------------------------------------------- */

static int fill_by_several(struct path_scene *scene, uint64_t *ret_ticks)
{
        return path_fill_once(scene->fill, scene->threads, ret_ticks);
}

static int fill_by_one(struct path_scene *scene, uint64_t *ret_ticks)
{
        return path_fill_once(scene->fill, 1, ret_ticks);
}

static int open_fill(struct path_scene *scene, unsigned threads)
{
        int r;

        scene->threads = threads;
        r = have_hugepages() ? path_reserve_pages(scene, FILL_PAGES) : -ENOTSUP;
        return r ? r : path_fill_new(&scene->fill);
}

static int open_fill_2(struct path_scene *scene, const struct path_row *row)
{
        (void)row;
        return open_fill(scene, 2);
}

static int open_fill_3(struct path_scene *scene, const struct path_row *row)
{
        (void)row;
        return open_fill(scene, 3);
}

static int open_fill_4(struct path_scene *scene, const struct path_row *row)
{
        (void)row;
        return open_fill(scene, 4);
}

/* ---- a crowd -------------------------------------------------------------------------------- */

static int alloc_of(struct par *par, uint64_t *ret_ticks)
{
        const uint64_t began = ticks_now();
        struct par_buffer *buffer;
        int r;

        r = par_alloc(par, 4 * KiB, NULL, NULL, &buffer);
        *ret_ticks = ticks_now() - began;
        par_free(buffer);
        return r;
}

static int alloc_in_crowd(struct path_scene *scene, uint64_t *ret_ticks)
{
        return alloc_of(scene->sides[0].sessions[0], ret_ticks);
}

static int alloc_in_turn(struct path_scene *scene, uint64_t *ret_ticks)
{
        struct path_side *side = &scene->sides[0];

        return alloc_of(side->sessions[side->next++ % side->n_sessions], ret_ticks);
}

static int alloc_alone(struct path_scene *scene, uint64_t *ret_ticks)
{
        return alloc_of(scene->sides[1].sessions[0], ret_ticks);
}

/* As alloc_of() does, one of the pair counts. */
static int ping_of(struct ping *ping, uint64_t *ret_ticks)
{
        const uint64_t began = ticks_now();
        int r;

        r = ping_once(ping, PING_ALLOC);
        *ret_ticks = ticks_now() - began;
        if (!r)
                r = ping_once(ping, PING_FREE);
        ping_turn(ping);
        return r;
}

static int ping_in_turn(struct path_scene *scene, uint64_t *ret_ticks)
{
        return ping_of(&scene->pings[0], ret_ticks);
}

static int ping_alone(struct path_scene *scene, uint64_t *ret_ticks)
{
        return ping_of(&scene->pings[1], ret_ticks);
}

/* What a crowd costs without pard: as many connections to a server that keeps nothing. */
static int open_bare_crowd(struct path_scene *scene, const struct path_row *row)
{
        int r;

        r = path_start_ping(&scene->pings[0], row->kinds[0], PATH_SAME_CORE, false,
                            scene->crowd_sessions);
        return r ? r : path_start_ping(&scene->pings[1], row->kinds[1], PATH_SAME_CORE, false, 1);
}

static int open_crowd(struct path_scene *scene, const struct path_row *row)
{
        int r;

        (void)row;
        r = path_start_pard(&scene->sides[0], sim_large, PATH_SAME_CORE, 0);
        if (!r)
                r = path_populate(&scene->sides[0], scene->crowd_sessions, scene->crowd_buffers);
        if (!r)
                r = path_start_pard(&scene->sides[1], sim, PATH_SAME_CORE, 0);
        return r ? r : path_populate(&scene->sides[1], 1, scene->crowd_buffers);
}

const struct path_row path_rows[] = {
        {
                .name = "event",
                .ours = "libevent in the server",
                .peer = "bare recv() and send()",
                .turn = 200,
                .open = open_floor,
                .first = first_pair,
                .second = second_pair,
                .kinds = { PING_EVENT, PING_BARE },
        },
        {
                .name = "message",
                .ours = "and messages of protobuf-c",
                .peer = "libevent in the server",
                .turn = 200,
                .open = open_floor,
                .first = first_pair,
                .second = second_pair,
                .kinds = { PING_MESSAGE, PING_EVENT },
        },
        {
                .name = "descriptor",
                .ours = "and a descriptor in one of two",
                .peer = "messages of protobuf-c",
                .turn = 200,
                .open = open_floor,
                .first = first_pair,
                .second = second_pair,
                .kinds = { PING_DESCRIPTOR, PING_MESSAGE },
        },
        {
                .name = "alloc_free",
                .ours = "par_alloc() and par_free() of 64 KiB, zeroed",
                .peer = "two round trips, libevent and protobuf-c",
                .turn = 200,
                .open = open_alloc,
                .first = alloc_free,
                .second = second_pair,
                .kinds = { 0, PING_MESSAGE },
        },
        {
                .name = "alloc_free_raw",
                .ours = "the same, not zeroed again",
                .peer = "two round trips, libevent and protobuf-c",
                .bar = 1.15,
                .turn = 200,
                .open = open_alloc_raw,
                .first = alloc_free,
                .second = second_pair,
                .kinds = { 0, PING_MESSAGE },
        },
        {
                .name = "batch",
                .ours = "one of 64 of par_alloc_batch() and par_free_batch()",
                .peer = "two round trips, libevent and protobuf-c",
                .bar = 1.0 / 15,
                .turn = 50,
                .open = open_batch,
                .first = alloc_free_batch,
                .second = second_pair,
                .kinds = { 0, PING_MESSAGE },
        },
        {
                .name = "sleeping",
                .ours = "the same across cores, both ends sleep",
                .peer = "two round trips, libevent and protobuf-c",
                .turn = 100,
                .open = open_sleeping,
                .first = alloc_free,
                .second = second_pair,
                .kinds = { 0, PING_MESSAGE },
        },
        {
                .name = "busy",
                .ours = "the same across cores, the client polls",
                .peer = "two bare round trips, so polled",
                .bar = 1.3,
                .turn = 100,
                .open = open_busy,
                .first = alloc_free,
                .second = second_pair,
                .kinds = { 0, PING_BARE },
        },
        {
                .name = "first_use",
                .ours = "par_alloc() of a fresh 2 MiB, and a write to it",
                .peer = "memfd_create(), ftruncate(), fallocate(), mmap(), the same",
                .bar = 0.5,
                .turn = 4,
                .open = open_first_use,
                .first = first_use,
                .second = first_use_of_kernel,
        },
        {
                .name = "first_use_all",
                .ours = "the same, and a write to each 4 KiB",
                .peer = "memfd_create(), ftruncate(), fallocate(), mmap(), the same",
                .turn = 4,
                .open = open_first_use_all,
                .first = first_use,
                .second = first_use_of_kernel,
        },
        {
                .name = "recycled_2m",
                .ours = "par_alloc() of 2 MiB that its owner had before",
                .peer = "the same, not zeroed, and memset()",
                .turn = 50,
                .open = open_recycled_2m,
                .first = recycled,
                .second = recycled_and_memset,
        },
        {
                .name = "recycled_64m",
                .ours = "par_alloc() of 64 MiB that its owner had before",
                .peer = "the same, not zeroed, and memset()",
                .turn = 2,
                .open = open_recycled_64m,
                .first = recycled,
                .second = recycled_and_memset,
        },
        {
                .name = "fill_2",
                .ours = "a 2 MiB page of a pool that two threads fill",
                .peer = "that one fills",
                .turn = 2,
                .open = open_fill_2,
                .first = fill_by_several,
                .second = fill_by_one,
        },
        {
                .name = "fill_3",
                .ours = "a 2 MiB page of a pool that three threads fill",
                .peer = "that one fills",
                .turn = 2,
                .open = open_fill_3,
                .first = fill_by_several,
                .second = fill_by_one,
        },
        {
                .name = "fill_4",
                .ours = "a 2 MiB page of a pool that four threads fill",
                .peer = "that one fills",
                .turn = 2,
                .open = open_fill_4,
                .first = fill_by_several,
                .second = fill_by_one,
        },
        {
                .name = "crowd",
                .ours = "par_alloc() of 4 KiB beside a crowd",
                .peer = "the same without",
                .bar = 1.5,
                .turn = 500,
                .open = open_crowd,
                .first = alloc_in_crowd,
                .second = alloc_alone,
        },
        {
                .name = "crowd_turns",
                .ours = "par_alloc() of 4 KiB, each of the crowd in turn",
                .peer = "one alone",
                .turn = 500,
                .open = open_crowd,
                .first = alloc_in_turn,
                .second = alloc_alone,
        },
        {
                .name = "bare_turns",
                .ours = "round trips of as many bare connections in turn",
                .peer = "of one alone",
                .turn = 500,
                .open = open_bare_crowd,
                .first = ping_in_turn,
                .second = ping_alone,
                .kinds = { PING_MESSAGE, PING_MESSAGE },
        },
};

const unsigned n_path_rows = ARRAY_SIZE(path_rows);
