/* SPDX-License-Identifier: MIT */
/*
 * Mistakes with streaming mappings.
 */
#pragma once

#include "debug_ranges.h"
#include "debug_registry.h"
#include "debug_turn.h"
#include "public.h"

/**
 * struct debug_map - a mapping that is there
 * @device: whose it is
 * @turn:   whose turn it is
 * @sum:    of the memory when the device got it, where that only reads; with @summed
 * @pieces: @n_pieces of memory, as the registry knows them
 */
struct debug_map {
        const struct par_device *device;
        struct turn turn;
        bool summed;
        uint64_t sum;
        size_t n_pieces;
        struct debug_range pieces[];
};

/**
 * struct debug_mapping - what was mapped; all borrowed
 * @pieces: of memory, @n_pieces in their order, each at least 1 byte
 * @dma:    where the device sees the first byte
 * @label:  of its options, or NULL
 * @resource: it is a device's: several may have it, and nothing is read
 * @processors: it is the processor's turn first (PAR_MAP_SKIP_SYNC)
 */
struct debug_mapping {
        const struct par_device *device;
        const struct iovec *pieces;
        size_t n_pieces;
        uint64_t dma;
        enum par_direction direction;
        const char *label;
        bool processors, resource;
};

/* Memory is about to be mapped, and perhaps read. Return: false where it is of a buffer that was
 * freed: it was reported, leave it alone. */
bool debug_map_starts(const struct iovec *pieces, size_t n_pieces, struct debug_call call);

/**
 * debug_map_made() - memory was mapped
 *
 * Reports what another mapping has, too, where a device writes.
 *
 * Return: a number by which it is known; 0: nobody looks after it, and nothing more is to be said.
 */
uint64_t debug_map_made(const struct debug_mapping *mapping, struct debug_call call);

/* struct debug_shape - what a mapping says of itself, and must still say when it is used */
struct debug_shape {
        const struct par_device *device;
        const void *pointer;
        size_t length;
        uint64_t dma;
        enum par_direction direction;
};

/**
 * debug_map_syncs() - a mapping is about to be synced
 * @number: of debug_map_made(); 0 is fine
 * @shape:  what it says now
 * @offset, @length: in it
 *
 * Return: false: it has ended, or is not what was made: it was reported, leave it alone.
 */
bool debug_map_syncs(uint64_t number, const struct debug_shape *shape, size_t offset, size_t length,
                     bool for_device, struct debug_call call);

/* A mapping is about to end. Return: as debug_map_syncs(). */
bool debug_map_ends(uint64_t number, const struct debug_shape *shape, struct debug_call call);

/* Tell of all mappings of a device, which is about to be closed. */
void debug_map_tell_leaks(const struct par_device *device, struct debug_call call);

/* With the lock held: the connection or the device of a mapping goes. */
void debug_map_abandon(struct debug_registry *registry, struct debug_record *record,
                       const struct debug_moment *moment);

/* With the lock held: a mapping that has some of this memory; NULL: none. */
struct debug_record *debug_map_of(const struct debug_registry *registry, uint64_t first,
                                  uint64_t bytes);
