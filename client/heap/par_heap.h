/* SPDX-License-Identifier: MIT */
/*
 * par_heap.h - malloc() and free() in memory that your device can really address
 *
 * par_alloc() asks the daemon for each buffer. A heap asks it for chunks, and hands out pieces of
 * any size in nanoseconds: packets, commands, descriptors.
 *
 *     struct par_heap *heap;
 *     void *packet;
 *
 *     r = par_heap_create(par, &want, NULL, &heap);
 *     r = par_heap_alloc(heap, 1500, &packet);
 *     program_the_device(par_heap_dma(heap, packet));
 *     par_heap_free(heap, packet);
 *
 * Every allocation is contiguous for the device, within the limits of the heap's constraint, and
 * has one dma address for its first byte. Its memory is the device's alone: what the heap has to
 * remember is kept elsewhere, so that a wild DMA does not reach it.
 *
 * Results. Every int is 0 or negative, as in par.h; par_heap_error() then has a sentence. Outputs
 * are NULL or 0 on failure. The functions that look like malloc() return NULL and set errno.
 *
 * Threads. Several threads may share a heap. Each keeps a cache of what it freed, up to 1 MiB a
 * piece, and gives it back when it ends. The library has no thread of its own and installs no
 * signal handler; a signal handler must not call it.
 *
 * fork. A child has neither the heap's memory nor the heap: calls return -ECHILD, and what it
 * frees is ignored.
 *
 * Loading. The library takes nobody's malloc() over. It is not unloaded by dlclose(). dlopen() may
 * need room that a program has to set aside when it starts: see par_heap(3).
 */
#ifndef PAR_HEAP_H
#define PAR_HEAP_H

#include <errno.h>
#include <par.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Any heap aligns to as much as this; to more where its constraint says so. */
#define PAR_HEAP_ALIGN_MAX UINT64_C(65536)

struct par_heap; /* memory of any size under one constraint */

/**
 * struct par_heap_options - the rest of a heap; NULL is the same as all zero
 * @device:      whose limits apply in addition; borrowed until par_heap_destroy(). NULL: none
 * @pool:        only this pool; copied. NULL: pard chooses
 * @label:       shown to administrators, at most 63 bytes of UTF-8; copied. NULL: none
 * @limit_bytes: most that the heap holds of pard's memory; 0: no limit of its own
 * @chunk_bytes: how much it asks pard for at a time, in bytes; rounded up to a multiple of 64 KiB.
 *               0: 2 MiB. What pard refuses is asked for again, with less
 * @idle_ms:     after how long the heap begins to give back what it does not use, in milliseconds;
 *               0: 10,000; UINT32_MAX: never. Time is looked at when the heap is used
 * @wait_ms:     as of struct par_alloc_options, where not even what is needed is to be had at once
 * @flags:       0
 * @reserved:    zero
 */
struct par_heap_options {
        const struct par_device *device;
        const char *pool, *label;
        uint64_t limit_bytes, chunk_bytes;
        uint32_t idle_ms;
        int32_t wait_ms;
        uint32_t flags, reserved_flags;
        uint64_t reserved[8];
};

/**
 * struct par_heap_info - figures of a heap, as they are at one moment
 * @live_bytes:  allocated and not freed, as large as they really are; with what the caches of
 *               threads keep
 * @held_bytes:  of pard's
 * @held_peak_bytes: the most that this ever was
 * @limit_bytes: of the options; 0: none
 * @chunks:      buffers of pard's
 * @grown, @shrunk: how many buffers were ever taken, and given back
 * @refusals:    how often memory that was needed was not to be had
 * @caches:      threads that have a cache
 * @reserved:    0
 */
struct par_heap_info {
        uint64_t live_bytes, held_bytes, held_peak_bytes, limit_bytes;
        uint64_t chunks, grown, shrunk, refusals, caches;
        uint64_t reserved[7];
};

/**
 * par_heap_create() - a heap
 * @par:        connection; borrowed until par_heap_destroy()
 * @constraint: what holds for each allocation; NULL: as all zero. Each is one segment:
 *              max_segments is 0 or 1
 * @options:    NULL: as all zero; borrowed
 * @ret:        owned by the caller: par_heap_destroy(), before par_disconnect()
 *
 * Nothing is asked of pard yet.
 *
 * Where boundary or max_segment_bytes of @constraint is smaller than a chunk, allocations take up
 * the next power of two, and none is larger than that. Where the device has such limits of its own,
 * chunks are no larger than these, which have to be 64 KiB at least, and the largest allocation has
 * 7/8 of that.
 *
 * Return: 0; -EINVAL for a bad constraint or option; -ECHILD; -EAGAIN where there are too many
 * heaps (4,000); -ENOMEM.
 */
int par_heap_create(struct par *par, const struct par_constraint *constraint,
                    const struct par_heap_options *options, struct par_heap **ret) PAR_MUST_CHECK;

