/* SPDX-License-Identifier: MIT */
/* Any text is a report of a fault or not, and what it says of the requester can be said again. */
#include "fault_line.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
        char *line = malloc(size + 1), text[PCI_FUNCTION_BYTES];
        struct fault_line fault;
        struct pci_function again;

        if (!line)
                return 0;
        memcpy(line, bytes, size);
        line[size] = '\0';
        if (fault_line_parse(line, &fault)) {
                assert(fault.iommu && fault.access <= FAULT_WRITE);
                if (fault.has_requester)
                        assert(pci_function_parse(pci_function_text(&fault.requester, text), &again,
                                                  NULL) &&
                               pci_function_matches(&fault.requester, &again));
        }
        free(line);
        return 0;
}
