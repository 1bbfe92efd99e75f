/* SPDX-License-Identifier: MIT */
/*
 * Owns nothing beyond a call. Refuses what cannot be a configuration (larger than a mebibyte, a NUL
 * inside) before anybody parses it; and, once pard runs, to wait for anybody.
 */
#include "config_source.h"

#include "config_gather.h"
#include "log.h"
#include "macros.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define TEXT_BYTES_MAX (1 * MiB)

static void freep(char **text)
{
        free(*text);
}

static void closep(int *fd)
{
        if (*fd >= 0)
                close(*fd);
}

/* *ret is owned by the caller; it ends with a NUL that *ret_size does not count. */
static int read_all(int fd, char **ret, size_t *ret_size)
{
        _cleanup_(freep) char *text = malloc(TEXT_BYTES_MAX + 1);
        size_t size = 0;
        ssize_t n;

        if (!text)
                return -ENOMEM;
        do {
                /* Not a file's position: the worker's descriptor shares the keeper's. */
                n = pread(fd, text + size, TEXT_BYTES_MAX + 1 - size, (off_t)size);
                if (n < 0 && errno == ESPIPE)
                        n = read(fd, text + size, TEXT_BYTES_MAX + 1 - size);
                if (n < 0 && errno != EINTR)
                        return -errno;
                if (n > 0)
                        size += (size_t)n;
        } while (n && size <= TEXT_BYTES_MAX);
        if (size > TEXT_BYTES_MAX)
                return -EFBIG;
        text[size] = '\0';
        *ret = STEAL(text);
        *ret_size = size;
        return 0;
}

static int seal_text(const char *text, size_t size, int *ret)
{
        _cleanup_(closep) int fd = memfd_create("pard-config", MFD_CLOEXEC | MFD_ALLOW_SEALING);
        size_t done = 0;
        ssize_t n;

        if (fd < 0)
                return -errno;
        while (done < size) {
                n = write(fd, text + done, size - done);
                if (n < 0 && errno != EINTR)
                        return -errno;
                if (n > 0)
                        done += (size_t)n;
        }
        if (fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL))
                return -errno;
        *ret = STEAL_FD(fd);
        return 0;
}

/* With what belongs to it, where it is a text. @told: config_gather() has logged why it fails. */
static int copy_file(const char *path, int file, bool *told, int *ret)
{
        _cleanup_(freep) char *text = NULL;
        size_t size;
        int r;

        r = read_all(file, &text, &size);
        if (r)
                return r;
        if (strlen(text) == size) {
                r = config_gather(path, "", &text);
                *told = r;
                if (r)
                        return r;
                size = strlen(text);
        }
        return seal_text(text, size, ret);
}

static int complain(const char *path, const char *why, int r)
{
        log_error("the configuration %s cannot be read: %s", path, why);
        return r;
}

int config_source_open(const char *path, int *ret)
{
        _cleanup_(closep) int file = open(path, O_RDONLY | O_CLOEXEC);
        bool told = false;
        int r;

        r = file < 0 ? -errno : copy_file(path, file, &told, ret);
        return r && !told ? complain(path, strerror(-r), r) : r;
}

static bool is_same(const struct stat *a, const struct stat *b)
{
        return a->st_size == b->st_size && a->st_mtim.tv_sec == b->st_mtim.tv_sec &&
               a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}

int config_source_open_again(const char *path, int *ret)
{
        _cleanup_(closep) int file = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
        _cleanup_(closep) int fd = -1;
        struct stat before, after;
        bool told = false;
        int r;

        if (file < 0 || fstat(file, &before))
                return complain(path, strerror(errno), -errno);
        if (!S_ISREG(before.st_mode))
                return complain(path, "it is no file", -EINVAL);
        r = copy_file(path, file, &told, &fd);
        if (r)
                return told ? r : complain(path, strerror(-r), r);
        if (fstat(file, &after) || !is_same(&before, &after))
                return complain(path, "somebody is writing to it", -EAGAIN);
        *ret = STEAL_FD(fd);
        return 0;
}

int config_source_parse(int fd, const char *name, struct config **ret, char *error,
                        size_t error_bytes)
{
        _cleanup_(freep) char *text = NULL;
        size_t size;
        int r;

        r = read_all(fd, &text, &size);
        if (r) {
                snprintf(error, error_bytes, "the configuration cannot be read: %s", strerror(-r));
                return r;
        }
        assert(text);
        if (strlen(text) != size) {
                snprintf(error, error_bytes, "%s: a NUL byte: this is no text", name);
                return -EINVAL;
        }
        return config_load(text, name, ret, error, error_bytes);
}

int config_source_load(int fd, const char *name, struct config **ret)
{
        char error[1024];
        int r;

        r = config_source_parse(fd, name, ret, error, sizeof(error));
        if (r)
                log_error("%s", error);
        return r;
}
