/* SPDX-License-Identifier: MIT */
/*
 * A device that takes one address and a length, behind an IOMMU, reads and writes what lies in many
 * places of memory, of buffers and of malloc(), as one range. What is unlinked it does not reach.
 *
 *     test_iova EDU [TRIPS]     the address of a device that is bound to vfio-pci; default: 200
 */
#include "edu.h"
#include "insist.h"
#include "macros.h"
#include "pard_fixture.h"
#include "process.h"

#include <par_iova.h>
#include <par_sg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PAGE_BYTES   4096u
#define BUFFERS      4
#define BUFFER_BYTES (4 * PAGE_BYTES)
#define OWN_PAGES    6 /* of malloc(), every other one of twice as many */
#define PARTS        14
#define RANGE_BYTES  ((2 * BUFFERS + OWN_PAGES) * PAGE_BYTES)
#define STRAY_BYTES  64u /* each 4 are a line in the kernel's log */
#define WAIT_MS      20000

static const char config[] = "backend = \"hugetlb\"\n"
                             "hugepages = \"existing\"\n"
                             "keep_free = \"64M\"\n"
                             "pool \"any\" { size_min = \"32M\" }\n"
                             "device \"%s\" { dma_bits = 28 max_segments = 1 }\n";

/**
 * struct trial - the device, and memory in many places
 * @own:      of malloc()
 * @parts:    a page each of @buffers or @own, in the order in which the device sees them
 * @places:   where these are
 * @expected: what must be in them; an ordinary copy
 */
struct trial {
        struct pci_device edu;
        struct par *par;
        struct par_device *device;
        struct par_buffer *buffers[BUFFERS];
        unsigned char *own;
        struct par_sg_part parts[PARTS];
        unsigned char *places[PARTS];
        struct par_iova *range;
        unsigned char expected[RANGE_BYTES];
};

static void get_memory(struct trial *trial)
{
        struct par_alloc_options options = { .wait_ms = WAIT_MS };

        for (size_t i = 0; i < BUFFERS; i++)
                insist(par_alloc(trial->par, BUFFER_BYTES, NULL, &options, &trial->buffers[i]),
                       "buffer");
        trial->own = aligned_alloc(PAGE_BYTES, 2 * OWN_PAGES * PAGE_BYTES);
        if (!trial->own)
                die("no memory");
        memset(trial->own, 0, 2 * OWN_PAGES * PAGE_BYTES); /* so that it is there */
}

static void set_part(struct trial *trial, size_t i, const struct par_buffer *buffer, void *memory,
                     size_t page)
{
        unsigned char *base = buffer ? par_buffer_data(buffer) : memory;

        trial->parts[i] = (struct par_sg_part){ .buffer = buffer,
                                                .memory = memory,
                                                .offset = page * PAGE_BYTES,
                                                .length = PAGE_BYTES };
        trial->places[i] = base + page * PAGE_BYTES;
}

/* The first and the third page of each buffer, the last buffer first, and pages of malloc() between
 * them: no two lie side by side. */
static void scatter(struct trial *trial)
{
        size_t i = 0;

        for (size_t k = 0; k < 2 * BUFFERS; k++) {
                set_part(trial, i++, trial->buffers[BUFFERS - 1 - k / 2], NULL, 2 * (k % 2));
                if (k < OWN_PAGES)
                        set_part(trial, i++, NULL, trial->own, 2 * k);
        }
        if (i != PARTS)
                die("%zu parts", i);
        for (i = 0; i < RANGE_BYTES; i++)
                trial->expected[i] = (unsigned char)random();
        for (i = 0; i < PARTS; i++)
                memcpy(trial->places[i], trial->expected + i * PAGE_BYTES, PAGE_BYTES);
}

static void look(const struct trial *trial, const char *when)
{
        for (size_t i = 0; i < PARTS; i++) {
                if (memcmp(trial->places[i], trial->expected + i * PAGE_BYTES, PAGE_BYTES) != 0)
                        die("%s: page %zu is not what it must be", when, i);
        }
}

