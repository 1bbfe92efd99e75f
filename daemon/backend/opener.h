/* SPDX-License-Identifier: MIT */
/*
 * Files of the kernel that take privilege, for a process that has given its own up: a process
 * beside it hands them out, and does nothing else. One for the process, as its rights are.
 */
#pragma once

#define OPENER_PATH_BYTES 256

/**
 * opener_start() - start the process that hands out files, with the rights of this one
 * @settle: called in it when it has opened what it will hand out: it gives up what it does not need
 *          for /proc/PID/pagemap (CAP_SYS_ADMIN) any more. Anything but 0 ends it
 *
 * To be called before there are threads. It lives as long as this process, or the program that this
 * one executes and leaves opener_descriptor() to; it holds nothing that is open here.
 *
 * Return: 0; negative errno.
 */
int opener_start(int (*settle)(void));

/**
 * opener_resume() - go on with the one that the former program of this process had
 * @fd: of it, or -1 where it had none; consumed
 *
 * Return: 0; -EBADF.
 */
int opener_resume(int fd);

/* opener_descriptor() - how it is reached; close-on-exec, borrowed; -1: there is none */
int opener_descriptor(void);

/* opener_end() - it is not needed any more */
void opener_end(void);

/**
 * opener_ask() - have a file opened that this process may not open
 * @path:   one of nr_hugepages, nr_hugepages_mempolicy, demote and demote_size in sysfs, which are
 *          open for writing then; /proc/kpageflags; /dev/udmabuf, for both; or /proc/self/pagemap,
 * which is this process's, opened anew
 * @ret_fd: owned by the caller. All but pagemap share their position with each other's
 *
 * May be called by any thread.
 *
 * Return: 0; -EACCES where there is no opener, or the path is none of these; -EROFS and others as
 * open() said when the opener was started; -ETOOMANYREFS and others where it cannot be handed over,
 * or the opener is gone.
 */
int opener_ask(const char *path, int *ret_fd);
