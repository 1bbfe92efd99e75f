/* SPDX-License-Identifier: MIT */
/*
 * Whether pard tells the truth: random grants from 4 KiB to 16 MiB with random limits; the client
 * reads each page's frame number from its own /proc/self/pagemap and compares it with the segments
 * that it was told, checks every limit, and that memory of one buffer is in no other. The sum of
 * the states is what is held, throughout.
 *
 *     test_truth [GRANTS [SEED [sim|FILE]]]   default: 500 grants, on real hugepages; FILE is a
 *                                             configuration with a pool "any" on real hugepages
 */
#include "macros.h"
#include "pard_fixture.h"
#include "process.h"
#include "random.h"
#include "wire_client.h"

#include <errno.h>
#include <fcntl.h>
#include <par.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PAGE_BYTES      4096u
#define BUFFER_MAX      (16 * MiB)
#define LIVE_MAX        64
#define LOOK_EVERY      50
#define PAGEMAP_PRESENT (UINT64_C(1) << 63)
#define PAGEMAP_FRAME   ((UINT64_C(1) << 55) - 1)

/**
 * struct live - one granted buffer
 * @mark: what its first word of every page holds
 */
struct live {
        struct par_buffer *buffer;
        uint64_t mark;
};

/**
 * struct run - one run of the test
 * @pagemap:     -1 where addresses are invented and cannot be compared
 * @lowest, @highest: addresses seen so far, for windows that sometimes fit
 */
struct run {
        struct random random;
        struct par *par;
        struct wire_client admin;
        int pagemap;
        uint64_t lowest, highest;
        struct live live[LIVE_MAX];
        size_t n_live;
        uint64_t marks, granted, pages, never, exhausted, fragmented;
};

/* ---- what is asked for ---------------------------------------------------------------------- */

static uint64_t random_size(struct random *random)
{
        /* Each power of two is as likely as any other. */
        uint64_t order = UINT64_C(4096) << random_below(random, 13);
        uint64_t size = order + random_below(random, order);

        return size > BUFFER_MAX ? BUFFER_MAX : size;
}

static void random_window(struct run *run, struct par_constraint *want)
{
        uint64_t span = run->highest - run->lowest + 1;

        if (run->highest < run->lowest || !random_one_in(&run->random, 3))
                return;
        want->addr_min = run->lowest + random_below(&run->random, span / 2);
        want->addr_max = want->addr_min + span / 8 + random_below(&run->random, span);
}

static struct par_constraint random_constraint(struct run *run)
{
        struct par_constraint want = { .max_segments = 1 };
        struct random *random = &run->random;

        if (random_one_in(random, 2))
                want.align = UINT64_C(1) << random_below(random, 22);
        if (random_one_in(random, 4))
                want.boundary = UINT64_C(65536) << random_below(random, 9);
        if (random_one_in(random, 2))
                want.max_segments = random_one_in(random, 2)
                                            ? PAR_SEGMENTS_ANY
                                            : 1 + (uint32_t)random_below(random, 32);
        if (random_one_in(random, 4))
                want.max_segment_bytes = 4096 + random_below(random, 4 * MiB);
        random_window(run, &want);
        return want;
}

/* ---- whether that is what was had ----------------------------------------------------------- */

static void check_segment(const struct par_constraint *want, const struct par_segment *segment)
{
        uint64_t last = segment->dma + segment->length - 1;

        if (segment->dma < want->addr_min || (want->addr_max && last > want->addr_max))
                die("segment %#lx to %#lx is outside %#lx to %#lx", segment->dma, last,
                    want->addr_min, want->addr_max);
        if (want->align && segment->dma % want->align)
                die("segment at %#lx is not aligned to %#lx", segment->dma, want->align);
        if (want->boundary && segment->dma / want->boundary != last / want->boundary)
                die("segment %#lx to %#lx straddles %#lx", segment->dma, last, want->boundary);
        if (want->max_segment_bytes && segment->length > want->max_segment_bytes)
                die("segment of %lu bytes, %lu allowed", segment->length, want->max_segment_bytes);
        if (segment->phys != segment->dma)
                die("segment: dma %#lx, phys %#lx", segment->dma, segment->phys);
}

