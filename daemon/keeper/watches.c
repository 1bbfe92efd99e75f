/* SPDX-License-Identifier: MIT */
/*
 * Owns the devices that are looked at. A look is a few bytes of the device's configuration space,
 * which may wake it, or wait for a reset that is under way: so it is done here, by nobody else, and
 * without the lock. Refuses to tell the same twice.
 */
#include "watches.h"

#include "keeper_protocol.h"
#include "macros.h"

#include <errno.h>
#include <stdlib.h>
#include <time.h>

/**
 * struct watch_entry - a device
 * @round:   of the last watches_add()
 * @told:    the last answer, where @any_told
 * @due_ns, @wait_ns: when to look next, and how long that is put off
 */
struct watch_entry {
        uint32_t device, round;
        bool any_told;
        int told;
        uint64_t due_ns, wait_ns;
        RB_ENTRY(watch_entry) by_device; /* watches::entries */
};

static int entry_compare(const struct watch_entry *a, const struct watch_entry *b)
{
        return (a->device > b->device) - (a->device < b->device);
}

RB_GENERATE_INTERNAL(watch_entries, watch_entry, by_device, entry_compare,
                     static __attribute__((__unused__)))

static uint64_t now_ns(void)
{
        struct timespec now;

        clock_gettime(CLOCK_MONOTONIC, &now);
        return (uint64_t)now.tv_sec * NS_PER_S + (uint64_t)now.tv_nsec;
}

static struct watch_entry *find(struct watches *watches, uint32_t device)
{
        struct watch_entry key = { .device = device };

        return RB_FIND(watch_entries, &watches->entries, &key);
}

static void drop(struct watches *watches, struct watch_entry *entry)
{
        RB_REMOVE(watch_entries, &watches->entries, entry);
        watches->count--;
        free(entry);
}

/* The one to look at first: few devices have memory in quarantine. NULL: there is none. */
static struct watch_entry *earliest(struct watches *watches)
{
        struct watch_entry *entry, *best = NULL;

        RB_FOREACH (entry, watch_entries, &watches->entries)
                if (!best || entry->due_ns < best->due_ns)
                        best = entry;
        return best;
}

static void put_off(struct watch_entry *entry)
{
        entry->due_ns = now_ns() + entry->wait_ns;
        entry->wait_ns *= 2;
        if (entry->wait_ns > WATCH_WAIT_MAX_NS)
                entry->wait_ns = WATCH_WAIT_MAX_NS;
}

/* Return: whether it is known to the main loop, now or already. */
static bool tell(struct watches *watches, struct watch_entry *entry, uint32_t round, int result)
{
        const struct sighting sighting = { entry->device, round, watches->epoch, result };

        if (entry->any_told && entry->told == result && result != KEEPER_SEEN_QUIET)
                return true;
        if (reports_seen(watches->reports, &sighting))
                return false; /* without memory: the next look tells it */
        entry->any_told = true;
        entry->told = result;
        return true;
}

/* What a look brought; somebody may have asked, or stopped to, meanwhile. */
static void seen(struct watches *watches, uint32_t device, uint32_t round, int result)
{
        struct watch_entry *entry = find(watches, device);

        if (!entry)
                return;
        if (result >= 0)
                result = result ? KEEPER_SEEN_MASTER : KEEPER_SEEN_QUIET;
        if (tell(watches, entry, round, result) && result == KEEPER_SEEN_QUIET &&
            entry->round == round)
                drop(watches, entry);
        else if (entry->round == round)
                put_off(entry);
}

static void wait_until(struct watches *watches, const struct watch_entry *entry)
{
        struct timespec until;

        if (!entry) {
                pthread_cond_wait(&watches->changed, &watches->lock);
                return;
        }
        until = (struct timespec){ .tv_sec = (time_t)(entry->due_ns / NS_PER_S),
                                   .tv_nsec = (long)(entry->due_ns % NS_PER_S) };
        pthread_cond_timedwait(&watches->changed, &watches->lock, &until);
}

static void *watches_main(void *data)
{
        struct watches *watches = data;

        pthread_mutex_lock(&watches->lock);
        while (!watches->stopping) {
                const struct watch_entry *entry = earliest(watches);
                uint32_t device, round, epoch;
                int result;

                if (!entry || entry->due_ns > now_ns()) {
                        wait_until(watches, entry);
                        continue;
                }
                device = entry->device;
                round = entry->round;
                epoch = watches->epoch;
                pthread_mutex_unlock(&watches->lock);
                result = watches->look(watches->data, device);
                pthread_mutex_lock(&watches->lock);
                if (epoch == watches->epoch)
                        seen(watches, device, round, result);
        }
        pthread_mutex_unlock(&watches->lock);
        return NULL;
}

int watches_init(struct watches *watches, struct reports *reports,
                 int (*look)(void *data, uint32_t device), void *data)
{
        pthread_condattr_t attributes;
        int r;

        *watches = (struct watches){ .look = look, .data = data, .reports = reports };
        RB_INIT(&watches->entries);
        pthread_mutex_init(&watches->lock, NULL);
        pthread_condattr_init(&attributes);
        pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
        pthread_cond_init(&watches->changed, &attributes);
        pthread_condattr_destroy(&attributes);

        r = pthread_create(&watches->thread, NULL, watches_main, watches);
        if (r) {
                pthread_cond_destroy(&watches->changed);
                pthread_mutex_destroy(&watches->lock);
        }
        return -r;
}

static void drop_all(struct watches *watches)
{
        struct watch_entry *entry;

        while ((entry = RB_ROOT(&watches->entries)))
                drop(watches, entry);
}

void watches_stop(struct watches *watches)
{
        pthread_mutex_lock(&watches->lock);
        watches->stopping = true;
        pthread_cond_signal(&watches->changed);
        pthread_mutex_unlock(&watches->lock);
        pthread_join(watches->thread, NULL);
        drop_all(watches);
        pthread_cond_destroy(&watches->changed);
        pthread_mutex_destroy(&watches->lock);
}

/* With the lock held. */
static int add(struct watches *watches, uint32_t device, struct watch_entry **ret)
{
        struct watch_entry *entry;

        if (watches->count == KEEPER_WATCHES_MAX)
                return -ENOSPC;
        entry = calloc(1, sizeof(*entry));
        if (!entry)
                return -ENOMEM;
        entry->device = device;
        (void)RB_INSERT(watch_entries, &watches->entries, entry);
        watches->count++;
        *ret = entry;
        return 0;
}

int watches_add(struct watches *watches, uint32_t device, uint32_t round)
{
        struct watch_entry *entry;
        int r = 0;

        pthread_mutex_lock(&watches->lock);
        entry = find(watches, device);
        if (!entry)
                r = add(watches, device, &entry);
        if (!r) {
                entry->round = round;
                entry->wait_ns = WATCH_WAIT_FIRST_NS;
                entry->due_ns = now_ns();
                pthread_cond_signal(&watches->changed);
        }
        pthread_mutex_unlock(&watches->lock);
        return r;
}

void watches_remove(struct watches *watches, uint32_t device)
{
        struct watch_entry *entry;

        pthread_mutex_lock(&watches->lock);
        entry = find(watches, device);
        if (entry)
                drop(watches, entry);
        pthread_mutex_unlock(&watches->lock);
}

void watches_clear(struct watches *watches)
{
        pthread_mutex_lock(&watches->lock);
        drop_all(watches);
        watches->epoch++;
        pthread_mutex_unlock(&watches->lock);
}

bool watches_are_of(const struct watches *watches, const struct sighting *seen)
{
        return seen->epoch == watches->epoch;
}
