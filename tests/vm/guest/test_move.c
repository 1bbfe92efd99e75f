/* SPDX-License-Identifier: MIT */
/*
 * What moves memory does not move pard's: soft offlining, move_pages(2) between two nodes,
 * compaction, and others who want all the memory that there is; while a device reads and writes. A
 * page of the test's own moves each time, which shows that it could have happened. Where pard
 * cannot pin, frames move: it notices, and tells who has them.
 *
 *     test_move pinned ADDRESS | unpinned        ADDRESS: of an edu device
 */
#include "events.h"
#include "insist.h"
#include "macros.h"
#include "pard_fixture.h"
#include "process.h"
#include "told.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef MADV_SOFT_OFFLINE
#define MADV_SOFT_OFFLINE 101 /* <linux/mman.h>, which does not go with <sys/mman.h> */
#endif
#define MOVE_ALL      4 /* MPOL_MF_MOVE_ALL of <linux/mempolicy.h>, which is the same */
#define FRAME_BYTES   (2 * MiB)
#define FRAMES        16
#define ROUNDS        5
#define TRIPS         "30" /* of the device: 200 ms each, about as long as the rounds */
#define SPARED_KIB    65536
#define VERIFY        "1s"
#define EVENT_SECONDS 5

static const char config_format[] = "backend = \"hugetlb\"\n"
                                    "hugepages = \"existing\"\n"
                                    "keep_free = \"64M\"\n"
                                    "verify = \"" VERIFY "\"\n"
                                    "pool \"bits28\" { below = \"256M\" size_min = \"4M\" pin = "
                                    "\"%1$s\" }\n"
                                    "pool \"any\" { size_min = \"64M\" pin = \"%1$s\" }\n";

/* ---- what moves memory ---------------------------------------------------------------------- */

static void move_to_node(void *page, int node)
{
        int status = 0;

        /* Whether it did is seen in pagemap. */
        syscall(SYS_move_pages, 0, 1UL, &page, &node, &status, MOVE_ALL);
}

static int offline(void *page)
{
        return madvise(page, FRAME_BYTES, MADV_SOFT_OFFLINE) < 0 ? -errno : 0;
}

static void compact(void)
{
        int fd = open("/proc/sys/vm/compact_memory", O_WRONLY | O_CLOEXEC);

        if (fd < 0 || write(fd, "1", 1) != 1)
                die("compact_memory: %s", strerror(errno));
        close(fd);
}

/* Use nearly all memory that is available, for a moment. */
static void press(void)
{
        static const char key[] = "MemAvailable:";
        FILE *meminfo = fopen("/proc/meminfo", "r");
        unsigned long kib = 0;
        char line[128];
        size_t bytes;
        void *all;

        while (meminfo && !kib && fgets(line, sizeof(line), meminfo))
                if (strncmp(line, key, sizeof(key) - 1) == 0)
                        kib = strtoul(line + sizeof(key) - 1, NULL, 10);
        if (kib <= SPARED_KIB)
                die("only %lu KiB are available", kib);
        fclose(meminfo);
        bytes = (kib - SPARED_KIB) * KiB;
        all = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (all == MAP_FAILED || madvise(all, bytes, MADV_POPULATE_WRITE) < 0)
                die("%zu bytes: %s", bytes, strerror(errno));
        munmap(all, bytes);
}

/* ---- that it works here --------------------------------------------------------------------- */

static char *new_page(void)
{
        char *page = mmap(NULL, FRAME_BYTES, PROT_READ | PROT_WRITE,
                          MAP_SHARED | MAP_ANONYMOUS | MAP_HUGETLB, -1, 0);

        if (page == MAP_FAILED)
                die("a hugepage of the test's own: %s", strerror(errno));
        page[0] = 1;
        return page;
}

