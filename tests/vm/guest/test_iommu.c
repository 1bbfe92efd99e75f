/* SPDX-License-Identifier: MIT */
/*
 * Devices behind an IOMMU: the examples that drivers are copied from, with buffers that lie
 * anywhere; what else such a device can hit, which is nothing; and each refusal by the kernel's own
 * limits.
 *
 *     test_iommu USABLE EDU NVME [TRIPS]
 *
 * USABLE: what the IOMMU maps, such as "0-0xfedfffff, 0xfef00000-0x7fffffffff". EDU and NVME: the
 * addresses of devices that are bound to vfio-pci. Default: 1,000 trips.
 */
#include "edu.h"
#include "insist.h"
#include "macros.h"
#include "pard_fixture.h"
#include "process.h"
#include "told.h"

#include <errno.h>
#include <grp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <syslog.h>
#include <unistd.h>

#define REACH        (UINT64_C(1) << EDU_DMA_BITS)
#define FRAME_BYTES  (2 * MiB)
#define FRAMES       48 /* of the pool above the reach of edu */
#define BUFFER_BYTES (32 * MiB)
#define PLACE        (16 * MiB) /* where it is mapped */
#define PLACE_LAST   (PLACE + BUFFER_BYTES - 1)
#define RUNS_MIN     12
#define PAGE_BYTES   4096u
#define TEXT_BYTES   2048
#define WAIT_MS      20000 /* for frames on their way back */
#define USER         65030
#define GROUP        65001 /* of the socket */
#define MEMLOCK      (8 * MiB)
#define ENTRIES      4 /* mappings of a container, for one test */
#define ENTRY_LIMIT  "/sys/module/vfio_iommu_type1/parameters/dma_entry_limit"

/* Devices by their addresses, and one without limits of its own. */
static const char config[] =
        "backend = \"hugetlb\"\n"
        "hugepages = \"existing\"\n"
        "keep_free = \"64M\"\n"
        "group = \"65001\"\n"
        "pool \"high\" { addr_min = \"256M\" spill = yes size_min = \"96M\" }\n"
        "pool \"low\" { below = \"256M\" size_min = \"16M\" }\n"
        "device \"%s\" { dma_bits = 28 }\n"
        "device \"%s\" { dma_bits = 32 }\n"
        "device \"wide\" { dma_bits = 64 }\n";

