/* SPDX-License-Identifier: MIT */
/*
 * What is known of a thing that the library gave to the program: what it was, who made it, who
 * ended it.
 */
#pragma once

#include "debug_line.h"
#include "debug_site.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

struct debug_map;
struct debug_owner;

/* struct debug_moment - a call of the program's; @function: NULL: it has not come to that yet */
struct debug_moment {
        const char *function;
        const struct debug_site *site;
        uint64_t thread; /* as gettid() says */
};

#define DEBUG_NAME_BYTES 64

enum debug_kind { DEBUG_BUFFER, DEBUG_MAPPING, DEBUG_KINDS };

/**
 * struct debug_facts - what reports tell; plain words
 * @kind:   enum debug_kind
 * @number: of a buffer: pard's
 * @dma, @direction: of a mapping: its address, and who writes, as enum par_direction
 * @first, @bytes: where its memory is
 * @room_first, @room_bytes: addresses that are its alone, with those around it; 0: none
 * @holder: of a buffer: enum debug_holder
 * @label, @owner, @device: terminated; @owner: the name of the connection
 */
struct debug_facts {
        uint64_t kind, number, first, bytes, room_first, room_bytes, holder, dma, direction;
        char label[DEBUG_NAME_BYTES], owner[DEBUG_NAME_BYTES], device[DEBUG_NAME_BYTES];
        struct debug_moment made, ended;
};

#define DEBUG_FACT_WORDS (sizeof(struct debug_facts) / sizeof(uint64_t))

/**
 * struct debug_record - a thing, live or lately ended
 * @key:     of a buffer its address, whose memory is of calloc() and freed when it is forgotten; of
 *           a mapping an odd number
 * @owner:   whose
 * @facts:   the writer's
 * @map:     of a mapping that has not ended; NULL
 * @slack:   bytes behind those that the user asked for, filled with a pattern
 * @told:    the last mistake that was reported of it, so that a loop reports it once
 * @version: odd while @words change; @words: the facts, for readers without the lock
 *
 * Its memory stays a record's to the end of the process.
 */
struct debug_record {
        RB_ENTRY(debug_record) by_key;      /* debug_registry::by_key */
        TAILQ_ENTRY(debug_record) of_owner; /* debug_owner::live */
        STAILQ_ENTRY(debug_record) by_end;  /* debug_registry::ended, or ::free */
        uintptr_t key;
        struct debug_owner *owner;
        struct debug_facts facts;
        struct debug_map *map;
        size_t slack;
        struct {
                const char *what;
                const void *address;
        } told;
        atomic_uint version;
        _Atomic(uint64_t) words[DEBUG_FACT_WORDS];
};

/* Say in a line what it is: buffer 17 "ring" of radio0 (8192 bytes at 0x7f0000200000). Also in a
 * signal handler, as those below. */
void debug_facts_add(struct line *line, const struct debug_facts *facts);

/* par_free() in stop_ring (driver+0x11ef), thread 811 */
void debug_moment_add(struct line *line, const struct debug_moment *moment);

/* The word for its end: "freed" ... */
const char *debug_ended_word(const struct debug_facts *facts);

/* Let readers see the facts. */
void debug_record_publish(struct debug_record *record);

/* Without a lock, and in a signal handler. Return: false where they change meanwhile. */
bool debug_record_read(const struct debug_record *record, struct debug_facts *ret);
