/* SPDX-License-Identifier: MIT */
/*
 * Owns nothing. systemd may have the socket all the time: then its file is the same before and
 * after, and only its time can tell one pard from the next.
 */
#include "serving_mark.h"

#include "log.h"
#include "units.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

/* Return: whether it has a file. */
static bool find_file(int listen_fd, struct sockaddr_un *ret)
{
        socklen_t size = sizeof(*ret) - 1; /* it ends with a NUL */

        *ret = (struct sockaddr_un){ 0 };
        return !getsockname(listen_fd, (struct sockaddr *)ret, &size) &&
               ret->sun_family == AF_UNIX && ret->sun_path[0];
}

void serving_mark(int listen_fd)
{
        struct sockaddr_un address;

        if (!find_file(listen_fd, &address))
                return;
        if (utimensat(AT_FDCWD, address.sun_path, NULL, AT_SYMLINK_NOFOLLOW))
                log_debug("the time of %s cannot be changed: %s", address.sun_path,
                          strerror(errno));
}

uint64_t serving_mark_read(int listen_fd)
{
        struct sockaddr_un address;
        struct stat status;

        if (!find_file(listen_fd, &address) || stat(address.sun_path, &status))
                return 0;
        return (uint64_t)status.st_mtim.tv_sec * NS_PER_S + (uint64_t)status.st_mtim.tv_nsec;
}
