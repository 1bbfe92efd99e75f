/* SPDX-License-Identifier: MIT */
/*
 * par_dma.h - memory that did not come from pard, for a device: streaming mappings
 *
 * What dma_map_single() and its relatives are to a driver in the kernel. Memory that the device
 * reaches goes through as it is; what it does not reach (of malloc(), of the stack, of a file) is
 * copied through slots of a buffer that it does reach ("bounced", as the kernel's swiotlb does it),
 * or, behind an IOMMU, mapped for it:
 *
 *     struct par_mapping mapping;
 *
 *     r = par_map(device, packet, length, PAR_TO_DEVICE, NULL, &mapping);
 *     program_the_device(mapping.dma);
 *     wait_for_the_device();
 *     r = par_unmap(&mapping);
 *
 * From par_map() to par_unmap() the memory is the device's: in between the processor writes and
 * reads it after par_sync_for_cpu() and before par_sync_for_device() only.
 *
 * Results, threads and fork are as in par.h. A mapping is of one thread at a time; different ones,
 * of the same device too, are of any thread. In a child after fork() calls return -ECHILD.
 */
#ifndef PAR_DMA_H
#define PAR_DMA_H

#include "par.h"

#include <sys/uio.h>

#ifdef __cplusplus
extern "C" {
#endif

/**
 * enum par_direction - who writes
 * @PAR_BIDIRECTIONAL: both, or nobody knows
 * @PAR_TO_DEVICE:     the device reads
 * @PAR_FROM_DEVICE:   the device writes
 *
 * With the values of the kernel's enum dma_data_direction. Behind an IOMMU the device is held to
 * it: par_map().
 */
enum par_direction { PAR_BIDIRECTIONAL, PAR_TO_DEVICE, PAR_FROM_DEVICE };

/* struct par_map_options.flags */
/* Never ask pard: where no slot is left the mapping fails at once, with a refusal that is not
 * permanent. What was missing is made up for by par_bounce_reserve(), or by a mapping without this
 * flag. Neither does par_unmap() of such a mapping give memory back to pard. */
#define PAR_MAP_ATOMIC UINT32_C(1)
/* The device writes every byte, or it does not matter what becomes of those that it does not: they
 * are undefined afterwards. Otherwise they stay as they were, which costs a copy. Means nothing
 * but with PAR_FROM_DEVICE. */
#define PAR_MAP_OVERWRITE UINT32_C(2)
/* Copy nothing when it is mapped and unmapped: the caller says par_sync_for_device() and
 * par_sync_for_cpu(), of those parts that matter. */
#define PAR_MAP_SKIP_SYNC UINT32_C(4)
/* Rather fail than bounce. */
#define PAR_MAP_NO_BOUNCE UINT32_C(8)

/**
 * struct par_map_options - how to map; NULL is the same as all zero
 * @flags:        PAR_MAP_*
 * @max_segments: how many the caller can use, where the device can, too. par_map(): 0 or 1: one;
 *                par_map_sg(): 0: as many as the device. PAR_SEGMENTS_ANY: as many as it takes
 * @label:        whose it is in par_map_sites(), instead of the call's address; told apart by its
 *                address, and borrowed until the device is closed: a literal. NULL: none
 * @reserved:     zero
 */
struct par_map_options {
        uint32_t flags, max_segments;
        const char *label;
        uint64_t reserved[5];
};

/* struct par_mapping.flags */
#define PAR_MAPPING_BOUNCED  UINT32_C(1) /* some of it is copied */
#define PAR_MAPPING_IOMMU    UINT32_C(2) /* some of it was mapped in the IOMMU for this */
#define PAR_MAPPING_RESOURCE UINT32_C(4) /* it is a device's */

/**
 * struct par_mapping - memory that a device has; the caller's own, made by par_map() and others
 * @dma:        where the device sees the first byte
 * @length:     bytes in all
 * @pointer:    to the memory; of a list, to its first piece
 * @device:     whose it is
 * @n_segments: how many it is for the device: par_mapping_segments(); 0: it is no mapping
 * @flags:      PAR_MAPPING_*; other bits are the library's
 * @segment:    the segment, where there is one
 * @opaque:     the library's
 *
 * A plain value: this struct never changes. It may be moved, but only one copy be used. All zero it
 * is no mapping.
 */
struct par_mapping {
        uint64_t dma;
        size_t length;
        void *pointer;
        struct par_device *device;
        uint32_t n_segments, flags;
        struct par_segment segment;
        uint64_t opaque[5];
};

/**
 * par_map() - let a device have memory
 * @device:    borrowed until par_unmap()
 * @pointer:   any memory of the process that can be read, and, but for PAR_TO_DEVICE, written. It
 *             stays what it is until par_unmap()
 * @length:    bytes, > 0
 * @direction: who writes; behind an IOMMU, what the device is able to do
 * @options:   NULL: as all zero; borrowed
 * @ret:       the mapping: par_unmap(), at the latest before par_device_close(). All zero on
 *             failure
 *
 * One segment, unless @options say otherwise. Memory of this connection's buffers that lies within
 * the device's limits, all of it, goes through as it is: that takes no lock and nothing is
 * allocated. Other memory is bounced: with PAR_TO_DEVICE and PAR_BIDIRECTIONAL it is copied into
 * slots. With PAR_FROM_DEVICE, too, unless PAR_MAP_OVERWRITE says that it need not be: a device may
 * write less than was asked for, and what comes back has to be what was there, not what an earlier
 * mapping left in the slots. Slots are a part of buffers that the library asks pard for when there
 * are too few, in this call unless PAR_MAP_ATOMIC is set, and gives back when they have not been
 * used for a while. Behind an IOMMU the pages of the memory are mapped instead, and nothing is
 * copied.
 *
 * These pages are mapped as @direction says. With PAR_TO_DEVICE the device cannot write there, and
 * with PAR_FROM_DEVICE it cannot read: the IOMMU stops it, and memory stays as it is. (As Linux
 * uses Intel's, what can be written may be readable, too.) Atomic operations do both, so they take
 * PAR_BIDIRECTIONAL. Mappings of a page in several directions are several pages for the device, and
 * for RLIMIT_MEMLOCK. Memory that goes through as it is, and slots, the device can read and write.
 *
 * Registers or memory of a device (a BAR) are refused as far as the library knows of them: of what
 * /proc/self/maps said when slots were made last, or a BAR was mapped, or, with
 * PAR_CONNECT_DEBUG, says now. For these there is par_map_resource().
 *
 * Return: 0; -EINVAL for no device, no memory, length 0, a direction, flag or reserved field that
 * is none; -PAR_INVALID for a device's registers or memory; -PAR_NEVER_FITS where it has to be
 * bounced and is longer than par_device_max_mapping(), or pard has no memory for slots in the
 * device's reach and never will, or PAR_MAP_NO_BOUNCE is set; -PAR_EXHAUSTED where all slots are in
 * use, and there may be no more (PAR_MAP_ATOMIC, or the limit of par_map_setup()), or pard has none
 * left now; -PAR_FRAGMENTED where so many slots are free, but not side by side; what par_alloc()
 * returns else where pard is asked for slots; behind an IOMMU -PAR_QUOTA where RLIMIT_MEMLOCK or
 * the container's number of mappings is reached, -PAR_BUSY where others' mappings are in the way
 * everywhere, -EFAULT where the kernel does not pin the memory nor that of slots, or another -errno
 * of its; -ENOMEM; -ECHILD. par_is_permanent() tells which of these will stay so.
 */
int par_map(struct par_device *device, const void *pointer, size_t length,
            enum par_direction direction, const struct par_map_options *options,
            struct par_mapping *ret) PAR_MUST_CHECK;

/**
 * par_map_sg() - let a device have pieces of memory, one after the other
 * @list:  @count of them, each at least 1 byte; borrowed
 * @count: > 0
 * @ret:   one mapping of all: its segments are those of the pieces in their order, and their
 *         offsets are in all of them together
 *
 * Pieces that lie side by side for the device become one segment, where its limits allow that.
 * Where the device takes fewer segments than there are, all are bounced into fewer; also where
 * there are too few slots for each piece to have its own.
 *
 * Return: as par_map(); -PAR_NEVER_FITS also where the segments are more than the device takes, and
 * all together longer than par_device_max_mapping(); -EFAULT also where another thread freed a
 * buffer in which a piece lies. On failure nothing is mapped.
 */
int par_map_sg(struct par_device *device, const struct iovec *list, size_t count,
               enum par_direction direction, const struct par_map_options *options,
               struct par_mapping *ret) PAR_MUST_CHECK;

/**
 * par_map_resource() - let a device have registers or memory of another device
 * @pointer: into a mapping of a BAR: of a file resourceN of sysfs, or of a VFIO device
 * @options: NULL, or flags 0
 *
 * Never bounced, and never read or written. Behind an IOMMU the device can do with it what
 * @direction says, as with par_map(). Without one the address is that of the BAR as
 * sysfs tells it, so the bus between both has to carry transfers from one to the other: nobody can
 * tell.
 *
 * Return: 0; -EINVAL as par_map(); -PAR_INVALID where no device's memory is mapped at @pointer, or
 * less than @length of it; -PAR_NEVER_FITS where the device cannot reach it; -ENOTSUP where the
 * kernel does not tell where it is, and there is no IOMMU to map it in; behind one -PAR_QUOTA and
 * -PAR_BUSY as par_map(), -PAR_EXHAUSTED and -PAR_FRAGMENTED where its addresses are taken, or what
 * the kernel says to the mapping; -ENOMEM; -ECHILD.
 */
int par_map_resource(struct par_device *device, const volatile void *pointer, size_t length,
                     enum par_direction direction, const struct par_map_options *options,
                     struct par_mapping *ret) PAR_MUST_CHECK;

/**
 * par_mapping_segments() - a mapping as the device sees it
 * @mapping: borrowed
 * @ret:     NULL, or where to store a pointer to the array; it belongs to the mapping and stays the
 *           same until that is unmapped or moved. phys is PAR_PHYS_NONE
 *
 * Return: how many segments; 0 where it is no mapping.
 */
size_t par_mapping_segments(const struct par_mapping *mapping, const struct par_segment **ret);

/**
 * par_sync_for_device() - the processor has written: the device's turn
 * @mapping: borrowed
 * @offset, @length: of what was written; 0, 0: of all
 *
 * Copies what is bounced, unless it is PAR_FROM_DEVICE; otherwise nothing but a fence for the
 * compiler and processor.
 *
 * Return: 0; -EINVAL where that is no part of the mapping, or it is none; -EHWPOISON where memory
 * of the slots has failed; -ESTALE where it has moved, and the device may not see what is written
 * there (PAR_EVENT_POISONED and PAR_EVENT_MOVED tell of both, too); -ECHILD.
 */
int par_sync_for_device(struct par_mapping *mapping, size_t offset, size_t length);

/**
 * par_sync_for_cpu() - the device has written: the processor's turn
 *
 * Copies what is bounced back, unless it is PAR_TO_DEVICE.
 *
 * Return: as par_sync_for_device(); what the device wrote is lost with -EHWPOISON, and may be with
 * -ESTALE.
 */
int par_sync_for_cpu(struct par_mapping *mapping, size_t offset, size_t length);

/**
 * par_unmap() - the device no longer uses the memory
 * @mapping: consumed: it is no mapping afterwards, whatever is returned. All zero is fine
 *
 * What is bounced is copied back, unless it is PAR_TO_DEVICE.
 *
 * Return: 0; -EALREADY where it was unmapped before; -EHWPOISON where what the device wrote is lost
 * with the memory of the slots, or -ESTALE where it may be, as par_sync_for_cpu(); -EINVAL for
 * NULL; -ECHILD, and then it stays as it is.
 */
int par_unmap(struct par_mapping *mapping);

/**
 * par_device_max_mapping() - the longest mapping of any memory that par_map() takes in one segment
 * @device: borrowed
 *
 * At most 2 MiB, and what the limits of the device and of par_map_setup() leave. Memory that need
 * not be bounced may be longer.
 *
 * Return: bytes; 0 for NULL.
 */
size_t par_device_max_mapping(const struct par_device *device);

/**
 * struct par_map_setup - how a device's mappings are made; all zero: the library chooses
 * @constraint:     what they have to satisfy beyond the device's own limits; borrowed. NULL:
 *                  nothing
 * @pool:           for slots, as in struct par_alloc_options; copied. NULL: pard chooses
 * @min_align_mask: 2^n - 1: these bits of the pointer and of its address are the same. They are,
 *                  for those of the device, in any case
 * @bounce_bytes_max: most memory for slots, in whole pages of 4 KiB; 0: 64 MiB. More than 128 MiB
 *                  is 128 MiB. Nor are there ever more than 64 buffers of slots
 * @idle_ms:        memory of slots that were neither used nor reserved for so long goes back to
 *                  pard, as soon as another mapping is made or ended; 0: 10,000
 * @flags:          0
 * @reserved:       zero
 */
struct par_map_setup {
        const struct par_constraint *constraint;
        const char *pool;
        uint64_t min_align_mask;
        size_t bounce_bytes_max;
        uint32_t idle_ms, flags;
        uint64_t reserved[6];
};

/**
 * par_map_setup() - say how a device's mappings are made, before the first one
 * @device: no other thread uses it meanwhile
 * @setup:  borrowed
 *
 * Return: 0; -EINVAL for a field that is none; -EBUSY where something was mapped already (but
 * memory that goes through as it is may not have been noticed), or this was called before;
 * -PAR_NEVER_FITS where the constraint and the device's limits have nothing in common; -ENOMEM;
 * -ECHILD.
 */
int par_map_setup(struct par_device *device, const struct par_map_setup *setup) PAR_MUST_CHECK;

/**
 * par_bounce_reserve() - have slots ahead, so that no mapping has to ask pard
 * @bytes: how much there is to be in all; 0: as much as there is, and what was missing since
 *
 * Memory that has moved, failed, or is to go back does not count. The rest is not idle, see
 * @idle_ms of par_map_setup(), before that time has passed again. Looks for BARs that were mapped
 * since, too.
 *
 * Return: 0; -PAR_QUOTA where that is above the limit of par_map_setup(); -PAR_EXHAUSTED where
 * there may be no more buffers; -PAR_NEVER_FITS where nothing can be bounced for the device; what
 * par_alloc() returns. What was had until then stays.
 */
int par_bounce_reserve(struct par_device *device, size_t bytes) PAR_MUST_CHECK;

/**
 * par_bounce_trim() - give memory back to pard of whose slots none is in use
 * @ret_bytes: NULL, or how much that was
 *
 * Return: 0, also where there was none; -EINVAL; -ECHILD.
 */
int par_bounce_trim(struct par_device *device, uint64_t *ret_bytes) PAR_MUST_CHECK;

/**
 * par_buffer_bounces() - the device for which a buffer holds slots
 * @buffer: as an event names it; borrowed
 *
 * par_free() of such a buffer does nothing: it goes when its last slot is free.
 *
 * Return: the device; NULL where it is a buffer of the caller's.
 */
struct par_device *par_buffer_bounces(const struct par_buffer *buffer);

/**
 * struct par_map_stats - what was done for a device; exact while no thread maps
 * @bounces:      pieces of memory that were bounced
 * @bytes_in:     copied into slots
 * @bytes_out:    copied back
 * @failures:     bounces that were refused
 * @iommu_maps:   calls of the kernel to map memory behind an IOMMU
 * @iommu_shared: mappings that needed none, since their pages were mapped
 * @slot_bytes:   of all slots
 * @used_bytes:   of those in use
 * @growths:      buffers for slots that pard granted, @shrinks: and that went back
 * @reserved:     0
 *
 * What goes through as it is is not counted: counting it would take longer than mapping it.
 */
struct par_map_stats {
        uint64_t bounces, bytes_in, bytes_out, failures;
        uint64_t iommu_maps, iommu_shared;
        uint64_t slot_bytes, used_bytes, growths, shrinks;
        uint64_t reserved[6];
};

/* What was done for a device. Return: 0; -EINVAL; -ECHILD. */
int par_map_stats(struct par_device *device, struct par_map_stats *ret) PAR_MUST_CHECK;

/**
 * struct par_map_site - who bounces
 * @caller:   the address of the instruction after the call that mapped; NULL: @label says it, or it
 *            is all for which there was no place of their own
 * @label:    as in struct par_map_options; NULL: none
 * @bounces, @bytes_in, @bytes_out: as in struct par_map_stats
 *
 * An array element: this struct never changes.
 */
struct par_map_site {
        const void *caller;
        const char *label;
        uint64_t bounces, bytes_in, bytes_out;
};

/**
 * par_map_sites() - who bounces, so that it can be designed away
 * @ret:       room for @room
 * @ret_count: how many there are, perhaps more than @room; at most 64
 *
 * Return: 0; -EINVAL; -ECHILD.
 */
int par_map_sites(struct par_device *device, struct par_map_site *ret, size_t room,
                  size_t *ret_count) PAR_MUST_CHECK;

#ifdef __cplusplus
}
#endif

#endif /* PAR_DMA_H */
