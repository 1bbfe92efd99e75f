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
 * @view:    of the device that it is for; see lookup.h
 * @io:      for a device behind an IOMMU
 */
struct wish {
        Wire__Request message;
        Wire__Alloc alloc;
        Wire__Open open;
        Wire__Constraint constraint;
        Wire__Principal allow[PAR_ALLOW_MAX], *allow_pointers[PAR_ALLOW_MAX];
        uint32_t flags, view;
        struct io_wish io;
};

/* struct asker - who wants a buffer: a call of the program's; @holder: and for whom */
struct asker {
        struct debug_call call;
        enum debug_holder holder;
};

/* par_alloc() and par_free(), for who was called by somebody else. More than five parameters since
 * par_alloc() has so many. */
int buffer_ask(struct par *par, size_t size, const struct par_constraint *constraint,
               const struct par_alloc_options *options, const struct asker *asker,
               struct par_buffer **ret) PAR_MUST_CHECK;
void buffer_release(struct par_buffer *buffer, struct debug_call call);

/* A wish for nothing yet. */
void wish_init(struct wish *wish);

/* Who else may open it. Return: 0; -EINVAL. */
int wish_principals(struct wish *wish, const struct par_alloc_options *options);

/* Plan where the buffer will be for its device, if that is for us to say. io_wish_deinit() also
 * after a failure. */
int wish_plan(struct wish *wish, struct par *par, const struct par_constraint *constraint,
              const struct par_device *device);

/**
 * wish_fulfil() - ask until it is granted, refused, or hopeless
 * @ret: written only with 0; owned by the caller: par_free()
 *
 * Return: 0; what par_alloc() returns. par_error() is set.
 */
int wish_fulfil(struct par *par, struct wish *wish, struct par_buffer **ret);

/* What was granted to last, and whose caller never hears of it, keeps no name: nobody could have
 * that. @r: why not; par_error() stays what it was. */
void wish_forget_name(struct par *par, const struct wish *wish, int r);
