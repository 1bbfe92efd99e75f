/* SPDX-License-Identifier: MIT */
/*
 * What the library gave to the program, and what the program gave back lately; one for the process.
 */
#pragma once

#include "address_index.h"
#include "debug.h"
#include "debug_ranges.h"
#include "debug_record.h"

#include <pthread.h>
#include <sys/types.h>

/* Of each kind what has ended is known until so many others have, or until their places in memory
 * together take so much of the address space. */
#define DEBUG_ENDED_MAX       1024u
#define DEBUG_ENDED_BYTES_MAX (UINT64_C(1) << 40)

RB_HEAD(debug_key_tree, debug_record);
TAILQ_HEAD(debug_record_list, debug_record);
STAILQ_HEAD(debug_record_queue, debug_record);

/**
 * struct debug_owner - a connection that is looked after
 * @name: under which it is connected
 * @log, @log_data, @to_stderr: where reports go, as struct par has it; @log is NULL when it is gone
 * @live: its records that have not ended, in the order in which they were made
 * @records: that refer to it
 * @gone: it is freed with the last of these
 */
struct debug_owner {
        char name[DEBUG_NAME_BYTES];
        void (*log)(void *log_data, int level, const char *message);
        void *log_data;
        bool to_stderr, gone;
        struct debug_record_list live;
        size_t records;
        LIST_ENTRY(debug_owner) link; /* debug_registry::owners, while it is not @gone */
};

/**
 * struct debug_registry - all of it
 * @pid:   whose it is: a child of fork() leaves it alone, since a thread that it does not have may
 *         hold the lock
 * @sites: has a lock of its own
 * @lock:  protects what follows; nothing is called with it held that may take another one
 * @by_key: what has ended, too
 * @mappings: how many were ever made
 * @reading, @writing: pieces of memory that are mapped for devices that only read; that write
 * @by_address: by memory; read without the lock. What it leads to are records: it only keeps them
 * @ended: of each kind, the oldest first; @n_ended, @ended_bytes of address space
 * @free:  records for which there is no use
 * @owners: connections that are there
 */
struct debug_registry {
        pid_t pid;
        struct debug_sites sites;
        pthread_mutex_t lock;
        struct debug_key_tree by_key;
        uint64_t mappings;
        struct debug_ranges reading, writing;
        struct address_index by_address;
        struct debug_record_queue ended[DEBUG_KINDS], free;
        size_t n_ended[DEBUG_KINDS];
        uint64_t ended_bytes;
        LIST_HEAD(, debug_owner) owners;
};

/* Something is in use that nobody looks after: a pointer that is not known may be good. */
extern atomic_bool debug_others;

/* That of this process; NULL where none was made. */
struct debug_registry *debug_registry(void);

/* The same, made where there is none; NULL without memory. */
struct debug_registry *debug_registry_get(void);

/* The same in a signal handler: also where it is the parent's. */
const struct debug_registry *debug_registry_look(void);

/* A call, at this moment, by this thread. Without the lock. */
struct debug_moment debug_now(struct debug_registry *registry, struct debug_call call);

/* ---- records; with the lock held ------------------------------------------------------------ */

/* NULL: there is none. */
struct debug_record *debug_registry_find(struct debug_registry *registry, uintptr_t key);

/* The record of what is, or was, at an address; NULL: none. */
struct debug_record *debug_registry_at(const struct debug_registry *registry, const void *address);

/**
 * debug_registry_add() - know of a thing
 * @key: no record has it
 * @facts:  copied
 *
 * Return: the record; NULL without memory.
 */
struct debug_record *debug_registry_add(struct debug_registry *registry, struct debug_owner *owner,
                                        uintptr_t key, const struct debug_facts *facts);

/* It has ended, as facts.ended says; it is not among its owner's any more. */
void debug_registry_end(struct debug_registry *registry, struct debug_record *record);

/* What has ended is all over: it may be forgotten when others have ended. @room_kept: its addresses
 * are still its own. */
void debug_registry_bury(struct debug_registry *registry, struct debug_record *record,
                         bool room_kept);
