/* SPDX-License-Identifier: MIT */
/*
 * The line of the kernel that a lookup is about, in its answer.
 */
#pragma once

#include "subject.h"

#include <jansson.h>
#include <stdio.h>

/* As an object, owned by the caller; null where it was no line. */
json_t *lookup_fault_json(const struct subject *subject);

/* As a line; nothing where it was none. */
void lookup_fault_print(const struct subject *subject, FILE *stream);
