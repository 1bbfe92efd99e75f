/* SPDX-License-Identifier: MIT */
/*
 * An NVMe driver in user space: a queue for administration, one for reading and writing, one
 * command at a time. It OVERWRITES the beginning of the disk, and reads it back in other pieces.
 *
 *     nvme_io ADDRESS [MEBIBYTES]         such as nvme_io 0000:01:00.0 64
 *
 * The data lie in as many pieces as it takes; the device gets the address of each page (PRP lists).
 * The same with an IOMMU, but for one line, pci_attach(): the addresses are of its own space then,
 * and each buffer is one piece.
 */
#include "nvme.h"

#include <par.h>
#include <stdlib.h>

#define MIB (1024u * 1024u)

enum page { PAGE_ADMIN, PAGE_IO = 2, PAGE_IDENTITY = 4, PAGE_LIST, N_PAGES };

/**
 * struct driver - the controller and its memory
 * @device: for its buffers; NULL without an IOMMU
 * @memory: its queues, a page for what it says of itself, and one for lists of pages
 */
struct driver {
        struct nvme nvme;
        struct par *par;
        struct par_device *device;
        struct par_buffer *memory;
        void *identity;
        uint64_t *list, identity_dma, list_dma;
        size_t block_bytes, max_pages; /* of a command */
};

static int complain(const char *what, int r)
{
        fprintf(stderr, "%s: %s: %s\n", what, par_strerror(r), par_error(NULL));
        return r;
}

/* Pages that the controller and we share for as long as it runs, wherever they lie. */
static int get_memory(struct driver *driver)
{
        struct par_alloc_options options = { .device = driver->device, .label = "nvme queues" };
        uint64_t dma[N_PAGES];
        char *data;
        int r;

        r = par_alloc(driver->par, N_PAGES * NVME_PAGE_BYTES, NULL, &options, &driver->memory);
        if (!r)
                r = par_buffer_pages(driver->memory, 0, NVME_PAGE_BYTES, dma, N_PAGES);
        if (r)
                return r;
        data = par_buffer_data(driver->memory);
        nvme_queue_init(0, data, dma + PAGE_ADMIN, &driver->nvme.admin);
        nvme_queue_init(1, data + PAGE_IO * NVME_PAGE_BYTES, dma + PAGE_IO, &driver->nvme.io);
        driver->identity = data + PAGE_IDENTITY * NVME_PAGE_BYTES;
        driver->identity_dma = dma[PAGE_IDENTITY];
        driver->list = (void *)(data + PAGE_LIST * NVME_PAGE_BYTES);
        driver->list_dma = dma[PAGE_LIST];
        return 0;
}

static int learn_limits(struct driver *driver)
{
        const unsigned char *identity = driver->identity;
        size_t in_list = NVME_PAGE_BYTES / sizeof(*driver->list) + 1;
        unsigned order, format;
        int r;

        r = nvme_identify(&driver->nvme, NVME_IDENTIFY_SELF, 0, driver->identity_dma);
        if (r)
                return r;
        order = identity[77]; /* a power of two, in pages; 0: no limit */
        driver->max_pages = order && order < 9 ? (size_t)1 << order : in_list;

        r = nvme_identify(&driver->nvme, NVME_IDENTIFY_NAMESPACE, 1, driver->identity_dma);
        if (r)
                return r;
        format = identity[26] & 0xf;
        driver->block_bytes = (size_t)1 << identity[128 + 4 * format + 2];
        return 0;
}

/* Move @count pages, from or to a block. Return: 0; what nvme_run() returns. */
static int move_pages(struct driver *driver, uint8_t opcode, uint64_t block, const uint64_t *pages,
                      size_t count)
{
        struct nvme_command command = {
                .opcode = opcode,
                .namespace_id = 1,
                .prp1 = pages[0],
                .dword10 = (uint32_t)block,
                .dword11 = (uint32_t)(block >> 32),
                .dword12 = (uint32_t)(count * NVME_PAGE_BYTES / driver->block_bytes - 1),
        };

        if (count == 2)
                command.prp2 = pages[1];
        if (count > 2) {
                memcpy(driver->list, pages + 1, (count - 1) * sizeof(*pages));
                command.prp2 = driver->list_dma;
        }
        return nvme_run(&driver->nvme, &driver->nvme.io, &command);
}

