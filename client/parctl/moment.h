/* SPDX-License-Identifier: MIT */
/*
 * When something was, for people and for JSON.
 */
#pragma once

#include <stdint.h>

#define MOMENT_BYTES 32

/* The moment @age_ms ago, in UTC; "" where the clock makes no sense. Return: @text, or "". */
const char *moment_text(uint64_t age_ms, char text[MOMENT_BYTES]);