/**
 * par_heap_destroy() - give all of a heap's memory back
 * @heap: consumed; NULL is fine
 *
 * What was not freed is gone, too. Must not race other calls on the heap.
 *
 * Return: bytes that had not been freed: 0 for a program without leaks. par_heap_error() then
 * tells of what sizes they were.
 */
uint64_t par_heap_destroy(struct par_heap *heap);

/**
 * par_heap_alloc() - memory, not zeroed
 * @heap: heap
 * @size: in bytes; 0 is as 1
 * @ret:  on a multiple of 16 bytes (8, where that is all of it), and as the constraint says;
 *        par_heap_free()
 *
 * Return: 0; -PAR_QUOTA where the heap's limit or pard's is reached; -PAR_NEVER_FITS where it is
 * more than one segment may have; whatever else par_alloc() returns; -EINVAL; -ECHILD; -ENOMEM.
 */
int par_heap_alloc(struct par_heap *heap, size_t size, void **ret) PAR_MUST_CHECK;

/**
 * par_heap_alloc_zeroed() - zeroed memory for an array
 * @count, @size: elements, and bytes of each
 *
 * Return: as par_heap_alloc().
 */
int par_heap_alloc_zeroed(struct par_heap *heap, size_t count, size_t size,
                          void **ret) PAR_MUST_CHECK;

/**
 * par_heap_alloc_aligned() - memory whose address and dma address are multiples of a power of two
 * @align: power of two, at most PAR_HEAP_ALIGN_MAX, or the align of the constraint
 *
 * Return: as par_heap_alloc().
 */
int par_heap_alloc_aligned(struct par_heap *heap, size_t align, size_t size,
                           void **ret) PAR_MUST_CHECK;

/**
 * par_heap_resize() - change the size of an allocation
 * @pointer: from this heap: consumed, except on failure; NULL: as par_heap_alloc()
 * @size:    in bytes; 0 is as 1
 * @ret:     where it is now, with what was in it, up to the smaller of both sizes
 *
 * The alignment of par_heap_alloc_aligned() is not kept. Must not be called while a device uses
 * the memory: it may move.
 *
 * Return: as par_heap_alloc(); on failure the allocation is as it was.
 */
int par_heap_resize(struct par_heap *heap, void *pointer, size_t size, void **ret) PAR_MUST_CHECK;

/**
 * par_heap_free() - free an allocation
 * @pointer: from this heap; consumed; NULL is fine
 *
 * Any thread may free. errno stays as it was.
 */
void par_heap_free(struct par_heap *heap, void *pointer);

/* How many bytes from @pointer on may be used: at least what was asked for; 0 for NULL. */
size_t par_heap_usable_size(const struct par_heap *heap, const void *pointer);

/* The dma address of any byte of an allocation, in constant time; PAR_PHYS_NONE where the heap has
 * no memory there, or the pool hides its addresses. */
uint64_t par_heap_dma(const struct par_heap *heap, const void *pointer);

/**
 * par_heap_trim() - give pard back what is not in use
 * @ret_bytes: NULL, or how much that was
 *
 * Empties this thread's cache; other threads empty theirs at their next call on the heap.
 *
 * Return: 0; -EINVAL; -ECHILD.
 */
int par_heap_trim(struct par_heap *heap, uint64_t *ret_bytes) PAR_MUST_CHECK;

/* Figures of a heap. Return: 0; -EINVAL; -ECHILD. */
int par_heap_info(struct par_heap *heap, struct par_heap_info *ret) PAR_MUST_CHECK;

/* The calling thread's last failure as a sentence, with pard's words where pard refused. It stays
 * until this thread's next failing call; never NULL, "" where nothing has failed yet. */
const char *par_heap_error(void);

/* ---- as the C library has them: NULL and errno on failure; a refusal of pard's is ENOMEM ---- */

void *par_heap_malloc(struct par_heap *heap, size_t size);

static inline void *par_heap_calloc(struct par_heap *heap, size_t count, size_t size)
{
        void *pointer;
        int r = par_heap_alloc_zeroed(heap, count, size, &pointer);

        if (r)
                errno = r <= -PAR_NEVER_FITS ? ENOMEM : -r;
        return pointer;
}

static inline void *par_heap_memalign(struct par_heap *heap, size_t align, size_t size)
{
        void *pointer;
        int r = par_heap_alloc_aligned(heap, align, size, &pointer);

        if (r)
                errno = r <= -PAR_NEVER_FITS ? ENOMEM : -r;
        return pointer;
}

static inline void *par_heap_realloc(struct par_heap *heap, void *pointer, size_t size)
{
        void *moved;
        int r = par_heap_resize(heap, pointer, size, &moved);

        if (r)
                errno = r <= -PAR_NEVER_FITS ? ENOMEM : -r;
        return moved;
}

#ifdef __cplusplus
}
#endif

#endif /* PAR_HEAP_H */
