/* SPDX-License-Identifier: MIT */
/*
 * Owns the list of what can change while pard runs and what cannot: what lies in descriptors, in
 * the rights of a process or in the addresses of frames that clients have is settled at the start.
 * Names every difference; refuses all that cannot change in one sentence, so that nobody has to
 * find out one by one.
 */
#include "config.h"

#include "macros.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* A section's kind and name, a key: "device NAME: max_segment_bytes". */
#define SETTING_BYTES 128

/**
 * struct setting - a key whose value is plain, or can be compared by a function
 * @key:     as in the file
 * @fixed:   it cannot change
 * @offset, @bytes: where the value is in its struct
 * @differs: instead of comparing bytes
 */
struct setting {
        const char *key;
        bool fixed;
        size_t offset, bytes;
        bool (*differs)(const void *from, const void *to);
};

#define PLAIN(type, key, fixed, member)                                                  \
        {                                                                                \
                key, fixed, offsetof(type, member), sizeof(((type *)NULL)->member), NULL \
        }

/**
 * struct comparison - a comparison under way
 * @fixed: something differs that cannot change; @error has the beginning of a sentence
 * @used:  bytes of it
 */
struct comparison {
        void (*changed)(void *data, const char *name);
        void *data;
        char *error;
        size_t error_bytes, used;
        bool fixed;
};

static void __attribute__((__format__(__printf__, 2, 3)))
say(struct comparison *comparison, const char *format, ...)
{
        const size_t room = comparison->error_bytes - comparison->used;
        va_list args;
        int n;

        va_start(args, format);
        n = vsnprintf(comparison->error + comparison->used, room, format, args);
        va_end(args);
        if (n > 0)
                comparison->used += (size_t)n < room ? (size_t)n : room - 1;
}

/* @where: "pool NAME", "sim" or ""; @key: NULL: all of it. */
static void note(struct comparison *comparison, const char *where, const char *key, bool fixed)
{
        char name[2 * SETTING_BYTES];

        snprintf(name, sizeof(name), "%s%s%s", where, *where && key ? ": " : "", key ? key : "");
        if (comparison->changed)
                comparison->changed(comparison->data, name);
        if (!fixed)
                return;
        say(comparison, "%s%s", comparison->fixed ? ", " : "cannot change while pard runs: ", name);
        comparison->fixed = true;
}

static void compare_settings(struct comparison *comparison, const char *where,
                             const struct setting *settings, size_t n, const void *from,
                             const void *to)
{
        for (size_t i = 0; i < n; i++) {
                const struct setting *setting = &settings[i];

                if (setting->differs
                            ? setting->differs(from, to)
                            : memcmp((const char *)from + setting->offset,
                                     (const char *)to + setting->offset, setting->bytes) != 0)
                        note(comparison, where, setting->key, setting->fixed);
        }
}

/* ---- ranges --------------------------------------------------------------------------------- */

/**
 * struct bounds - a pool's or device's range
 * @limited: it says something about it
 * @highest: the key that set its last address; NULL: none did
 */
struct bounds {
        struct range window;
        bool limited;
        const char *highest;
};

static void compare_bounds(struct comparison *comparison, const char *where, bool fixed,
                           struct bounds from, struct bounds to)
{
        const char *highest = to.highest ? to.highest : from.highest;
        const bool first = from.window.first != to.window.first;
        const bool last = from.window.last != to.window.last;
        /* A range of everything differs from none: requests without a limit keep out of it. */
        const bool limited = from.limited != to.limited && !first && !last;

        if (first || (limited && !highest))
                note(comparison, where, "addr_min", fixed);
        if (last || (limited && highest))
                note(comparison, where, highest, fixed);
}

/* ---- the top level -------------------------------------------------------------------------- */

static bool texts_differ(const char *from, const char *to)
{
        return !from != !to || (from && strcmp(from, to) != 0);
}

static bool socket_differs(const void *from, const void *to)
{
        return texts_differ(((const struct config *)from)->socket_path,
                            ((const struct config *)to)->socket_path);
}

static bool metrics_differ(const void *from, const void *to)
{
        return texts_differ(((const struct config *)from)->metrics,
                            ((const struct config *)to)->metrics);
}

static bool devices_dir_differs(const void *from, const void *to)
{
        return texts_differ(((const struct config *)from)->devices_dir,
                            ((const struct config *)to)->devices_dir);
}

