/* SPDX-License-Identifier: MIT */
/* Owns the mapping of the registers and, until it is closed, the device's right to DMA. */
#include "pci.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define DEVICES        "/sys/bus/pci/devices"
#define PATH_BYTES     128
#define CONFIG_COMMAND 4 /* 16 bits */
#define COMMAND_MASTER 4 /* without it nothing moves, and no device says so */

static int open_attribute(const char *address, const char *name, int flags)
{
        char path[PATH_BYTES];
        int fd;

        snprintf(path, sizeof(path), DEVICES "/%s/%s", address, name);
        fd = open(path, flags | O_CLOEXEC);
        return fd < 0 ? -errno : fd;
}

static int write_attribute(const char *address, const char *name, const char *text)
{
        int fd = open_attribute(address, name, O_WRONLY), r = 0;

        if (fd < 0)
                return fd;
        if (write(fd, text, strlen(text)) < 0)
                r = -errno;
        close(fd);
        return r;
}

static bool is_number(const char *address, const char *name, uint16_t number)
{
        char text[16] = "";
        int fd = open_attribute(address, name, O_RDONLY);
        bool is;

        is = fd >= 0 && read(fd, text, sizeof(text) - 1) > 0 && strtoul(text, NULL, 16) == number;
        if (fd >= 0)
                close(fd);
        return is;
}

static int find(uint16_t vendor, uint16_t device, char address[static 16])
{
        DIR *directory = opendir(DEVICES);
        int r = -ENODEV;

        if (!directory)
                return -errno;
        for (struct dirent *entry; r && (entry = readdir(directory));) {
                if (strlen(entry->d_name) >= 16 || !is_number(entry->d_name, "vendor", vendor) ||
                    !is_number(entry->d_name, "device", device))
                        continue;
                strcpy(address, entry->d_name);
                r = 0;
        }
        closedir(directory);
        return r;
}

static int set_bus_master(const char *address, bool on)
{
        int fd = open_attribute(address, "config", O_RDWR), r = 0;
        uint16_t command;

        if (fd < 0)
                return fd;
        if (pread(fd, &command, sizeof(command), CONFIG_COMMAND) != sizeof(command))
                r = -EIO;
        command = (uint16_t)(on ? command | COMMAND_MASTER : command & ~COMMAND_MASTER);
        if (!r && pwrite(fd, &command, sizeof(command), CONFIG_COMMAND) != sizeof(command))
                r = -EIO;
        close(fd);
        return r;
}

static int map_registers(struct pci_device *pci)
{
        int fd = open_attribute(pci->address, "resource0", O_RDWR);
        struct stat info;
        void *map;

        if (fd < 0)
                return fd;
        if (fstat(fd, &info) < 0) {
                close(fd);
                return -EIO;
        }
        pci->register_bytes = (size_t)info.st_size;
        map = mmap(NULL, pci->register_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        close(fd);
        if (map == MAP_FAILED)
                return -ENOMEM;
        pci->registers = map;
        return 0;
}

int pci_open(uint16_t vendor, uint16_t device, struct pci_device *ret)
{
        struct pci_device pci = { 0 };
        int r;

        r = find(vendor, device, pci.address);
        if (r)
                return r;
        r = write_attribute(pci.address, "driver/unbind", pci.address);
        if (r && r != -ENOENT) /* it has none */
                return r;
        r = write_attribute(pci.address, "enable", "1");
        if (!r)
                r = map_registers(&pci);
        if (!r)
                r = set_bus_master(pci.address, true);
        if (r) {
                pci_close(&pci);
                return r;
        }
        *ret = pci;
        return 0;
}

void pci_close(struct pci_device *pci)
{
        if (!pci->registers)
                return;
        set_bus_master(pci->address, false);
        munmap((void *)pci->registers, pci->register_bytes);
        pci->registers = NULL;
}
