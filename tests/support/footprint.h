/* SPDX-License-Identifier: MIT */
/*
 * What a daemon's two processes use, before and after a test: whether anything leaks.
 */
#pragma once

#include "pard_fixture.h"

/**
 * struct footprint - of the keeper and the worker
 */
struct footprint {
        unsigned descriptors[2];
        long resident_kib[2];
};

void footprint_look(const struct pard_fixture *pard, struct footprint *ret);

/* Say both. The test program ends where descriptors were lost, or memory grew by more than 2 MiB
 * (which a sanitizer keeps for itself: there only descriptors are compared). */
void footprint_compare(const struct footprint *before, const struct footprint *after);
