/* SPDX-License-Identifier: MIT */
/*
 * Owns nothing but the rules of taking turns.
 *
 * Refuses to judge where it lost count: what is said to be a mistake is one.
 */
#include "debug_turn.h"

#include <string.h>

/* Put a range at a place of the array, if there is room. */
static void insert(struct turn *turn, size_t at, struct turn_range range)
{
        if (turn->n == TURN_RANGES_MAX) {
                turn->unsure = true;
                return;
        }
        memmove(&turn->mine[at + 1], &turn->mine[at], (turn->n - at) * sizeof(turn->mine[0]));
        turn->mine[at] = range;
        turn->n++;
}

static void remove_some(struct turn *turn, size_t at, size_t count)
{
        memmove(&turn->mine[at], &turn->mine[at + count],
                (turn->n - at - count) * sizeof(turn->mine[0]));
        turn->n -= count;
}

bool turn_take(struct turn *turn, size_t first, size_t last)
{
        struct turn_range all = { first, last };
        size_t at = 0, n = 0;

        while (at < turn->n && turn->mine[at].last + 1 < first)
                at++;
        for (; at + n < turn->n && turn->mine[at + n].first <= last + 1; n++) {
                const struct turn_range *range = &turn->mine[at + n];

                if (range->first <= first && range->last >= last)
                        return turn->unsure;
                all.first = range->first < all.first ? range->first : all.first;
                all.last = range->last > all.last ? range->last : all.last;
        }
        remove_some(turn, at, n);
        insert(turn, at, all);
        return true;
}

bool turn_give(struct turn *turn, size_t first, size_t last, bool all)
{
        bool had_any = turn->unsure;

        for (size_t at = 0; at < turn->n;) {
                const struct turn_range range = turn->mine[at];

                if (range.last < first || range.first > last) {
                        at++;
                        continue;
                }
                had_any = true;
                remove_some(turn, at, 1);
                if (range.first < first)
                        insert(turn, at++, (struct turn_range){ range.first, first - 1 });
                if (range.last > last)
                        insert(turn, at++, (struct turn_range){ last + 1, range.last });
        }
        if (all)
                turn->unsure = false;
        return had_any;
}
