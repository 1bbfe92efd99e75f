/* SPDX-License-Identifier: MIT */
/*
 * Texts that others chose, where a terminal shows them.
 */
#pragma once

#include <stddef.h>

#define SAFE_TEXT_BYTES 1024 /* room for any sentence */

/**
 * safe_text() - a text without what a terminal would take for a command
 * @text:   UTF-8; borrowed
 * @buffer: room for the result; what does not fit is cut off
 *
 * Control characters become "?". Return: @buffer.
 */
const char *safe_text(const char *text, char buffer[SAFE_TEXT_BYTES]);
