/* SPDX-License-Identifier: MIT */
/*
 * Owns nothing. systemd may have the socket all the time: then its file is the same before and
 * after, and only its time can tell one pard from the next.
 */
#include "serving_mark.h"

#include "log.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

void serving_mark(int listen_fd)
{
        struct sockaddr_un address = { 0 };
        socklen_t size = sizeof(address) - 1; /* it ends with a NUL */

        if (getsockname(listen_fd, (struct sockaddr *)&address, &size) ||
            address.sun_family != AF_UNIX || !address.sun_path[0])
                return;
        if (utimensat(AT_FDCWD, address.sun_path, NULL, AT_SYMLINK_NOFOLLOW))
                log_debug("the time of %s cannot be changed: %s", address.sun_path,
                          strerror(errno));
}
