/* SPDX-License-Identifier: MIT */
/*
 * Owns a heap: its chunks, its arena, and what its constraint means for each allocation.
 *
 * Invariant: whatever the arena hands out meets the constraint, or the request is refused.
 */
#include "heap.h"

#include "macros.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CHUNK_BYTES_DEFAULT (2 * MiB)
#define CHUNK_BYTES_MAX     (64 * GiB)
#define IDLE_MS_DEFAULT     10000

static const struct par_constraint no_constraint;
static const struct par_heap_options no_options;

/* ---- what is asked for ---------------------------------------------------------------------- */

static bool is_power_of_two(uint64_t n)
{
        return n && !(n & (n - 1));
}

static bool is_zero(const uint64_t *words, size_t count)
{
        for (size_t i = 0; i < count; i++)
                if (words[i])
                        return false;
        return true;
}

static int check_constraint(const struct par_constraint *want)
{
        if (want->max_segments > 1)
                return thread_fail(-EINVAL, "max_segments: an allocation is one segment");
        if (want->flags || !is_zero(want->reserved, ARRAY_SIZE(want->reserved)))
                return thread_fail(-EINVAL, "the constraint's flags and reserved are not zero");
        if (want->align && !is_power_of_two(want->align))
                return thread_fail(-EINVAL, "align: %" PRIu64 " is no power of two", want->align);
        if (want->align > CHUNK_BYTES_DEFAULT)
                return thread_fail(-EINVAL, "align: %" PRIu64 " is more than 2 MiB", want->align);
        if (want->boundary && !is_power_of_two(want->boundary))
                return thread_fail(-EINVAL, "boundary: %" PRIu64 " is no power of two",
                                   want->boundary);
        return 0;
}

static int check_options(const struct par_heap_options *options)
{
        if (options->flags || options->reserved_flags ||
            !is_zero(options->reserved, ARRAY_SIZE(options->reserved)))
                return thread_fail(-EINVAL, "the options' flags and reserved are not zero");
        if (options->chunk_bytes > CHUNK_BYTES_MAX)
                return thread_fail(-EINVAL, "chunk_bytes: %" PRIu64 " is more than 64 GiB",
                                   options->chunk_bytes);
        return 0;
}

/* The largest power of two up to @n > 0. */
static uint64_t power_down(uint64_t n)
{
        return UINT64_C(1) << (63 - __builtin_clzll(n));
}

/* Where a segment may end within a chunk; 0: nowhere. */
static uint64_t cut_of(const struct par_constraint *want, uint64_t chunk_bytes)
{
        uint64_t cut = UINT64_MAX;

        if (want->boundary)
                cut = want->boundary;
        if (want->max_segment_bytes && want->max_segment_bytes < cut)
                cut = power_down(want->max_segment_bytes);
        return cut < chunk_bytes ? cut : 0;
}

static uint64_t larger(uint64_t a, uint64_t b)
{
        return a > b ? a : b;
}

/* A chunk is asked for without the limits that its pieces meet by their size and place. */
static void set_limits(struct par_heap *heap, const struct par_constraint *want,
                       const struct par_heap_options *options)
{
        struct chunks *chunks = &heap->chunks;
        uint64_t bytes = options->chunk_bytes ? options->chunk_bytes : CHUNK_BYTES_DEFAULT;

        chunks->chunk_bytes = (bytes + UNIT_BYTES - 1) & ~(uint64_t)(UNIT_BYTES - 1);
        chunks->limit_bytes = options->limit_bytes ? options->limit_bytes : UINT64_MAX;
        chunks->constraint = *want;
        chunks->cut = cut_of(want, chunks->chunk_bytes);
        if (chunks->cut) {
                chunks->constraint.boundary = 0;
                chunks->constraint.max_segment_bytes = 0;
        }
        chunks->constraint.align = larger(larger(want->align, chunks->cut), UNIT_BYTES);
        heap->align_max = (size_t)larger(want->align, PAR_HEAP_ALIGN_MAX);
        heap->align_flag = want->align > 8 ? MALLOCX_LG_ALIGN(__builtin_ctzll(want->align)) : 0;
        heap->size_max = chunks->cut ? (size_t)chunks->cut : SIZE_MAX / 4;
}

/* ---- beginning and end ---------------------------------------------------------------------- */

static int copy_text(const char *text, char **ret)
{
        *ret = text ? strdup(text) : NULL;
        return text && !*ret ? -ENOMEM : 0;
}

static void heap_free(struct par_heap *heap)
{
        chunks_deinit(&heap->chunks);
        free(heap->pool);
        free(heap->label);
        free(heap);
}

DEFINE_CLEANUP(struct par_heap, heap_free)

static int set_options(struct par_heap *heap, const struct par_heap_options *options)
{
        int r;

        r = copy_text(options->pool, &heap->pool);
        if (!r)
                r = copy_text(options->label, &heap->label);
        heap->chunks.options = (struct par_alloc_options){
                .device = options->device,
                .pool = heap->pool,
                .label = heap->label,
                .wait_ms = options->wait_ms,
        };
        return r;
}

