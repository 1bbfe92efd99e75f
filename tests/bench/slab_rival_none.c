/* SPDX-License-Identifier: MIT */
/* Where libdpdk is not installed. */
#include "slab_bench.h"

#include <stdio.h>

int slab_rival_dpdk_open(const char *arguments, struct slab_rival *ret)
{
        (void)arguments;
        *ret = (struct slab_rival){ 0 };
        snprintf(ret->name, sizeof(ret->name), "par-bench was built without libdpdk");
        return 1;
}

void slab_rival_dpdk_close(void)
{
}
