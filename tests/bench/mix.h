/* SPDX-License-Identifier: MIT */
/*
 * What is asked for while memory is filled and churned:
 *
 *   of 100  size                        why
 *       50  4 KiB to 64 KiB, even       descriptors, rings, packet buffers
 *       30  64 KiB to 1 MiB, by octave  buffers
 *       15  2 MiB                       a huge page
 *        5  1 MiB to 8 MiB, by octave   large frames
 *
 * Sizes are multiples of 4 KiB, 0.6 MiB on average. One in ten is aligned to the power of two above
 * it, up to 2 MiB; one in twenty of those up to 64 KiB keeps to a boundary of 64 KiB.
 *
 * Low memory is asked for in proportion to its share of all memory, so that it is as full as the
 * rest by requests that need it: with a window below 4 GiB as often as 4 GiB are of the memory;
 * below 16 MiB, for small sizes only, 16 times as often as 16 MiB are.
 */
#pragma once

#include "constraint.h"
#include "random.h"

/**
 * struct mix - requests for one memory
 * @memory_bytes: the memory is [0, @memory_bytes)
 */
struct mix {
        uint64_t memory_bytes;
};

/**
 * struct request - one of them, in 8 bytes, since there are tens of millions
 * @size:       in 4 KiB
 * @align:      in 4 KiB, as a logarithm
 * @below:      the window ends below so many 4 KiB, as a logarithm; 0: it does not end
 * @boundary:   in 4 KiB, as a logarithm; 0: none
 */
struct request {
        uint32_t size;
        uint8_t align, below, boundary;
};

/* The next request. */
struct request mix_draw(const struct mix *mix, struct random *random);

/* What it demands, in one piece. */
struct constraint request_constraint(struct request request);

static inline uint64_t request_bytes(struct request request)
{
        return (uint64_t)request.size << 12;
}

/* The size of one, at most @most bytes, a multiple of 4 KiB. */
uint64_t mix_size(struct random *random, uint64_t most);
