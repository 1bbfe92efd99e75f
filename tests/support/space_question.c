/* SPDX-License-Identifier: MIT */
/* Owns nothing. Refuses to judge: it only compares. */
#include "space_question.h"

#include "cells_layout.h"

#include <inttypes.h>
#include <stdio.h>

/* All an answer can consist of; what a kind has not is zero. */
struct answer {
        bool found;
        struct range range;
        uint64_t bytes;
};

static uint64_t choose_address(const struct cells *cells, struct choices *choices)
{
        const unsigned i = cells_choose(cells, choices);
        const struct range cell = cells_range(cells, i, i);

        switch (choose(choices, 8)) {
        case 0: return choose(choices, 2) ? UINT64_MAX : 0;
        case 1: return choose_any(choices);
        case 2: return cell.first + choose(choices, 4) - 2;
        case 3: return cell.last + choose(choices, 4) - 1;
        case 4: return cell.first + choose_any(choices) % range_size(cell);
        case 5: return cell.last;
        default: return cell.first;
        }
}

static struct range choose_window(const struct cells *cells, struct choices *choices)
{
        struct range window = RANGE_ALL;

        switch (choose(choices, 4)) {
        case 0: return window;
        case 1: window.first = choose_address(cells, choices); break;
        case 2: window.last = choose_address(cells, choices); break;
        default:
                window.first = choose_address(cells, choices);
                window.last = choose_address(cells, choices);
                break;
        }
        if (window.first > window.last)
                window = (struct range){ window.last, window.first };
        return window;
}

/* Often just what a range has, or a granule more or less. */
static uint64_t choose_size(const struct cells *cells, struct choices *choices)
{
        const uint64_t granule = cells->granule_bytes;
        const unsigned i = cells_choose(cells, choices);
        const struct range stretch = cells_range(cells, cells->begin[i], cells->end[i]);
        const uint64_t bytes = stretch.last - stretch.first + 1; /* 0: the whole 64-bit range */
        uint64_t size;

        switch (choose(choices, 8)) {
        case 0: size = 1 + choose_any(choices) % granule; break;
        case 1: size = granule * (1 + choose(choices, 8)); break;
        case 2:
                size = choose_power(choices, 0, 63);
                size += choose(choices, 3) - 1;
                break;
        case 3: size = choose_any(choices); break;
        case 4: size = bytes; break;
        case 5: size = bytes - granule; break;
        case 6: size = bytes + choose(choices, granule + 1); break;
        default: size = bytes / 2 + choose(choices, 3) * granule; break;
        }
        return size ? size : UINT64_MAX;
}

static uint64_t choose_align(const struct cells *cells, struct choices *choices)
{
        const unsigned shift = (unsigned)__builtin_ctzll(cells->granule_bytes);
        const unsigned most = shift + 16 < 63 ? shift + 16 : 63;

        switch (choose(choices, 4)) {
        case 0: return 1;
        case 1: return choose_power(choices, 0, 63);
        default: return choose_power(choices, shift, most);
        }
}

struct question question_choose(const struct cells *cells, struct choices *choices)
{
        const enum question_kind kind = (enum question_kind)choose(choices, 2 * QUESTION_COUNT);
        struct question question = {
                .kind = kind < QUESTION_COUNT ? kind : QUESTION_FIND,
                .window = RANGE_ALL,
                .size_bytes = 1,
                .align_bytes = 1,
        };

        switch (question.kind) {
        case QUESTION_FIND:
                question.align_bytes = choose_align(cells, choices);
                question.size_bytes = choose_size(cells, choices);
                question.end = choose(choices, 2) ? SPACE_LOWEST : SPACE_HIGHEST;
                question.window = choose_window(cells, choices);
                break;
        case QUESTION_LONGEST:
        case QUESTION_CONTAINS:
        case QUESTION_BYTES_IN: question.window = choose_window(cells, choices); break;
        default: question.from = choose_address(cells, choices); break;
        }
        return question;
}

static struct answer space_answer(const struct question *q, const struct space *space)
{
        struct answer a = { 0 };

        switch (q->kind) {
        case QUESTION_FIND:
                a.found = space_find(space, q->window, q->size_bytes, q->align_bytes, q->end,
                                     &a.range);
                break;
        case QUESTION_LONGEST: a.bytes = space_longest(space, q->window); break;
        case QUESTION_CONTAINS: a.found = space_contains(space, q->window); break;
        case QUESTION_BYTES_IN: a.bytes = space_bytes_in(space, q->window); break;
        case QUESTION_NEXT: a.found = space_next(space, q->from, &a.range); break;
        case QUESTION_PREV: a.found = space_prev(space, q->from, &a.range); break;
        case QUESTION_NEXT_GAP: a.found = space_next_gap(space, q->from, &a.range); break;
        case QUESTION_COUNT: break;
        }
        return a;
}

static struct answer cells_answer(const struct question *q, const struct cells *cells)
{
        struct answer a = { 0 };

        switch (q->kind) {
        case QUESTION_FIND:
                a.found = cells_find(cells, q->window, q->size_bytes, q->align_bytes, q->end,
                                     &a.range);
                break;
        case QUESTION_LONGEST: a.bytes = cells_longest(cells, q->window); break;
        case QUESTION_CONTAINS: a.found = cells_contains(cells, q->window); break;
        case QUESTION_BYTES_IN: a.bytes = cells_bytes_in(cells, q->window); break;
        case QUESTION_NEXT: a.found = cells_next(cells, q->from, &a.range); break;
        case QUESTION_PREV: a.found = cells_prev(cells, q->from, &a.range); break;
        case QUESTION_NEXT_GAP: a.found = cells_next_gap(cells, q->from, &a.range); break;
        case QUESTION_COUNT: break;
        }
        return a;
}

static bool same(const struct answer *a, const struct answer *b)
{
        if (a->found != b->found || a->bytes != b->bytes)
                return false;
        return !a->found || (a->range.first == b->range.first && a->range.last == b->range.last);
}

bool question_agrees(const struct question *question, const struct space *space,
                     const struct cells *cells, size_t *visits)
{
        const struct answer expected = cells_answer(question, cells);
        struct answer answer;
        size_t max;

        *visits = 0;
        answer = space_answer(question, space);
        max = space_visits_max(space);
        if (question->kind == QUESTION_FIND)
                max = max / 4 * 3;
        return same(&answer, &expected) && *visits <= max;
}

static void print_answer(const char *whose, const struct answer *a)
{
        fprintf(stderr, "  %s: %s [%#" PRIx64 ", %#" PRIx64 "], %#" PRIx64 " bytes\n", whose,
                a->found ? "yes" : "no", a->range.first, a->range.last, a->bytes);
}

void question_print(const struct question *question, const struct space *space,
                    const struct cells *cells)
{
        static const char *const names[] = { "find", "longest", "contains", "bytes_in",
                                             "next", "prev",    "next_gap" };
        const struct answer expected = cells_answer(question, cells);
        const struct answer answer = space_answer(question, space);

        fprintf(stderr,
                "%s: window [%#" PRIx64 ", %#" PRIx64 "] size %#" PRIx64 " align %#" PRIx64
                " %s from %#" PRIx64 "\n",
                names[question->kind], question->window.first, question->window.last,
                question->size_bytes, question->align_bytes,
                question->end == SPACE_LOWEST ? "lowest" : "highest", question->from);
        print_answer("space", &answer);
        print_answer("cells", &expected);
}
