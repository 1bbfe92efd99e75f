/* SPDX-License-Identifier: MIT */
/*
 * Writes version 2, frozen: sums and the division of the memory are told once more here, as that
 * version had them, and not taken from the daemon.
 */
#include "former_ledger.h"

#include <stddef.h>
#include <string.h>

static uint64_t mix(uint64_t sum, uint64_t word)
{
        sum = (sum ^ word) * UINT64_C(0x9e3779b97f4a7c15);
        sum ^= sum >> 32;
        sum *= UINT64_C(0xd6e8feb86659fd93);
        return sum ^ (sum >> 32);
}

/* Of a record's bytes from @at up to @end. */
static uint64_t sum_of(const void *record, size_t at, size_t end)
{
        uint64_t sum = end - at, word;

        for (; at < end; at += sizeof(word)) {
                memcpy(&word, (const unsigned char *)record + at, sizeof(word));
                sum = mix(sum, word);
        }
        return sum;
}

struct former_ledger former_ledger_at(void *memory)
{
        struct former_head *head = memory;
        struct former_ledger former = { .head = head, .frames = (void *)(head + 1) };

        former.sessions = (void *)(former.frames + head->slots);
        former.buffers = (void *)(former.sessions + head->rooms[FORMER_SESSIONS]);
        former.extents = (void *)(former.buffers + head->rooms[FORMER_BUFFERS]);
        former.shares = (void *)(former.extents + head->rooms[FORMER_EXTENTS]);
        former.holders = (void *)(former.shares + head->rooms[FORMER_SHARES]);
        return former;
}

/* Of 16 parts of the memory ten were for buffers, three for extents, and one for each of the rest.
 */
static void write_head(const struct ledger *from, struct former_head *head)
{
        const struct ledger_head *now = from->head;
        const size_t part = (from->bytes - 72 - now->slots * 24) / 16;

        head->version = 2;
        head->slots = now->slots;
        head->rooms[FORMER_SESSIONS] = (uint32_t)(part / 136);
        head->rooms[FORMER_BUFFERS] = (uint32_t)(10 * part / 264);
        head->rooms[FORMER_EXTENTS] = (uint32_t)(3 * part / 136);
        head->rooms[FORMER_SHARES] = (uint32_t)(part / 264);
        head->rooms[FORMER_HOLDERS] = (uint32_t)(part / 32);
        head->used[FORMER_SESSIONS] = now->used[LEDGER_SESSIONS];
        head->used[FORMER_BUFFERS] = now->used[LEDGER_BUFFERS];
        head->used[FORMER_EXTENTS] = now->used[LEDGER_EXTENTS];
        head->used[FORMER_SHARES] = now->used[LEDGER_SHARES];
        head->used[FORMER_HOLDERS] = now->used[LEDGER_HOLDERS];
        head->last_owner = now->last_owner;
        head->last_buffer = now->last_buffer;
        head->magic = UINT64_C(0x7372656b6e617262);
}

static void write_session(const struct ledger_session_record *from, struct former_session *to)
{
        to->token = from->token;
        to->id = from->id;
        to->since_ns = from->since_ns;
        to->uid = from->uid;
        to->gid = from->gid;
        to->pid = from->pid;
        memcpy(to->name, from->name, sizeof(to->name));
        to->sum = sum_of(to, 8, offsetof(struct former_session, sum));
        to->ended_ns = from->ended_ns;
        to->references = from->references;
        to->begin.word = from->begin.word;
}

static void write_buffer(const struct ledger_buffer_record *from, struct former_buffer *to)
{
        to->session = from->session;
        to->seq = from->seq;
        to->pool = from->pool;
        to->n_places = from->n_places;
        to->id = from->id;
        to->since_ns = from->since_ns;
        to->dma_offset = from->dma_offset;
        to->needs_below = from->needs_below;
        to->limits = from->limits;
        memcpy(to->places, from->places, sizeof(to->places));
        memcpy(to->label, from->label, sizeof(to->label));
        to->extent = from->extent;
        to->n_devices = from->n_devices;
        memcpy(to->devices, from->devices, sizeof(to->devices));
        to->unwatched = from->unwatched;
        to->share = from->share;
        to->sum = sum_of(to, 8, offsetof(struct former_buffer, sum));
        to->revoked_ns = from->revoked_ns;
        to->exports = from->exports;
        to->begin.word = from->begin.word;
}

static void write_extent(const struct ledger_extent_record *from, struct former_extent *to)
{
        to->extent = from->extent;
        memcpy(to->places, from->places, sizeof(to->places));
        to->sum = sum_of(to, 8, offsetof(struct former_extent, sum));
        to->begin.word = from->begin.word;
}

static void write_share(const struct ledger_share_record *from, struct former_share *to)
{
        to->lasting = from->lasting;
        to->n_rights = from->n_rights;
        memcpy(to->rights, from->rights, sizeof(to->rights));
        memcpy(to->name, from->name, sizeof(to->name));
        to->sum = sum_of(to, 8, offsetof(struct former_share, sum));
        to->removed = from->removed;
        to->has_token = from->has_token;
        memcpy(to->token, from->token, sizeof(to->token));
        to->ended_ns = from->ended_ns;
        to->left = from->left;
        to->left_uid = from->left_uid;
        to->left_pid = from->left_pid;
        memcpy(to->left_name, from->left_name, sizeof(to->left_name));
        to->begin.word = from->begin.word;
}

static void write_holder(const struct ledger_holder_record *from, struct former_holder *to)
{
        to->session = from->session;
        to->buffer = from->buffer;
        to->seq = from->seq;
        to->sum = sum_of(to, 8, offsetof(struct former_holder, sum));
        to->begin.word = from->begin.word;
}

static void write_frame(const struct ledger_frame_record *from, struct former_frame *to)
{
        if (!from->generation)
                return;
        to->generation = from->generation;
        to->session = from->session;
        to->uid = from->uid;
        to->marks = from->marks;
        to->aside = from->aside;
        to->sum = (uint32_t)mix(mix(mix(mix(0, to->generation), to->session), to->uid), to->aside);
}

void former_ledger_write(const struct ledger *from, void *memory)
{
        struct former_ledger to;

        write_head(from, memory);
        to = former_ledger_at(memory);
        for (uint32_t i = 0; i < to.head->slots; i++)
                write_frame(&from->frames[i], &to.frames[i]);
        for (uint32_t i = 0; i < to.head->used[FORMER_SESSIONS]; i++)
                if (ledger_session(from, i)->begin.word)
                        write_session(ledger_session(from, i), &to.sessions[i]);
        for (uint32_t i = 0; i < to.head->used[FORMER_BUFFERS]; i++)
                if (ledger_buffer(from, i)->begin.word)
                        write_buffer(ledger_buffer(from, i), &to.buffers[i]);
        for (uint32_t i = 0; i < to.head->used[FORMER_EXTENTS]; i++)
                if (ledger_extent(from, i)->begin.word)
                        write_extent(ledger_extent(from, i), &to.extents[i]);
        for (uint32_t i = 0; i < to.head->used[FORMER_SHARES]; i++)
                if (ledger_share(from, i)->begin.word)
                        write_share(ledger_share(from, i), &to.shares[i]);
        for (uint32_t i = 0; i < to.head->used[FORMER_HOLDERS]; i++)
                if (ledger_holder(from, i)->begin.word)
                        write_holder(ledger_holder(from, i), &to.holders[i]);
}
