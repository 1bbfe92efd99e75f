/* SPDX-License-Identifier: MIT */
/*
 * Where in this process registers and memories of devices (BARs) are mapped, as /proc/self/maps
 * says.
 */
#pragma once

#include "range.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

/* struct bar_table - @n ranges, in ascending order; @older: the table before this one */
struct bar_table {
        struct bar_table *older;
        size_t n;
        struct range ranges[];
};

/**
 * struct bar_maps - what is known of a process
 * @table:   the newest; NULL: nobody has asked yet. Read without a lock, replaced under @lock
 * @maps, @sysfs: NULL: /proc/self/maps, and /sys/
 */
struct bar_maps {
        _Atomic(struct bar_table *) table;
        pthread_mutex_t lock;
        const char *maps, *sysfs;
};

void bar_maps_init(struct bar_maps *maps);
void bar_maps_deinit(struct bar_maps *maps);

/* Whether somebody has asked, and there was none. */
static inline bool bar_maps_are_none(const struct bar_maps *maps)
{
        const struct bar_table *table = atomic_load_explicit(&maps->table, memory_order_acquire);

        return table && !table->n;
}

/**
 * bar_maps_read() - ask the kernel
 *
 * Return: 0; -ENOMEM; another negative errno. What was known stays then.
 */
int bar_maps_read(struct bar_maps *maps);

/**
 * bar_maps_touch() - whether any of a range is known to be a device's
 * @range: of addresses of this process
 *
 * What was one a moment ago, and is other memory now, is none: the kernel is asked before it is
 * said to be.
 */
bool bar_maps_touch(struct bar_maps *maps, struct range range);

/* enum bar_place - where a BAR is for the processor */
enum bar_place {
        BAR_NONE,    /* there is no BAR, or not all of the range is in one */
        BAR_KNOWN,   /* sysfs tells */
        BAR_UNKNOWN, /* nobody tells */
};

/* Ask the kernel where a range is. @ret_phys: with BAR_KNOWN. */
enum bar_place bar_maps_find(struct bar_maps *maps, struct range range, uint64_t *ret_phys);
