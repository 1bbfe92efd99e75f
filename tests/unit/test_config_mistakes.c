/* SPDX-License-Identifier: MIT */
/*
 * Each key of the configuration with a text that it does not take: the sentence names the key, the
 * line and what was written there. What goes wrong between several keys is in test_config.c.
 */
#include "config.h"

#include "macros.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define NO_SIZE "is no number of bytes, such as 4096, 64K, 2M, 1G, 1T or 0x1000"
#define NO_TIME "is no duration, such as 500us, 20ms, 5s, 2m or 1h"
#define NO_BOOL "is neither yes nor no"
#define ANY     "is no number from 0 to 18446744073709551615"

/* Where a key stands: what is before it, and behind; on the key's line 3. */
static const struct place {
        const char *before, *after, *says;
} places[] = {
        { "pool \"p\" { size_min = 2M }\n\n", "", "" },
        { "\npool \"p\" {\n", " size_min = 2M }\n", "pool \"p\": " },
        { "\npool \"p\" {\n", " }\n", "pool \"p\": " },
        { "pool \"p\" { size_min = 2M\nquota \"user:*\" {\n", " } }\n", "quota \"user:*\": " },
        { "pool \"p\" { size_min = 2M\nclaim \"uid:1\" {\n", " } }\n", "claim \"uid:1\": " },
        { "pool \"p\" { size_min = 2M }\ndevice \"d\" {\n", " }\n", "device \"d\": " },
        { "pool \"p\" { size_min = 2M }\ndevice \"d\" { bus_window {\n", " } }\n", "bus_window: " },
        { "pool \"p\" { size_min = 2M }\npci \"0000:01:00.0\" {\n", " }\n",
          "pci \"0000:01:00.0\": " },
        { "pool \"p\" { size_min = 2M }\nsim {\n", " }\n", "sim: " },
        { "pool \"p\" { size_min = 2M }\nsim { extent \"e\" {\n", " } }\n", "extent \"e\": " },
        { "pool \"p\" { size_min = 2M }\nsim { extent \"e\" {\n", " first = 0 size = 2M } }\n",
          "extent \"e\": " },
};

enum { TOP, POOL, POOL_BARE, QUOTA, CLAIM, DEVICE, WINDOW, PCI, SIM, EXTENT, EXTENT_WHOLE };

