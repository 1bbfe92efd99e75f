/* SPDX-License-Identifier: MIT */
/*
 * Owns the one container there is. Maps whatever does not overlap.
 */
#include "fake_vfio.h"

#include "heap.h"
#include "macros.h"

#include <errno.h>
#include <linux/vfio.h>
#include <pthread.h>
#include <stdarg.h>
#include <string.h>

struct fake_vfio fake_vfio;

int __wrap_ioctl(int fd, unsigned long request, ...);

/* Append a capability. @last: where the offset of the one before stands; moves on. */
static void add_capability(uint32_t cap_align, uint32_t *last, const void *capability, size_t bytes)
{
        uint32_t at = (fake_vfio.info_bytes + cap_align - 1) & ~(cap_align - 1);

        memcpy(fake_vfio.info + *last, &at, sizeof(at));
        memcpy(fake_vfio.info + at, capability, bytes);
        *last = at + (uint32_t)offsetof(struct vfio_info_cap_header, next);
        fake_vfio.info_bytes = at + (uint32_t)bytes;
}

void fake_vfio_init(uint32_t cap_align)
{
        static const struct vfio_iova_range ranges[] = { { 0, 0xfedfffff },
                                                         { 0xfef00000, 0x7fffffffff } };
        struct vfio_iommu_type1_info head = {
                .flags = VFIO_IOMMU_INFO_PGSIZES | VFIO_IOMMU_INFO_CAPS,
                .iova_pgsizes = 4 * KiB | 2 * MiB | GiB,
        };
        struct vfio_iommu_type1_info_dma_avail room = {
                .header = { VFIO_IOMMU_TYPE1_INFO_DMA_AVAIL, 1, 0 },
                .avail = 65535,
        };
        static const struct vfio_iommu_type1_info_cap_iova_range list = {
                .header = { VFIO_IOMMU_TYPE1_INFO_CAP_IOVA_RANGE, 1, 0 },
                .nr_iovas = ARRAY_SIZE(ranges),
        };
        uint8_t usable[sizeof(list) + sizeof(ranges)];
        uint32_t last = offsetof(struct vfio_iommu_type1_info, cap_offset);

        memcpy(usable, &list, sizeof(list));
        memcpy(usable + sizeof(list), ranges, sizeof(ranges));
        memset(&fake_vfio, 0, sizeof(fake_vfio));
        memcpy(fake_vfio.info, &head, sizeof(head));
        fake_vfio.info_bytes = sizeof(head);
        add_capability(cap_align, &last, &room, sizeof(room));
        add_capability(cap_align, &last, usable, sizeof(usable));
}

static int refuse(int error)
{
        errno = error;
        return -1;
}

/* As the kernel: what does not fit is left out, and the size that it takes is said. */
static int get_info(struct vfio_iommu_type1_info *info)
{
        const uint32_t room = info->argsz;

        if (fake_vfio.fail_info)
                return refuse(fake_vfio.fail_info);
        if (fake_vfio.grow_info)
                fake_vfio.info_bytes = room + 8;
        if (fake_vfio.info_bytes > FAKE_VFIO_INFO_BYTES)
                memcpy(info, fake_vfio.info, sizeof(*info));
        else
                memcpy(info, fake_vfio.info,
                       room < fake_vfio.info_bytes ? sizeof(*info) : fake_vfio.info_bytes);
        info->argsz = room < fake_vfio.info_bytes ? fake_vfio.info_bytes : room;
        if (room < fake_vfio.info_bytes)
                info->cap_offset = 0;
        return 0;
}

static int map(const struct vfio_iommu_type1_dma_map *map)
{
        if (fake_vfio.fail_map && !fake_vfio.good_maps)
                return refuse(fake_vfio.fail_map);
        fake_vfio.good_maps -= fake_vfio.good_maps > 0;
        if (map->flags == fake_vfio.lacks_flags)
                return refuse(EINVAL);
        for (size_t i = 0; i < fake_vfio.n_maps; i++) {
                if (map->iova < fake_vfio.maps[i].iova + fake_vfio.maps[i].size &&
                    fake_vfio.maps[i].iova < map->iova + map->size)
                        return refuse(EEXIST);
        }
        if (fake_vfio.n_maps == FAKE_VFIO_MAPS_MAX)
                return refuse(ENOSPC);
        fake_vfio.maps[fake_vfio.n_maps++] =
                (struct fake_vfio_map){ map->vaddr, map->iova, map->size, map->flags };
        if (fake_vfio.no_memory_after_map)
                heap_fail(1, 1);
        return 0;
}

static int unmap(struct vfio_iommu_type1_dma_unmap *unmap)
{
        if (fake_vfio.fail_unmap)
                return refuse(fake_vfio.fail_unmap);
        for (size_t i = 0; i < fake_vfio.n_maps && !fake_vfio.unmap_less; i++) {
                if (fake_vfio.maps[i].iova != unmap->iova || fake_vfio.maps[i].size != unmap->size)
                        continue;
                fake_vfio.maps[i] = fake_vfio.maps[--fake_vfio.n_maps];
                return 0;
        }
        unmap->size = 0;
        return 0;
}

static int answer(unsigned long request, void *argument)
{
        if (fake_vfio.no_container)
                return refuse(ENOTTY);
        switch (request) {
        case VFIO_GET_API_VERSION: return VFIO_API_VERSION;
        case VFIO_CHECK_EXTENSION: return !fake_vfio.other_type;
        case VFIO_IOMMU_GET_INFO: return get_info(argument);
        case VFIO_IOMMU_MAP_DMA: return map(argument);
        case VFIO_IOMMU_UNMAP_DMA: return unmap(argument);
        default: return refuse(ENOTTY);
        }
}

int __wrap_ioctl(int fd, unsigned long request, ...)
{
        static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
        va_list arguments;
        void *argument;
        int r;

        (void)fd;
        va_start(arguments, request);
        argument = va_arg(arguments, void *);
        va_end(arguments);
        pthread_mutex_lock(&lock);
        r = answer(request, argument);
        pthread_mutex_unlock(&lock);
        return r;
}
