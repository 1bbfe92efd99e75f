/* SPDX-License-Identifier: MIT */
/*
 * Whose is this address, and whose was it? Reads, changes nothing.
 */
#include "hidden.h"
#include "report.h"
#include "state_private.h"

#include <string.h>

/* Frames of the same page size begin where an address is rounded down to. */
const struct frame *report_frame_over(const struct state *state, uint64_t phys)
{
        const struct frame *frame, *second = NULL;

        for (size_t i = 0; i < state->settings->n_pools; i++) {
                uint64_t page_bytes = state->pools[i].settings->page_bytes;
                uint64_t begin = align_down(phys, page_bytes);

                for (frame = state_frame_from(state, begin); frame && frame->phys == begin;
                     frame = state_frame_next(state, frame)) {
                        if (frame->pool->settings->page_bytes != page_bytes)
                                continue;
                        if (frame->in_service)
                                return frame;
                        second = frame;
                }
        }
        return second;
}

const struct buffer_piece *report_piece_over(const struct frame *frame, uint64_t phys)
{
        const struct buffer_piece *piece = frame_piece_from(frame, phys);

        return piece && piece->phys <= phys ? piece : NULL;
}

static void find_buffer(const struct frame *frame, const struct client *asker, uint64_t phys,
                        uint64_t now_ns, struct lookup_report *ret)
{
        const struct buffer_piece *piece = report_piece_over(frame, phys);

        if (!piece)
                return;
        ret->has_buffer = true;
        ret->offset = buffer_offset(piece->buffer, phys);
        report_buffer(piece->buffer, asker, now_ns, &ret->buffer);
}

/* Into the list, which is kept in order, where there is room or one ended earlier. */
static void add_former(const struct history_entry *entry, const struct client *asker,
                       uint64_t now_ns, struct lookup_report *ret)
{
        uint64_t age_ns = now_ns - entry->until_ns;
        size_t at = ret->n_former;
        struct former_report *to;

        while (at > 0 && ret->former[at - 1].age_ns > age_ns)
                at--;
        if (at == FORMER_HOLDERS_MAX)
                return;
        if (ret->n_former < FORMER_HOLDERS_MAX)
                ret->n_former++;
        to = &ret->former[at];
        memmove(to + 1, to, (ret->n_former - at - 1) * sizeof(*to));
        *to = (struct former_report){ .age_ns = age_ns,
                                      .known = report_may_know(asker, entry->who->uid) };
        if (!to->known)
                return;
        to->uid = entry->who->uid;
        memcpy(to->client, entry->who->client, sizeof(to->client));
        memcpy(to->label, entry->who->label, sizeof(to->label));
}

static bool is_first_of_size(const struct state *state, size_t pool)
{
        for (size_t i = 0; i < pool; i++)
                if (state->pools[i].settings->page_bytes == state->pools[pool].settings->page_bytes)
                        return false;
        return true;
}

/* Pages of different sizes may have been there. */
static void find_former(const struct state *state, const struct client *asker, uint64_t phys,
                        uint64_t now_ns, struct lookup_report *ret)
{
        for (size_t i = 0; i < state->settings->n_pools; i++) {
                uint64_t page_bytes = state->pools[i].settings->page_bytes;
                const struct history_entry *entries;

                if (!is_first_of_size(state, i))
                        continue;
                entries = history_of(&state->history, align_down(phys, page_bytes), page_bytes);
                for (size_t j = 0; entries && j < FORMER_HOLDERS_MAX && entries[j].who; j++)
                        if (!hidden_of_uid(entries[j].who->pool, entries[j].who->uid, asker))
                                add_former(&entries[j], asker, now_ns, ret);
        }
}

/* What lies in a buffer of his own he knows. */
static bool may_know(const struct frame *frame, const struct client *asker, uint64_t phys)
{
        const struct buffer_piece *piece;

        if (!hidden_from(frame->pool, asker))
                return true;
        piece = report_piece_over(frame, phys);
        return piece && !hidden_buffer(piece->buffer, asker);
}

void state_lookup(const struct state *state, const struct client *asker, uint64_t phys,
                  uint64_t now_ns, struct lookup_report *ret)
{
        const struct frame *frame = report_frame_over(state, phys);

        if (frame && !may_know(frame, asker, phys))
                frame = NULL; /* or he could find out by asking everywhere */
        *ret = (struct lookup_report){ .held = frame };
        if (frame) {
                report_frame(frame, asker, &ret->frame);
                find_buffer(frame, asker, phys, now_ns, ret);
        }
        find_former(state, asker, phys, now_ns, ret);
}
