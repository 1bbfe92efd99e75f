/* SPDX-License-Identifier: MIT */
/*
 * The commands, one file each. Only parctl.c, which lists them, includes this.
 */
#pragma once

#include "arguments.h"

extern const struct command command_status;
extern const struct command command_pools;
extern const struct command command_frames;
extern const struct command command_buffers;
extern const struct command command_clients;
extern const struct command command_map;
extern const struct command command_alloc;
extern const struct command command_explain;
