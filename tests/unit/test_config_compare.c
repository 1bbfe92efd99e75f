/* SPDX-License-Identifier: MIT */
/*
 * What may change while pard runs: every key is in the table below, with a change of it, what the
 * change is called and whether it is refused.
 */
#include "config.h"

#include "macros.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define NAMES_MAX   16
#define ERROR_BYTES 512

static const struct {
        const char *section, *key;
        const char *from, *to; /* lines of that section */
        const char *name;
        bool fixed;
} key_cases[] = {
        { "", "socket", "", "socket = /tmp/x", "socket", true },
        { "", "mode", "", "mode = 0600", "mode", true },
        { "", "group", "group = 5", "group = 6", "group", true },
        { "", "admin_group", "admin_group = 5", "admin_group = 6", "admin_group", true },
        { "", "metrics", "", "metrics = \"127.0.0.1:9618\"", "metrics", true },
        { "", "user", "user = 1000", "user = 1001", "user", true },
        { "", "log_level", "", "log_level = debug", "log_level", false },
        { "", "backend", "", "backend = sim", "backend", true },
        { "", "hugepages", "", "hugepages = existing", "hugepages", true },
        { "", "carveout", "carveout = \"/a\"", "carveout = { \"/a\", \"/b\" }", "carveout", true },
        { "", "carveout", "carveout = \"/a\"", "carveout = \"/b\"", "carveout", true },
        { "", "keep_free", "", "keep_free = 1G", "keep_free", false },
        { "", "verify", "", "verify = 0", "verify", false },
        { "", "threads", "", "threads = 3", "threads", true },
        { "", "max_clients", "max_clients_per_user = 3",
          "max_clients_per_user = 3\nmax_clients = 3", "max_clients", false },
        { "", "max_clients_per_user", "", "max_clients_per_user = 3", "max_clients_per_user",
          false },
        { "", "max_buffers", "", "max_buffers = 3", "max_buffers", false },
        { "", "max_waiting", "", "max_waiting = 3", "max_waiting", false },
        { "", "devices_dir", "", "devices_dir = devices", "devices_dir", false },
        { "", "ids", "group = x ids = { \"group:x=5\" }", "group = x ids = { \"group:x=6\" }",
          "group", true },
        { "pool", "page_size", "", "page_size = 4M", "pool p: page_size", true },
        { "pool", "size_min", "size_max = 32M", "size_min = 16M size_max = 32M", "pool p: size_min",
          false },
        { "pool", "size_max", "size_max = 32M", "size_max = 16M", "pool p: size_max", false },
        { "pool", "spare", "", "spare = 2M", "pool p: spare", false },
        { "pool", "shrink_delay", "", "shrink_delay = 1s", "pool p: shrink_delay", false },
        { "pool", "run_min", "", "run_min = 4M", "pool p: run_min", false },
        { "pool", "source", "", "source = demote", "pool p: source", true },
        { "pool", "below", "", "below = 4G spill = yes", "pool p: below", true },
        { "pool", "addr_max", "addr_max = 0xffffffff", "addr_max = 0x7fffffff", "pool p: addr_max",
          true },
        { "pool", "addr_min", "below = 4G", "below = 4G addr_min = 1G", "pool p: addr_min", true },
        { "pool", "harvest_max", "below = 4G", "below = 4G harvest_max = 1G", "pool p: harvest_max",
          false },
        { "pool", "node", "", "node = 1", "pool p: node", true },
        { "pool", "spill", "below = 4G", "below = 4G spill = yes", "pool p: spill", false },
        { "pool", "pin", "", "pin = optional", "pool p: pin", true },
        { "pool", "isolation", "", "isolation = uid", "pool p: isolation", true },
        { "pool", "handout", "", "handout = dmabuf", "pool p: handout", true },
        { "pool", "addresses", "", "addresses = hidden", "pool p: addresses", true },
        { "pool", "reuse_delay", "", "reuse_delay = 2s", "pool p: reuse_delay", false },
        { "pool", "quarantine", "", "quarantine = 2s", "pool p: quarantine", false },
        { "pool", "quarantine", "", "quarantine = 5s", "pool p: quarantine", false },
        { "quota", "bytes", "", "bytes = 4M", "pool p: quota", false },
        { "quota", "frames", "frames = 2", "frames = 3", "pool p: quota", false },
        { "quota", "buffers", "", "buffers = 0", "pool p: quota", false },
        { "claim", "bytes", "", "bytes = 4M", "pool p: claim", false },
        { "pool", "a quota", "", "quota \"uid:2\" { }", "pool p: quota", false },
        { "pool", "another quota", "quota \"uid:2\" { }", "quota \"user:*\" { }", "pool p: quota",
          false },
        { "pool", "a claim", "claim \"uid:2\" { }", "claim \"gid:2\" { }", "pool p: claim", false },
        { "pool", "allow", "allow = { \"uid:1\" }", "allow = { \"gid:1\" }", "pool p: allow",
          false },
        { "device", "dma_bits", "dma_bits = 32", "dma_bits = 28", "device d: dma_bits", false },
        { "device", "below", "below = 4G", "below = 2G", "device d: below", false },
        { "device", "addr_max", "", "addr_max = 0xffffffff", "device d: addr_max", false },
        { "device", "addr_min", "", "addr_min = 4K", "device d: addr_min", false },
        { "device", "align", "", "align = 64", "device d: align", false },
        { "device", "boundary", "", "boundary = 64K", "device d: boundary", false },
        { "device", "max_segments", "", "max_segments = 3", "device d: max_segments", false },
        { "device", "max_segment_bytes", "", "max_segment_bytes = 64K",
          "device d: max_segment_bytes", false },
        { "device", "min_align_mask", "", "min_align_mask = 0xfff", "device d: min_align_mask",
          false },
        { "device", "granularity", "", "granularity = 512", "device d: granularity", false },
        { "device", "node", "", "node = 1", "device d: nodes", false },
        { "device", "pci", "", "pci = \"0000:02:00.0\"", "device d: pci", false },
        { "bus_window", "cpu_first", "", "cpu_first = 1G dma_first = 0 length = 1G",
          "device d: bus_window", false },
        { "bus_window", "dma_first", "", "cpu_first = 0 dma_first = 1G length = 1G",
          "device d: bus_window", false },
        { "bus_window", "length", "", "cpu_first = 0 dma_first = 0 length = 2G",
          "device d: bus_window", false },
        { "pci", "dma_mask_bits", "", "dma_mask_bits = 32", "device d: what sysfs says", false },
        { "pci", "numa_node", "", "numa_node = 1", "device d: what sysfs says", false },
        { "pci", "iommu_group", "", "iommu_group = 1", "device d: what sysfs says", false },
        { "device", "nodes", "nodes = { 0 }", "nodes = { 0, 1 }", "device d: nodes", false },
        { "sim", "seed", "", "seed = 1", "sim: seed", true },
        { "sim", "fail_call", "", "fail_call = 1", "sim: fail_call", true },
        { "sim", "fail_errno", "", "fail_errno = 1", "sim: fail_errno", true },
        { "sim", "snatch_every", "", "snatch_every = 1", "sim: snatch_every", true },
        { "sim", "unpinned", "", "unpinned = yes", "sim: unpinned", true },
        { "sim", "order", "", "order = blind", "sim: order", true },
        { "sim", "free", "", "free = 8M", "sim: free", true },
        { "sim", "delay", "", "delay = 1ms", "sim: delay", true },
        { "extent", "first", "", "first = 64M size = 1G", "sim: extent", true },
        { "extent", "last", "", "first = 0 last = 0x3ffffff", "sim: extent", true },
        { "extent", "size", "", "first = 0 size = 128M", "sim: extent", true },
        { "extent", "page_size", "", "first = 0 size = 1G page_size = 4M", "sim: extent", true },
        { "extent", "node", "", "first = 0 size = 1G node = 1", "sim: extent", true },
};

