/* SPDX-License-Identifier: MIT */
/* Owns nothing. The device takes 100 ms for any transfer, so whoever waits for it sleeps. */
#include "edu.h"

#include <errno.h>
#include <unistd.h>

#define EDU_VENDOR 0x1234
#define EDU_DEVICE 0x11e8

/* Registers, and where its own memory is for its engine. */
#define REGISTER_SOURCE  0x80
#define REGISTER_TARGET  0x88
#define REGISTER_BYTES   0x90
#define REGISTER_COMMAND 0x98
#define OWN_MEMORY       0x40000

#define COMMAND_START 1 /* stays set until it is done */
#define COMMAND_STORE 2 /* from its own memory to the machine's */

#define TRANSFER_US 100000
#define POLL_US     1000
#define POLLS       900

int edu_open(struct pci_device *ret)
{
        return pci_open(EDU_VENDOR, EDU_DEVICE, ret);
}

static int transfer(const struct pci_device *edu, uint64_t source, uint64_t target, uint32_t bytes,
                    uint32_t direction)
{
        pci_write64(edu, REGISTER_SOURCE, source);
        pci_write64(edu, REGISTER_TARGET, target);
        pci_write64(edu, REGISTER_BYTES, bytes);
        pci_write64(edu, REGISTER_COMMAND, COMMAND_START | direction);
        usleep(TRANSFER_US);
        for (int i = 0; i < POLLS; i++) {
                if (!(pci_read64(edu, REGISTER_COMMAND) & COMMAND_START))
                        return 0;
                usleep(POLL_US);
        }
        return -ETIMEDOUT;
}

static int fits(uint32_t offset, uint32_t bytes)
{
        return bytes > 0 && bytes <= EDU_MAX_BYTES && offset <= EDU_BYTES - bytes;
}

int edu_fetch(const struct pci_device *edu, uint64_t dma, uint32_t offset, uint32_t bytes)
{
        return fits(offset, bytes) ? transfer(edu, dma, OWN_MEMORY + offset, bytes, 0) : -EINVAL;
}

int edu_store(const struct pci_device *edu, uint64_t dma, uint32_t offset, uint32_t bytes)
{
        return fits(offset, bytes) ? transfer(edu, OWN_MEMORY + offset, dma, bytes, COMMAND_STORE)
                                   : -EINVAL;
}
