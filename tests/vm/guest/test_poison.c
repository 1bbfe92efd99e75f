/* SPDX-License-Identifier: MIT */
/*
 * Memory fails, in four ways: of a buffer whose holder keeps it, of one that is given back at once,
 * and of free frames, one that pard has noticed and one that it has not. pard lives on, tells who
 * has such memory, lends it to nobody, and has as much as before in the end.
 */
#include "events.h"
#include "insist.h"
#include "macros.h"
#include "pard_fixture.h"
#include "process.h"
#include "told.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define FRAME_BYTES   (2 * MiB)
#define PAGE_BYTES    4096u
#define FRAMES        32 /* of the pool */
#define WAIT_MS       10000
#define EVENT_SECONDS 3 /* addresses are read again each second */

static const char config[] = "backend = \"hugetlb\"\n"
                             "hugepages = \"existing\"\n"
                             "keep_free = \"64M\"\n"
                             "verify = \"1s\"\n"
                             "pool \"any\" { size_min = \"64M\" reuse_delay = \"0\" }\n";

static sigjmp_buf before_failure;
static volatile sig_atomic_t failed;

static void note_failure(int number)
{
        (void)number;
        failed = 1;
        siglongjmp(before_failure, 1);
}

/* The kernel sends the signal from within the call, or when the memory is touched. */
static void fail_memory(char *page)
{
        struct sigaction action = { .sa_handler = note_failure };

        sigaction(SIGBUS, &action, NULL);
        if (sigsetjmp(before_failure, 1) == 0 && madvise(page, PAGE_BYTES, MADV_HWPOISON) < 0) {
                if (errno == EINVAL) {
                        printf("skipped: this kernel is built without CONFIG_MEMORY_FAILURE\n");
                        exit(EXIT_SKIPPED);
                }
                if (errno != EBUSY) /* it is pinned: 6.1 says so, and marks it all the same */
                        die("MADV_HWPOISON: %s", strerror(errno));
        }
        failed = 0;
        if (sigsetjmp(before_failure, 1) == 0)
                *(volatile char *)page = 1;
        if (!failed)
                die("the memory has not failed");
        /* Whatever pard gives from now on must be sound. */
        signal(SIGBUS, SIG_DFL);
}

static void await_event(struct par *par, const struct par_buffer *buffer)
{
        uint64_t started = now_ns();
        struct par_event event;

        events_await(par, EVENT_SECONDS, &event);
        if (event.type != PAR_EVENT_POISONED || event.buffer != buffer)
                die("event %u", event.type);
        printf("its holder was told after %.1f s\n", (double)(now_ns() - started) / 1e9);
}

/* What `parctl frames` says, with notes below the list. */
static char frames_text[16384];

/* Read it anew. Return: the line of a frame; NULL where pard does not have it. */
static const char *frame_row(uint64_t phys)
{
        static const char *const argv[] = { "parctl", "frames", NULL };
        char address[32];

        if (run_program(argv, frames_text, sizeof(frames_text)))
                die("parctl failed");
        snprintf(address, sizeof(address), "0x%lx ", phys);
        return strstr(frames_text, address);
}

static bool frame_is(uint64_t phys, const char *state)
{
        const char *row = frame_row(phys), *end = row ? strchr(row, '\n') : NULL;
        const char *word = row ? strstr(row, state) : NULL;

        return word && word < end;
}

/* Nothing waits for the kernel to let go of the page, which it never does. */
static void await_departure(uint64_t phys)
{
        uint64_t deadline = now_ns() + WAIT_MS * NS_PER_MS;

        while (frame_row(phys)) {
                if (now_ns() > deadline)
                        die("it is still there: %s", frames_text);
                usleep(100000);
        }
}

/* All frames that pard has, but @fewer, each page of them touched; what was given back a moment ago
 * takes its time. */
static void take_all(struct par *par, size_t fewer, const uint64_t bad[], size_t n_bad)
{
        struct par_alloc_options options = { .wait_ms = WAIT_MS };
        struct par_buffer *buffers[FRAMES];
        size_t count = 0;

        for (; count < FRAMES - fewer; count++) {
                insist(par_alloc(par, FRAME_BYTES, NULL, &options, &buffers[count]), "a frame");
                told_compare(buffers[count]);
                memset(par_buffer_data(buffers[count]), 1, FRAME_BYTES);
                for (size_t i = 0; i < n_bad; i++)
                        if (par_buffer_dma(buffers[count]) == bad[i])
                                die("a bad frame was lent again");
        }
        printf("%zu frames lent, none of them a bad one\n", count);
        while (count)
                par_free(buffers[--count]);
}

