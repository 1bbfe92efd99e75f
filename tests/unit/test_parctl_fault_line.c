/* SPDX-License-Identifier: MIT */
/*
 * Lines of the kernel about a DMA that was stopped, in all their formats, and what is none.
 */
#include "fault_line.h"
#include "macros.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define V3 "[    9.1] arm-smmu-v3 arm-smmu-v3.0.auto: event: F_TRANSLATION client: "

static const struct {
        const char *name, *line, *iommu, *requester;
        uint64_t address;
        enum fault_access access;
} reports[] = {
        { "Linux 6.12, as the guest of tests/vm printed it",
          "[    5.733000] DMAR: [DMA Write NO_PASID] Request device [00:01.0] fault addr 0xffff000 "
          "[fault reason 0x05] PTE Write access is not set",
          "Intel", "00:01.0", 0xffff000, FAULT_WRITE },
        { "a read, with a PASID",
          "DMAR: [DMA Read PASID 0x1f] Request device [3a:1f.7] fault addr 0xffffffffffff000 "
          "[fault reason 0x06] PTE Read access is not set",
          "Intel", "3a:1f.7", 0xffffffffffff000, FAULT_READ },
        { "Linux 5.14",
          "DMAR: [DMA Write NO_PASID] Request device [0x00:0x03.0] fault addr 0x1000 [fault reason "
          "0x05] PTE Write access is not set",
          "Intel", "00:03.0", 0x1000, FAULT_WRITE },
        { "Linux 5.10",
          "DMAR: [DMA Write] Request device [00:14.0] PASID ffffffff fault addr a7c3d000 [fault "
          "reason 05] PTE Write access is not set",
          "Intel", "00:14.0", 0xa7c3d000, FAULT_WRITE },
        { "Linux 4.19",
          "<3>[12345.678901] DMAR: [DMA Read] Request device [02:00.0] fault addr fffe0000 [fault "
          "reason 06] PTE Read access is not set",
          "Intel", "02:00.0", 0xfffe0000, FAULT_READ },
        { "Linux 3.2, the first of two lines",
          "DMAR:[DMA Write] Request device [02:00.0] fault addr fffe0000 ", "Intel", "02:00.0",
          0xfffe0000, FAULT_WRITE },
        { "out of a journal",
          "Nov 21 10:00:00 host kernel: DMAR: [DMA Write NO_PASID] Request device [00:03.0] fault "
          "addr 0x0 [fault reason 0x05] x",
          "Intel", "00:03.0", 0, FAULT_WRITE },

        { "AMD, of a device that the kernel knows",
          "[  262.094625] vfio-pci 0000:03:00.0: AMD-Vi: Event logged [IO_PAGE_FAULT domain=0x0010 "
          "address=0x64a7f000 flags=0x0020]",
          "AMD", "0000:03:00.0", 0x64a7f000, FAULT_ACCESS_UNKNOWN },
        { "the same without a driver",
          "0000:03:00.0: AMD-Vi: Event logged [IO_PAGE_FAULT domain=0x0010 address=0x1 "
          "flags=0x0020]",
          "AMD", "0000:03:00.0", 1, FAULT_ACCESS_UNKNOWN },
        { "AMD, Linux 6.12, of one that it does not know",
          "AMD-Vi: Event logged [IO_PAGE_FAULT device=0000:00:03.0 domain=0x0000 "
          "address=0xfffffff8 flags=0x0070]",
          "AMD", "0000:00:03.0", 0xfffffff8, FAULT_ACCESS_UNKNOWN },
        { "AMD, Linux 5.10",
          "AMD-Vi: Event logged [IO_PAGE_FAULT device=0a:00.0 domain=0x001d "
          "address=0x637c000 flags=0x0000]",
          "AMD", "0a:00.0", 0x637c000, FAULT_ACCESS_UNKNOWN },
        { "AMD, Linux 4.9",
          "AMD-Vi: Event logged [IO_PAGE_FAULT device=0a:00.0 domain=0x001d "
          "address=0x000000000637c000 flags=0x0000]",
          "AMD", "0a:00.0", 0x637c000, FAULT_ACCESS_UNKNOWN },
        { "AMD, with nothing in front",
          "AMD-Vi: Event logged [IO_PAGE_FAULT domain=0x000e address=0x0 flags=0x0000]", "AMD",
          NULL, 0, FAULT_ACCESS_UNKNOWN },

        { "SMMUv3, Linux 6.15", V3 "0000:01:00.0 sid: 0x100 ssid: 0x0 iova: 0xffffe000 ipa: 0x0",
          "Arm", "0000:01:00.0", 0xffffe000, FAULT_ACCESS_UNKNOWN },
        { "SMMUv3, no PCI device",
          V3 "(unassigned sid) sid: 0x100 ssid: 0x0 iova: 0xffffe000 ipa: 0x0", "Arm", NULL,
          0xffffe000, FAULT_ACCESS_UNKNOWN },
        { "SMMUv2",
          "arm-smmu 5000000.iommu: Unhandled context fault: fsr=0x402, iova=0x0ffff000, "
          "fsynr=0x11, cbfrsynra=0x800, cb=0",
          "Arm", NULL, 0xffff000, FAULT_ACCESS_UNKNOWN },
};

