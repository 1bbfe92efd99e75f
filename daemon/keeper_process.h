/* SPDX-License-Identifier: MIT */
/*
 * The keeper's process: from the command line to keeper_run().
 */
#pragma once

#include "listen.h"
#include "options.h"
#include "parking.h"
#include "reclaim.h"
#include "successor.h"
#include "takeover.h"

#include <stdbool.h>

/**
 * struct keeper_process - what the keeper's process owns
 * @config_fd: sealed text of the configuration
 * @metrics:   where metrics are asked for, if anywhere
 * @udmabuf_fd: /dev/udmabuf, which the worker itself may not open; -1: there is none
 * @takeover:  what a former program of this process left, where @takes_over
 * @parked:    what a former process left with the service manager; where @reclaims, @reclaim
 */
struct keeper_process {
        struct config *config;
        int config_fd;
        struct listener listener, metrics;
        int udmabuf_fd;
        struct backend *backend;
        struct keeper_pool *pools;
        struct successor successor;
        struct takeover takeover;
        bool takes_over;
        struct parked parked;
        struct reclaim reclaim;
        bool reclaims;
};

#define KEEPER_PROCESS_NONE                                  \
        ((struct keeper_process){ .config_fd = -1,           \
                                  .listener = LISTENER_NONE, \
                                  .metrics = LISTENER_NONE,  \
                                  .udmabuf_fd = -1,          \
                                  .parked = PARKED_NONE })

void keeper_process_deinit(struct keeper_process *keeper);

/* Where clients connect. */
const char *keeper_process_socket(const struct options *options,
                                  const struct keeper_process *keeper);

/**
 * keeper_process_configure() - read the configuration
 *
 * Logs what is wrong, and sets up the log.
 *
 * Return: 0; negative errno.
 */
int keeper_process_configure(const struct options *options, struct keeper_process *keeper);

/**
 * keeper_process_run() - open what is needed, and keep frames until pard is to end
 *
 * Logs why it fails, unless memory is short.
 *
 * Return: 0; negative errno.
 */
int keeper_process_run(const struct options *options, struct keeper_process *keeper);
