/* SPDX-License-Identifier: MIT */
/*
 * Owns a duplicate of the descriptor of a VFIO container; makes the ioctls and nothing else.
 *
 * Invariant: memory of this process is only mapped as a whole, and unmapped as it was mapped.
 * Refuses to guess which addresses are usable: where the kernel does not say so (before 5.4), there
 * are none here.
 */
#include "vfio.h"

#include "error.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/kcmp.h>
#include <linux/vfio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>

/* The kernel's answer grows with what it knows: a few hundred bytes today. */
#define INFO_BYTES_MAX 65536u

/* ---- what it can do ------------------------------------------------------------------------- */

/* Return: 0; negative errno. What does not fit into @bytes is left out, and argsz is larger then.
 */
static int ask_info(int container, uint32_t bytes, struct vfio_iommu_type1_info **ret)
{
        struct vfio_iommu_type1_info *info = calloc(1, bytes);
        int r = 0;

        if (!info)
                return -ENOMEM;
        info->argsz = bytes;
        if (ioctl(container, VFIO_IOMMU_GET_INFO, info) < 0)
                r = -errno;
        if (r)
                free(info);
        else
                *ret = info;
        return r;
}

/* All of the kernel's description, owned by the caller. Return: 0; -EOVERFLOW where it has no end;
 * another negative errno. */
static int get_info(int container, struct vfio_iommu_type1_info **ret)
{
        uint32_t bytes = sizeof(**ret);
        int r;

        while (!(r = ask_info(container, bytes, ret)) && (*ret)->argsz > bytes) {
                bytes = (*ret)->argsz;
                free(*ret);
                if (bytes > INFO_BYTES_MAX)
                        return -EOVERFLOW;
        }
        return r;
}

/* Copy from the description: what is in it need not be aligned. Return: whether it is in there. */
static bool copy_from(const struct vfio_iommu_type1_info *info, uint32_t at, void *to, size_t bytes)
{
        if (at > info->argsz || bytes > info->argsz - at)
                return false;
        memcpy(to, (const char *)info + at, bytes);
        return true;
}

/* Return: 0; -EOVERFLOW where there are more than MAPPER_RANGES_MAX, or than were handed over. */
static int take_ranges(const struct vfio_iommu_type1_info *info, uint32_t at,
                       struct mapper_facts *facts)
{
        struct vfio_iommu_type1_info_cap_iova_range head;
        struct vfio_iova_range range;

        if (!copy_from(info, at, &head, sizeof(head)) || head.nr_iovas > MAPPER_RANGES_MAX)
                return -EOVERFLOW;
        at += (uint32_t)sizeof(head);
        for (size_t i = 0; i < head.nr_iovas; i++, at += (uint32_t)sizeof(range)) {
                if (!copy_from(info, at, &range, sizeof(range)))
                        return -EOVERFLOW;
                facts->ranges[i] = (struct range){ range.start, range.end };
        }
        facts->n_ranges = head.nr_iovas;
        return 0;
}

static void take_room(const struct vfio_iommu_type1_info *info, uint32_t at,
                      struct mapper_facts *facts)
{
        struct vfio_iommu_type1_info_dma_avail room;

        if (copy_from(info, at, &room, sizeof(room)))
                facts->room = room.avail;
}

static int read_info(const struct vfio_iommu_type1_info *info, struct mapper_facts *facts)
{
        uint32_t at = info->flags & VFIO_IOMMU_INFO_CAPS ? info->cap_offset : 0;
        struct vfio_info_cap_header header;
        int r = 0;

        *facts = (struct mapper_facts){ .room = UINT32_MAX };
        if (info->flags & VFIO_IOMMU_INFO_PGSIZES)
                facts->page_sizes = info->iova_pgsizes;
        while (at && !r && copy_from(info, at, &header, sizeof(header))) {
                if (header.id == VFIO_IOMMU_TYPE1_INFO_CAP_IOVA_RANGE)
                        r = take_ranges(info, at, facts);
                if (header.id == VFIO_IOMMU_TYPE1_INFO_DMA_AVAIL)
                        take_room(info, at, facts);
                at = header.next > at ? header.next : 0; /* so that it ends */
        }
        return r;
}

static int vfio_describe(struct mapper *mapper, struct mapper_facts *ret)
{
        struct vfio_iommu_type1_info *info = NULL;
        int r;

        r = get_info(mapper->fd, &info);
        if (r == -EINVAL)
                return error_set(r, "the container has no IOMMU yet: first comes a group "
                                    "(VFIO_GROUP_SET_CONTAINER), then VFIO_SET_IOMMU");
        if (r)
                return error_set(r, "VFIO_IOMMU_GET_INFO: %s", par_strerror(r));
        r = read_info(info, ret);
        free(info);
        if (r)
                return error_set(r, "the container has more than %d usable ranges of addresses",
                                 MAPPER_RANGES_MAX);
        if (!ret->page_sizes)
                return error_set(-ENOTSUP, "the kernel does not say in which pages the IOMMU maps");
        return 0;
}

