/* SPDX-License-Identifier: MIT */
/*
 * Where a client says that it has mapped a buffer for a device behind an IOMMU. pard cannot check
 * that, and grants nothing because of it: it is for people who look for the owner of an address.
 */
#pragma once

#include "lists.h"
#include "pci_function.h"
#include "range.h"
#include "state.h"

struct buffer;
struct io_uid;

/* Where a former buffer lay is remembered for so many runs of memory at most. */
#define IO_RUNS_KEPT_MAX 64

/**
 * struct io_part - adjacent I/O addresses of a buffer
 * @offset:  in the buffer, of the first
 * @highest: I/O address of what is below it in the tree; see io_tree.c
 */
struct io_part {
        struct range iova;
        uint64_t offset, highest;
        struct io_mapping *mapping;
        RB_ENTRY(io_part) by_iova;  /* io_index::now or ::past */
        RB_ENTRY(io_part) by_space; /* io_index::spaces; only while it is mapped */
};

/**
 * struct io_mapping - all parts of one buffer
 * @buffer:   while it is mapped; then NULL
 * @number:   of the mapping, never used twice
 * @space:    of the client's choice; only one mapping of a client's space has an address
 * @client, @label: of the buffer; @device: as the client said, or ""
 * @until_ns: when it ended
 * @runs:     where the former buffer lay, owned; NULL where that is not known
 * @uid_of:   its uid's
 */
struct io_mapping {
        struct buffer *buffer;
        uint64_t number, buffer_id, buffer_bytes, client_id;
        uint32_t space, uid, pid;
        bool has_pci;
        struct pci_function pci;
        char device[LABEL_BYTES_MAX + 1];
        char client[LABEL_BYTES_MAX + 1], label[LABEL_BYTES_MAX + 1];
        uint64_t until_ns;
        struct range *runs;
        size_t n_runs;
        struct io_uid *uid_of;
        TAILQ_ENTRY(io_mapping) ended;     /* io_index::ended */
        TAILQ_ENTRY(io_mapping) ended_uid; /* io_uid::ended */
        size_t n_parts;
        struct io_part parts[];
};

/**
 * io_mapping_new() - of a buffer, in no index
 * @tell: valid for @buffer; borrowed
 * @pci:  of the device; NULL: not known
 *
 * Return: owned by the caller; NULL without memory.
 */
struct io_mapping *io_mapping_new(struct buffer *buffer, const struct io_tell *tell,
                                  const struct pci_function *pci);
void io_mapping_free(struct io_mapping *mapping); /* in no index; NULL is fine */

/* It is over, whatever becomes of the buffer. */
void io_mapping_end(struct io_mapping *mapping, uint64_t until_ns);

/* The same because the buffer is about to be freed: where it lay is taken from it. */
void io_mapping_end_with_buffer(struct io_mapping *mapping, uint64_t until_ns);

/* Where a byte of the buffer lies, or lay. Return: whether that is known. */
bool io_mapping_phys(const struct io_mapping *mapping, uint64_t offset, uint64_t *ret);

/* Whether it was told for this device: a name, or a PCI address. */
bool io_mapping_is_for(const struct io_mapping *mapping, const char *device);