static bool users_differ(const void *from, const void *to)
{
        const struct config *a = from, *b = to;

        return a->user != b->user || a->user_group != b->user_group ||
               (a->user == (uid_t)-1 && texts_differ(a->user_name, b->user_name));
}

static bool carveouts_differ(const void *from, const void *to)
{
        const struct config *a = from, *b = to;

        if (a->n_carveouts != b->n_carveouts)
                return true;
        for (size_t i = 0; i < a->n_carveouts; i++)
                if (strcmp(a->carveouts[i], b->carveouts[i]) != 0)
                        return true;
        return false;
}

static const struct setting top_settings[] = {
        { "socket", true, 0, 0, socket_differs },
        PLAIN(struct config, "mode", true, socket_mode),
        PLAIN(struct config, "group", true, socket_group),
        PLAIN(struct config, "admin_group", true, state.admin_group),
        { "metrics", true, 0, 0, metrics_differ },
        { "user", true, 0, 0, users_differ },
        PLAIN(struct config, "log_level", false, log_level),
        PLAIN(struct config, "backend", true, backend),
        PLAIN(struct config, "hugepages", true, reserve),
        { "carveout", true, 0, 0, carveouts_differ },
        PLAIN(struct config, "keep_free", false, keep_free_bytes),
        PLAIN(struct config, "verify", false, verify_ns),
        PLAIN(struct config, "threads", true, threads),
        PLAIN(struct config, "max_clients", false, state.max_clients),
        PLAIN(struct config, "max_clients_per_user", false, state.max_clients_per_user),
        PLAIN(struct config, "max_buffers", false, state.max_buffers),
        PLAIN(struct config, "max_waiting", false, state.max_waiting),
        { "devices_dir", false, 0, 0, devices_dir_differs },
};

/* ---- pools ---------------------------------------------------------------------------------- */

static bool allowances_differ(const void *from, const void *to)
{
        const struct pool_settings *a = from, *b = to;

        if (a->n_allow != b->n_allow)
                return true;
        for (size_t i = 0; i < a->n_allow; i++)
                if (a->allow[i].is_group != b->allow[i].is_group ||
                    a->allow[i].id != b->allow[i].id)
                        return true;
        return false;
}

static bool is_same_principal(const struct principal *a, const struct principal *b)
{
        return a->is_group == b->is_group && a->id == b->id;
}

static bool quotas_differ(const void *from, const void *to)
{
        const struct pool_settings *a = from, *b = to;

        if (a->n_quotas != b->n_quotas)
                return true;
        for (size_t i = 0; i < a->n_quotas; i++) {
                const struct quota_settings *x = &a->quotas[i], *y = &b->quotas[i];

                if (!is_same_principal(&x->who, &y->who) || x->each != y->each ||
                    x->bytes != y->bytes || x->frames != y->frames || x->buffers != y->buffers)
                        return true;
        }
        return false;
}

static bool claims_differ(const void *from, const void *to)
{
        const struct pool_settings *a = from, *b = to;

        if (a->n_claims != b->n_claims)
                return true;
        for (size_t i = 0; i < a->n_claims; i++)
                if (!is_same_principal(&a->claims[i].who, &b->claims[i].who) ||
                    a->claims[i].bytes != b->claims[i].bytes)
                        return true;
        return false;
}

/* Said or not is a difference, too. */
static bool quarantines_differ(const void *from, const void *to)
{
        const struct pool_settings *a = from, *b = to;

        return a->quarantine_ns != b->quarantine_ns || a->quarantine_is_max != b->quarantine_is_max;
}

static const struct setting pool_settings[] = {
        PLAIN(struct pool_settings, "page_size", true, page_bytes),
        PLAIN(struct pool_settings, "size_min", false, size_min_bytes),
        PLAIN(struct pool_settings, "size_max", false, size_max_bytes),
        PLAIN(struct pool_settings, "spare", false, spare_bytes),
        PLAIN(struct pool_settings, "shrink_delay", false, shrink_delay_ns),
        PLAIN(struct pool_settings, "run_min", false, run_min_bytes),
        PLAIN(struct pool_settings, "source", true, source),
        PLAIN(struct pool_settings, "harvest_max", false, harvest_max_bytes),
        PLAIN(struct pool_settings, "node", true, node),
        PLAIN(struct pool_settings, "spill", false, spill),
        PLAIN(struct pool_settings, "pin", true, pin_required),
        PLAIN(struct pool_settings, "isolation", true, isolation),
        PLAIN(struct pool_settings, "handout", true, handout),
        PLAIN(struct pool_settings, "addresses", true, hidden),
        PLAIN(struct pool_settings, "reuse_delay", false, reuse_delay_ns),
        { "quarantine", false, 0, 0, quarantines_differ },
        { "allow", false, 0, 0, allowances_differ },
        { "quota", false, 0, 0, quotas_differ },
        { "claim", false, 0, 0, claims_differ },
};

