/* SPDX-License-Identifier: MIT */
/* Owns nothing; says again what the line said. */
#include "lookup_fault.h"

#include "json.h"

#include <inttypes.h>

json_t *lookup_fault_json(const struct subject *subject)
{
        static const char *const names[] = {
                [FAULT_ACCESS_UNKNOWN] = NULL,
                [FAULT_READ] = "read",
                [FAULT_WRITE] = "write",
        };
        const struct fault_line *fault = &subject->fault;
        char requester[PCI_FUNCTION_BYTES] = "";
        json_t *object;

        if (subject->kind != SUBJECT_FAULT)
                return json_null();
        object = json_object();
        if (fault->has_requester)
                pci_function_text(&fault->requester, requester);
        json_object_set_new(object, "iommu", json_text(fault->iommu));
        json_object_set_new(object, "requester", json_text(requester));
        json_object_set_new(object, "access", json_text(names[fault->access]));
        json_object_set_new(object, "pasid",
                            fault->has_pasid ? json_integer(fault->pasid) : json_null());
        return object;
}

void lookup_fault_print(const struct subject *subject, FILE *stream)
{
        static const char *const names[] = {
                [FAULT_ACCESS_UNKNOWN] = "a DMA",
                [FAULT_READ] = "a read",
                [FAULT_WRITE] = "a write",
        };
        const struct fault_line *fault = &subject->fault;
        char requester[PCI_FUNCTION_BYTES];

        if (subject->kind != SUBJECT_FAULT)
                return;
        fprintf(stream, "%-8s %s by %s, stopped by an IOMMU (%s)\n", "fault", names[fault->access],
                fault->has_requester ? pci_function_text(&fault->requester, requester)
                                     : "an unknown device",
                fault->iommu);
        if (fault->has_pasid)
                fprintf(stream,
                        "%-8s it was of PASID 0x%" PRIx32
                        ", which has addresses of its own: what follows may not be about it\n",
                        "note", fault->pasid);
}
