/* SPDX-License-Identifier: MIT */
/*
 * A PCI device, without a kernel driver. Where it is bound to vfio-pci, it is used through VFIO,
 * behind an IOMMU. Otherwise it is through sysfs, without one: that takes root, or an administrator
 * who enables the device and hands over its files resource0 and config. Whoever has these can have
 * the device write to any memory that it reaches.
 */
#pragma once

#include "vfio.h"

#include <errno.h>
#include <fcntl.h>
#include <par.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define PCI_CONFIG_COMMAND 4 /* 16 bits */
#define PCI_COMMAND_MASTER 4 /* without it nothing moves, and no device says so */

/**
 * struct pci_device - one device with its first register window mapped
 * @address:        such as "0000:00:03.0"
 * @registers:      BAR 0; NULL: not open
 * @register_bytes: its size
 * @behind_iommu:   it is used through @vfio
 */
struct pci_device {
        char address[16];
        volatile unsigned char *registers;
        size_t register_bytes;
        bool behind_iommu;
        struct vfio_device vfio;
};

/* Open a file of the device in sysfs. Return: a descriptor; -errno. */
static inline int pci_open_file(const struct pci_device *pci, const char *name, int flags)
{
        char path[128];
        int fd;

        snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/%s", pci->address, name);
        fd = open(path, flags | O_CLOEXEC);
        return fd < 0 ? -errno : fd;
}

/* Write to a file of the device in sysfs. Return: 0; -errno. */
static inline int pci_write_file(const struct pci_device *pci, const char *name, const char *text)
{
        int fd = pci_open_file(pci, name, O_WRONLY), r = 0;

        if (fd < 0)
                return fd;
        if (write(fd, text, strlen(text)) < 0)
                r = -errno;
        close(fd);
        return r;
}

/* In the configuration space at @offset of @fd. */
static inline int pci_write_master(int fd, uint64_t offset, bool on)
{
        const off_t at = (off_t)(offset + PCI_CONFIG_COMMAND);
        uint16_t command;

        if (pread(fd, &command, sizeof(command), at) != sizeof(command))
                return -EIO;
        command = (uint16_t)(on ? command | PCI_COMMAND_MASTER : command & ~PCI_COMMAND_MASTER);
        return pwrite(fd, &command, sizeof(command), at) == sizeof(command) ? 0 : -EIO;
}

/* Let the device do DMA, or forbid it. Return: 0; -errno. */
static inline int pci_set_master(const struct pci_device *pci, bool on)
{
        int fd, r;

        if (pci->behind_iommu)
                return pci_write_master(pci->vfio.device, pci->vfio.config_offset, on);
        fd = pci_open_file(pci, "config", O_RDWR);
        if (fd < 0)
                return fd;
        r = pci_write_master(fd, 0, on);
        close(fd);
        return r;
}

/* Map the register window. Return: 0; -errno. */
static inline int pci_map(struct pci_device *pci)
{
        int fd = pci_open_file(pci, "resource0", O_RDWR), r = 0;
        struct stat info;
        void *map;

        if (fd < 0)
                return fd;
        if (fstat(fd, &info) < 0)
                info.st_size = 0; /* which no mapping can have */
        map = mmap(NULL, (size_t)info.st_size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        if (map == MAP_FAILED)
                r = -errno;
        close(fd);
        if (r)
                return r;
        pci->registers = map;
        pci->register_bytes = (size_t)info.st_size;
        return 0;
}

/* No more DMA, and no registers; a zeroed struct is fine. */
static inline void pci_close(struct pci_device *pci)
{
        if (!pci->registers)
                return;
        (void)pci_set_master(pci, false);
        munmap((void *)pci->registers, pci->register_bytes);
        pci->registers = NULL;
        if (pci->behind_iommu)
                vfio_close(&pci->vfio);
}

/* Whether an administrator has given the device to VFIO. */
static inline bool pci_is_vfio(const struct pci_device *pci)
{
        char path[128], target[256];
        ssize_t bytes;

        snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/driver", pci->address);
        bytes = readlink(path, target, sizeof(target) - 1);
        if (bytes < 0)
                return false;
        target[bytes] = '\0';
        return !strcmp(strrchr(target, '/') + 1, "vfio-pci");
}

static inline int pci_open_vfio(struct pci_device *pci)
{
        void *registers = NULL;
        int r;

        pci->behind_iommu = true;
        r = vfio_open(pci->address, &pci->vfio);
        if (!r)
                r = vfio_map(&pci->vfio, &registers, &pci->register_bytes);
        if (r)
                vfio_close(&pci->vfio);
        else
                pci->registers = registers;
        return r;
}

/* A kernel driver is unbound; it stays so. */
static inline int pci_open_sysfs(struct pci_device *pci)
{
        int r;

        r = pci_write_file(pci, "driver/unbind", pci->address);
        if (r && r != -ENOENT) /* it has none */
                return r;
        r = pci_write_file(pci, "enable", "1");
        if (r && r != -EACCES && r != -EPERM) /* the administrator has done it */
                return r;
        return pci_map(pci);
}

/**
 * pci_open() - take a device from the kernel, and let it do DMA
 * @address: such as "0000:00:03.0"
 * @ret:     pci_close() it, also on failure
 *
 * Return: 0; negative errno.
 */
static inline int pci_open(const char *address, struct pci_device *ret)
{
        int r;

        *ret = (struct pci_device){ .registers = NULL };
        snprintf(ret->address, sizeof(ret->address), "%s", address);
        r = pci_is_vfio(ret) ? pci_open_vfio(ret) : pci_open_sysfs(ret);
        return r ? r : pci_set_master(ret, true);
}

/**
 * pci_attach() - have the buffers of a device mapped for it, where it is behind an IOMMU
 * @pci: opened; pard's configuration lists its address
 * @par: the connection
 * @ret: for par_alloc_options; NULL without an IOMMU: the device takes physical addresses then
 *
 * Return: 0; what libpar returns.
 */
static inline int pci_attach(const struct pci_device *pci, struct par *par, struct par_device **ret)
{
        int r;

        *ret = NULL;
        if (!pci->behind_iommu)
                return 0;
        r = par_device_open(par, pci->address, ret);
        return r ? r : par_device_attach_vfio(*ret, pci->vfio.container);
}

/* Registers, little-endian as the processor is. */
static inline uint32_t pci_read32(const struct pci_device *pci, size_t at)
{
        return *(const volatile uint32_t *)(pci->registers + at);
}

static inline uint64_t pci_read64(const struct pci_device *pci, size_t at)
{
        return *(const volatile uint64_t *)(pci->registers + at);
}

static inline void pci_write32(const struct pci_device *pci, size_t at, uint32_t value)
{
        *(volatile uint32_t *)(pci->registers + at) = value;
}

static inline void pci_write64(const struct pci_device *pci, size_t at, uint64_t value)
{
        *(volatile uint64_t *)(pci->registers + at) = value;
}
