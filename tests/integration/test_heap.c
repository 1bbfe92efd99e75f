/* SPDX-License-Identifier: MIT */
/*
 * The DMA heap, call by call: what it refuses and says, what it keeps and gives back, forks, ends
 * of threads, many heaps, and whose malloc() the program has.
 */
#include "macros.h"
#include "pard_fixture.h"
#include "process.h"

#include <dlfcn.h>
#include <errno.h>
#include <par_heap.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static const char config[] =
        "backend = \"sim\"\n"
        "sim { extent \"high\" { first = \"4G\" size = \"1G\" page_size = \"2M\" } }\n"
        "pool \"any\" { size_min = \"64M\" size_max = \"64M\" }\n"
        "pool \"secret\" { size_min = \"4M\" addresses = \"hidden\" }\n";

static struct par *par;

#define CHECK(what)                                                                          \
        do {                                                                                 \
                if (!(what))                                                                 \
                        die("line %d: %s is not so; %s", __LINE__, #what, par_heap_error()); \
        } while (0)

static struct par_heap *make(const struct par_constraint *want,
                             const struct par_heap_options *options)
{
        struct par_heap_options with = options ? *options : (struct par_heap_options){ 0 };
        struct par_heap *heap;

        with.wait_ms = 60000; /* what an earlier heap had may be on its way back */
        if (par_heap_create(par, want, &with, &heap))
                die("a heap: %s", par_heap_error());
        return heap;
}

static struct par_heap_info info_of(struct par_heap *heap)
{
        struct par_heap_info info;

        if (par_heap_info(heap, &info))
                die("info: %s", par_heap_error());
        return info;
}

/* ---- what cannot be ------------------------------------------------------------------------- */

static const struct {
        const char *name;
        struct par_constraint want;
        struct par_heap_options options;
        const char *sentence;
} bad_heaps[] = {
        { "several segments", { .max_segments = 2 }, { 0 }, "max_segments" },
        { "any segments", { .max_segments = PAR_SEGMENTS_ANY }, { 0 }, "max_segments" },
        { "flags of a constraint", { .flags = 1 }, { 0 }, "not zero" },
        { "a constraint's reserved", { .reserved = { 0, 0, 0, 0, 1 } }, { 0 }, "not zero" },
        { "an odd alignment", { .align = 48 }, { 0 }, "48 is no power of two" },
        { "a wide alignment", { .align = 4 * MiB }, { 0 }, "more than 2 MiB" },
        { "an odd boundary", { .boundary = 65537 }, { 0 }, "65537 is no power of two" },
        { "flags", { 0 }, { .flags = 1 }, "not zero" },
        { "reserved flags", { 0 }, { .reserved_flags = 1 }, "not zero" },
        { "reserved", { 0 }, { .reserved = { 0, 0, 0, 0, 0, 0, 0, 1 } }, "not zero" },
        { "vast chunks", { 0 }, { .chunk_bytes = TiB }, "more than 64 GiB" },
};

static void test_heaps_that_cannot_be(void)
{
        struct par_heap *heap;

        for (size_t i = 0; i < ARRAY_SIZE(bad_heaps); i++) {
                heap = (void *)1;
                if (par_heap_create(par, &bad_heaps[i].want, &bad_heaps[i].options, &heap) !=
                            -EINVAL ||
                    heap || !strstr(par_heap_error(), bad_heaps[i].sentence))
                        die("%s: \"%s\"", bad_heaps[i].name, par_heap_error());
        }
        CHECK(par_heap_create(NULL, NULL, NULL, &heap) == -EINVAL && !heap);
        CHECK(par_heap_create(par, NULL, NULL, NULL) == -EINVAL);
}

/* A heap, a request, and what comes of it. */
static const struct {
        const char *name;
        struct par_constraint want;
        struct par_heap_options options;
        size_t align, count, size; /* align, count: 0: not of that kind */
        int result;
        const char *sentence;
} requests[] = {
        { "one byte", { 0 }, { 0 }, 0, 0, 1, 0, NULL },
        { "nothing, which is one byte", { 0 }, { 0 }, 0, 0, 0, 0, NULL },
        { "more than a chunk", { 0 }, { 0 }, 0, 0, 5 * MiB, 0, NULL },
        { "zeroed", { 0 }, { 0 }, 0, 7, 100, 0, NULL },
        { "zeroed, large", { 0 }, { 0 }, 0, 1000, 1000, 0, NULL },
        { "aligned to the most", { 0 }, { 0 }, PAR_HEAP_ALIGN_MAX, 0, 100, 0, NULL },
        { "aligned as the constraint", { .align = MiB }, { 0 }, MiB, 0, 100, 0, NULL },
        { "up to the boundary", { .boundary = MiB }, { 0 }, 0, 0, MiB, 0, NULL },
        { "up to a small boundary", { .boundary = 64 }, { 0 }, 0, 0, 64, 0, NULL },
        { "a small chunk", { 0 }, { .chunk_bytes = 1, .limit_bytes = 65536 }, 0, 0, 9000, 0, NULL },
        { "less than a chunk to have", { 0 }, { .limit_bytes = 100000 }, 0, 0, 9000, 0, NULL },
        { "too large for all",
          { 0 },
          { 0 },
          0,
          0,
          SIZE_MAX / 2,
          -PAR_NEVER_FITS,
          "constraint allows" },
        { "an overflow", { 0 }, { 0 }, 0, 3, SIZE_MAX / 2, -PAR_NEVER_FITS, "more than there are" },
        { "more than a segment",
          { .max_segment_bytes = 5000 },
          { 0 },
          0,
          0,
          4097,
          -PAR_NEVER_FITS,
          "allows 4096" },
        { "above a boundary",
          { .boundary = 512 },
          { 0 },
          0,
          0,
          513,
          -PAR_NEVER_FITS,
          "allows 512" },
        { "above the limit",
          { 0 },
          { .limit_bytes = MiB },
          0,
          0,
          MiB,
          -PAR_QUOTA,
          "limit of 1024 KiB" },
        { "where pard has none",
          { .addr_max = 0xffffffff },
          { 0 },
          0,
          0,
          64,
          -PAR_NEVER_FITS,
          "4 GiB" },
        { "more than pard has", { 0 }, { 0 }, 0, 0, 128 * MiB, -PAR_NEVER_FITS, "MiB" },
        { "of a pool that is not there",
          { 0 },
          { .pool = "none" },
          0,
          0,
          64,
          -PAR_INVALID,
          "none" },
        { "oddly aligned", { 0 }, { 0 }, 48, 0, 64, -EINVAL, "48 is no power of two" },
        { "too widely aligned", { 0 }, { 0 }, 2 * MiB, 0, 64, -EINVAL, "up to 65536" },
};

static int request(struct par_heap *heap, size_t i, void **ret)
{
        if (requests[i].align)
                return par_heap_alloc_aligned(heap, requests[i].align, requests[i].size, ret);
        if (requests[i].count)
                return par_heap_alloc_zeroed(heap, requests[i].count, requests[i].size, ret);
        return par_heap_alloc(heap, requests[i].size, ret);
}

static void test_requests(void)
{
        for (size_t i = 0; i < ARRAY_SIZE(requests); i++) {
                struct par_heap *heap = make(&requests[i].want, &requests[i].options);
                void *at = (void *)1;
                int r = request(heap, i, &at);

                if (r != requests[i].result)
                        die("%s: %s: %s", requests[i].name, par_strerror(r), par_heap_error());
                if (r && (at || !strstr(par_heap_error(), requests[i].sentence)))
                        die("%s: %p, \"%s\"", requests[i].name, at, par_heap_error());
                if (!r && (par_heap_usable_size(heap, at) < requests[i].size ||
                           par_heap_dma(heap, at) == PAR_PHYS_NONE))
                        die("%s: %zu bytes", requests[i].name, par_heap_usable_size(heap, at));
                if (!r)
                        memset(at, 0xff, requests[i].size);
                par_heap_free(heap, at);
                if (par_heap_destroy(heap))
                        die("%s: %s", requests[i].name, par_heap_error());
        }
}

static void test_nothing(void)
{
        struct par_heap *heap = make(NULL, NULL);
        struct par_heap_info info;
        void *at = (void *)1;

        CHECK(par_heap_alloc(NULL, 1, &at) == -EINVAL);
        CHECK(par_heap_alloc(heap, 1, NULL) == -EINVAL);
        CHECK(par_heap_alloc_zeroed(heap, 1, 1, NULL) == -EINVAL);
        CHECK(par_heap_alloc_aligned(heap, 8, 1, NULL) == -EINVAL);
        CHECK(par_heap_resize(NULL, NULL, 1, &at) == -EINVAL);
        CHECK(par_heap_trim(NULL, NULL) == -EINVAL);
        CHECK(par_heap_info(NULL, &info) == -EINVAL && par_heap_info(heap, NULL) == -EINVAL);
        CHECK(par_heap_usable_size(heap, NULL) == 0 && par_heap_usable_size(NULL, heap) == 0);
        CHECK(par_heap_dma(heap, NULL) == PAR_PHYS_NONE &&
              par_heap_dma(NULL, &at) == PAR_PHYS_NONE);
        CHECK(par_heap_dma(heap, &at) == PAR_PHYS_NONE);
        par_heap_free(heap, NULL);
        par_heap_free(NULL, NULL);
        CHECK(par_heap_destroy(NULL) == 0);
        CHECK(par_heap_destroy(heap) == 0);
}

/* As the C library's, with its errno. */
static void test_names_of_the_c_library(void)
{
        struct par_heap *heap = make(NULL, NULL);
        void *at;

        CHECK((at = par_heap_memalign(heap, 8192, 100)) && (uintptr_t)at % 8192 == 0);
        par_heap_free(heap, at);
        errno = 0;
        CHECK(!par_heap_memalign(heap, 24, 100) && errno == EINVAL);
        errno = 0;
        CHECK(!par_heap_calloc(heap, SIZE_MAX / 2, 3) && errno != 0);
        CHECK((at = par_heap_malloc(heap, 100)));
        errno = 0;
        CHECK(!par_heap_realloc(heap, at, SIZE_MAX / 2) && errno == ENOMEM);
        par_heap_free(heap, at);
        CHECK(par_heap_destroy(heap) == 0);
}

/* ---- what it keeps and gives back ----------------------------------------------------------- */

static void test_dirty_memory_is_zeroed(void)
{
        static const size_t sizes[] = { 24, 3000, 20000, 300000, 3000000 };
        struct par_heap *heap = make(NULL, NULL);
        unsigned char *at;

        for (size_t i = 0; i < ARRAY_SIZE(sizes) * 20; i++) {
                size_t size = sizes[i % ARRAY_SIZE(sizes)];

                CHECK((at = par_heap_calloc(heap, 1, size)));
                CHECK(at[0] == 0 && memcmp(at, at + 1, size - 1) == 0);
                memset(at, 0xa5, size);
                par_heap_free(heap, at);
                if (i % 7 == 0)
                        CHECK(par_heap_trim(heap, NULL) == 0);
        }
        CHECK(par_heap_destroy(heap) == 0);
}

static void test_trimming_gives_all_back(void)
{
        struct par_heap *heap = make(NULL, NULL);
        void *pieces[300];
        uint64_t bytes;

        CHECK(info_of(heap).held_bytes == 0);
        for (size_t i = 0; i < ARRAY_SIZE(pieces); i++)
                CHECK((pieces[i] = par_heap_malloc(heap, (size_t)64 << i % 12)));
        CHECK(info_of(heap).live_bytes >= 300 * 64 && info_of(heap).chunks > 0);
        for (size_t i = 0; i < ARRAY_SIZE(pieces); i++)
                par_heap_free(heap, pieces[i]);
        CHECK(info_of(heap).held_bytes > 0); /* for the next ones */
        CHECK(par_heap_trim(heap, &bytes) == 0 && bytes > 0);
        CHECK(info_of(heap).held_bytes == 0 && info_of(heap).live_bytes == 0);
        CHECK(info_of(heap).grown == info_of(heap).shrunk &&
              info_of(heap).held_peak_bytes == bytes);
        CHECK(par_heap_destroy(heap) == 0);
}

/* What is idle goes back while the heap is used, without anybody asking for it. */
static void test_idle_memory_goes_back(void)
{
        struct par_heap_options options = { .idle_ms = 1 };
        struct par_heap *heap = make(NULL, &options);
        void *at, *pieces[8];

        for (size_t i = 0; i < ARRAY_SIZE(pieces); i++)
                CHECK((pieces[i] = par_heap_malloc(heap, 1900000)));
        CHECK(info_of(heap).chunks == ARRAY_SIZE(pieces));
        for (size_t i = 0; i < ARRAY_SIZE(pieces); i++)
                par_heap_free(heap, pieces[i]);
        while (info_of(heap).chunks > 1) { /* however long that takes here */
                usleep(1000);
                CHECK((at = par_heap_malloc(heap, 1900000)));
                par_heap_free(heap, at);
        }
        CHECK(par_heap_destroy(heap) == 0);
}

/* What one thread keeps is had by another one that would be refused otherwise. */
static void test_limit_counts_what_is_cached(void)
{
        struct par_heap_options options = { .limit_bytes = 2 * MiB };
        struct par_heap *heap = make(NULL, &options);
        void *small[100], *large;

        for (size_t i = 0; i < ARRAY_SIZE(small); i++)
                CHECK((small[i] = par_heap_malloc(heap, 10000)));
        CHECK(!par_heap_malloc(heap, 1500000) && errno == ENOMEM);
        CHECK(strstr(par_heap_error(), "limit of 2048 KiB"));
        for (size_t i = 0; i < ARRAY_SIZE(small); i++)
                par_heap_free(heap, small[i]);
        CHECK((large = par_heap_malloc(heap, 1500000)));
        CHECK(info_of(heap).refusals > 0 && info_of(heap).held_peak_bytes <= 2 * MiB);
        par_heap_free(heap, large);
        CHECK(par_heap_destroy(heap) == 0);
}

static void test_leaks_are_told(void)
{
        struct par_heap_options options = { .label = "rx" };
        struct par_heap *heap = make(NULL, &options);
        void *freed;

        CHECK(par_heap_malloc(heap, 60) && par_heap_malloc(heap, 64) &&
              par_heap_malloc(heap, 20000));
        CHECK((freed = par_heap_malloc(heap, 64)));
        par_heap_free(heap, freed);
        CHECK(par_heap_destroy(heap) == 64 + 64 + 20480);
        CHECK(strcmp(par_heap_error(),
                     "rx: 20608 bytes were not freed: 2 of 64 bytes, 1 of 20480 bytes") == 0);
}

static void test_resizing_keeps_what_is_there(void)
{
        struct par_heap *heap = make(NULL, NULL);
        unsigned char *at = NULL;
        size_t size = 1;

        for (; size < 4 * MiB; size = size * 3 + 1) {
                CHECK((at = par_heap_realloc(heap, at, size)));
                for (size_t i = 0; i < size / 3; i += 997)
                        CHECK(at[i] == (unsigned char)i);
                for (size_t i = 0; i < size; i++)
                        at[i] = (unsigned char)i;
        }
        CHECK(!par_heap_realloc(heap, at, 200 * MiB) && errno == ENOMEM);
        CHECK(at[1000] == (unsigned char)1000); /* it is as it was */
        CHECK((at = par_heap_realloc(heap, at, 2000)) && at[1999] == (unsigned char)1999);
        par_heap_free(heap, at);
        CHECK(par_heap_destroy(heap) == 0);
}

static void test_hidden_addresses(void)
{
        struct par_heap_options options = { .pool = "secret" };
        struct par_heap *heap = make(NULL, &options);
        void *at = par_heap_malloc(heap, 100);

        CHECK(at && par_heap_dma(heap, at) == PAR_PHYS_NONE);
        par_heap_free(heap, at);
        CHECK(par_heap_destroy(heap) == 0);
}

/* ---- what the allocator remembers ----------------------------------------------------------- */

/* What was freed counts as allocated as long as a thread's cache has it. */
static void test_caches_keep_up_to_a_mebibyte(void)
{
        struct par_heap_options options = { .idle_ms = UINT32_MAX };
        struct par_heap *heap = make(NULL, &options);
        void *at;

        for (size_t size = 16; size <= MiB; size *= 4) {
                CHECK((at = par_heap_malloc(heap, size)));
                par_heap_free(heap, at);
                CHECK(info_of(heap).live_bytes >= size);
                CHECK(par_heap_malloc(heap, size) == at);
                par_heap_free(heap, at);
                CHECK(par_heap_trim(heap, NULL) == 0 && info_of(heap).live_bytes == 0);
        }
        CHECK((at = par_heap_malloc(heap, MiB + 1)));
        par_heap_free(heap, at);
        CHECK(info_of(heap).live_bytes == 0);
        CHECK(par_heap_destroy(heap) == 0);
}

/* Where the heap's one chunk of 2 MiB begins. */
static char *chunk_of(const struct par_heap *heap, const void *piece)
{
        char *at = (char *)((uintptr_t)piece & ~(uintptr_t)65535);

        while (par_heap_dma(heap, at - 65536) != PAR_PHYS_NONE)
                at -= 65536;
        return at;
}

/* A device that writes all over a chunk spoils what is in it, and not the heap. */
static void test_nothing_is_remembered_in_it(void)
{
        struct par_heap *heap = make(NULL, NULL);
        void *pieces[200], *at;

        for (int round = 0; round < 20; round++) {
                for (size_t i = 0; i < ARRAY_SIZE(pieces); i++)
                        CHECK((pieces[i] = par_heap_malloc(heap, (size_t)8 << i % 11)));
                CHECK((at = par_heap_malloc(heap, 100000)));
                for (size_t i = 0; i < ARRAY_SIZE(pieces); i += 2)
                        par_heap_free(heap, pieces[i]);
                CHECK(info_of(heap).chunks == 1);
                memset(chunk_of(heap, at), 0xff - round, 2 * MiB);
                for (size_t i = 1; i < ARRAY_SIZE(pieces); i += 2)
                        par_heap_free(heap, pieces[i]);
                CHECK((at = par_heap_realloc(heap, at, 150000)));
                par_heap_free(heap, at);
                if (round % 3 == 0)
                        CHECK(par_heap_trim(heap, NULL) == 0 && info_of(heap).held_bytes == 0);
        }
        CHECK(par_heap_destroy(heap) == 0);
}

/* ---- threads, heaps, processes -------------------------------------------------------------- */

static void *use_and_end(void *data)
{
        void *pieces[200];

        for (size_t i = 0; i < ARRAY_SIZE(pieces); i++)
                CHECK((pieces[i] = par_heap_malloc(data, 100 + i * 50)));
        for (size_t i = 0; i < ARRAY_SIZE(pieces); i++)
                par_heap_free(data, pieces[i]);
        return NULL;
}

/* What a thread kept is not lost with it. */
static void test_threads_that_end_give_back(void)
{
        struct par_heap *heap = make(NULL, NULL);
        pthread_t thread;

        for (int i = 0; i < 50; i++) {
                CHECK(pthread_create(&thread, NULL, use_and_end, heap) == 0);
                CHECK(pthread_join(thread, NULL) == 0);
        }
        CHECK(info_of(heap).live_bytes == 0 && info_of(heap).caches == 0);
        CHECK(par_heap_trim(heap, NULL) == 0 && info_of(heap).held_bytes == 0);
        CHECK(par_heap_destroy(heap) == 0);
}

static void check_whose(struct par_heap *heap, struct par_heap *other)
{
        void *at;

        CHECK((at = par_heap_malloc(heap, 100)));
        CHECK(par_heap_dma(heap, at) != PAR_PHYS_NONE);
        CHECK(par_heap_dma(other, at) == PAR_PHYS_NONE);
        par_heap_free(heap, at);
}

/* More than slots and numbers that are never used again would allow. */
static void test_many_heaps(void)
{
        struct par_heap *heaps[10];

        for (int round = 0; round < 420; round++) {
                for (size_t i = 0; i < ARRAY_SIZE(heaps); i++)
                        heaps[i] = make(NULL, NULL);
                if (round % 10 == 0)
                        check_whose(heaps[round % 9], heaps[9]);
                for (size_t i = 0; i < ARRAY_SIZE(heaps); i++)
                        CHECK(par_heap_destroy(heaps[i]) == 0);
        }
}

static void be_a_child(struct par_heap *heap, void *piece, const char *socket)
{
        struct par_heap_info info;
        void *at = (void *)1;

        CHECK(par_heap_alloc(heap, 64, &at) == -ECHILD && !at);
        CHECK(strstr(par_heap_error(), "parent"));
        CHECK(!par_heap_malloc(heap, 64) && errno == ECHILD);
        CHECK(par_heap_resize(heap, piece, 64, &at) == -ECHILD);
        CHECK(par_heap_trim(heap, NULL) == -ECHILD && par_heap_info(heap, &info) == -ECHILD);
        par_heap_free(heap, piece);
        CHECK(par_heap_destroy(heap) == 0);
        CHECK(par_heap_create(par, NULL, NULL, &heap) == -ECHILD && !heap);
        par_disconnect(par);

        if (par_connect(socket, NULL, &par))
                die("a child cannot connect: %s", par_error(NULL));
        heap = make(NULL, NULL);
        use_and_end(heap);
        CHECK(par_heap_destroy(heap) == 0);
        par_disconnect(par);
        _exit(0);
}

static void test_fork(const char *socket)
{
        struct par_heap *heap = make(NULL, NULL);
        char *piece = par_heap_malloc(heap, 64);
        int status;
        pid_t pid;

        CHECK(piece && strcpy(piece, "mine"));
        fflush(NULL);
        pid = fork();
        if (pid == 0)
                be_a_child(heap, piece, socket);
        CHECK(pid > 0 && waitpid(pid, &status, 0) == pid && status == 0);
        CHECK(strcmp(piece, "mine") == 0);
        par_heap_free(heap, piece);
        CHECK(par_heap_destroy(heap) == 0);
}

/* The program has the C library's malloc(), also for what others of its libraries allocate. */
static void test_whose_malloc(void)
{
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
        void *(*mine)(size_t) = malloc;
        Dl_info info;

        CHECK(dladdr(*(void **)&mine, &info) && strstr(info.dli_fname, "libc.so"));
        CHECK(dladdr(dlsym(RTLD_DEFAULT, "free"), &info) && strstr(info.dli_fname, "libc.so"));
        CHECK(!dlsym(RTLD_DEFAULT, "mallocx") && !dlsym(RTLD_DEFAULT, "mallctl"));
#endif
}

int main(void)
{
        struct pard_fixture pard;

        pard_fixture_start_filled(config, &pard);
        if (par_connect(pard.socket, NULL, &par))
                die("connect: %s", par_error(NULL));
        test_heaps_that_cannot_be();
        test_requests();
        test_nothing();
        test_names_of_the_c_library();
        test_dirty_memory_is_zeroed();
        test_trimming_gives_all_back();
        test_idle_memory_goes_back();
        test_limit_counts_what_is_cached();
        test_leaks_are_told();
        test_resizing_keeps_what_is_there();
        test_hidden_addresses();
        test_caches_keep_up_to_a_mebibyte();
        test_nothing_is_remembered_in_it();
        test_threads_that_end_give_back();
        test_many_heaps();
        test_fork(pard.socket);
        test_whose_malloc();
        par_disconnect(par);
        pard_fixture_stop(&pard);
        return 0;
}
