/* SPDX-License-Identifier: MIT */
/*
 * What systemd is to pard, as far as tests need it: listens for it, keeps descriptors for it,
 * starts it and stops it.
 */
#pragma once

#include <stddef.h>
#include <sys/types.h>

#define MANAGER_STORED_MAX 64

/**
 * struct manager - one service
 * @pid:    of its process; 0: it is not running
 * @log:    file of what pard says
 * @stored: @n_stored descriptors that were stored, with their names
 */
struct manager {
        char directory[64];
        char socket[96], notify_path[96], config[96], log[96];
        int listener, notify;
        pid_t pid;
        struct manager_stored {
                char name[32];
                int fd;
        } stored[MANAGER_STORED_MAX];
        size_t n_stored;
};

/* A directory, and a listening socket in it. Ends the test program where that fails. */
void manager_init(struct manager *manager);

/* Write the configuration; "socket", "mode" and "user" are added. */
void manager_configure(const struct manager *manager, const char *text);

/* manager_start() - start pard with what is stored, and wait until it serves */
void manager_start(struct manager *manager);

/* manager_stop() - end pard with SIGTERM, and keep what it stores meanwhile */
void manager_stop(struct manager *manager);

/* Let go of what is stored. */
void manager_forget(struct manager *manager);

/* Stop it, where it runs, and remove everything. */
void manager_deinit(struct manager *manager);
