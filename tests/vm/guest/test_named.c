/* SPDX-License-Identifier: MIT */
/*
 * A named buffer on real hardware, as far as a virtual machine has that. Its driver is killed; a
 * process of another uid opens it and is given a dma-buf, which it can neither punch nor seal; a
 * device writes there meanwhile, by its physical address, and both read what is right: the other
 * uid, and the driver when it is started again, at the same address.
 *
 *     test_named ADDRESS      of an edu device
 */
#include "edu.h"
#include "insist.h"
#include "macros.h"
#include "par.h"
#include "pard_fixture.h"
#include "process.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define FRAME_BYTES  (2 * MiB)
#define BYTES        (FRAME_BYTES + 12288)
#define PAGE_BYTES   4096u
#define DEVICE_BYTES 2048u
#define DRIVER       65030
#define READER       65031
#define GROUP        65001 /* of the socket */
#define LOOK_MS      100
#define LOOKS        600 /* the keeper looks at pages that somebody refers to every 10 s */

static const char config[] = "backend = \"hugetlb\"\n"
                             "hugepages = \"existing\"\n"
                             "keep_free = \"64M\"\n"
                             "group = \"65001\"\n"
                             "pool \"bits28\" { below = \"256M\" size_min = \"32M\" "
                             "size_max = \"32M\" quarantine = \"1h\" }\n";

/* What the processes tell each other. */
static struct board {
        uint64_t dma;
} * board;

static struct pci_device edu;

static void become(uid_t uid)
{
        if (setgroups(0, NULL) < 0 || setresgid(GROUP, GROUP, GROUP) < 0 ||
            setresuid(uid, uid, uid) < 0)
                die("becoming user %u: %s", uid, strerror(errno));
}

/* A process of another user that does one thing; with @stays it is killed after that. */
static void as(uid_t uid, void (*act)(struct par *par), bool stays)
{
        const struct par_connect_options options = { .client_name = "driver" };
        struct par *par;
        int ends[2], status;
        char done = 0;
        pid_t pid;

        fflush(NULL);
        if (pipe(ends) < 0 || (pid = fork()) < 0)
                die("a process cannot be had: %s", strerror(errno));
        if (!pid) {
                become(uid);
                insist(par_connect(NULL, &options, &par), "connect");
                act(par);
                if (write(ends[1], &done, 1) != 1)
                        die("telling: %s", strerror(errno));
                if (stays)
                        for (;;)
                                pause();
                par_disconnect(par);
                exit(EXIT_SUCCESS);
        }
        close(ends[1]);
        if (read(ends[0], &done, 1) != 1)
                die("user %u failed", uid);
        close(ends[0]);
        if (stays)
                kill(pid, SIGKILL);
        if (waitpid(pid, &status, 0) != pid || (!stays && status))
                die("user %u ended with status %#x", uid, (unsigned)status);
}

/* Whether memory is mapped from a file that is called like this. */
static bool is_mapped(const char *name)
{
        FILE *maps = fopen("/proc/self/maps", "r");
        bool found = false;
        char line[512];

        if (!maps)
                die("/proc/self/maps: %s", strerror(errno));
        while (fgets(line, sizeof(line), maps))
                found |= strstr(line, name) != NULL;
        fclose(maps);
        return found;
}

static void insist_filled(const unsigned char *at, size_t bytes, unsigned char with)
{
        for (size_t i = 0; i < bytes; i++)
                if (at[i] != with)
                        die("byte %zu is %#x, not %#x", i, at[i], with);
}

/* The device reads the end and fills the beginning, by the addresses that this process was told. */
static void device_writes(struct par *par, struct par_buffer *from, unsigned char with)
{
        unsigned char *end = (unsigned char *)par_buffer_data(from) + BYTES - PAGE_BYTES;
        uint64_t dma;

        memset(end, with, DEVICE_BYTES);
        insist(par_dma_address(par, end, &dma, NULL), "address");
        insist(edu_fetch(&edu, dma, 0, DEVICE_BYTES), "fetch");
        insist(edu_store(&edu, par_buffer_dma(from), 0, DEVICE_BYTES), "store");
}

