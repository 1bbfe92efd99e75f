/* SPDX-License-Identifier: MIT */
/*
 * Reading the configuration again. The worker hears of every reading, in the order in which they
 * were done, and comes to the same verdict by itself. Refuses to read while a worker starts, which
 * has the former text in its hands, and while one does not read its messages: at most one text is
 * on its way.
 */
#include "keeper_private.h"
#include "log.h"
#include "macros.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define RELOADS_MAX 1024u /* not answered; a worker that asks for more is broken */

int keeper_ask_reload(struct keeper *keeper)
{
        if (keeper->reloads == RELOADS_MAX) {
                log_error("the worker wants the configuration to be read all the time");
                return -EBADMSG;
        }
        keeper->reloads++;
        return 0;
}

static void tell_service_manager(const struct keeper *keeper, bool begins)
{
        struct timespec now;

        if (!keeper->announced)
                return;
        clock_gettime(CLOCK_MONOTONIC, &now);
        if (begins)
                notifier_tell(keeper->notifier, "RELOADING=1\nMONOTONIC_USEC=%" PRIu64,
                              (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000);
        else
                notifier_tell(keeper->notifier, "READY=1");
}

static void forget(int *fd)
{
        if (*fd >= 0)
                close(STEAL_FD(*fd));
}

/* The next worker starts from what is in force, in any case; this one is offered it where there is
 * a descriptor for that. 0; negative errno. */
static int keep(struct keeper *keeper)
{
        int copy = fcntl(keeper->offered_fd, F_DUPFD_CLOEXEC, 0), r = copy < 0 ? -errno : 0;

        if (keeper->config_fd != keeper->settings->config_fd)
                close(keeper->config_fd);
        keeper->config_fd = keeper->offered_fd;
        keeper->offered_fd = copy;
        return r;
}

static int read_again(struct keeper *keeper)
{
        const struct keeper_settings *settings = keeper->settings;
        int r;

        forget(&keeper->offered_fd);
        if (!settings->reload)
                return -EOPNOTSUPP;
        r = settings->reload(settings->reload_data, &keeper->offered_fd);
        if (!r && keep(keeper)) {
                /* Another one reads it when it starts. */
                log_error("no descriptor for the configuration that is in force");
                worker_process_kill(&keeper->worker);
        }
        return r;
}

uint64_t keeper_reload_due(const struct keeper *keeper)
{
        if (!keeper->hung_up && !keeper->reloads)
                return UINT64_MAX;
        if (keeper->worker.pid && (!keeper->welcomed || !STAILQ_EMPTY(&keeper->channel.queue)))
                return UINT64_MAX; /* that changes by an event */
        return 0;
}

void keeper_reload(struct keeper *keeper)
{
        struct keeper_message message = { .type = KEEPER_CONFIG, .node = KEEPER_NODE_ANY };
        bool asked = keeper->reloads > 0;

        if (keeper_reload_due(keeper) > 0)
                return;
        /* One reading answers one question; a signal and a question at once are one as well. */
        keeper->hung_up = false;
        keeper->reloads -= asked;

        tell_service_manager(keeper, true);
        message.result = read_again(keeper);
        message.count = asked;
        if (!message.result)
                log_info("the configuration was read again, and is in force");
        else
                log_error("the configuration was read again, and the former one stays in force");
        keeper_tell(keeper, &message);
        tell_service_manager(keeper, false);
}
