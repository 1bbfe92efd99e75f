/* SPDX-License-Identifier: MIT */
/*
 * The worker: serves clients on the listening socket, and talks to the keeper. Owns the event loop.
 */
#pragma once

#include "state.h"

/**
 * struct proposal - settings that a configuration would give, compared with those of now
 * @settings:  the same pools, in the same order
 * @changed:   @n_changed names of what differs ("pool below4g: size_max")
 *
 * All of it belongs to whoever proposed it, see struct server_reload.
 */
struct proposal {
        const struct state_settings *settings;
        const char *const *changed;
        size_t n_changed;
};

/**
 * struct server_reload - how the server comes to other settings; it knows no configuration
 * @data:    handed to both
 * @propose: read the text in @fd (borrowed). *ret is valid until the next proposal.
 *           Return: 0; -EINVAL where it is not good or changes what cannot change, -ENOMEM, other
 *           negative errno, all with a sentence in @error, of at most @error_bytes
 * @adopt:   the server goes by the last proposal now; it has no pointer any more into the settings
 *           before
 */
struct server_reload {
        void *data;
        int (*propose)(void *data, int fd, struct proposal *ret, char *error, size_t error_bytes);
        void (*adopt)(void *data);
};

/**
 * struct server_settings - what the worker needs
 * @state:      settings of the state at first, borrowed until others are adopted
 * @reload:     borrowed
 * @reload_ms:  how long a request to reload waits for the keeper; 0: 10 seconds
 * @confine:    called once, when all that has to be opened is open, and before anything of a client
 *              is read: whoever takes the worker over later is to find little. NULL: nothing is.
 *              Return: 0; a negative errno, with which server_run() ends
 * @listen_fd:  listening socket; consumed
 * @metrics_fd: listening socket of the metrics; -1: none; consumed
 * @udmabuf_fd: an open /dev/udmabuf; -1: none, and no buffer becomes a dma-buf; consumed
 * @keeper_fd:  channel to the keeper; consumed
 * @ledger_fd:  memfd of struct keeper_ledger; consumed
 */
struct server_settings {
        const struct state_settings *state;
        const struct server_reload *reload;
        unsigned reload_ms;
        int (*confine)(void);
        int listen_fd, metrics_fd, udmabuf_fd, keeper_fd, ledger_fd;
};

/**
 * server_run() - serve until the keeper closes its channel or SIGTERM arrives
 *
 * Return: 0; negative errno where it cannot start, the keeper sends nonsense (-EPROTO), or the
 * keeper goes by a configuration that the worker cannot go by.
 */
int server_run(const struct server_settings *settings);
