/* SPDX-License-Identifier: MIT */
/*
 * One grant of 4 GiB, of 2,048 frames, by a client that may have 1,024 descriptors: they come in
 * several packets, and none stays open. Invented memory costs only what is touched.
 */
#include "macros.h"
#include "pard_fixture.h"
#include "process.h"

#include <errno.h>
#include <par.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#define GRANT_BYTES (4 * GiB)
#define FRAME_BYTES (2 * MiB)

static const char config[] =
        "backend = \"sim\"\n"
        "sim { extent \"high\" { first = \"4G\" size = \"8G\" page_size = \"2M\" } }\n"
        "pool \"any\" { page_size = \"2M\" size_min = \"5G\" }\n";

static void limit_descriptors(rlim_t count)
{
        struct rlimit limit = { count, count };

        if (setrlimit(RLIMIT_NOFILE, &limit) < 0)
                die("setrlimit: %s", strerror(errno));
}

/* A mark in every frame: each is mapped, once, in its place. */
static void touch_frames(struct par_buffer *buffer)
{
        char *data = par_buffer_data(buffer);

        for (uint64_t at = 0; at < GRANT_BYTES; at += FRAME_BYTES) {
                if (data[at])
                        die("not zero at %#llx", (unsigned long long)at);
                memcpy(data + at, &at, sizeof(at));
        }
        for (uint64_t at = 0; at < GRANT_BYTES; at += FRAME_BYTES)
                if (memcmp(data + at, &at, sizeof(at)) != 0)
                        die("another mark at %#llx", (unsigned long long)at);
}

int main(void)
{
        struct par_constraint want = { .max_segments = PAR_SEGMENTS_ANY };
        /* The second time the frames are on their way back still. */
        struct par_alloc_options options = { .wait_ms = 60000 };
        struct pard_fixture pard;
        struct par_buffer *buffer;
        struct par *par;
        unsigned before, after;
        uint64_t started;

        pard_fixture_start_filled(config, &pard);
        limit_descriptors(1024);
        if (par_connect(pard.socket, NULL, &par))
                die("connect: %s", par_error(NULL));
        before = process_descriptors(getpid());

        for (int i = 0; i < 2; i++) {
                started = now_ns();
                if (par_alloc(par, GRANT_BYTES, &want, &options, &buffer))
                        die("4 GiB: %s", par_error(par));
                touch_frames(buffer);
                printf("4 GiB in %zu segments and %u descriptors (%u before), %.1f ms\n",
                       par_buffer_segments(buffer, NULL), process_descriptors(getpid()), before,
                       (double)(now_ns() - started) / 1e6);
                par_free(buffer);
        }
        after = process_descriptors(getpid());
        if (after != before)
                die("%u descriptors before, %u after", before, after);

        par_disconnect(par);
        pard_fixture_stop(&pard);
        return 0;
}
