/* SPDX-License-Identifier: MIT */
/*
 * The bitmap of a block. Private to the core. Positions are granules from the beginning of the
 * block, both ends of a range included.
 */
#pragma once

#include "node.h"

/**
 * block_change() - write a range
 * @news: what that does to the columns of the block
 *
 * Return: how many granules are free now that were not, or the other way round.
 */
unsigned block_change(struct block *block, unsigned first, unsigned last, enum change how,
                      struct news *news);

/* Work out what a piece is from its words. */
void block_piece_summary(const uint64_t word[PIECE_WORDS], struct summary *ret);

/* The bits of word @i of a block that lie in [@first, @last]. */
static inline uint64_t block_mask(unsigned i, unsigned first, unsigned last)
{
        const unsigned at = i * 64;
        uint64_t mask = UINT64_MAX;

        if (first > at)
                mask = first - at > 63 ? 0 : mask << (first - at);
        if (last < at)
                return 0;
        if (last - at < 63)
                mask &= UINT64_MAX >> (63 - (last - at));
        return mask;
}

/* Free granules at the beginning and at the end of a word. */
static inline unsigned word_start(uint64_t word)
{
        return ~word ? (unsigned)__builtin_ctzll(~word) : 64;
}

static inline unsigned word_end(uint64_t word)
{
        return ~word ? (unsigned)__builtin_clzll(~word) : 64;
}

/* The bits of a word from which on @length bits are set, 1 to 64. */
static inline uint64_t word_runs(uint64_t word, unsigned length)
{
        while (length > 1) {
                const unsigned half = length / 2;

                word &= word >> half;
                length -= half;
        }
        return word;
}
