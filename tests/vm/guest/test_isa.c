/* SPDX-License-Identifier: MIT */
/*
 * A device that reaches 24 bits, and memory that was carved out for it below 16 MiB: a request for
 * the device finds it, the data is right each time, and what one client had another gets clean, and
 * not as long as the first keeps it in a pipe.
 *
 *     test_isa ADDRESS [TRANSFERS]     of the device; default: 1,000 out of the buffer and back
 * into it
 */
#include "edu.h"
#include "insist.h"
#include "macros.h"
#include "pard_fixture.h"
#include "process.h"
#include "random.h"
#include "told.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#define REACH        (16 * MiB)
#define PAGE_BYTES   4096u
#define BUFFER_BYTES (64 * KiB)
#define LARGE_BYTES  (512 * KiB)
#define BUFFERS_MAX  4096
#define WAIT_MS      10000

static const char config[] = "backend = \"hugetlb\"\n"
                             "hugepages = \"existing\"\n"
                             "keep_free = \"64M\"\n"
                             "carveout = { \"/mnt/carveout\" }\n"
                             "pool \"any\" { size_min = \"16M\" }\n"
                             "pool \"isa\" { source = \"carveout\" below = \"16M\" size_min = "
                             "\"800K\" reuse_delay = \"0\" }\n"
                             "device \"isa0\" { dma_bits = 24 boundary = \"64K\" }\n";

/**
 * struct setup - the device in this machine, and as pard knows it
 */
struct setup {
        struct pci_device edu;
        struct par *par;
        struct par_device *isa0;
        struct random random;
};

static struct par_buffer *allocate(struct setup *setup, size_t bytes)
{
        const struct par_alloc_options options = { .device = setup->isa0, .wait_ms = WAIT_MS };
        struct par_buffer *buffer;

        insist(par_alloc(setup->par, bytes, NULL, &options, &buffer), "a buffer for the device");
        told_compare(buffer);
        if (par_buffer_dma(buffer) + bytes > REACH)
                die("a buffer at %#lx", par_buffer_dma(buffer));
        if (par_buffer_page_size(buffer) != PAGE_BYTES)
                die("pages of %zu bytes", par_buffer_page_size(buffer));
        return buffer;
}

/* From a random place of the buffer to another one. */
static void there_and_back(struct setup *setup, struct par_buffer *buffer, size_t number)
{
        uint32_t bytes = 1 + (uint32_t)random_below(&setup->random, EDU_MAX_BYTES);
        size_t half = BUFFER_BYTES / 2;
        size_t from = random_below(&setup->random, half - bytes + 1);
        size_t to = half + random_below(&setup->random, half - bytes + 1);
        unsigned char *data = par_buffer_data(buffer);
        uint64_t dma = par_buffer_dma(buffer);

        for (size_t i = 0; i < bytes; i++)
                data[from + i] = (unsigned char)random_below(&setup->random, 256);
        memset(data + to, 0, bytes);
        insist(edu_fetch(&setup->edu, dma + from, 0, bytes), "fetch");
        insist(edu_store(&setup->edu, dma + to, 0, bytes), "store");
        if (memcmp(data + from, data + to, bytes) != 0)
                die("transfer %zu: %u bytes from %#lx to %#lx are wrong", number, bytes, dma + from,
                    dma + to);
}

static void device_is_right(struct setup *setup, size_t transfers)
{
        struct par_buffer *buffer = allocate(setup, BUFFER_BYTES);

        for (size_t i = 0; i < transfers; i++)
                there_and_back(setup, buffer, i);
        printf("a buffer for 24 bits at %#lx: %zu of %zu right, there and back\n",
               par_buffer_dma(buffer), transfers, transfers);
        told_compare(buffer);
        par_free(buffer);
}

/* One piece of many pages, each of which comes with a descriptor of its own. */
static void large_one(struct setup *setup)
{
        const struct par_constraint limits = par_constraint_for_mask(24);
        struct par_buffer *buffer;

        insist(par_alloc(setup->par, LARGE_BYTES, &limits, NULL, &buffer), "a large buffer");
        told_compare(buffer);
        memset(par_buffer_data(buffer), 1, LARGE_BYTES);
        printf("%zu bytes in one piece at %#lx\n", par_buffer_size(buffer), par_buffer_dma(buffer));
        par_free(buffer);
}

/* Who names no limit is spared the carve-out. */
static void others_stay_out(struct setup *setup)
{
        struct par_buffer *buffer;

        insist(par_alloc(setup->par, PAGE_BYTES, NULL, NULL, &buffer), "a buffer without limit");
        if (par_buffer_dma(buffer) < REACH)
                die("a buffer without limit at %#lx", par_buffer_dma(buffer));
        told_compare(buffer);
        par_free(buffer);
}

