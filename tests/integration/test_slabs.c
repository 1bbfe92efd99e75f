/* SPDX-License-Identifier: MIT */
/*
 * Random operations on slabs from several threads, against a real daemon: every object satisfies
 * its constraint, is contiguous, is where look-ups say that it is, and overlaps no other that is in
 * use. On real hugepages it is also where /proc/self/pagemap says, when it is had and when it is
 * given back.
 *
 *     test_slabs [OPERATIONS [THREADS [hugetlb]]]      default: 100,000 in all, 4 threads
 */
#include "macros.h"
#include "pard_fixture.h"
#include "process.h"
#include "random.h"

#include <errno.h>
#include <fcntl.h>
#include <par_slab.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define THREADS_MAX     64
#define HELD_MAX        300
#define BULK_MAX        80
#define FRAME_BYTES     (2 * MiB)
#define PAGE_BYTES      UINT64_C(4096)
#define PAGEMAP_PRESENT (UINT64_C(1) << 63)
#define PAGEMAP_FRAME   ((UINT64_C(1) << 55) - 1)

#define POOL "pool \"any\" { page_size = \"2M\" size_min = \"112M\" reuse_delay = \"0\" }\n"

static const char config_sim[] =
        "backend = \"sim\"\n"
        "sim { extent \"low\" { first = \"1G\" size = \"16M\" page_size = \"2M\" } "
        "extent \"high\" { first = \"4G\" size = \"96M\" page_size = \"2M\" } }\n" POOL
        "device \"bounded\" { dma_bits = 36 boundary = \"16K\" }\n";
static const char config_hugetlb[] =
        "backend = \"hugetlb\"\nhugepages = \"reserve\"\nkeep_free = \"512M\"\n" POOL
        "device \"bounded\" { boundary = \"16K\" }\n";

/* Everything is counted in units: no two objects have one in common. */
#define UNIT UINT64_C(64)

/* All frames that there ever are: each that is given back may come as another one. */
#define FRAMES_MAX  8192
#define POOL_FRAMES 56 /* at a time */

/**
 * struct frame - who has what of a frame
 * @number: its address in frames, and 1; 0: of no frame yet
 * @taken:  by unit: somebody has it
 */
struct frame {
        _Atomic(uint64_t) number;
        _Atomic(unsigned char) taken[FRAME_BYTES / UNIT];
};

/**
 * struct kind - one slab
 * @align, @boundary: of its constraint, 0: none
 * @low:      it has to lie below struct trial's @middle
 * @device_boundary: that of its device; 0: it has none
 */
struct kind {
        size_t object_bytes;
        uint64_t align, boundary;
        bool low;
        uint64_t device_boundary;
        struct par_slab_options options;
};

static const struct kind kinds[] = {
        { .object_bytes = 64 },
        { .object_bytes = 1536, .align = 256, .boundary = 4096 },
        { .object_bytes = 2048, .low = true, .options.object_max = 600 },
        { .object_bytes = 4096, .align = 4096, .options.cache_objects = 5 },
        { .object_bytes = 9000, .boundary = 32 * KiB, .options.flags = PAR_SLAB_UNCACHED },
        { .object_bytes = 10000, .device_boundary = 16 * KiB },
        { .object_bytes = 192 * KiB, .boundary = 256 * KiB },
        { .object_bytes = 320, .options.flags = PAR_SLAB_DEBUG },
};

/**
 * struct trial - what all threads share
 * @frames:  FRAMES_MAX, found by their numbers
 * @middle:  an address with memory on both sides of it
 * @pagemap: of this process; -1 where addresses are invented and cannot be compared
 */
struct trial {
        struct par *par;
        struct par_slab *slabs[ARRAY_SIZE(kinds)];
        struct frame *frames;
        uint64_t middle;
        int pagemap;
        unsigned long operations;
};

/* struct worker - a thread, with what it holds of each slab; @refused: how often it got nothing;
 * @compared: pages with what the kernel says */
struct worker {
        pthread_t thread;
        struct random random;
        struct trial *trial;
        struct par_object held[ARRAY_SIZE(kinds)][HELD_MAX];
        size_t n_held[ARRAY_SIZE(kinds)];
        unsigned long refused, got, compared;
};

/* ---- what is true of an object -------------------------------------------------------------- */

