/* SPDX-License-Identifier: MIT */
/* What sysfs says is reserved of the I/O addresses. */
#include "reserved.h"

#include "file_tree.h"
#include "macros.h"

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

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_reserved_names_what_is_in_a_window),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