/**
 * take_all() - all that there is, page by page
 * @avoid:  an address that must not be among them; 0: none
 * @before: @expected: so many there have to be at least
 *
 * What was in them is nobody's business: they have to be clean.
 *
 * Return: how many.
 */
static size_t take_all(struct setup *setup, uint64_t avoid, size_t expected,
                       struct par_buffer *ret[BUFFERS_MAX])
{
        struct par_alloc_options options = { .device = setup->isa0, .wait_ms = WAIT_MS };
        size_t n;

        for (n = 0; n < BUFFERS_MAX; n++) {
                const unsigned char *data;

                options.wait_ms = n < expected ? WAIT_MS : 0;
                if (par_alloc(setup->par, PAGE_BYTES, NULL, &options, &ret[n]))
                        break;
                data = par_buffer_data(ret[n]);
                for (size_t i = 0; i < PAGE_BYTES; i++)
                        if (data[i])
                                die("page %#lx is not clean", par_buffer_dma(ret[n]));
                if (par_buffer_dma(ret[n]) == avoid)
                        die("page %#lx is somebody's", avoid);
                told_compare(ret[n]);
                memset(par_buffer_data(ret[n]), 0xa5, PAGE_BYTES);
        }
        if (n < expected)
                die("%zu pages of %zu: %s", n, expected, par_error(setup->par));
        return n;
}

static void free_all(struct par_buffer *buffers[], size_t n)
{
        while (n)
                par_free(buffers[--n]);
}

/* Another session, which is another owner, gets what this one had. */
static size_t next_owner_gets_it_clean(struct setup *setup)
{
        static struct par_buffer *buffers[BUFFERS_MAX];
        struct setup next = *setup;
        size_t n, m;

        n = take_all(setup, 0, 1, buffers);
        free_all(buffers, n);
        insist(par_connect(NULL, NULL, &next.par), "connect");
        insist(par_device_open(next.par, "isa0", &next.isa0), "device");
        m = take_all(&next, 0, n, buffers);
        printf("%zu pages of one session, and another has %zu of them, clean\n", n, m);
        free_all(buffers, m);
        par_device_close(next.isa0);
        par_disconnect(next.par);
        return n;
}

/* It was given back by the rules, and lies in a pipe for ever. */
static void what_is_kept_is_not_lent(struct setup *setup, size_t pages)
{
        static struct par_buffer *buffers[BUFFERS_MAX];
        struct par_buffer *kept = allocate(setup, PAGE_BYTES);
        struct iovec part = { par_buffer_data(kept), 7 };
        uint64_t at = par_buffer_dma(kept);
        char text[8] = "";
        int ends[2];
        size_t n;

        memcpy(part.iov_base, "secret", 7);
        if (pipe(ends) < 0 || vmsplice(ends[1], &part, 1, 0) != 7)
                die("vmsplice");
        par_free(kept);
        n = take_all(setup, at, pages - 1, buffers);
        if (read(ends[0], text, 7) != 7 || strcmp(text, "secret") != 0)
                die("the pipe says \"%s\"", text);
        printf("a page at %#lx kept in a pipe: %zu others lent, and what it says stayed\n", at, n);
        free_all(buffers, n);
        n = take_all(setup, 0, pages, buffers);
        printf("read out of it, and there are %zu again\n", n);
        free_all(buffers, n);
        close(ends[0]);
        close(ends[1]);
}

static void parctl_says(const char *command, const char *expected)
{
        const char *const argv[] = { "parctl", "--json", command, NULL };
        char text[4096];

        if (run_program(argv, text, sizeof(text)) || !strstr(text, expected))
                die("parctl %s, without %s: %s", command, expected, text);
}

int main(int argc, char **argv)
{
        size_t transfers = argc > 2 ? strtoul(argv[2], NULL, 0) : 1000;
        struct setup setup = { .random.state = 1 };
        struct pard_fixture pard;

        if (argc < 2)
                die("usage: test_isa ADDRESS [TRANSFERS]");
        pard_fixture_start_filled(config, &pard);
        insist(edu_open(argv[1], &setup.edu), "edu");
        insist(par_connect(NULL, NULL, &setup.par), "connect");
        insist(par_device_open(setup.par, "isa0", &setup.isa0), "device");

        device_is_right(&setup, transfers);
        par_free(allocate(&setup, PAGE_BYTES));
        large_one(&setup);
        others_stay_out(&setup);
        what_is_kept_is_not_lent(&setup, next_owner_gets_it_clean(&setup));
        told_print();
        /* What is given back and taken again is the same page, though there are others. */
        parctl_says("status", "\"lost_to_system\": 0");
        parctl_says("frames", "\"verified\": true");
        parctl_says("pools", "\"backend\": \"carveout\"");

        pci_close(&setup.edu);
        par_device_close(setup.isa0);
        par_disconnect(setup.par);
        pard_fixture_stop(&pard);
        return 0;
}
