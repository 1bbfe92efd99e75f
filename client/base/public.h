/* SPDX-License-Identifier: MIT */
/*
 * The public headers as the library itself includes them: what they declare is visible outside of
 * the library, everything else is hidden. (Users need no such attribute, so they have none.)
 */
#pragma once

#pragma GCC visibility push(default)
#include "par.h"
#include "par_dma.h"
#include "par_iova.h"
#include "par_sg.h"
#include "par_slab.h"
#pragma GCC visibility pop
