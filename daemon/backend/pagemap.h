/* SPDX-License-Identifier: MIT */
/*
 * Where memory lies: /proc/self/pagemap and /proc/kpageflags, one entry at a time.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/**
 * pagemap_open() - open this address space's pagemap, and see that it shows frame numbers
 * @ret:   owned by the caller; written on failure too: -1, or a descriptor to be closed
 * @error: a sentence for the operator, of at most @error_bytes; written only on failure
 *
 * Return: 0; -EACCES or -EPERM where this process may not know them; other negative errno.
 */
int pagemap_open(int *ret, char *error, size_t error_bytes);

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
 * pagemap_read_file() - where the memory of a file lies
 * @fd:       pagemap of this address space; borrowed
 * @file:     in memory, read and write; borrowed
 * @bytes:    of it, from its beginning, that are mapped for a moment
 * @ret_phys: physical address of its first byte
 *
 * Touches nothing: where a touch would raise SIGBUS this fails.
 *
 * Return: 0; negative errno.
 */
int pagemap_read_file(int fd, int file, uint64_t bytes, uint64_t *ret_phys);

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

enum hugepage_part {
        HUGEPAGE_NONE,      /* no hugepage, or one that must not be used */
        HUGEPAGE_USED_HEAD, /* where one begins that somebody has */
        HUGEPAGE_FREE_HEAD, /* where one begins that nobody has */
        HUGEPAGE_REST,      /* inside of one */
};

/**
 * kpageflags_part() - which part of a hugepage is at this address?
 * @fd:   kpageflags; borrowed
 * @phys: physical address of the first byte of a base page
 *
 * Return: 0; -EIO behind the end of memory; other negative errno.
 */
int kpageflags_part(int fd, uint64_t phys, enum hugepage_part *ret);
