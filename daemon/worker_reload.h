/* SPDX-License-Identifier: MIT */
/*
 * The worker's configuration: the one it goes by, and the one that the keeper has read meanwhile.
 */
#pragma once

#include "config.h"
#include "options.h"
#include "server.h"

/**
 * struct worker_reload - zeroed it is empty
 * @config:     the one in force; owned
 * @proposed:   the one that was proposed last; owned; NULL: none, or it is in force
 * @frames_max: frames that the keeper has room for
 * @changed:    what differs between the two: @n_changed names, owned
 * @options:    borrowed: what the file is called, and whether it sets the level of the log
 */
struct worker_reload {
        struct config *config, *proposed;
        uint64_t frames_max;
        char **changed;
        size_t n_changed;
        const struct options *options;
};

/**
 * worker_reload_init() - with the configuration in force
 * @config:    consumed
 * @ledger_fd: the keeper's ledger, whose slots tell how many frames there may be; borrowed
 * @options:   borrowed until worker_reload_deinit()
 *
 * Return: 0; -EPROTO where that is no ledger. To be followed by worker_reload_deinit() either way.
 */
int worker_reload_init(struct worker_reload *reload, struct config *config, int ledger_fd,
                       const struct options *options);
void worker_reload_deinit(struct worker_reload *reload);

/* The operations of struct server_reload; @data is a struct worker_reload. */
int worker_reload_propose(void *data, int fd, struct proposal *ret, char *error,
                          size_t error_bytes);
void worker_reload_adopt(void *data);
