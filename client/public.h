/* SPDX-License-Identifier: MIT */
/*
 * par.h as the library itself includes it: what it declares is visible outside of the library,
 * everything else is hidden. (Users need no such attribute, so the header itself has none.)
 */
#pragma once

#pragma GCC visibility push(default)
#include "par.h"
#pragma GCC visibility pop