static void check_limits(const struct trial *trial, const struct kind *kind,
                         const struct par_object *object)
{
        const uint64_t last = object->dma + kind->object_bytes - 1;
        const uint64_t boundaries[] = { kind->boundary, kind->device_boundary };

        if (kind->low && last >= trial->middle)
                die("%#llx is above the limit", (unsigned long long)last);
        if (object->dma % (kind->align ? kind->align : UNIT))
                die("%#llx is not aligned", (unsigned long long)object->dma);
        for (size_t i = 0; i < ARRAY_SIZE(boundaries); i++)
                if (boundaries[i] && object->dma / boundaries[i] != last / boundaries[i])
                        die("%#llx to %#llx crosses a boundary", (unsigned long long)object->dma,
                            (unsigned long long)last);
}

static void check_lookup(struct par *par, const struct kind *kind, const struct par_object *object)
{
        size_t contiguous;
        uint64_t dma;
        void *pointer;

        if (par_dma_address(par, object->data, &dma, &contiguous) || dma != object->dma ||
            contiguous < kind->object_bytes)
                die("look-up of %p: %#llx, %zu bytes", object->data, (unsigned long long)dma,
                    contiguous);
        if (par_dma_pointer(par, NULL, dma, &pointer, NULL) || pointer != object->data)
                die("look-up of %#llx: %p, not %p", (unsigned long long)dma, pointer, object->data);
}

static struct frame *find_frame(struct trial *trial, uint64_t address)
{
        const uint64_t number = address / FRAME_BYTES + 1;

        for (uint64_t i = 0; i < FRAMES_MAX; i++) {
                struct frame *frame = &trial->frames[(number + i) % FRAMES_MAX];
                uint64_t seen = 0;

                if (atomic_compare_exchange_strong(&frame->number, &seen, number) || seen == number)
                        return frame;
        }
        die("more than %d frames", FRAMES_MAX);
}

/* Mark what an object covers. @to: 1: it is in use; 0: not any more. */
static void mark(struct trial *trial, const struct kind *kind, const struct par_object *object,
                 unsigned char to)
{
        const uint64_t last = object->dma + kind->object_bytes - 1;
        struct frame *frame = NULL;

        for (uint64_t at = object->dma / UNIT * UNIT; at <= last; at += UNIT) {
                if (!frame || at % FRAME_BYTES == 0)
                        frame = find_frame(trial, at);
                if (atomic_exchange_explicit(&frame->taken[at % FRAME_BYTES / UNIT], to,
                                             memory_order_relaxed) == to)
                        die("%#llx is %s", (unsigned long long)object->dma,
                            to ? "somebody else's, too" : "nobody's");
        }
}

/* Who has it writes his name into it, at both ends. */
static void sign(const struct kind *kind, const struct par_object *object)
{
        memcpy(object->data, &object->dma, sizeof(object->dma));
        memcpy((char *)object->data + kind->object_bytes - sizeof(object->dma), &object->dma,
               sizeof(object->dma));
}

static void check_signature(const struct kind *kind, const struct par_object *object)
{
        const char *end = (char *)object->data + kind->object_bytes - sizeof(object->dma);

        if (memcmp(object->data, &object->dma, sizeof(object->dma)) != 0 ||
            memcmp(end, &object->dma, sizeof(object->dma)) != 0)
                die("somebody else wrote to %#llx", (unsigned long long)object->dma);
}

/* Invented addresses can only be compared with what was configured. */
static void check_invention(const struct kind *kind, const struct par_object *object)
{
        const uint64_t last = object->dma + kind->object_bytes - 1;

        if ((object->dma < GiB || last >= GiB + 16 * MiB) &&
            (object->dma < 4 * GiB || last >= 4 * GiB + 96 * MiB))
                die("%#llx is no memory", (unsigned long long)object->dma);
}

/* Each page of it is where the kernel says. All of them are mapped by now: whoever has it wrote to
 * both of its ends. */
static void check_truth(struct worker *worker, const struct kind *kind,
                        const struct par_object *object)
{
        uint64_t entries[256 * KiB / PAGE_BYTES], last = object->dma + kind->object_bytes - 1;
        const uint64_t first = object->dma / PAGE_BYTES;
        const size_t count = last / PAGE_BYTES - first + 1, bytes = count * sizeof(*entries);
        const uintptr_t page = (uintptr_t)object->data / PAGE_BYTES;

        if (worker->trial->pagemap < 0) {
                check_invention(kind, object);
                return;
        }
        if (count > ARRAY_SIZE(entries) ||
            pread(worker->trial->pagemap, entries, bytes, (off_t)(page * sizeof(*entries))) !=
                    (ssize_t)bytes)
                die("pagemap: %s", strerror(errno));
        for (size_t i = 0; i < count; i++) {
                const uint64_t frame = entries[i] & PAGEMAP_FRAME;

                if (!(entries[i] & PAGEMAP_PRESENT) || frame != first + i)
                        die("page %zu of %#llx is frame %#llx", i, (unsigned long long)object->dma,
                            (unsigned long long)frame);
        }
        if ((uintptr_t)object->data % PAGE_BYTES != object->dma % PAGE_BYTES)
                die("%p is at %#llx", object->data, (unsigned long long)object->dma);
        worker->compared += count;
}

