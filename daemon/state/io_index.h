/* SPDX-License-Identifier: MIT */
/*
 * Who has an I/O address, and who had it: a device that was not stopped goes on writing to where
 * its buffer was, which the IOMMU stops and the kernel reports.
 *
 * Former mappings are ranges, not frames, so they are not remembered with those (history.h), but in
 * a tree like the one for present ones.
 */
#pragma once

#include "io_tree.h"

/* Former mappings that are remembered, of all and of one uid: who ends many pushes out his own. The
 * one that ended longest ago is forgotten first. */
#define IO_PAST_MAX     8192
#define IO_PAST_UID_MAX 1024

/* A new mapping may take the place of so many others. */
#define IO_REPLACED_MAX 16

TAILQ_HEAD(io_mapping_queue, io_mapping);
RB_HEAD(io_space_tree, io_part);

/**
 * struct io_uid - what the mappings of a uid have in common
 * @n_mappings: that refer to it, former ones too
 * @ended:      former ones, the latest last
 */
struct io_uid {
        uint32_t uid;
        size_t n_mappings, n_ended;
        struct io_mapping_queue ended;
        RB_ENTRY(io_uid) by_uid; /* io_index::uids */
};

RB_HEAD(io_uid_tree, io_uid);

/**
 * struct io_index - embedded in the state
 * @now, @past: parts by their addresses
 * @spaces:     those of @now by client, space and address: they do not overlap there
 * @ended:      former mappings, the latest last
 */
struct io_index {
        struct io_tree now, past;
        struct io_space_tree spaces;
        struct io_mapping_queue ended;
        size_t n_ended;
        struct io_uid_tree uids;
        uint64_t last_number;
};

void io_index_init(struct io_index *index);
void io_index_deinit(struct io_index *index); /* present mappings too; their buffers are gone */

/**
 * io_index_put() - a buffer is mapped
 * @mapping: becomes its buffer's; consumed. What the buffer had before ends, and what the client
 *           had at these addresses of its space: there cannot be two
 *
 * Return: 0; -ENOMEM, or PAR_REFUSED_BUSY where it would take the place of more than
 * IO_REPLACED_MAX: nothing changed.
 */
int io_index_put(struct io_index *index, struct io_mapping *mapping, uint64_t now_ns);

/* A mapping is over, and becomes a former one. */
void io_index_end(struct io_index *index, struct io_mapping *mapping, uint64_t now_ns);

/* The same because its buffer is given back, or was at @until_ns; before the buffer is freed. */
void io_index_end_buffer(struct io_index *index, struct buffer *buffer, uint64_t until_ns);

/* io_check.c: walk every invariant; asserts. */
void io_index_check(const struct io_index *index);
