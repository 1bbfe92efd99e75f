/* SPDX-License-Identifier: MIT */
/*
 * parctl lookup of I/O addresses, and of lines of IOMMU faults: what it makes of what clients told
 * a real daemon, as text and as JSON. On invented memory, without an IOMMU: pard cannot tell.
 */
#include "macros.h"
#include "pard_fixture.h"
#include "process.h"
#include "wire_client.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PAGE_BYTES 4096u
#define TEXT_BYTES 16384

static const char config[] =
        "backend = \"sim\"\n"
        "sim { extent \"high\" { first = \"4G\" size = \"64M\" page_size = \"2M\" } }\n"
        "pool \"any\" { size_min = \"16M\" reuse_delay = \"0\" }\n";

#define INTEL(device, address)                                                       \
        "DMAR: [DMA Write NO_PASID] Request device [" device "] fault addr " address \
        " [fault reason 0x05] PTE Write access is not set"

/* ---- clients -------------------------------------------------------------------------------- */

/* Return: the buffer's number. */
static uint64_t get(struct wire_client *client, const char *label, uint64_t *ret_phys)
{
        Wire__Request request = WIRE__REQUEST__INIT;
        Wire__Alloc alloc = WIRE__ALLOC__INIT;
        const Wire__Reply *reply;

        alloc.size = 2 * PAGE_BYTES;
        alloc.label = (char *)(uintptr_t)label;
        request.body_case = WIRE__REQUEST__BODY_ALLOC;
        request.alloc = &alloc;
        reply = wire_client_ask(client, &request);
        if (reply->result)
                die("%s: %s", label, reply->refusal->sentence);
        *ret_phys = reply->alloc->extents->segments[0]->phys;
        return reply->alloc->buffer;
}

static void tell(struct wire_client *client, uint64_t buffer, const char *device, uint64_t iova)
{
        Wire__Request request = WIRE__REQUEST__INIT;
        Wire__Mapped mapped = WIRE__MAPPED__INIT;
        Wire__IoPart part = WIRE__IO_PART__INIT, *parts = &part;
        const Wire__Reply *reply;

        part.iova = iova;
        part.length = 2 * PAGE_BYTES;
        mapped.buffer = buffer;
        mapped.space = 1;
        mapped.device = (char *)(uintptr_t)device;
        mapped.parts = &parts;
        mapped.n_parts = 1;
        request.body_case = WIRE__REQUEST__BODY_MAPPED;
        request.mapped = &mapped;
        reply = wire_client_ask(client, &request);
        if (reply->result)
                die("%s: %s", device, reply->refusal->sentence);
}

static void give_back(struct wire_client *client, uint64_t buffer)
{
        Wire__Request request = WIRE__REQUEST__INIT;
        Wire__Free body = WIRE__FREE__INIT;

        body.buffer = buffer;
        request.body_case = WIRE__REQUEST__BODY_FREE;
        request.free = &body;
        if (wire_client_ask(client, &request)->result)
                die("free");
}

/* ---- parctl --------------------------------------------------------------------------------- */

#define WORDS_MAX 12

/* A run of parctl lookup: what it says, in any order, and must not say. */
struct run {
        const char *name;
        const char *arguments[6];
        int status;
        const char *says[WORDS_MAX], *not [3];
};

static void try(const struct run *run)
{
        const char *argv[10] = { "parctl" };
        char said[TEXT_BYTES];
        size_t n = 1;
        int status;

        for (size_t i = 0; i < ARRAY_SIZE(run->arguments) && run->arguments[i]; i++)
                argv[n++] = run->arguments[i];
        status = run_program(argv, said, sizeof(said));
        printf("-- %s:\n%s", run->name, said);
        if (status != run->status)
                die("%s: status %d", run->name, status);
        for (size_t i = 0; i < WORDS_MAX && run->says[i]; i++)
                if (!strstr(said, run->says[i]))
                        die("%s: it does not say \"%s\"", run->name, run->says[i]);
        for (size_t i = 0; i < ARRAY_SIZE(run->not ) && run->not [i]; i++)
                if (strstr(said, run->not [i]))
                        die("%s: it says \"%s\"", run->name, run->not [i]);
}

