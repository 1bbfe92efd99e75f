/* SPDX-License-Identifier: MIT */
/*
 * Owns nothing; tells where parts of buffers lie for the device. Refuses to mix addresses that are
 * not meant for the same device.
 */
#include "sg.h"

#include "handle.h"

#include <errno.h>
#include <inttypes.h>

/* Whether @view's addresses are those of the list. */
static int check_view(struct sg_adding *adding, uint32_t view)
{
        const struct par_device *device = adding->list->device;
        const uint32_t ours = device ? atomic_load(&device->view) : adding->view;

        if (device) {
                /* A device that is behind no IOMMU may see part of memory where it lies. */
                if (view == ours ||
                    (ours >= VIEW_DEVICES && (view == VIEW_MEMORY || view == VIEW_NONE)))
                        return 0;
                return error_set(-EINVAL,
                                 "a buffer has addresses for another device than %s: it was not "
                                 "allocated for it",
                                 device->name);
        }
        if (adding->has_view && view != ours)
                return error_set(-EINVAL, "buffers for different devices in one list");
        adding->view = view;
        adding->has_view = true;
        return 0;
}

/* Memory's own address becomes the device's. Return: 0; -PAR_NEVER_FITS. */
static int translate(const struct sg_adding *adding, uint32_t view, struct par_segment *piece)
{
        const struct par_device *device = adding->list->device;
        const uint64_t phys = piece->dma;

        if (!device || view != VIEW_MEMORY ||
            reach_see(&device->reach, phys, piece->length, &piece->dma))
                return 0;
        return error_set(-PAR_NEVER_FITS,
                         "device %s does not see memory at %#" PRIx64 " to %#" PRIx64
                         " through its bus windows",
                         device->name, phys, phys + (piece->length - 1));
}

static int add_piece(struct sg_adding *adding, uint32_t view, struct par_segment *piece)
{
        int r = translate(adding, view, piece);

        return r ? r : sg_adding_piece(adding, piece);
}

/* ---- of a buffer ---------------------------------------------------------------------------- */

static int check_part(const struct par_sg *list, const struct par_sg_part *part)
{
        const struct par_buffer *buffer = part->buffer;

        if (part->memory)
                return error_set(-EINVAL, "a part has a buffer and an address in memory");
        if (list->par && list->par != buffer->par)
                return error_set(-EINVAL, "the buffer belongs to another connection");
        if (part->offset > buffer->size || part->length > buffer->size - part->offset)
                return error_set(-EINVAL, "%zu bytes from offset %zu: the buffer has %zu",
                                 part->length, part->offset, buffer->size);
        return buffer_check_dma(buffer);
}

static int add_buffer(struct sg_adding *adding, const struct par_sg_part *part)
{
        const struct par_buffer *buffer = part->buffer;
        const struct par_segment *segment;
        struct par_segment piece;
        uint64_t from = part->offset, left;
        int r;

        if (debug_on() &&
            debug_buffer_is_stale(buffer, part->length ? DEBUG_USE_FACT : DEBUG_USE_WHOLE,
                                  adding->call))
                return error_set(-EINVAL, "a part of a buffer that was freed");
        r = check_part(adding->list, part);
        if (!r)
                r = check_view(adding, buffer->view);
        left = part->length;
        if (!r && !left)
                left = buffer->size - from;
        for (segment = left && !r ? buffer_segment_at(buffer, from) : NULL; !r && left; segment++) {
                const uint64_t into = from - segment->offset;

                piece = *segment;
                piece.dma += into;
                piece.length -= into;
                if (piece.phys != PAR_PHYS_NONE)
                        piece.phys += into;
                if (piece.length > left)
                        piece.length = left;
                r = add_piece(adding, buffer->view, &piece);
                from += piece.length;
                left -= piece.length;
        }
        return r;
}

/* ---- of any buffer, by its address ---------------------------------------------------------- */

static int add_extent(struct sg_adding *adding, uint64_t address, uint64_t *left)
{
        struct par_segment piece = { .phys = PAR_PHYS_NONE };
        struct extent extent;
        int r;

        if (!lookup_pointer(&adding->list->par->lookup, address, &extent)) {
                if (debug_on())
                        debug_pointer_missed((const void *)(uintptr_t)address, adding->call);
                return error_set(-EFAULT,
                                 "no buffer at %#llx: other memory has no address for a "
                                 "device",
                                 (unsigned long long)address);
        }
        if (extent.dma == PAR_PHYS_NONE)
                return error_set(-PAR_DENIED,
                                 "the pool of the buffer at %#llx hides the addresses of its "
                                 "memory: a device has some after par_device_attach_vfio()",
                                 (unsigned long long)address);
        r = check_view(adding, extent.view);
        if (r)
                return r;
        piece.dma = extent.dma + (address - extent.first);
        piece.length = extent.bytes - (address - extent.first);
        if (piece.length > *left)
                piece.length = *left;
        *left -= piece.length;
        return add_piece(adding, extent.view, &piece);
}

static int add_memory(struct sg_adding *adding, const struct par_sg_part *part)
{
        uint64_t left = part->length, first, last;
        int r;

        if (!left)
                return 0;
        if (!adding->list->par)
                return error_set(-EINVAL, "a part without a buffer, in a list of no connection");
        r = handle_check(adding->list->par);
        if (!r && (__builtin_add_overflow((uintptr_t)part->memory, part->offset, &first) ||
                   __builtin_add_overflow(first, left - 1, &last)))
                r = error_set(-EINVAL, "a part goes beyond the last address of this process");
        while (!r && left) {
                const uint64_t before = left;

                r = add_extent(adding, first, &left);
                first += before - left;
        }
        return r;
}

int sg_adding_parts(struct sg_adding *adding, const struct par_sg_part *parts, size_t count)
{
        int r = 0;

        for (size_t i = 0; i < count && !r; i++) {
                if (parts[i].reserved[0] || parts[i].reserved[1])
                        return error_set(-EINVAL, "a part: a reserved field is not zero");
                r = parts[i].buffer ? add_buffer(adding, &parts[i]) : add_memory(adding, &parts[i]);
        }
        return r;
}
