/* SPDX-License-Identifier: MIT */
/*
 * The text of a configuration, made fit for the parser.
 */
#pragma once

#include <stddef.h>

/**
 * config_text_prepare() - blank the comments out, and check what the parser would let pass
 * @text:      the file's text
 * @ret:       a copy of the same length with comments as blanks; owned by the caller: free()
 * @ret_line:  where the text is wrong, from 1; where it is right, its last line
 * @ret_error: what is wrong, static; written only with -EINVAL
 *
 * Return: 0; -EINVAL for an open quote, comment or brace, a control character, or a reference to
 * the environment; -ENOMEM.
 */
int config_text_prepare(const char *text, char **ret, unsigned *ret_line, const char **ret_error);
