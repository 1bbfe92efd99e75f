/* SPDX-License-Identifier: MIT */
/*
 * A program that knows nothing of libparheap opens it, uses it in threads that outlive its closing,
 * and opens it again; its malloc() is the C library's all the time.
 *
 *     test_heap_dlopen LIBPARHEAP
 */
#include "macros.h"
#include "pard_fixture.h"
#include "process.h"

#include <dlfcn.h>
#include <par_heap.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* What of the library is used. */
static struct {
        __typeof__(par_heap_create) *create;
        __typeof__(par_heap_destroy) *destroy;
        __typeof__(par_heap_alloc) *alloc;
        __typeof__(par_heap_free) *free;
        __typeof__(par_heap_dma) *dma;
        __typeof__(par_heap_error) *error;
} lib;

static void find(void *library, const char *name, void *ret)
{
        *(void **)ret = dlsym(library, name);
        if (!*(void **)ret)
                die("%s: %s", name, dlerror());
}

static void *open_library(const char *path)
{
        void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);

        if (!library)
                die("%s", dlerror());
        find(library, "par_heap_create", &lib.create);
        find(library, "par_heap_destroy", &lib.destroy);
        find(library, "par_heap_alloc", &lib.alloc);
        find(library, "par_heap_free", &lib.free);
        find(library, "par_heap_dma", &lib.dma);
        find(library, "par_heap_error", &lib.error);
        return library;
}

static void use(struct par_heap *heap)
{
        void *pieces[500];

        for (size_t i = 0; i < ARRAY_SIZE(pieces); i++) {
                size_t size = (size_t)1 << i % 20;

                if (lib.alloc(heap, size, &pieces[i]))
                        die("%zu bytes: %s", size, lib.error());
                if (lib.dma(heap, pieces[i]) == PAR_PHYS_NONE)
                        die("no address");
                memset(pieces[i], 1, size);
        }
        for (size_t i = 0; i < ARRAY_SIZE(pieces); i++)
                lib.free(heap, pieces[i]);
}

/* A thread that ends after the library was closed. */
struct late {
        struct par_heap *heap;
        pthread_barrier_t used, closed;
};

static void *end_late(void *data)
{
        struct late *late = data;

        use(late->heap);
        pthread_barrier_wait(&late->used);
        pthread_barrier_wait(&late->closed);
        return NULL;
}

static void open_use_close(struct par *par, const char *path)
{
        struct par_heap_options options = { .wait_ms = 60000 }; /* for what is on its way back */
        void *library = open_library(path);
        struct late late;
        pthread_t thread;

        if (lib.create(par, NULL, &options, &late.heap))
                die("a heap: %s", lib.error());
        pthread_barrier_init(&late.used, NULL, 2);
        pthread_barrier_init(&late.closed, NULL, 2);
        if (pthread_create(&thread, NULL, end_late, &late))
                die("a thread cannot be had");
        use(late.heap);
        pthread_barrier_wait(&late.used);
        if (lib.destroy(late.heap))
                die("%s", lib.error());
        if (dlclose(library))
                die("%s", dlerror());
        pthread_barrier_wait(&late.closed);
        pthread_join(thread, NULL);
        pthread_barrier_destroy(&late.used);
        pthread_barrier_destroy(&late.closed);
}

static void check_malloc(void)
{
        void *(*mine)(size_t) = malloc;
        Dl_info info;

        if (!dladdr(*(void **)&mine, &info) || !strstr(info.dli_fname, "libc.so"))
                die("malloc() is of %s", info.dli_fname);
        if (dlsym(RTLD_DEFAULT, "mallocx"))
                die("mallocx() is seen by the program");
}

int main(int argc, char **argv)
{
        struct pard_fixture pard;
        struct par *par;

        if (argc != 2)
                die("usage: test_heap_dlopen LIBPARHEAP");
        if (dlsym(RTLD_DEFAULT, "par_heap_create"))
                die("it is there already");
        pard_fixture_start_filled(pard_config_sim, &pard);
        if (par_connect(pard.socket, NULL, &par))
                die("connect: %s", par_error(NULL));
        for (int i = 0; i < 5; i++) {
                open_use_close(par, argv[1]);
                check_malloc();
        }
        par_disconnect(par);
        pard_fixture_stop(&pard);
        return 0;
}
