/* SPDX-License-Identifier: MIT */
/*
 * Refuses what is not whole: memory of which pard does not know whose it is helps nobody, and its
 * users have it anyway. Then this pard begins with nothing, as if the former had been killed.
 */
#include "reclaim.h"

#include "config_source.h"
#include "keeper.h"
#include "log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Pools are known by their numbers in the former configuration. 0; negative errno. */
static int compare(const struct parked *parked, const struct takeover_head *head,
                   const struct config *config, const char *name)
{
        struct config *former = NULL;
        char error[1024] = "";
        int r;

        r = config_source_parse(parked->config, name, &former, error, sizeof(error));
        if (!r)
                r = config_compare(former, config, head->room / 2, NULL, NULL, error,
                                   sizeof(error));
        config_free(former);
        if (r)
                log_error("%s: %s: with that, memory of running programs cannot be kept", name,
                          error);
        return r;
}

/* Whether slots and ledger make sense, without taking anything up. 0; negative errno. */
static int try(const struct parked *parked, struct takeover *takeover)
{
        takeover->head.ledger_fd = fcntl(parked->ledger, F_DUPFD_CLOEXEC, 0);
        return takeover->head.ledger_fd < 0 ? -errno : keeper_try_takeover(takeover);
}

static int take(const struct parked *parked, const struct config *config, const char *name,
                struct reclaim *reclaim)
{
        struct takeover_head *head = &reclaim->takeover.head;
        int r;

        r = takeover_read(parked->takeover, &reclaim->takeover);
        if (!r && (!(head->flags & TAKEOVER_PARKED) || head->room < 2))
                r = -EPROTO;
        if (!r)
                r = try(parked, &reclaim->takeover);
        if (!r)
                r = compare(parked, head, config, name);
        if (!r)
                r = parked_open(parked, head->n_parked, &reclaim->frames);
        head->ledger_fd = parked->ledger;
        return r;
}

int reclaim_parked(const struct parked *parked, const struct config *config, const char *name,
                   struct reclaim *ret)
{
        struct reclaim reclaim = { .frames = NULL };
        int r;

        if (!parked_any(parked))
                return -ENOENT;
        r = take(parked, config, name, &reclaim);
        if (r) {
                log_error("what was left with the service manager is given up: %s", strerror(-r));
                reclaim_deinit(&reclaim);
                return r;
        }
        *ret = reclaim;
        return 0;
}

void reclaim_deinit(struct reclaim *reclaim)
{
        for (uint64_t i = 0; reclaim->frames && i < reclaim->takeover.head.n_parked; i++)
                if (reclaim->frames[i] >= 0)
                        close(reclaim->frames[i]);
        free(reclaim->frames);
        takeover_deinit(&reclaim->takeover);
        *reclaim = (struct reclaim){ .frames = NULL };
}
