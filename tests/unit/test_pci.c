/* SPDX-License-Identifier: MIT */
/*
 * What sysfs says of a PCI device, and what is no such thing.
 */
#include "file_tree.h"
#include "macros.h"
#include "pci.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define DEVICE "/sys/bus/pci/devices/0000:01:00.0/"

/* NULL: there is no such file. */
static const struct {
        const char *name;
        const char *mask, *node, *group;
        int r;
        struct pci_device device;
} cases[] = {
        { "all of it", "64\n", "1\n", "../../../../kernel/iommu_groups/17", 0, { 64, 1, 17 } },
        { "no node and no IOMMU", "32\n", "-1\n", NULL, 0, { 32, -1, -1 } },
        { "a kernel without NUMA", "28\n", NULL, NULL, 0, { 28, -1, -1 } },
        { "no mask", NULL, "0\n", NULL, -EBADMSG, { 0 } },
        { "a mask of no bits", "0\n", "0\n", NULL, -EBADMSG, { 0 } },
        { "a mask of too many", "65\n", "0\n", NULL, -EBADMSG, { 0 } },
        { "a mask that is no number", "all\n", "0\n", NULL, -EBADMSG, { 0 } },
        { "a mask with something behind it", "32 bits\n", "0\n", NULL, -EBADMSG, { 0 } },
        { "an empty file", "", "0\n", NULL, -EBADMSG, { 0 } },
        { "a node that is no number", "32\n", "near\n", NULL, -EBADMSG, { 0 } },
        { "a group that is no number", "32\n", "0\n", "groups/none", -EBADMSG, { 0 } },
};

static void test_pci_device_is_read(void **state)
{
        int failed = 0;

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
                struct pci_device device = { 0 };
                struct file_tree tree;
                char link[128];
                int r;

                file_tree_init(&tree);
                file_tree_put(&tree, DEVICE "vendor", "0x1234\n");
                if (cases[i].mask)
                        file_tree_put(&tree, DEVICE "dma_mask_bits", cases[i].mask);
                if (cases[i].node)
                        file_tree_put(&tree, DEVICE "numa_node", cases[i].node);
                snprintf(link, sizeof(link), "%s" DEVICE "iommu_group", tree.root);
                if (cases[i].group)
                        assert_int_equal(symlink(cases[i].group, link), 0);
                r = pci_device_read(tree.root, "0000:01:00.0", &device);
                if (r != cases[i].r || memcmp(&device, &cases[i].device, sizeof(device)) != 0) {
                        print_error("%s: %d: %u bits, node %d, group %d\n", cases[i].name, r,
                                    device.dma_mask_bits, device.node, device.iommu_group);
                        failed++;
                }
                file_tree_deinit(&tree);
        }
        assert_int_equal(failed, 0);
}

static void test_pci_address_is_strict(void **state)
{
        static const char *const wrong[] = {
                "",
                "0000:01:00",
                "0000:01:00.",
                "0000:01:00.00",
                "0000:01:00.0/",
                "0000:01:00/0",
                "../../../../etc",
                "0000:0A:00.0",
                "0000:01:00.0\n",
                "00000:1:00.0",
        };
        struct pci_device device;
        struct file_tree tree;

        (void)state;
        file_tree_init(&tree);
        file_tree_put(&tree, DEVICE "dma_mask_bits", "32\n");
        for (size_t i = 0; i < ARRAY_SIZE(wrong); i++)
                if (pci_device_read(tree.root, wrong[i], &device) != -EINVAL)
                        fail_msg("\"%s\" is taken for an address", wrong[i]);
        assert_int_equal(pci_device_read(tree.root, "0000:02:00.0", &device), -ENOENT);
        file_tree_deinit(&tree);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_pci_device_is_read),
                cmocka_unit_test(test_pci_address_is_strict),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
