/* SPDX-License-Identifier: MIT */
/*
 * A listening socket: the service manager's, or one of our own.
 */
#pragma once

#include "takeover.h"

#include <stdbool.h>
#include <sys/types.h>

/**
 * struct listener - a listening socket
 * @fd:      non-blocking, close-on-exec; owned; -1: none
 * @type:    SOCK_SEQPACKET or SOCK_STREAM
 * @lock_fd: holds the lock beside the socket; -1 where it is not ours, or has no path
 * @path:    of our own socket, owned; NULL likewise
 * @device, @inode: of the socket file, to tell whether it is still ours
 */
struct listener {
        int fd;
        int type;
        int lock_fd;
        char *path;
        dev_t device;
        ino_t inode;
};

#define LISTENER_NONE ((struct listener){ .fd = -1, .lock_fd = -1 })

/**
 * struct listener_settings - where to listen
 * @activated: the service manager's socket, which is used instead; -1: none; consumed
 * @type:  SOCK_SEQPACKET or SOCK_STREAM
 * @at:    an absolute path, or an address for which address_is_loopback() holds; borrowed
 * @mode:  permission bits
 * @group: (gid_t)-1: leave it
 * @create_directory: the directory is pard's own and may be made
 */
struct listener_settings {
        int activated;
        int type;
        const char *at;
        mode_t mode;
        gid_t group;
        bool create_directory;
};

/**
 * listener_open() - listen
 * @settings: borrowed
 * @ret:      owned by the caller: listener_close()
 *
 * Logs why it fails. A socket that a dead pard left behind is replaced, as soon as its worker has
 * ended too, for which it waits up to 3 s; one that somebody serves, or a file of another kind,
 * stays.
 *
 * Return: 0; -EADDRINUSE where another pard serves or starts there; other negative errno.
 */
int listener_open(const struct listener_settings *settings, struct listener *ret);

/**
 * listener_resume() - go on listening after exec
 * @socket: from listener_leave() of the former program; its descriptors are consumed
 * @type:   SOCK_SEQPACKET or SOCK_STREAM
 * @at:     as for listener_open() then
 *
 * Return: 0; -EBADF; -ENOMEM.
 */
int listener_resume(const struct takeover_listener *socket, int type, const char *at,
                    struct listener *ret);

/* What the next program has to know of it. */
struct takeover_listener listener_leave(const struct listener *listener);

/* Stop listening; remove the socket and its lock where they are still ours. */
void listener_close(struct listener *listener);
