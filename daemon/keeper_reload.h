/* SPDX-License-Identifier: MIT */
/*
 * The keeper's side of reading the configuration again.
 */
#pragma once

#include "config.h"
#include "keeper.h"
#include "options.h"

/**
 * struct keeper_reload - what a reload needs, and what it changes
 * @options:    borrowed
 * @settings:   of the running keeper; borrowed. Its pools are @pools
 * @pools:      borrowed
 * @backend:    borrowed
 * @first:      the configuration that pard started with, which the backend goes on using; borrowed
 * @frames_max: that there are slots for
 * @current:    the one that is in force, where it is another; owned
 */
struct keeper_reload {
        const struct options *options;
        struct keeper_settings *settings;
        struct keeper_pool *pools;
        struct backend *backend;
        const struct config *first;
        uint64_t frames_max;
        struct config *current;
};

/* keeper_reload_again() - for keeper_settings.reload; @data is a struct keeper_reload */
int keeper_reload_again(void *data, int *ret_config_fd);

void keeper_reload_deinit(struct keeper_reload *reload);
