/* SPDX-License-Identifier: MIT */
/*
 * Owns nothing; the only place that knows the kernel's interface. Refuses nothing itself.
 */
#include "udmabuf.h"

#include "macros.h"
#include "units.h"

#include <errno.h>
#include <linux/udmabuf.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>

#define PARAMETERS "/sys/module/udmabuf/parameters"

/* Those of Linux 6.12. */
#define DEFAULT_MIB   64
#define DEFAULT_PARTS 1024

static uint32_t read_parameter(const char *folder, const char *name, uint32_t otherwise)
{
        char path[256], line[32] = "", *end;
        unsigned long value;
        FILE *file;

        snprintf(path, sizeof(path), "%s/%s", folder, name);
        file = fopen(path, "re");
        if (!file)
                return otherwise;
        if (!fgets(line, sizeof(line), file))
                line[0] = 0;
        fclose(file);
        value = strtoul(line, &end, 10);
        return end > line && *end == '\n' && value <= UINT32_MAX ? (uint32_t)value : otherwise;
}

void udmabuf_read_limits(const char *folder, struct udmabuf_limits *ret)
{
        if (!folder)
                folder = PARAMETERS;
        ret->bytes = read_parameter(folder, "size_limit_mb", DEFAULT_MIB) * MiB;
        ret->parts = read_parameter(folder, "list_limit", DEFAULT_PARTS);
}

int udmabuf_create(int device, const struct udmabuf_part *parts, size_t count, int *ret_fd)
{
        struct udmabuf_create_list *list;
        int fd, r;

        list = malloc(sizeof(*list) + count * sizeof(list->list[0]));
        if (!list)
                return -ENOMEM;
        list->flags = UDMABUF_FLAGS_CLOEXEC;
        list->count = (uint32_t)count;
        for (size_t i = 0; i < count; i++)
                list->list[i] = (struct udmabuf_create_item){
                        .memfd = (uint32_t)parts[i].file,
                        .offset = parts[i].offset,
                        .size = parts[i].bytes,
                };
        fd = ioctl(device, UDMABUF_CREATE_LIST, list);
        r = fd < 0 ? -errno : 0;
        free(list);
        if (!r)
                *ret_fd = fd;
        return r;
}
