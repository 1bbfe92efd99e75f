/* SPDX-License-Identifier: MIT */
/*
 * par_iova.h - two-step mapping: first addresses behind an IOMMU, then the memory
 *
 * par_alloc() with a device that is attached to a VFIO container plans an address and maps a buffer
 * there. Here these are two steps, so that memory in many places becomes one range for a device,
 * also for one without scatter-gather; and so that what comes and goes does so at addresses that
 * the device knows already:
 *
 *     struct par_sg_part parts[] = { { .buffer = a }, { .buffer = b, .length = 8192 } };
 *
 *     r = par_iova_reserve(device, size, NULL, NULL, &range);
 *     r = par_iova_link(range, 0, parts, 2, 0);            (one behind the other)
 *     r = par_iova_sync(range);                            (from here on the device reaches them)
 *     program_the_device(par_iova_dma(range), size);
 *     ...
 *     par_iova_destroy(range);
 *
 * It is to a program what dma_iova_try_alloc(), dma_iova_link(), dma_iova_sync(),
 * dma_iova_unlink() and dma_iova_destroy() are to the kernel. Without an IOMMU there are no
 * addresses to choose: then par_sg.h makes a list of the same parts.
 *
 * Results, threads and fork are as in par.h.
 */
#ifndef PAR_IOVA_H
#define PAR_IOVA_H

#include "par.h"
#include "par_sg.h"

#ifdef __cplusplus
extern "C" {
#endif

struct par_iova; /* a range of I/O addresses of one VFIO container */

/* flags of par_iova_link() */
/* Each of these parts has a mapping of its own, so that it can be unlinked alone after
 * par_iova_sync(). */
#define PAR_IOVA_APART UINT32_C(1)
/* The device only reads these parts, or only writes to them; without either it may do both. The
 * IOMMU stops what it is not to do, as far as that IOMMU can: see par_map(). Not both. */
#define PAR_IOVA_TO_DEVICE   UINT32_C(2)
#define PAR_IOVA_FROM_DEVICE UINT32_C(4)

/**
 * struct par_iova_options - the rest of what a range is; NULL is the same as all zero
 * @flags, @reserved_flags, @reserved: zero
 */
struct par_iova_options {
        uint32_t flags, reserved_flags;
        uint64_t reserved[7];
};

/**
 * par_iova_reserve() - plan a range of I/O addresses, and map nothing
 * @device:     attached by par_device_attach_vfio(); borrowed for the call
 * @size:       bytes, > 0; rounded up to the IOMMU's smallest page, par_iova_granule()
 * @constraint: of the addresses, which the device's limits narrow; NULL: as all zero, so one
 *              segment. nodes does not matter; borrowed
 * @options:    NULL: as all zero; borrowed
 * @ret:        owned by the caller: par_iova_destroy(), at the latest before par_disconnect()
 *
 * The addresses stay the range's own until it is destroyed: neither par_alloc() nor another range
 * is given them.
 *
 * Return: 0; -ENOTSUP where the device is not behind an IOMMU, so that no address can be chosen:
 * take par_sg_create(); -EINVAL; -PAR_INVALID, -PAR_NEVER_FITS, -PAR_EXHAUSTED and -PAR_FRAGMENTED
 * as par_alloc() says them of such a device's addresses; -ENOMEM; -ECHILD.
 */
int par_iova_reserve(struct par_device *device, uint64_t size,
                     const struct par_constraint *constraint,
                     const struct par_iova_options *options, struct par_iova **ret) PAR_MUST_CHECK;

/**
 * par_iova_destroy() - unmap what is linked, and give the addresses back
 * @range: consumed; NULL is fine. The device must not use it any more
 *
 * Cannot fail: addresses that the kernel does not unmap are not used again, and the log of the
 * connection is told. par_disconnect() does it, too.
 */
void par_iova_destroy(struct par_iova *range);

/* The first address of the range, for the device. It is contiguous. 0 for NULL. */
uint64_t par_iova_dma(const struct par_iova *range);

/* Bytes: what was asked for, rounded up. */
uint64_t par_iova_size(const struct par_iova *range);

/* Bytes of the IOMMU's smallest page: what all parts begin on multiples of, and are multiples of
 * long. */
uint64_t par_iova_granule(const struct par_iova *range);

/**
 * par_iova_link() - say what memory is to be where in the range
 * @range: borrowed
 * @at:    where in the range the first part goes, in bytes; the others come behind it
 * @parts: @count of them: of buffers, of any device or none, or memory of any kind that this
 *         process has mapped for reading and writing; with PAR_IOVA_TO_DEVICE, for reading.
 *         Borrowed for the call; the memory has to stay until it is unlinked
 * @flags: PAR_IOVA_*
 *
 * Nothing is mapped yet: that is par_iova_sync(), which maps neighbours at once. Memory that is
 * freed while it is linked stays pinned: a buffer of pard's is charged to its owner as lingering.
 *
 * Return: 0; -EINVAL for a part that is not inside of its buffer, or in which the memory, the place
 * or the length is no multiple of par_iova_granule(), a flag that is none, PAR_IOVA_TO_DEVICE with
 * PAR_IOVA_FROM_DEVICE, or something in a reserved field; -ERANGE where they go beyond the range;
 * -EEXIST where something is linked there; -ENOMEM; -ECHILD. On failure nothing has changed.
 */
int par_iova_link(struct par_iova *range, uint64_t at, const struct par_sg_part *parts,
                  size_t count, uint32_t flags) PAR_MUST_CHECK;

/**
 * par_iova_sync() - map what was linked since the last time
 * @range: borrowed
 *
 * Parts that lie side by side in the range and in the memory of this process, and with which the
 * device may do the same, take one mapping together, but for those with PAR_IOVA_APART. Memory is
 * pinned, and counts against RLIMIT_MEMLOCK.
 *
 * Return: 0, also where there was nothing; -PAR_QUOTA where RLIMIT_MEMLOCK or the container's
 * number of mappings is reached; -PAR_BUSY where others have mapped something there: destroy the
 * range, and reserve another one, which is elsewhere; -EFAULT where memory is not there, or of a
 * kind that VFIO does not map (a dma-buf); -ENOMEM; another -errno of the kernel's; -EINVAL;
 * -ECHILD. On failure nothing has changed: what was linked waits for another try.
 */
int par_iova_sync(struct par_iova *range) PAR_MUST_CHECK;

/**
 * par_iova_unlink() - take memory out of the range
 * @range:  borrowed
 * @at:     where in the range, in bytes
 * @length: bytes; what is not linked there does not matter, as with munmap()
 *
 * When it returns, the device does not reach that memory any more: make sure that it does not try.
 * What par_iova_sync() has mapped at once is unlinked at once; before that, each part on its own.
 *
 * Return: 0; -EINVAL where only part of what was linked, or mapped at once, is in there; -ERANGE;
 * -ECHILD; another -errno, where the kernel does not unmap: what comes before that is unlinked.
 */
int par_iova_unlink(struct par_iova *range, uint64_t at, uint64_t length) PAR_MUST_CHECK;

#ifdef __cplusplus
}
#endif

#endif /* PAR_IOVA_H */