static struct config *load(const char *text)
{
        struct config *config = NULL;
        char error[512] = "";

        if (config_load(text, "t", &config, error, sizeof(error)))
                fail_msg("%s in %s", error, text);
        return config;
}

/* A configuration with @lines in one section. */
static struct config *load_with(const char *section, const char *lines)
{
        const bool is_pool = strcmp(section, "pool") == 0;
        const bool is_extent = strcmp(section, "extent") == 0;
        const bool is_window = strcmp(section, "bus_window") == 0;
        const bool is_pci = strcmp(section, "pci") == 0;
        const char *window = "cpu_first = 0 dma_first = 0 length = 1G";
        char text[1024];

        snprintf(text, sizeof(text),
                 "%s\n"
                 "sim { %s\n extent \"low\" { %s } extent \"big\" { first = 1T size = 1G\n"
                 "page_size = 32M } }\n"
                 "pool \"p\" { %s %s quota \"uid:1\" { %s } claim \"gid:1\" { %s } }\n"
                 "device \"d\" { %s %s bus_window { %s } }\n"
                 "pci \"0000:01:00.0\" { %s }\n",
                 strcmp(section, "") == 0 ? lines : "", strcmp(section, "sim") == 0 ? lines : "",
                 is_extent && *lines ? lines : "first = 0 size = 1G", is_pool ? lines : "",
                 is_pool && strstr(lines, "size_min") ? "" : "size_min = 8M",
                 strcmp(section, "quota") == 0 ? lines : "",
                 strcmp(section, "claim") == 0 ? lines : "",
                 strcmp(section, "device") == 0 ? lines : "",
                 is_pci ? "pci = \"0000:01:00.0\"" : "", is_window && *lines ? lines : window,
                 is_pci ? lines : "");
        return load(text);
}

