/* SPDX-License-Identifier: MIT */
/*
 * Memory of malloc() through par_map() and a device that reaches 28 bits, and back: right data,
 * each time. It is bounced, and counted, unless an IOMMU maps it; memory of pard's never is. The
 * device's registers are refused, and are mapped as what they are.
 *
 *     test_map ADDRESS [TRIPS]        default: 1,000 of either memory
 */
#include "edu.h"
#include "insist.h"
#include "pard_fixture.h"
#include "process.h"
#include "random.h"

#include <par_dma.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MEMORY_BYTES 65536u

static const char config[] = "backend = \"hugetlb\"\n"
                             "hugepages = \"existing\"\n"
                             "keep_free = \"64M\"\n"
                             "pool \"any\" { addr_min = \"256M\" spill = yes size_min = \"16M\" }\n"
                             "pool \"bits28\" { below = \"256M\" size_min = \"16M\" }\n"
                             "device \"wide\" {}\n"
                             "device \"%s\" { dma_bits = 28 }\n";

/* struct setup - the device, and how much was mapped for it */
struct setup {
        struct pci_device edu;
        struct par *par;
        struct par_device *device, *wide;
        struct random random;
        uint64_t mapped, bytes_to, bytes_from;
};

static void begin(struct setup *setup, const char *address)
{
        insist(edu_open(address, &setup->edu), "edu");
        insist(par_connect(NULL, NULL, &setup->par), "connect");
        insist(par_device_open(setup->par, address, &setup->device), "device");
        insist(par_device_open(setup->par, "wide", &setup->wide), "wide");
        if (setup->edu.behind_iommu) {
                insist(par_device_attach_vfio(setup->device, setup->edu.vfio.container), "attach");
                insist(par_device_attach_vfio(setup->wide, setup->edu.vfio.container), "attach");
        }
}

/* ---- data ----------------------------------------------------------------------------------- */

static void to_device(struct setup *setup, unsigned char *from, uint32_t own, uint32_t bytes)
{
        struct par_mapping mapping;

        insist(par_map(setup->device, from, bytes, PAR_TO_DEVICE, NULL, &mapping), "map");
        insist(edu_fetch(&setup->edu, mapping.dma, own, bytes), "fetch");
        insist(par_unmap(&mapping), "unmap");
        setup->bytes_to += bytes;
}

/* By turns at once, and by hand. */
static void from_device(struct setup *setup, unsigned char *to, uint32_t own, uint32_t bytes,
                        bool by_hand)
{
        const struct par_map_options options = { .flags = PAR_MAP_SKIP_SYNC };
        struct par_mapping mapping;

        insist(par_map(setup->device, to, bytes, PAR_FROM_DEVICE, by_hand ? &options : NULL,
                       &mapping),
               "map");
        insist(edu_store(&setup->edu, mapping.dma, own, bytes), "store");
        if (by_hand)
                insist(par_sync_for_cpu(&mapping, 0, 0), "sync");
        insist(par_unmap(&mapping), "unmap");
        setup->bytes_from += bytes;
        setup->bytes_to += by_hand ? 0 : bytes; /* what the device leaves has to stay */
}

/* From a random place of @from into the device, and from there to one of @to. */
static bool trip(struct setup *setup, unsigned char *from, unsigned char *to, bool by_hand)
{
        static unsigned char expected[MEMORY_BYTES];
        struct random *random = &setup->random;
        const uint32_t bytes = 1 + (uint32_t)random_below(random, EDU_MAX_BYTES);
        const uint32_t own = (uint32_t)random_below(random, EDU_BYTES - bytes + 1);
        const size_t source = random_below(random, MEMORY_BYTES - bytes + 1);
        const size_t target = random_below(random, MEMORY_BYTES - bytes + 1);

        for (uint32_t i = 0; i < bytes; i++)
                from[source + i] = (unsigned char)random_below(random, 256);
        memcpy(expected, to, MEMORY_BYTES);
        memcpy(expected + target, from + source, bytes);
        to_device(setup, from + source, own, bytes);
        from_device(setup, to + target, own, bytes, by_hand);
        setup->mapped += 2;
        return memcmp(to, expected, MEMORY_BYTES) == 0;
}

static void trips(struct setup *setup, const char *what, unsigned char *from, unsigned char *to,
                  unsigned long count)
{
        unsigned long right = 0;

        for (unsigned long i = 0; i < count; i++)
                right += trip(setup, from, to, i & 1);
        printf("%s: %lu of %lu right, in both directions\n", what, right, count);
        if (right != count)
                die("wrong data");
}

