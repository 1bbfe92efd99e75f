/* SPDX-License-Identifier: MIT */
/*
 * Owns the listening socket and, for one of our own with a path, the lock file beside it: whoever
 * holds the lock may replace the socket, so two starts cannot undo each other. Nobody can connect
 * before owner and mode are right, since listen() comes last. Refuses to remove what is not a dead
 * pard's.
 */
#include "listen.h"

#include "config_address.h"
#include "log.h"
#include "macros.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define LOCK_TRIES     16
#define ORPHAN_TRIES   1000
#define ORPHAN_WAIT_NS (10 * NS_PER_MS)

static struct sockaddr_un address_of(const char *path)
{
        struct sockaddr_un address = { .sun_family = AF_UNIX };

        snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
        return address;
}

/**
 * find_server() - whether somebody listens on a path
 * @type:    of such sockets
 * @ret_pid: who called listen()
 *
 * Return: 0: somebody does; -ENOENT: there is nothing; -ECONNREFUSED: a socket that nobody serves;
 * other negative errno: something else is there, or it cannot be told.
 */
static int find_server(const char *path, int type, pid_t *ret_pid)
{
        const struct sockaddr_un address = address_of(path);
        struct ucred peer = { 0 };
        socklen_t length = sizeof(peer);
        struct stat status;
        int fd, r = 0;

        if (lstat(path, &status))
                return -errno;
        if (!S_ISSOCK(status.st_mode))
                return -EEXIST;
        fd = socket(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        if (fd < 0)
                return -errno;
        /* A full queue of connections (EAGAIN) is somebody's. */
        if (connect(fd, (const struct sockaddr *)&address, sizeof(address)) && errno != EAGAIN)
                r = -errno;
        if (!r && getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &length) == 0)
                *ret_pid = peer.pid;
        close(fd);
        return r;
}

static bool same_file(int fd, const char *path)
{
        struct stat open_file, named;

        return fstat(fd, &open_file) == 0 && stat(path, &named) == 0 &&
               open_file.st_dev == named.st_dev && open_file.st_ino == named.st_ino;
}

/* Return: 0; -EWOULDBLOCK: somebody has it; -ESTALE: try again; other negative errno. */
static int try_lock(const char *path, int *ret)
{
        int r, fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);

        if (fd < 0)
                return -errno;
        r = flock(fd, LOCK_EX | LOCK_NB) ? -errno : 0;
        /* Its last holder may have removed the file since we opened it. */
        if (!r && !same_file(fd, path))
                r = -ESTALE;
        if (r) {
                close(fd);
                return r;
        }
        *ret = fd;
        return 0;
}

static void lock_path(const char *path, char ret[PATH_MAX])
{
        snprintf(ret, PATH_MAX, "%s.lock", path);
}

static int take_lock(struct listener *listener)
{
        char path[PATH_MAX];
        pid_t pid = 0;
        int r = -ESTALE;

        lock_path(listener->path, path);
        for (int i = 0; i < LOCK_TRIES && r == -ESTALE; i++)
                r = try_lock(path, &listener->lock_fd);
        if (!r)
                return 0;
        if (r != -EWOULDBLOCK) {
                log_error("%s cannot be locked: %s", path, strerror(-r));
                return r;
        }
        if (find_server(listener->path, listener->type, &pid) == 0)
                log_error("another pard serves %s (pid %d)", listener->path, (int)pid);
        else
                log_error("another pard is just starting or stopping on %s", listener->path);
        return -EADDRINUSE;
}

/*
 * Whoever is found although the lock is ours is most likely the worker of a pard that was killed,
 * which has heard of it and is ending.
 */
static int outlive_server(const char *path, int type, pid_t *ret_pid)
{
        const struct timespec wait = { .tv_nsec = ORPHAN_WAIT_NS };
        int r = find_server(path, type, ret_pid);

        for (int i = 0; i < ORPHAN_TRIES && r == 0; i++) {
                nanosleep(&wait, NULL);
                r = find_server(path, type, ret_pid);
        }
        return r;
}

static int remove_stale(const char *path, int type)
{
        pid_t pid = 0;
        int r = outlive_server(path, type, &pid);

        switch (r) {
        case -ENOENT: return 0;
        case -ECONNREFUSED:
                log_info("removing the socket %s, which nobody serves", path);
                return unlink(path) && errno != ENOENT ? -errno : 0;
        case 0: log_error("another pard serves %s (pid %d)", path, (int)pid); return -EADDRINUSE;
        case -EEXIST: log_error("%s is there and is no socket", path); return -EADDRINUSE;
        case -EPROTOTYPE: log_error("another program listens on %s", path); return -EADDRINUSE;
        default: log_error("%s: %s", path, strerror(-r)); return r;
        }
}

static int make_directory(const char *socket_path)
{
        char path[PATH_MAX];
        char *slash;
        int r;

        snprintf(path, sizeof(path), "%s", socket_path);
        slash = strrchr(path, '/');
        *slash = '\0';
        if (mkdir(path, 0755) == 0 || errno == EEXIST)
                return 0;
        r = -errno;
        log_error("the directory %s cannot be made: %s", path, strerror(-r));
        return r;
}

