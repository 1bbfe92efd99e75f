/* SPDX-License-Identifier: MIT */
/* Owns the heap that is measured, and its connection. */
#include "heap_peer.h"

#include <par_heap.h>
#include <stdio.h>
#include <stdlib.h>

static struct par *par;
static struct par_heap *heap;

static int par_start(char *why, size_t room)
{
        int r;

        r = par_connect(NULL, NULL, &par);
        if (r) {
                snprintf(why, room, "%s", par_error(NULL));
                return r;
        }
        r = par_heap_create(par, NULL, NULL, &heap);
        if (r) {
                snprintf(why, room, "%s", par_heap_error());
                par_disconnect(par);
        }
        return r;
}

static void par_stop(void)
{
        par_heap_destroy(heap);
        par_disconnect(par);
}

static void *par_alloc_one(size_t size)
{
        return par_heap_malloc(heap, size);
}

static void par_free_one(void *pointer)
{
        par_heap_free(heap, pointer);
}

const struct heap_peer heap_peer_par = {
        .name = "par_heap",
        .start = par_start,
        .stop = par_stop,
        .alloc = par_alloc_one,
        .free = par_free_one,
};

static int nothing_to_start(char *why, size_t room)
{
        (void)why;
        (void)room;
        return 0;
}

static void nothing_to_stop(void)
{
}

const struct heap_peer heap_peer_glibc = {
        .name = "glibc",
        .start = nothing_to_start,
        .stop = nothing_to_stop,
        .alloc = malloc,
        .free = free,
};
