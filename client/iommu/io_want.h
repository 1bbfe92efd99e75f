/* SPDX-License-Identifier: MIT */
/*
 * What a request and a device, both together, demand of the addresses that the device is given.
 */
#pragma once

#include "mapper.h"
#include "public.h"

#include "constraint.h"

/**
 * struct io_want - what is demanded
 * @limits:   size_bytes a multiple of io_space_granule() where a place is to be found for it
 * @who:      whose limits narrowed the request's: a device; borrowed
 * @set_by_device: by limit: it is @who's, not the request's
 * @access: what the device may do there
 */
struct io_want {
        struct constraint limits;
        const char *who;
        bool set_by_device[LIMIT_COUNT];
        enum io_access access;
};

/* What a request demands, of memory to be read and written. @constraint: any values, with 0 for no
 * limit; NULL: as all zero. */
void io_want_init(struct io_want *want, uint64_t size_bytes,
                  const struct par_constraint *constraint);

/* Each limit of a device that is tighter takes the request's place. @name: borrowed with @want. */
void io_want_narrow(struct io_want *want, const struct par_constraint *device, const char *name);

/* Who set a limit, in @text: "the request", or "device capture0". */
#define IO_WANT_WHO_BYTES 160
const char *io_want_setter(const struct io_want *want, enum limit limit,
                           char text[IO_WANT_WHO_BYTES]);

/* Whether a constraint has nothing in it that is not known yet. Return: 0; -EINVAL: par_error() is
 * set. */
int io_want_check(const struct par_constraint *constraint);
