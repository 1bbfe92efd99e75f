/* SPDX-License-Identifier: MIT */
/*
 * Random operations on several heaps from several threads, with an oracle: every allocation is
 * inside its heap's constraint, contiguous for the device, aligned, zero where that was asked for,
 * nobody else's, and keeps what is in it when it is resized. Threads pass allocations on, and end.
 *
 *     test_heap_random [OPERATIONS [THREADS [SEED [hugetlb]]]]      default: 200,000, 4 threads
 *
 * With real pages nobody knows how low they lie, nor whether any are adjacent: then the heaps are
 * left out that have to be low, and no allocation is larger than a page.
 */
#include "macros.h"
#include "pard_fixture.h"
#include "process.h"
#include "random.h"

#include <par_heap.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define THREADS_MAX 64
#define HELD        96    /* allocations that a thread has at most */
#define PASSED      32    /* allocations that are on their way between threads */
#define LIFE        20000 /* operations that a thread does before it ends */

static const char config[] =
        "backend = \"sim\"\n"
        "sim {\n"
        "  extent \"low\" { first = \"16M\" last = \"0x3fffffff\" page_size = \"2M\" }\n"
        "  extent \"high\" { first = \"4G\" size = \"4G\" page_size = \"2M\" }\n"
        "}\n"
        "pool \"any\" { page_size = \"2M\" size_min = \"256M\" }\n"
        "pool \"below1g\" { below = \"1G\" page_size = \"2M\" size_min = \"128M\" }\n"
        "device \"capture0\" { dma_bits = 30 boundary = \"64K\" max_segments = 1 }\n";

static const char config_of_real_pages[] =
        "backend = \"hugetlb\"\n"
        "hugepages = \"reserve\"\n"
        "keep_free = \"1G\"\n"
        "pool \"any\" { page_size = \"2M\" size_min = \"256M\" }\n";

/**
 * struct rule - a heap, and what holds for each of its allocations
 * @device:   its name, or NULL
 * @boundary: what must hold, also where it is the device's and not of @want
 * @largest:  size that is asked for
 */
static const struct rule {
        const char *name, *device;
        struct par_constraint want;
        uint64_t limit, boundary, addr_max;
        size_t largest;
} rules[] = {
        { "no limit", NULL, { 0 }, 0, 0, UINT64_MAX, 3 << 20 },
        { "boundary of 64 KiB", NULL, { .boundary = 65536 }, 0, 65536, UINT64_MAX, 65536 },
        { "boundary of 4 KiB, in pages",
          NULL,
          { .boundary = 4096, .align = 4096 },
          0,
          4096,
          UINT64_MAX,
          4096 },
        { "boundary of 512 bytes", NULL, { .boundary = 512 }, 0, 512, UINT64_MAX, 512 },
        { "short segments", NULL, { .max_segment_bytes = 300000 }, 0, 262144, UINT64_MAX, 262144 },
        { "little to have", NULL, { 0 }, 3 << 20, 0, UINT64_MAX, 1 << 20 },
        { "30 bits, cache lines",
          NULL,
          { .addr_max = 0x3fffffff, .align = 64 },
          0,
          0,
          0x3fffffff,
          100000 },
        { "a device", "capture0", { 0 }, 0, 65536, 0x3fffffff, 57344 },
};

static struct par *par;
static struct par_heap *heaps[ARRAY_SIZE(rules)];
static size_t n_heaps = ARRAY_SIZE(rules);

static size_t largest_of_all = SIZE_MAX;

#define LOW_HEAPS 2 /* the last ones */

/**
 * struct object - one allocation
 * @fill: every byte of it, from the ninth on; the first 8 are @id
 */
struct object {
        void *at;
        size_t size, rule;
        uint64_t id;
        unsigned char fill;
};

static struct passed {
        pthread_mutex_t lock;
        struct object objects[PASSED];
} passed = { .lock = PTHREAD_MUTEX_INITIALIZER };

/**
 * struct worker - one thread
 * @left:    operations that it still has to do
 * @refused: of those; only the heap with little to have may do so
 */
struct worker {
        pthread_t thread;
        struct random random;
        struct object held[HELD];
        uint64_t left, refused, ids;
};

/* ---- the oracle ----------------------------------------------------------------------------- */

