/* SPDX-License-Identifier: MIT */
/*
 * Where the longest free run ends, and why there. Reads, changes nothing.
 */
#include "choice.h"
#include "hidden.h"
#include "macros.h"
#include "refusal.h"
#include "report.h"
#include "state_private.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define SIDE_BYTES 160

/* Return: the pool of the longest run of all, in the order of preference; NULL: none. */
static const struct pool *longest_of_pools(const struct state *state, const struct client *client,
                                           const struct demand *demand, uint64_t pools,
                                           struct range *ret)
{
        const struct pool *best = NULL;

        for (size_t i = 0; i < state->settings->n_pools; i++) {
                const struct pool *pool = &state->pools[state->preferred[i]];
                struct range run;

                if (!(pools >> pool->index & 1) || hidden_from(pool, client) ||
                    !choice_longest(client, pool, demand, &run))
                        continue;
                if (best && run.last - run.first <= ret->last - ret->first)
                        continue;
                best = pool;
                *ret = run;
        }
        return best;
}

static void buffer_words(const struct buffer *buffer, const struct client *asker, char *to,
                         size_t room)
{
        struct holder_report holder;
        char bytes[32], whose[LABEL_BYTES_MAX + 5] = "";

        report_holding(buffer->holding, asker, &holder);
        if (holder.known)
                snprintf(whose, sizeof(whose), " of %s", holder.client);
        snprintf(to, room, "lies buffer %" PRIu64 " (%s%s%s)", buffer->id,
                 bytes_words(buffer->size_bytes, bytes), whose,
                 buffer->holding->quarantined ? ", in quarantine" : "");
}

/* The frame is somebody's: a buffer of his at that address, or one because of which he has it. */
static void granted_words(const struct frame *frame, uint64_t phys, const struct client *asker,
                          char *to, size_t room)
{
        const struct buffer_piece *piece = report_piece_over(frame, phys);

        if (piece) {
                buffer_words(piece->buffer, asker, to, room);
                return;
        }
        piece = frame_piece_from(frame, phys);
        if (!piece)
                piece = frame_piece_from(frame, 0);
        if (piece)
                snprintf(to, room, "lies what buffer %" PRIu64 " leaves of its page",
                         piece->buffer->id);
        else
                snprintf(to, room, "is memory in quarantine");
}

static void frame_words(const struct frame *frame, uint64_t phys, const struct client *asker,
                        char *to, size_t room)
{
        switch (frame->state) {
        case FRAME_GRANTED:
        case FRAME_QUARANTINED:
        case FRAME_RETIRED: granted_words(frame, phys, asker, to, room); return;
        case FRAME_REUSABLE: snprintf(to, room, "is memory kept for its last owner"); return;
        case FRAME_LEAVING: snprintf(to, room, "is memory on its way to the system"); return;
        case FRAME_LINGERING: snprintf(to, room, "is memory that was freed but is kept"); return;
        case FRAME_FREE:
                snprintf(to, room, "is free memory of node %d", frame->node_number);
                return;
        case FRAME_STATES: break;
        }
        to[0] = '\0';
}

/* Whether he may know where memory of every pool lies. */
static bool knows_all(const struct state *state, const struct client *asker)
{
        for (size_t i = 0; i < state->settings->n_pools; i++)
                if (hidden_from(&state->pools[i], asker))
                        return false;
        return true;
}

/**
 * side_words() - what is at one end of a run
 * @phys: the address beyond it; @edge: the run ends at the edge of the address space
 * @to:   "lies buffer 17 (8 MiB)", "pard holds no memory" ...
 */
static void side_words(const struct state *state, const struct client *asker,
                       const struct demand *demand, const struct pool *pool, uint64_t phys,
                       bool edge, char *to)
{
        const struct range here = { phys, phys };
        const struct frame *frame;

        if (edge || !range_contains(demand->want.window, here)) {
                snprintf(to, SIDE_BYTES, "is the end of the window");
                return;
        }
        frame = report_frame_over(state, phys);
        if (frame && hidden_from(frame->pool, asker))
                frame = NULL;
        if (frame && frame->pool != pool)
                snprintf(to, SIDE_BYTES, "is memory of pool %.64s", frame->pool->settings->name);
        else if (frame)
                frame_words(frame, phys, asker, to, SIDE_BYTES);
        else if (!range_contains(pool->settings->window, here))
                snprintf(to, SIDE_BYTES, "is the end of pool %.64s", pool->settings->name);
        else if (!knows_all(state, asker)) /* there may be what he is not to know of */
                snprintf(to, SIDE_BYTES, "is no memory of pool %.64s", pool->settings->name);
        else
                snprintf(to, SIDE_BYTES, "pard holds no memory");
}

/* "64M", as the configuration takes it. */
static void size_words(uint64_t bytes, char *to, size_t room)
{
        static const char units[] = { 'K', 'M', 'G' };
        size_t unit = 0;

        bytes /= 1024;
        for (; unit + 1 < ARRAY_SIZE(units) && bytes % 1024 == 0; unit++)
                bytes /= 1024;
        snprintf(to, room, "%" PRIu64 "%c", bytes, units[unit]);
}

/* Where pages come as they are, asking for runs of them may help. */
static void advise(const struct pool *pool, const struct demand *demand, char *to, size_t room)
{
        const struct pool_settings *settings = pool->settings;
        char runs[32];
        uint64_t bytes;

        to[0] = '\0';
        if (demand->want.max_segments != 1 || settings->source != SOURCE_ANY ||
            !align_up(demand->want.size_bytes, settings->page_bytes, &bytes) ||
            bytes == settings->page_bytes || bytes > settings->size_max_bytes ||
            settings->run_min_bytes >= bytes)
                return;
        size_words(bytes, runs, sizeof(runs));
        snprintf(to, room, "; with run_min = \"%s\" pool %.64s would take pages in such runs", runs,
                 settings->name);
}

void report_longer(const struct state *state, const struct client *client,
                   const struct demand *demand, uint64_t pools, struct explanation *ret)
{
        char size[32], below[SIDE_BYTES], above[SIDE_BYTES], advice[SIDE_BYTES] = "";
        const struct pool *pool;
        struct range run;

        pool = longest_of_pools(state, client, demand, pools, &run);
        if (!pool)
                return;
        ret->largest = run;
        side_words(state, client, demand, pool, run.first - 1, run.first == 0, below);
        side_words(state, client, demand, pool, run.last + 1, run.last == UINT64_MAX, above);
        if (ret->result)
                advise(pool, demand, advice, sizeof(advice));
        snprintf(ret->longer, sizeof(ret->longer),
                 "%s from 0x%" PRIx64 " up: below it %s, above it %s%s",
                 bytes_words(range_size(run), size), run.first, below, above, advice);
}