/* @more: written before the key, on its line. */
static const struct {
        int place;
        const char *key, *text, *says, *more;
} mistakes[] = {
        { TOP, "hugepages", "borrow", "is neither \"reserve\" nor \"existing\"", NULL },
        { TOP, "keep_free", "much", NO_SIZE, NULL },
        { TOP, "keep_free", "-1", NO_SIZE, NULL },
        { TOP, "verify", "1d", NO_TIME, NULL },
        { TOP, "mode", "1777", "is no octal mode, such as 0660", NULL },
        { TOP, "mode", "00660", "is no octal mode, such as 0660", NULL },
        { TOP, "threads", "65", "is no number from 1 to 64", NULL },
        { TOP, "threads", "two", "is no number from 1 to 64", NULL },

        { POOL, "page_size", "2X", NO_SIZE, NULL },
        { POOL, "page_size", "2K", "is less than 4K", NULL },
        { POOL_BARE, "size_min", "lots", NO_SIZE, NULL },
        { POOL, "size_max", "lots", NO_SIZE, NULL },
        { POOL, "size_max", "3M", "is no multiple of page_size (2M)", NULL },
        { POOL, "spare", "some", NO_SIZE, NULL },
        { POOL, "run_min", "2m", NO_SIZE, NULL },
        { POOL, "below", "4 GB", NO_SIZE, NULL },
        { POOL, "addr_max", "0xg", NO_SIZE, NULL },
        { POOL, "addr_min", "low", NO_SIZE, NULL },
        { POOL, "node", "one", "is no number from 0 to 63", NULL },
        { POOL, "spill", "2", NO_BOOL, "below = 4G" },
        { POOL, "harvest_max", "all", NO_SIZE, "below = 4G" },
        { POOL, "reuse_delay", "1", NO_TIME, NULL },
        { POOL, "quarantine", "5 s", NO_TIME, NULL },
        { POOL, "quarantine", "s", NO_TIME, NULL },
        { POOL, "addresses", "secret", "is neither \"shown\" nor \"hidden\"", NULL },

        { QUOTA, "bytes", "2%", NO_SIZE, NULL },
        { QUOTA, "frames", "2K", "is no number from 0 to 4294967295", NULL },
        { QUOTA, "buffers", "4294967296", "is no number from 0 to 4294967295", NULL },
        { CLAIM, "bytes", "3M", "is no multiple of page_size (2M)", NULL },

        { DEVICE, "below", "x", NO_SIZE, NULL },
        { DEVICE, "align", "big", NO_SIZE, NULL },
        { DEVICE, "boundary", "-", NO_SIZE, NULL },
        { DEVICE, "boundary", "96K", "is no power of two", NULL },
        { DEVICE, "max_segments", "any", "is no number from 1 to 4294967294", NULL },
        { DEVICE, "max_segments", "4294967295", "is no number from 1 to 4294967294", NULL },
        { DEVICE, "max_segment_bytes", "x", NO_SIZE, NULL },
        { DEVICE, "max_segment_bytes", "1K", "is less than 4K", NULL },
        { DEVICE, "min_align_mask", "x", NO_SIZE, NULL },
        { DEVICE, "min_align_mask", "0xffffffffffffffff",
          "is no power of two less one, such as 0xfff", NULL },
        { DEVICE, "granularity", "x", NO_SIZE, NULL },
        { DEVICE, "granularity", "0", "is no power of two", NULL },
        { DEVICE, "node", "-1", "is no number from 0 to 63", NULL },

        { WINDOW, "cpu_first", "x", NO_SIZE, "dma_first = 0 length = 4K" },
        { WINDOW, "cpu_first", "1", "is no multiple of 4K", "dma_first = 0 length = 4K" },
        { WINDOW, "dma_first", "x", NO_SIZE, "cpu_first = 0 length = 4K" },
        { WINDOW, "length", "x", NO_SIZE, "cpu_first = 0 dma_first = 0" },
        { WINDOW, "length", "6K", "is no multiple of 4K", "cpu_first = 0 dma_first = 0" },

        { PCI, "dma_mask_bits", "0", "is no number from 1 to 64", NULL },
        { PCI, "numa_node", "-1", "is no number from 0 to 2147483647", NULL },
        { PCI, "iommu_group", "none", "is no number from 0 to 2147483647", NULL },

        { SIM, "seed", "x", ANY, NULL },
        { SIM, "fail_call", "-1", ANY, NULL },
        { SIM, "fail_errno", "0", "is no number from 1 to 4095", NULL },
        { SIM, "snatch_every", "often", ANY, NULL },
        { SIM, "unpinned", "1", NO_BOOL, NULL },
        { SIM, "free", "all", NO_SIZE, NULL },
        { SIM, "delay", "5", NO_TIME, NULL },

        { EXTENT_WHOLE, "page_size", "x", NO_SIZE, NULL },
        { EXTENT_WHOLE, "page_size", "2K", "is less than 4K", NULL },
        { EXTENT_WHOLE, "node", "64", "is no number from 0 to 63", NULL },
        { EXTENT, "first", "x", NO_SIZE, "size = 2M" },
        { EXTENT, "first", "1M", "is no multiple of page_size", "size = 2M" },
        { EXTENT, "last", "x", NO_SIZE, "first = 0" },
        { EXTENT, "size", "x", NO_SIZE, "first = 0" },
        { EXTENT, "size", "0", "from there on is no range", "first = 0" },
};

/* Return: whether it is refused with @error. */
static bool is_refused(const char *name, const char *text, const char *error)
{
        char have[512] = "no error";
        struct config *config = NULL;
        int r;

        r = config_load(text, "t", &config, have, sizeof(have));
        if (r == -EINVAL && !config && strcmp(have, error) == 0)
                return true;
        print_error("%s: got %d, \"%s\"\n  instead of \"%s\"\n", name, r, have, error);
        config_free(config);
        return false;
}

