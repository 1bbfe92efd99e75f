/* SPDX-License-Identifier: MIT */
/*
 * par_sg.h - scatter lists: memory in several places, cut as a device takes it
 *
 * A list says where a device finds what lies in several buffers, or in parts of them, as segments:
 * none longer than the device takes, none across its boundary, each beginning where it may begin,
 * and neighbours joined wherever these limits allow it:
 *
 *     struct par_sg_options options = { .device = device };
 *     struct par_sg_part parts[] = { { .buffer = header, .length = 64 }, { .buffer = payload } };
 *     const struct par_segment *segments;
 *
 *     r = par_sg_create(par, NULL, &options, &list);
 *     r = par_sg_add(list, parts, 2);
 *     n = par_sg_segments(list, &segments);
 *     for (i = 0; i < n; i++)
 *             program_the_device(segments[i].dma, segments[i].length);
 *     par_sg_clear(list);                          (for the next command)
 *
 * It is to a program what a struct sg_table is to the kernel after dma_map_sgtable(), with the
 * limits of dma_set_max_seg_size(), dma_set_seg_boundary() and sg_tablesize. Memory that is not
 * pard's gets addresses by par_dma.h first. For a device without scatter-gather behind an IOMMU,
 * the same parts become one range: par_iova.h.
 *
 * A list only describes: it neither maps, nor keeps buffers from being freed. Results are as in
 * par.h. Threads that use the same list take turns; different lists are independent. In a child
 * after fork() a list still says what it said.
 */
#ifndef PAR_SG_H
#define PAR_SG_H

#include "par.h"

#ifdef __cplusplus
extern "C" {
#endif

struct par_sg;

/**
 * struct par_sg_part - memory: of a buffer, or by its address in this process
 * @buffer:   in which it lies; NULL: in none that is named
 * @memory:   where it begins, without @buffer; otherwise NULL
 * @offset:   where in @buffer, or behind @memory, it begins
 * @length:   bytes; with @buffer 0 is all that comes after @offset. Without, 0 is nothing
 * @reserved: zero
 */
struct par_sg_part {
        const struct par_buffer *buffer;
        void *memory;
        size_t offset, length;
        uint64_t reserved[2];
};

/**
 * struct par_sg_options - the rest of what a list is; NULL is the same as all zero
 * @device:   whose limits apply in addition, and whose addresses are meant; borrowed as long as the
 *            list is there. NULL: none
 * @flags, @reserved_flags, @reserved: zero
 */
struct par_sg_options {
        const struct par_device *device;
        uint32_t flags, reserved_flags;
        uint64_t reserved[6];
};

/**
 * par_sg_create() - an empty list
 * @par:        connection; NULL: none, so there is no device, and no part by its address
 * @constraint: of each segment, copied; NULL: as all zero. Here max_segments 0 is as many as the
 *              device takes, and PAR_SEGMENTS_ANY any number, for several commands; nodes does not
 *              matter
 * @options:    NULL: as all zero; borrowed
 * @ret:        owned by the caller: par_sg_destroy()
 *
 * Return: 0; -EINVAL for a flag or reserved field that is not zero, or a device of another
 * connection; -PAR_INVALID for an alignment or boundary that is no power of two, or addr_min above
 * addr_max; -PAR_NEVER_FITS where no aligned address is in the window; -ENOMEM; -ECHILD.
 */
int par_sg_create(struct par *par, const struct par_constraint *constraint,
                  const struct par_sg_options *options, struct par_sg **ret) PAR_MUST_CHECK;

/* Consumed; NULL is fine. The memory that it describes stays as it is. */
void par_sg_destroy(struct par_sg *list);

/* Empty the list, for another use. It keeps its own memory, so what is added next takes none. */
void par_sg_clear(struct par_sg *list);

/**
 * par_sg_add() - add parts of buffers behind what is in the list
 * @list:  borrowed
 * @parts: @count of them, in their order; borrowed for the call. 0 is nothing to do
 *
 * A part without a buffer is looked up, as by par_dma_address(): any memory of this connection's
 * buffers. A buffer that was allocated for no device has the addresses at which the list's sees it
 * through its bus windows. What a part adjoins for the device is joined with it, also in another
 * buffer.
 *
 * Return: 0; -EINVAL for a part that is not inside of its buffer, or has something in @reserved,
 * where buffers have addresses for different devices or another device than the list is for, or
 * where there are more than 2^64 - 1 bytes; -EFAULT where no buffer is at an address; -PAR_DENIED
 * where a buffer has no address for any device; -PAR_NEVER_FITS where an address is outside of the
 * window, of the bus windows of the device, or not aligned, or so many bytes take more segments
 * than there may be wherever they lie; -PAR_FRAGMENTED where they take more segments than there may
 * be since they lie in too many places: see par_sg_wanted(); -ENOMEM; -ECHILD. On failure the list
 * is as it was.
 */
int par_sg_add(struct par_sg *list, const struct par_sg_part *parts, size_t count) PAR_MUST_CHECK;

/**
 * par_sg_add_segments() - add segments behind what is in the list
 * @segments: @count of them, such as those of a mapping; borrowed for the call. Where they are from
 *            and their offset do not matter, only that the device finds them at their dma
 *
 * Return: as par_sg_add(); -EINVAL also for a segment without bytes, or that goes beyond the last
 * address of 64 bits.
 */
int par_sg_add_segments(struct par_sg *list, const struct par_segment *segments,
                        size_t count) PAR_MUST_CHECK;

/**
 * par_sg_segments() - what to program into the device
 * @list: borrowed
 * @ret:  NULL, or where to store a pointer to the array; it belongs to the list, and stays until
 *        something is added, the list is cleared or destroyed. NULL where it is empty
 *
 * A segment's offset is where in the list it begins, its phys PAR_PHYS_NONE where it is not known,
 * or what was joined for the device does not lie side by side in memory.
 *
 * Return: how many segments.
 */
size_t par_sg_segments(const struct par_sg *list, const struct par_segment **ret);

/* Bytes of all segments together. */
uint64_t par_sg_bytes(const struct par_sg *list);

/* How many segments the list would have had with what was refused last for having too many; 0:
 * nothing was, since it was created or cleared. */
uint64_t par_sg_wanted(const struct par_sg *list);

/**
 * par_sg_address() - where the device finds a byte of the list
 * @list:    borrowed
 * @offset:  below par_sg_bytes()
 * @ret_dma: its address
 * @ret_contiguous_bytes: NULL, or how many bytes from there on belong to the same segment
 *
 * Return: 0; -ERANGE where the list has no such byte; -EINVAL.
 */
int par_sg_address(const struct par_sg *list, uint64_t offset, uint64_t *ret_dma,
                   uint64_t *ret_contiguous_bytes) PAR_MUST_CHECK;

/**
 * par_sg_pages() - the list by its pages, as NVMe's PRP entries want them
 * @list:       borrowed
 * @page_bytes: power of two
 * @dma:        array of @room addresses: of the list's first byte, wherever in its page it is, and
 *              of the beginning of each page that comes after it; may be NULL with @room 0
 * @ret_count:  how many there are, perhaps more than @room
 *
 * How the list was cut does not matter, only where the memory lies.
 *
 * Return: 0; -ERANGE where memory that does not go on where the list was before does not begin on a
 * page, or what comes before it does not end with one; -EINVAL. Nothing is written then.
 */
int par_sg_pages(const struct par_sg *list, size_t page_bytes, uint64_t *dma, size_t room,
                 size_t *ret_count) PAR_MUST_CHECK;

#ifdef __cplusplus
}
#endif

#endif /* PAR_SG_H */
