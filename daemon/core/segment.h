/* SPDX-License-Identifier: MIT */
/*
 * How contiguous memory is cut into what a device calls segments: at boundaries, and at the longest
 * segment. A pure function of the constraint and the address, so nobody stores segments.
 */
#pragma once

#include "constraint.h"

/**
 * segment_bytes_max() - the longest segment that a constraint allows
 * @want: valid constraint; only its boundary, alignment and max_segment_bytes are looked at
 *
 * Return: bytes, > 0; UINT64_MAX where nothing limits them.
 */
uint64_t segment_bytes_max(const struct constraint *want);

/**
 * segment_length() - bytes of the segment that starts at an address
 * @want:       valid constraint; only its boundary, alignment and max_segment_bytes are looked at
 * @first:      address where the segment starts
 * @left_bytes: bytes of the contiguous piece from @first on, > 0
 *
 * Return: between 1 and @left_bytes.
 */
uint64_t segment_length(const struct constraint *want, uint64_t first, uint64_t left_bytes);

/**
 * segment_count() - how many segments a contiguous piece is cut into
 * @want:  valid constraint
 * @piece: contiguous memory
 *
 * Return: at least 1. Takes constant time, however many they are.
 */
uint64_t segment_count(const struct constraint *want, struct range piece);