/* What changed() was told. */
struct names {
        char names[NAMES_MAX][128];
        size_t n;
};

static void on_changed(void *data, const char *name)
{
        struct names *names = data;

        assert_true(names->n < NAMES_MAX);
        snprintf(names->names[names->n++], sizeof(names->names[0]), "%s", name);
}

static bool says(const char *error, const char *name)
{
        char sentence[ERROR_BYTES];

        snprintf(sentence, sizeof(sentence),
                 "cannot change while pard runs: %s; start pard anew for that", name);
        return strcmp(error, sentence) == 0;
}

/* One case, one way round. Return: whether it came out as it should. */
static bool try_case(size_t i, const struct config *from, const struct config *to)
{
        char error[ERROR_BYTES] = "unwritten";
        struct names names = { .n = 0 };
        bool good;
        int r;

        r = config_compare(from, to, UINT64_MAX, on_changed, &names, error, sizeof(error));
        good = names.n == 1 && strcmp(names.names[0], key_cases[i].name) == 0;
        if (key_cases[i].fixed)
                good &= r == -EINVAL && says(error, key_cases[i].name);
        else
                good &= r == 0 && strcmp(error, "unwritten") == 0;
        if (!good)
                print_error("%s.%s: got %d, %zu names, first \"%s\", \"%s\"\n",
                            key_cases[i].section, key_cases[i].key, r, names.n,
                            names.n ? names.names[0] : "", error);
        return good;
}

static void test_config_compare_knows_every_key(void **state)
{
        size_t n_keys;
        const struct config_key *keys = config_keys(&n_keys);
        int failed = 0;

        (void)state;
        for (size_t k = 0; k < n_keys; k++) {
                bool found = false;

                for (size_t i = 0; i < ARRAY_SIZE(key_cases); i++)
                        found |= strcmp(key_cases[i].section, keys[k].section) == 0 &&
                                 strcmp(key_cases[i].key, keys[k].name) == 0;
                if (!found) {
                        print_error("may \"%s\" in section \"%s\" change?\n", keys[k].name,
                                    keys[k].section);
                        failed++;
                }
        }
        assert_int_equal(failed, 0);
}

static void test_config_compare_names_each_change(void **state)
{
        int failed = 0;

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(key_cases); i++) {
                struct config *from = load_with(key_cases[i].section, key_cases[i].from);
                struct config *to = load_with(key_cases[i].section, key_cases[i].to);

                failed += !try_case(i, from, to);
                failed += !try_case(i, to, from);
                config_free(from);
                config_free(to);
        }
        assert_int_equal(failed, 0);
}

#define P(name) " pool \"" name "\" { size_min = 8M }"
#define D(name) " device \"" name "\" { dma_bits = 30 }"

