/* SPDX-License-Identifier: MIT */
/*
 * What a large buffer costs in a VFIO container: 1 GiB in hundreds of places of memory is one
 * mapping, and the tables of the IOMMU have its large pages; mapped where that does not go, they
 * are hundreds of pages longer. And how many mappings there may be.
 *
 *     test_mappings ADDRESS     of any device that is bound to vfio-pci
 */
#include "insist.h"
#include "macros.h"
#include "pard_fixture.h"
#include "pci.h"
#include "process.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FRAME_BYTES  (2 * MiB)
#define FRAMES       1040 /* of the pool */
#define BUFFER_BYTES GiB
#define RUNS_MIN     400
#define PAGE_BYTES   4096u
#define WAIT_MS      120000
#define TEXT_BYTES   1024
#define INFO_BYTES   4096
#define ENTRIES      65535 /* dma_entry_limit, as it comes */
#define TABLE_PAGES  "nr_iommu_pages "
#define CROOKED      (UINT64_C(0x100000000) + PAGE_BYTES) /* no 2 MiB of it are a large page */

static const char config[] = "backend = \"hugetlb\"\n"
                             "hugepages = \"existing\"\n"
                             "keep_free = \"64M\"\n"
                             "pool \"any\" { size_min = \"2080M\" }\n"
                             "device \"%s\" { }\n";

/* How many mappings the container still takes. */
static unsigned room(int container)
{
        union {
                struct vfio_iommu_type1_info head;
                unsigned char bytes[INFO_BYTES];
        } info = { .head.argsz = sizeof(info) };
        struct vfio_iommu_type1_info_dma_avail found;

        if (ioctl(container, VFIO_IOMMU_GET_INFO, &info) < 0)
                die("VFIO_IOMMU_GET_INFO: %s", strerror(errno));
        for (uint32_t at = info.head.cap_offset; at; at = found.header.next) {
                memcpy(&found, info.bytes + at, sizeof(found));
                if (found.header.id == VFIO_IOMMU_TYPE1_INFO_DMA_AVAIL)
                        return found.avail;
        }
        die("VFIO does not say how many mappings it takes");
}

/* Each processor counts for itself at first; here it comes together. */
static void count_now(void)
{
        FILE *file = fopen("/proc/sys/vm/stat_refresh", "we");

        if (!file || fputs("1", file) < 0 || fclose(file) != 0)
                die("stat_refresh: %s", strerror(errno));
}

/* Pages that the kernel has for tables of IOMMUs. */
static unsigned long table_pages(void)
{
        char line[128];
        FILE *file;

        count_now();
        file = fopen("/proc/vmstat", "re");
        if (!file)
                die("vmstat: %s", strerror(errno));
        while (fgets(line, sizeof(line), file)) {
                if (strncmp(line, TABLE_PAGES, strlen(TABLE_PAGES)) == 0) {
                        fclose(file);
                        return strtoul(line + strlen(TABLE_PAGES), NULL, 10);
                }
        }
        die("the kernel does not count the pages of IOMMUs");
}

/* Every other frame is in use, so that what is free is in pieces. Never given back. */
static void make_holes(struct par *par)
{
        static struct par_buffer *frames[FRAMES];

        for (size_t i = 0; i < FRAMES; i++)
                insist(par_alloc(par, FRAME_BYTES, NULL, NULL, &frames[i]), "frame");
        for (size_t i = 0; i < FRAMES; i += 2)
                par_free(frames[i]);
}

/* ---- one large buffer ----------------------------------------------------------------------- */

static struct par_buffer *map_planned(struct par *par, struct par_device *device, int container)
{
        struct par_alloc_options options = { .device = device, .wait_ms = WAIT_MS };
        const unsigned room_before = room(container);
        const unsigned long pages_before = table_pages();
        struct par_buffer *buffer;
        unsigned long pages;
        size_t runs;

