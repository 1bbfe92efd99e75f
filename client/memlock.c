/* SPDX-License-Identifier: MIT */
/*
 * Owns nothing; reads two numbers from the kernel, for a sentence. Refuses to decide by them: who
 * has CAP_IPC_LOCK may lock more, and another thread may lock some meanwhile.
 */
#include "memlock.h"

#include "units.h"

#include <stdio.h>
#include <sys/resource.h>

bool memlock_read(struct memlock *ret)
{
        struct rlimit limit;
        char line[128];
        bool found = false;
        FILE *status;

        if (getrlimit(RLIMIT_MEMLOCK, &limit))
                return false;
        ret->limit_bytes = limit.rlim_cur == RLIM_INFINITY ? UINT64_MAX : limit.rlim_cur;
        status = fopen("/proc/self/status", "re");
        if (!status)
                return false;
        while (!found && fgets(line, sizeof(line), status)) {
                unsigned long long kib;

                if (sscanf(line, "VmLck: %llu kB", &kib) != 1)
                        continue;
                ret->locked_bytes = kib * KiB;
                found = true;
        }
        fclose(status);
        return found;
}