static int bind_socket(struct listener *listener)
{
        const struct sockaddr_un address = address_of(listener->path);
        mode_t mask;
        int r;

        listener->fd = socket(AF_UNIX, listener->type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        if (listener->fd < 0)
                return -errno;
        mask = umask(0177);
        r = bind(listener->fd, (const struct sockaddr *)&address, sizeof(address)) ? -errno : 0;
        umask(mask);
        if (r)
                log_error("%s cannot be bound: %s", listener->path, strerror(-r));
        return r;
}

static int note_identity(struct listener *listener)
{
        struct stat status;

        if (lstat(listener->path, &status))
                return -errno;
        listener->device = status.st_dev;
        listener->inode = status.st_ino;
        return 0;
}

static int open_to_clients(struct listener *listener, const struct listener_settings *settings)
{
        /* Without the right to do so, fewer clients can connect, never more. */
        if (settings->group != (gid_t)-1 && lchown(listener->path, (uid_t)-1, settings->group))
                log_warning("%s cannot be given to group %u: %s", listener->path,
                            (unsigned)settings->group, strerror(errno));
        if (chmod(listener->path, settings->mode) || listen(listener->fd, SOMAXCONN)) {
                int r = -errno;

                log_error("%s: %s", listener->path, strerror(-r));
                return r;
        }
        return 0;
}

static int listen_on_path(struct listener *listener, const struct listener_settings *settings)
{
        int r;

        if (settings->create_directory) {
                r = make_directory(settings->at);
                if (r)
                        return r;
        }
        listener->path = strdup(settings->at);
        if (!listener->path)
                return -ENOMEM;
        r = take_lock(listener);
        if (r)
                return r;
        r = remove_stale(listener->path, listener->type);
        if (r)
                return r;
        r = bind_socket(listener);
        if (r)
                return r;
        r = note_identity(listener);
        if (r)
                return r;
        return open_to_clients(listener, settings);
}

static int listen_on_loopback(struct listener *listener, const char *at)
{
        struct sockaddr_storage address;
        int on = 1, r = 0;
        socklen_t size;

        address_loopback(at, &address, &size);
        listener->fd = socket(address.ss_family, listener->type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        /* Connections of a former pard that are still closing are no reason to wait. */
        if (listener->fd < 0 ||
            setsockopt(listener->fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) ||
            bind(listener->fd, (const struct sockaddr *)&address, size) ||
            listen(listener->fd, SOMAXCONN))
                r = -errno;
        if (r)
                log_error("%s cannot be bound: %s", at, strerror(-r));
        return r;
}

int listener_open(const struct listener_settings *settings, struct listener *ret)
{
        struct listener listener = LISTENER_NONE;
        int r = 0;

        listener.type = settings->type;
        if (settings->activated >= 0)
                listener.fd = settings->activated;
        else if (address_is_loopback(settings->at))
                r = listen_on_loopback(&listener, settings->at);
        else
                r = listen_on_path(&listener, settings);
        if (r) {
                listener_close(&listener);
                return r;
        }
        *ret = listener;
        return 0;
}

static int close_on_exec(int fd)
{
        return fd >= 0 && fcntl(fd, F_SETFD, FD_CLOEXEC) < 0 ? -errno : 0;
}

int listener_resume(const struct takeover_listener *socket, int type, const char *at,
                    struct listener *ret)
{
        struct listener listener = {
                .fd = socket->fd,
                .type = type,
                .lock_fd = socket->lock_fd,
                .device = (dev_t)socket->device,
                .inode = (ino_t)socket->inode,
        };
        int r;

        r = close_on_exec(listener.fd);
        if (!r)
                r = close_on_exec(listener.lock_fd);
        if (r)
                return r;
        if (listener.lock_fd >= 0) {
                listener.path = strdup(at);
                if (!listener.path)
                        return -ENOMEM;
        }
        *ret = listener;
        return 0;
}

struct takeover_listener listener_leave(const struct listener *listener)
{
        return (struct takeover_listener){ listener->fd, listener->lock_fd,
                                           (uint64_t)listener->device, (uint64_t)listener->inode };
}

static void remove_own_socket(const struct listener *listener)
{
        struct stat status;

        if (listener->inode && lstat(listener->path, &status) == 0 &&
            status.st_dev == listener->device && status.st_ino == listener->inode)
                unlink(listener->path);
}

void listener_close(struct listener *listener)
{
        char path[PATH_MAX];

        if (listener->path && listener->lock_fd >= 0) {
                remove_own_socket(listener);
                lock_path(listener->path, path);
                unlink(path);
        }
        if (listener->fd >= 0)
                close(listener->fd);
        if (listener->lock_fd >= 0)
                close(listener->lock_fd);
        free(listener->path);
        *listener = LISTENER_NONE;
}
