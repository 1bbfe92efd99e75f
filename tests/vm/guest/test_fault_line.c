/* SPDX-License-Identifier: MIT */
/*
 * Who did this? A driver frees a buffer and forgets to stop its device, which goes on writing to
 * where the buffer was. The IOMMU stops that, and the kernel prints a line. The line, as it is,
 * asked of parctl, names the driver.
 *
 *     test_fault_line EDU     its address; it is bound to vfio-pci
 */
#include "edu.h"
#include "insist.h"
#include "macros.h"
#include "pard_fixture.h"
#include "process.h"
#include "told.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PAGE_BYTES 4096u
#define TEXT_BYTES 8192
#define LINE_BYTES 1024

static const char config[] = "backend = \"hugetlb\"\n"
                             "hugepages = \"existing\"\n"
                             "keep_free = \"64M\"\n"
                             "pool \"any\" { size_min = \"16M\" }\n"
                             "device \"capture0\" { pci = \"%s\" dma_bits = 28 }\n";

/* ---- the kernel's log ----------------------------------------------------------------------- */

/* All messages from now on. */
static int open_log(void)
{
        int log = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);

        if (log < 0 || lseek(log, 0, SEEK_END) < 0)
                die("/dev/kmsg: %s", strerror(errno));
        return log;
}

/* The next message with these words, as dmesg shows it but for its time. Waits for it: the machine
 * is ended where it does not come. */
static void await_message(int log, const char *words, char line[LINE_BYTES])
{
        char record[LINE_BYTES * 8], *text;
        ssize_t n;

        for (;;) {
                n = read(log, record, sizeof(record) - 1);
                if (n < 0 && errno == EAGAIN) {
                        poll(&(struct pollfd){ .fd = log, .events = POLLIN }, 1, -1);
                        continue;
                }
                if (n < 0)
                        die("/dev/kmsg: %s", strerror(errno));
                record[n] = '\0';
                text = strchr(record, ';'); /* priority, number, time; text */
                if (text && strstr(text, words))
                        break;
        }
        text[strcspn(text, "\n")] = '\0';
        snprintf(line, LINE_BYTES, "%s", text + 1);
        printf("the kernel says: %s\n", line);
}

/* ---- parctl --------------------------------------------------------------------------------- */

static void says(const char *said, const char *words)
{
        if (!strstr(said, words))
                die("that should say \"%s\"", words);
}

static void ask(const char *const argv[], char said[TEXT_BYTES])
{
        int status = run_program(argv, said, TEXT_BYTES);

        printf("%s", said);
        if (status)
                die("parctl ended with status %d", status);
}

/* Who has the address now, by its number. */
static void holder_is_named(const struct par_buffer *buffer, const char *label)
{
        char address[64], said[TEXT_BYTES], words[64];
        const char *const argv[] = { "parctl",   "lookup",   "--iova", address,
                                     "--device", "capture0", NULL };

        snprintf(address, sizeof(address), "%#" PRIx64, par_buffer_dma(buffer) + 8);
        ask(argv, said);
        says(said, "client   radio0");
        says(said, label);
        says(said, "offset 0x8 of 0x1000");
        snprintf(words, sizeof(words), "memory   %#" PRIx64,
                 physical_address(par_buffer_data(buffer)) + 8);
        says(said, words);
}

/* Who had it, by the line. */
static void culprit_is_named(const char *line, uint64_t dma, uint64_t phys, const char *requester)
{
        char said[TEXT_BYTES], words[128];
        const char *const argv[] = { "parctl", "lookup", line, NULL };

        ask(argv, said);
        snprintf(words, sizeof(words), "by %s, stopped by an IOMMU", requester + strlen("0000:"));
        says(said, words);
        snprintf(words, sizeof(words), "address  %#" PRIx64 ", an I/O address", dma);
        says(said, words);
        says(said, "state    not mapped");
        snprintf(words, sizeof(words), "before   radio0, pid %d, uid 0, until", (int)getpid());
        says(said, words);
        says(said, "offset 0x0 of 0x1000, \"iq-ring\"");
        snprintf(words, sizeof(words), "of device capture0 (%s)", requester);
        says(said, words);
        snprintf(words, sizeof(words), "memory %#" PRIx64, phys);
        says(said, words);
}

/* The same among all that the kernel has said since it runs. */
static void culprit_is_found_in_the_log(void)
{
        static const char *const argv[] = { "sh", "-c", "dmesg | parctl --json lookup -", NULL };
        char said[TEXT_BYTES];

        ask(argv, said);
        says(said, "\"space\": \"iova\"");
        says(said, "\"label\": \"iq-ring\"");
        says(said, "\"access\": \"write\"");
}

/* ---- the driver ----------------------------------------------------------------------------- */

static struct par_device *attach(struct par *par, int container)
{
        struct par_device *device;

        insist(par_device_open(par, "capture0", &device), "capture0");
        insist(par_device_attach_vfio(device, container), "attach");
        return device;
}

static struct par_buffer *get(struct par *par, const struct par_device *device, const char *label)
{
        struct par_alloc_options options = { .device = device, .label = label };
        struct par_buffer *buffer;

        insist(par_alloc(par, PAGE_BYTES, NULL, &options, &buffer), label);
        return buffer;
}

static void drive(struct par *par, const char *address)
{
        struct par_buffer *ring, *other;
        char line[LINE_BYTES];
        struct pci_device edu;
        struct par_device *device;
        uint64_t dma, phys;
        int log;

        insist(edu_open(address, &edu), address);
        device = attach(par, edu.vfio.container);
        ring = get(par, device, "iq-ring");
        other = get(par, device, "other");
        dma = par_buffer_dma(ring);
        phys = physical_address(par_buffer_data(ring));
        insist(edu_store(&edu, dma, 0, PAGE_BYTES / 2), "store");
        par_free(ring);
        holder_is_named(other, "\"other\"");

        log = open_log();
        insist(edu_store(&edu, dma, 0, PAGE_BYTES / 2), "store to what was freed");
        await_message(log, "fault addr", line);
        culprit_is_named(line, dma, phys, address);
        culprit_is_found_in_the_log();
        close(log);
        pci_close(&edu);
        par_free(other);
}

int main(int argc, char **argv)
{
        const struct par_connect_options options = { .client_name = "radio0" };
        struct pard_fixture pard;
        char text[LINE_BYTES];
        struct par *par;

        if (argc != 2)
                die("usage: test_fault_line EDU");
        snprintf(text, sizeof(text), config, argv[1]);
        pard_fixture_start_filled(text, &pard);
        insist(par_connect(NULL, &options, &par), "connect");
        drive(par, argv[1]);
        par_disconnect(par);
        pard_fixture_stop(&pard);
        return 0;
}
