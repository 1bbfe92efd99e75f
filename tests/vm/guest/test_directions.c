/* SPDX-License-Identifier: MIT */
/*
 * Behind an IOMMU a device does with memory what its mapping says, whatever it is told: where it is
 * to read it cannot write, and where it is to write it cannot read. Of par_map(), and of ranges of
 * I/O addresses. A page that is mapped in each way is three pages for it.
 *
 *     test_directions EDU [readable]
 *
 * EDU is the address of a device that is bound to vfio-pci; readable: of an IOMMU where what can be
 * written may be readable, too, as Linux has it with Intel's since 5.13.
 */
#include "edu.h"
#include "insist.h"
#include "pard_fixture.h"
#include "process.h"

#include <par_dma.h>
#include <par_iova.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define PAGE_BYTES 4096u
#define BYTES      64u /* a transfer: each 4 may be a line in the kernel's log */
#define WAYS       3

static const char config[] = "backend = \"hugetlb\"\n"
                             "hugepages = \"existing\"\n"
                             "keep_free = \"64M\"\n"
                             "pool \"any\" { size_min = \"16M\" }\n"
                             "device \"%s\" { dma_bits = 28 }\n";

/* What the device may do with a page. */
static const struct way {
        const char *name;
        enum par_direction direction;
        uint32_t link_flags;
        bool reads, writes;
} ways[WAYS] = {
        { "both", PAR_BIDIRECTIONAL, 0, true, true },
        { "to the device", PAR_TO_DEVICE, PAR_IOVA_TO_DEVICE, true, false },
        { "from the device", PAR_FROM_DEVICE, PAR_IOVA_FROM_DEVICE, false, true },
};

/* struct trial - @plain: a page of malloc(); @scratch: in which the device shows what it has;
 * @readable: the IOMMU may have no pages that are only written */
struct trial {
        struct pci_device edu;
        struct par *par;
        struct par_device *device;
        struct par_buffer *scratch;
        unsigned char *plain;
        bool readable;
};

/* ---- what the device does ------------------------------------------------------------------- */

/* The device has @with in its own memory. */
static void load(const struct trial *trial, int with)
{
        memset(par_buffer_data(trial->scratch), with, BYTES);
        insist(edu_fetch(&trial->edu, par_buffer_dma(trial->scratch), 0, BYTES), "load");
}

/* What the device has in its own memory. */
static const unsigned char *own(const struct trial *trial)
{
        insist(edu_store(&trial->edu, par_buffer_dma(trial->scratch), 0, BYTES), "show");
        return par_buffer_data(trial->scratch);
}

static bool all_are(const unsigned char *at, int value, size_t bytes)
{
        for (size_t i = 0; i < bytes; i++)
                if (at[i] != value)
                        return false;
        return true;
}

/* Whether the device gets what is there, and not a byte of it where it does not. */
static bool reads(const struct trial *trial, uint64_t dma)
{
        const unsigned char *got;

        memset(trial->plain, 0xa5, PAGE_BYTES);
        load(trial, 0x11);
        insist(edu_fetch(&trial->edu, dma, 0, BYTES), "fetch");
        got = own(trial);
        if (memchr(got, 0xa5, BYTES) && !all_are(got, 0xa5, BYTES))
                die("it read some of it");
        return all_are(got, 0xa5, BYTES);
}

/* Whether the device changes what is there, and not a byte of it where it does not. */
static bool writes(const struct trial *trial, uint64_t dma)
{
        bool wrote;

        memset(trial->plain, 0xa5, PAGE_BYTES);
        load(trial, 0x5a);
        insist(edu_store(&trial->edu, dma, 0, BYTES), "store");
        wrote = all_are(trial->plain, 0x5a, BYTES);
        if (!all_are(trial->plain + (wrote ? BYTES : 0), 0xa5, PAGE_BYTES - (wrote ? BYTES : 0)))
                die("it wrote some of it, or beside it");
        return wrote;
}

static void try(const struct trial *trial, const struct way *way, uint64_t dma, const char *what)
{
        const bool read = reads(trial, dma), written = writes(trial, dma);

        printf("%s, %s: the device %s read it, and %s write it\n", what, way->name,
               read ? "can" : "cannot", written ? "can" : "cannot");
        if ((read != way->reads && !(read && trial->readable)) || written != way->writes)
                die("that is not what the mapping says");
}

/* ---- the mappings --------------------------------------------------------------------------- */

