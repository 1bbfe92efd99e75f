/* SPDX-License-Identifier: MIT */
/* Where libdpdk is not installed. */
#include "heap_peer.h"

#include <errno.h>
#include <stdio.h>

static int start(char *why, size_t room)
{
        snprintf(why, room, "par-bench was built without libdpdk");
        return -ENOTSUP;
}

const struct heap_peer heap_peer_dpdk = { .name = "rte_malloc", .start = start };
