/* SPDX-License-Identifier: MIT */
/*
 * Owns nothing. Knows the formats by the words that have stayed the same, with the kernel's files
 * that print them (Linux 6.12 where no other is named). What is between them must be as it is
 * there: a line that is only alike is no report.
 *
 * Refuses reports of interrupts, which have no address ("[INTR-REMAP] ... fault index").
 */
#include "fault_line.h"

#include <string.h>

/* If the text begins so, what follows; otherwise NULL. */
static const char *skip(const char *text, const char *words)
{
        const size_t length = strlen(words);

        return text && strncmp(text, words, length) == 0 ? text + length : NULL;
}

/* What follows the first place where these words stand; NULL: they do not. */
static const char *find(const char *text, const char *words)
{
        const char *at = text ? strstr(text, words) : NULL;

        return at ? at + strlen(words) : NULL;
}

/* A hexadecimal number of 64 bits, with or without "0x". Return: what follows; NULL: it is none. */
static const char *read_hex(const char *text, uint64_t *ret)
{
        static const char digits[] = "0123456789abcdef";
        uint64_t value = 0;
        size_t n = 0;

        if (!text)
                return NULL;
        if (skip(text, "0x"))
                text += 2;
        for (const char *digit; *text && (digit = strchr(digits, *text)); text++, n++)
                value = value << 4 | (uint64_t)(digit - digits);
        *ret = value;
        return n > 0 && n <= 16 ? text : NULL;
}

/* ---- Intel ---------------------------------------------------------------------------------- */

/* What older kernels print where there is none. */
#define NO_PASID UINT32_MAX

/* The number behind " PASID ". Return: what follows; NULL: it is none. */
static const char *read_pasid(const char *text, struct fault_line *ret)
{
        uint64_t value;

        text = read_hex(skip(text, " PASID "), &value);
        if (!text || value > UINT32_MAX)
                return NULL;
        ret->has_pasid = value != NO_PASID;
        ret->pasid = ret->has_pasid ? (uint32_t)value : 0;
        return text;
}

/* "DMA Write", with what may stand behind it in the brackets. Return: what follows; NULL: it is
 * something else. */
static const char *read_access(const char *text, struct fault_line *ret)
{
        ret->access = skip(text, "DMA Write") ? FAULT_WRITE : FAULT_READ;
        text = skip(text, ret->access == FAULT_WRITE ? "DMA Write" : "DMA Read");
        if (skip(text, " NO_PASID"))
                return skip(text, " NO_PASID");
        return skip(text, " PASID ") ? read_pasid(text, ret) : text;
}

/*
 * drivers/iommu/intel/dmar.c, dmar_fault_do_one():
 *
 *     DMAR: [DMA Write NO_PASID] Request device [00:03.0] fault addr 0xffff000 [fault reason 0x05]
 *     DMAR: [DMA Read PASID 0x1] Request device [00:03.0] fault addr 0xffff000 [fault reason 0x06]
 *
 * 5.14 wrote "[0x00:0x03.0]"; before it (intel-iommu.c in the beginning) numbers had no "0x", and
 * behind the device there was " PASID ffffffff" for a while:
 *
 *     DMAR: [DMA Write] Request device [00:03.0] fault addr ffff000 [fault reason 05]
 *     DMAR: [DMA Write] Request device [00:03.0] PASID ffffffff fault addr ffff000 [fault ...
 *
 * The domain is not told, and the address is that of a page.
 */
static bool parse_intel(const char *line, struct fault_line *ret)
{
        const char *at = strstr(line, "[DMA ");

        *ret = (struct fault_line){ .iommu = "Intel" };
        at = at ? skip(read_access(at + 1, ret), "] Request device [") : NULL;
        ret->has_requester = at && pci_function_parse(at, &ret->requester, &at);
        if (!ret->has_requester)
                return false;
        at = skip(at, "]");
        if (skip(at, " PASID "))
                at = read_pasid(at, ret);
        return read_hex(skip(at, " fault addr "), &ret->address);
}