static struct par_map_stats stats_of(struct par_device *device)
{
        struct par_map_stats stats;

        insist(par_map_stats(device, &stats), "statistics");
        return stats;
}

static void expect(uint64_t is, uint64_t wanted, const char *what)
{
        if (is != wanted)
                die("%s: %lu, not %lu", what, is, wanted);
}

static void plain_memory(struct setup *setup, unsigned long count)
{
        unsigned char *from = calloc(1, MEMORY_BYTES), *to = calloc(1, MEMORY_BYTES);
        const bool bounces = !setup->edu.behind_iommu;
        struct par_map_stats stats;

        trips(setup, "memory of malloc()", from, to, count);
        stats = stats_of(setup->device);
        printf("  %lu bounced, %lu bytes in and %lu back; %lu mapped in the IOMMU\n", stats.bounces,
               stats.bytes_in, stats.bytes_out, stats.iommu_maps);
        expect(stats.bounces, bounces ? setup->mapped : 0, "bounces");
        expect(stats.bytes_in, bounces ? setup->bytes_to : 0, "bytes in");
        expect(stats.bytes_out, bounces ? setup->bytes_from : 0, "bytes back");
        expect(stats.iommu_maps + stats.iommu_shared, bounces ? 0 : setup->mapped, "IOMMU");
        free(from);
        free(to);
}

static void memory_of_pard(struct setup *setup, unsigned long count)
{
        const struct par_alloc_options options = { .device = setup->device };
        const uint64_t before = stats_of(setup->device).bounces;
        const uint64_t maps_before = stats_of(setup->device).iommu_maps;
        struct par_buffer *from, *to;

        insist(par_alloc(setup->par, MEMORY_BYTES, NULL, &options, &from), "buffer");
        insist(par_alloc(setup->par, MEMORY_BYTES, NULL, &options, &to), "buffer");
        trips(setup, "memory of pard's", par_buffer_data(from), par_buffer_data(to), count);
        expect(stats_of(setup->device).bounces, before, "bounces of pard's memory");
        expect(stats_of(setup->device).iommu_maps, maps_before, "mappings of pard's memory");
        printf("  none bounced\n");
        par_free(from);
        par_free(to);
}

/* ---- registers ------------------------------------------------------------------------------ */

/* The address of BAR 0, by sysfs. */
static uint64_t bar_of(const char *address)
{
        char path[128], line[128];
        FILE *file;

        snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/resource", address);
        file = fopen(path, "re");
        if (!file || !fgets(line, sizeof(line), file))
                die("%s", path);
        fclose(file);
        return strtoull(line, NULL, 16);
}

static void registers(struct setup *setup, const char *address)
{
        const volatile void *at = setup->edu.registers + 0x20;
        struct par_mapping mapping;
        int r;

        /* They were mapped before anything was bounced. */
        r = par_map(setup->wide, (const void *)(uintptr_t)at, 4, PAR_TO_DEVICE, NULL, &mapping);
        printf("registers through par_map(): %s\n", par_error(NULL));
        if (r != -PAR_INVALID)
                die("not refused: %s", par_strerror(r));
        insist(par_map_resource(setup->wide, at, 4, PAR_TO_DEVICE, NULL, &mapping), "resource");
        printf("registers through par_map_resource(): %#lx\n", mapping.dma);
        if (!setup->edu.behind_iommu)
                expect(mapping.dma, bar_of(address) + 0x20, "address of the registers");
        insist(par_unmap(&mapping), "unmap");
        if (setup->edu.behind_iommu)
                return;
        r = par_map_resource(setup->device, at, 4, PAR_TO_DEVICE, NULL, &mapping);
        if (r != -PAR_NEVER_FITS)
                die("28 bits reach the registers: %s", par_strerror(r));
        printf("and for 28 bits: %s\n", par_error(NULL));
}

int main(int argc, char **argv)
{
        struct setup setup = { .random.state = 1 };
        struct pard_fixture pard;
        unsigned long count;
        char text[1024];

        if (argc < 2)
                die("usage: test_map ADDRESS [TRIPS]");
        count = argc > 2 ? strtoul(argv[2], NULL, 0) : 1000;
        snprintf(text, sizeof(text), config, argv[1]);
        pard_fixture_start_filled(text, &pard);
        begin(&setup, argv[1]);
        registers(&setup, argv[1]);
        plain_memory(&setup, count);
        memory_of_pard(&setup, count);
        pci_close(&setup.edu);
        par_disconnect(setup.par);
        pard_fixture_stop(&pard);
        return 0;
}
