/* SPDX-License-Identifier: MIT */
/*
 * Random operations on slabs from several threads, against a real daemon on invented memory: every
 * object satisfies its constraint, is contiguous, is where look-ups say that it is, and overlaps no
 * other that is in use.
 *
 *     test_slabs [OPERATIONS [THREADS]]      default: 100,000 in all, 4 threads
 */
#include "macros.h"
#include "pard_fixture.h"
#include "process.h"
#include "random.h"

#include <par_slab.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define THREADS_MAX 64
#define HELD_MAX    300
#define BULK_MAX    80

static const char config[] =
        "backend = \"sim\"\n"
        "sim { extent \"low\" { first = \"1G\" size = \"16M\" page_size = \"2M\" } "
        "extent \"high\" { first = \"4G\" size = \"96M\" page_size = \"2M\" } }\n"
        "pool \"any\" { size_min = \"112M\" reuse_delay = \"0\" }\n"
        "device \"bounded\" { dma_bits = 36 boundary = \"16K\" }\n";

#define MEMORY_FIRST GiB
#define MEMORY_LAST  (4 * GiB + 96 * MiB - 1)

/* Everything is counted in units: no two objects have one in common. */
#define UNIT UINT64_C(64)

/**
 * struct kind - one slab
 * @addr_max, @align, @boundary: of its constraint, 0: none
 * @device_boundary: that of its device; 0: it has none
 */
struct kind {
        size_t object_bytes;
        uint64_t addr_max, align, boundary, device_boundary;
        struct par_slab_options options;
};

static const struct kind kinds[] = {
        { .object_bytes = 64 },
        { .object_bytes = 1536, .align = 256, .boundary = 4096 },
        { .object_bytes = 2048, .addr_max = 2 * GiB - 1, .options.object_max = 600 },
        { .object_bytes = 4096, .align = 4096, .options.cache_objects = 5 },
        { .object_bytes = 9000, .boundary = 32 * KiB, .options.flags = PAR_SLAB_UNCACHED },
        { .object_bytes = 10000, .device_boundary = 16 * KiB },
        { .object_bytes = 192 * KiB, .boundary = 256 * KiB },
        { .object_bytes = 320, .options.flags = PAR_SLAB_DEBUG },
};

/**
 * struct trial - what all threads share
 * @taken: by unit of the address: somebody has it
 */
struct trial {
        struct par *par;
        struct par_slab *slabs[ARRAY_SIZE(kinds)];
        _Atomic(unsigned char) *taken;
        unsigned long operations;
};

/* struct worker - a thread, with what it holds of each slab; @refused: how often it got nothing */
struct worker {
        pthread_t thread;
        struct random random;
        struct trial *trial;
        struct par_object held[ARRAY_SIZE(kinds)][HELD_MAX];
        size_t n_held[ARRAY_SIZE(kinds)];
        unsigned long refused, got;
};

/* ---- what is true of an object -------------------------------------------------------------- */

static void check_limits(const struct kind *kind, const struct par_object *object)
{
        const uint64_t last = object->dma + kind->object_bytes - 1;
        const uint64_t boundaries[] = { kind->boundary, kind->device_boundary };

        if (object->dma < MEMORY_FIRST || last > MEMORY_LAST)
                die("%#llx is no memory", (unsigned long long)object->dma);
        if (kind->addr_max && last > kind->addr_max)
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

/* Mark what an object covers. @to: 1: it is in use; 0: not any more. */
static void mark(struct trial *trial, const struct kind *kind, const struct par_object *object,
                 unsigned char to)
{
        const uint64_t first = (object->dma - MEMORY_FIRST) / UNIT;
        const uint64_t last = (object->dma - MEMORY_FIRST + kind->object_bytes - 1) / UNIT;

        for (uint64_t i = first; i <= last; i++)
                if (atomic_exchange_explicit(&trial->taken[i], to, memory_order_relaxed) == to)
                        die("%#llx is %s", (unsigned long long)object->dma,
                            to ? "somebody else's, too" : "nobody's");
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
                check_limits(&kinds[which], &objects[i]);
                check_lookup(trial->par, &kinds[which], &objects[i]);
                mark(trial, &kinds[which], &objects[i], 1);
                sign(&kinds[which], &objects[i]);
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

static void create(struct trial *trial, size_t which, struct par_device *device)
{
        const struct kind *kind = &kinds[which];
        struct par_slab_options options = kind->options;
        struct par_constraint limits = {
                .addr_max = kind->addr_max,
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
        unsigned long refused = 0, got = 0;

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
        }
        printf("%zu threads, %lu operations each: %lu objects, %lu refusals\n", threads,
               trial->operations, got, refused);
        free(workers);
}

int main(int argc, char **argv)
{
        const unsigned long operations = argc > 1 ? strtoul(argv[1], NULL, 0) : 100000;
        const size_t threads = argc > 2 ? strtoul(argv[2], NULL, 0) : 4;
        struct pard_fixture pard;
        struct par_device *device;
        struct trial trial;

        if (!threads || threads > THREADS_MAX)
                die("1 to %d threads", THREADS_MAX);
        trial.operations = operations / threads;
        trial.taken = calloc((MEMORY_LAST - MEMORY_FIRST + 1) / UNIT, 1);
        pard_fixture_start_filled(config, &pard);
        if (!trial.taken || par_connect(pard.socket, NULL, &trial.par) ||
            par_device_open(trial.par, "bounded", &device))
                die("%s", par_error(NULL));
        for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
                create(&trial, i, device);
        run(&trial, threads);
        for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
                check_end(&trial, i);
        par_disconnect(trial.par);
        free(trial.taken);
        pard_fixture_stop(&pard);
        return 0;
}
