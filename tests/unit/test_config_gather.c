/* SPDX-License-Identifier: MIT */
/*
 * What belongs to a configuration beside its file: files of devices, and sysfs.
 */
#include "config.h"
#include "config_gather.h"
#include "file_tree.h"
#include "log.h"
#include "macros.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define POOL   "pool \"any\" { size_min = 2M }\n"
#define DEVICE "/sys/bus/pci/devices/0000:01:00.0/"

static struct file_tree tree;
static char told[1024]; /* the last message */

void __wrap_log_write(int level, const struct log_place *place, const struct log_fields *about,
                      const char *format, ...);

void __wrap_log_write(int level, const struct log_place *place, const struct log_fields *about,
                      const char *format, ...)
{
        va_list args;

        (void)level;
        (void)place;
        (void)about;
        va_start(args, format);
        vsnprintf(told, sizeof(told), format, args);
        va_end(args);
}

static int begin(void **state)
{
        (void)state;
        told[0] = '\0';
        file_tree_init(&tree);
        return 0;
}

static int end(void **state)
{
        (void)state;
        file_tree_deinit(&tree);
        return 0;
}

/* As if @text were /etc/pard.conf of the tree. *ret: what came of it, owned by the caller. */
static int gather(const char *text, char **ret)
{
        char path[128];

        *ret = strdup(text);
        assert_non_null(*ret);
        snprintf(path, sizeof(path), "%s/etc/pard.conf", tree.root);
        return config_gather(path, tree.root, ret);
}

static struct config *gathered(const char *text)
{
        struct config *config = NULL;
        char error[1024], *whole;

        if (gather(text, &whole))
                fail_msg("%s", told);
        if (config_load(whole, "t", &config, error, sizeof(error)))
                fail_msg("%s in %s", error, whole);
        free(whole);
        return config;
}

static void test_gather_adds_devices_in_order(void **state)
{
        struct config *config;

        (void)state;
        file_tree_put(&tree, "/etc/devices/b.conf", "device \"b\" { dma_bits = 28 }");
        file_tree_put(&tree, "/etc/devices/a.conf", "device \"a\" {}\ndevice \"c\" {}\n# end");
        file_tree_put(&tree, "/etc/devices/.hidden.conf", "nonsense");
        file_tree_put(&tree, "/etc/devices/README", "nonsense");
        config = gathered("devices_dir = \"devices\"\n" POOL "device \"own\" {}");
        assert_int_equal(config->state.n_devices, 4);
        assert_string_equal(config->devices[0].name, "own");
        assert_string_equal(config->devices[1].name, "a");
        assert_string_equal(config->devices[2].name, "c");
        assert_string_equal(config->devices[3].name, "b");
        assert_int_equal(config->devices[3].limits.window.last, 256 * MiB - 1);
        config_free(config);
}

static void test_gather_knows_an_absolute_folder(void **state)
{
        struct config *config;
        char text[256];

        (void)state;
        file_tree_put(&tree, "/var/x.conf", "device \"x\" {}");
        snprintf(text, sizeof(text), "devices_dir = \"%s/var\"\n" POOL, tree.root);
        config = gathered(text);
        assert_int_equal(config->state.n_devices, 1);
        config_free(config);
}

static const struct {
        const char *name, *text;
        const char *sentence; /* behind the name of the folder */
} wrong_files[] = {
        { "a pool", "device \"a\" {}\npool \"p\" { size_min = 2M }\n",
          "/a.conf:2: pool \"p\": only devices are described here" },
        { "a key of the top", "\nsocket = \"/x\"\n",
          "/a.conf:2: socket: only devices are described here" },
        { "facts", "pci \"0000:01:00.0\" {}\n",
          "/a.conf:1: pci \"0000:01:00.0\": only devices are described here" },
        { "a brace of the next file", "device \"a\" {\n", "/a.conf:1: this brace is never closed" },
        { "a wrong value", "device \"a\" {\n align = 3\n}\n",
          "/a.conf:2: device \"a\": align: \"3\" is no power of two" },
        { "a device that is there already", "device \"own\" {}\n",
          "/a.conf: device \"own\" is described elsewhere, too" },
};

static void test_gather_refuses_files_by_name_and_line(void **state)
{
        int failed = 0;

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(wrong_files); i++) {
                char wanted[256], *whole;
                int r;

                snprintf(wanted, sizeof(wanted), "%s/etc/devices%s", tree.root,
                         wrong_files[i].sentence);
                file_tree_put(&tree, "/etc/devices/a.conf", wrong_files[i].text);
                r = gather("devices_dir = \"devices\"\n" POOL "device \"own\" {}", &whole);
                free(whole);
                if (r == -EINVAL && strcmp(told, wanted) == 0)
                        continue;
                print_error("%s: %d: %s\n", wrong_files[i].name, r, told);
                failed++;
        }
        assert_int_equal(failed, 0);
}

static void test_gather_has_an_end(void **state)
{
        const size_t size = 900 * KiB;
        char *text = malloc(size + 1), *whole;

        (void)state;
        assert_non_null(text);
        memset(text, '\n', size);
        text[size] = '\0';
        file_tree_put(&tree, "/etc/devices/a.conf", text);
        file_tree_put(&tree, "/etc/devices/b.conf", text);
        free(text);
        assert_int_equal(gather("devices_dir = \"devices\"\n" POOL, &whole), -EFBIG);
        assert_non_null(strstr(told, "/b.conf: with that the configuration is larger than 1 MiB"));
        free(whole);
}

