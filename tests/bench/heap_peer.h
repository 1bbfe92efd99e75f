/* SPDX-License-Identifier: MIT */
/*
 * What par-bench heap compares: an allocator, behind the same calls.
 */
#pragma once

#include <stddef.h>

/**
 * struct heap_peer - an allocator
 * @name:  what it is called by
 * @start: make it ready; a reason why it is not to be had goes to @why, of @room bytes
 * @stop:  undo that; only after it began
 * @alloc, @free: one piece
 * @enter, @leave: a thread begins and ends; may be NULL
 */
struct heap_peer {
        const char *name;
        int (*start)(char *why, size_t room);
        void (*stop)(void);
        void *(*alloc)(size_t size);
        void (*free)(void *pointer);
        int (*enter)(void);
        void (*leave)(void);
};

extern const struct heap_peer heap_peer_par;      /* libparheap, against the pard at $PAR_SOCKET */
extern const struct heap_peer heap_peer_jemalloc; /* malloc() of the system's jemalloc */
extern const struct heap_peer heap_peer_mallocx;  /* its mallocx(), which can be told of an arena */
extern const struct heap_peer heap_peer_glibc;
extern const struct heap_peer heap_peer_dpdk; /* rte_malloc(), where par-bench was built with it */
