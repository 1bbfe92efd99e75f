/* SPDX-License-Identifier: MIT */
/*
 * Owns nothing between calls. Refuses to take a range for true that would wrap around.
 */
#include "block_range.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/sysmacros.h>

static int read_number(const char *root, dev_t device, const char *name, uint64_t *ret)
{
        char path[256], text[32], *rest;
        FILE *file;

        snprintf(path, sizeof(path), "%s/sys/dev/block/%u:%u/device/%s", root, major(device),
                 minor(device), name);
        file = fopen(path, "re");
        if (!file)
                return -errno;
        if (!fgets(text, sizeof(text), file))
                *text = '\0';
        fclose(file);
        errno = 0;
        *ret = strtoull(text, &rest, 0);
        return errno || rest == text ? -EBADMSG : 0;
}

struct range block_range(const char *root, dev_t device)
{
        uint64_t first, bytes;

        if (read_number(root, device, "resource", &first) ||
            read_number(root, device, "size", &bytes) || !bytes || first + bytes - 1 < first)
                return RANGE_ALL;
        return range_of(first, bytes);
}
