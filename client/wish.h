/* SPDX-License-Identifier: MIT */
/*
 * What a caller wants: a buffer that pard is asked for, new or existing.
 */
#pragma once

#include "handle.h"
#include "io_wish.h"

/**
 * struct wish - as the wire has it; refers to the caller's strings
 * @message: an Alloc, which is @alloc, or an Open, which is @open
 * @flags:   PAR_ALLOC_*
 * @io:      for a device behind an IOMMU
 */
struct wish {
        Wire__Request message;
        Wire__Alloc alloc;
        Wire__Open open;
        Wire__Constraint constraint;
        Wire__Principal allow[PAR_ALLOW_MAX], *allow_pointers[PAR_ALLOW_MAX];
        uint32_t flags;
        struct io_wish io;
};

/* A wish for nothing yet. */
void wish_init(struct wish *wish);

/**
 * wish_fulfil() - ask until it is granted, refused, or hopeless
 * @ret: written only with 0; owned by the caller: par_free()
 *
 * Return: 0; what par_alloc() returns. par_error() is set.
 */
int wish_fulfil(struct par *par, struct wish *wish, struct par_buffer **ret);
