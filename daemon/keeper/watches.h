/* SPDX-License-Identifier: MIT */
/*
 * PCI devices to which memory of the dead may still be bound: looked at until they are seen not to
 * be bus master, less and less often, on a thread of their own.
 */
#pragma once

#include "reports.h"

#include <bsd/sys/tree.h>
#include <pthread.h>

#define WATCH_WAIT_FIRST_NS (NS_PER_MS)
#define WATCH_WAIT_MAX_NS   (NS_PER_S)

struct watch_entry;

RB_HEAD(watch_entries, watch_entry);

/**
 * struct watches - the devices
 * @look:    whether a device is bus master: 1, 0, or a negative errno; called on the thread
 * @data:    handed to @look
 * @lock:    over the rest
 * @epoch:   counts watches_clear(): what was seen before is nobody's news. Changed by the caller of
 *           that alone
 * @entries: by address, @count of them
 */
struct watches {
        int (*look)(void *data, uint32_t device);
        void *data;
        struct reports *reports;
        pthread_t thread;
        pthread_mutex_t lock;
        pthread_cond_t changed;
        uint32_t epoch;
        struct watch_entries entries;
        uint32_t count;
        bool stopping;
};

/**
 * watches_init() - start the thread
 * @reports: borrowed until watches_stop(): what is seen goes there
 *
 * Return: 0; negative errno.
 */
int watches_init(struct watches *watches, struct reports *reports,
                 int (*look)(void *data, uint32_t device), void *data);

/* End the thread, with the look that is under way; and forget all devices. */
void watches_stop(struct watches *watches);

/**
 * watches_add() - look at a device, once more at least where it is looked at already
 * @round: reported with what is seen from now on
 *
 * Return: 0; -ENOSPC where there are KEEPER_WATCHES_MAX already; -ENOMEM.
 */
int watches_add(struct watches *watches, uint32_t device, uint32_t round);

/* Look at it no more. Not where nobody looks. */
void watches_remove(struct watches *watches, uint32_t device);

/* The same for all, in another epoch. */
void watches_clear(struct watches *watches);

/* Whether a sighting is of this epoch; for the thread that calls watches_clear(). */
bool watches_are_of(const struct watches *watches, const struct sighting *seen);
