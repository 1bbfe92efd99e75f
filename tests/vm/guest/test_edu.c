/* SPDX-License-Identifier: MIT */
/*
 * A device that reaches 28 bits: memory that lies higher gives wrong data, a buffer of pard's for
 * such a device the right data, each time. The latter is what client/examples/edu_dma.c does.
 *
 *     test_edu ADDRESS [TRIPS]        default: 1,000 into the device and out of it
 */
#include "edu.h"
#include "insist.h"
#include "macros.h"
#include "pard_fixture.h"
#include "process.h"
#include "random.h"
#include "told.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define REACH        (UINT64_C(1) << EDU_DMA_BITS)
#define BUFFER_BYTES (1 * MiB)
#define HIGH_TRIES   65536
#define PAGE_BYTES   4096u

static const char config[] = "backend = \"hugetlb\"\n"
                             "hugepages = \"existing\"\n"
                             "keep_free = \"64M\"\n"
                             "pool \"any\" { addr_min = \"256M\" spill = yes size_min = \"16M\" }\n"
                             "pool \"bits28\" { below = \"256M\" size_min = \"16M\" }\n";

/**
 * struct setup - the device, and the buffer that it can reach
 */
struct setup {
        struct pci_device edu;
        struct par *par;
        struct par_buffer *buffer;
        struct random random;
};

static void fill(struct random *random, unsigned char *at, size_t bytes)
{
        for (size_t i = 0; i < bytes; i++)
                at[i] = (unsigned char)random_below(random, 256);
}

/* Whether what the device fetches from @dma is what the processor wrote to @data. It is stored to
 * the buffer that the device can reach: it would overwrite somebody else's memory otherwise. */
static int comes_through(struct setup *setup, unsigned char *data, uint64_t dma)
{
        unsigned char *back = par_buffer_data(setup->buffer);

        fill(&setup->random, data, PAGE_BYTES / 2);
        memset(back, 0, PAGE_BYTES / 2);
        insist(edu_fetch(&setup->edu, dma, 0, PAGE_BYTES / 2), "fetch");
        insist(edu_store(&setup->edu, par_buffer_dma(setup->buffer), 0, PAGE_BYTES / 2), "store");
        return memcmp(data, back, PAGE_BYTES / 2) == 0;
}

static void malloc_fails(struct setup *setup)
{
        unsigned char *page = NULL;
        uint64_t dma = 0;

        /* Most of the machine's memory lies higher than the device reaches: one of the first. */
        for (int i = 0; i < HIGH_TRIES && dma < REACH; i++) {
                page = aligned_alloc(PAGE_BYTES, PAGE_BYTES);
                if (!page)
                        die("no memory beyond the device's reach");
                page[0] = 1;
                dma = physical_address(page);
        }
        printf("memory from malloc at %#lx: ", dma);
        if (comes_through(setup, page, dma))
                die("the device has the right data");
        printf("wrong data\n");
}

static void any_buffer_fails(struct setup *setup)
{
        struct par_buffer *any;

        insist(par_alloc(setup->par, 2 * MiB, NULL, NULL, &any), "buffer without limit");
        told_compare(any);
        printf("a hugepage without limit at %#lx: ", par_buffer_dma(any));
        if (par_buffer_dma(any) < REACH)
                die("it lies within reach");
        if (comes_through(setup, par_buffer_data(any), par_buffer_dma(any)))
                die("the device has the right data");
        printf("wrong data\n");
        par_free(any);
}

/* The example that drivers are copied from. */
static void example_succeeds(const char *address, const char *trips)
{
        const char *const argv[] = { "edu_dma", address, trips, NULL };
        uint64_t started = now_ns();
        char said[256];

        if (run_program(argv, said, sizeof(said)) != 0)
                die("edu_dma: %s", said);
        printf("%sthat took %.1f s\n", said, (double)(now_ns() - started) / 1e9);
}

int main(int argc, char **argv)
{
        struct par_constraint limits = par_constraint_for_mask(EDU_DMA_BITS);
        struct setup setup = { .random.state = 1 };
        struct pard_fixture pard;

        if (argc < 2)
                die("usage: test_edu ADDRESS [TRIPS]");
        pard_fixture_start_filled(config, &pard);
        insist(edu_open(argv[1], &setup.edu), "edu");
        insist(par_connect(NULL, NULL, &setup.par), "connect");
        insist(par_alloc(setup.par, BUFFER_BYTES, &limits, NULL, &setup.buffer), "buffer");
        told_compare(setup.buffer);

        malloc_fails(&setup);
        any_buffer_fails(&setup);
        told_print();
        pci_close(&setup.edu);
        par_disconnect(setup.par);
        example_succeeds(argv[1], argc > 2 ? argv[2] : "1000");
        pard_fixture_stop(&pard);
        return 0;
}
