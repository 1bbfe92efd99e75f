/* SPDX-License-Identifier: MIT */
/*
 * One page of a DAX file system as a file of its own, without a name: what the file is mapped from
 * is that page of memory and no copy, and it stays there as long as the file is not written to
 * through the file system, cut or punched. Nobody can do that to one that is frozen.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/**
 * page_file_make() - a new file, with its page
 * @directory: of the file system; borrowed
 * @bytes:     of a page
 * @ret_fd:    read and write; owned by the caller, and the page goes with its last descriptor
 *
 * Return: 0; -ENOMEM where the file system is full; -EOPNOTSUPP where it knows no files without
 * names; other negative errno.
 */
int page_file_make(int directory, uint64_t bytes, int *ret_fd);

/* page_file_is_dax() - whether mappings are of the file system's own memory. 0; negative errno. */
int page_file_is_dax(int fd, bool *ret);

/**
 * page_file_freeze() - nobody can change the file any more, or open it for that, whoever has a
 * descriptor; its memory can be written to through those, or no more so
 * @fd: borrowed; read-only will do
 *
 * Return: 0; -EPERM without CAP_LINUX_IMMUTABLE; other negative errno.
 */
int page_file_freeze(int fd, bool frozen);

/**
 * page_file_withdraw() - have no part in the open file that others have, so that it can be told
 * whether they have it
 * @fd:        consumed with success; replaced by a read-only one, which letgo_probe_files() takes
 * @withdrawn: whether an earlier call has done so; set with success
 *
 * Return: 0; negative errno, and nothing changed.
 */
int page_file_withdraw(int *fd, bool *withdrawn);

/**
 * page_file_clear() - empty the page, which the kernel does only where nobody refers to it
 * @fd:    of DAX memory, which was touched since it was made; borrowed; read-only will do
 * @bytes: of its page
 *
 * Sees what a lease does not: pages that lie in pipes (vmsplice), or that devices are reading.
 * Mappings that are still there lose the page. Waits for 50 ms. deadline_prepare() comes first.
 * The file is not frozen afterwards.
 *
 * Return: 0; -EBUSY where somebody refers to the page; other negative errno.
 */
int page_file_clear(int fd, uint64_t bytes);
