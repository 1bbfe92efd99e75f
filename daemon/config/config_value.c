/* SPDX-License-Identifier: MIT */
/*
 * Owns nothing. From the text of a key to its value, and the sentences that say what was meant.
 * Refuses whatever it cannot read whole.
 */
#include "config_file.h"

#include "state_settings.h"
#include "units.h"

#include <strings.h>

int config_size(struct config_file *file, cfg_t *section, const char *key, uint64_t *ret)
{
        const char *text = config_string(section, key);
        int r;

        if (!text)
                return 0;
        r = size_parse(text, ret);
        if (r == -ERANGE)
                return config_fail(file, section, key, "\"%s\" is more than 64 bits", text);
        if (r)
                return config_fail(file, section, key,
                                   "\"%s\" is no number of bytes, such as 4096, 64K, 2M, 1G, 1T "
                                   "or 0x1000",
                                   text);
        return 0;
}

int config_duration(struct config_file *file, cfg_t *section, const char *key, uint64_t *ret)
{
        const char *text = config_string(section, key);
        int r;

        if (!text)
                return 0;
        r = duration_parse(text, ret);
        if (r == -ERANGE)
                return config_fail(file, section, key, "\"%s\" is too long", text);
        if (r)
                return config_fail(file, section, key,
                                   "\"%s\" is no duration, such as 500us, 20ms, 5s, 2m or 1h",
                                   text);
        return 0;
}

int config_number(struct config_file *file, cfg_t *section, const char *key, uint64_t min,
                  uint64_t max, uint64_t *ret)
{
        const char *text = config_string(section, key), *rest;
        uint64_t value;

        if (!text)
                return 0;
        if (units_number(text, &value, &rest) || *rest || value < min || value > max)
                return config_fail(file, section, key,
                                   "\"%s\" is no number from %" PRIu64 " to %" PRIu64, text, min,
                                   max);
        *ret = value;
        return 0;
}

int config_word(struct config_file *file, cfg_t *section, const char *key, const char *const *words,
                unsigned *ret)
{
        const char *text = config_string(section, key);
        char all[128] = "";
        size_t n = 0;

        if (!text)
                return 0;
        for (unsigned i = 0; words[i]; i++) {
                if (strcmp(text, words[i]) == 0) {
                        *ret = i;
                        return 0;
                }
                n += (size_t)snprintf(all + n, sizeof(all) - n, "%s\"%s\"",
                                      !i ? "" : (words[i + 1] ? ", " : " nor "), words[i]);
        }
        return config_fail(file, section, key, "\"%s\" is neither %s", text, all);
}

int config_bool(struct config_file *file, cfg_t *section, const char *key, bool *ret)
{
        static const char *const words[] = { "no", "yes", "off", "on", "false", "true" };
        const char *text = config_string(section, key);

        if (!text)
                return 0;
        for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
                if (strcasecmp(text, words[i]) == 0) {
                        *ret = i % 2;
                        return 0;
                }
        }
        return config_fail(file, section, key, "\"%s\" is neither yes nor no", text);
}

int config_power_of_two(struct config_file *file, cfg_t *section, const char *key, uint64_t *ret)
{
        uint64_t value = 1;
        int r;

        if (!config_string(section, key))
                return 0;
        r = config_size(file, section, key, &value);
        if (r)
                return r;
        if (!is_power_of_two(value))
                return config_fail(file, section, key, "\"%s\" is no power of two",
                                   config_string(section, key));
        *ret = value;
        return 0;
}

int config_node(struct config_file *file, cfg_t *section, int *ret)
{
        uint64_t node;
        int r;

        if (!config_string(section, "node"))
                return 0;
        r = config_number(file, section, "node", 0, 63, &node);
        if (r)
                return r;
        *ret = (int)node;
        return 0;
}

static int read_below(struct config_file *file, cfg_t *section, uint64_t *ret_last)
{
        uint64_t below = 0;
        int r;

        r = config_size(file, section, "below", &below);
        if (r)
                return r;
        if (below == 0 || below % GRANULE_BYTES != 0)
                return config_fail(file, section, "below", "\"%s\" is no multiple of 4K above 0",
                                   config_string(section, "below"));
        *ret_last = below - 1;
        return 0;
}

static int read_addr_max(struct config_file *file, cfg_t *section, uint64_t *ret_last)
{
        const char *text = config_string(section, "addr_max");
        uint64_t last;
        int r;

        r = config_size(file, section, "addr_max", &last);
        if (r)
                return r;
        if ((last + 1) % GRANULE_BYTES != 0)
                return config_fail(file, section, "addr_max",
                                   "\"%s\" is not the last byte of a 4 KiB page: it is inclusive; "
                                   "meant below = \"%s\"?",
                                   text, text);
        *ret_last = last;
        return 0;
}

static int read_dma_bits(struct config_file *file, cfg_t *section, uint64_t *ret_last)
{
        uint64_t bits = 64;
        int r;

        /* 12: a device that reaches less than a page reaches no buffer. */
        r = config_number(file, section, "dma_bits", 12, 64, &bits);
        if (r)
                return r;
        *ret_last = UINT64_MAX >> (64 - bits);
        return 0;
}

static int read_addr_min(struct config_file *file, cfg_t *section, uint64_t *ret_first)
{
        uint64_t first;
        int r;

        r = config_size(file, section, "addr_min", &first);
        if (r)
                return r;
        if (first % GRANULE_BYTES != 0)
                return config_fail(file, section, "addr_min", "\"%s\" is no multiple of 4K",
                                   config_string(section, "addr_min"));
        *ret_first = first;
        return 0;
}

int config_window(struct config_file *file, cfg_t *section, bool is_device, struct range *window,
                  bool *limited, const char **highest_key)
{
        static const struct {
                const char *key;
                int (*read)(struct config_file *, cfg_t *, uint64_t *);
        } highest[] = {
                { "below", read_below },
                { "addr_max", read_addr_max },
                { "dma_bits", read_dma_bits },
        };
        const size_t n = is_device ? ARRAY_SIZE(highest) : ARRAY_SIZE(highest) - 1;
        const char *set = NULL;
        int r;

        for (size_t i = 0; i < n; i++) {
                if (!config_string(section, highest[i].key))
                        continue;
                if (set)
                        return config_fail(file, section, highest[i].key,
                                           "%s already sets the highest address: give one of them",
                                           set);
                set = highest[i].key;
                r = highest[i].read(file, section, &window->last);
                if (r)
                        return r;
        }
        if (config_string(section, "addr_min")) {
                r = read_addr_min(file, section, &window->first);
                if (r)
                        return r;
        }
        if (window->first > window->last)
                return config_fail(file, section, "addr_min",
                                   "the range is empty: 0x%" PRIx64 " is above its last address "
                                   "0x%" PRIx64,
                                   window->first, window->last);
        *limited = set || config_string(section, "addr_min");
        *highest_key = set;
        return 0;
}

int config_title(struct config_file *file, cfg_t *section)
{
        static const char allowed[] = "abcdefghijklmnopqrstuvwxyz"
                                      "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.:_-";
        const char *title = cfg_title(section);
        size_t n = strlen(title);

        if (n == 0 || n > LABEL_BYTES_MAX || strspn(title, allowed) != n)
                return config_fail(file, section, NULL,
                                   "a name is 1 to %d letters, digits and \".:_-\"",
                                   LABEL_BYTES_MAX);
        return 0;
}
