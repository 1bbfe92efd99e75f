/* SPDX-License-Identifier: MIT */
/*
 * Lines in which the kernel reports a DMA that an IOMMU has stopped, as dmesg and journals show
 * them. Pure: text in, facts out.
 */
#pragma once

#include "pci_function.h"

#include <stdbool.h>
#include <stdint.h>

enum fault_access {
        FAULT_ACCESS_UNKNOWN,
        FAULT_READ,
        FAULT_WRITE,
};

/**
 * struct fault_line - what a line says
 * @iommu:         "Intel", "AMD", "Arm"
 * @address:       that the device used; of an Intel IOMMU, that of its page
 * @has_requester: @requester is the function that it came from
 * @has_pasid:     it was of @pasid: an address of a process, or of another space that the device
 * has besides; not of a VFIO container
 */
struct fault_line {
        const char *iommu;
        uint64_t address;
        bool has_requester;
        struct pci_function requester;
        bool has_pasid;
        uint32_t pasid;
        enum fault_access access;
};

/**
 * fault_line_parse() - read a line
 * @line: any text; what stands before and behind the report is passed over
 *
 * Return: whether it reports a DMA to an address.
 */
bool fault_line_parse(const char *line, struct fault_line *ret);
