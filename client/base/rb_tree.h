/* SPDX-License-Identifier: MIT */
/*
 * Ordered trees, as libbsd's header generates them.
 */
#pragma once

#include <bsd/sys/tree.h>

/* RB_GENERATE for one file, whichever of the functions it uses. */
#define TREE_GENERATE(name, type, field, compare) \
        RB_GENERATE_INTERNAL(name, type, field, compare, static __attribute__((__unused__)))
