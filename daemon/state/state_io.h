/* SPDX-License-Identifier: MIT */
/*
 * I/O addresses, which clients behind an IOMMU tell of their buffers. Nothing that is granted or
 * refused depends on them.
 */
#pragma once

#include "pci_function.h"
#include "range.h"
#include "state_settings.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define IO_PARTS_MAX  4  /* of a buffer */
#define IO_SPACES_MAX 64 /* of a client: its spaces are numbered from 1 */

#define IO_HOLDERS_MAX 8 /* in an answer, of each kind */
#define IO_STEPS_MAX   1024

struct client;
struct refusal;
struct state;

/* Adjacent I/O addresses, and where in the buffer they begin. */
struct io_tell_part {
        struct range iova;
        uint64_t offset;
};

/**
 * struct io_tell - what a client says of a buffer
 * @space:  1 to IO_SPACES_MAX
 * @device: at most LABEL_BYTES_MAX bytes; "": not said
 * @pci:    NULL: that of the device in the configuration, where there is such a one
 * @parts:  @n_parts of them, at most IO_PARTS_MAX; 0: it is not mapped any more
 */
struct io_tell {
        uint64_t buffer;
        uint32_t space;
        const char *device;
        const struct pci_function *pci;
        const struct io_tell_part *parts;
        size_t n_parts;
};

/**
 * state_io_tell() - remember where a client has mapped a buffer
 * @tell: borrowed; anything that a client can say but for too many parts
 *
 * What it told before of this buffer, or of others at these addresses of its space, is over.
 *
 * Return: 0; PAR_REFUSED_GONE, PAR_REFUSED_INVALID, PAR_REFUSED_BUSY, with @refusal filled;
 * -ENOMEM.
 */
int state_io_tell(struct state *state, struct client *client, const struct io_tell *tell,
                  uint64_t now_ns, struct refusal *refusal);

/**
 * struct io_holder - who has an I/O address, or had it
 * @known:  the asker may know who; otherwise the strings are "", and @has_pci, @has_phys false
 * @offset: of the address in the buffer
 * @part:   of the buffer, in which the address lies; @iova is all of it
 * @phys:   where that byte lies, or lay: for administrators
 * @age_ns: since it was granted, or since it ended
 * @pool, @state, @page_bytes: of one that has it
 */
struct io_holder {
        bool known, has_pci, has_phys;
        const char *client, *label, *device;
        uint32_t uid, pid;
        struct pci_function pci;
        uint64_t buffer, size_bytes, offset;
        size_t part;
        struct range iova;
        uint64_t phys, age_ns;
        const char *pool, *state;
        uint64_t page_bytes;
};

/**
 * struct io_report - what clients have told of an I/O address
 * @former:        who had it before, the latest first
 * @other_devices: none was told for the device that was asked for: these are of others
 * @more:          there were more
 *
 * The strings are valid until the state changes.
 */
struct io_report {
        struct io_holder holders[IO_HOLDERS_MAX], former[IO_HOLDERS_MAX];
        size_t n_holders, n_former;
        bool other_devices, more;
};

/**
 * state_io_lookup() - whose is an I/O address, and whose was it?
 * @device: a name or a PCI address; "": any. Where somebody told of this device, others are left
 *          out
 */
void state_io_lookup(const struct state *state, const struct client *asker, uint64_t address,
                     const char *device, uint64_t now_ns, struct io_report *ret);
