/* SPDX-License-Identifier: MIT */
/*
 * Between alloc.c, batch.c and wish.c alone: what is done of one buffer and of several.
 */
#pragma once

#include "wish.h"

/* Return: 0; -EINVAL. par_error() is set. */
int alloc_check(struct par *par, const struct par_constraint *constraint,
                const struct par_alloc_options *options);

/* Make it an Alloc, which borrows the strings. */
void wish_alloc(struct wish *wish, size_t size, const struct par_constraint *constraint,
                const struct par_alloc_options *options);

/**
 * alloc_tell_freed() - send a Free or a FreeBatch, and await its reply
 * @message:  with par->frames.telling as its frames; @n_dropped: how many, in it, filled in
 *
 * With the lock held.
 *
 * Return: 0, also where the session is over, or another worker had done it; -errno or -PAR_*, which
 * is not logged yet.
 */
int alloc_tell_freed(struct par *par, Wire__Request *message, size_t *n_dropped,
                     struct request *request);

/* Tell the daemon that a buffer, and perhaps frames, are no longer used. With the lock held. */
void alloc_send_free(struct par *par, uint64_t id);

/* Memory can fail while nobody uses it, and pard looks only now and then. */
bool alloc_has_failed(const struct par_buffer *buffer);

/* Whose addresses the buffer has. @view: of the device that it was asked for. */
uint32_t alloc_view(const struct par_buffer *buffer, uint32_t view);

/* Zero what this owner had before. Without the lock: it may take long. */
void alloc_zero(struct par_buffer *buffer);

/* Why a grant was given back. Return: @fault. */
int alloc_fault(int fault);
