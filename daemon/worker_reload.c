/* SPDX-License-Identifier: MIT */
/*
 * Owns two configurations. Invariant: the one in force stays until the server has turned to
 * another. Refuses what changes more than may change while clients have memory; what that is,
 * config_compare() knows, and the keeper asks it too.
 */
#include "worker_reload.h"

#include "config_source.h"
#include "keeper_protocol.h"
#include "log.h"

#include "macros.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void forget_proposal(struct worker_reload *reload)
{
        for (size_t i = 0; i < reload->n_changed; i++)
                free(reload->changed[i]);
        free(reload->changed);
        reload->changed = NULL;
        reload->n_changed = 0;
        config_free(STEAL(reload->proposed));
}

int worker_reload_init(struct worker_reload *reload, struct config *config, int ledger_fd,
                       const struct options *options)
{
        struct keeper_ledger ledger;

        *reload = (struct worker_reload){ .config = config, .options = options };
        if (pread(ledger_fd, &ledger, sizeof(ledger), 0) != (ssize_t)sizeof(ledger) ||
            ledger.magic != KEEPER_LEDGER_MAGIC)
                return -EPROTO;
        /* A frame that leaves and the one that replaces it are both there for a moment. */
        reload->frames_max = ledger.slots / 2;
        return 0;
}

void worker_reload_deinit(struct worker_reload *reload)
{
        forget_proposal(reload);
        config_free(STEAL(reload->config));
}

/* The list only informs: a name for which there is no memory is left out. */
static void note_change(void *data, const char *name)
{
        struct worker_reload *reload = data;
        char **more = reallocarray(reload->changed, reload->n_changed + 1, sizeof(*more));

        if (!more)
                return;
        reload->changed = more;
        more[reload->n_changed] = strdup(name);
        if (more[reload->n_changed])
                reload->n_changed++;
}

int worker_reload_propose(void *data, int fd, struct proposal *ret, char *error, size_t error_bytes)
{
        struct worker_reload *reload = data;
        int r;

        forget_proposal(reload);
        r = config_source_parse(fd, reload->options->config_path, &reload->proposed, error,
                                error_bytes);
        if (!r)
                r = config_compare(reload->config, reload->proposed, reload->frames_max,
                                   note_change, reload, error, error_bytes);
        if (r) {
                forget_proposal(reload);
                return r;
        }
        *ret = (struct proposal){
                .settings = &reload->proposed->state,
                .changed = (const char *const *)reload->changed,
                .n_changed = reload->n_changed,
        };
        return 0;
}

void worker_reload_adopt(void *data)
{
        struct worker_reload *reload = data;

        config_free(reload->config);
        reload->config = STEAL(reload->proposed);
        if (reload->options->log_level < 0)
                log_open("pard-worker", reload->config->log_level);
}