/* ---- operations ----------------------------------------------------------------------------- */

static void get(struct worker *worker, size_t which, size_t count)
{
        struct trial *trial = worker->trial;
        struct par_object *objects = worker->held[which] + worker->n_held[which];
        int r;

        r = count == 1 ? par_slab_get(trial->slabs[which], objects)
                       : par_slab_get_bulk(trial->slabs[which], objects, count);
        if (r && r != -PAR_QUOTA && r != -PAR_EXHAUSTED && r != -PAR_FRAGMENTED &&
            r != -PAR_NEVER_FITS)
                die("get: %s: %s", par_strerror(r), par_error(trial->par));
        if (r) {
                worker->refused++;
                return;
        }
        for (size_t i = 0; i < count; i++) {
                check_limits(trial, &kinds[which], &objects[i]);
                check_lookup(trial->par, &kinds[which], &objects[i]);
                mark(trial, &kinds[which], &objects[i], 1);
                sign(&kinds[which], &objects[i]);
                check_truth(worker, &kinds[which], &objects[i]);
        }
        worker->n_held[which] += count;
        worker->got += count;
}

/* The last ones: before, one of them changes places with any other. */
static void put(struct worker *worker, size_t which, size_t count)
{
        struct par_object *held = worker->held[which], last;
        struct par_object *objects = held + worker->n_held[which] - count;
        size_t any = random_below(&worker->random, worker->n_held[which]);
        int r;

        last = objects[0];
        objects[0] = held[any];
        held[any] = last;
        for (size_t i = 0; i < count; i++) {
                check_signature(&kinds[which], &objects[i]);
                check_truth(worker, &kinds[which], &objects[i]);
                mark(worker->trial, &kinds[which], &objects[i], 0);
        }
        worker->n_held[which] -= count;
        r = count == 1 ? par_slab_put(worker->trial->slabs[which], objects[0])
                       : par_slab_put_bulk(worker->trial->slabs[which], objects, count);
        if (r)
                die("put: %s: %s", par_strerror(r), par_error(worker->trial->par));
}

static void trim(struct worker *worker, size_t which)
{
        if (par_slab_trim(worker->trial->slabs[which], NULL))
                die("trim: %s", par_error(worker->trial->par));
}

static void operate(struct worker *worker)
{
        const size_t which = random_below(&worker->random, ARRAY_SIZE(kinds));
        const size_t room = kinds[which].object_bytes > 64 * KiB ? 8 : HELD_MAX;
        size_t count =
                random_one_in(&worker->random, 4) ? 1 + random_below(&worker->random, BULK_MAX) : 1;

        if (random_one_in(&worker->random, 1000)) {
                trim(worker, which);
        } else if (random_next(&worker->random) & 1) {
                if (count > room - worker->n_held[which])
                        count = room - worker->n_held[which];
                if (count)
                        get(worker, which, count);
        } else {
                if (count > worker->n_held[which])
                        count = worker->n_held[which];
                if (count)
                        put(worker, which, count);
        }
}

static void *work(void *data)
{
        struct worker *worker = data;

        for (unsigned long i = 0; i < worker->trial->operations; i++)
                operate(worker);
        for (size_t which = 0; which < ARRAY_SIZE(kinds); which++)
                if (worker->n_held[which])
                        put(worker, which, worker->n_held[which]);
        return NULL;
}

/* ---- the whole ------------------------------------------------------------------------------ */

static int by_value(const void *a, const void *b)
{
        const uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

        return (x > y) - (x < y);
}

/* Nobody knows beforehand how low real pages lie: half of them are below this. */
static uint64_t find_middle(struct par *par)
{
        struct par_buffer *buffers[POOL_FRAMES];
        uint64_t firsts[POOL_FRAMES];
        size_t n = 0;

        while (n < POOL_FRAMES && !par_alloc(par, FRAME_BYTES, NULL, NULL, &buffers[n])) {
                firsts[n] = par_buffer_dma(buffers[n]);
                n++;
        }
        if (n < POOL_FRAMES)
                die("only %zu frames: %s", n, par_error(par));
        qsort(firsts, n, sizeof(*firsts), by_value);
        par_free_batch(buffers, n);
        return firsts[n / 2];
}

