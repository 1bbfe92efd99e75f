/* SPDX-License-Identifier: MIT */
/*
 * VFIO's ioctls without a kernel, for programs that are linked with --wrap=ioctl. There is one
 * container; every descriptor that is asked is it.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FAKE_VFIO_INFO_BYTES 4096
#define FAKE_VFIO_MAPS_MAX   256

struct fake_vfio_map {
        uint64_t at, iova, size;
        uint32_t flags;
};

/**
 * struct fake_vfio - the container
 * @no_container: it does not know VFIO's ioctls at all
 * @other_type:   its IOMMU is not of type 1
 * @fail_info, @fail_map, @fail_unmap: 0, or the errno of the ioctl
 * @good_maps:    so many mappings succeed before @fail_map
 * @lacks_flags:  0, or the flags with which nothing can be mapped
 * @info:         @info_bytes of an answer to VFIO_IOMMU_GET_INFO
 * @grow_info:    the answer grows each time that one asks
 * @maps:         @n_maps
 * @unmap_less:   unmapping finds nothing
 * @no_memory_after_map: the allocation that follows a mapping fails; heap_mend() ends that
 */
struct fake_vfio {
        bool no_container, other_type, grow_info, unmap_less, no_memory_after_map;
        int fail_info, fail_map, fail_unmap;
        unsigned good_maps;
        uint32_t lacks_flags, info_bytes;
        _Alignas(8) uint8_t info[FAKE_VFIO_INFO_BYTES];
        struct fake_vfio_map maps[FAKE_VFIO_MAPS_MAX];
        size_t n_maps;
};

extern struct fake_vfio fake_vfio;

/**
 * fake_vfio_init() - an Intel IOMMU, as Linux describes it
 * @cap_align: on which multiples its capabilities begin: 8, with older kernels 4
 */
void fake_vfio_init(uint32_t cap_align);
