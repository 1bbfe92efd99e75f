/* SPDX-License-Identifier: MIT */
/*
 * 64 MiB to an NVMe device and back, through lists of pages of buffers in many pieces.
 */
#include "macros.h"
#include "nvme.h"
#include "pard_fixture.h"
#include "process.h"
#include "random.h"
#include "told.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BUFFER_BYTES (64 * MiB)
#define FRAME_BYTES  (2 * MiB)
#define FRAMES       140 /* reserved at boot, too */
#define SEGMENTS_MIN 16
#define WAIT_MS      20000

static const char config[] = "backend = \"hugetlb\"\n"
                             "hugepages = \"existing\"\n"
                             "keep_free = \"64M\"\n"
                             "pool \"any\" { size_min = \"280M\" }\n";

static void insist(int r, const char *what)
{
        if (r)
                die("%s: %s: %s", what, par_strerror(r), par_error(NULL));
}

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

static struct par_buffer *get_buffer(struct par *par)
{
        struct par_constraint limits = { .max_segments = PAR_SEGMENTS_ANY };
        struct par_alloc_options options = { .wait_ms = WAIT_MS };
        struct par_buffer *buffer;
        size_t segments;

        insist(par_alloc(par, BUFFER_BYTES, &limits, &options, &buffer), "buffer");
        segments = par_buffer_segments(buffer, NULL);
        if (segments < SEGMENTS_MIN)
                die("only %zu segments", segments);
        told_compare(buffer);
        printf("64 MiB in %zu segments\n", segments);
        return buffer;
}

static uint64_t checksum(const struct par_buffer *buffer)
{
        const uint64_t *words = par_buffer_data(buffer);
        uint64_t sum = UINT64_C(0xcbf29ce484222325);

        /* FNV-1a, a word at a time. */
        for (size_t i = 0; i < par_buffer_size(buffer) / sizeof(*words); i++)
                sum = (sum ^ words[i]) * UINT64_C(0x100000001b3);
        return sum;
}

/**
 * move() - all of a buffer, from the first block on
 * @command: nvme_write or nvme_read
 * @growing: commands of 1, 2, 3 and more pages, in turn; otherwise all as long as they may be
 */
static void move(struct nvme *nvme, struct par_buffer *buffer,
                 int (*command)(struct nvme *, uint64_t, const uint64_t *, size_t), bool growing)
{
        static uint64_t pages[BUFFER_BYTES / NVME_PAGE_BYTES];
        size_t count = par_buffer_size(buffer) / NVME_PAGE_BYTES, commands = 0;
        uint64_t started = now_ns();

        insist(par_buffer_pages(buffer, 0, NVME_PAGE_BYTES, pages, count), "pages");
        for (size_t done = 0, n; done < count; done += n) {
                n = growing ? 1 + commands % nvme->max_pages : nvme->max_pages;
                if (n > count - done)
                        n = count - done;
                insist(command(nvme, done * NVME_PAGE_BYTES / nvme->block_bytes, pages + done, n),
                       "transfer");
                commands++;
        }
        printf("%s: %zu pages by %zu commands in %.2f s\n",
               command == nvme_write ? "written" : "read", count, commands,
               (double)(now_ns() - started) / 1e9);
}

int main(void)
{
        struct random random = { .state = 1 };
        struct par_buffer *out, *in;
        struct pard_fixture pard;
        struct nvme nvme;
        struct par *par;
        uint64_t *words;
        uint64_t sum;

        pard_fixture_start_filled(config, &pard);
        insist(par_connect(NULL, NULL, &par), "connect");
        make_holes(par);
        out = get_buffer(par);
        in = get_buffer(par);
        insist(nvme_open(par, &nvme), "nvme");
        printf("nvme: %lu blocks of %zu bytes, at most %zu pages a command\n", nvme.blocks,
               nvme.block_bytes, nvme.max_pages);

        words = par_buffer_data(out);
        for (size_t i = 0; i < BUFFER_BYTES / sizeof(*words); i++)
                words[i] = random_next(&random);
        sum = checksum(out);
        move(&nvme, out, nvme_write, false);
        memset(words, 0, BUFFER_BYTES);
        /* In other pieces: what is wrong in the same way both times does not come out right. */
        move(&nvme, in, nvme_read, true);
        printf("checksum written %#lx, read %#lx\n", sum, checksum(in));
        if (checksum(in) != sum)
                die("they differ");

        told_compare(out);
        told_compare(in);
        told_print();
        nvme_close(&nvme);
        par_disconnect(par);
        pard_fixture_stop(&pard);
        return 0;
}
