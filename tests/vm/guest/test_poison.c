/* SPDX-License-Identifier: MIT */
/*
 * Memory of a buffer fails while its holder has it: pard lives on, serves as before, and lends that
 * frame to nobody else, neither while its holder has it nor afterwards.
 */
#include "events.h"
#include "macros.h"
#include "pard_fixture.h"
#include "process.h"
#include "told.h"

#include <errno.h>
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

static void insist(int r, const char *what)
{
        if (r)
                die("%s: %s: %s", what, par_strerror(r), par_error(NULL));
}

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

/* Of pard's promises this one is not kept yet: nobody is told. So no event is fine, a wrong one is
 * not. */
static void look_at_event(struct par *par, const struct par_buffer *buffer)
{
        struct par_event event;

        events_await(par, EVENT_SECONDS, &event);
        if (event.type == PAR_EVENT_NONE)
                printf("its holder was told nothing\n");
        else if (event.type == PAR_EVENT_POISONED && event.buffer == buffer)
                printf("its holder was told\n");
        else
                die("event %u", event.type);
}

/* All other frames that pard has, each page of them touched; what was given back a moment ago takes
 * its time. */
static void take_the_rest(struct par *par, uint64_t bad)
{
        struct par_alloc_options options = { .wait_ms = WAIT_MS };
        struct par_buffer *buffers[FRAMES];
        size_t count = 0;

        while (count < FRAMES &&
               par_alloc(par, FRAME_BYTES, NULL, &options, &buffers[count]) == 0) {
                told_compare(buffers[count]);
                memset(par_buffer_data(buffers[count]), 1, FRAME_BYTES);
                if (par_buffer_dma(buffers[count++]) == bad)
                        die("the bad frame was lent again");
                if (count == FRAMES - 1)
                        options.wait_ms = 0; /* only in case that there is one more */
        }
        printf("%zu frames lent, none of them the bad one\n", count);
        if (count < FRAMES - 1)
                die("that is too few to tell: %s", par_error(par));
        while (count)
                par_free(buffers[--count]);
}

int main(void)
{
        struct par_buffer *buffer;
        struct pard_fixture pard;
        struct par *par, *other;
        pid_t worker;
        uint64_t bad;

        pard_fixture_start_filled(config, &pard);
        worker = pard_fixture_worker(&pard);
        insist(par_connect(NULL, NULL, &par), "connect");
        insist(par_connect(NULL, NULL, &other), "connect another");
        insist(par_alloc(par, FRAME_BYTES, NULL, NULL, &buffer), "buffer");
        told_compare(buffer);
        bad = par_buffer_dma(buffer);

        fail_memory(par_buffer_data(buffer));
        printf("the memory at %#lx has failed\n", bad);
        look_at_event(par, buffer);
        take_the_rest(other, bad);
        par_free(buffer);
        take_the_rest(other, bad);
        par_disconnect(par);
        sleep(2); /* it might come back into the pool */
        take_the_rest(other, bad);

        if (kill(pard.pid, 0) < 0 || pard_fixture_worker(&pard) != worker)
                die("pard did not survive");
        told_print();
        par_disconnect(other);
        pard_fixture_stop(&pard);
        return 0;
}
