/* SPDX-License-Identifier: MIT */
/*
 * Owns nothing; knows the forms in which people name an address.
 */
#include "subject.h"

#include "units.h"

#include <string.h>

static const char iova_prefix[] = "iova:";

bool subject_parse(const char *text, bool iova, struct subject *ret)
{
        const size_t prefix = strlen(iova_prefix);

        if (strncmp(text, iova_prefix, prefix) == 0) {
                text += prefix;
                iova = true;
        }
        *ret = (struct subject){ .kind = iova ? SUBJECT_IOVA : SUBJECT_PHYS };
        if (size_parse(text, &ret->address) == 0)
                return true;
        if (!fault_line_parse(text, &ret->fault))
                return false;
        ret->kind = SUBJECT_FAULT;
        ret->address = ret->fault.address;
        return true;
}
