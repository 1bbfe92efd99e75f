/* SPDX-License-Identifier: MIT */
#pragma once

#include "engine_result.h"

/* Print a state to standard output: who is in it, and a table of the searches. */
void engine_text_print(const struct engine_state *state, const struct ticks *ticks);
