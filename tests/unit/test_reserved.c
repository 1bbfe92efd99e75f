/* SPDX-License-Identifier: MIT */
/* What sysfs says is reserved of the I/O addresses. */
#include "reserved.h"

#include "file_tree.h"
#include "macros.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

/* As an x86 machine has it, with a graphics device. */
static const struct {
        const char *path, *text;
} files[] = {
        { "/groups/0/reserved_regions", "0x00000000fee00000 0x00000000feefffff msi\n" },
        { "/groups/1/reserved_regions", "0x0000000000000000 0x0000000000ffffff direct-relaxable\n"
                                        "0x000000008a800000 0x000000008effffff direct\n"
                                        "0x00000000fee00000 0x00000000feefffff msi\n" },
        { "/groups/2/reserved_regions", "nonsense\n0x2000 0x1000 msi\n" },
        { "/groups/3/type", "DMA\n" },
};

static const struct {
        const char *name;
        struct range window;
        const char *kind; /* NULL: none */
} cases[] = {
        { "interrupts", { 0xfee01000, 0xfee01fff }, "msi" },
        { "a window that reaches into them", { 0xf0000000, 0xfee00000 }, "msi" },
        { "memory of a device", { 0x8b000000, 0x8b000fff }, "direct" },
        { "what devices may use after all", { 0x1000, 0x1fff }, NULL },
        { "behind the last address", { 0xfef00000, 0xffffffff }, NULL },
};

static void test_reserved_names_what_is_in_a_window(void **state)
{
        char groups[128], kind[RESERVED_KIND_BYTES];
        struct file_tree tree;

        (void)state;
        file_tree_init(&tree);
        for (size_t i = 0; i < ARRAY_SIZE(files); i++)
                file_tree_put(&tree, files[i].path, files[i].text);
        snprintf(groups, sizeof(groups), "%s/groups", tree.root);
        for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
                bool found = reserved_kind(groups, cases[i].window, kind);

                if (found != !!cases[i].kind || (found && strcmp(kind, cases[i].kind) != 0))
                        fail_msg("%s: %s", cases[i].name, found ? kind : "nothing");
        }
        file_tree_deinit(&tree);
        assert_false(reserved_kind(groups, cases[0].window, kind));
}

/* ---- what is usable ------------------------------------------------------------------------- */

/* As the links of sysfs make it look: the lists that a device is in. */
static const struct {
        const char *device, *text;
} lists[] = {
        { "nothing", "" },
        { "interrupts", "0x00000000fee00000 0x00000000feefffff msi\n" },
        { "both ends", "0x0000000000000000 0x0000000000000fff direct\n"
                       "0x00000000ffff0000 0xffffffffffffffff reserved\n" },
        { "twice", "0x0000000000100000 0x00000000002fffff direct\n"
                   "0x0000000000200000 0x00000000003fffff reserved\n" },
        { "relaxed", "0x0000000000000000 0x0000000000ffffff direct-relaxable\n" },
        { "all", "0x0000000000000000 0xffffffffffffffff reserved\n" },
        { "nonsense", "0x00000000fee00000 msi\n" },
        { "backwards", "0x2000 0x1000 msi\n" },
};

static const struct {
        const char *device;
        int result;
        size_t n;
        struct range ranges[2];
} usable_cases[] = {
        { "nothing", 0, 1, { { 0, 0xffffffff } } },
        { "interrupts", 0, 2, { { 0, 0xfedfffff }, { 0xfef00000, 0xffffffff } } },
        { "both ends", 0, 1, { { 0x1000, 0xfffeffff } } },
        { "twice", 0, 2, { { 0, 0xfffff }, { 0x400000, 0xffffffff } } },
        { "relaxed", 0, 1, { { 0, 0xffffffff } } },
        { "all", 0, 0, { { 0, 0 } } },
        { "nonsense", -EINVAL, 0, { { 0, 0 } } },
        { "backwards", -EINVAL, 0, { { 0, 0 } } },
        { "no such device", -ENOENT, 0, { { 0, 0 } } },
        { "../devices/nothing", -ENOENT, 0, { { 0, 0 } } },
};

static void test_reserved_leaves_what_is_usable(void **state)
{
        struct mapper_facts facts;
        struct file_tree tree;
        char path[128];

        (void)state;
        file_tree_init(&tree);
        for (size_t i = 0; i < ARRAY_SIZE(lists); i++) {
                snprintf(path, sizeof(path), "/devices/%s/iommu_group/reserved_regions",
                         lists[i].device);
                file_tree_put(&tree, path, lists[i].text);
        }
        snprintf(path, sizeof(path), "%s/devices", tree.root);
        for (size_t i = 0; i < ARRAY_SIZE(usable_cases); i++) {
                int r = reserved_usable(path, usable_cases[i].device, 0xffffffff, &facts);

                if (r != usable_cases[i].result || facts.n_ranges != usable_cases[i].n ||
                    memcmp(facts.ranges, usable_cases[i].ranges,
                           facts.n_ranges * sizeof(facts.ranges[0])) != 0)
                        fail_msg("%s: %d, %zu ranges", usable_cases[i].device, r, facts.n_ranges);
        }
        file_tree_deinit(&tree);
}

static void test_reserved_knows_its_room(void **state)
{
        static char text[MAPPER_RANGES_MAX * 64];
        struct mapper_facts facts;
        struct file_tree tree;
        char path[128];
        size_t used = 0;

        (void)state;
        for (unsigned i = 1; i <= MAPPER_RANGES_MAX; i++) {
                file_tree_init(&tree);
                used += (size_t)snprintf(text + used, sizeof(text) - used, "%#x %#x reserved\n",
                                         i * 0x10000, i * 0x10000 + 0xfff);
                file_tree_put(&tree, "/devices/a/iommu_group/reserved_regions", text);
                snprintf(path, sizeof(path), "%s/devices", tree.root);
                assert_int_equal(reserved_usable(path, "a", UINT64_MAX, &facts),
                                 i < MAPPER_RANGES_MAX ? 0 : -EOVERFLOW);
                assert_int_equal(facts.n_ranges, i < MAPPER_RANGES_MAX ? i + 1 : 0);
                file_tree_deinit(&tree);
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_reserved_names_what_is_in_a_window),
                cmocka_unit_test(test_reserved_leaves_what_is_usable),
                cmocka_unit_test(test_reserved_knows_its_room),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
