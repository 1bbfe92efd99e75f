/* SPDX-License-Identifier: MIT */
/*
 * Owns the descriptors until they are taken out. Refuses to guess: a socket that is neither a
 * client's nor called metrics is somebody's mistake, and pard would serve it to the wrong people.
 */
#include "activation.h"

#include "log.h"
#include "macros.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#define BARRIER_US (10 * UINT64_C(1000000))

static int set_non_blocking(int fd)
{
        int flags = fcntl(fd, F_GETFL);

        return flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) ? -errno : 0;
}

/* A stream that listens on a path or on the loopback interface; who set it up answers for which. */
static bool is_metrics(int fd)
{
        return sd_is_socket(fd, AF_UNSPEC, SOCK_STREAM, 1) > 0;
}

static bool is_for_clients(int fd)
{
        return sd_is_socket_unix(fd, SOCK_SEQPACKET, 1, NULL, 0) > 0;
}

/* One is enough: an earlier start that failed may have left another. */
static void take_udmabuf(struct activation *activation, int fd)
{
        if (activation->udmabuf < 0 && fcntl(fd, F_SETFD, FD_CLOEXEC) == 0)
                activation->udmabuf = fd;
        else
                close(fd);
}

/* @fd: consumed. */
static int take(struct activation *activation, int fd, const char *name)
{
        const bool metrics = strcmp(name, ACTIVATION_METRICS) == 0;
        int *place = metrics ? &activation->metrics : &activation->clients;

        if (strcmp(name, PARKED_UDMABUF) == 0) {
                take_udmabuf(activation, fd);
                return 0;
        }
        if (parked_add(&activation->parked, name, fd) == 0)
                return 0;
        if (*place >= 0 || !(metrics ? is_metrics(fd) : is_for_clients(fd))) {
                log_error("the service manager passed the socket \"%s\": pard takes one listening "
                          "Unix socket of type SOCK_SEQPACKET (ListenSequentialPacket=) and, "
                          "called \"%s\", one of type SOCK_STREAM (ListenStream=)",
                          name, ACTIVATION_METRICS);
                close(fd);
                return -EINVAL;
        }
        *place = fd;
        return set_non_blocking(fd);
}

int activation_read(struct activation *ret)
{
        char **names = NULL;
        int n, r = 0;

        *ret = ACTIVATION_NONE;
        n = sd_listen_fds_with_names(1, &names);
        if (n < 0) {
                log_error("the service manager's sockets cannot be read: %s", strerror(-n));
                return n;
        }
        for (int i = 0; i < n; i++) {
                if (!r)
                        r = take(ret, SD_LISTEN_FDS_START + i, names[i]);
                else
                        close(SD_LISTEN_FDS_START + i);
                free(names[i]);
        }
        free(names);
        return r;
}

static void close_one(int *fd)
{
        if (*fd >= 0)
                close(*fd);
        *fd = -1;
}

void activation_close(struct activation *activation)
{
        close_one(&activation->clients);
        close_one(&activation->metrics);
        close_one(&activation->udmabuf);
        parked_deinit(&activation->parked);
}

int activation_store_udmabuf(const char *path)
{
        int fd = open(path, O_RDWR | O_CLOEXEC), r;

        if (fd < 0)
                return -errno;
        (void)sd_notify(0, "FDSTOREREMOVE=1\nFDNAME=" PARKED_UDMABUF);
        r = sd_pid_notify_with_fds(0, 0, "FDSTORE=1\nFDPOLL=0\nFDNAME=" PARKED_UDMABUF, &fd, 1);
        if (r > 0)
                r = sd_notify_barrier(0, BARRIER_US);
        close(fd);
        return r < 0 ? r : 0;
}
