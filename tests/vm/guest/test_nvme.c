/* SPDX-License-Identifier: MIT */
/*
 * 64 MiB to an NVMe device and back, by client/examples/nvme_io.c, through lists of pages of
 * buffers in many pieces.
 *
 *     test_nvme ADDRESS
 */
#include "insist.h"
#include "macros.h"
#include "pard_fixture.h"
#include "process.h"
#include "told.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BUFFER_BYTES (64 * MiB)
#define FRAME_BYTES  (2 * MiB)
#define PAGE_BYTES   4096u
#define FRAMES       140 /* reserved at boot, too */
#define SEGMENTS_MIN 16
#define WAIT_MS      20000

static const char config[] = "backend = \"hugetlb\"\n"
                             "hugepages = \"existing\"\n"
                             "keep_free = \"64M\"\n"
                             "pool \"any\" { size_min = \"280M\" }\n";

/* Every other frame is in use, so that what is free is in pieces. Never given back. */
static void make_holes(struct par *par)
{
        static struct par_buffer *frames[FRAMES];

        for (size_t i = 0; i < FRAMES; i++)
                insist(par_alloc(par, FRAME_BYTES, NULL, NULL, &frames[i]), "frame");
        /* They come from the top down. */
        for (size_t i = 0; i < FRAMES; i += 2)
                par_free(frames[i]);
}

/* What such a buffer is told, page by page. */
static void compare_buffer(struct par *par)
{
        struct par_constraint limits = { .max_segments = PAR_SEGMENTS_ANY };
        struct par_alloc_options options = { .wait_ms = WAIT_MS };
        struct par_buffer *buffer;
        uint64_t *pages;

        insist(par_alloc(par, BUFFER_BYTES, &limits, &options, &buffer), "buffer");
        told_compare(buffer);
        pages = calloc(BUFFER_BYTES / PAGE_BYTES, sizeof(*pages));
        insist(par_buffer_pages(buffer, 0, PAGE_BYTES, pages, BUFFER_BYTES / PAGE_BYTES), "pages");
        for (size_t i = 0; i < BUFFER_BYTES / PAGE_BYTES; i++)
                if (pages[i] != physical_address((char *)par_buffer_data(buffer) + i * PAGE_BYTES))
                        die("page %zu is not at %#lx", i, pages[i]);
        free(pages);
        par_free(buffer);
}

/* The number in front of some words, the first of them from @at on, which moves behind them. */
static size_t number_before(const char **at, const char *words)
{
        const char *found = strstr(*at, words);
        char *end;
        size_t number;

        while (found && found > *at && isdigit((unsigned char)found[-1]))
                found--;
        if (!found)
                die("no number of%s", words);
        number = strtoul(found, &end, 10);
        *at = end;
        return number;
}

/* The example, which says out of and into how many pieces. */
static void run_example(const char *address)
{
        const char *const argv[] = { "nvme_io", address, "64", NULL };
        size_t bytes, from, to;
        uint64_t started = now_ns();
        const char *at;
        char said[512];
        int status;

        status = run_program(argv, said, sizeof(said));
        printf("%s", said);
        if (status)
                die("nvme_io failed");
        at = said;
        bytes = number_before(&at, " bytes out of ");
        from = number_before(&at, " segments and into ");
        to = number_before(&at, ":");
        if (bytes != BUFFER_BYTES || from < SEGMENTS_MIN || to < SEGMENTS_MIN)
                die("that were too few bytes or pieces");
        printf("there and back in %.2f s\n", (double)(now_ns() - started) / 1e9);
}

int main(int argc, char **argv)
{
        struct pard_fixture pard;
        struct par *par;

        if (argc != 2)
                die("usage: test_nvme ADDRESS");
        pard_fixture_start_filled(config, &pard);
        insist(par_connect(NULL, NULL, &par), "connect");
        make_holes(par);
        compare_buffer(par);
        run_example(argv[1]);
        told_print();
        par_disconnect(par);
        pard_fixture_stop(&pard);
        return 0;
}
