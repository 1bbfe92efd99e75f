/* SPDX-License-Identifier: MIT */
/*
 * Owns nothing; knows what a PCI address looks like, and reads the facts about one.
 */
#include "config_sections.h"
#include "units.h"

bool config_is_pci_address(const char *text)
{
        static const char form[] =
                "xxxx:xx:xx.x"; /* as sysfs has it: domain, bus, device, function */

        for (size_t i = 0; i < sizeof(form); i++) {
                if (form[i] == 'x' ? !text[i] || !strchr("0123456789abcdef", text[i])
                                   : text[i] != form[i])
                        return false;
        }
        return true;
}

int config_pci_read(struct config_file *file, cfg_t *section, struct pci_facts *ret)
{
        uint64_t bits = 64, node = UINT64_MAX, group = UINT64_MAX;
        int r;

        if (!config_is_pci_address(cfg_title(section)))
                return config_fail(file, section, NULL,
                                   "that is no PCI address, such as 0000:01:00.0");
        r = config_number(file, section, "dma_mask_bits", 1, 64, &bits);
        if (r)
                return r;
        r = config_number(file, section, "numa_node", 0, INT32_MAX, &node);
        if (r)
                return r;
        r = config_number(file, section, "iommu_group", 0, INT32_MAX, &group);
        if (r)
                return r;
        *ret = (struct pci_facts){
                .known = true,
                .dma_mask_bits = (unsigned)bits,
                .node = node < 64 ? (int)node : NODE_ANY,
                .iommu_group = group == UINT64_MAX ? -1 : (int)group,
        };
        return 0;
}