/* One after the other, and then all at once. */
static void mappings(struct trial *trial)
{
        struct par_mapping mapping[WAYS];

        for (size_t i = 0; i < WAYS; i++) {
                insist(par_map(trial->device, trial->plain, PAGE_BYTES, ways[i].direction, NULL,
                               &mapping[i]),
                       "map");
                try(trial, &ways[i], mapping[i].dma, "a mapping");
                insist(par_unmap(&mapping[i]), "unmap");
        }
        for (size_t i = 0; i < WAYS; i++)
                insist(par_map(trial->device, trial->plain, PAGE_BYTES, ways[i].direction, NULL,
                               &mapping[i]),
                       "map");
        for (size_t i = 0; i < WAYS; i++)
                try(trial, &ways[i], mapping[i].dma, "one of three of a page");
        for (size_t i = 0; i < WAYS; i++)
                insist(par_unmap(&mapping[i]), "unmap");
}

static void ranges(struct trial *trial)
{
        const struct par_sg_part part = { .memory = trial->plain, .length = PAGE_BYTES };
        struct par_iova *range;

        insist(par_iova_reserve(trial->device, WAYS * PAGE_BYTES, NULL, NULL, &range), "reserve");
        for (size_t i = 0; i < WAYS; i++)
                insist(par_iova_link(range, i * PAGE_BYTES, &part, 1, ways[i].link_flags), "link");
        insist(par_iova_sync(range), "sync");
        for (size_t i = 0; i < WAYS; i++)
                try(trial, &ways[i], par_iova_dma(range) + i * PAGE_BYTES, "a page of a range");
        par_iova_destroy(range);
}

/* Memory that is mapped before anything was written there, for reading: what is written later is
 * what the device reads. */
static void fresh_memory(struct trial *trial)
{
        unsigned char *fresh =
                mmap(NULL, PAGE_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        volatile unsigned char *seen = fresh;
        struct par_mapping mapping;

        if (fresh == MAP_FAILED || *seen) /* the page of zeroes */
                die("no memory");
        insist(par_map(trial->device, fresh, PAGE_BYTES, PAR_TO_DEVICE, NULL, &mapping), "map");
        memset(fresh, 0x77, PAGE_BYTES);
        insist(par_sync_for_device(&mapping, 0, 0), "sync");
        insist(edu_fetch(&trial->edu, mapping.dma, 0, BYTES), "fetch");
        if (!all_are(own(trial), 0x77, BYTES))
                die("the device reads what was there before");
        insist(par_unmap(&mapping), "unmap");
        munmap(fresh, PAGE_BYTES);
        printf("of fresh memory the device reads what is written later\n");
}

/* What the process itself may only read can be mapped for a device that only reads, as it lies. */
static void constant_memory(struct trial *trial)
{
        const struct par_map_options options = { .flags = PAR_MAP_NO_BOUNCE };
        unsigned char *constant =
                mmap(NULL, PAGE_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        struct par_mapping mapping;

        if (constant == MAP_FAILED)
                die("no memory");
        memset(constant, 0x33, PAGE_BYTES);
        mprotect(constant, PAGE_BYTES, PROT_READ);
        insist(par_map(trial->device, constant, PAGE_BYTES, PAR_TO_DEVICE, &options, &mapping),
               "map of constant memory");
        insist(edu_fetch(&trial->edu, mapping.dma, 0, BYTES), "fetch");
        if (!all_are(own(trial), 0x33, BYTES))
                die("the device does not read what is there");
        insist(par_unmap(&mapping), "unmap");
        munmap(constant, PAGE_BYTES);
        printf("constant memory is read where it lies\n");
}

int main(int argc, char **argv)
{
        struct par_alloc_options options = { .wait_ms = 20000 };
        struct trial trial = { .par = NULL };
        struct pard_fixture pard;
        char text[1024];

        if (argc < 2)
                die("usage: test_directions EDU [readable]");
        trial.readable = argc > 2;
        snprintf(text, sizeof(text), config, argv[1]);
        pard_fixture_start_filled(text, &pard);
        insist(edu_open(argv[1], &trial.edu), argv[1]);
        insist(par_connect(NULL, NULL, &trial.par), "connect");
        insist(pci_attach(&trial.edu, trial.par, &trial.device), "attach");
        options.device = trial.device;
        insist(par_alloc(trial.par, PAGE_BYTES, NULL, &options, &trial.scratch), "buffer");
        trial.plain = aligned_alloc(PAGE_BYTES, PAGE_BYTES);
        if (!trial.plain)
                die("no memory");
        mappings(&trial);
        ranges(&trial);
        fresh_memory(&trial);
        constant_memory(&trial);
        free(trial.plain);
        pci_close(&trial.edu);
        par_disconnect(trial.par);
        pard_fixture_stop(&pard);
        return 0;
}
