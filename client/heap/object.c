/* SPDX-License-Identifier: MIT */
/*
 * Allocating and freeing: the quick path, which has no lock and no system call.
 *
 * Invariant: under a boundary an allocation of more than a page is a power of two on a multiple of
 * itself; up to a page a power of two is that anyway, since jemalloc's pages of such pieces are one
 * page long. Refuses to hand out memory that the constraint does not allow.
 */
#include "heap.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#define likely(x)   __builtin_expect(!!(x), 1)
#define unlikely(x) __builtin_expect(!!(x), 0)

/* This thread's cache of the heap. Return: 0; -ECHILD. */
static inline int cache_of(struct par_heap *heap, const struct thread_cache **ret)
{
        if (likely(heap->slot < thread_view.count)) {
                *ret = &thread_view.caches[heap->slot];
                if (likely((*ret)->epoch ==
                           atomic_load_explicit(&heap->epoch, memory_order_relaxed)))
                        return 0;
        }
        return thread_join(heap, ret);
}

/* This thread's magazine of a class, if this is the heap that it used last: the quick way. */
static inline struct magazine *magazine_of(const struct par_heap *heap, unsigned class)
{
        if (unlikely(thread_view.epoch != atomic_load_explicit(&heap->epoch, memory_order_relaxed)))
                return NULL;
        return &thread_view.magazines->of[class];
}

/* From now on that of @cache is. A thread without a cache has one that is empty and full. */
static struct magazine *turn_to(const struct thread_cache *cache, unsigned class)
{
        static struct magazine none;

        thread_view.epoch = cache->epoch;
        thread_view.magazines = cache->magazines;
        return cache->magazines ? &cache->magazines->of[class] : &none;
}

/* ---- what is asked of the allocator --------------------------------------------------------- */

static uint64_t power_up(uint64_t n)
{
        return n <= 1 ? 1 : UINT64_C(1) << (64 - __builtin_clzll(n - 1));
}

/**
 * shape() - size and alignment under the constraint
 * @size:  in bytes; changed to what is to be asked for
 * @align: power of two, or 0
 *
 * Return: the allocator's flag for the alignment; negative: refused, the sentence is set.
 */
static int shape(const struct par_heap *heap, size_t *size, size_t align)
{
        int flag = heap->align_flag, flag_of_align;

        if (*size > heap->size_max)
                return thread_fail(-PAR_NEVER_FITS,
                                   "%zu bytes in one segment: the heap's constraint allows %zu",
                                   *size, heap->size_max);
        *size += !*size;
        if (heap->chunks.cut) {
                *size = (size_t)power_up(*size);
                if (*size > PAGE_BYTES && *size > align)
                        align = *size;
        }
        flag_of_align = align > 8 ? MALLOCX_LG_ALIGN(__builtin_ctzll(align)) : 0;
        return flag > flag_of_align ? flag : flag_of_align;
}

void heap_set_classes(struct par_heap *heap)
{
        for (size_t asked = 0; asked <= MAGAZINE_SIZE_MAX; asked += MAGAZINE_STEP) {
                size_t size = asked;
                int flag;

                if (asked > heap->size_max) {
                        magazine_classes_add(&heap->classes, asked, 0);
                        continue;
                }
                flag = shape(heap, &size, 0);
                magazine_classes_add(&heap->classes, asked, nallocx(size, flag));
        }
}

/* With what is asked for and what is unused given back first, once more; then why not. */
static __attribute__((__noinline__)) int try_again(struct par_heap *heap, void *pointer,
                                                   size_t size, int flags, void **ret)
{
        int r;

        r = heap_reclaim(heap);
        if (r)
                return r;
        thread_forget();
        *ret = pointer ? rallocx(pointer, size, flags) : mallocx(size, flags);
        if (*ret)
                return 0;
        r = thread_why();
        return r ? r : thread_fail(-ENOMEM, "no memory for what the heap has to remember");
}

/* ---- of which class a piece is --------------------------------------------------------------- */