/* ---- what is in use ------------------------------------------------------------------------- */

static uint64_t fails_in_use(struct par *par, struct par *other)
{
        struct par_buffer *buffer;
        uint64_t bad;

        insist(par_alloc(par, FRAME_BYTES, NULL, NULL, &buffer), "buffer");
        told_compare(buffer);
        bad = par_buffer_dma(buffer);
        fail_memory(par_buffer_data(buffer));
        printf("the memory at %#lx has failed, of a buffer\n", bad);
        await_event(par, buffer);
        if (!frame_is(bad, "retired") || !strstr(frames_text, "its memory has failed"))
                die("parctl frames says: %s", frames_text);
        take_all(other, 1, &bad, 1);
        par_free(buffer);
        await_departure(bad);
        return bad;
}

/* Its holder gives it back before pard has looked. */
static uint64_t fails_and_is_given_back(struct par *par)
{
        struct par_buffer *buffer;
        uint64_t bad;

        insist(par_alloc(par, FRAME_BYTES, NULL, NULL, &buffer), "buffer");
        bad = par_buffer_dma(buffer);
        fail_memory(par_buffer_data(buffer));
        par_free(buffer);
        printf("the memory at %#lx has failed, and was given back at once\n", bad);
        await_departure(bad);
        return bad;
}

/* ---- what is free --------------------------------------------------------------------------- */

/* Have the kernel take a page out of use that it believes to be broken. */
static void fail_page(uint64_t phys)
{
        int fd = open("/sys/devices/system/memory/hard_offline_page", O_WRONLY | O_CLOEXEC);
        char text[32];
        int length = snprintf(text, sizeof(text), "%#lx", phys);

        if (fd < 0)
                die("hard_offline_page: %s", strerror(errno));
        if (write(fd, text, (size_t)length) < 0 && errno != EBUSY) /* as above */
                die("hard_offline_page of %#lx: %s", phys, strerror(errno));
        close(fd);
}

/* The one that the next buffer would get: the highest. */
static uint64_t next_frame(struct par *par)
{
        struct par_alloc_options options = { .wait_ms = WAIT_MS };
        struct par_buffer *buffer;
        uint64_t phys;

        insist(par_alloc(par, FRAME_BYTES, NULL, &options, &buffer), "buffer");
        phys = par_buffer_dma(buffer);
        par_free(buffer);
        while (!frame_is(phys, "free"))
                usleep(100000);
        return phys;
}

static uint64_t fails_free(struct par *par, unsigned seconds)
{
        struct par_buffer *buffer;
        uint64_t bad = next_frame(par);

        fail_page(bad);
        printf("the memory at %#lx has failed, while it was free; %u s later ", bad, seconds);
        sleep(seconds);
        insist(par_alloc(par, FRAME_BYTES, NULL, NULL, &buffer), "buffer");
        memset(par_buffer_data(buffer), 1, FRAME_BYTES);
        if (par_buffer_dma(buffer) == bad)
                die("it was lent");
        printf("a buffer is at %#lx\n", par_buffer_dma(buffer));
        par_free(buffer);
        await_departure(bad);
        return bad;
}

/* ---- all of it ------------------------------------------------------------------------------ */

static void look_at_log(const struct pard_fixture *pard, unsigned expected)
{
        unsigned failures = 0;
        char line[512];
        FILE *log;

        log = fopen(pard->log, "r");
        if (!log)
                die("%s: %s", pard->log, strerror(errno));
        while (fgets(line, sizeof(line), log))
                failures += strstr(line, "its memory has failed") != NULL;
        fclose(log);
        if (failures != expected)
                die("pard noticed %u failures of %u", failures, expected);
}

int main(void)
{
        struct pard_fixture pard;
        struct par *par, *other;
        uint64_t bad[4];
        pid_t worker;

        pard_fixture_start_filled(config, &pard);
        worker = pard_fixture_worker(&pard);
        insist(par_connect(NULL, NULL, &par), "connect");
        insist(par_connect(NULL, NULL, &other), "connect another");

        bad[0] = fails_in_use(par, other);
        bad[1] = fails_and_is_given_back(par);
        bad[2] = fails_free(par, 0);
        bad[3] = fails_free(par, EVENT_SECONDS);
        par_disconnect(par);
        take_all(other, 0, bad, ARRAY_SIZE(bad));
        look_at_log(&pard, ARRAY_SIZE(bad));

        if (kill(pard.pid, 0) < 0 || pard_fixture_worker(&pard) != worker)
                die("pard did not survive");
        told_print();
        par_disconnect(other);
        pard_fixture_stop(&pard);
        return 0;
}
