/* SPDX-License-Identifier: MIT */
/* Owns the slab and the buffers that are measured, as an application has them: through the shared
 * library. */
#include "slab_bench.h"

#include <par_slab.h>
#include <stdio.h>
#include <stdlib.h>

static struct par *par;
static struct par_slab *slab;
static struct par_object objects[SLAB_BENCH_OBJECTS / 2];
static struct par_buffer *live[SLAB_BENCH_LIVE];
static volatile uint64_t ring[SLAB_BENCH_BULK]; /* what a device would read */

/* A result that must not be is no figure. */
static void stop(const char *what)
{
        fprintf(stderr, "par-bench slab: %s: %s\n", what, par_error(par));
        exit(1);
}

static void get_put(size_t times)
{
        struct par_object object;

        for (size_t i = 0; i < times; i++) {
                if (par_slab_get(slab, &object))
                        stop("get");
                par_slab_put(slab, object);
        }
}

static void bulk(size_t times)
{
        _Alignas(64) struct par_object some[SLAB_BENCH_BULK];

        for (size_t i = 0; i < times; i++) {
                if (par_slab_get_bulk(slab, some, SLAB_BENCH_BULK))
                        stop("get");
                par_slab_put_bulk(slab, some, SLAB_BENCH_BULK);
        }
}

static void bulk_dma(size_t times)
{
        _Alignas(64) struct par_object some[SLAB_BENCH_BULK];

        for (size_t i = 0; i < times; i++) {
                if (par_slab_get_bulk(slab, some, SLAB_BENCH_BULK))
                        stop("get");
                for (size_t n = 0; n < SLAB_BENCH_BULK; n++)
                        ring[n] = some[n].dma;
                par_slab_put_bulk(slab, some, SLAB_BENCH_BULK);
        }
}

static const struct par_object *any(size_t i)
{
        return &objects[i * 7 % (SLAB_BENCH_OBJECTS / 2)];
}

static void dma_address(size_t times)
{
        uint64_t dma;

        for (size_t i = 0; i < times; i++)
                if (par_dma_address(par, (char *)any(i)->data + 100, &dma, NULL))
                        stop("look-up");
}

static void dma_pointer(size_t times)
{
        void *pointer;

        for (size_t i = 0; i < times; i++)
                if (par_dma_pointer(par, NULL, any(i)->dma + 100, &pointer, NULL))
                        stop("look-up");
}

static struct par_buffer *get_bounded(void)
{
        const struct par_constraint limits = {
                .align = SLAB_BENCH_ALIGN,
                .boundary = SLAB_BENCH_BOUND,
        };
        struct par_buffer *buffer;

        if (par_alloc(par, SLAB_BENCH_BOUND, &limits, NULL, &buffer))
                stop("a buffer");
        if (!slab_bench_is_bounded(par_buffer_dma(buffer)))
                stop("a buffer that is not where it was to be");
        return buffer;
}

static void bounded(size_t times)
{
        for (size_t i = 0; i < times; i++)
                par_free(get_bounded());
}

static int hold(void)
{
        for (size_t i = 0; i < SLAB_BENCH_LIVE; i++)
                live[i] = get_bounded();
        return 0;
}

int slab_rival_par_open(const char *socket, struct slab_rival *ret)
{
        const struct par_slab_options options = {
                .label = "par-bench",
                .cache_objects = SLAB_BENCH_CACHE,
        };
        int r;

        *ret = (struct slab_rival){
                .name = "libpar",
                .run = { get_put, bulk, bulk_dma, dma_address, dma_pointer, bounded, bounded },
                .hold = hold,
        };
        r = par_connect(socket, NULL, &par);
        if (!r)
                r = par_slab_create(par, SLAB_BENCH_BYTES, NULL, &options, &slab);
        if (!r)
                r = par_slab_reserve(slab, SLAB_BENCH_OBJECTS);
        if (!r)
                r = par_slab_get_bulk(slab, objects, SLAB_BENCH_OBJECTS / 2);
        if (r) {
                fprintf(stderr, "par-bench slab: %s\n", par_error(par));
                slab_rival_par_close();
        }
        return r ? 1 : 0;
}

void slab_rival_par_close(void)
{
        for (size_t i = 0; i < SLAB_BENCH_LIVE; i++)
                par_free(live[i]);
        (void)par_slab_destroy(slab);
        par_disconnect(par);
        slab = NULL;
        par = NULL;
}