/* The class of the pieces that begin in the page of this one. */
static inline _Atomic uint8_t *kind_of(const struct par_heap *heap, const void *pointer)
{
        const struct unit *unit = addresses_find(&heap->chunks.addresses, pointer);

        assert(unit); /* not of this heap */
        return (_Atomic uint8_t *)(atomic_load_explicit(&unit->kinds, memory_order_relaxed) +
                                   (uintptr_t)pointer / PAGE_BYTES);
}

static inline void set_kind(const struct par_heap *heap, const void *pointer, unsigned class)
{
        atomic_store_explicit(kind_of(heap, pointer), (uint8_t) class, memory_order_relaxed);
}

/*
 * What begins in a page is all of one size as long as any piece of it is allocated. So whatever
 * comes from the allocator says so anew, and when it is freed, that still holds.
 */
static void learn_kind(const struct par_heap *heap, const void *pointer)
{
        size_t size = sallocx(pointer, 0);
        unsigned class = magazine_class(&heap->classes, size);

        set_kind(heap, pointer, heap->classes.size[class] == size ? class : MAGAZINE_NONE);
}

/* Of the allocator. @more: its flags in addition. */
static int allocate(struct par_heap *heap, const struct thread_cache *cache, size_t size,
                    size_t align, int more, void **ret)
{
        int flags, r;

        flags = shape(heap, &size, align);
        if (flags < 0)
                return flags;
        flags |= cache->flags | more;
        *ret = mallocx(size, flags);
        r = likely(*ret) ? 0 : try_again(heap, NULL, size, flags, ret);
        if (!r)
                learn_kind(heap, *ret);
        return r;
}

static int begin(struct par_heap *heap, const struct thread_cache **ret_cache, void **ret)
{
        if (unlikely(!heap || !ret))
                return thread_fail(-EINVAL, "no heap, or no place for the memory");
        *ret = NULL;
        return cache_of(heap, ret_cache);
}

/* What the quick path has not: the magazine is empty, or not at hand, or there is none. */
static __attribute__((__noinline__)) int alloc_slowly(struct par_heap *heap, size_t size,
                                                      void **ret)
{
        const struct thread_cache *cache;
        struct magazine *magazine;
        unsigned class;
        int r;

        r = begin(heap, &cache, ret);
        if (r)
                return r;
        class = magazine_class(&heap->classes, size);
        magazine = turn_to(cache, class);
        if (magazine->top == magazine->bottom) {
                magazine_fill(magazine, heap->classes.size[class], cache->flags | heap->align_flag);
                for (void **piece = magazine->bottom; piece < magazine->top; piece++)
                        set_kind(heap, *piece, class);
        }
        if (magazine->top == magazine->bottom)
                return allocate(heap, cache, size, 0, 0, ret);
        *ret = *--magazine->top;
        return 0;
}

/* A piece of the magazine that is at hand; NULL where it has none. */
static inline void *alloc_quickly(struct par_heap *heap, size_t size)
{
        struct magazine *magazine;

        magazine = likely(heap) ? magazine_of(heap, magazine_class(&heap->classes, size)) : NULL;
        if (unlikely(!magazine || magazine->top == magazine->bottom))
                return NULL;
        return *--magazine->top;
}

int par_heap_alloc(struct par_heap *heap, size_t size, void **ret)
{
        void *piece = likely(ret) ? alloc_quickly(heap, size) : NULL;

        if (unlikely(!piece))
                return alloc_slowly(heap, size, ret);
        *ret = piece;
        return 0;
}

/* Apart, so that the quick path needs no place for a result. */
static __attribute__((__noinline__)) void *malloc_slowly(struct par_heap *heap, size_t size)
{
        void *piece = NULL;
        int r;

        r = alloc_slowly(heap, size, &piece);
        if (r)
                errno = r <= -PAR_NEVER_FITS ? ENOMEM : -r;
        return piece;
}

