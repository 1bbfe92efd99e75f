/* SPDX-License-Identifier: MIT */
/*
 * Owns DPDK's environment, and a mempool and zones in it.
 *
 * A zone has a name that no other one has at that moment, and there are RTE_MAX_MEMZONE at most,
 * the mempool's own included.
 */
#include "slab_bench.h"

#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_malloc.h>
#include <rte_mempool.h>
#include <rte_memzone.h>
#include <rte_version.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ARGUMENTS_MAX 24

static struct rte_mempool *pool;
static char *block;
static const struct rte_memzone *live[SLAB_BENCH_LIVE];
static volatile uint64_t sink, ring[SLAB_BENCH_BULK];

static void get_put(size_t times)
{
        void *object;

        for (size_t i = 0; i < times; i++) {
                if (rte_mempool_get(pool, &object))
                        abort();
                rte_mempool_put(pool, object);
        }
}

static void bulk(size_t times)
{
        _Alignas(64) void *some[SLAB_BENCH_BULK];

        for (size_t i = 0; i < times; i++) {
                if (rte_mempool_get_bulk(pool, some, SLAB_BENCH_BULK))
                        abort();
                rte_mempool_put_bulk(pool, some, SLAB_BENCH_BULK);
        }
}

static void bulk_dma(size_t times)
{
        _Alignas(64) void *some[SLAB_BENCH_BULK];

        for (size_t i = 0; i < times; i++) {
                if (rte_mempool_get_bulk(pool, some, SLAB_BENCH_BULK))
                        abort();
                for (size_t n = 0; n < SLAB_BENCH_BULK; n++)
                        ring[n] = rte_mempool_virt2iova(some[n]);
                rte_mempool_put_bulk(pool, some, SLAB_BENCH_BULK);
        }
}

/* It takes only the beginning of a block. */
static void dma_address(size_t times)
{
        for (size_t i = 0; i < times; i++)
                sink = rte_malloc_virt2iova(block);
}

/* Return: NULL where there is none: rte_errno says why. */
static const struct rte_memzone *reserve(const char *name)
{
        const struct rte_memzone *zone = rte_memzone_reserve_bounded(
                name, SLAB_BENCH_BOUND, SOCKET_ID_ANY, RTE_MEMZONE_IOVA_CONTIG, SLAB_BENCH_ALIGN,
                SLAB_BENCH_BOUND);

        if (zone && !slab_bench_is_bounded(zone->iova))
                abort();
        return zone;
}

/* The name is free again each time. */
static void bounded(size_t times)
{
        for (size_t i = 0; i < times; i++)
                if (rte_memzone_free(reserve("par-bench bounded")))
                        abort();
}

static void let_go(void)
{
        for (size_t i = 0; i < SLAB_BENCH_LIVE && live[i]; i++) {
                (void)rte_memzone_free(live[i]);
                live[i] = NULL;
        }
}

static int hold(void)
{
        char name[RTE_MEMZONE_NAMESIZE];

        _Static_assert(SLAB_BENCH_LIVE < RTE_MAX_MEMZONE / 2, "there are as many zones");
        for (size_t i = 0; i < SLAB_BENCH_LIVE; i++) {
                snprintf(name, sizeof(name), "par-bench live %zu", i);
                live[i] = reserve(name);
                if (!live[i]) {
                        fprintf(stderr, "par-bench slab: DPDK, zone %zu of %d: %s\n", i + 1,
                                SLAB_BENCH_LIVE, rte_strerror(rte_errno));
                        let_go();
                        return 1;
                }
        }
        return 0;
}

static const char *mode(void)
{
        return rte_eal_iova_mode() == RTE_IOVA_PA ? "PA" : "VA, so virt2iova looks nothing up";
}

static int start(const char *arguments)
{
        static char words[512], name[] = "par-bench";
        char *argv[ARGUMENTS_MAX] = { name }, *rest, *word;
        int argc = 1;

        snprintf(words, sizeof(words), "%s", arguments);
        for (word = strtok_r(words, " ", &rest); word && argc < ARGUMENTS_MAX - 1;
             word = strtok_r(NULL, " ", &rest))
                argv[argc++] = word;
        return rte_eal_init(argc, argv) < 0 ? 1 : 0;
}

int slab_rival_dpdk_open(const char *arguments, struct slab_rival *ret)
{
        *ret = (struct slab_rival){
                .run = { get_put, bulk, bulk_dma, dma_address, NULL, bounded, bounded },
                .hold = hold,
        };
        if (start(arguments)) {
                snprintf(ret->name, sizeof(ret->name), "DPDK does not come up: %s",
                         rte_strerror(rte_errno));
                return 1;
        }
        pool = rte_mempool_create("par-bench", SLAB_BENCH_OBJECTS - 1, SLAB_BENCH_BYTES,
                                  SLAB_BENCH_CACHE, 0, NULL, NULL, NULL, NULL, SOCKET_ID_ANY, 0);
        block = rte_malloc(NULL, SLAB_BENCH_BYTES, 0);
        if (!pool || !block) {
                snprintf(ret->name, sizeof(ret->name), "DPDK has no memory: %s",
                         rte_strerror(rte_errno));
                slab_rival_dpdk_close();
                return 1;
        }
        snprintf(ret->name, sizeof(ret->name), "%s (IOVA mode %s)", rte_version(), mode());
        return 0;
}

void slab_rival_dpdk_close(void)
{
        let_go();
        rte_free(block);
        rte_mempool_free(pool);
        rte_eal_cleanup();
}