static void check_segments(const struct par_constraint *want, uint64_t size,
                           const struct par_buffer *buffer)
{
        const struct par_segment *segments;
        size_t count = par_buffer_segments(buffer, &segments);
        uint64_t offset = 0;

        if (want->max_segments != PAR_SEGMENTS_ANY && count > want->max_segments)
                die("%zu segments, %u allowed", count, want->max_segments);
        for (size_t i = 0; i < count; i++) {
                check_segment(want, &segments[i]);
                if (segments[i].offset != offset)
                        die("segment %zu at offset %lu, not %lu", i, segments[i].offset, offset);
                offset += segments[i].length;
        }
        if (offset != par_buffer_size(buffer) || offset < size || offset >= size + PAGE_BYTES)
                die("%lu bytes wanted, %zu had, %lu in segments", size, par_buffer_size(buffer),
                    offset);
}

/* A segment need not begin or end with a page. */
static void check_frames_of(const struct par_segment *segment, const uint64_t *entries)
{
        uint64_t end = segment->offset + segment->length;

        for (uint64_t at = segment->offset; at < end; at = (at / PAGE_BYTES + 1) * PAGE_BYTES) {
                uint64_t entry = entries[at / PAGE_BYTES];
                uint64_t phys = (entry & PAGEMAP_FRAME) * PAGE_BYTES + at % PAGE_BYTES;
                uint64_t told = segment->phys + (at - segment->offset);

                if (!(entry & PAGEMAP_PRESENT) || phys != told)
                        die("at %#lx: told %#lx, is %#lx", at, told, phys);
        }
}

/* Compare the frame number of each page with the segment that it lies in. */
static void check_frames(struct run *run, const struct par_buffer *buffer)
{
        static uint64_t entries[BUFFER_MAX / PAGE_BYTES];
        const uintptr_t data = (uintptr_t)par_buffer_data(buffer);
        size_t pages = par_buffer_size(buffer) / PAGE_BYTES;
        const struct par_segment *segments;
        size_t count = par_buffer_segments(buffer, &segments);
        ssize_t bytes = (ssize_t)(pages * sizeof(*entries));

        if (run->pagemap < 0)
                return;
        if (pread(run->pagemap, entries, (size_t)bytes,
                  (off_t)(data / PAGE_BYTES * sizeof(*entries))) != bytes)
                die("pagemap: %s", strerror(errno));
        for (size_t i = 0; i < count; i++)
                check_frames_of(&segments[i], entries);
        run->pages += pages;
}

static void write_marks(const struct live *live)
{
        char *data = par_buffer_data(live->buffer);

        for (size_t at = 0; at < par_buffer_size(live->buffer); at += PAGE_BYTES) {
                uint64_t word;

                memcpy(&word, data + at, sizeof(word));
                if (word)
                        die("a new buffer holds %#lx at %zu", word, at);
                memcpy(data + at, &live->mark, sizeof(word));
        }
}

static void check_marks(const struct live *live)
{
        const char *data = par_buffer_data(live->buffer);

        for (size_t at = 0; at < par_buffer_size(live->buffer); at += PAGE_BYTES)
                if (memcmp(data + at, &live->mark, sizeof(live->mark)) != 0)
                        die("another buffer wrote into this one at %zu", at);
}

/* ---- the run -------------------------------------------------------------------------------- */

static void free_one(struct run *run)
{
        size_t i = random_below(&run->random, run->n_live);

        check_marks(&run->live[i]);
        check_frames(run, run->live[i].buffer);
        par_free(run->live[i].buffer);
        run->live[i] = run->live[--run->n_live];
}

