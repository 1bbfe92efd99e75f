/* SPDX-License-Identifier: MIT */
/*
 * Owns the controller and its memory. The controller is stopped before the memory goes: until then
 * it may write to it at any moment.
 */
#include "nvme.h"

#include "nvme_queue.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

#define QEMU_VENDOR 0x1b36
#define QEMU_NVME   0x0010

#define REGISTER_CAPABILITIES  0x00
#define REGISTER_CONFIGURATION 0x14
#define REGISTER_STATUS        0x1c
#define REGISTER_ADMIN_SIZES   0x24
#define REGISTER_ADMIN_QUEUE   0x28
#define REGISTER_ADMIN_DONE    0x30

#define CONFIGURATION_ENABLE 1u
#define CONFIGURATION_SIZES  (6u << 16 | 4u << 20) /* entries of 64 and 16 bytes */
#define STATUS_READY         1u
#define READY_POLL_US        1000
#define READY_POLLS          10000

#define ADMIN_CREATE_QUEUE       1
#define ADMIN_CREATE_COMPLETIONS 5
#define ADMIN_IDENTIFY           6
#define IO_WRITE                 1
#define IO_READ                  2

#define QUEUE_CONTIGUOUS   1u
#define NAMESPACE          1u
#define IDENTIFY_NAMESPACE 0u
#define IDENTIFY_SELF      1u

enum page { PAGE_ADMIN, PAGE_IO = 2, PAGE_IDENTITY = 4, PAGE_LIST, N_PAGES };

static int enable(const struct nvme *nvme, bool on)
{
        uint32_t configuration = on ? CONFIGURATION_ENABLE | CONFIGURATION_SIZES : 0;

        pci_write32(&nvme->pci, REGISTER_CONFIGURATION, configuration);
        for (int i = 0; i < READY_POLLS; i++) {
                if ((pci_read32(&nvme->pci, REGISTER_STATUS) & STATUS_READY) == on)
                        return 0;
                usleep(READY_POLL_US);
        }
        return -ETIMEDOUT;
}

static int get_memory(struct par *par, struct nvme *nvme)
{
        uint64_t dma[N_PAGES];
        char *data;
        int r;

        r = par_alloc(par, sizeof(dma) / sizeof(*dma) * NVME_PAGE_BYTES, NULL, NULL, &nvme->memory);
        if (r)
                return r;
        r = par_buffer_pages(nvme->memory, 0, NVME_PAGE_BYTES, dma, N_PAGES);
        if (r)
                return r;
        data = par_buffer_data(nvme->memory);
        nvme_queue_init(0, data, dma + PAGE_ADMIN, &nvme->admin);
        nvme_queue_init(1, data + PAGE_IO * NVME_PAGE_BYTES, dma + PAGE_IO, &nvme->io);
        nvme->identity = data + PAGE_IDENTITY * NVME_PAGE_BYTES;
        nvme->identity_dma = dma[PAGE_IDENTITY];
        nvme->list = (void *)(data + PAGE_LIST * NVME_PAGE_BYTES);
        nvme->list_dma = dma[PAGE_LIST];
        return 0;
}

static int start(struct nvme *nvme)
{
        uint32_t size = NVME_QUEUE_ENTRIES - 1; /* counted from 0 */
        uint64_t capabilities;
        int r;

        r = enable(nvme, false);
        if (r)
                return r;
        capabilities = pci_read64(&nvme->pci, REGISTER_CAPABILITIES);
        nvme->doorbell_stride = (size_t)4 << (capabilities >> 32 & 0xf);
        pci_write32(&nvme->pci, REGISTER_ADMIN_SIZES, size << 16 | size);
        pci_write64(&nvme->pci, REGISTER_ADMIN_QUEUE, nvme->admin.commands_dma);
        pci_write64(&nvme->pci, REGISTER_ADMIN_DONE, nvme->admin.completions_dma);
        return enable(nvme, true);
}

