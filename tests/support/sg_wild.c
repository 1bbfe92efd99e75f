/* SPDX-License-Identifier: MIT */
/*
 * Owns the pieces of a list, as they were added. What is computed here is computed in 128 bits.
 */
#include "sg_wild.h"

#include "insist_or_abort.h"
#include "macros.h"
#include "par_sg.h"

#include <errno.h>

#define PIECES_MAX   32
#define SEGMENTS_MAX 64

__extension__ typedef unsigned __int128 wide;

/**
 * struct wild_list - a list, and what was added to it
 * @longest: of a segment, in bytes
 */
struct wild_list {
        struct par_constraint limits;
        wide longest;
        struct par_sg *list;
        struct par_segment pieces[PIECES_MAX];
        size_t n;
};

static wide end_of(const struct par_segment *segment)
{
        return (wide)segment->dma + segment->length;
}

/* ---- what is made --------------------------------------------------------------------------- */

/* Few, a power of two and its neighbours, or anything. */
static uint64_t any_number(struct choices *choices)
{
        switch (choose(choices, 4)) {
        case 0: return choose(choices, 100);
        case 1: return choose_power(choices, 0, 63) + choose(choices, 3) - 1;
        case 2: return 0 - choose(choices, 10000);
        default: return choose_any(choices);
        }
}

static void make_limits(struct wild_list *wild, struct choices *choices)
{
        struct par_constraint *limits = &wild->limits;
        uint64_t longest;

        if (choose_one_in(choices, 2))
                limits->align = choose_power(choices, 0, choose_one_in(choices, 4) ? 63 : 4);
        if (choose_one_in(choices, 2))
                limits->boundary = choose_power(choices, 0, 63);
        if (choose_one_in(choices, 2))
                limits->max_segment_bytes = any_number(choices);
        if (choose_one_in(choices, 8))
                limits->addr_min = any_number(choices);
        if (choose_one_in(choices, 8))
                limits->addr_max = any_number(choices);
        limits->max_segments = 1 + (uint32_t)choose(choices, SEGMENTS_MAX);

        longest = limits->max_segment_bytes ? limits->max_segment_bytes : UINT64_MAX;
        if (limits->align && limits->max_segment_bytes >= limits->align)
                longest -= longest % limits->align;
        wild->longest = longest;
}

static struct par_segment make_piece(const struct wild_list *wild, struct choices *choices)
{
        const wide end = wild->n ? end_of(&wild->pieces[wild->n - 1]) : 0;
        const uint64_t align = wild->limits.align ? wild->limits.align : 1;
        struct par_segment piece = { .phys = PAR_PHYS_NONE };

        piece.dma = choose_one_in(choices, 2) ? (uint64_t)end : any_number(choices);
        if (choose_one_in(choices, 2))
                piece.dma &= ~(align - 1);
        piece.length = any_number(choices);
        if (choose_one_in(choices, 2)) /* up to the last address, or not far beyond */
                piece.length = 0 - piece.dma + choose(choices, 8) / 7;
        return piece;
}

/* ---- what is found -------------------------------------------------------------------------- */

static void check_segment(const struct wild_list *wild, const struct par_segment *segment)
{
        const struct par_constraint *limits = &wild->limits;
        const wide last = end_of(segment) - 1;

        insist(segment->length && segment->length <= wild->longest, "length");
        insist(last <= UINT64_MAX, "beyond the last address");
        insist(segment->dma >= limits->addr_min, "below the window");
        insist(!limits->addr_max || last <= limits->addr_max, "above the window");
        insist(!limits->align || segment->dma % limits->align == 0, "alignment");
        insist(!limits->boundary || segment->dma / limits->boundary == last / limits->boundary,
               "boundary");
}

/* A segment that another adjoins could not have been longer. */
static void check_joint(const struct wild_list *wild, const struct par_segment *segment,
                        const struct par_segment *next)
{
        const uint64_t boundary = wild->limits.boundary;

        if (end_of(segment) != next->dma)
                return;
        insist(segment->length == wild->longest || (boundary && next->dma % boundary == 0),
               "two segments could be one, or the first one longer");
}

/* All bytes of the pieces, in their order, and nothing else. */
static void check_bytes(const struct wild_list *wild, const struct par_segment *segments, size_t n)
{
        uint64_t into_piece = 0, into_segment = 0;
        size_t piece = 0, i = 0;

        while (piece < wild->n && i < n) {
                const uint64_t left = wild->pieces[piece].length - into_piece;
                const uint64_t room = segments[i].length - into_segment;
                const uint64_t bytes = left < room ? left : room;

                insist(wild->pieces[piece].dma + into_piece == segments[i].dma + into_segment,
                       "another address");
                into_piece += bytes;
                into_segment += bytes;
                if (into_piece == wild->pieces[piece].length) {
                        piece++;
                        into_piece = 0;
                }
                if (into_segment == segments[i].length) {
                        i++;
                        into_segment = 0;
                }
        }
        insist(piece == wild->n && i == n, "bytes too many, or too few");
}

static void check_list(struct sg_wild *trial, const struct wild_list *wild)
{
        const struct par_segment *segments;
        const size_t n = par_sg_segments(wild->list, &segments);
        wide bytes = 0;

        insist(n <= wild->limits.max_segments, "too many segments");
        for (size_t i = 0; i < n; i++) {
                insist(segments[i].offset == bytes, "offset");
                bytes += segments[i].length;
                check_segment(wild, &segments[i]);
                if (i + 1 < n)
                        check_joint(wild, &segments[i], &segments[i + 1]);
        }
        insist(par_sg_bytes(wild->list) == bytes, "bytes");
        check_bytes(wild, segments, n);
        if (n)
                trial->top += end_of(&segments[n - 1]) > UINT64_MAX;
}

/* ---- the trial ------------------------------------------------------------------------------ */

static void add_one(struct sg_wild *trial, struct wild_list *wild)
{
        const struct par_segment piece = make_piece(wild, &trial->choices);
        const uint64_t wanted = par_sg_wanted(wild->list);
        int r;

        r = par_sg_add_segments(wild->list, &piece, 1);
        if (!r) {
                wild->pieces[wild->n++] = piece;
                trial->taken++;
        } else {
                insist(r == -PAR_NEVER_FITS || r == -PAR_FRAGMENTED || r == -EINVAL ||
                               r == -PAR_DENIED,
                       "%d", r);
                insist(r != -PAR_FRAGMENTED ||
                               par_sg_wanted(wild->list) > wild->limits.max_segments,
                       "%d", r);
                insist(r != -EINVAL || par_sg_wanted(wild->list) == wanted, "%d", r);
                trial->refused++;
        }
        check_list(trial, wild);
}

static void make_list(struct sg_wild *trial)
{
        struct wild_list wild = { .n = 0 };
        size_t tries = 0;

        trial->lists++;
        make_limits(&wild, &trial->choices);
        if (par_sg_create(NULL, &wild.limits, NULL, &wild.list))
                return; /* the window is none, or has no aligned address */
        while (wild.n < PIECES_MAX && tries++ < 3 * PIECES_MAX &&
               !choose_one_in(&trial->choices, 12))
                add_one(trial, &wild);
        trial->segments += par_sg_segments(wild.list, NULL);
        par_sg_destroy(wild.list);
}

void sg_wild_run(struct sg_wild *trial, uint64_t lists)
{
        while (trial->lists < lists && !trial->choices.over)
                make_list(trial);
}