static void check_place(const struct object *object)
{
        const struct rule *rule = &rules[object->rule];
        size_t contiguous, usable = par_heap_usable_size(heaps[object->rule], object->at);
        uint64_t dma, align = rule->want.align ? rule->want.align : 1;

        if (par_dma_address(par, object->at, &dma, &contiguous))
                die("%s: %s", rule->name, par_error(par));
        if (dma != par_heap_dma(heaps[object->rule], object->at) ||
            dma + usable - 1 != par_heap_dma(heaps[object->rule], (char *)object->at + usable - 1))
                die("%s: the heap and the connection differ about an address", rule->name);
        if (usable < object->size || contiguous < usable)
                die("%s: %zu bytes, of which %zu are usable and %zu contiguous", rule->name,
                    object->size, usable, contiguous);
        if (dma % align || (uintptr_t)object->at % align)
                die("%s: %#llx is not aligned", rule->name, (unsigned long long)dma);
        if (rule->boundary && dma / rule->boundary != (dma + usable - 1) / rule->boundary)
                die("%s: %zu bytes at %#llx", rule->name, usable, (unsigned long long)dma);
        if (dma + usable - 1 > rule->addr_max)
                die("%s: %#llx is out of reach", rule->name, (unsigned long long)dma);
}

/* All that it has is filled: what it does not own it would spoil. */
static void fill(struct object *object, struct worker *worker)
{
        size_t usable = par_heap_usable_size(heaps[object->rule], object->at);

        object->size = usable;
        object->id = worker->ids += THREADS_MAX;
        object->fill = (unsigned char)random_next(&worker->random);
        memset(object->at, object->fill, usable);
        if (usable >= sizeof(object->id))
                memcpy(object->at, &object->id, sizeof(object->id));
}

static bool is_all(const unsigned char *at, size_t size, unsigned char byte)
{
        return size == 0 || (at[0] == byte && memcmp(at, at + 1, size - 1) == 0);
}

/* The first @size bytes are as fill() left them. */
static void check_fill(const struct object *object, size_t size)
{
        size_t head = object->size >= sizeof(object->id) ? sizeof(object->id) : 0;

        if (head && size >= head && memcmp(object->at, &object->id, head) != 0)
                die("%s: another one's memory", rules[object->rule].name);
        if (size > head && !is_all((unsigned char *)object->at + head, size - head, object->fill))
                die("%s: somebody wrote into it", rules[object->rule].name);
}

/* ---- operations ----------------------------------------------------------------------------- */

/* Mostly small, seldom large. */
static size_t any_size(struct random *random, size_t largest)
{
        size_t size = (size_t)random_below(random, UINT64_C(8) << random_below(random, 16));

        if (largest > largest_of_all)
                largest = largest_of_all;
        if (random_one_in(random, 500))
                size = (size_t)random_below(random, largest + 1);
        return size % (largest + 1);
}

/* Where it was refused: was it where that may be? Return: whether it was had. */
static bool had(struct worker *worker, size_t rule, int r)
{
        if (!r)
                return true;
        if (r != -PAR_QUOTA || !rules[rule].limit)
                die("%s: %s: %s", rules[rule].name, par_strerror(r), par_heap_error());
        worker->refused++;
        return false;
}

static void allocate(struct worker *worker, struct object *object)
{
        size_t rule = (size_t)random_below(&worker->random, n_heaps);
        size_t size = any_size(&worker->random, rules[rule].largest), align = 16;
        int r, how = (int)random_below(&worker->random, 3);

        if (how == 0) {
                r = par_heap_alloc_zeroed(heaps[rule], size, 1, &object->at);
        } else if (how == 1) {
                while (align < 8192 && random_one_in(&worker->random, 2))
                        align *= 2;
                if (rules[rule].device && align > 1024)
                        align = 1024; /* with its alignment it still has to fit into a chunk */
                r = par_heap_alloc_aligned(heaps[rule], align, size, &object->at);
        } else {
                r = par_heap_alloc(heaps[rule], size, &object->at);
        }
        if (!had(worker, rule, r))
                return;
        if (how == 0 && !is_all(object->at, size, 0))
                die("%s: not zero", rules[rule].name);
        if (how == 1 && ((uintptr_t)object->at | par_heap_dma(heaps[rule], object->at)) % align)
                die("%s: not aligned to %zu", rules[rule].name, align);
        object->rule = rule;
        object->size = size;
        check_place(object);
        fill(object, worker);
}

static void resize(struct worker *worker, struct object *object)
{
        size_t size = any_size(&worker->random, rules[object->rule].largest);
        size_t kept = size < object->size ? size : object->size;
        void *at;

        if (!had(worker, object->rule,
                 par_heap_resize(heaps[object->rule], object->at, size, &at))) {
                check_fill(object, object->size); /* it is as it was */
                return;
        }
        object->at = at;
        check_fill(object, kept);
        object->size = size;
        check_place(object);
        fill(object, worker);
}

static void release(struct object *object)
{
        check_fill(object, object->size);
        par_heap_free(heaps[object->rule], object->at);
        object->at = NULL;
}