static void test_gather_needs_the_folder(void **state)
{
        char *whole;

        (void)state;
        file_tree_put(&tree, "/etc/else", "");
        assert_int_equal(gather("devices_dir = \"devices\"\n" POOL, &whole), -ENOENT);
        assert_non_null(strstr(told, "/etc/devices cannot be read: No such file or directory"));
        free(whole);
}

static void test_gather_leaves_a_bad_text_as_it_is(void **state)
{
        char *whole;

        (void)state;
        assert_int_equal(gather("devices_dir = \"nowhere\"\nnonsense", &whole), 0);
        assert_string_equal(whole, "devices_dir = \"nowhere\"\nnonsense");
        assert_string_equal(told, "");
        free(whole);
}

/* Who parses it has no users and groups of his own, and has to find the same mistake. */
static void test_gather_tells_the_names_of_a_bad_text(void **state)
{
        struct config *config;
        char error[256], again[256], *whole;
        const char *text = "# a comment\n"
                           "pool \"a\" { size_min = 2M allow = { \"group:root\" } }\n"
                           "pool \"b\" { size_min = 3M }\n";

        (void)state;
        assert_int_equal(config_load(text, "t", &config, error, sizeof(error)), -EINVAL);
        assert_string_equal(error,
                            "t:3: pool \"b\": size_min: \"3M\" is no multiple of page_size (2M)");
        assert_int_equal(gather(text, &whole), 0);
        assert_non_null(strstr(whole, "\"group:root=0\""));
        assert_int_equal(config_load(whole, "t", &config, again, sizeof(again)), -EINVAL);
        assert_string_equal(again, error);
        free(whole);
}

static void test_gather_asks_sysfs(void **state)
{
        struct config *config;

        (void)state;
        file_tree_put(&tree, DEVICE "dma_mask_bits", "30\n");
        file_tree_put(&tree, DEVICE "numa_node", "2\n");
        config = gathered(POOL "device \"a\" { pci = \"0000:01:00.0\" dma_bits = 32 }\n"
                               "device \"0000:01:00.0\" {}\n"
                               "device \"b\" { pci = \"0000:02:00.0\" }\n"
                               "device \"c\" { pci = \"0000:03:00.0\" }\n"
                               "pci \"0000:03:00.0\" { dma_mask_bits = 24 }\n");
        assert_int_equal(device_mask_last(&config->devices[0]), GiB - 1);
        assert_int_equal(device_mask_last(&config->devices[1]), GiB - 1);
        assert_int_equal(config->devices[0].facts.node, 2);
        assert_int_equal(config->devices[0].facts.iommu_group, -1);
        assert_false(config->devices[2].facts.known);
        assert_string_equal(told, "device b: PCI device 0000:02:00.0: it is not there");
        /* What is written is taken instead. */
        assert_int_equal(device_mask_last(&config->devices[3]), 16 * MiB - 1);
        config_free(config);
}

/* What comes behind the text. */
static void test_gather_finds_users_and_groups(void **state)
{
        const struct {
                const char *name, *text, *added;
        } cases[] = {
                { "a group", "pool \"p\" { size_min = 2M allow = { \"group:root\" } }",
                  "\"group:root=0\"" },
                { "a user", "pool \"p\" { size_min = 2M allow = { \"user:root\" } }",
                  "\"user:root=0:0\"" },
                { "a number that nobody has", "user = 4242424",
                  "\"user:4242424=4242424:4242424\"" },
                { "a key at the top", "group = root", "\"group:root=0\"" },
        };
        char text[256], *whole;

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
                const char *ids;

                print_message("%s\n", cases[i].name);
                snprintf(text, sizeof(text), POOL "%s\n", cases[i].text);
                assert_int_equal(gather(text, &whole), 0);
                ids = strstr(whole, "\nids = {");
                assert_non_null(ids);
                assert_non_null(strstr(ids, cases[i].added));
                assert_int_equal(strncmp(whole, text, strlen(text)), 0);
                config_free(gathered(whole)); /* it is a configuration, and complete */
                free(whole);
        }
}

/* With ids in the text there is nobody else. */
static void test_gather_believes_the_text(void **state)
{
        struct config *config;
        char *whole;

        (void)state;
        config = gathered("group = elves\nuser = \"a\\\\b\\\"c\"\n"
                          "ids = { \"group:elves=7\", \"user:a\\\\b\\\"c=8:9\" }\n" POOL);
        assert_int_equal(config->socket_group, 7);
        assert_int_equal(config->user, 8);
        assert_int_equal(config->user_group, 9);
        config_free(config);

        assert_int_equal(gather("group = root\nids = { \"group:root=1\" }\n" POOL, &whole), 0);
        assert_null(strstr(whole, "root=0"));
        free(whole);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(test_gather_adds_devices_in_order, begin, end),
                cmocka_unit_test_setup_teardown(test_gather_knows_an_absolute_folder, begin, end),
                cmocka_unit_test_setup_teardown(test_gather_refuses_files_by_name_and_line, begin,
                                                end),
                cmocka_unit_test_setup_teardown(test_gather_has_an_end, begin, end),
                cmocka_unit_test_setup_teardown(test_gather_needs_the_folder, begin, end),
                cmocka_unit_test_setup_teardown(test_gather_leaves_a_bad_text_as_it_is, begin, end),
                cmocka_unit_test_setup_teardown(test_gather_tells_the_names_of_a_bad_text, begin,
                                                end),
                cmocka_unit_test_setup_teardown(test_gather_asks_sysfs, begin, end),
                cmocka_unit_test_setup_teardown(test_gather_finds_users_and_groups, begin, end),
                cmocka_unit_test_setup_teardown(test_gather_believes_the_text, begin, end),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
