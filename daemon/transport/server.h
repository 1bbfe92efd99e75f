/* SPDX-License-Identifier: MIT */
/*
 * The worker: serves clients on the listening socket, and talks to the keeper. Owns the event loop.
 */
#pragma once

#include "state.h"

/**
 * struct server_settings - what the worker needs
 * @state:      settings of the state, borrowed
 * @listen_fd:  listening socket; consumed
 * @keeper_fd:  channel to the keeper; consumed
 * @ledger_fd:  memfd of struct keeper_ledger; consumed
 */
struct server_settings {
        const struct state_settings *state;
        int listen_fd, keeper_fd, ledger_fd;
};

/**
 * server_run() - serve until the keeper closes its channel or SIGTERM arrives
 *
 * Return: 0; negative errno where it cannot start or the keeper sends nonsense (-EPROTO).
 */
int server_run(const struct server_settings *settings);
