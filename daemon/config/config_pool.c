/* SPDX-License-Identifier: MIT */
/*
 * Owns nothing; reads one pool section. A pool that could never be filled, or whose limits
 * contradict one another, is refused here and not discovered at run time.
 */
#include "config_names.h"
#include "config_sections.h"
#include "units.h"

#include <stdlib.h>

static const char *const pin_words[] = { "required", "optional", NULL };
static const char *const source_words[] = { "any", "demote", "carveout", NULL };
static const char *const isolation_words[] = { "session", "uid", NULL };
static const char *const handout_words[] = { "frames", "dmabuf", NULL };
static const char *const address_words[] = { "shown", "hidden", NULL };

static int check_multiple(struct config_file *file, cfg_t *section, const char *key, uint64_t bytes,
                          uint64_t page_bytes)
{
        char text[UNIT_TEXT_BYTES];

        if (bytes % page_bytes == 0)
                return 0;
        return config_fail(file, section, key, "\"%s\" is no multiple of page_size (%s)",
                           config_string(section, key), size_exact(page_bytes, text));
}

/* A size that is a whole number of pages and not above size_max; 0 where it is not set. */
static int read_part(struct config_file *file, cfg_t *section, const char *key,
                     const struct pool_settings *pool, uint64_t *ret)
{
        int r;

        r = config_size(file, section, key, ret);
        if (r)
                return r;
        r = check_multiple(file, section, key, *ret, pool->page_bytes);
        if (r)
                return r;
        if (*ret > pool->size_max_bytes)
                return config_fail(file, section, key, "\"%s\" is more than the pool may hold",
                                   config_string(section, key));
        return 0;
}

static int read_page_size(struct config_file *file, cfg_t *section, struct pool_settings *pool)
{
        int r;

        pool->page_bytes = pool->source == SOURCE_CARVEOUT ? GRANULE_BYTES : 2 * MiB;
        r = config_power_of_two(file, section, "page_size", &pool->page_bytes);
        if (r)
                return r;
        if (pool->page_bytes < GRANULE_BYTES)
                return config_fail(file, section, "page_size", "\"%s\" is less than 4K",
                                   config_string(section, "page_size"));
        if (pool->source == SOURCE_CARVEOUT && pool->page_bytes != GRANULE_BYTES)
                return config_fail(file, section, "page_size",
                                   "\"%s\": pages of a carve-out have 4K",
                                   config_string(section, "page_size"));
        return 0;
}

static int read_sizes(struct config_file *file, cfg_t *section, struct pool_settings *pool)
{
        int r;

        r = read_page_size(file, section, pool);
        if (r)
                return r;
        if (!config_string(section, "size_min"))
                return config_fail(file, section, NULL,
                                   "size_min is missing: how much the pool holds");
        r = config_size(file, section, "size_min", &pool->size_min_bytes);
        if (r)
                return r;
        if (pool->size_min_bytes == 0)
                return config_fail(file, section, "size_min", "a pool holds at least one page");
        r = check_multiple(file, section, "size_min", pool->size_min_bytes, pool->page_bytes);
        if (r)
                return r;

        pool->size_max_bytes = pool->size_min_bytes;
        r = config_size(file, section, "size_max", &pool->size_max_bytes);
        if (r)
                return r;
        r = check_multiple(file, section, "size_max", pool->size_max_bytes, pool->page_bytes);
        if (r)
                return r;
        if (pool->size_max_bytes < pool->size_min_bytes)
                return config_fail(file, section, "size_max", "\"%s\" is less than size_min (%s)",
                                   config_string(section, "size_max"),
                                   config_string(section, "size_min"));

        r = read_part(file, section, "spare", pool, &pool->spare_bytes);
        if (r)
                return r;
        return read_part(file, section, "run_min", pool, &pool->run_min_bytes);
}

/* Bytes of whole, aligned pages inside a range; the 64-bit space counts as one page less. */
static uint64_t page_room(struct range window, uint64_t page_bytes)
{
        uint64_t first, pages_last = window.last / page_bytes;

        if (!align_up(window.first, page_bytes, &first))
                return 0;
        if (window.last % page_bytes != page_bytes - 1) {
                if (pages_last == 0)
                        return 0;
                pages_last--;
        }
        if (first / page_bytes > pages_last)
                return 0;
        if (first == 0 && window.last == UINT64_MAX)
                return UINT64_MAX - (page_bytes - 1);
        return (pages_last - first / page_bytes + 1) * page_bytes;
}

static int read_place(struct config_file *file, cfg_t *section, struct pool_settings *pool)
{
        char room[UNIT_TEXT_BYTES];
        uint64_t bytes;
        int r;

        bytes = page_room(pool->window, pool->page_bytes);
        if (bytes < pool->size_min_bytes)
                return config_fail(file, section, "size_min",
                                   "\"%s\" does not fit into the pool's range, which has room for "
                                   "%s in whole pages",
                                   config_string(section, "size_min"), size_exact(bytes, room));

        if (bytes < pool->run_min_bytes)
                return config_fail(file, section, "run_min",
                                   "\"%s\" does not fit into the pool's range, which has room for "
                                   "%s in whole pages",
                                   config_string(section, "run_min"), size_exact(bytes, room));

        pool->node = NODE_ANY;
        r = config_node(file, section, &pool->node);
        if (r)
                return r;

        pool->spill = !pool->limited;
        r = config_bool(file, section, "spill", &pool->spill);
        if (r)
                return r;
        if (!pool->limited && !pool->spill)
                return config_fail(file, section, "spill",
                                   "only a pool with an address range can keep requests without "
                                   "one out");
        return 0;
}

