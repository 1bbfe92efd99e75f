/* SPDX-License-Identifier: MIT */
/*
 * Owns the lists of capabilities. Refuses to go on with a user that it could not become, and with
 * rights that it could not give up.
 */
#include "privileges.h"

#include "macros.h"

#include <errno.h>
#include <grp.h>
#include <sys/capability.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

/* 20 - the nice value that may be reached: enough for the worker's. */
#define NICE_LIMIT 30

/* While things are opened. docs/security.md says what each is for; a test compares. */
static const cap_value_t opening[] = {
        CAP_SYS_ADMIN,        /* pagemap; rings where the kernel keeps them from users */
        CAP_DAC_OVERRIDE,     /* nr_hugepages, kpageflags and udmabuf are root's */
        CAP_IPC_LOCK,         /* rings that count against no limit */
        CAP_CHOWN,            /* the socket's group */
        CAP_NET_BIND_SERVICE, /* metrics on a port below 1024 */
        CAP_SETPCAP,          /* the bounding set */
        CAP_LINUX_IMMUTABLE,  /* last: only with a carve-out */
};

static const cap_value_t serving[] = { CAP_LINUX_IMMUTABLE }; /* with a carve-out */

/* What the program has that is executed in place of one with lent ones: the rings are still to be
 * made. It takes capset(2) to be rid of the first one, or another exec. */
static const cap_value_t lasting[] = { CAP_IPC_LOCK, CAP_LINUX_IMMUTABLE };

static const cap_value_t answering[] = { CAP_SYS_ADMIN, CAP_LINUX_IMMUTABLE };

/* @wanted of what @now has. 0; negative errno. */
static int choose(cap_t now, const cap_value_t *wanted, size_t n, bool inheritable, cap_t ret)
{
        for (size_t i = 0; i < n; i++) {
                cap_flag_value_t has = CAP_CLEAR;

                if (cap_get_flag(now, wanted[i], CAP_PERMITTED, &has) || has == CAP_CLEAR)
                        continue;
                if (cap_set_flag(ret, CAP_PERMITTED, 1, &wanted[i], CAP_SET) ||
                    cap_set_flag(ret, CAP_EFFECTIVE, 1, &wanted[i], CAP_SET) ||
                    (inheritable && cap_set_flag(ret, CAP_INHERITABLE, 1, &wanted[i], CAP_SET)))
                        return -errno;
        }
        return 0;
}

/* What can be used; what is inheritable alone, no program of ours can inherit. */
static bool is_same(cap_t now, cap_t then)
{
        const int differs = cap_compare(now, then);

        return !CAP_DIFFERS(differs, CAP_PERMITTED) && !CAP_DIFFERS(differs, CAP_EFFECTIVE);
}

/* Keep those of @n that are there. @inheritable: over exec, too. 0; -EPERM where a filter of system
 * calls is in the way of giving up the others; other negative errno. */
static int keep(const cap_value_t *wanted, size_t n, bool inheritable)
{
        cap_t now = cap_get_proc(), then = cap_init();
        int r = now && then ? choose(now, wanted, n, inheritable, then) : -ENOMEM;

        if (!r && cap_set_proc(then))
                r = errno == EPERM && is_same(now, then) ? 0 : -errno;
        cap_free(then);
        cap_free(now);
        return r;
}

int privileges_become(uid_t uid, gid_t gid, bool carveout)
{
        if (geteuid() != 0 || uid == 0)
                return 0;
        if (prctl(PR_SET_KEEPCAPS, 1) || setgroups(0, NULL) || setresgid(gid, gid, gid) ||
            setresuid(uid, uid, uid) || prctl(PR_SET_KEEPCAPS, 0))
                return -errno;
        /* The kernel hides who has changed his user. A leak checker stops its own process like a
         * stranger. */
        if (!PARD_CONFINED && prctl(PR_SET_DUMPABLE, 1, 0, 0, 0))
                return -errno;
        return keep(opening, ARRAY_SIZE(opening) - !carveout, false);
}

/* Without CAP_SETPCAP it stays, and does nothing: no_new_privs lets no program gain from it. */
static void empty_bounding_set(bool carveout)
{
        for (cap_value_t cap = 0; cap <= cap_max_bits(); cap++)
                if (!carveout || cap != CAP_LINUX_IMMUTABLE)
                        (void)prctl(PR_CAPBSET_DROP, cap, 0, 0, 0);
}

static bool is_lent(cap_value_t cap)
{
        for (size_t i = 0; i < ARRAY_SIZE(lasting); i++)
                if (cap == lasting[i])
                        return false;
        return cap_get_ambient(cap) == CAP_SET;
}

bool privileges_are_lent(void)
{
        bool any = false;

        for (cap_value_t cap = 0; cap <= cap_max_bits(); cap++)
                any |= is_lent(cap);
        return any && geteuid() != 0;
}

int privileges_return(void)
{
        for (cap_value_t cap = 0; cap <= cap_max_bits(); cap++)
                if (is_lent(cap) && prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_LOWER, cap, 0, 0))
                        return -errno;
        return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) ? -errno : 0;
}

static int have_no_more(void)
{
        return prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) ||
                               prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
                       ? -errno
                       : 0;
}

int privileges_drop(bool carveout, bool hide)
{
        int r;

        empty_bounding_set(carveout);
        r = have_no_more();
        if (!r)
                r = keep(serving, carveout ? ARRAY_SIZE(serving) : 0, true);
        if (r == -EPERM)
                r = keep(lasting, ARRAY_SIZE(lasting), true);
        for (size_t i = 0; carveout && i < ARRAY_SIZE(serving) && !r; i++)
                if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, serving[i], 0, 0))
                        r = errno == EPERM ? 0 : -errno; /* it never had it */
        if (!r && hide && PARD_CONFINED && prctl(PR_SET_DUMPABLE, 0, 0, 0, 0))
                r = -errno;
        return r;
}

int privileges_have_none(void)
{
        int r = have_no_more();

        return r ? r : keep(NULL, 0, false);
}

int privileges_settle_opener(void)
{
        int r;

        empty_bounding_set(false);
        r = have_no_more();
        if (!r && prctl(PR_SET_DUMPABLE, 0, 0, 0, 0))
                r = -errno;
        if (!r)
                r = keep(answering, ARRAY_SIZE(answering), false);
        return r == -EPERM ? 0 : r;
}

void privileges_raise_limits(void)
{
        (void)setrlimit(RLIMIT_MEMLOCK, &(struct rlimit){ RLIM_INFINITY, RLIM_INFINITY });
        (void)setrlimit(RLIMIT_NICE, &(struct rlimit){ NICE_LIMIT, NICE_LIMIT });
}