static const struct {
        const char *name;
        const char *from, *to;
        uint64_t frames_max;
        const char *names; /* all that changed, with "|" between */
        const char *error; /* NULL: none */
} text_cases[] = {
        { "nothing", P("a") D("x"), P("a") D("x"), 4, "", NULL },
        { "the same in other words", "pool a { size_min = 8M below = 4G }",
          "pool a { size_min = 8192K addr_max = 0xffffffff size_max = 8M spare = 0 spill = no }", 4,
          "", NULL },
        { "devices in another order", P("a") D("x") D("y"), P("a") D("y") D("x"), 4, "", NULL },
        { "a device more", P("a") D("x"), P("a") D("x") D("y"), 4, "device y", NULL },
        { "a device less", P("a") D("x") D("y"), P("a") D("y"), 4, "device x", NULL },
        { "all devices less", P("a") D("x"), P("a"), 4, "device x", NULL },
        { "a device that is limited another way", P("a") D("x"), P("a") " device x { below = 4G }",
          4, "device x: below", NULL },
        { "a range of everything is not none", P("a"),
          "pool a { size_min = 8M addr_min = 0 spill = yes }", 4, "pool a: addr_min",
          "cannot change while pard runs: pool a: addr_min; start pard anew for that" },
        { "a last address that is the last of all", P("a"),
          "pool a { size_min = 8M addr_max = 0xffffffffffffffff spill = yes }", 4,
          "pool a: addr_max",
          "cannot change while pard runs: pool a: addr_max; start pard anew for that" },
        { "a pool more", P("a"), P("a") P("b"), 8, "pool b",
          "cannot change while pard runs: pool b; start pard anew for that" },
        { "a pool less", P("a") P("b"), P("b"), 8, "pool a",
          "cannot change while pard runs: pool a; start pard anew for that" },
        { "a pool with another name", P("a") P("b"), P("a") P("c"), 8, "pool b|pool c",
          "cannot change while pard runs: pool b, pool c; start pard anew for that" },
        { "pools in another order", P("a") P("b"), P("b") P("a"), 8, "the order of pools",
          "cannot change while pard runs: the order of pools; start pard anew for that" },
        { "good and bad together are refused together, and all that is bad is named", P("a") P("b"),
          "threads = 9 log_level = debug mode = 0600 pool a { size_min = 4M node = 1 } "
          "pool b { size_min = 8M spare = 2M isolation = uid }",
          8,
          "mode|log_level|threads|pool a: size_min|pool a: size_max|pool a: node|pool b: spare|"
          "pool b: isolation",
          "cannot change while pard runs: mode, threads, pool a: node, pool b: isolation; start "
          "pard anew for that" },
        { "as many frames as there is room for", P("a") P("b"),
          "pool a { size_min = 8M size_max = 12M } pool b { size_min = 8M }", 10,
          "pool a: size_max", NULL },
        { "more frames than there is room for", P("a") P("b"),
          "pool a { size_min = 8M size_max = 14M } pool b { size_min = 8M }", 10,
          "pool a: size_max",
          "the pools have 11 pages together, and since its start pard has room for 10 (pool a: "
          "size_max); start pard anew for that" },
        { "more frames, and something else", P("a") P("b"),
          "threads = 9 pool a { size_min = 10M } pool b { size_min = 10M }", 9,
          "threads|pool a: size_min|pool a: size_max|pool b: size_min|pool b: size_max",
          "cannot change while pard runs: threads; the pools have 10 pages together, and since its "
          "start pard has room for 9 (pool a: size_max, pool b: size_max); start pard anew for "
          "that" },
};

static void join(const struct names *names, char *all, size_t room)
{
        size_t n = 0;

        *all = '\0';
        for (size_t i = 0; i < names->n; i++)
                n += (size_t)snprintf(all + n, room - n, "%s%s", i ? "|" : "", names->names[i]);
}

static void test_config_compare_refuses_as_a_whole(void **state)
{
        int failed = 0;

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(text_cases); i++) {
                struct config *from = load(text_cases[i].from), *to = load(text_cases[i].to);
                char error[ERROR_BYTES] = "", all[1024];
                struct names names = { .n = 0 };
                int r;

                r = config_compare(from, to, text_cases[i].frames_max, on_changed, &names, error,
                                   sizeof(error));
                join(&names, all, sizeof(all));
                if (strcmp(all, text_cases[i].names) != 0 ||
                    r != (text_cases[i].error ? -EINVAL : 0) ||
                    strcmp(error, text_cases[i].error ? text_cases[i].error : "") != 0) {
                        print_error("%s: got %d, \"%s\"\n  %s\n", text_cases[i].name, r, error,
                                    all);
                        failed++;
                }
                config_free(from);
                config_free(to);
        }
        assert_int_equal(failed, 0);
}

static void test_config_compare_needs_no_listener_and_little_room(void **state)
{
        struct config *from = load(P("a")), *to = load("threads = 9 mode = 0600" P("b"));

        (void)state;
        for (size_t room = 1; room < 100; room++) {
                char *error = malloc(room);

                assert_non_null(error);
                assert_int_equal(config_compare(from, to, 0, NULL, NULL, error, room), -EINVAL);
                assert_true(strlen(error) < room);
                free(error);
        }
        config_free(from);
        config_free(to);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_config_compare_knows_every_key),
                cmocka_unit_test(test_config_compare_names_each_change),
                cmocka_unit_test(test_config_compare_refuses_as_a_whole),
                cmocka_unit_test(test_config_compare_needs_no_listener_and_little_room),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
