/* SPDX-License-Identifier: MIT */
/*
 * Sentences about memory that does not go into a scatter list.
 */
#pragma once

#include "io_want.h"

/* All return what par_sg_create() or par_sg_add() does, with par_error() set. */

/* The limits make no sense. @r: what constraint_check() returned, above 0. */
int sg_refuse_limit(int r, const struct io_want *want, enum limit limit);

/* @piece is not inside of the window. Return: -PAR_NEVER_FITS. */
int sg_refuse_window(const struct io_want *want, struct range piece);

/* A segment would begin at @first. @cut: since what comes before it has to end there. Return:
 * -PAR_NEVER_FITS. */
int sg_refuse_align(const struct io_want *want, uint64_t first, bool cut);

/* @bytes are @count segments, which is too many. Return: -PAR_NEVER_FITS where they are too many
 * wherever they lie; otherwise -PAR_FRAGMENTED. */
int sg_refuse_count(const struct io_want *want, uint64_t count, uint64_t bytes);
