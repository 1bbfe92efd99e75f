/* SPDX-License-Identifier: MIT */
/*
 * A buffer of several places, as it comes together: what has been taken, and what may be taken
 * next. Private to the core.
 */
#pragma once

#include "candidates.h"
#include "cut.h"
#include "places.h"
#include "space_union.h"

/**
 * struct gathering - one request on its way
 * @spaces:     where
 * @want:       borrowed
 * @cut:        how runs become pieces
 * @exact:      no two pieces are ever one segment
 * @left_bytes: still to be found
 * @end_bytes:  what the buffer has in its last page, if it does not fill that
 * @end:        begin of a page that is not there whole, but this much; used where @has_end
 * @has_end:    see @end
 * @segments:   what has been taken will make up no fewer
 * @taken:      the buffer so far
 * @rest:       what may be taken
 */
struct gathering {
        struct space_union spaces;
        const struct constraint *want;
        struct cut cut;
        bool exact;
        uint64_t left_bytes, end_bytes;
        struct range end;
        bool has_end;
        uint64_t segments;
        struct places taken;
        struct candidates rest;
};

/**
 * gathering_init() - begin
 * @spaces: one at least; may not change until it is over
 * @want:   valid, borrowed until then
 * @bytes:  its size, rounded up to the granule
 */
void gathering_init(struct gathering *gathering, struct space_union spaces, uint64_t page_bytes,
                    const struct constraint *want, uint64_t bytes);
void gathering_deinit(struct gathering *gathering);

/* Whether few enough segments are possible yet, where no piece to come is longer than that. */
bool gathering_hopeful(const struct gathering *gathering, uint64_t longest_bytes);

/**
 * gathering_cut() - take the full pieces of a run from its top, as many as are wanted
 *
 * Shorter ones are noted as candidates, and the page that only begins in the run as an end of the
 * buffer.
 *
 * Return: 0; -ENOMEM.
 */
int gathering_cut(struct gathering *gathering, struct range run);

/* Note a page of which only the beginning is there, as the end of the buffer. The highest counts.
 */
void gathering_note_end(struct gathering *gathering, struct range end);

/**
 * gathering_take() - take a piece, or the upper part of it that is wanted
 * @piece: a candidate that is one
 *
 * Return: 0; -ENOMEM.
 */
int gathering_take(struct gathering *gathering, const struct candidate *piece);

/**
 * gathering_finish() - let the buffer end in a page that is not there whole, if it must
 * @ret:       the places, owned by the caller (free())
 * @ret_count: how many
 *
 * Return: 0; PAR_REFUSED_FRAGMENTED where something is still to be found, or the segments are too
 * many; -ENOMEM.
 */
int gathering_finish(struct gathering *gathering, struct range **ret, size_t *ret_count);
