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

static void change_word(uint64_t *word, uint64_t mask, bool add)
{
        assert((*word & mask) == (add ? 0 : mask));
        *word ^= mask;
}

void block_change(struct block *block, unsigned first, unsigned last, bool add, struct news *news)
{
        for (unsigned i = first / 64; i <= last / 64; i++)
                change_word(&block->word[i], block_mask(i, first, last), add);
        for (unsigned c = first / PIECE; c <= last / PIECE; c++) {
                const unsigned at = c * PIECE;
                const unsigned from = first > at ? first : at;
                const unsigned to = last < at + (PIECE - 1) ? last : at + (PIECE - 1);
                struct summary sum;

                node_add_free(&block->node, c, to - from + 1, add);
                block_piece_summary(&block->word[(size_t)c * PIECE_WORDS], &sum);
                node_put(&block->node, c, &sum, news);
        }
        news->all |= first / PIECE != last / PIECE;
}
