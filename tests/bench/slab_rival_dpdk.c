/* SPDX-License-Identifier: MIT */
/* Owns DPDK's environment and a mempool in it. */
#include "slab_bench.h"

#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_malloc.h>
#include <rte_mempool.h>
#include <rte_version.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ARGUMENTS_MAX 24

static struct rte_mempool *pool;
static char *block;
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
        *ret = (struct slab_rival){ .run = { get_put, bulk, bulk_dma, dma_address, NULL } };
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
        rte_free(block);
        rte_mempool_free(pool);
        rte_eal_cleanup();
}