void *par_heap_malloc(struct par_heap *heap, size_t size)
{
        void *piece = alloc_quickly(heap, size);

        return likely(piece) ? piece : malloc_slowly(heap, size);
}

int par_heap_alloc_zeroed(struct par_heap *heap, size_t count, size_t size, void **ret)
{
        const struct thread_cache *cache;
        size_t bytes;
        int r;

        r = begin(heap, &cache, ret);
        if (r)
                return r;
        if (__builtin_mul_overflow(count, size, &bytes))
                return thread_fail(-PAR_NEVER_FITS, "%zu times %zu bytes: more than there are",
                                   count, size);
        if (bytes > MAGAZINE_SIZE_MAX) /* the allocator may know that it is zero already */
                return allocate(heap, cache, bytes, 0, MALLOCX_ZERO, ret);
        r = par_heap_alloc(heap, bytes, ret);
        if (!r)
                memset(*ret, 0, bytes);
        return r;
}

int par_heap_alloc_aligned(struct par_heap *heap, size_t align, size_t size, void **ret)
{
        const struct thread_cache *cache;
        int r;

        r = begin(heap, &cache, ret);
        if (r)
                return r;
        if (!align || align & (align - 1) || align > heap->align_max)
                return thread_fail(-EINVAL, "align: %zu is no power of two up to %zu", align,
                                   heap->align_max);
        return allocate(heap, cache, size, align, 0, ret);
}

int par_heap_resize(struct par_heap *heap, void *pointer, size_t size, void **ret)
{
        const struct thread_cache *cache;
        int flags, r;

        if (!pointer)
                return par_heap_alloc(heap, size, ret);
        r = begin(heap, &cache, ret);
        if (r)
                return r;
        flags = shape(heap, &size, 0);
        if (flags < 0)
                return flags;
        flags |= cache->flags;
        *ret = rallocx(pointer, size, flags);
        r = *ret ? 0 : try_again(heap, pointer, size, flags, ret);
        if (!r)
                learn_kind(heap, *ret);
        return r;
}

/* Where the magazine of its class is full, or not at hand, or there is none. */
static __attribute__((__noinline__)) void free_slowly(struct par_heap *heap, void *pointer,
                                                      unsigned class)
{
        const struct thread_cache *cache;
        struct magazine *magazine;

        if (cache_of(heap, &cache))
                return;
        magazine = turn_to(cache, class);
        if (magazine->top == magazine->full)
                magazine_drain(magazine, cache->flags);
        if (magazine->top == magazine->full)
                dallocx(pointer, cache->flags);
        else
                *magazine->top++ = pointer;
}

void par_heap_free(struct par_heap *heap, void *pointer)
{
        struct magazine *magazine;
        unsigned class;

        if (unlikely(!pointer || !heap))
                return;
        class = atomic_load_explicit(kind_of(heap, pointer), memory_order_relaxed);
        magazine = magazine_of(heap, class);
        if (unlikely(!magazine || magazine->top == magazine->full))
                free_slowly(heap, pointer, class);
        else
                *magazine->top++ = pointer;
}

/* ---- what there is -------------------------------------------------------------------------- */

size_t par_heap_usable_size(const struct par_heap *heap, const void *pointer)
{
        size_t size, part;

        if (!heap || !pointer)
                return 0;
        size = sallocx(pointer, 0);
        if (!heap->chunks.cut)
                return size;
        /* Its last pages may lie beyond a boundary. */
        part = (size_t)heap->chunks.cut - ((uintptr_t)pointer & (heap->chunks.cut - 1));
        return size < part ? size : part;
}

uint64_t par_heap_dma(const struct par_heap *heap, const void *pointer)
{
        const struct unit *unit = heap ? addresses_find(&heap->chunks.addresses, pointer) : NULL;
        uint64_t delta;

        if (!unit)
                return PAR_PHYS_NONE;
        delta = atomic_load_explicit(&unit->delta, memory_order_relaxed);
        return delta == DELTA_NONE ? PAR_PHYS_NONE : delta + (uintptr_t)pointer;
}
