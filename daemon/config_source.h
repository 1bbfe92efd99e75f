/* SPDX-License-Identifier: MIT */
/*
 * The configuration's text as one descriptor that nobody can change any more: every process that
 * is started from it reads the same.
 */
#pragma once

#include "config.h"

/**
 * config_source_open() - copy a file, and what belongs to it, into a sealed memfd
 * @path: borrowed
 * @ret:  owned by the caller; close-on-exec
 *
 * Logs why it fails.
 *
 * Return: 0; -EFBIG above 1 MiB; -EINVAL where a file of its devices_dir is wrong; other negative
 * errno.
 */
int config_source_open(const char *path, int *ret);

/**
 * config_source_open_again() - the same while pard runs: it does not block
 *
 * At the start the text may come from a pipe, say. Later nobody may be at its other end, and the
 * keeper would wait for him, and for nothing else.
 *
 * Return: as above; -EINVAL where it is no regular file; -EAGAIN where somebody is writing to it.
 */
int config_source_open_again(const char *path, int *ret);

/**
 * config_source_parse() - read the configuration from such a descriptor
 * @fd:    borrowed
 * @name:  for messages; borrowed
 * @ret:   owned by the caller: config_free()
 * @error: a sentence of at most @error_bytes; written only on failure
 *
 * Return: 0; -EINVAL; other negative errno.
 */
int config_source_parse(int fd, const char *name, struct config **ret, char *error,
                        size_t error_bytes);

/* The same; logs why it fails. */
int config_source_load(int fd, const char *name, struct config **ret);