/* What libpar warns of is a failure: it could not unmap something. */
static void be_warned(void *data, int level, const char *message)
{
        (void)data;
        if (level <= LOG_WARNING)
                die("libpar warns: %s", message);
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

static struct par_device *attach(struct par *par, const char *name, int container)
{
        struct par_device *device;

        insist(par_device_open(par, name, &device), name);
        insist(par_device_attach_vfio(device, container), "attach");
        return device;
}

/* ---- the examples --------------------------------------------------------------------------- */

static void run_edu(const char *address, const char *trips)
{
        static const char where[] = "a buffer at ";
        const char *const argv[] = { "edu_dma", address, trips, NULL };
        char said[TEXT_BYTES], right[64];
        const char *at;

        if (run_program(argv, said, sizeof(said)) != 0)
                die("edu_dma: %s", said);
        printf("%s", said);
        snprintf(right, sizeof(right), ", %s of %s trips right", trips, trips);
        at = strstr(said, where);
        if (!at || strtoull(at + sizeof(where) - 1, NULL, 16) >= REACH || !strstr(at, right))
                die("that is not what it should be");
}

/* Its registers are below 4 GiB, and no address for its data. */
static void run_nvme(const char *address)
{
        const char *const argv[] = { "nvme_io", address, "16", NULL };
        char said[TEXT_BYTES];

        if (run_program(argv, said, sizeof(said)) != 0)
                die("nvme_io: %s", said);
        printf("%s", said);
        if (!strstr(said, "16777216 bytes out of 1 segments and into 1:"))
                die("the buffers were not one piece each");
}

/* ---- what lies where ------------------------------------------------------------------------ */

/* In many places of memory, low for the device: higher, but within its reach, some memory of the
 * other pool lies, whatever the kernel. */
static struct par_buffer *scattered_buffer(struct par *par, const struct par_device *device)
{
        const struct par_constraint low = { .addr_min = PLACE, .addr_max = PLACE_LAST };
        struct par_alloc_options options = { .device = device, .wait_ms = WAIT_MS };
        const struct par_segment *segments, *runs;
        struct par_buffer *buffer;
        uint64_t lowest = UINT64_MAX;
        size_t n;

        insist(par_alloc(par, BUFFER_BYTES, &low, &options, &buffer), "scattered buffer");
        n = par_buffer_runs(buffer, &runs);
        if (par_buffer_segments(buffer, &segments) != 1 || n < RUNS_MIN || segments[0].dma != PLACE)
                die("%zu segments, %zu runs, at %#lx", par_buffer_segments(buffer, NULL), n,
                    segments[0].dma);
        for (size_t i = 0; i < n; i++) {
                if (physical_address((char *)par_buffer_data(buffer) + runs[i].offset) !=
                    runs[i].phys)
                        die("run %zu is not at %#lx", i, runs[i].phys);
                if (runs[i].phys < lowest)
                        lowest = runs[i].phys;
        }
        printf("%lu MiB in %zu places of memory, the lowest at %#lx, are one for the device, at "
               "%#lx\n",
               BUFFER_BYTES / MiB, n, lowest, segments[0].dma);
        if (lowest < REACH)
                die("some of it is within the device's reach anyway");
        return buffer;
}

/* ---- what the device cannot hit ------------------------------------------------------------- */

/* Memory that the device would reach where there is no IOMMU, and that is not mapped for it. */
static void stray_write_hits_nothing(const struct pci_device *edu, struct par *par,
                                     struct par_buffer *mapped)
{
        struct par_constraint low = { .addr_min = PLACE_LAST + 1, .addr_max = REACH - 1 };
        unsigned char *data = par_buffer_data(mapped), *bytes;
        struct par_buffer *other;

        insist(par_alloc(par, PAGE_BYTES, &low, NULL, &other), "buffer within reach");
        bytes = par_buffer_data(other);
        memset(data, 0xa5, PAGE_BYTES / 2);
        memset(data + FRAME_BYTES, 0x5a, PAGE_BYTES / 2);
        memset(bytes, 0x5a, PAGE_BYTES / 2);
        insist(edu_fetch(edu, par_buffer_dma(mapped), 0, PAGE_BYTES / 2), "fetch");
        insist(edu_store(edu, physical_address(bytes), 0, PAGE_BYTES / 2), "stray store");
        if (memcmp(bytes, data + FRAME_BYTES, PAGE_BYTES / 2) != 0)
                die("a write to %#lx, which is not mapped, hit the memory there",
                    par_buffer_dma(other));

        /* The same to where it is mapped arrives. */
        insist(edu_store(edu, par_buffer_dma(mapped) + FRAME_BYTES, 0, PAGE_BYTES / 2), "store");
        if (memcmp(data + FRAME_BYTES, data, PAGE_BYTES / 2) != 0)
                die("the device's data are not where they should be");
        printf("a write to %#lx outside the plan left the memory there as it was\n",
               par_buffer_dma(other));
        par_free(other);
}

/* ---- refusals ------------------------------------------------------------------------------- */

static void refused(struct par *par, const struct par_device *device, size_t size,
                    struct par_constraint limits, int result, const char *words)
{
        struct par_alloc_options options = { .device = device, .wait_ms = WAIT_MS };
        struct par_buffer *buffer;
        int r = par_alloc(par, size, &limits, &options, &buffer);

        printf("%s: %s\n", par_strerror(r), par_error(par));
        if (r != result || !strstr(par_error(par), words))
                die("that should have been %s, \"%s\"", par_strerror(result), words);
}

static void refusals(struct par *par, const struct par_device *edu, const struct par_device *wide,
                     const char *usable)
{
        const char *end = strrchr(usable, '-');
        const uint64_t last = end ? strtoull(end + 1, NULL, 16) : 0;

        refused(par, wide, PAGE_BYTES,
                (struct par_constraint){ .addr_min = 0xfee00000, .addr_max = 0xfee00fff },
                -PAR_NEVER_FITS, "reserved, for interrupts (msi)");
        refused(par, wide, PAGE_BYTES,
                (struct par_constraint){ .addr_min = 0xfee00000, .addr_max = 0xfeefffff },
                -PAR_NEVER_FITS, usable);
        if (last != UINT64_MAX) /* or there is no address beyond it */
                refused(par, wide, PAGE_BYTES, (struct par_constraint){ .addr_min = last + 1 },
                        -PAR_NEVER_FITS, usable);
        refused(par, edu, 512 * MiB, (struct par_constraint){ .flags = 0 }, -PAR_NEVER_FITS,
                "set by device");
}

static void set_entry_limit(unsigned limit)
{
        FILE *file = fopen(ENTRY_LIMIT, "w");

        if (!file || fprintf(file, "%u", limit) < 0 || fclose(file) != 0)
                die("%s: %s", ENTRY_LIMIT, strerror(errno));
}

/* The same by parctl, which attaches the device itself: nobody drives it now. */
static void explained(const char *const words[], const char *address, int status,
                      const char *expected)
{
        const char *argv[24] = { "parctl", "--json" };
        char output[4096];
        size_t n = 2;
        int r;

        while (*words)
                argv[n++] = *words++;
        argv[n++] = "--device";
        argv[n++] = address;
        argv[n] = "--vfio";
        r = run_program(argv, output, sizeof(output));
        printf("%s", output);
        if (r != status || !strstr(output, expected))
                die("parctl: that should have been %d, %s", status, expected);
}

#define WORDS(...) ((const char *const[]){ __VA_ARGS__, NULL })

static void explanations(const char *edu, const char *nvme)
{
        explained(WORDS("explain", "--size", "4K"), edu, 0, "\"result\": \"granted\"");
        explained(WORDS("explain", "--size", "4K", "--addr-min", "0xfee00000", "--addr-max",
                        "0xfee00fff"),
                  nvme, 3, "reserved, for interrupts (msi)");
        explained(WORDS("explain", "--size", "4K", "--addr-min", "0xfee00000", "--addr-max",
                        "0xfee00fff"),
                  nvme, 3, "\"limit\": \"addr_max\", \"limit_set_by\": \"the request\"");
        explained(WORDS("explain", "--size", "512M"), edu, 3,
                  "\"limit\": \"addr_max\", \"limit_set_by\": \"device ");
        explained(WORDS("explain", "--size", "4K", "--addr-min", "4G"), nvme, 3,
                  "\"limit\": \"addr_min\"");
        set_entry_limit(0);
        explained(WORDS("explain", "--size", "4K"), edu, 1, "\"limit\": \"dma_entry_limit\"");
        set_entry_limit(65535);
}

/* A container takes its limit from the moment when it gets an IOMMU. */
static void mapping_limit(const char *address, unsigned limit_after)
{
        struct par_alloc_options options = { .label = "one mapping each", .wait_ms = WAIT_MS };
        struct pci_device pci;
        struct par_buffer *buffer;
        struct par *par;

        set_entry_limit(ENTRIES);
        insist(pci_open(address, &pci), address);
        set_entry_limit(limit_after);
        insist(par_connect(NULL, NULL, &par), "connect");
        options.device = attach(par, address, pci.vfio.container);
        for (int i = 0; i < ENTRIES; i++)
                insist(par_alloc(par, i ? PAGE_BYTES : BUFFER_BYTES,
                                 &(struct par_constraint){ .flags = 0 }, &options, &buffer),
                       "mapping");
        refused(par, options.device, PAGE_BYTES, (struct par_constraint){ .flags = 0 }, -PAR_QUOTA,
                "4 are this connection's, one for each buffer or linked piece; there was room for "
                "4 ");
        par_free(buffer);
        insist(par_alloc(par, PAGE_BYTES, NULL, &options, &buffer), "after one was freed");
        pci_close(&pci);
        par_disconnect(par);
}

/* An ordinary user, with the limit that systemd gives. */
static void lock_limit(const char *address)
{
        const struct rlimit limit = { MEMLOCK, MEMLOCK };
        struct par_alloc_options options = { .label = "locked", .wait_ms = WAIT_MS };
        struct pci_device pci;
        struct par_buffer *buffer;
        struct par *par;

        if (setrlimit(RLIMIT_MEMLOCK, &limit) < 0 || setgroups(1, (const gid_t[]){ GROUP }) < 0 ||
            setgid(USER) < 0 || setuid(USER) < 0)
                die("user: %s", strerror(errno));
        insist(pci_open(address, &pci), address);
        insist(par_connect(NULL, NULL, &par), "connect");
        options.device = attach(par, address, pci.vfio.container);
        insist(par_alloc(par, MEMLOCK / 2, NULL, &options, &buffer), "half of the limit");
        refused(par, options.device, MEMLOCK, (struct par_constraint){ .flags = 0 }, -PAR_QUOTA,
                "RLIMIT_MEMLOCK: 8388608 bytes more than the 4194304 that are locked are above its "
                "8388608");
        par_free(buffer);
        insist(par_alloc(par, MEMLOCK, NULL, &options, &buffer), "all of the limit");
        pci_close(&pci);
        par_disconnect(par);
        explained(WORDS("alloc", "--wait", "20000", "--size", "12M"), address, 1,
                  "\"limit\": \"RLIMIT_MEMLOCK\", \"limit_set_by\": \"the process\", \"size\": "
                  "12582912, "
                  "\"free_in_window\": 8388608");
}

static void as_user(void (*run)(const char *address), const char *address)
{
        pid_t child;
        int status;

        fflush(stdout);
        child = fork();
        if (child < 0)
                die("fork: %s", strerror(errno));
        if (!child) {
                run(address);
                fflush(stdout);
                _exit(0);
        }
        if (waitpid(child, &status, 0) != child || status)
                die("the user's process ended with status %#x", status);
}

/* ---- all of it ------------------------------------------------------------------------------ */

static void drive_edu(struct par *par, const char *address, const char *usable)
{
        struct par_device *device, *wide;
        struct par_buffer *buffer;
        struct pci_device edu;

        insist(edu_open(address, &edu), address);
        device = attach(par, address, edu.vfio.container);
        wide = attach(par, "wide", edu.vfio.container);
        buffer = scattered_buffer(par, device);
        stray_write_hits_nothing(&edu, par, buffer);
        refusals(par, device, wide, usable);
        pci_close(&edu);
        par_free(buffer);
        par_device_close(device);
        par_device_close(wide);
}

int main(int argc, char **argv)
{
        struct pard_fixture pard;
        struct par_connect_options options = { .log = be_warned };
        char text[TEXT_BYTES];
        struct par *par;

        if (argc < 4)
                die("usage: test_iommu USABLE EDU NVME [TRIPS]");
        snprintf(text, sizeof(text), config, argv[2], argv[3]);
        pard_fixture_start_filled(text, &pard);
        insist(par_connect(NULL, &options, &par), "connect");
        make_holes(par);
        run_edu(argv[2], argc > 4 ? argv[4] : "1000");
        run_nvme(argv[3]);
        explanations(argv[2], argv[3]);
        drive_edu(par, argv[2], argv[1]);
        mapping_limit(argv[2], 65535);
        as_user(lock_limit, argv[2]);
        par_disconnect(par);
        pard_fixture_stop(&pard);
        return 0;
}