static int64_t idle_ms(const struct par_heap_options *options)
{
        if (options->idle_ms == UINT32_MAX)
                return -1;
        return options->idle_ms ? options->idle_ms : IDLE_MS_DEFAULT;
}

static int make_heap(struct par *par, const struct par_constraint *want,
                     const struct par_heap_options *options, struct par_heap **ret)
{
        _cleanup_(heap_freep) struct par_heap *heap = calloc(1, sizeof(*heap));
        int r;

        if (!heap)
                return -ENOMEM;
        chunks_init(&heap->chunks);
        heap->pid = getpid();
        heap->chunks.par = par;
        set_limits(heap, want, options);
        r = set_options(heap, options);
        if (!r)
                r = arena_create(&heap->arena, &heap->chunks, idle_ms(options));
        if (r)
                return r;
        heap->no_cache.flags = (int)MALLOCX_ARENA(heap->arena.index) | MALLOCX_TCACHE_NONE;
        heap_set_classes(heap);
        r = thread_enroll(heap);
        if (r) {
                arena_destroy(&heap->arena);
                return r;
        }
        *ret = STEAL(heap);
        return 0;
}

int par_heap_create(struct par *par, const struct par_constraint *constraint,
                    const struct par_heap_options *options, struct par_heap **ret)
{
        int r;

        if (ret)
                *ret = NULL;
        if (!par || !ret)
                return thread_fail(-EINVAL, "no connection, or no place for the heap");
        if (!constraint)
                constraint = &no_constraint;
        if (!options)
                options = &no_options;
        r = par_fd(par); /* -ECHILD where it is a parent's */
        if (r < 0)
                return thread_fail(r, "%s", par_error(par));
        r = check_constraint(constraint);
        if (!r)
                r = check_options(options);
        if (r)
                return r;
        r = make_heap(par, constraint, options, ret);
        return r ? thread_fail(r, "a heap: %s", par_strerror(r)) : 0;
}

/* The sentence about what was not freed. */
static void tell_leaks(const struct par_heap *heap, uint64_t bytes)
{
        char what[SENTENCE_BYTES - 100];

        arena_describe_live(&heap->arena, what, sizeof(what));
        (void)thread_fail(0, "%s%s%" PRIu64 " bytes were not freed: %s",
                          heap->label ? heap->label : "", heap->label ? ": " : "", bytes, what);
}

uint64_t par_heap_destroy(struct par_heap *heap)
{
        uint64_t bytes;
        int error = errno;

        if (!heap || heap->pid != getpid())
                return 0; /* a child has none of the memory, and the rest is not worth a lock */
        thread_expel(heap);
        bytes = arena_live_bytes(&heap->arena);
        if (bytes)
                tell_leaks(heap, bytes);
        arena_destroy(&heap->arena);
        heap_free(heap);
        errno = error;
        return bytes;
}

/* ---- looking after it ----------------------------------------------------------------------- */

/* As a caller's own cache is emptied, too. */
static int outdate(struct par_heap *heap)
{
        const struct thread_cache *cache;

        thread_outdate(heap);
        return thread_join(heap, &cache);
}

int heap_reclaim(struct par_heap *heap)
{
        int r;

        r = outdate(heap);
        if (!r)
                arena_purge(&heap->arena);
        return r;
}

static uint64_t held(struct chunks *chunks)
{
        uint64_t bytes;

        pthread_mutex_lock(&chunks->lock);
        bytes = chunks->held;
        pthread_mutex_unlock(&chunks->lock);
        return bytes;
}

int par_heap_trim(struct par_heap *heap, uint64_t *ret_bytes)
{
        uint64_t before, after;
        int r;

        if (ret_bytes)
                *ret_bytes = 0;
        if (!heap)
                return thread_fail(-EINVAL, "no heap");
        before = held(&heap->chunks);
        r = heap_reclaim(heap);
        if (r)
                return r;
        after = held(&heap->chunks);
        if (ret_bytes && after < before)
                *ret_bytes = before - after;
        return 0;
}

int par_heap_info(struct par_heap *heap, struct par_heap_info *ret)
{
        struct chunks *chunks;

        if (ret)
                *ret = (struct par_heap_info){ 0 };
        if (!heap || !ret)
                return thread_fail(-EINVAL, "no heap, or no place for its figures");
        if (heap->pid != getpid())
                return thread_fail(-ECHILD, "the heap is that of a parent process");
        chunks = &heap->chunks;
        ret->live_bytes = arena_live_bytes(&heap->arena);
        ret->caches = thread_count(heap);
        pthread_mutex_lock(&chunks->lock);
        ret->held_bytes = chunks->held;
        ret->held_peak_bytes = chunks->peak;
        ret->limit_bytes = chunks->limit_bytes == UINT64_MAX ? 0 : chunks->limit_bytes;
        ret->chunks = chunks->count;
        ret->grown = chunks->grown;
        ret->shrunk = chunks->shrunk;
        ret->refusals = chunks->refusals;
        pthread_mutex_unlock(&chunks->lock);
        return 0;
}

const char *par_heap_error(void)
{
        return thread_sentence();
}
