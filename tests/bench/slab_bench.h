/* SPDX-License-Identifier: MIT */
/*
 * par-bench slab: what an object costs, its address, and a buffer within a boundary, beside what
 * DPDK has for that: mempools and memzones.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Bulks lie in arrays that begin with a cache line, as rings do. */
#define SLAB_BENCH_BULK    32
#define SLAB_BENCH_OBJECTS 8192
#define SLAB_BENCH_BYTES   2048
#define SLAB_BENCH_CACHE   512

/* Buffers of their own, as rings of descriptors are: as long as the boundary that they keep. */
#define SLAB_BENCH_BOUND 65536
#define SLAB_BENCH_ALIGN 4096
#define SLAB_BENCH_LIVE  256 /* that are there already, in the second row of these */

/* What is measured, in this order. */
enum slab_cell {
        SLAB_GET_PUT,      /* an object, and back */
        SLAB_BULK,         /* SLAB_BENCH_BULK objects, and back */
        SLAB_BULK_DMA,     /* the same, with the address of each */
        SLAB_DMA_ADDRESS,  /* of a pointer into one of many objects */
        SLAB_DMA_POINTER,  /* back */
        SLAB_BOUNDED,      /* a buffer within a boundary, and back */
        SLAB_BOUNDED_LIVE, /* the same beside SLAB_BENCH_LIVE others */
        SLAB_CELLS,
};

/**
 * struct slab_rival - one of the two who are compared
 * @name: who it is, and how it was set up; static or until close()
 * @run:  do it so many times; NULL where there is no such thing
 * @hold: have SLAB_BENCH_LIVE buffers until close(). Return: 0; 1: said why not
 */
struct slab_rival {
        char name[96];
        void (*run[SLAB_CELLS])(size_t times);
        int (*hold)(void);
};

/* Whether a buffer is where it was to be. */
static inline bool slab_bench_is_bounded(uint64_t dma)
{
        return dma % SLAB_BENCH_ALIGN == 0 &&
               dma / SLAB_BENCH_BOUND == (dma + (SLAB_BENCH_BOUND - 1)) / SLAB_BENCH_BOUND;
}

/* With the pard at @socket; NULL: as par_connect() has it. Return: 0; 1: said why not. */
int slab_rival_par_open(const char *socket, struct slab_rival *ret);
void slab_rival_par_close(void);

/**
 * slab_rival_dpdk_open() - DPDK's rte_mempool with a cache of its own for each thread, and
 * rte_memzone_reserve_bounded()
 * @arguments: of its environment, between spaces
 *
 * Return: 0; 1: it is not there, or does not come up: @ret->name says why.
 */
int slab_rival_dpdk_open(const char *arguments, struct slab_rival *ret);
void slab_rival_dpdk_close(void);

int slab_bench_main(int argc, char **argv);