/* ---- what they do --------------------------------------------------------------------------- */

static void make(struct par *par)
{
        struct par_constraint limits = par_constraint_for_mask(EDU_DMA_BITS);
        const struct par_alloc_options options = { .name = "ring",
                                                   .flags = PAR_ALLOC_LASTING,
                                                   .allow = "uid:65031" };
        struct par_buffer *ring;

        limits.max_segments = PAR_SEGMENTS_ANY;
        insist(par_alloc(par, BYTES, &limits, &options, &ring), "ring");
        insist_filled(par_buffer_data(ring), BYTES, 0);
        board->dma = par_buffer_dma(ring);
        if (!is_mapped("memfd:"))
                die("its owner has no frame");
        device_writes(par, ring, 0x11);
        insist_filled(par_buffer_data(ring), DEVICE_BYTES, 0x11);
}

static void use_as_reader(struct par *par)
{
        struct par_buffer *ring;
        unsigned char *data;

        insist(par_open(par, "65030/ring", NULL, &ring), "open");
        data = par_buffer_data(ring);
        if (par_buffer_dma(ring) != board->dma || par_buffer_size(ring) != BYTES)
                die("another buffer");
        if (is_mapped("memfd:") || !is_mapped("dmabuf"))
                die("another uid has the frame itself");
        if (!madvise(data, PAGE_BYTES, MADV_REMOVE))
                die("another uid can punch it");
        printf("refused: removing a page: %s\n", strerror(errno));
        insist_filled(data, DEVICE_BYTES, 0x11);
        device_writes(par, ring, 0x22);
        insist_filled(data, DEVICE_BYTES, 0x22);
        data[BYTES - 1] = 0x33;
}

static void go_on(struct par *par)
{
        struct par_buffer *ring;
        unsigned char *data;

        insist(par_open(par, "ring", NULL, &ring), "open");
        data = par_buffer_data(ring);
        if (par_buffer_dma(ring) != board->dma)
                die("another address");
        insist_filled(data, DEVICE_BYTES, 0x22);
        if (data[BYTES - 1] != 0x33)
                die("what the other uid wrote is not there");
        insist(par_remove(par, "ring"), "remove");
        par_free(ring);
}

/* ---- from outside --------------------------------------------------------------------------- */

static unsigned long long bytes_in(const char *state)
{
        const char *const argv[] = { "parctl", "--json", "pools", NULL };
        char said[4096], key[64];
        const char *at;

        if (run_program(argv, said, sizeof(said)) != 0)
                die("parctl: %s", said);
        snprintf(key, sizeof(key), "\"%s\":", state);
        at = strstr(said, key);
        if (!at)
                die("parctl says nothing of %s: %s", state, said);
        return strtoull(at + strlen(key), NULL, 10);
}

static void await_bytes(const char *state, unsigned long long bytes)
{
        for (int i = 0; i < LOOKS && bytes_in(state) != bytes; i++)
                usleep(LOOK_MS * 1000);
        if (bytes_in(state) != bytes)
                die("%llu bytes are %s, not %llu", bytes_in(state), state, bytes);
}

int main(int argc, char **argv)
{
        struct pard_fixture pard;
        unsigned long long held;

        if (argc != 2)
                die("usage: test_named ADDRESS");
        board = mmap(NULL, sizeof(*board), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
                     0);
        if (board == MAP_FAILED)
                die("no memory");
        pard_fixture_start_filled(config, &pard);
        setenv("PAR_SOCKET", pard.socket, 1);
        insist(edu_open(argv[1], &edu), "edu");
        held = bytes_in("held");

        as(DRIVER, make, true);
        await_bytes("granted", 2 * FRAME_BYTES);
        as(READER, use_as_reader, false);
        await_bytes("granted", 2 * FRAME_BYTES);
        as(DRIVER, go_on, false);
        await_bytes("free", held);
        if (bytes_in("lost_to_system"))
                die("a page was lost");
        printf("%zu bytes at %#llx: killed, lent to another uid, and gone on with\n", (size_t)BYTES,
               (unsigned long long)board->dma);

        pci_close(&edu);
        pard_fixture_stop(&pard);
        return 0;
}
