/* SPDX-License-Identifier: MIT */
/*
 * From a pointer to the device's address of it, and back.
 */
#pragma once

#include "address_index.h"
#include "buffer.h"

#include <sys/queue.h>

/*
 * A view says whose addresses are meant: memory's own, those of a VFIO container (its number, see
 * io_space.h), or those of a device that sees memory elsewhere than the processor does (from
 * VIEW_DEVICES on).
 */
#define VIEW_MEMORY  0
#define VIEW_DEVICES 128
#define VIEW_NONE    INDEX_VIEWS /* nobody knows: such a buffer is not found by its dma */

/* struct view - that of the devices that were opened under a name */
struct view {
        SLIST_ENTRY(view) link; /* lookup::views */
        uint32_t number;
        char name[];
};

/**
 * struct lookup - the buffers of a handle by address
 *
 * @by_home: those that are elsewhere than their frames; not for look-ups, but for finding out what
 *           overlaps
 *
 * Written with the handle's lock held, read without.
 */
struct lookup {
        struct spans spans;
        struct address_index by_pointer, by_dma, by_home;
        SLIST_HEAD(, view) views;
        uint32_t last_view;
};

void lookup_init(struct lookup *lookup);
void lookup_deinit(struct lookup *lookup);

/**
 * lookup_view() - the view of the devices of a name; the same for the same name
 *
 * Return: 0; -ENOMEM.
 */
int lookup_view(struct lookup *lookup, const char *name, uint32_t *ret);

/**
 * lookup_insert() - make a whole buffer known, as its segments are now
 * @buffer: borrowed until lookup_remove()
 *
 * Where several have the same dma in one view, as only a daemon in error would grant them, the
 * first is found.
 *
 * Return: 0; -EPROTO where it overlaps another one, or does not start on a granule: the daemon gave
 * the same memory out twice, or what it cannot give; -ENOMEM.
 */
int lookup_insert(struct lookup *lookup, struct par_buffer *buffer);

/* Forget a buffer, also one that is not known. */
void lookup_remove(struct lookup *lookup, struct par_buffer *buffer);

/* The extent in which a pointer lies, if it is the first one to be looked at: on the short way.
 * Without a lock. */
static inline bool lookup_near(const struct lookup *lookup, uint64_t address, struct extent *ret)
{
        const struct span *span = address_index_find(&lookup->by_pointer, VIEW_MEMORY, address);

        return span && span_read(span, ret) && address - ret->first < ret->bytes;
}

/* What is known of the memory at a pointer, of which @ret has @ret->first. Without a lock. Return:
 * whether there is a buffer. */
bool lookup_pointer(const struct lookup *lookup, uint64_t address, struct extent *ret);
