/* SPDX-License-Identifier: MIT */
#pragma once

#include "process.h"

#include <par.h>

/* A call of libpar that must not fail ends the test program with its sentence where it does. */
static inline void insist(int r, const char *what)
{
        if (r)
                die("%s: %s: %s", what, par_strerror(r), par_error(NULL));
}
