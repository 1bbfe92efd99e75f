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

static uint64_t power_above(uint64_t size)
{
        return UINT64_C(1) << (64 - __builtin_clzll(size - 1));
}

static bool chance(struct random *random, uint64_t share, uint64_t whole)
{
        return share < whole && random_below(random, whole) < share;
}

struct constraint mix_draw(const struct mix *mix, struct random *random)
{
        struct constraint want = {
                .window = RANGE_ALL,
                .size_bytes = mix_size(random, UINT64_MAX),
                .align_bytes = SIZE_STEP,
                .max_segments = 1,
        };

        if (chance(random, LOW_END, mix->memory_bytes))
                want.window.last = LOW_END - 1;
        if (chance(random, DMA_END * DMA_FREQUENCY, mix->memory_bytes)) {
                want.window.last = DMA_END - 1;
                want.size_bytes = small_size(random);
        }
        if (random_one_in(random, 10) && want.size_bytes <= ALIGN_MAX)
                want.align_bytes = power_above(want.size_bytes);
        if (random_one_in(random, 20) && want.size_bytes <= BOUNDARY)
                want.boundary_bytes = BOUNDARY;
        return want;
}
