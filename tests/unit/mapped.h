/* SPDX-License-Identifier: MIT */
/* Whether anything is mapped at an address. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

/* Not msync() or the like: memcheck would object to the address. */
static inline bool is_mapped(const void *at)
{
        FILE *maps = fopen("/proc/self/maps", "re");
        uint64_t first, last;
        bool found = false;
        char line[512], *rest;

        while (maps && !found && fgets(line, sizeof(line), maps)) {
                first = strtoull(line, &rest, 16);
                last = strtoull(rest + 1, NULL, 16);
                found = (uintptr_t)at >= first && (uintptr_t)at < last;
        }
        if (maps)
                fclose(maps);
        return found;
}
