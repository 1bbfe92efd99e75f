/* SPDX-License-Identifier: MIT */
/*
 * Starts the opener, before anything is open that it would hold. Owns nothing: the opener's socket
 * belongs to the backend.
 */
#include "opener_process.h"

#include "confine.h"
#include "log.h"
#include "opener.h"
#include "privileges.h"
#include "successor.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* For opener_start() */
static int settle_opener(void)
{
        int r = privileges_settle_opener();

        if (!r && PARD_CONFINED)
                r = confine_opener();
        if (r)
                log_error("the opener cannot give up what it does not need: %s", strerror(-r));
        return r;
}

int opener_process_start(void)
{
        int r = opener_start(settle_opener);

        if (r)
                log_error("the process that keeps files open which take privilege cannot be "
                          "started: %s",
                          strerror(-r));
        return r;
}

void opener_process_begin_without(char *const *argv)
{
        char path[PATH_MAX], fd[16], option[] = "--opener";
        size_t n = 0;
        char **again;

        while (argv[n])
                n++;
        again = calloc(n + 3, sizeof(*again));
        if (!again || successor_path(path) || opener_process_start())
                return;
        snprintf(fd, sizeof(fd), "%d", opener_descriptor());
        memcpy(again, argv, n * sizeof(*again));
        again[n] = option;
        again[n + 1] = fd;
        if (fcntl(opener_descriptor(), F_SETFD, 0) == 0 && privileges_return() == 0)
                execv(path, again);
        log_error("%s cannot be executed: %s", path, strerror(errno));
}
