/* SPDX-License-Identifier: MIT */
/*
 * Hugepages that the daemon adds to the system's pool for its own use, and gives back.
 */
#pragma once

#include "backend.h"

#include <stddef.h>
#include <stdint.h>

struct hugetlb_settings;

/**
 * struct reserve - what was added
 * @root:    owned; where sysfs and procfs are
 * @entries: @n_entries, owned
 *
 * Zero it before first use.
 */
struct reserve {
        char *root;
        struct reserve_entry *entries;
        size_t n_entries;
};

/**
 * reserve_init() - see that the demanded hugepages are there to be taken
 * @settings: borrowed; with @reserve what is missing is added, otherwise it is only looked at
 * @error:    a sentence of at most @error_bytes, written on failure
 *
 * Return: 0; -ENOENT where there are no hugepages of a demanded size (on that node); -ENOMEM where
 * the system has too few, or keep_free forbids to take them; -EACCES, -EPERM, -EROFS without
 * permission; other negative errno. On failure nothing stays added, and reserve_deinit() does
 * nothing.
 */
int reserve_init(struct reserve *reserve, const struct hugetlb_settings *settings, char *error,
                 size_t error_bytes);

/**
 * reserve_deinit() - take away again what was added, no more and no less
 *
 * Pages that are still in use go as soon as they no longer are.
 */
void reserve_deinit(struct reserve *reserve);
