/* SPDX-License-Identifier: MIT */
/*
 * The allocator: an arena of jemalloc's over a heap's chunks. The only header and the only folder
 * that knows jemalloc.
 */
#pragma once

#include "chunks.h"

#include <jemalloc/jemalloc.h>
#include <stddef.h>
#include <stdint.h>

/* Not a cache: the thread goes to the arena each time. */
#define ARENA_NO_TCACHE UINT32_MAX

/**
 * struct arena - an arena
 * @hooks:  how it gets memory
 * @chunks: from where; borrowed
 * @index:  jemalloc's number of it
 * @ending: it is being destroyed: what it gives back goes with the chunks
 */
struct arena {
        extent_hooks_t hooks;
        struct chunks *chunks;
        unsigned index;
        bool ending;
};

/**
 * arena_create() - an arena that takes its memory from @chunks
 * @arena:   stays where it is
 * @idle_ms: how long memory stays that is not used; -1: for ever
 *
 * Return: 0; -EAGAIN where there are too many; -ENOMEM.
 */
int arena_create(struct arena *arena, struct chunks *chunks, int64_t idle_ms);

/* Forget everything that was allocated. The chunks keep their pages: chunks_deinit() them next. */
void arena_destroy(struct arena *arena);

/* Give the chunks what is not used. */
void arena_purge(const struct arena *arena);

/* Bytes that are allocated, as large as they really are. */
uint64_t arena_live_bytes(const struct arena *arena);

/* "2 of 64 bytes, 1 of 4096": what is allocated, as far as it fits into @room bytes. */
void arena_describe_live(const struct arena *arena, char *text, size_t room);

/**
 * arena_join() - a cache for the calling thread
 * @ret_tcache: arena_leave() it; ARENA_NO_TCACHE where there are too many
 *
 * Return: the flags for mallocx() and its kin.
 */
int arena_join(const struct arena *arena, unsigned *ret_tcache);

/* Empty a cache: the calling thread's own. */
void arena_flush(unsigned tcache);

/* End a cache that nobody uses any more. */
void arena_leave(unsigned tcache);
