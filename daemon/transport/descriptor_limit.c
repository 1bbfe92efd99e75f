/* SPDX-License-Identifier: MIT */
/*
 * Owns nothing. The kernel's own limit keeps descriptors back: whoever opens one, in whatever
 * thread, is refused by it. Refuses to lower what the process may ever have.
 */
#include "descriptor_limit.h"

#include "log.h"

#include <fcntl.h>
#include <limits.h>
#include <unistd.h>

/* More than arrive at once: a packet brings at most 253, and the reaper may receive one, too. */
#define KEPT_BACK_MAX  512
#define KEPT_BACK_PART 8 /* of what frames leave, where that is little */

static void set_limit(const struct descriptor_limit *limit, rlim_t now)
{
        if (limit->all)
                (void)setrlimit(RLIMIT_NOFILE, &(struct rlimit){ now, limit->all });
}

static rlim_t kept_back(rlim_t all, uint64_t frames)
{
        rlim_t kept = all > frames ? (all - frames) / KEPT_BACK_PART : 0;

        return kept < KEPT_BACK_MAX ? kept : KEPT_BACK_MAX;
}

static void make_table(const struct descriptor_limit *limit, uint64_t expected)
{
        int fd;

        if (expected >= limit->all)
                expected = limit->all - 1;
        fd = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, expected > INT_MAX ? INT_MAX : (int)expected);
        if (fd >= 0)
                close(fd);
}

void descriptor_limit_init(struct descriptor_limit *limit, uint64_t frames, uint64_t clients)
{
        struct rlimit now;

        *limit = (struct descriptor_limit){ 0 };
        if (getrlimit(RLIMIT_NOFILE, &now))
                return;
        now.rlim_cur = now.rlim_max;
        if (setrlimit(RLIMIT_NOFILE, &now)) {
                log_warning("the descriptor limit cannot be raised to %llu",
                            (unsigned long long)now.rlim_max);
                return;
        }
        limit->all = now.rlim_max;
        limit->clients = now.rlim_max - kept_back(now.rlim_max, frames);
        make_table(limit, frames + clients);
        descriptor_limit_keep_back(limit);
}

void descriptor_limit_release(const struct descriptor_limit *limit)
{
        set_limit(limit, limit->all);
}

void descriptor_limit_keep_back(const struct descriptor_limit *limit)
{
        set_limit(limit, limit->clients);
}