static int read_source(struct config_file *file, cfg_t *section, struct pool_settings *pool)
{
        unsigned source = SOURCE_ANY;
        int r;

        r = config_word(file, section, "source", source_words, &source);
        pool->source = source;
        return r;
}

static int read_search(struct config_file *file, cfg_t *section, struct pool_settings *pool)
{
        int r;

        if (pool->source == SOURCE_CARVEOUT && config_string(section, "harvest_max"))
                return config_fail(file, section, "harvest_max",
                                   "pages of a carve-out lie where they lie: nothing else is held");
        r = config_size(file, section, "harvest_max", &pool->harvest_max_bytes);
        if (r)
                return r;
        return check_multiple(file, section, "harvest_max", pool->harvest_max_bytes,
                              pool->page_bytes);
}

static int read_times(struct config_file *file, cfg_t *section, struct pool_settings *pool)
{
        int r;

        pool->shrink_delay_ns = 30 * NS_PER_S;
        r = config_duration(file, section, "shrink_delay", &pool->shrink_delay_ns);
        if (r)
                return r;
        pool->reuse_delay_ns = NS_PER_S;
        r = config_duration(file, section, "reuse_delay", &pool->reuse_delay_ns);
        if (r)
                return r;
        pool->quarantine_ns = 5 * NS_PER_S;
        pool->quarantine_is_max = config_string(section, "quarantine");
        return config_duration(file, section, "quarantine", &pool->quarantine_ns);
}

static int read_allow(struct config_file *file, cfg_t *section, struct pool_settings *pool)
{
        unsigned n = cfg_size(section, "allow");
        int r;

        if (n == 0)
                return 0;
        pool->allow = calloc(n, sizeof(*pool->allow));
        if (!pool->allow)
                return -ENOMEM;
        for (unsigned i = 0; i < n; i++) {
                const char *text = cfg_getnstr(section, "allow", i);

                r = names_principal(file->names, text, &pool->allow[i]);
                if (r == -ENOENT)
                        return config_fail(file, section, "allow", "\"%s\" does not exist here",
                                           text);
                if (r == -EINVAL)
                        return config_fail(file, section, "allow",
                                           "\"%s\" is none of \"group:NAME\", \"user:NAME\", "
                                           "\"gid:NUMBER\", \"uid:NUMBER\"",
                                           text);
                if (r)
                        return r;
        }
        pool->n_allow = n;
        return 0;
}

static int read_handout(struct config_file *file, cfg_t *section, struct pool_settings *pool)
{
        unsigned handout = HANDOUT_FRAMES;
        int r;

        r = config_word(file, section, "handout", handout_words, &handout);
        if (r)
                return r;
        pool->handout = handout;
        if (pool->handout == HANDOUT_DMABUF && pool->source == SOURCE_CARVEOUT)
                return config_fail(file, section, "handout",
                                   "the kernel makes no dma-buf of memory of a carve-out");
        return 0;
}

static int read_permissions(struct config_file *file, cfg_t *section, struct pool_settings *pool)
{
        unsigned pin = 0, isolation = 0, addresses = 0;
        int r;

        r = config_word(file, section, "pin", pin_words, &pin);
        if (r)
                return r;
        pool->pin_required = pin == 0;
        r = config_word(file, section, "isolation", isolation_words, &isolation);
        if (r)
                return r;
        pool->isolation = isolation == 0 ? ISOLATE_SESSION : ISOLATE_UID;
        r = config_word(file, section, "addresses", address_words, &addresses);
        if (r)
                return r;
        pool->hidden = addresses == 1;
        return read_allow(file, section, pool);
}

int config_pool_read(struct config_file *file, cfg_t *section, struct pool_settings *ret,
                     const char **ret_highest)
{
        static int (*const parts[])(struct config_file *, cfg_t *, struct pool_settings *) = {
                read_source, read_sizes,   read_place,       read_search,
                read_times,  read_handout, read_permissions, config_shares_read,
        };
        int r;

        r = config_title(file, section);
        if (r)
                return r;
        ret->name = strdup(cfg_title(section));
        if (!ret->name)
                return -ENOMEM;
        ret->window = RANGE_ALL;
        r = config_window(file, section, false, &ret->window, &ret->limited, ret_highest);
        if (r)
                return r;
        for (size_t i = 0; i < ARRAY_SIZE(parts); i++) {
                r = parts[i](file, section, ret);
                if (r)
                        return r;
        }
        return 0;
}

void config_pool_deinit(struct pool_settings *pool)
{
        free(pool->name);
        free(pool->allow);
        config_shares_deinit(pool);
        *pool = (struct pool_settings){ 0 };
}
