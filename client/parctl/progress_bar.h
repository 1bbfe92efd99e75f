/* SPDX-License-Identifier: MIT */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PROGRESS_BLOCKS    24 /* of a bar */
#define PROGRESS_BAR_BYTES 96 /* room for any bar */

/**
 * progress_bar() - a bar and a percentage
 * @have, @want: in any unit; more than all is all, and all of nothing as well
 * @utf8:   characters beyond ASCII may be used
 *
 * Return: @buffer.
 */
const char *progress_bar(uint64_t have, uint64_t want, bool utf8, char buffer[PROGRESS_BAR_BYTES]);