static void note_range(struct run *run, const struct par_buffer *buffer)
{
        uint64_t first = par_buffer_dma(buffer), last = first + par_buffer_size(buffer) - 1;

        if (first < run->lowest)
                run->lowest = first;
        if (last > run->highest)
                run->highest = last;
}

static void alloc_one(struct run *run)
{
        struct par_constraint want = random_constraint(run);
        uint64_t size = random_size(&run->random);
        struct live live = { .mark = ++run->marks };
        int r;

        r = par_alloc(run->par, size, &want, NULL, &live.buffer);
        switch (r) {
        case 0: break;
        case -PAR_NEVER_FITS: run->never++; return;
        case -PAR_EXHAUSTED:
        case -PAR_FRAGMENTED:
                run->exhausted += r == -PAR_EXHAUSTED;
                run->fragmented += r == -PAR_FRAGMENTED;
                usleep(1000); /* pard wants a processor too, for what was freed */
                return;
        default: die("%lu bytes: %s: %s", size, par_strerror(r), par_error(run->par));
        }
        check_segments(&want, size, live.buffer);
        write_marks(&live);
        check_frames(run, live.buffer);
        note_range(run, live.buffer);
        run->live[run->n_live++] = live;
        run->granted++;
}

static void look_at_states(struct run *run)
{
        check_sum_of_states(wire_client_status(&run->admin)->bytes);
        check_sum_of_states(wire_client_pool(&run->admin, "any")->bytes);
}

static void run_grants(struct run *run, uint64_t grants)
{
        for (uint64_t i = 0; run->granted < grants; i++) {
                if (i > 20 * grants)
                        die("only %lu grants in %lu tries", run->granted, i);
                /* Full and nearly empty pools both have their turn. */
                if (run->n_live == LIVE_MAX ||
                    (run->n_live && random_below(&run->random, 100) < (i / 200 % 2 ? 65 : 45)))
                        free_one(run);
                else
                        alloc_one(run);
                if (i % LOOK_EVERY == 0)
                        look_at_states(run);
        }
        while (run->n_live)
                free_one(run);
}

static const char *read_config(const char *path)
{
        static char config[4096];
        FILE *file = fopen(path, "re");
        size_t length;

        if (!file)
                die("%s: %s", path, strerror(errno));
        length = fread(config, 1, sizeof(config), file);
        fclose(file);
        if (length == sizeof(config))
                die("%s is too long", path);
        return config;
}

int main(int argc, char **argv)
{
        uint64_t grants = argc > 1 ? strtoull(argv[1], NULL, 0) : 500;
        uint64_t seed = argc > 2 ? strtoull(argv[2], NULL, 0) : 1;
        struct run run = { .random.state = seed, .lowest = UINT64_MAX, .pagemap = -1 };
        bool sim = argc > 3 && strcmp(argv[3], "sim") == 0;
        const char *config = sim ? pard_config_sim : pard_config_hugetlb;
        struct pard_fixture pard;
        uint64_t started;
        int r;

        if (argc > 3 && !sim)
                config = read_config(argv[3]);
        else if (!sim)
                require_hugepages(128);
        if (!sim) {
                run.pagemap = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
                if (run.pagemap < 0)
                        die("pagemap: %s", strerror(errno));
        }
        pard_fixture_start_filled(config, &pard);
        wire_client_open(pard.socket, "truth-admin", &run.admin);
        r = par_connect(pard.socket, NULL, &run.par);
        if (r)
                die("connect: %s", par_error(NULL));

        started = now_ns();
        run_grants(&run, grants);
        printf("%lu grants (seed %lu) from %#lx to %#lx in %.1f s: %lu frame numbers compared, 0 "
               "wrong; refused: %lu for ever, %lu exhausted, %lu fragmented\n",
               run.granted, seed, run.lowest, run.highest, (double)(now_ns() - started) / 1e9,
               run.pages, run.never, run.exhausted, run.fragmented);

        par_disconnect(run.par);
        look_at_states(&run);
        wire_client_close(&run.admin);
        pard_fixture_stop(&pard);
        return 0;
}
