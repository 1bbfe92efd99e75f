/* SPDX-License-Identifier: MIT */
/* Owns nothing. Refuses to go on half somebody else. */
#include "identity.h"

#include "process.h"

#include <errno.h>
#include <grp.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

void identity_become(uid_t uid, gid_t group)
{
        if (setgroups(0, NULL) || setresgid(group, group, group) || setresuid(uid, uid, uid))
                die("becoming uid %u: %s", (unsigned)uid, strerror(errno));
        /* Which a change of identity clears; /proc/self would be root's. */
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        prctl(PR_SET_DUMPABLE, 1);
}
