/* SPDX-License-Identifier: MIT */
/*
 * Lists and trees whose links are embedded in what they hold (libbsd's queue.h and tree.h).
 */
#pragma once

#include <bsd/sys/queue.h>
#include <bsd/sys/tree.h>

/* RB_GENERATE for one file, whichever of the functions it uses. */
#define TREE_GENERATE(name, type, field, compare) \
        RB_GENERATE_INTERNAL(name, type, field, compare, static __attribute__((__unused__)))