static void test_config_names_the_key_that_is_wrong(void **state)
{
        int failed = 0;

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(mistakes); i++) {
                const struct place *place = &places[mistakes[i].place];
                const char *more = mistakes[i].more ? mistakes[i].more : "";
                char text[512], error[512];

                snprintf(text, sizeof(text), "%s%s %s = \"%s\"%s", place->before, more,
                         mistakes[i].key, mistakes[i].text, place->after);
                snprintf(error, sizeof(error), "t:3: %s%s: \"%s\" %s", place->says, mistakes[i].key,
                         mistakes[i].text, mistakes[i].says);
                failed += !is_refused(mistakes[i].key, text, error);
        }
        assert_int_equal(failed, 0);
}

/* ---- what has no key ------------------------------------------------------------------------- */

static const struct {
        const char *name, *text, *error;
} others[] = {
        { "a window without its place on the bus",
          "pool \"p\" { size_min = 2M }\ndevice \"d\" { bus_window { dma_first = 0 length = 4K } "
          "}\n",
          "t:2: bus_window: cpu_first is missing" },
        { "an extent without a place",
          "pool \"p\" { size_min = 2M }\nsim { extent \"e\" { size = 2M } }\n",
          "t:2: extent \"e\": first is missing: the lowest address" },
        { "an extent's name",
          "pool \"p\" { size_min = 2M }\nsim { extent \"e e\" { first = 0 size = 2M } }\n",
          "t:2: extent \"e e\": a name is 1 to 63 letters, digits and \".:_-\"" },
        { "a device's name", "pool \"p\" { size_min = 2M }\ndevice \"\" { }\n",
          "t:2: device \"\": a name is 1 to 63 letters, digits and \".:_-\"" },
        { "a pool at the very end of all addresses",
          "pool \"p\" { addr_min = 0xfffffffffffff000 size_min = 2M }\n",
          "t:1: pool \"p\": size_min: \"2M\" does not fit into the pool's range, which has room "
          "for "
          "0 in whole pages" },
        { "pages that no sum can hold",
          "pool \"p\" { page_size = 4K size_min = 4K size_max = 0xfffffffffffff000 }\n",
          "t:2: the pools have 4503599627370495 pages together, and at most 524288 can be held: "
          "take "
          "larger pages" },
        { "braces without an end",
          "a {\n{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{",
          "t:2: too many braces inside one another" },
};

static void test_config_refuses_what_has_no_key(void **state)
{
        int failed = 0;

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(others); i++)
                failed += !is_refused(others[i].name, others[i].text, others[i].error);
        assert_int_equal(failed, 0);
}

/* More of them than the daemon has room for: the first one too many is named. */
static void test_config_has_room_for_so_many_devices(void **state)
{
        static char text[1 << 20];
        const char *const pool = "pool \"p\" { size_min = 2M }\n";
        unsigned n = 0, most = 0;
        char error[512] = "";
        const char *limit;
        struct config *config = NULL;
        size_t used;

        (void)state;
        used = (size_t)snprintf(text, sizeof(text), "%s", pool);
        for (; n < 5000; n++)
                used += (size_t)snprintf(text + used, sizeof(text) - used, "device \"d%u\" { }\n",
                                         n);
        assert_true(used < sizeof(text) - 1);
        assert_int_equal(config_load(text, "t", &config, error, sizeof(error)), -EINVAL);
        limit = strstr(error, ": there are 5000 devices, and at most ");
        assert_non_null(limit);
        most = (unsigned)strtoul(strstr(limit, "most ") + 5, NULL, 10);
        assert_in_range(most, 1, 4999);
        /* Just so many can be. */
        *strstr(text, "device \"d0\"") = '\0';
        used = strlen(text);
        for (n = 0; n < most; n++)
                used += (size_t)snprintf(text + used, sizeof(text) - used, "device \"d%u\" { }\n",
                                         n);
        assert_int_equal(config_load(text, "t", &config, error, sizeof(error)), 0);
        assert_int_equal(config->state.n_devices, most);
        config_free(config);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_config_names_the_key_that_is_wrong),
                cmocka_unit_test(test_config_refuses_what_has_no_key),
                cmocka_unit_test(test_config_has_room_for_so_many_devices),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
