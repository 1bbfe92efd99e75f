/* SPDX-License-Identifier: MIT */
/*
 * Owns nothing; reads two numbers from the kernel, for a sentence. Refuses to decide by them: who
 * has CAP_IPC_LOCK may lock more, and another thread may lock some meanwhile.
 */
#include "memlock.h"

#include "units.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#define LOCKED "VmLck:" /* of /proc/self/status, in KiB */

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
                const char *digits = line + strlen(LOCKED);
                char *end;

                if (strncmp(line, LOCKED, strlen(LOCKED)) != 0)
                        continue;
                ret->locked_bytes = strtoull(digits, &end, 10) * KiB;
                found = end != digits;
        }
        fclose(status);
        return found;
}
