/* SPDX-License-Identifier: MIT */
/*
 * PCI devices whose bus mastering is of interest: they may still be writing to memory of the dead.
 * The keeper looks at them for as long as somebody waits.
 */
#pragma once

#include "lists.h"
#include "state.h"

struct quarantine_device;

LIST_HEAD(quarantine_device_list, quarantine_device);

/**
 * struct watch - a device that buffers were granted for
 * @device:  its address, as pci_address.h has it
 * @refs:    buffers, and holdings in quarantine, that know it
 * @round:   of the last question; an answer to an earlier one says nothing about who asked since
 * @waiting: holdings that wait for it to be quiet: while there are any, the keeper looks
 * @seen:    what was last seen of it, for people
 */
struct watch {
        uint32_t device;
        uint32_t refs;
        uint32_t round;
        struct quarantine_device_list waiting;
        enum device_sight seen;
        RB_ENTRY(watch) by_device; /* state::watches */
};

RB_HEAD(watch_tree, watch);

/**
 * watch_get() - the watch of a device, with a reference
 *
 * Return: 0; -ENOMEM.
 */
int watch_get(struct state *state, uint32_t device, struct watch **ret);
void watch_ref(struct watch *watch);
void watch_unref(struct state *state, struct watch *watch); /* freed with its last reference */

/* A device that is still bus master while somebody waits for it; NULL: there is none. */
const struct watch *watch_noisy(const struct state *state);

/* Free them all, whoever refers to them. */
void watches_free(struct state *state);