static void compare_pool(struct comparison *comparison, const struct config *from,
                         const struct config *to, size_t i)
{
        const struct pool_settings *a = &from->pools[i], *b = &to->pools[i];
        char where[SETTING_BYTES];

        snprintf(where, sizeof(where), "pool %s", b->name);
        compare_settings(comparison, where, pool_settings, ARRAY_SIZE(pool_settings), a, b);
        compare_bounds(comparison, where, true,
                       (struct bounds){ a->window, a->limited, from->pool_highest[i] },
                       (struct bounds){ b->window, b->limited, to->pool_highest[i] });
}

static bool has_pool(const struct config *config, const char *name)
{
        for (size_t i = 0; i < config->state.n_pools; i++)
                if (strcmp(config->pools[i].name, name) == 0)
                        return true;
        return false;
}

/* Pools of @config that @other lacks. */
static bool note_odd_pools(struct comparison *comparison, const struct config *config,
                           const struct config *other)
{
        char where[SETTING_BYTES];
        bool odd = false;

        for (size_t i = 0; i < config->state.n_pools; i++) {
                if (has_pool(other, config->pools[i].name))
                        continue;
                snprintf(where, sizeof(where), "pool %s", config->pools[i].name);
                note(comparison, where, NULL, true);
                odd = true;
        }
        return odd;
}

static void compare_pools(struct comparison *comparison, const struct config *from,
                          const struct config *to)
{
        bool odd, moved = false;

        odd = note_odd_pools(comparison, from, to);
        odd |= note_odd_pools(comparison, to, from);
        if (odd)
                return;
        for (size_t i = 0; i < to->state.n_pools; i++)
                moved |= strcmp(from->pools[i].name, to->pools[i].name) != 0;
        if (moved) {
                note(comparison, "the order of pools", NULL, true);
                return;
        }
        for (size_t i = 0; i < to->state.n_pools; i++)
                compare_pool(comparison, from, to, i);
}

/* ---- devices -------------------------------------------------------------------------------- */

static bool addresses_differ(const void *from, const void *to)
{
        return texts_differ(((const struct device_settings *)from)->pci,
                            ((const struct device_settings *)to)->pci);
}

static bool facts_differ(const struct pci_facts *a, const struct pci_facts *b)
{
        return a->known != b->known || a->dma_mask_bits != b->dma_mask_bits || a->node != b->node ||
               a->iommu_group != b->iommu_group;
}

static const struct setting device_settings[] = {
        PLAIN(struct device_settings, "align", false, limits.align_bytes),
        PLAIN(struct device_settings, "boundary", false, limits.boundary_bytes),
        PLAIN(struct device_settings, "max_segments", false, limits.max_segments),
        PLAIN(struct device_settings, "max_segment_bytes", false, limits.max_segment_bytes),
        PLAIN(struct device_settings, "min_align_mask", false, min_align_mask),
        PLAIN(struct device_settings, "granularity", false, granularity_bytes),
        PLAIN(struct device_settings, "nodes", false, nodes),
        { "pci", false, 0, 0, addresses_differ },
};

/* Its index; n_devices where there is none of that name. */
static size_t find_device(const struct config *config, const char *name)
{
        size_t i;

        for (i = 0; i < config->state.n_devices; i++)
                if (strcmp(config->devices[i].name, name) == 0)
                        break;
        return i;
}

