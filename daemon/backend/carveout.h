/* SPDX-License-Identifier: MIT */
/*
 * Memory that was carved out of the system's at boot (memmap=nn!ss) and carries a DAX file system:
 * pages of 4 KiB, each a file without a name, so that whoever is given its descriptor has that page
 * and no other.
 */
#pragma once

#include "backend.h"

/**
 * struct carveout_settings - which memory
 * @paths:      @n_paths directories, each of another file system, that are pard's alone; borrowed
 *              for the call
 * @pages_max:  of each file system, that are held in stock
 * @any_memory: also file systems that are not DAX, whose pages can move: for tests
 */
struct carveout_settings {
        const char *const *paths;
        size_t n_paths, pages_max;
        bool any_memory;
};

/**
 * carveout_new() - open what needs privilege, and see that pages can be had from each directory
 * @settings: borrowed for the call
 * @ret:      owned by the caller: backend_free()
 * @error:    a sentence for the operator, of at most @error_bytes; written only on failure
 *
 * Return: 0; -EACCES, -EPERM without permission; -EMEDIUMTYPE where a file system is not DAX;
 * -EOPNOTSUPP where it lacks something else; other negative errno.
 */
int carveout_new(const struct carveout_settings *settings, struct backend **ret, char *error,
                 size_t error_bytes);

/* Bytes of a frame: a page of this system's. */
uint64_t carveout_page_bytes(void);
