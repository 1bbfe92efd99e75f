/* SPDX-License-Identifier: MIT */
/*
 * Owns the waiting of holdings for devices. Refuses to guess: what was not seen to be quiet since
 * the client's death is not, and an answer to a question from before that death counts for nothing.
 * Allocates nothing once a client is dead.
 */
#include "quarantine.h"

#include "demand.h"
#include "pci_address.h"
#include "state_private.h"

#include <inttypes.h>
#include <stdio.h>
#include <syslog.h>

/* ---- which devices -------------------------------------------------------------------------- */

int quarantine_prepare(struct state *state, const struct demand *demand, struct buffer *buffer)
{
        int r;

        buffer->unwatched = demand->unwatched;
        for (size_t i = 0; i < demand->n_watched; i++) {
                r = watch_get(state, demand->watched[i], &buffer->watches[i]);
                if (r) {
                        quarantine_forget(state, buffer);
                        return r;
                }
                buffer->n_watches++;
        }
        return 0;
}

void quarantine_forget(struct state *state, struct buffer *buffer)
{
        while (buffer->n_watches)
                watch_unref(state, buffer->watches[--buffer->n_watches]);
}

static bool knows(const struct quarantine *quarantine, const struct watch *watch)
{
        for (unsigned i = 0; i < quarantine->n_devices; i++)
                if (quarantine->devices[i].watch == watch)
                        return true;
        return false;
}

void quarantine_note(struct holding *holding, const struct buffer *buffer)
{
        struct quarantine *quarantine = &holding->quarantine;

        quarantine->unwatched |= buffer->unwatched;
        for (unsigned i = 0; i < buffer->n_watches; i++) {
                if (knows(quarantine, buffer->watches[i]))
                        continue;
                if (quarantine->n_devices == QUARANTINE_DEVICES_MAX) {
                        quarantine->unwatched = true;
                        return;
                }
                watch_ref(buffer->watches[i]);
                quarantine->devices[quarantine->n_devices++] =
                        (struct quarantine_device){ .watch = buffer->watches[i],
                                                    .holding = holding };
                quarantine->n_noisy++;
        }
}

/* ---- waiting -------------------------------------------------------------------------------- */

void quarantine_watch(struct state *state, struct holding *holding)
{
        for (unsigned i = 0; i < holding->quarantine.n_devices; i++) {
                struct quarantine_device *device = &holding->quarantine.devices[i];

                if (device->asked)
                        continue;
                device->asked = true;
                device->round = ++device->watch->round;
                LIST_INSERT_HEAD(&device->watch->waiting, device, link);
                state->ops->watch(state->data, device->watch->device, device->round);
        }
}

/* It no longer waits for this one. */
static void stop_waiting(struct quarantine_device *device)
{
        LIST_REMOVE(device, link);
        device->quiet = true;
        device->holding->quarantine.n_noisy--;
}

void quarantine_quiet(struct state *state, struct watch *watch, uint32_t round, uint64_t now_ns)
{
        struct quarantine_device *device, *next;

        LIST_FOREACH_SAFE (device, &watch->waiting, link, next) {
                if ((int32_t)(device->round - round) > 0)
                        continue;
                stop_waiting(device);
                due_set(&state->dues, &device->holding->due, now_ns);
        }
}

void quarantine_end(struct state *state, struct holding *holding)
{
        struct quarantine *quarantine = &holding->quarantine;

        while (quarantine->n_devices) {
                struct quarantine_device *device = &quarantine->devices[--quarantine->n_devices];
                struct watch *watch = device->watch;

                if (device->asked && !device->quiet) {
                        stop_waiting(device);
                        if (LIST_EMPTY(&watch->waiting))
                                state->ops->unwatch(state->data, watch->device);
                }
                watch_unref(state, watch);
        }
        quarantine->n_noisy = 0;
        quarantine->unwatched = false;
}

bool quarantine_is_over(const struct holding *holding, uint64_t now_ns)
{
        const struct quarantine *quarantine = &holding->quarantine;

        if (now_ns >= holding->until_ns)
                return !quarantine->n_noisy || holding->account->pool->settings->quarantine_is_max;
        return !quarantine->n_noisy && !quarantine->unwatched;
}

uint64_t quarantine_due(const struct holding *holding, uint64_t now_ns)
{
        return now_ns < holding->until_ns ? holding->until_ns : DUE_NEVER - 1;
}

/* ---- for people ----------------------------------------------------------------------------- */

static void device_words(const struct quarantine_device *device, char *to, size_t room)
{
        char text[PCI_ADDRESS_TEXT_BYTES];
        const char *what = "was not looked at yet";

        if (device->watch->seen == SIGHT_MASTER)
                what = "is still bus master";
        else if (device->watch->seen == SIGHT_FAILED)
                what = "cannot be looked at";
        if (!device->asked)
                what = "may be in use: its client still runs";
        snprintf(to, room, "device %s %s", pci_address_text(device->watch->device, text), what);
}

void quarantine_words(const struct holding *holding, char *to, size_t room)
{
        const struct quarantine *quarantine = &holding->quarantine;

        to[0] = '\0';
        if (!holding_waits(holding))
                return;
        for (unsigned i = 0; i < quarantine->n_devices; i++)
                if (!quarantine->devices[i].quiet) {
                        device_words(&quarantine->devices[i], to, room);
                        return;
                }
        snprintf(to, room, "%s",
                 quarantine->n_devices ? "not all of it was for PCI devices"
                                       : "no PCI device was named");
}

void quarantine_tell(struct state *state, struct holding *holding, uint64_t now_ns)
{
        const struct log_fields about = {
                .pool = holding->account->pool->settings->name,
                .client = holding->name,
        };
        char why[REPORT_NOTE_BYTES];

        if (holding->quarantine.told || now_ns < holding->until_ns)
                return;
        holding->quarantine.told = true;
        quarantine_words(holding, why, sizeof(why));
        state_log(state, LOG_WARNING, &about,
                  "memory of %s (uid %u, pid %u) stays in quarantine: %s", holding->name,
                  holding->uid, holding->pid, why);
}

void quarantine_check(const struct holding *holding)
{
        const struct quarantine *quarantine = &holding->quarantine;
        unsigned noisy = 0;

        assert(!quarantine->n_devices || (holding->quarantined && holding->disclosed));
        for (unsigned i = 0; i < quarantine->n_devices; i++) {
                const struct quarantine_device *device = &quarantine->devices[i];

                assert(device->holding == holding && device->watch->refs);
                assert(device->asked || !device->quiet);
                assert(!device->asked || device->quiet || !LIST_EMPTY(&device->watch->waiting));
                noisy += !device->quiet;
        }
        assert(noisy == quarantine->n_noisy);
}
