/* SPDX-License-Identifier: MIT */
/*
 * The worker's configuration: the one it goes by, and the one that the keeper has read meanwhile.
 */
#pragma once

#include "config.h"
#include "server.h"

/**
 * struct worker_reload - zeroed it is empty
 * @config:     the one in force; owned
 * @proposed:   the one that was proposed last; owned; NULL: none, or it is in force
 * @frames_max: frames that the keeper has room for
 * @changed:    what differs between the two: @n_changed names, owned
 * @fixed_log_level: the command line sets the level, not the configuration
 */
struct worker_reload {
        struct config *config, *proposed;
        uint64_t frames_max;
        char **changed;
        size_t n_changed;
        bool fixed_log_level;
};

/**
 * worker_reload_init() - with the configuration in force
 * @config:    consumed
 * @ledger_fd: the keeper's ledger, whose slots tell how many frames there may be; borrowed
 *
 * Return: 0; -EPROTO where that is no ledger. To be followed by worker_reload_deinit() either way.
 */
int worker_reload_init(struct worker_reload *reload, struct config *config, int ledger_fd,
                       bool fixed_log_level);
void worker_reload_deinit(struct worker_reload *reload);

/* The operations of struct server_reload; @data is a struct worker_reload. */
int worker_reload_propose(void *data, int fd, struct proposal *ret, char *error,
                          size_t error_bytes);
void worker_reload_adopt(void *data);
