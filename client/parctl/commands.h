/* SPDX-License-Identifier: MIT */
/*
 * The commands, one file each. Only parctl.c, which lists them, includes this.
 */
#pragma once

#include "arguments.h"

extern const struct command command_status;
extern const struct command command_pools;
extern const struct command command_devices;
extern const struct command command_frames;
extern const struct command command_buffers;
extern const struct command command_clients;
extern const struct command command_limits;
extern const struct command command_map;
extern const struct command command_lookup;
extern const struct command command_alloc;
extern const struct command command_explain;
extern const struct command command_drain;
extern const struct command command_grow;
extern const struct command command_shrink;
extern const struct command command_revoke;
extern const struct command command_release;
extern const struct command command_remove;
extern const struct command command_reload;
extern const struct command command_help;
