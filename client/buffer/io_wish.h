/* SPDX-License-Identifier: MIT */
/*
 * The I/O addresses of a buffer while it is being granted, for a device behind an IOMMU.
 */
#pragma once

#include "buffer.h"
#include "io_space.h"

/**
 * struct io_wish - what is wanted, and what is taken so far
 * @space:   NULL: the buffer's addresses are physical, and nothing is mapped
 * @want:    what the device and the request allow
 * @place:   @taken until io_wish_map() or io_wish_deinit()
 */
struct io_wish {
        struct par *par;
        struct io_space *space;
        struct io_want want;
        struct range place;
        bool taken;
};

/**
 * io_wish_init() - plan where a buffer will be for the device
 * @wish:       io_wish_deinit(), also after a failure
 * @par:        borrowed until then
 * @size:       bytes
 * @constraint: NULL: as all zero; borrowed
 * @device:     NULL, or not attached: nothing is planned; borrowed
 *
 * Return: 0; what io_space_take() returns. par_error() is set.
 */
int io_wish_init(struct io_wish *wish, struct par *par, size_t size,
                 const struct par_constraint *constraint, const struct par_device *device);

/**
 * io_wish_map() - map a buffer for the device
 * @buffer: whole, and its user does not have it yet. From now on its segments and runs have I/O
 *          addresses, and io_unmap() has to be called
 *
 * Does nothing where nothing was planned.
 *
 * Return: 0; what io_space_map() returns; -EPROTO where the buffer is not as large as was asked
 * for; -ENOMEM. par_error() is set.
 */
int io_wish_map(struct io_wish *wish, struct par_buffer *buffer);

/* Give back what was taken and not used. */
void io_wish_deinit(struct io_wish *wish);

/* The device no longer has a buffer that is about to be given up; nothing where it never had it. */
void io_unmap(struct par_buffer *buffer);
