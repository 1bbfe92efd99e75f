/* SPDX-License-Identifier: MIT */
/*
 * par_heap.h as the library itself includes it: what it declares is visible outside of the library.
 */
#pragma once

#include <errno.h>
#include <par.h>

#pragma GCC visibility push(default)
#include "par_heap.h"
#pragma GCC visibility pop
