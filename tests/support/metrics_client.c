/* SPDX-License-Identifier: MIT */
/*
 * Owns nothing between two calls. Refuses to go on without the figure.
 */
#include "metrics_client.h"

#include "process.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define ANSWER_BYTES (256u << 10)

static int connect_to(const char *path)
{
        struct sockaddr_un address = { .sun_family = AF_UNIX };
        int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

        snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
        if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof(address)))
                die("%s: %s", path, strerror(errno));
        return fd;
}

/* The whole answer, headers included. */
static void get(const char *path, char answer[ANSWER_BYTES])
{
        static const char request[] = "GET /metrics HTTP/1.0\r\nConnection: close\r\n\r\n";
        int fd = connect_to(path);
        size_t used = 0;
        ssize_t n;

        if (send(fd, request, sizeof(request) - 1, MSG_NOSIGNAL) != sizeof(request) - 1)
                die("%s: %s", path, strerror(errno));
        while (used < ANSWER_BYTES - 1 &&
               (n = recv(fd, answer + used, ANSWER_BYTES - 1 - used, 0)) > 0)
                used += (size_t)n;
        answer[used] = '\0';
        close(fd);
}

double metrics_value(const char *socket, const char *sample)
{
        static char answer[ANSWER_BYTES];
        size_t length = strlen(sample);
        const char *line;

        get(socket, answer);
        for (line = answer; line; line = strchr(line, '\n')) {
                line += *line == '\n';
                if (!strncmp(line, sample, length) && line[length] == ' ')
                        return strtod(line + length, NULL);
        }
        die("no %s in the metrics", sample);
}