static void test_fault_line_reads_reports(void **state)
{
        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(reports); i++) {
                struct fault_line fault;
                char text[PCI_FUNCTION_BYTES];

                print_message("%s\n", reports[i].name);
                assert_true(fault_line_parse(reports[i].line, &fault));
                assert_string_equal(fault.iommu, reports[i].iommu);
                assert_int_equal(fault.address, reports[i].address);
                assert_int_equal(fault.access, reports[i].access);
                assert_int_equal(fault.has_requester, reports[i].requester != NULL);
                assert_int_equal(fault.has_pasid, strstr(reports[i].line, "PASID 0x1f") != NULL);
                assert_int_equal(fault.pasid, fault.has_pasid ? 0x1f : 0);
                if (reports[i].requester)
                        assert_string_equal(pci_function_text(&fault.requester, text),
                                            reports[i].requester);
        }
}

#define INTEL "DMAR: [DMA Write NO_PASID] Request device "
#define AMD   "AMD-Vi: Event logged [IO_PAGE_FAULT "

static const struct {
        const char *name, *line;
} others[] = {
        { "nothing", "" },
        { "an address", "0xffff000" },
        { "an interrupt",
          "DMAR: [INTR-REMAP] Request device [00:1f.7] fault index 0x10 [fault reason 0x25] x" },
        { "another line of the same fault", "DMAR: DRHD: handling fault status reg 2" },
        { "the second of two lines", "DMAR:[fault reason 05] PTE Write access is not set" },
        { "another event of AMD's",
          "AMD-Vi: Event logged [ILLEGAL_DEV_TABLE_ENTRY device=0000:00:03.0 pasid=0x00000 "
          "address=0xfffffffdf8000000 flags=0x0a00]" },
        { "a graphics device's own",
          "amdgpu 0000:03:00.0: amdgpu:   in page starting at address 0x0000000000000000 from "
          "client 10" },
        { "a raw event of SMMUv3", "arm-smmu-v3 arm-smmu-v3.0.auto: event 0x10 received:" },
        { "cut off in the device", INTEL "[00:0" },
        { "cut off behind it", INTEL "[00:03.0]" },
        { "cut off before the address", INTEL "[00:03.0] fault addr " },
        { "cut off in its beginning", INTEL "[00:03.0] fault addr 0x" },
        { "an address of 17 digits", INTEL "[00:03.0] fault addr 0x10000000000000000 " },
        { "no address", INTEL "[00:03.0] fault addr zero" },
        { "no bracket", INTEL "[00:03.0 fault addr 0x1000" },
        { "device 32", INTEL "[00:20.0] fault addr 0x1000" },
        { "function 8", INTEL "[00:03.8] fault addr 0x1000" },
        { "three digits of a bus", INTEL "[100:03.0] fault addr 0x1000" },
        { "a PASID of nothing in front",
          "[DMA Read PASID ] Request device [00:03.0] fault addr 0x1" },
        { "another word in front", "[DMA Read MAYBE] Request device [00:03.0] fault addr 0x1000" },
        { "no read and no write", "[DMA Erase] Request device [00:03.0] fault addr 0x1000" },
        { "a PASID that is none", INTEL "[00:03.0] PASID  fault addr 0x1000" },
        { "words between", INTEL "[00:03.0] some fault addr 0x1000" },
        { "AMD, no domain", AMD "device=00:03.0 address=0x1000" },
        { "AMD, no address", AMD "device=00:03.0 domain=0x0001" },
        { "AMD, no device", AMD "device= domain=0x0001 address=0x1000" },
        { "AMD, cut off", AMD },
        { "SMMUv3, no address", V3 "0000:01:00.0 sid: 0x100" },
        { "SMMUv3, cut off", V3 },
        { "SMMUv2, no address", "Unhandled context fault: fsr=0x402" },
};

static void test_fault_line_passes_over_what_is_none(void **state)
{
        struct fault_line fault;

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(others); i++) {
                print_message("%s\n", others[i].name);
                assert_false(fault_line_parse(others[i].line, &fault));
        }
}

/* No prefix of a report reads beyond its end, or has another requester. */
static void test_fault_line_of_every_length(void **state)
{
        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(reports); i++) {
                for (size_t n = strlen(reports[i].line); n-- > 0;) {
                        char *cut = strndup(reports[i].line, n);
                        struct fault_line fault;

                        assert_non_null(cut);
                        if (fault_line_parse(cut, &fault))
                                assert_int_equal(fault.has_requester, reports[i].requester != NULL);
                        free(cut);
                }
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_fault_line_reads_reports),
                cmocka_unit_test(test_fault_line_passes_over_what_is_none),
                cmocka_unit_test(test_fault_line_of_every_length),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
