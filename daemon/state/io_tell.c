/* SPDX-License-Identifier: MIT */
/*
 * What a client says of the I/O addresses of its buffers. Believes nothing but that it says so:
 * everything is held against the buffer, and nothing becomes more than IO_PARTS_MAX parts of it.
 */
#include "refusal.h"
#include "state_private.h"

#include <errno.h>
#include <inttypes.h>

/* Return: 0; PAR_REFUSED_INVALID. */
static int check_part(const struct buffer *buffer, const struct io_tell_part *part,
                      struct refusal *refusal)
{
        const uint64_t beyond_first = part->iova.last - part->iova.first; /* its bytes but one */

        if (part->iova.first <= part->iova.last && part->offset < buffer->size_bytes &&
            beyond_first < buffer->size_bytes - part->offset)
                return 0;
        return refusal_set(refusal, PAR_REFUSED_INVALID,
                           "I/O addresses 0x%" PRIx64 " to 0x%" PRIx64 " at offset %" PRIu64
                           " are not inside a buffer of %" PRIu64 " bytes",
                           part->iova.first, part->iova.last, part->offset, buffer->size_bytes);
}

/* Return: 0; PAR_REFUSED_INVALID. */
static int check(const struct buffer *buffer, const struct io_tell *tell, struct refusal *refusal)
{
        if (tell->space < 1 || tell->space > IO_SPACES_MAX)
                return refusal_set(refusal, PAR_REFUSED_INVALID,
                                   "space %" PRIu32 ": they are numbered from 1 to %d", tell->space,
                                   IO_SPACES_MAX);
        for (size_t i = 0; i < tell->n_parts; i++) {
                int r = check_part(buffer, &tell->parts[i], refusal);

                if (r)
                        return r;
                for (size_t j = 0; j < i; j++)
                        if (range_overlaps(tell->parts[i].iova, tell->parts[j].iova))
                                return refusal_set(refusal, PAR_REFUSED_INVALID,
                                                   "two parts have the same I/O addresses");
        }
        return 0;
}

/* The PCI address of the device. Return: whether it is known. */
static bool pci_of(const struct state *state, const struct io_tell *tell, struct pci_function *ret)
{
        const struct device_settings *device;

        if (tell->pci)
                *ret = *tell->pci;
        if (tell->pci || pci_function_parse(tell->device, ret, NULL))
                return true;
        device = *tell->device ? state_device(state, tell->device) : NULL;
        return device && pci_function_parse(device->pci, ret, NULL);
}

int state_io_tell(struct state *state, struct client *client, const struct io_tell *tell,
                  uint64_t now_ns, struct refusal *refusal)
{
        struct buffer *buffer = client_buffer(client, tell->buffer);
        struct io_mapping *mapping;
        struct pci_function pci;
        int r;

        assert(tell->n_parts <= IO_PARTS_MAX);

        if (!buffer)
                return refusal_set(refusal, PAR_REFUSED_GONE, "this client has no buffer %" PRIu64,
                                   tell->buffer);
        if (!tell->n_parts) {
                if (buffer->io)
                        io_index_end(&state->io, buffer->io, now_ns);
                return 0;
        }
        r = check(buffer, tell, refusal);
        if (r)
                return r;
        mapping = io_mapping_new(buffer, tell, pci_of(state, tell, &pci) ? &pci : NULL);
        if (!mapping)
                return -ENOMEM;
        r = io_index_put(&state->io, mapping, now_ns);
        if (r > 0)
                r = refusal_set(refusal, r,
                                "more than %d buffers are mapped at these I/O addresses",
                                IO_REPLACED_MAX);
        return r;
}
