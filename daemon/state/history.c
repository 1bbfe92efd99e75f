/* SPDX-License-Identifier: MIT */
/*
 * Owns a table of a fixed size with the last few users of each frame. A frame has its place by its
 * address, which stays the same when the page goes to the kernel and comes back.
 *
 * Invariant: of one client and label there is one entry in a frame, the latest. A client with many
 * labels pushes out its own entries before those of others. Refuses to fail: what cannot be
 * remembered is forgotten.
 */
#include "history.h"

#include "buffer.h"
#include "holding.h"
#include "macros.h"
#include "pool.h"

#include <stdlib.h>
#include <string.h>

static void former_unref(struct former *former)
{
        if (former && !--former->refs)
                free(former);
}

void history_init(struct history *history)
{
        history->places = calloc(HISTORY_SETS * HISTORY_WAYS, sizeof(history->places[0]));
}

void history_deinit(struct history *history)
{
        if (!history->places)
                return;
        for (size_t i = 0; i < HISTORY_SETS * HISTORY_WAYS; i++)
                for (size_t j = 0; j < FORMER_HOLDERS_MAX; j++)
                        former_unref(history->places[i].entries[j].who);
        free(history->places);
        history->places = NULL;
}

/* Frames begin on multiples of 4 KiB, so there is room for the logarithm of their size. */
static uint64_t key_of(uint64_t phys, uint64_t page_bytes)
{
        return phys | (uint64_t)__builtin_ctzll(page_bytes);
}

/* Neighbours of one size lie in neighbouring sets, larger pages all over the table. */
static struct history_place *set_of(const struct history *history, uint64_t key)
{
        uint64_t page = key >> (key & 63);
        uint64_t set = (page + (page >> 13) * 1021 + (key & 63) * 331) % HISTORY_SETS;

        return &history->places[set * HISTORY_WAYS];
}

static struct history_place *find(const struct history *history, uint64_t key)
{
        struct history_place *set = set_of(history, key);

        for (size_t i = 0; i < HISTORY_WAYS; i++)
                if (set[i].key == key)
                        return &set[i];
        return NULL;
}

/* The place of a frame, instead of one that nobody had for longest where there is none free. */
static struct history_place *claim(struct history *history, uint64_t key)
{
        struct history_place *place = find(history, key), *set = set_of(history, key);

        if (place)
                return place;
        place = set;
        for (size_t i = 0; i < HISTORY_WAYS && place->key; i++)
                if (!set[i].key || set[i].entries[0].until_ns < place->entries[0].until_ns)
                        place = &set[i];
        for (size_t i = 0; i < FORMER_HOLDERS_MAX; i++)
                former_unref(place->entries[i].who);
        *place = (struct history_place){ .key = key };
        return place;
}

static bool is_same(const struct former *a, const struct former *b)
{
        return a == b || (a->client_id == b->client_id && !strcmp(a->label, b->label));
}

/* The entry that makes way: that of the same client and label, else a free one, else the client's
 * own oldest, else the oldest. */
static size_t victim(const struct history_place *place, const struct former *who)
{
        const struct history_entry *entries = place->entries;

        for (size_t i = 0; i < FORMER_HOLDERS_MAX; i++)
                if (!entries[i].who || is_same(entries[i].who, who))
                        return i;
        for (size_t i = FORMER_HOLDERS_MAX; i-- > 0;)
                if (entries[i].who->client_id == who->client_id)
                        return i;
        return FORMER_HOLDERS_MAX - 1;
}

/* What was in quarantine is noted later than it ended, so it need not be the latest. */
static void remember(struct history_place *place, struct former *who, uint64_t until_ns)
{
        struct history_entry *entries = place->entries;
        size_t at = victim(place, who);

        if (entries[at].who && entries[at].until_ns >= until_ns)
                return;
        who->refs++;
        former_unref(entries[at].who);
        for (; at > 0 && entries[at - 1].until_ns < until_ns; at--)
                entries[at] = entries[at - 1];
        entries[at] = (struct history_entry){ .who = who, .until_ns = until_ns };
}

static struct former *former_new(const struct buffer *buffer)
{
        const struct holding *holding = buffer->holding;
        struct former *former = calloc(1, sizeof(*former));

        if (!former)
                return NULL;
        former->refs = 1;
        former->uid = holding->uid;
        former->pool = holding->account->pool;
        former->client_id = holding->client_id;
        memcpy(former->client, holding->name, sizeof(former->client));
        memcpy(former->label, buffer->label, sizeof(former->label));
        return former;
}

void history_note(struct history *history, const struct buffer *buffer, uint64_t until_ns)
{
        uint64_t page_bytes = buffer->holding->account->pool->settings->page_bytes;
        struct former *who;

        who = history->places ? former_new(buffer) : NULL;
        if (!who)
                return;
        for (size_t i = 0; i < buffer->n_pieces; i++) {
                uint64_t phys = align_down(buffer->pieces[i].phys, page_bytes);

                remember(claim(history, key_of(phys, page_bytes)), who, until_ns);
        }
        former_unref(who);
}

const struct history_entry *history_of(const struct history *history, uint64_t phys,
                                       uint64_t page_bytes)
{
        const struct history_place *place;

        if (!history->places)
                return NULL;
        place = find(history, key_of(phys, page_bytes));
        return place ? place->entries : NULL;
}

void history_check(const struct history *history, uint64_t phys, uint64_t page_bytes)
{
        const struct history_entry *entries = history_of(history, phys, page_bytes);

        for (size_t i = 0; entries && i < FORMER_HOLDERS_MAX && entries[i].who; i++) {
                assert(entries[i].who->refs);
                for (size_t j = 0; j < i; j++) {
                        assert(entries[j].until_ns >= entries[i].until_ns);
                        assert(!is_same(entries[j].who, entries[i].who));
                }
        }
}
