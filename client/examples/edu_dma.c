/* SPDX-License-Identifier: MIT */
/*
 * A driver in user space for a device that reaches 28 bits, QEMU's edu: copies from one place of a
 * buffer to another through the device, and looks at the whole buffer each time.
 *
 *     edu_dma ADDRESS [TRIPS]         such as edu_dma 0000:00:03.0 1000
 *
 * The same with an IOMMU and without one, but for one line: pci_attach().
 */
#include "edu.h"

#include <par.h>
#include <stdlib.h>

#define BUFFER_BYTES 262144u
#define TRIPS        100
#define WAIT_MS      10000 /* for memory that is on its way to pard */

/**
 * struct driver - the device and its memory
 * @device:   for its buffers; NULL without an IOMMU
 * @buffer:   what the device reads and writes
 * @data:     the same for the processor
 * @expected: what must be there; an ordinary copy
 */
struct driver {
        struct pci_device edu;
        struct par *par;
        struct par_device *device;
        struct par_buffer *buffer;
        unsigned char *data, *expected;
};

static int complain(const char *what, int r)
{
        fprintf(stderr, "%s: %s: %s\n", what, par_strerror(r), par_error(NULL));
        return r;
}

static size_t random_below(size_t bound)
{
        return (size_t)random() % bound;
}

/* Memory that the device reaches: in one piece, below 256 MiB. Behind an IOMMU that is where the
 * device sees it, wherever it lies. */
static int get_memory(struct driver *driver)
{
        struct par_constraint limits = par_constraint_for_mask(EDU_DMA_BITS);
        struct par_alloc_options options = { .device = driver->device,
                                             .label = "edu",
                                             .wait_ms = WAIT_MS };
        int r;

        r = par_alloc(driver->par, BUFFER_BYTES, &limits, &options, &driver->buffer);
        if (r)
                return complain("buffer", r);
        driver->data = par_buffer_data(driver->buffer);
        driver->expected = malloc(BUFFER_BYTES);
        if (!driver->expected)
                return complain("copy", -ENOMEM);
        for (size_t i = 0; i < BUFFER_BYTES; i++)
                driver->expected[i] = (unsigned char)random();
        memcpy(driver->data, driver->expected, BUFFER_BYTES);
        return 0;
}

/**
 * trip() - from a random place of the buffer into the device, and from there to another place
 *
 * Return: 0; -EIO where the buffer is not what it must be, anywhere; what the device says.
 */
static int trip(struct driver *driver)
{
        uint32_t bytes = 1 + (uint32_t)random_below(EDU_MAX_BYTES);
        uint32_t own = (uint32_t)random_below(EDU_BYTES - bytes + 1);
        size_t from = random_below(BUFFER_BYTES - bytes + 1);
        size_t to = random_below(BUFFER_BYTES - bytes + 1);
        uint64_t dma = par_buffer_dma(driver->buffer);
        int r;

        r = edu_fetch(&driver->edu, dma + from, own, bytes);
        if (!r)
                r = edu_store(&driver->edu, dma + to, own, bytes);
        if (r)
                return complain("transfer", r);

        memmove(driver->expected + to, driver->expected + from, bytes);
        if (memcmp(driver->data, driver->expected, BUFFER_BYTES) == 0)
                return 0;
        fprintf(stderr, "%u bytes from offset %zu to %zu: the buffer is not what it must be\n",
                bytes, from, to);
        return -EIO;
}

static int drive(struct driver *driver, const char *address, unsigned long trips)
{
        unsigned long right = 0;
        int r;

        r = edu_open(address, &driver->edu);
        if (r)
                return complain(address, r);
        r = par_connect(NULL, NULL, &driver->par);
        if (r)
                return complain("connect", r);
        r = pci_attach(&driver->edu, driver->par, &driver->device);
        if (r)
                return complain("device", r);
        r = get_memory(driver);
        while (!r && right < trips) {
                r = trip(driver);
                right += !r;
        }
        if (driver->buffer)
                printf("%s: a buffer at %#llx, %lu of %lu trips right\n", address,
                       (unsigned long long)par_buffer_dma(driver->buffer), right, trips);
        return r;
}

int main(int argc, char **argv)
{
        unsigned long trips = argc > 2 ? strtoul(argv[2], NULL, 0) : TRIPS;
        struct driver driver = { .data = NULL };
        int r;

        if (argc < 2) {
                fprintf(stderr, "usage: edu_dma ADDRESS [TRIPS]\n");
                return 2;
        }
        srandom((unsigned)getpid());
        r = drive(&driver, argv[1], trips);

        /* First the device must be quiet, then its memory goes. */
        pci_close(&driver.edu);
        par_free(driver.buffer);
        par_disconnect(driver.par);
        free(driver.expected);
        return r ? 1 : 0;
}
