/* SPDX-License-Identifier: MIT */
/*
 * What sysfs says of a PCI device, and what is no such thing.
 */
#include "file_tree.h"
#include "macros.h"
#include "pci.h"
#include "pci_address.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
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

/* ---- whether it is bus master --------------------------------------------------------------- */

static int pread_fails; /* errno; 0: it does not */

ssize_t __real_pread(int fd, void *to, size_t room, off_t offset);
ssize_t __wrap_pread(int fd, void *to, size_t room, off_t offset);

ssize_t __wrap_pread(int fd, void *to, size_t room, off_t offset)
{
        if (!pread_fails)
                return __real_pread(fd, to, room, offset);
        errno = pread_fails;
        return -1;
}

static void put_config(const struct file_tree *tree, const unsigned char *bytes, size_t size)
{
        char path[128];
        FILE *file;

        snprintf(path, sizeof(path), "%s" DEVICE "config", tree->root);
        file = fopen(path, "wb");
        assert_non_null(file);
        assert_int_equal(fwrite(bytes, 1, size, file), size);
        assert_int_equal(fclose(file), 0);
}

static const struct {
        const char *name;
        unsigned char command[2];
        size_t size; /* of the file; 0: there is none */
        int fails;   /* pread() does, with this errno */
        int result;
} masters[] = {
        { "all off", { 0x00, 0x00 }, 64, 0, 0 },
        { "memory and I/O alone", { 0x03, 0x00 }, 64, 0, 0 },
        { "bus master", { 0x04, 0x00 }, 64, 0, 1 },
        { "bus master, with interrupts off", { 0x06, 0x04 }, 64, 0, 1 },
        { "bits of the upper byte alone", { 0x00, 0x05 }, 64, 0, 0 },
        { "nobody answers", { 0xff, 0xff }, 64, 0, -EIO },
        { "a file that ends before the register", { 0x04, 0x00 }, 4, 0, -EIO },
        { "a file that ends in it", { 0x04, 0x00 }, 5, 0, -EIO },
        { "no such device", { 0 }, 0, 0, 0 },
        { "it is pulled out just then", { 0x04, 0x00 }, 64, ENODEV, 0 },
        { "it cannot be read", { 0x04, 0x00 }, 64, EIO, -EIO },
        { "nor may it", { 0x04, 0x00 }, 64, EPERM, -EPERM },
};

static void test_pci_master_is_read(void **state)
{
        int failed = 0;

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(masters); i++) {
                unsigned char bytes[64] = { 0x34, 0x12, 0xe8, 0x11 };
                struct file_tree tree;
                int r;

                memcpy(bytes + 4, masters[i].command, 2);
                file_tree_init(&tree);
                file_tree_put(&tree, DEVICE "vendor", "0x1234\n");
                if (masters[i].size)
                        put_config(&tree, bytes, masters[i].size);
                pread_fails = masters[i].fails;
                r = pci_is_master(tree.root, 0x100);
                pread_fails = 0;
                if (r != masters[i].result) {
                        print_error("%s: %d\n", masters[i].name, r);
                        failed++;
                }
                file_tree_deinit(&tree);
        }
        assert_int_equal(failed, 0);
}

static void test_pci_config_must_be_a_file(void **state)
{
        struct file_tree tree;

        (void)state;
        file_tree_init(&tree);
        file_tree_put(&tree, DEVICE "config/odd", "");
        assert_int_equal(pci_is_master(tree.root, 0x100), -EISDIR);
        file_tree_deinit(&tree);
}

static const struct {
        const char *text;
        bool is_one;
        uint32_t number;
} addresses[] = {
        { "0000:00:00.0", true, 0 },       { "0000:01:00.0", true, 0x100 },
        { "0000:00:04.0", true, 0x20 },    { "ffff:ff:1f.7", true, UINT32_MAX },
        { "0001:02:03.4", true, 0x1021c }, { "0000:00:20.0", false, 0 },
        { "0000:00:00.8", false, 0 },      { "0000:00:00.f", false, 0 },
        { "0000:00:00.", false, 0 },       { "0000:00:00.0 ", false, 0 },
        { "0000:0A:00.0", false, 0 },      { "", false, 0 },
};

static void test_pci_addresses_are_numbers(void **state)
{
        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(addresses); i++) {
                char text[PCI_ADDRESS_TEXT_BYTES];
                uint32_t number = 0;

                if (pci_address_parse(addresses[i].text, &number) != addresses[i].is_one ||
                    number != addresses[i].number)
                        fail_msg("\"%s\": %#x", addresses[i].text, number);
                if (addresses[i].is_one)
                        assert_string_equal(pci_address_text(number, text), addresses[i].text);
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_pci_device_is_read),
                cmocka_unit_test(test_pci_address_is_strict),
                cmocka_unit_test(test_pci_master_is_read),
                cmocka_unit_test(test_pci_config_must_be_a_file),
                cmocka_unit_test(test_pci_addresses_are_numbers),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