static void compare_device(struct comparison *comparison, const char *where,
                           const struct config *from, size_t i, const struct config *to, size_t j)
{
        const struct device_settings *a = &from->devices[i], *b = &to->devices[j];

        compare_settings(comparison, where, device_settings, ARRAY_SIZE(device_settings), a, b);
        if (memcmp(a->windows, b->windows, sizeof(a->windows)) != 0)
                note(comparison, where, "bus_window", false);
        if (facts_differ(&a->facts, &b->facts))
                note(comparison, where, "what sysfs says", false);
        compare_bounds(comparison, where, false,
                       (struct bounds){ a->limits.window, false, from->device_highest[i] },
                       (struct bounds){ b->limits.window, false, to->device_highest[j] });
}

static void compare_devices(struct comparison *comparison, const struct config *from,
                            const struct config *to)
{
        char where[SETTING_BYTES];

        for (size_t i = 0; i < from->state.n_devices; i++) {
                size_t j = find_device(to, from->devices[i].name);

                snprintf(where, sizeof(where), "device %s", from->devices[i].name);
                if (j == to->state.n_devices)
                        note(comparison, where, NULL, false);
                else
                        compare_device(comparison, where, from, i, to, j);
        }
        for (size_t j = 0; j < to->state.n_devices; j++) {
                snprintf(where, sizeof(where), "device %s", to->devices[j].name);
                if (find_device(from, to->devices[j].name) == from->state.n_devices)
                        note(comparison, where, NULL, false);
        }
}

/* ---- the invented memory -------------------------------------------------------------------- */

static const struct setting sim_settings[] = {
        PLAIN(struct sim_settings, "seed", true, seed),
        PLAIN(struct sim_settings, "fail_call", true, fail_call),
        PLAIN(struct sim_settings, "fail_errno", true, fail_errno),
        PLAIN(struct sim_settings, "snatch_every", true, snatch_every),
        PLAIN(struct sim_settings, "unpinned", true, unpinned),
        PLAIN(struct sim_settings, "order", true, blind),
        PLAIN(struct sim_settings, "free", true, free_bytes),
        PLAIN(struct sim_settings, "delay", true, delay_ns),
};

static bool extents_differ(const struct sim_settings *from, const struct sim_settings *to)
{
        if (from->n_extents != to->n_extents)
                return true;
        for (size_t i = 0; i < from->n_extents; i++) {
                const struct sim_extent *a = &from->extents[i], *b = &to->extents[i];

                if (a->range.first != b->range.first || a->range.last != b->range.last ||
                    a->node != b->node || a->page_bytes != b->page_bytes)
                        return true;
        }
        return false;
}

static void compare_sim(struct comparison *comparison, const struct sim_settings *from,
                        const struct sim_settings *to)
{
        compare_settings(comparison, "sim", sim_settings, ARRAY_SIZE(sim_settings), from, to);
        if (extents_differ(from, to))
                note(comparison, "sim", "extent", true);
}

/* ---- all of it ------------------------------------------------------------------------------ */

static void check_room(struct comparison *comparison, const struct config *from,
                       const struct config *to, uint64_t frames_max)
{
        const uint64_t frames = config_frames(to);
        const char *separator = "";

        if (frames <= frames_max)
                return;
        say(comparison,
            "%sthe pools have %" PRIu64 " pages together, and since its start pard has room for "
            "%" PRIu64 " (",
            comparison->fixed ? "; " : "", frames, frames_max);
        for (size_t i = 0; i < to->state.n_pools; i++) {
                const struct pool_settings *pool = &to->pools[i];

                if (i < from->state.n_pools && strcmp(from->pools[i].name, pool->name) == 0 &&
                    from->pools[i].size_max_bytes >= pool->size_max_bytes)
                        continue;
                say(comparison, "%spool %s: size_max", separator, pool->name);
                separator = ", ";
        }
        say(comparison, ")");
        comparison->fixed = true;
}

int config_compare(const struct config *from, const struct config *to, uint64_t frames_max,
                   void (*changed)(void *data, const char *name), void *data, char *error,
                   size_t error_bytes)
{
        struct comparison comparison = {
                .changed = changed,
                .data = data,
                .error = error,
                .error_bytes = error_bytes,
        };

        assert(error_bytes > 0);
        compare_settings(&comparison, "", top_settings, ARRAY_SIZE(top_settings), from, to);
        compare_pools(&comparison, from, to);
        compare_devices(&comparison, from, to);
        compare_sim(&comparison, &from->sim, &to->sim);
        check_room(&comparison, from, to, frames_max);
        if (!comparison.fixed)
                return 0;
        say(&comparison, "; start pard anew for that");
        return -EINVAL;
}
