/* SPDX-License-Identifier: MIT */
/*
 * Who had memory before: a device that was not stopped writes where its buffer used to be, and
 * whoever has that memory now wants to know whose device it is.
 */
#pragma once

#include "state.h"

struct buffer;
struct pool;

/* Frames that are remembered. Those with numbers alike share HISTORY_WAYS places, and of these the
 * one that was given back longest ago is forgotten first. (Fuzz targets have few sets: places run
 * out, and a state ends soon.) */
#ifndef HISTORY_SETS
#define HISTORY_SETS 8192
#endif
#define HISTORY_WAYS 8

/**
 * struct former - a client and a label that it gave
 * @refs:   entries that refer to it
 * @pool:   where that was
 */
struct former {
        uint32_t refs;
        uint32_t uid;
        const struct pool *pool;
        uint64_t client_id;
        char client[LABEL_BYTES_MAX + 1], label[LABEL_BYTES_MAX + 1];
};

struct history_entry {
        struct former *who; /* counted; NULL: none */
        uint64_t until_ns;
};

/**
 * struct history_place - a frame
 * @key:     its address and its size; 0: no frame
 * @entries: latest first
 */
struct history_place {
        uint64_t key;
        struct history_entry entries[FORMER_HOLDERS_MAX];
};

/**
 * struct history - embedded in the state
 * @places: HISTORY_SETS times HISTORY_WAYS; NULL: nothing is remembered
 */
struct history {
        struct history_place *places;
};

/* All of its memory at once, which only counts where it is used; without any, @history forgets. */
void history_init(struct history *history);
void history_deinit(struct history *history);

/* A buffer is given back, or was at @until_ns. Costs little for each of its frames. Without memory
 * nothing is noted. */
void history_note(struct history *history, const struct buffer *buffer, uint64_t until_ns);

/**
 * history_of() - who had a frame
 * @page_bytes: its size
 *
 * Return: FORMER_HOLDERS_MAX entries, latest first; NULL where nothing is known. They stay until
 * the next history_note().
 */
const struct history_entry *history_of(const struct history *history, uint64_t phys,
                                       uint64_t page_bytes);

/* Every invariant of a frame's place; asserts. */
void history_check(const struct history *history, uint64_t phys, uint64_t page_bytes);
