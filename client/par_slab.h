/* SPDX-License-Identifier: MIT */
/*
 * par_slab.h - equal objects that a device can address, in nanoseconds
 *
 * A slab divides buffers of pard's into objects of one size: packets, descriptors, commands. It
 * asks pard when it has none left; everything else is done in the process, as a rule by a cache of
 * the calling thread, without a lock:
 *
 *     struct par_slab *packets;
 *     struct par_object packet;
 *
 *     r = par_slab_create(par, 2048, &limits, NULL, &packets);
 *     r = par_slab_get(packets, &packet);
 *     fill(packet.data);
 *     program_the_device(packet.dma);
 *     ...
 *     par_slab_put(packets, packet);
 *
 * It is to a program what a dma_pool is to the kernel, over memory that the processor caches.
 *
 * Results, threads and fork are as in par.h. Any thread may put what another one got. A slab must
 * not be destroyed while other threads call it, but threads that used it may end at any time. In a
 * child after fork() its calls return -ECHILD.
 */
#ifndef PAR_SLAB_H
#define PAR_SLAB_H

#include "par.h"

#ifdef __cplusplus
extern "C" {
#endif

#define PAR_SLAB_OBJECT_MAX ((size_t)1048576)

/* struct par_slab_options.flags */
/* Look after mistakes: objects that were put are filled with a pattern, and there are red zones
 * between them; both are looked at later. What was put twice, and what is no object of the slab, is
 * refused. Much slower, and without caches. */
#define PAR_SLAB_DEBUG UINT32_C(1)
/* No caches: what a thread puts is there for all others at once. */
#define PAR_SLAB_UNCACHED UINT32_C(2)

struct par_slab;

/**
 * struct par_object - an object of a slab: contiguous for the processor and for the device
 * @data: where it is mapped
 * @dma:  where the device sees it
 *
 * A plain value: this struct never changes.
 */
struct par_object {
        void *data;
        uint64_t dma;
};

/**
 * struct par_slab_options - the rest of what a slab is; NULL is the same as all zero
 * @device:        whose limits apply in addition; borrowed as long as the slab is there. NULL: none
 * @pool:          only this pool; copied. NULL: pard chooses
 * @label:         of its buffers, shown to administrators, at most 63 bytes of UTF-8; copied. NULL:
 *                 none
 * @object_max:    most objects that there may be, in use and cached; 0: no limit
 * @buffer_bytes:  how much to ask pard for at a time; 0: the library chooses. Where so much is not
 *                 to be had in one piece, less is asked for, down to one object
 * @cache_objects: how many a thread may keep for itself; 0: up to 512 or 1 MiB of them, at least 2,
 *                 and at most a quarter of @object_max
 * @flags:         PAR_SLAB_*
 * @wait_ms:       how long par_slab_get() may wait for memory, as in struct par_alloc_options
 * @reserved_flags, @reserved: zero
 */
struct par_slab_options {
        const struct par_device *device;
        const char *pool, *label;
        uint64_t object_max;
        size_t buffer_bytes;
        uint32_t cache_objects, flags;
        int32_t wait_ms;
        uint32_t reserved_flags;
        uint64_t reserved[4];
};

/**
 * struct par_slab_stats - what there is, and what has happened; exact while no thread uses the slab
 * @objects:  all there are
 * @in_use:   got and not put back
 * @cached:   kept by threads for themselves
 * @idle:     left for any thread
 * @damaged:  put aside, since somebody wrote where he must not (PAR_SLAB_DEBUG)
 * @buffers:  of pard's, @bytes in all
 * @gets:     objects that were got, @puts: and put back
 * @misses:   how often a thread's cache was empty, or full
 * @growths:  buffers that pard granted, @refusals: how often it granted none
 * @reserved: 0
 */
struct par_slab_stats {
        uint64_t objects, in_use, cached, idle, damaged;
        uint64_t buffers, bytes;
        uint64_t gets, puts, misses, growths, refusals;
        uint64_t reserved[4];
};

/**
 * struct par_slab_leak - an object that is in use
 * @object: which
 * @caller: the address of the instruction after the call that got it
 *
 * An array element: this struct never changes.
 */
struct par_slab_leak {
        struct par_object object;
        const void *caller;
};

/**
 * par_slab_create() - a slab; nothing is asked of pard yet
 * @par:          connection
 * @object_bytes: 1 to PAR_SLAB_OBJECT_MAX
 * @constraint:   of each object: NULL: as all zero; copied. With align 0 an object has its cache
 *                lines to itself (64). max_segments does not matter: an object is one piece
 * @options:      NULL: as all zero; borrowed
 * @ret:          owned by the caller: par_slab_destroy(), at the latest before par_disconnect()
 *
 * Return: 0; -EINVAL for a size, reserved field, flag, alignment or boundary that is none, or a bad
 * label; -PAR_NEVER_FITS where no object fits between two boundaries, or into a segment;
 * -EAGAIN where the process has no thread-specific key left; -ENOMEM; -ECHILD.
 */
int par_slab_create(struct par *par, size_t object_bytes, const struct par_constraint *constraint,
                    const struct par_slab_options *options, struct par_slab **ret) PAR_MUST_CHECK;

/**
 * par_slab_destroy() - give all memory back
 * @slab: consumed; NULL is fine
 *
 * The device must not use any object any more. What was not put back is gone all the same; the log
 * of the connection is told how much that is, and with PAR_SLAB_DEBUG who got it.
 *
 * Return: how many objects were not put back.
 */
uint64_t par_slab_destroy(struct par_slab *slab);

/**
 * par_slab_get() - get an object
 * @slab: borrowed
 * @ret:  the object, with anything in it; par_slab_put()
 *
 * Return: 0; -PAR_QUOTA where @object_max is reached; what par_alloc() returns, where pard has to
 * be asked; -EUCLEAN where something was written to an object after it was put (PAR_SLAB_DEBUG; it
 * is put aside, and the next call gives another one); -EINVAL; -ENOMEM; -ECHILD.
 */
int par_slab_get(struct par_slab *slab, struct par_object *ret) PAR_MUST_CHECK;

/**
 * par_slab_get_bulk() - get several objects, or none
 * @objects: room for @count
 *
 * Return: as par_slab_get().
 */
int par_slab_get_bulk(struct par_slab *slab, struct par_object *objects,
                      size_t count) PAR_MUST_CHECK;

/**
 * par_slab_put() - put an object back
 * @slab:   from which it was got
 * @object: as it was got; consumed
 *
 * Can fail only for mistakes, which without PAR_SLAB_DEBUG are not noticed.
 *
 * Return: 0; -EINVAL; -ECHILD; with PAR_SLAB_DEBUG also -EFAULT where it is no object of the slab;
 * -EALREADY where it was put before; -EUCLEAN where something was written beside it: it is put
 * aside.
 */
int par_slab_put(struct par_slab *slab, struct par_object object);

/**
 * par_slab_put_bulk() - put several objects back
 * @objects: @count of them; borrowed
 *
 * Return: as par_slab_put(), of the first one that is refused; the others are put.
 */
int par_slab_put_bulk(struct par_slab *slab, const struct par_object *objects, size_t count);

/**
 * par_slab_reserve() - have objects ahead, so that no par_slab_get() has to ask pard
 * @count: how many there are to be in all
 *
 * Return: 0; as par_slab_get(). What was had until then stays.
 */
int par_slab_reserve(struct par_slab *slab, uint64_t count) PAR_MUST_CHECK;

/**
 * par_slab_trim() - give buffers back none of whose objects is in use or in another thread's cache
 * @ret_bytes: NULL, or how much that was
 *
 * Looks at every idle object, and holds other threads up meanwhile that find their caches empty.
 *
 * Return: 0, also where there was none; -EINVAL; -ECHILD.
 */
int par_slab_trim(struct par_slab *slab, uint64_t *ret_bytes) PAR_MUST_CHECK;

/* What there is, and what has happened. Return: 0; -EINVAL; -ECHILD. */
int par_slab_stats(struct par_slab *slab, struct par_slab_stats *ret) PAR_MUST_CHECK;

/**
 * par_slab_leaks() - which objects are in use, of a slab with PAR_SLAB_DEBUG
 * @ret:       room for @room
 * @ret_count: how many there are, perhaps more than @room
 *
 * Return: 0; -ENOTSUP without PAR_SLAB_DEBUG; -EINVAL; -ECHILD.
 */
int par_slab_leaks(struct par_slab *slab, struct par_slab_leak *ret, size_t room,
                   size_t *ret_count) PAR_MUST_CHECK;

/**
 * par_buffer_slab() - the slab to which a buffer belongs
 * @buffer: as an event names it; borrowed
 *
 * Return: the slab, whose business it is to free the buffer; NULL where it belongs to none.
 */
struct par_slab *par_buffer_slab(const struct par_buffer *buffer);

#ifdef __cplusplus
}
#endif

#endif /* PAR_SLAB_H */