/* Swap one with what lies there for somebody. */
static void pass_on(struct worker *worker, struct object *object)
{
        struct object *other = &passed.objects[random_below(&worker->random, PASSED)];
        struct object mine = *object;

        pthread_mutex_lock(&passed.lock);
        *object = *other;
        *other = mine;
        pthread_mutex_unlock(&passed.lock);
}

static void look_after(struct worker *worker)
{
        size_t rule = (size_t)random_below(&worker->random, n_heaps);
        struct par_heap_info info;

        if (par_heap_info(heaps[rule], &info))
                die("info: %s", par_heap_error());
        if (info.held_bytes > info.held_peak_bytes ||
            (info.limit_bytes && info.held_peak_bytes > info.limit_bytes))
                die("%s: it holds %llu bytes", rules[rule].name,
                    (unsigned long long)info.held_bytes);
        if (par_heap_trim(heaps[rule], NULL))
                die("trim: %s", par_heap_error());
}

static void *work(void *data)
{
        struct worker *worker = data;

        for (uint64_t i = 0; i < LIFE && worker->left; i++, worker->left--) {
                struct object *object = &worker->held[random_below(&worker->random, HELD)];

                if (random_one_in(&worker->random, 3000))
                        look_after(worker);
                if (random_one_in(&worker->random, 20))
                        pass_on(worker, object);
                else if (!object->at)
                        allocate(worker, object);
                else if (random_one_in(&worker->random, 4))
                        resize(worker, object);
                else
                        release(object);
        }
        return NULL;
}

/* ---- the run -------------------------------------------------------------------------------- */

static void make_heaps(void)
{
        for (size_t i = 0; i < n_heaps; i++) {
                struct par_heap_options options = { .label = rules[i].name,
                                                    .limit_bytes = rules[i].limit,
                                                    .idle_ms = 20,
                                                    .wait_ms = 60000 };
                struct par_device *device = NULL;

                if (rules[i].device && par_device_open(par, rules[i].device, &device))
                        die("%s: %s", rules[i].device, par_error(par));
                options.device = device;
                if (par_heap_create(par, &rules[i].want, &options, &heaps[i]))
                        die("%s: %s", rules[i].name, par_heap_error());
        }
}

/* One life after the other, until all operations are done. */
static void run(struct worker *workers, size_t count)
{
        bool left = true;

        while (left) {
                left = false;
                for (size_t i = 0; i < count; i++)
                        if (pthread_create(&workers[i].thread, NULL, work, &workers[i]))
                                die("a thread cannot be had");
                for (size_t i = 0; i < count; i++) {
                        pthread_join(workers[i].thread, NULL);
                        left |= workers[i].left > 0;
                }
        }
}

static void clean_up(struct worker *workers, size_t count)
{
        for (size_t i = 0; i < count; i++)
                for (size_t j = 0; j < HELD; j++)
                        if (workers[i].held[j].at)
                                release(&workers[i].held[j]);
        for (size_t i = 0; i < PASSED; i++)
                if (passed.objects[i].at)
                        release(&passed.objects[i]);
        for (size_t i = 0; i < n_heaps; i++)
                if (par_heap_destroy(heaps[i]))
                        die("%s", par_heap_error());
}

int main(int argc, char **argv)
{
        uint64_t operations = argc > 1 ? strtoull(argv[1], NULL, 0) : 200000, refused = 0;
        size_t count = argc > 2 ? strtoull(argv[2], NULL, 0) : 4;
        uint64_t seed = argc > 3 ? strtoull(argv[3], NULL, 0) : 1;
        const bool real = argc > 4 && strcmp(argv[4], "hugetlb") == 0;
        static struct worker workers[THREADS_MAX];
        struct pard_fixture pard;

        if (!count || count > THREADS_MAX)
                die("1 to %d threads", THREADS_MAX);
        if (real) {
                n_heaps -= LOW_HEAPS;
                largest_of_all = MiB;
        }
        pard_fixture_start_filled(real ? config_of_real_pages : config, &pard);
        if (par_connect(pard.socket, NULL, &par))
                die("connect: %s", par_error(NULL));
        make_heaps();
        for (size_t i = 0; i < count; i++) {
                workers[i].random.state = seed * 1000 + i;
                workers[i].ids = i;
                workers[i].left = operations / count;
        }
        run(workers, count);
        for (size_t i = 0; i < count; i++)
                refused += workers[i].refused;
        clean_up(workers, count);
        printf("%llu operations by %zu threads on %zu heaps, %llu refused for the heap's limit\n",
               (unsigned long long)operations, count, n_heaps, (unsigned long long)refused);
        par_disconnect(par);
        pard_fixture_stop(&pard);
        return 0;
}
