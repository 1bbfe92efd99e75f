/* SPDX-License-Identifier: MIT */
#pragma once

#include "arguments.h"
#include "ask.h"
#include "map.h"

/**
 * map_ask() - have pard tell what lies where
 * @arguments: pool, addr_min and addr_max tell what is wanted
 * @ret:       zeroed; filled, in order. map_deinit() it either way
 *
 * Return: 0, or the exit status.
 */
int map_ask(struct ask *ask, const struct arguments *arguments, struct map *ret);
