/* SPDX-License-Identifier: MIT */
/*
 * DPDK's allocator at its best: memory that it has from the beginning (legacy-mem), and threads
 * that it knows. Takes 512 MiB of hugepages, which must be there.
 */
#include "heap_peer.h"

#include <errno.h>
#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_lcore.h>
#include <rte_malloc.h>
#include <stdio.h>

static int start(char *why, size_t room)
{
        char program[] = "par-bench", legacy[] = "--legacy-mem", memory[] = "-m",
             mebibytes[] = "512";
        char no_pci[] = "--no-pci", alone[] = "--no-shconf", quiet[] = "--log-level=critical";
        char no_telemetry[] = "--no-telemetry", cores[] = "-l", first[] = "0",
             unlink[] = "--huge-unlink";
        char *arguments[] = { program, legacy,       memory, mebibytes, no_pci, alone,
                              quiet,   no_telemetry, cores,  first,     unlink, NULL };

        if (rte_eal_init((int)(sizeof(arguments) / sizeof(arguments[0])) - 1, arguments) >= 0)
                return 0;
        snprintf(why, room, "it does not start (%s): are 512 MiB of hugepages free?",
                 rte_strerror(rte_errno));
        return -ENOMEM;
}

static void stop(void)
{
        rte_eal_cleanup();
}

static void *alloc_one(size_t size)
{
        return rte_malloc(NULL, size, 0);
}

static int enter(void)
{
        return rte_lcore_id() == LCORE_ID_ANY ? rte_thread_register() : 0;
}

static void leave(void)
{
        rte_thread_unregister();
}

const struct heap_peer heap_peer_dpdk = {
        .name = "rte_malloc",
        .start = start,
        .stop = stop,
        .alloc = alloc_one,
        .free = rte_free,
        .enter = enter,
        .leave = leave,
};
