/* SPDX-License-Identifier: MIT */
/*
 * Nested answers as JSON. Every json_t that is made is owned by the caller; NULL stands for "no
 * memory" and is passed on, so that only the last step is checked.
 */
#pragma once

#include <jansson.h>
#include <stdint.h>
#include <stdio.h>

/* A hexadecimal string. */
json_t *json_address(uint64_t address);

/* A size in bytes, or a number. */
json_t *json_size(uint64_t bytes);

/* A string; null for NULL and "". */
json_t *json_text(const char *text);

/**
 * json_print() - print {"key": value} as one line
 * @value: consumed; NULL is -ENOMEM
 *
 * Return: 0; -ENOMEM; -EIO where the stream fails.
 */
int json_print(FILE *stream, const char *key, json_t *value);
