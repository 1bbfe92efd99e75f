/* SPDX-License-Identifier: MIT */
/*
 * Keeps the columns of a block in step with its bits. Refuses, by assertion, to free what is free
 * and to take what is taken: a mistake of the program.
 */
#include "block.h"

#include <assert.h>

#define PIECE (1u << PIECE_BITS)

/* The first position from @from on, below PIECE, whose bit is @set; PIECE where there is none. */
static unsigned seek(const uint64_t word[PIECE_WORDS], unsigned from, bool set)
{
        const uint64_t flip = set ? 0 : UINT64_MAX;
        unsigned i = from / 64;
        uint64_t rest;

        if (from >= PIECE)
                return PIECE;
        rest = (word[i] ^ flip) & (UINT64_MAX << (from % 64));
        while (!rest) {
                if (++i == PIECE_WORDS)
                        return PIECE;
                rest = word[i] ^ flip;
        }
        return i * 64 + (unsigned)__builtin_ctzll(rest);
}

/* Count a run in. The figures fall with the alignment, so one look passes over most short runs. */
static void count_run(struct summary *sum, unsigned first, unsigned last)
{
        /* The largest alignment of which there is a multiple in the run. */
        const unsigned differ = first ? (first - 1) ^ last : 2 * PIECE - 1;
        const unsigned top = 31 - (unsigned)__builtin_clz(differ);
        const unsigned top_k = top < PIECE_BITS ? top : PIECE_BITS - 1;

        if (last - first + 1 <= sum->longest[top_k])
                return;
        for (unsigned k = 0; k <= top_k; k++) {
                const unsigned from = (first + (1u << k) - 1) & ~((1u << k) - 1);

                if (last - from + 1 > sum->longest[k])
                        sum->longest[k] = last - from + 1;
        }
}

void block_piece_summary(const uint64_t word[PIECE_WORDS], struct summary *ret)
{
        unsigned first = 0, behind = 0;

        ret->start = ret->end = 0;
        for (unsigned k = 0; k < PIECE_BITS; k++)
                ret->longest[k] = 0;

        while ((first = seek(word, behind, true)) < PIECE) {
                behind = seek(word, first, false);
                count_run(ret, first, behind - 1);
                if (!first)
                        ret->start = behind;
                if (behind == PIECE)
                        ret->end = behind - first;
        }
}

/* Return: how many bits have changed. */
static unsigned change_word(uint64_t *word, uint64_t mask, enum change how)
{
        const uint64_t was = *word;

        assert(how == CHANGE_CLEAR || (was & mask) == (how == CHANGE_ADD ? 0 : mask));
        *word = how == CHANGE_ADD ? was | mask : was & ~mask;
        return (unsigned)__builtin_popcountll(was ^ *word);
}

static unsigned change_piece(struct block *block, unsigned c, unsigned first, unsigned last,
                             enum change how, struct news *news)
{
        struct summary sum;
        unsigned changed = 0;

        for (unsigned i = first / 64; i <= last / 64; i++)
                changed += change_word(&block->word[i], block_mask(i, first, last), how);
        node_add_free(&block->node, c, changed, how == CHANGE_ADD);
        block_piece_summary(&block->word[(size_t)c * PIECE_WORDS], &sum);
        node_put(&block->node, c, &sum, news);
        return changed;
}

unsigned block_change(struct block *block, unsigned first, unsigned last, enum change how,
                      struct news *news)
{
        const unsigned low = first / PIECE, high = last / PIECE;
        unsigned changed = 0;

        for (unsigned c = low; c <= high; c++) {
                const unsigned at = c * PIECE, end = at + (PIECE - 1);

                changed += change_piece(block, c, first > at ? first : at, last < end ? last : end,
                                        how, news);
        }
        news->all |= low != high;
        return changed;
}
