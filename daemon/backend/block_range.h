/* SPDX-License-Identifier: MIT */
/*
 * Where the memory behind a block device lies.
 */
#pragma once

#include "range.h"

#include <sys/types.h>

/**
 * block_range() - of persistent memory, as its driver says
 * @root:   "" on a real machine; a directory of fixtures in tests; borrowed
 * @device: st_dev of a file on it
 *
 * Return: the range; RANGE_ALL where the device does not tell.
 */
struct range block_range(const char *root, dev_t device);
