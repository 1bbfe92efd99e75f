/* SPDX-License-Identifier: MIT */
/*
 * Bits in 64-bit words, searched word by word as find_next_bit() of the kernel does
 * (lib/find_bit.c). The words belong to the caller.
 */
#pragma once

#include <assert.h>
#include <stdint.h>

#define BITMAP_WORD_BITS 64

/* Words for so many bits. */
static inline uint64_t bitmap_words(uint64_t n_bits)
{
        return (n_bits + BITMAP_WORD_BITS - 1) / BITMAP_WORD_BITS;
}

/* The first bit from @at on that differs from those of @all (0 or UINT64_MAX); @end if none. */
static inline uint64_t bitmap_next_unlike(const uint64_t *words, uint64_t at, uint64_t end,
                                          uint64_t all)
{
        uint64_t i = at / BITMAP_WORD_BITS, word;

        if (at >= end)
                return end;
        word = (words[i] ^ all) & (UINT64_MAX << at % BITMAP_WORD_BITS);
        while (!word) {
                if (++i * BITMAP_WORD_BITS >= end)
                        return end;
                word = words[i] ^ all;
        }
        at = i * BITMAP_WORD_BITS + (uint64_t)__builtin_ctzll(word);
        return at < end ? at : end;
}

/* The first bit of [@at, @end) that is set; @end if none. */
static inline uint64_t bitmap_next_set(const uint64_t *words, uint64_t at, uint64_t end)
{
        return bitmap_next_unlike(words, at, end, 0);
}

/* The first bit of [@at, @end) that is clear; @end if none. */
static inline uint64_t bitmap_next_clear(const uint64_t *words, uint64_t at, uint64_t end)
{
        return bitmap_next_unlike(words, at, end, UINT64_MAX);
}

/* Invert [@at, @at + @n), all bits of which are the same; @n > 0. */
static inline void bitmap_flip(uint64_t *words, uint64_t at, uint64_t n)
{
        const uint64_t last = at + n - 1;
        const uint64_t first_mask = UINT64_MAX << at % BITMAP_WORD_BITS;
        const uint64_t last_mask = UINT64_MAX >> (BITMAP_WORD_BITS - 1 - last % BITMAP_WORD_BITS);
        uint64_t i = at / BITMAP_WORD_BITS;

        assert(n > 0);
        if (i == last / BITMAP_WORD_BITS) {
                words[i] ^= first_mask & last_mask;
                return;
        }
        words[i] ^= first_mask;
        while (++i < last / BITMAP_WORD_BITS)
                words[i] = ~words[i];
        words[i] ^= last_mask;
}