static void create(struct trial *trial, size_t which, struct par_device *device)
{
        const struct kind *kind = &kinds[which];
        struct par_slab_options options = kind->options;
        struct par_constraint limits = {
                .addr_max = kind->low ? trial->middle - 1 : 0,
                .align = kind->align,
                .boundary = kind->boundary,
        };

        if (kind->device_boundary)
                options.device = device;
        if (par_slab_create(trial->par, kind->object_bytes, &limits, &options,
                            &trial->slabs[which]))
                die("create: %s", par_error(trial->par));
}

/* With all threads gone everything is back. */
static void check_end(struct trial *trial, size_t which)
{
        struct par_slab_stats stats;

        if (par_slab_stats(trial->slabs[which], &stats))
                die("stats");
        printf("%7zu bytes: %llu gets, %llu misses, %llu buffers granted, %llu there now\n",
               kinds[which].object_bytes, (unsigned long long)stats.gets,
               (unsigned long long)stats.misses, (unsigned long long)stats.growths,
               (unsigned long long)stats.buffers);
        if (!stats.gets)
                die("nobody ever had one");
        if (stats.in_use || stats.cached || stats.damaged || stats.gets != stats.puts)
                die("%llu in use, %llu cached, %llu damaged", (unsigned long long)stats.in_use,
                    (unsigned long long)stats.cached, (unsigned long long)stats.damaged);
        if (par_slab_trim(trial->slabs[which], NULL) ||
            par_slab_stats(trial->slabs[which], &stats) || stats.objects)
                die("%llu objects are left", (unsigned long long)stats.objects);
        if (par_slab_destroy(trial->slabs[which]))
                die("leaks");
}

static void run(struct trial *trial, size_t threads)
{
        struct worker *workers = calloc(threads, sizeof(*workers));
        unsigned long refused = 0, got = 0, compared = 0;

        if (!workers)
                die("no memory");
        for (size_t i = 0; i < threads; i++) {
                workers[i].random.state = i + 1;
                workers[i].trial = trial;
                if (pthread_create(&workers[i].thread, NULL, work, &workers[i]))
                        die("thread");
        }
        for (size_t i = 0; i < threads; i++) {
                pthread_join(workers[i].thread, NULL);
                refused += workers[i].refused;
                got += workers[i].got;
                compared += workers[i].compared;
        }
        printf("%zu threads, %lu operations each: %lu objects, %lu refusals; %lu pages compared\n",
               threads, trial->operations, got, refused, compared);
        if (trial->pagemap >= 0 && compared < got)
                die("too few pages were compared");
        free(workers);
}

/* @real: on hugepages. */
static void begin(struct trial *trial, bool real, struct pard_fixture *pard)
{
        struct par_device *device;

        trial->pagemap = -1;
        if (real) {
                require_hugepages(POOL_FRAMES * 2);
                trial->pagemap = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
                if (trial->pagemap < 0)
                        die("pagemap: %s", strerror(errno));
        }
        trial->frames = calloc(FRAMES_MAX, sizeof(*trial->frames));
        pard_fixture_start_filled(real ? config_hugetlb : config_sim, pard);
        if (!trial->frames || par_connect(pard->socket, NULL, &trial->par) ||
            par_device_open(trial->par, "bounded", &device))
                die("%s", par_error(NULL));
        trial->middle = real ? find_middle(trial->par) : 2 * GiB;
        for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
                create(trial, i, device);
}

int main(int argc, char **argv)
{
        const unsigned long operations = argc > 1 ? strtoul(argv[1], NULL, 0) : 100000;
        const size_t threads = argc > 2 ? strtoul(argv[2], NULL, 0) : 4;
        const bool real = argc > 3 && strcmp(argv[3], "hugetlb") == 0;
        struct pard_fixture pard;
        struct trial trial;

        if (!threads || threads > THREADS_MAX)
                die("1 to %d threads", THREADS_MAX);
        trial.operations = operations / threads;
        begin(&trial, real, &pard);
        run(&trial, threads);
        for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
                check_end(&trial, i);
        par_disconnect(trial.par);
        if (trial.pagemap >= 0)
                close(trial.pagemap);
        free(trial.frames);
        pard_fixture_stop(&pard);
        return 0;
}