/* ---- mapping -------------------------------------------------------------------------------- */

static uint32_t flags_of(enum io_access access)
{
        switch (access) {
        case IO_READ: return VFIO_DMA_MAP_FLAG_READ;
        case IO_WRITE: return VFIO_DMA_MAP_FLAG_WRITE;
        default: return VFIO_DMA_MAP_FLAG_READ | VFIO_DMA_MAP_FLAG_WRITE;
        }
}

/* Before Linux 6.2 VFIO pins for reading what is there: also the page of zeroes, or a page of a
 * file that is mapped privately, which the process leaves at its next write, and the device does
 * not. */
static bool reading_pins_what_stays(void)
{
        unsigned long version, level;
        struct utsname system;
        char *end;

        if (uname(&system) < 0)
                return false;
        version = strtoul(system.release, &end, 10);
        level = *end == '.' ? strtoul(end + 1, NULL, 10) : 0;
        return version > 6 || (version == 6 && level >= 2);
}

static int map_dma(int container, const struct vfio_iommu_type1_dma_map *map)
{
        return ioctl(container, VFIO_IOMMU_MAP_DMA, map) < 0 ? -errno : 0;
}

static int vfio_map(struct mapper *mapper, void *at, uint64_t iova, uint64_t bytes,
                    enum io_access access)
{
        struct vfio_iommu_type1_dma_map map = {
                .argsz = sizeof(map),
                .flags = flags_of(access),
                .vaddr = (uintptr_t)at,
                .iova = iova,
                .size = bytes,
        };
        int r;

        /* Pages of its own, as a pin for writing would make them. Where the process may not write
         * there is nothing to leave. */
        if (access == IO_READ && !reading_pins_what_stays())
                (void)madvise(at, bytes, MADV_POPULATE_WRITE);
        r = map_dma(mapper->fd, &map);
        if (r != -EINVAL || access == IO_READ_WRITE)
                return r;
        /* The IOMMU may have no such pages. */
        map.flags = flags_of(IO_READ_WRITE);
        return map_dma(mapper->fd, &map);
}

/* When the last group leaves a container, its IOMMU does, with all that was mapped. */
static bool has_iommu(int container)
{
        struct vfio_iommu_type1_info info = { .argsz = sizeof(info) };

        return !ioctl(container, VFIO_IOMMU_GET_INFO, &info) || errno != EINVAL;
}

static int vfio_unmap(struct mapper *mapper, uint64_t iova, uint64_t bytes)
{
        struct vfio_iommu_type1_dma_unmap unmap = {
                .argsz = sizeof(unmap),
                .iova = iova,
                .size = bytes,
        };
        int r;

        if (ioctl(mapper->fd, VFIO_IOMMU_UNMAP_DMA, &unmap) < 0) {
                r = -errno;
                return r == -EINVAL && !has_iommu(mapper->fd) ? 0 : r;
        }
        return unmap.size == bytes ? 0 : -ENOENT; /* somebody else has unmapped it */
}

static bool vfio_is(const struct mapper *mapper, int fd)
{
        const pid_t self = getpid();

        return !syscall(SYS_kcmp, self, self, KCMP_FILE, mapper->fd, fd);
}

static void vfio_free(struct mapper *mapper)
{
        close(mapper->fd);
        free(mapper);
}

static const struct mapper_ops vfio_ops = {
        .describe = vfio_describe,
        .map = vfio_map,
        .unmap = vfio_unmap,
        .is = vfio_is,
        .free = vfio_free,
};

/* Return: 0; -EINVAL, -ENOTSUP. */
static int check_container(int fd)
{
        if (ioctl(fd, VFIO_GET_API_VERSION) != VFIO_API_VERSION)
                return error_set(-EINVAL, "the descriptor is no VFIO container");
        if (ioctl(fd, VFIO_CHECK_EXTENSION, VFIO_TYPE1v2_IOMMU) <= 0 &&
            ioctl(fd, VFIO_CHECK_EXTENSION, VFIO_TYPE1_IOMMU) <= 0)
                return error_set(-ENOTSUP, "the VFIO container's IOMMU is not of type 1");
        return 0;
}

int vfio_new(int container_fd, struct mapper **ret)
{
        struct mapper *mapper;
        int r;

        mapper = calloc(1, sizeof(*mapper));
        if (!mapper)
                return error_set(-ENOMEM, "no memory for a container");
        mapper->ops = &vfio_ops;
        mapper->fd = fcntl(container_fd, F_DUPFD_CLOEXEC, 3);
        if (mapper->fd < 0) {
                r = -errno;
                free(mapper);
                return error_set(r, "the VFIO container: %s", par_strerror(r));
        }
        r = check_container(mapper->fd);
        if (r)
                vfio_free(mapper);
        else
                *ret = mapper;
        return r;
}
