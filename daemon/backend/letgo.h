/* SPDX-License-Identifier: MIT */
/*
 * Who still refers to the memory of a memfd? The kernel is asked in two ways, because neither sees
 * everybody: a write lease sees open files and mappings, F_SEAL_WRITE sees references to pages.
 */
#pragma once

#include <stdbool.h>

/**
 * letgo_reopen() - a new open file of a memfd
 * @memfd:  borrowed
 * @ret_fd: read and write, close-on-exec; owned by the caller
 *
 * Only files opened this way are counted by the lease: what memfd_create() returned is not.
 *
 * Return: 0; negative errno of open().
 */
int letgo_reopen(int memfd, int *ret_fd);

/**
 * letgo_probe_files() - does another open file or mapping of this memory exist?
 * @own: from letgo_reopen(), the only one of the caller's; borrowed
 *
 * Counts every process, descriptors on their way over sockets and read-only mappings too. Not seen:
 * O_PATH descriptors, vmsplice, io_uring, VFIO. The caller's process ignores SIGIO.
 *
 * Return: 0 where there is none; -EBUSY where there is; another negative errno where the kernel
 * would not tell.
 */
int letgo_probe_files(int own);

/**
 * letgo_seal() - forbid writing for good, which the kernel does only if nobody can write
 * @memfd:  borrowed
 * @sealed: whether an earlier call has done so; set with success
 *
 * Sleeps for 0.2 s where pages are referenced by others. Not seen: read-only mappings.
 *
 * Return: 0; -EBUSY where there is a writable mapping or another reference to a page; -EPERM where
 * a holder has added this seal himself, or sealed the seals, so that it cannot be found out; other
 * negative errno.
 */
int letgo_seal(int memfd, bool *sealed);