static const struct run runs[] = {
        { "an I/O address",
          { "lookup", "iova:0x11010" },
          0,
          { "address  0x11010, an I/O address: as clients have told", "state    granted",
            "mapped   0x10000 to 0x11fff of device 0000:03:00.0\n", "offset 0x1010 of 0x2000",
            "\"iq-ring\"", "client   radio0, pid ", "mapped   0x11000 to 0x12fff of device disk\n",
            "\"queue\"", "client   bench, pid " },
          { "note", "before" } },
        { "of one device",
          { "lookup", "--iova", "--device", "disk", "0x11010" },
          0,
          { "\"queue\"" },
          { "iq-ring" } },
        { "of one device by its PCI address",
          { "lookup", "--iova", "--device=03:00.0", "0x11010" },
          0,
          { "\"iq-ring\"" },
          { "queue" } },
        { "a name that a terminal would obey",
          { "lookup", "iova:0x20000" },
          0,
          { "of device ?[2J", "\"?[31m\"" },
          { "\033" } },
        { "of no device",
          { "lookup", "--iova", "--device", "other", "0x11010" },
          0,
          { "note     nobody has told of it for this device; for others:", "iq-ring", "queue" },
          { NULL } },
        { "nobody's",
          { "lookup", "--iova", "0x30000" },
          0,
          { "state    not mapped, as far as clients have told" },
          { "client ", "before" } },
        { "a fault where a buffer is",
          { "lookup", INTEL("03:00.0", "0x11000") },
          0,
          { "fault    a write by 03:00.0, stopped by an IOMMU (Intel)\naddress  0x11000, an I/O",
            "offset 0x1000 of 0x2000, \"iq-ring\"" },
          { "queue", "physical" } },
        { "a fault where a buffer was",
          { "lookup", "[ 1.2] vfio-pci 0000:04:00.0: AMD-Vi: Event logged [IO_PAGE_FAULT "
                      "domain=0x0001 address=0x40008 flags=0x0020]" },
          0,
          { "fault    a DMA by 0000:04:00.0, stopped by an IOMMU (AMD)", "state    not mapped",
            "before   radio0, pid ", ", until 20", "offset 0x8 of 0x2000, \"gone\"",
            "mapped 0x40000 to 0x41fff of device 0000:04:00.0", "memory 0x10" },
          { "physical", "iq-ring" } },
        { "a fault of a device that nobody told of",
          { "lookup", INTEL("05:00.0", "0x11000") },
          0,
          { "nobody has told of it for this device; for others:", "iq-ring", "queue" },
          { "physical" } },
        { "a fault with a PASID",
          { "lookup", "DMAR: [DMA Read PASID 0x1f] Request device [03:00.0] fault addr 0x11000 [" },
          0,
          { "fault    a read by 03:00.0", "note     it was of PASID 0x1f, ", "iq-ring" },
          { NULL } },
        { "JSON",
          { "--json", "lookup", INTEL("03:00.0", "0x11000") },
          0,
          { "\"address\": \"0x11000\"", "\"space\": \"iova\"", "\"label\": \"iq-ring\"",
            "\"client\": \"radio0\"", "\"device\": \"0000:03:00.0\"", "\"pci\": \"0000:03:00.0\"",
            "\"first\": \"0x10000\"", "\"previous\": []", "\"fault\": {\"iommu\": \"Intel\"",
            "\"requester\": \"03:00.0\"", "\"access\": \"write\"", "\"pasid\": null" },
          { "queue" } },
        { "JSON of several",
          { "--json", "lookup", "iova:0x11010" },
          0,
          { "\"others\": [{", "\"fault\": null", "\"other_devices\": false", "\"more\": false" },
          { NULL } },
        { "a physical address has no device",
          { "lookup", "--device", "disk", "0x1000" },
          2,
          { NULL },
          { NULL } },
        { "no address", { "lookup", "iova:here" }, 2, { NULL }, { NULL } },
        { "a line without a fault",
          { "lookup", "DMAR: DRHD: handling fault status reg 2" },
          2,
          { NULL },
          { NULL } },
};

/* The driver has given its device a physical address, which the IOMMU does not know. */
static void try_physical(uint64_t phys)
{
        char line[256], words[64];
        const struct run run = {
                .name = "a fault at a physical address",
                .arguments = { "lookup", line },
                .says = { "state    not mapped, as far as clients have told", words, "\"plain\"" },
        };

        snprintf(line, sizeof(line), INTEL("06:00.0", "0x%" PRIx64), phys);
        snprintf(words, sizeof(words), "address  0x%" PRIx64 ", taken as a physical one", phys);
        try(&run);
}

/* What parctl has on its standard input from now on. */
static void set_input(const char *text)
{
        int pipe_fds[2];

        if (pipe(pipe_fds) || write(pipe_fds[1], text, strlen(text)) != (ssize_t)strlen(text) ||
            dup2(pipe_fds[0], STDIN_FILENO) < 0 || close(pipe_fds[0]) || close(pipe_fds[1]))
                die("input");
}

/* As dmesg prints it, lines of all kinds. */
static void try_log(void)
{
        static const struct run faults = {
                .name = "a log",
                .arguments = { "lookup", "-" },
                .says = { "fault    a write by 03:00.0", "\"iq-ring\"",
                          "\n\nfault    a write by 04:00.0", "\"gone\"" },
        };
        static const struct run none = {
                .name = "a log without a fault",
                .arguments = { "lookup", "-" },
                .status = 2,
        };

        set_input("[ 0.1] Linux version 6.12\n"
                  "[ 1.1] DMAR: DRHD: handling fault status reg 2\n"
                  "[ 1.2] " INTEL("03:00.0",
                                  "0x10000") "\n"
                                             "[ 1.3] " INTEL(
                                                     "04:00.0",
                                                     "0x40000")); /* cut off: the end of a log */
        try(&faults);
        set_input("[ 0.1] Linux version 6.12\n");
        try(&none);
}

int main(void)
{
        struct wire_client radio, bench;
        struct pard_fixture pard;
        uint64_t phys, gone;

        pard_fixture_start_filled(config, &pard);
        wire_client_open(pard.socket, "radio0", &radio);
        wire_client_open(pard.socket, "bench", &bench);
        tell(&radio, get(&radio, "iq-ring", &phys), "0000:03:00.0", 0x10000);
        tell(&bench, get(&bench, "queue", &phys), "disk", 0x11000);
        tell(&bench, get(&bench, "\033[31m", &phys), "\033[2J", 0x20000);
        gone = get(&radio, "gone", &phys);
        tell(&radio, gone, "0000:04:00.0", 0x40000);
        give_back(&radio, gone);
        get(&bench, "plain", &phys);

        for (size_t i = 0; i < ARRAY_SIZE(runs); i++)
                try(&runs[i]);
        try_physical(phys);
        try_log();
        wire_client_close(&radio);
        wire_client_close(&bench);
        pard_fixture_stop(&pard);
        return 0;
}
