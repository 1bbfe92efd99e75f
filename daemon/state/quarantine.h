/* SPDX-License-Identifier: MIT */
/*
 * What memory of the dead waits for: devices that may still be writing to it.
 *
 * A device is quiet once it was seen not to be bus master after its driver's death: closing the
 * VFIO device ends that, an administrator may, and one that was pulled out is none. What it does
 * later it does for somebody else. A reset cannot be seen: the kernel writes the register back.
 * Where no PCI device was named nothing can be seen, and only time passes.
 */
#pragma once

#include "watch.h"

struct buffer;
struct demand;
struct holding;

/* Devices of one client in one pool; of further ones nothing is seen. */
#define QUARANTINE_DEVICES_MAX 8

/* struct quarantine_device - a holding waits for a device; @round: of its question */
struct quarantine_device {
        struct watch *watch; /* a reference */
        struct holding *holding;
        uint32_t round;
        bool asked, quiet;
        LIST_ENTRY(quarantine_device) link; /* watch::waiting, while @asked and not @quiet */
};

/**
 * struct quarantine - embedded in what a client held
 * @devices:   @n_devices, of all its buffers
 * @n_noisy:   those that were not seen quiet
 * @unwatched: some of the memory was for no PCI device, or for too many: time has to pass
 * @told:      the operator knows that it takes longer
 */
struct quarantine {
        struct quarantine_device devices[QUARANTINE_DEVICES_MAX];
        unsigned n_devices, n_noisy;
        bool unwatched, told;
};

/**
 * quarantine_prepare() - have a buffer know the devices that it is granted for
 *
 * Undone by quarantine_forget().
 *
 * Return: 0; -ENOMEM.
 */
int quarantine_prepare(struct state *state, const struct demand *demand, struct buffer *buffer);
void quarantine_forget(struct state *state, struct buffer *buffer);

/* A buffer of the holding, whose client is gone, may be written to by its devices. */
void quarantine_note(struct holding *holding, const struct buffer *buffer);

/* Its client is dead: have the devices looked at, if they are not yet. */
void quarantine_watch(struct state *state, struct holding *holding);

/* Whether nothing has to be waited for; else when to ask again, if no news comes before. */
bool quarantine_is_over(const struct holding *holding, uint64_t now_ns);
uint64_t quarantine_due(const struct holding *holding, uint64_t now_ns);

/* Tell the operator, once, where it lasts longer than the pool's time. */
void quarantine_tell(struct state *state, struct holding *holding, uint64_t now_ns);

/* It is over, for whatever reason: the devices are of no interest any more. */
void quarantine_end(struct state *state, struct holding *holding);

/* A device is quiet: those who asked in this round or before no longer wait for it. */
void quarantine_quiet(struct state *state, struct watch *watch, uint32_t round, uint64_t now_ns);

/* Why it is not over, for people: "device 0000:00:04.0 is still bus master"; "" where it is. */
void quarantine_words(const struct holding *holding, char *to, size_t room);

/* Every invariant of a holding's; asserts. */
void quarantine_check(const struct holding *holding);