/* As a list the memory is far too many pieces for this device, and would not be its addresses. */
static void is_no_list(const struct trial *trial)
{
        const struct par_constraint one = { .max_segments = 1 };
        struct par_sg *list;
        int r;

        insist(par_sg_create(trial->par, &one, NULL, &list), "list");
        r = par_sg_add(list, &trial->parts[0], 1);
        if (!r)
                r = par_sg_add(list, &trial->parts[2], 1);
        printf("as a list: %s: %s\n", par_strerror(r), par_error(NULL));
        if (r != -PAR_FRAGMENTED)
                die("that should have been too many segments");
        par_sg_destroy(list);
}

static void make_range(struct trial *trial)
{
        insist(par_iova_reserve(trial->device, RANGE_BYTES, NULL, NULL, &trial->range), "reserve");
        insist(par_iova_link(trial->range, 0, trial->parts, PARTS, 0), "link");
        insist(par_iova_sync(trial->range), "sync");
        printf("%u bytes in %d places are one range at %#lx\n", RANGE_BYTES, PARTS,
               par_iova_dma(trial->range));
        if (par_iova_dma(trial->range) + RANGE_BYTES > UINT64_C(1) << EDU_DMA_BITS)
                die("the device does not reach that");
}

/* From one place of the range to another, mostly across pieces. Return: whether it was. */
static bool trip(struct trial *trial)
{
        const uint32_t bytes = 1 + (uint32_t)random() % EDU_MAX_BYTES;
        const uint32_t own = (uint32_t)random() % (EDU_BYTES - bytes + 1);
        const size_t from = (size_t)random() % (RANGE_BYTES - bytes + 1);
        const size_t to = (size_t)random() % (RANGE_BYTES - bytes + 1);
        const uint64_t dma = par_iova_dma(trial->range);

        insist(edu_fetch(&trial->edu, dma + from, own, bytes), "fetch");
        insist(edu_store(&trial->edu, dma + to, own, bytes), "store");
        memmove(trial->expected + to, trial->expected + from, bytes);
        look(trial, "after a trip");
        return to / PAGE_BYTES != (to + bytes - 1) / PAGE_BYTES;
}

/* The memory of a page is taken out; then there is another in its place. */
static void unlink_one(struct trial *trial)
{
        const size_t gone = 5;
        const uint64_t at = gone * PAGE_BYTES, dma = par_iova_dma(trial->range);
        unsigned char *other = trial->own + PAGE_BYTES;
        struct par_sg_part part = { .memory = other, .length = PAGE_BYTES };

        insist(par_iova_unlink(trial->range, at, PAGE_BYTES), "unlink");
        insist(edu_fetch(&trial->edu, dma, 0, STRAY_BYTES), "fetch");
        insist(edu_store(&trial->edu, dma + at, 0, STRAY_BYTES), "stray store");
        look(trial, "after a write to what is unlinked");
        insist(par_iova_link(trial->range, at, &part, 1, 0), "link another");
        insist(par_iova_sync(trial->range), "sync another");
        insist(edu_store(&trial->edu, dma + at, 0, STRAY_BYTES), "store");
        look(trial, "after a write to what is in its place");
        if (memcmp(other, trial->expected, STRAY_BYTES) != 0)
                die("what the device wrote is not in the memory that was linked");
        printf("what was unlinked stayed as it was, and what took its place was written\n");
}

int main(int argc, char **argv)
{
        static struct trial trial;
        struct pard_fixture pard;
        unsigned long trips = argc > 2 ? strtoul(argv[2], NULL, 0) : 200, across = 0;
        char text[1024];

        if (argc < 2)
                die("usage: test_iova EDU [TRIPS]");
        snprintf(text, sizeof(text), config, argv[1]);
        pard_fixture_start_filled(text, &pard);
        insist(edu_open(argv[1], &trial.edu), argv[1]);
        insist(par_connect(NULL, NULL, &trial.par), "connect");
        insist(pci_attach(&trial.edu, trial.par, &trial.device), "attach");
        get_memory(&trial);
        scatter(&trial);
        is_no_list(&trial);
        make_range(&trial);
        for (unsigned long i = 0; i < trips; i++)
                across += trip(&trial);
        printf("%lu of %lu trips right, %lu of them across pieces\n", trips, trips, across);
        unlink_one(&trial);
        pci_close(&trial.edu);
        par_iova_destroy(trial.range);
        par_disconnect(trial.par);
        pard_fixture_stop(&pard);
        return 0;
}
