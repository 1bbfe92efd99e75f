/* SPDX-License-Identifier: MIT */
/*
 * Where memory lies: /proc/self/pagemap and /proc/kpageflags, one entry at a time.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/**
 * pagemap_read() - the physical address behind a virtual one
 * @fd:       pagemap of the address space; borrowed
 * @address:  virtual address
 * @ret_phys: physical address of the same byte
 *
 * Return: 0; -ENOENT where no page is mapped there; -EACCES where the kernel hides frame numbers
 * from this process; other negative errno.
 */
int pagemap_read(int fd, uint64_t address, uint64_t *ret_phys);

/**
 * kpageflags_in_file() - is the hugepage at this address the content of a file?
 * @fd:   kpageflags; borrowed
 * @phys: physical address of the first byte of the page
 * @ret:  true while it belongs to a file, however little is left of that; false for a free page of
 *        the pool, and for memory that is no hugepage any more
 *
 * Return: 0; negative errno.
 */
int kpageflags_in_file(int fd, uint64_t phys, bool *ret);
