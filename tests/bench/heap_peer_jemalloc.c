/* SPDX-License-Identifier: MIT */
/*
 * The system's jemalloc as a program has it that is linked with it. In a shared library of its own:
 * the program finds malloc() in the C library, which it names itself, before it comes to this one's
 * libraries.
 */
#include "heap_peer.h"

#include <dlfcn.h>
#include <errno.h>
#include <jemalloc/jemalloc.h>
#include <stdio.h>
#include <stdlib.h>

static void *library;
static void *(*its_malloc)(size_t size);
static void (*its_free)(void *pointer);

/* ISO C has no way from an object's address to a function's but this one. */
static void find(const char *name, void *ret)
{
        *(void **)ret = dlsym(library, name);
}

static int start(char *why, size_t room)
{
        library = dlopen("libjemalloc.so.2", RTLD_NOW | RTLD_NOLOAD);
        if (library) {
                find("malloc", &its_malloc);
                find("free", &its_free);
        }
        if (library && its_malloc != malloc)
                return 0;
        snprintf(why, room, library ? "it is the program's malloc()" : "it is not loaded");
        return -ENOENT;
}

static void stop(void)
{
        dlclose(library);
}

static void *alloc_one(size_t size)
{
        return its_malloc(size);
}

static void free_one(void *pointer)
{
        its_free(pointer);
}

__attribute__((__visibility__("default"))) const struct heap_peer heap_peer_jemalloc = {
        .name = "jemalloc",
        .start = start,
        .stop = stop,
        .alloc = alloc_one,
        .free = free_one,
};

static int start_x(char *why, size_t room)
{
        (void)why;
        (void)room;
        return 0;
}

static void stop_x(void)
{
}

static void *alloc_x(size_t size)
{
        return mallocx(size, 0);
}

static void free_x(void *pointer)
{
        dallocx(pointer, 0);
}

__attribute__((__visibility__("default"))) const struct heap_peer heap_peer_mallocx = {
        .name = "mallocx",
        .start = start_x,
        .stop = stop_x,
        .alloc = alloc_x,
        .free = free_x,
};