        insist(par_alloc(par, BUFFER_BYTES, NULL, &options, &buffer), "1 GiB");
        pages = table_pages() - pages_before;
        runs = par_buffer_runs(buffer, NULL);
        printf("1 GiB in %zu places, at %#lx for the device: %u mapping, %lu pages of tables\n",
               runs, par_buffer_dma(buffer), room_before - room(container), pages);
        if (runs < RUNS_MIN || par_buffer_segments(buffer, NULL) != 1)
                die("it should be in many places, and one segment");
        if (room_before != ENTRIES || room(container) != room_before - 1)
                die("it should be one mapping of %d", ENTRIES);
        if (pages > 8) /* a table for each level, and one for 512 large pages */
                die("that many are not needed for large pages");
        return buffer;
}

static int map(int container, const void *at, uint64_t iova, uint64_t bytes)
{
        struct vfio_iommu_type1_dma_map map = {
                .argsz = sizeof(map),
                .flags = VFIO_DMA_MAP_FLAG_READ | VFIO_DMA_MAP_FLAG_WRITE,
                .vaddr = (uintptr_t)at,
                .iova = iova,
                .size = bytes,
        };

        return ioctl(container, VFIO_IOMMU_MAP_DMA, &map) < 0 ? -errno : 0;
}

/* The same memory, once more, where its addresses and the device's are not alike in their lower 21
 * bits: so the figure above is one of large pages. */
static void map_crooked(const struct par_buffer *buffer, int container)
{
        const unsigned long before = table_pages();
        unsigned long pages;

        insist(map(container, par_buffer_data(buffer), CROOKED, BUFFER_BYTES), "a second mapping");
        pages = table_pages() - before;
        printf("the same at %#lx: %lu pages of tables\n", CROOKED, pages);
        if (pages < BUFFER_BYTES / FRAME_BYTES)
                die("a table for each 2 MiB was expected");
}

/* ---- many small ones ------------------------------------------------------------------------ */

static void map_all(const struct par_buffer *buffer, int container)
{
        unsigned mapped = ENTRIES - room(container);
        int r;

        while (!(r = map(container, par_buffer_data(buffer),
                         4 * GiB + 2 * BUFFER_BYTES + (uint64_t)mapped * PAGE_BYTES, PAGE_BYTES)))
                mapped++;
        printf("after %u mappings: %s\n", mapped, par_strerror(r));
        if (mapped != ENTRIES || r != -ENOSPC)
                die("%d were expected", ENTRIES);
}

static void no_more(struct par *par, struct par_device *device)
{
        struct par_alloc_options options = { .device = device, .wait_ms = WAIT_MS };
        struct par_buffer *buffer;
        int r = par_alloc(par, PAGE_BYTES, NULL, &options, &buffer);

        printf("%s: %s\n", par_strerror(r), par_error(par));
        if (r != -PAR_QUOTA || !strstr(par_error(par), "takes no more mappings: 1 are this "
                                                       "connection's"))
                die("that should have been refused with that reason");
}

int main(int argc, char **argv)
{
        struct pard_fixture pard;
        struct par_device *device;
        struct par_buffer *buffer;
        struct pci_device pci;
        char text[TEXT_BYTES];
        struct par *par;

        if (argc != 2)
                die("usage: test_mappings ADDRESS");
        snprintf(text, sizeof(text), config, argv[1]);
        pard_fixture_start_filled(text, &pard);
        insist(pci_open(argv[1], &pci), argv[1]);
        insist(par_connect(NULL, NULL, &par), "connect");
        insist(pci_attach(&pci, par, &device), "attach");
        make_holes(par);
        buffer = map_planned(par, device, pci.vfio.container);
        map_crooked(buffer, pci.vfio.container);
        map_all(buffer, pci.vfio.container);
        no_more(par, device);
        pci_close(&pci);
        par_disconnect(par);
        pard_fixture_stop(&pard);
        return 0;
}
