/* SPDX-License-Identifier: MIT */
/*
 * Owns nothing; reads the sim section: an invented machine. Extents are the only ranges in a
 * configuration that must not overlap: one physical page cannot be there twice. (Pools may share a
 * range, since each frame belongs to one of them.)
 */
#include "config_sections.h"
#include "units.h"

#include <stdlib.h>

static const char *const order_words[] = { "wish", "blind", NULL };

static int read_extent_range(struct config_file *file, cfg_t *section, struct sim_extent *extent)
{
        uint64_t size = 0, first = 0, last;
        const char *key;
        int r;

        if (!config_string(section, "first"))
                return config_fail(file, section, NULL, "first is missing: the lowest address");
        if (!config_string(section, "last") == !config_string(section, "size"))
                return config_fail(file, section, NULL, "give either last or size");
        key = config_string(section, "last") ? "last" : "size";

        r = config_size(file, section, "first", &first);
        if (r)
                return r;
        r = config_size(file, section, "last", &last);
        if (r)
                return r;
        r = config_size(file, section, "size", &size);
        if (r)
                return r;
        if (config_string(section, "size") &&
            (size == 0 || __builtin_add_overflow(first, size - 1, &last)))
                return config_fail(file, section, "size", "\"%s\" from there on is no range",
                                   config_string(section, "size"));
        if (first > last)
                return config_fail(file, section, key, "\"%s\" is below first (%s)",
                                   config_string(section, key), config_string(section, "first"));
        if (first % extent->page_bytes != 0)
                return config_fail(file, section, "first", "\"%s\" is no multiple of page_size",
                                   config_string(section, "first"));
        if ((last + 1) % extent->page_bytes != 0)
                return config_fail(file, section, key, "\"%s\" does not end with a whole page",
                                   config_string(section, key));
        extent->range = (struct range){ first, last };
        return 0;
}

static int read_extent(struct config_file *file, cfg_t *section, struct sim_extent *extent)
{
        int r;

        r = config_title(file, section);
        if (r)
                return r;
        extent->page_bytes = 2 * MiB;
        r = config_power_of_two(file, section, "page_size", &extent->page_bytes);
        if (r)
                return r;
        if (extent->page_bytes < GRANULE_BYTES)
                return config_fail(file, section, "page_size", "\"%s\" is less than 4K",
                                   config_string(section, "page_size"));
        extent->node = 0;
        r = config_node(file, section, &extent->node);
        if (r)
                return r;
        return read_extent_range(file, section, extent);
}

static int check_overlap(struct config_file *file, cfg_t *sim, const struct sim_settings *settings,
                         size_t last)
{
        for (size_t i = 0; i < last; i++)
                if (range_overlaps(settings->extents[i].range, settings->extents[last].range))
                        return config_fail(file, cfg_getnsec(sim, "extent", (unsigned)last),
                                           "first", "overlaps extent \"%s\"",
                                           cfg_title(cfg_getnsec(sim, "extent", (unsigned)i)));
        return 0;
}

static int read_extents(struct config_file *file, cfg_t *section, struct sim_settings *ret)
{
        unsigned n = cfg_size(section, "extent");
        int r;

        if (n == 0)
                return 0;
        ret->extents = calloc(n, sizeof(*ret->extents));
        if (!ret->extents)
                return -ENOMEM;
        for (unsigned i = 0; i < n; i++) {
                r = read_extent(file, cfg_getnsec(section, "extent", i), &ret->extents[i]);
                if (r)
                        return r;
                r = check_overlap(file, section, ret, i);
                if (r)
                        return r;
        }
        ret->n_extents = n;
        return 0;
}

/* What it has of it, and how fast and in which order. */
static int read_stock(struct config_file *file, cfg_t *section, struct sim_settings *ret)
{
        unsigned order = 0;
        int r;

        r = config_word(file, section, "order", order_words, &order);
        if (r)
                return r;
        ret->blind = order == 1;
        r = config_size(file, section, "free", &ret->free_bytes);
        if (r)
                return r;
        return config_duration(file, section, "delay", &ret->delay_ns);
}

int config_sim_read(struct config_file *file, cfg_t *section, struct sim_settings *ret)
{
        uint64_t fail_errno = ENOMEM;
        int r;

        r = config_number(file, section, "seed", 0, UINT64_MAX, &ret->seed);
        if (r)
                return r;
        r = config_number(file, section, "fail_call", 0, UINT64_MAX, &ret->fail_call);
        if (r)
                return r;
        r = config_number(file, section, "fail_errno", 1, 4095, &fail_errno);
        if (r)
                return r;
        ret->fail_errno = (int)fail_errno;
        r = config_number(file, section, "snatch_every", 0, UINT64_MAX, &ret->snatch_every);
        if (r)
                return r;
        r = config_bool(file, section, "unpinned", &ret->unpinned);
        if (r)
                return r;
        r = read_stock(file, section, ret);
        if (r)
                return r;
        return read_extents(file, section, ret);
}