/* All of a buffer, from the first block on, in commands of @first pages, then one more each time.
 */
static int move_buffer(struct driver *driver, uint8_t opcode, const struct par_buffer *buffer,
                       size_t first)
{
        size_t count = par_buffer_size(buffer) / NVME_PAGE_BYTES, n = first;
        uint64_t *pages = calloc(count, sizeof(*pages));
        int r;

        r = pages ? par_buffer_pages(buffer, 0, NVME_PAGE_BYTES, pages, count) : -ENOMEM;
        for (size_t done = 0; !r && done < count; done += n, n = n % driver->max_pages + 1) {
                if (n > count - done)
                        n = count - done;
                r = move_pages(driver, opcode, done * NVME_PAGE_BYTES / driver->block_bytes,
                               pages + done, n);
        }
        free(pages);
        return r;
}

static uint64_t checksum(const struct par_buffer *buffer)
{
        const uint64_t *words = par_buffer_data(buffer);
        uint64_t sum = UINT64_C(0xcbf29ce484222325);

        for (size_t i = 0; i < par_buffer_size(buffer) / sizeof(*words); i++)
                sum = (sum ^ words[i]) * UINT64_C(0x100000001b3); /* FNV-1a, a word at a time */
        return sum;
}

static int write_and_read(struct driver *driver, size_t bytes)
{
        struct par_constraint limits = { .max_segments = PAR_SEGMENTS_ANY };
        struct par_alloc_options options = { .device = driver->device,
                                             .label = "nvme data",
                                             .wait_ms = 10000 };
        struct par_buffer *out, *in = NULL;
        uint64_t written;
        int r;

        r = par_alloc(driver->par, bytes, &limits, &options, &out);
        if (!r)
                r = par_alloc(driver->par, bytes, &limits, &options, &in);
        if (r)
                return complain("buffers", r);
        for (size_t i = 0; i < bytes; i++)
                ((unsigned char *)par_buffer_data(out))[i] = (unsigned char)random();

        written = checksum(out);
        r = move_buffer(driver, NVME_WRITE, out, driver->max_pages);
        if (!r)
                r = move_buffer(driver, NVME_READ, in, 1);
        if (r)
                return complain("transfer", r);
        printf("%zu bytes out of %zu segments and into %zu: checksum written %#llx, read %#llx\n",
               bytes, par_buffer_segments(out, NULL), par_buffer_segments(in, NULL),
               (unsigned long long)written, (unsigned long long)checksum(in));
        return checksum(in) == written ? 0 : -EIO;
}

static int drive(struct driver *driver, const char *address, size_t bytes)
{
        int r;

        r = pci_open(address, &driver->nvme.pci);
        if (r)
                return complain(address, r);
        r = par_connect(NULL, NULL, &driver->par);
        if (!r)
                r = pci_attach(&driver->nvme.pci, driver->par, &driver->device);
        if (!r)
                r = get_memory(driver);
        if (r)
                return complain("memory", r);
        r = nvme_start(&driver->nvme);
        if (!r)
                r = learn_limits(driver);
        if (!r)
                r = nvme_create_io_queue(&driver->nvme);
        if (r)
                return complain(address, r);
        printf("%s: blocks of %zu bytes, at most %zu pages a command\n", address,
               driver->block_bytes, driver->max_pages);
        return write_and_read(driver, bytes);
}

int main(int argc, char **argv)
{
        size_t bytes = (argc > 2 ? strtoul(argv[2], NULL, 0) : 1) * MIB;
        struct driver driver = { .list = NULL };
        int r = -EINVAL;

        if (argc > 1 && bytes)
                r = drive(&driver, argv[1], bytes);
        else
                fprintf(stderr, "usage: nvme_io ADDRESS [MEBIBYTES]\n");

        /* First the device must be quiet, then its memory goes: par_disconnect() frees all of it.
         */
        nvme_stop(&driver.nvme);
        par_disconnect(driver.par);
        return r ? 1 : 0;
}