/* ---- AMD ------------------------------------------------------------------------------------ */

/* The PCI address that stands before @until, with a blank before it or at the beginning. */
static bool requester_before(const char *line, const char *until, struct pci_function *ret)
{
        const char *at = until, *rest;

        while (at > line && at[-1] != ' ')
                at--;
        return pci_function_parse(at, ret, &rest) && rest == until;
}

/*
 * drivers/iommu/amd/iommu.c, amd_iommu_report_page_fault(): with the device's driver and address in
 * front, where the kernel knows the device, and otherwise inside; before 6.0 without the domain
 * there, and in 4.9 always so, with an address of 16 digits:
 *
 *     vfio-pci 0000:00:03.0: AMD-Vi: Event logged [IO_PAGE_FAULT domain=0x0002 address=0xff000 ...
 *     AMD-Vi: Event logged [IO_PAGE_FAULT device=0000:00:03.0 domain=0x0002 address=0xff000 ...
 *     AMD-Vi: Event logged [IO_PAGE_FAULT device=00:03.0 domain=0x0002 address=0x00000000000ff000
 *
 * Its flags do not say whether it was a write where the page is not present.
 */
static bool parse_amd(const char *line, struct fault_line *ret)
{
        const char *head = strstr(line, "AMD-Vi: Event logged [IO_PAGE_FAULT "), *at;
        uint64_t domain;

        if (!head)
                return false;
        *ret = (struct fault_line){ .iommu = "AMD" };
        at = find(head, "[IO_PAGE_FAULT ");
        if (skip(at, "device=")) {
                ret->has_requester = pci_function_parse(skip(at, "device="), &ret->requester, &at);
                if (!ret->has_requester)
                        return false;
                at = skip(at, " ");
        } else if (head - line > 2 && skip(head - 2, ": ")) {
                ret->has_requester = requester_before(line, head - 2, &ret->requester);
        }
        at = read_hex(skip(at, "domain="), &domain);
        return read_hex(skip(at, " address="), &ret->address);
}

/* ---- Arm ------------------------------------------------------------------------------------ */

/*
 * drivers/iommu/arm/arm-smmu-v3/arm-smmu-v3.c, arm_smmu_dump_event() (since 6.15; before it the
 * event was shown as raw words only):
 *
 *     arm-smmu-v3 arm-smmu-v3.0.auto: event: F_TRANSLATION client: 0000:00:03.0 sid: 0x18 ssid: 0x0
 *     iova: 0xffff000 ipa: 0x0
 *
 * all in one line. The client is no PCI address where the device is none, or not known.
 */
static bool parse_smmu_v3(const char *line, struct fault_line *ret)
{
        const char *at = find(find(line, ": event: "), " client: "), *rest;

        if (!at)
                return false;
        *ret = (struct fault_line){ .iommu = "Arm" };
        ret->has_requester = pci_function_parse(at, &ret->requester, &rest) && *rest == ' ';
        return read_hex(find(find(at, " sid: "), " iova: "), &ret->address);
}

/*
 * drivers/iommu/arm/arm-smmu/arm-smmu.c, arm_smmu_context_fault(); who it was is a number of the
 * SMMU's own:
 *
 *     arm-smmu 5000000.iommu: Unhandled context fault: fsr=0x402, iova=0x0ffff000, fsynr=0x11, ...
 */
static bool parse_smmu_v2(const char *line, struct fault_line *ret)
{
        const char *at = find(line, "Unhandled context fault: fsr=");
        uint64_t fsr;

        *ret = (struct fault_line){ .iommu = "Arm" };
        at = read_hex(at, &fsr);
        return read_hex(skip(at, ", iova="), &ret->address);
}

bool fault_line_parse(const char *line, struct fault_line *ret)
{
        return parse_intel(line, ret) || parse_amd(line, ret) || parse_smmu_v3(line, ret) ||
               parse_smmu_v2(line, ret);
}
