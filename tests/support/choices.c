/* SPDX-License-Identifier: MIT */
/* Owns nothing; the input is the caller's. */
#include "choices.h"

#include <string.h>

#define FEW 65536

struct choices choices_from_seed(uint64_t seed)
{
        return (struct choices){ .random = { seed } };
}

struct choices choices_from_input(const uint8_t *bytes, size_t size)
{
        return (struct choices){ .bytes = bytes, .left = size };
}

static uint64_t take(struct choices *choices, size_t size)
{
        uint64_t value = 0;

        if (choices->left < size) {
                choices->left = 0;
                choices->over = true;
                return 0;
        }
        memcpy(&value, choices->bytes, size);
        choices->bytes += size;
        choices->left -= size;
        return value;
}

uint64_t choose(struct choices *choices, uint64_t below)
{
        if (!choices->bytes)
                return random_below(&choices->random, below);
        return take(choices, below <= FEW ? sizeof(uint16_t) : sizeof(uint64_t)) % below;
}

bool choose_one_in(struct choices *choices, uint64_t n)
{
        return choose(choices, n) == n - 1;
}

uint64_t choose_any(struct choices *choices)
{
        return choices->bytes ? take(choices, sizeof(uint64_t)) : random_next(&choices->random);
}

uint64_t choose_power(struct choices *choices, unsigned from, unsigned to)
{
        return UINT64_C(1) << (from + choose(choices, to - from + 1));
}
