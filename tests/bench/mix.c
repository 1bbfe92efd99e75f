/* SPDX-License-Identifier: MIT */
/* Owns nothing. */
#include "mix.h"

#include "macros.h"

#define SIZE_STEP     (4 * KiB)
#define SMALL_MAX     (64 * KiB)
#define ALIGN_MAX     (2 * MiB)
#define BOUNDARY      (64 * KiB)
#define LOW_END       (4 * GiB)
#define DMA_END       (16 * MiB)
#define DMA_FREQUENCY 16 /* the average size is so many times that of a small one */

static uint64_t small_size(struct random *random)
{
        return SIZE_STEP * (1 + random_below(random, SMALL_MAX / SIZE_STEP));
}

/* Between @least and @least << @octaves. */
static uint64_t octave_size(struct random *random, uint64_t least, unsigned octaves)
{
        const uint64_t octave = least << random_below(random, octaves);

        return octave + SIZE_STEP * random_below(random, octave / SIZE_STEP + 1);
}

uint64_t mix_size(struct random *random, uint64_t most)
{
        const uint64_t kind = random_below(random, 100);
        uint64_t size;

        if (kind < 50 || most <= SMALL_MAX)
                size = small_size(random);
        else if (kind < 80)
                size = octave_size(random, 64 * KiB, 4);
        else if (kind < 95)
                size = 2 * MiB;
        else
                size = octave_size(random, MiB, 3);
        return size < most ? size : most;
}

/* Doublings of 4 KiB that make up a power of two. */
static uint8_t doublings(uint64_t bytes)
{
        return (uint8_t)__builtin_ctzll(bytes / SIZE_STEP);
}

/* Doublings of 4 KiB until there are so many bytes. */
static uint8_t doublings_to(uint64_t bytes)
{
        return bytes > SIZE_STEP ? (uint8_t)(64 - __builtin_clzll((bytes - 1) / SIZE_STEP)) : 0;
}

static bool chance(struct random *random, uint64_t share, uint64_t whole)
{
        return share < whole && random_below(random, whole) < share;
}

struct request mix_draw(const struct mix *mix, struct random *random)
{
        uint64_t bytes = mix_size(random, UINT64_MAX);
        struct request request = { 0 };

        if (chance(random, LOW_END, mix->memory_bytes))
                request.below = doublings(LOW_END);
        if (chance(random, DMA_END * DMA_FREQUENCY, mix->memory_bytes)) {
                request.below = doublings(DMA_END);
                bytes = small_size(random);
        }
        if (random_one_in(random, 10) && bytes <= ALIGN_MAX)
                request.align = doublings_to(bytes);
        if (random_one_in(random, 20) && bytes <= BOUNDARY)
                request.boundary = doublings(BOUNDARY);
        request.size = (uint32_t)(bytes / SIZE_STEP);
        return request;
}

struct constraint request_constraint(struct request request)
{
        return (struct constraint){
                .window = { 0, request.below ? (SIZE_STEP << request.below) - 1 : UINT64_MAX },
                .size_bytes = request_bytes(request),
                .align_bytes = SIZE_STEP << request.align,
                .boundary_bytes = request.boundary ? SIZE_STEP << request.boundary : 0,
                .max_segments = 1,
        };
}