static void own_page_moves(void)
{
        char *page = new_page();
        uint64_t first, second, third;

        mlock(page, FRAME_BYTES);
        second = first = physical_address(page);
        for (int node = 0; node < 2 && second == first; node++) {
                move_to_node(page, node); /* it is on the other one of them */
                second = physical_address(page);
        }
        if (offline(page) == -EINVAL) {
                printf("skipped: this kernel is built without CONFIG_MEMORY_FAILURE\n");
                exit(EXIT_SKIPPED);
        }
        third = physical_address(page);
        printf("a locked page of the test's own: %#lx, by move_pages to %#lx, by soft offlining to "
               "%#lx\n",
               first, second, third);
        if (second == first || third == second)
                die("nothing moves here");
        munmap(page, FRAME_BYTES);
}

/* ---- pard's --------------------------------------------------------------------------------- */

static pid_t start_device(const char *address)
{
        pid_t pid;

        fflush(NULL);
        pid = fork();
        if (pid < 0)
                die("fork: %s", strerror(errno));
        if (pid == 0) {
                execlp("edu_dma", "edu_dma", address, TRIPS, NULL);
                die("edu_dma: %s", strerror(errno));
        }
        return pid;
}

static void stays(struct par *par, const char *address)
{
        pid_t device = start_device(address);
        struct par_buffer *buffers[FRAMES];
        struct par_event event;
        int status;

        for (size_t i = 0; i < FRAMES; i++)
                insist(par_alloc(par, FRAME_BYTES, NULL, NULL, &buffers[i]), "buffer");
        for (int round = 0; round < ROUNDS; round++) {
                for (size_t i = 0; i < FRAMES; i++) {
                        char *data = par_buffer_data(buffers[i]);

                        data[0] = 1;
                        move_to_node(data, 0);
                        move_to_node(data, 1);
                        if (offline(data) != -EBUSY)
                                die("a pinned page was taken offline");
                }
                compact();
                press();
                for (size_t i = 0; i < FRAMES; i++)
                        told_compare(buffers[i]);
        }
        if (waitpid(device, &status, 0) != device || status)
                die("the device has wrong data");
        events_await(par, 2, &event);
        if (event.type != PAR_EVENT_NONE)
                die("event %u", event.type);
        told_print();
}

static void goes_and_is_noticed(struct par *par)
{
        struct par_buffer *buffer, *other;
        uint64_t told, is, started;
        struct par_event event;
        char *data;

        insist(par_alloc(par, FRAME_BYTES, NULL, NULL, &buffer), "buffer");
        told = par_buffer_dma(buffer);
        data = par_buffer_data(buffer);
        data[0] = 1;
        started = now_ns();
        is = told;
        for (int node = 0; node < 2 && is == told; node++) {
                move_to_node(data, node);
                is = physical_address(data);
        }
        if (is == told)
                die("a page without a pin stays at %#lx", told);
        events_await(par, EVENT_SECONDS, &event);
        printf("without a pin: told %#lx, moved to %#lx; event %u after %.1f s\n", told, is,
               event.type, (double)(now_ns() - started) / 1e9);
        if (event.type != PAR_EVENT_MOVED || event.buffer != buffer)
                die("that is not the event");

        /* Nobody gets any more of that frame. */
        insist(par_alloc(par, FRAME_BYTES, NULL, NULL, &other), "another buffer");
        told_compare(other);
        if (par_buffer_dma(other) == told || par_buffer_dma(other) == is)
                die("the frame was lent again");
        par_free(buffer);
        par_free(other);
        told_print();
}

int main(int argc, char **argv)
{
        bool pinned = argc > 2 && strcmp(argv[1], "pinned") == 0;
        struct pard_fixture pard;
        char config[512];
        struct par *par;

        own_page_moves();
        snprintf(config, sizeof(config), config_format, pinned ? "required" : "optional");
        pard_fixture_start_filled(config, &pard);
        insist(par_connect(NULL, NULL, &par), "connect");
        if (pinned)
                stays(par, argv[2]);
        else
                goes_and_is_noticed(par);
        par_disconnect(par);
        pard_fixture_stop(&pard);
        return 0;
}
