/* SPDX-License-Identifier: MIT */
/*
 * The same for programs. Keys are only ever added.
 */
#pragma once

#include "engine_result.h"

#include <jansson.h>

/* A state as an object, owned by the caller; NULL without memory. */
json_t *engine_json_state(const struct engine_state *state, const struct ticks *ticks);

/**
 * engine_json_print() - print all of it to standard output, in one line
 * @states:  array of objects; consumed, NULL is -ENOMEM
 * @options: of this run
 * @ticks:   of this machine
 *
 * Return: 0; -ENOMEM; -EIO where the output fails.
 */
int engine_json_print(json_t *states, const struct engine_options *options,
                      const struct ticks *ticks);
