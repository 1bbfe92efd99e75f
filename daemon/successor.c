/* SPDX-License-Identifier: MIT */
/*
 * Owns nothing. Names the program by its path, not as /proc/self/exe: that would be the file that
 * runs now, which an upgrade has replaced.
 */
#include "successor.h"

#include "config.h"
#include "config_source.h"
#include "keeper_protocol.h"
#include "ledger_former.h"
#include "log.h"
#include "macros.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char deleted[] = " (deleted)";

int successor_path(char path[PATH_MAX])
{
        ssize_t n = readlink("/proc/self/exe", path, PATH_MAX - 1);
        size_t length;

        if (n < 0)
                return -errno;
        length = (size_t)n;
        path[length] = '\0';
        /* It was replaced since it was executed. */
        if (length > strlen(deleted) && strcmp(path + length - strlen(deleted), deleted) == 0)
                path[length - strlen(deleted)] = '\0';
        return 0;
}

/* Options are constant and argv is not, by the letter. */
static char *argument(const char *text)
{
        return (char *)(uintptr_t)text;
}

static void fill_in(struct successor *successor, const struct options *options, const char *role,
                    char **argv)
{
        size_t n = 0;

        argv[n++] = successor->path;
        argv[n++] = argument("--config");
        argv[n++] = argument(options->config_path);
        if (options->socket_path) {
                argv[n++] = argument("--socket");
                argv[n++] = argument(options->socket_path);
        }
        if (options->log_level_name) {
                argv[n++] = argument("--log-level");
                argv[n++] = argument(options->log_level_name);
        }
        if (options->parks)
                argv[n++] = argument("--park");
        argv[n++] = argument(role);
        argv[n++] = successor->fd;
        argv[n] = NULL;
}

int successor_init(struct successor *successor, const struct options *options)
{
        int r;

        r = successor_path(successor->path);
        if (r)
                return r;
        fill_in(successor, options, "--takeover", successor->argv);
        fill_in(successor, options, "--try-takeover", successor->trial_argv);
        return 0;
}

/*
 * Whether this program's worker understands what the running one has written. It would lose nothing
 * otherwise, but put every frame aside of which clients have something. 0; -EPROTO; negative errno.
 */
static int try_records(int ledger_fd)
{
        union {
                uint64_t aligned;
                unsigned char bytes[LEDGER_HEAD_BYTES];
        } heads[2];
        struct keeper_ledger ledger;
        uint32_t version;
        int half;

        if (pread(ledger_fd, &ledger, sizeof(ledger), 0) != (ssize_t)sizeof(ledger) ||
            ledger.magic != KEEPER_LEDGER_MAGIC)
                return -EPROTO;
        for (size_t i = 0; i < ARRAY_SIZE(heads); i++) {
                const uint64_t at = ledger.records_offset + i * (ledger.records_bytes / 2);

                if (pread(ledger_fd, &heads[i], sizeof(heads[i]), (off_t)at) !=
                    (ssize_t)sizeof(heads[i]))
                        return -EPROTO;
        }
        half = ledger_half_in_force((const void *const[]){ &heads[0], &heads[1] },
                                    ledger.records_bytes / 2, ledger.slots, &version);
        return half < 0 ? half : 0;
}

int successor_try(const struct options *options)
{
        struct takeover takeover = { .bytes = NULL };
        struct config *config = NULL;
        int r;

        r = takeover_read(options->takeover_fd, &takeover);
        if (!r)
                r = try_records(takeover.head.ledger_fd);
        if (!r)
                r = keeper_try_takeover(&takeover);
        if (r)
                log_error("this pard cannot take over what the running one would leave: %s",
                          r == -EPROTO ? "it is of another version" : strerror(-r));
        else
                r = config_source_load(takeover.head.config_fd, options->config_path, &config);
        config_free(config);
        takeover_deinit(&takeover);
        return r;
}
