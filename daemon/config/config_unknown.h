/* SPDX-License-Identifier: MIT */
/*
 * A key that does not exist: what was meant by it. Only this folder includes it.
 */
#pragma once

#include <confuse.h>
#include <stddef.h>

/**
 * config_unknown_words() - a sentence about a key that a section does not have
 * @root:    the whole file; borrowed
 * @section: where the key stands; @root: outside of all sections; borrowed
 * @key:     as it was written; borrowed
 * @text:    the sentence, cut at @room
 *
 * Names the key of this section that differs in the fewest letters, or else where a key of just
 * this name belongs.
 */
void config_unknown_words(const cfg_t *root, const cfg_t *section, const char *key, char *text,
                          size_t room);
