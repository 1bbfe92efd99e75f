/* SPDX-License-Identifier: MIT */
/*
 * Sentences about I/O addresses that cannot be had.
 */
#pragma once

#include "io_space.h"
#include "iova_plan.h"

/**
 * io_refusal_place() - there is no place
 * @r: what iova_plan_take() returned, above 0
 *
 * Return: the negative value, with par_error() set.
 */
int io_refusal_place(int r, const struct iova_plan *plan, const struct io_want *want,
                     const struct iova_refusal *refusal);

/**
 * struct io_count - the mappings of a container
 * @mappings: of this connection
 * @room:     how many of them it would have taken when the device was attached; UINT32_MAX: unknown
 */
struct io_count {
        size_t mappings, room;
};

/**
 * io_refusal_map() - a buffer cannot be mapped at its place
 * @r:     what mapper_ops.map() returned
 * @place: where
 * @count: of its container
 *
 * Return: -PAR_QUOTA for -ENOSPC, and for -ENOMEM where RLIMIT_MEMLOCK explains it; otherwise @r.
 * par_error() is set.
 */
int io_refusal_map(int r, struct range place, const struct io_count *count);
