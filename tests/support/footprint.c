/* SPDX-License-Identifier: MIT */
/*
 * Owns nothing. Refuses to guess: a daemon that cannot be seen ends the test program.
 */
#include "footprint.h"

#include "process.h"

#include <stdio.h>
#include <unistd.h>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define GROWTH_KIB_MAX (1 << 20)
#else
#define GROWTH_KIB_MAX 2048
#endif

void footprint_look(const struct pard_fixture *pard, struct footprint *ret)
{
        const pid_t pids[2] = { pard->pid, pard_fixture_worker(pard) };

        /* Strangers' sockets are closed on threads of their own. */
        usleep(200000);
        for (int i = 0; i < 2; i++) {
                ret->descriptors[i] = process_descriptors(pids[i]);
                ret->resident_kib[i] = process_resident_kib(pids[i]);
        }
}

void footprint_compare(const struct footprint *before, const struct footprint *after)
{
        static const char *const who[2] = { "keeper", "worker" };

        for (int i = 0; i < 2; i++) {
                printf("%s: %u descriptors before, %u after; %ld KiB before, %ld after\n", who[i],
                       before->descriptors[i], after->descriptors[i], before->resident_kib[i],
                       after->resident_kib[i]);
                if (after->descriptors[i] != before->descriptors[i])
                        die("the %s lost descriptors", who[i]);
                if (after->resident_kib[i] > before->resident_kib[i] + GROWTH_KIB_MAX)
                        die("the %s grew", who[i]);
        }
}
