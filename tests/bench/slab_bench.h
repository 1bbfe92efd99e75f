/* SPDX-License-Identifier: MIT */
/*
 * par-bench slab: what an object costs, and its address, beside DPDK's mempools.
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

/* What is measured, in this order. */
enum slab_cell {
        SLAB_GET_PUT,     /* an object, and back */
        SLAB_BULK,        /* SLAB_BENCH_BULK objects, and back */
        SLAB_BULK_DMA,    /* the same, with the address of each */
        SLAB_DMA_ADDRESS, /* of a pointer into one of many objects */
        SLAB_DMA_POINTER, /* back */
        SLAB_CELLS,
};

/**
 * struct slab_rival - one of the two who are compared
 * @name: who it is, and how it was set up; static or until close()
 * @run:  do it so many times; NULL where there is no such thing
 */
struct slab_rival {
        char name[96];
        void (*run[SLAB_CELLS])(size_t times);
};

/* With the pard at @socket; NULL: as par_connect() has it. Return: 0; 1: said why not. */
int slab_rival_par_open(const char *socket, struct slab_rival *ret);
void slab_rival_par_close(void);

/**
 * slab_rival_dpdk_open() - DPDK's rte_mempool with a cache of its own for each thread
 * @arguments: of its environment, between spaces
 *
 * Return: 0; 1: it is not there, or does not come up: @ret->name says why.
 */
int slab_rival_dpdk_open(const char *arguments, struct slab_rival *ret);
void slab_rival_dpdk_close(void);

int slab_bench_main(int argc, char **argv);