static int identify(struct nvme *nvme, uint32_t what, uint32_t namespace_id)
{
        struct nvme_command command = {
                .opcode = ADMIN_IDENTIFY,
                .namespace_id = namespace_id,
                .prp1 = nvme->identity_dma,
                .dword10 = what,
        };

        return nvme_command_run(nvme, &nvme->admin, &command);
}

static int learn_limits(struct nvme *nvme)
{
        const unsigned char *identity = nvme->identity;
        size_t in_list = NVME_PAGE_BYTES / sizeof(*nvme->list) + 1;
        unsigned order, format;
        int r;

        r = identify(nvme, IDENTIFY_SELF, 0);
        if (r)
                return r;
        order = identity[77]; /* a power of two, in pages; 0: no limit */
        nvme->max_pages = order && order < 9 ? (size_t)1 << order : in_list;

        r = identify(nvme, IDENTIFY_NAMESPACE, NAMESPACE);
        if (r)
                return r;
        memcpy(&nvme->blocks, identity, sizeof(nvme->blocks));
        format = identity[26] & 0xf;
        nvme->block_bytes = (size_t)1 << identity[128 + 4 * format + 2];
        return 0;
}

static int create_io_queue(struct nvme *nvme)
{
        uint32_t size_and_id = (uint32_t)(NVME_QUEUE_ENTRIES - 1) << 16 | nvme->io.id;
        struct nvme_command completions = {
                .opcode = ADMIN_CREATE_COMPLETIONS,
                .prp1 = nvme->io.completions_dma,
                .dword10 = size_and_id,
                .dword11 = QUEUE_CONTIGUOUS,
        };
        struct nvme_command commands = {
                .opcode = ADMIN_CREATE_QUEUE,
                .prp1 = nvme->io.commands_dma,
                .dword10 = size_and_id,
                .dword11 = nvme->io.id << 16 | QUEUE_CONTIGUOUS,
        };
        int r;

        r = nvme_command_run(nvme, &nvme->admin, &completions);
        return r ? r : nvme_command_run(nvme, &nvme->admin, &commands);
}

int nvme_open(struct par *par, struct nvme *ret)
{
        int r;

        *ret = (struct nvme){ 0 };
        r = pci_open(QEMU_VENDOR, QEMU_NVME, &ret->pci);
        if (!r)
                r = get_memory(par, ret);
        if (!r)
                r = start(ret);
        if (!r)
                r = learn_limits(ret);
        return r ? r : create_io_queue(ret);
}

void nvme_close(struct nvme *nvme)
{
        if (nvme->pci.registers)
                enable(nvme, false);
        pci_close(&nvme->pci);
        par_free(nvme->memory);
        nvme->memory = NULL;
}

static int transfer(struct nvme *nvme, uint8_t opcode, uint64_t block, const uint64_t *pages,
                    size_t count)
{
        struct nvme_command command = {
                .opcode = opcode,
                .namespace_id = NAMESPACE,
                .dword10 = (uint32_t)block,
                .dword11 = (uint32_t)(block >> 32),
        };

        if (count < 1 || count > nvme->max_pages)
                return -EINVAL;
        command.prp1 = pages[0];
        if (count == 2)
                command.prp2 = pages[1];
        if (count > 2) {
                memcpy(nvme->list, pages + 1, (count - 1) * sizeof(*pages));
                command.prp2 = nvme->list_dma;
        }
        command.dword12 = (uint32_t)(count * NVME_PAGE_BYTES / nvme->block_bytes - 1);
        return nvme_command_run(nvme, &nvme->io, &command);
}

int nvme_read(struct nvme *nvme, uint64_t block, const uint64_t *pages, size_t count)
{
        return transfer(nvme, IO_READ, block, pages, count);
}

int nvme_write(struct nvme *nvme, uint64_t block, const uint64_t *pages, size_t count)
{
        return transfer(nvme, IO_WRITE, block, pages, count);
}
