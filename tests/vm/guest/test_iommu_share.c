/* SPDX-License-Identifier: MIT */
/*
 * Two processes with one container: each plans for itself, from the top of the same addresses down,
 * and the kernel refuses what overlaps. Both get all their buffers, none is at another's place, and
 * what the device writes to one comes to the process whose it is.
 *
 *     test_iommu_share EDU     the address of a device that is bound to vfio-pci
 */
#include "edu.h"
#include "insist.h"
#include "macros.h"
#include "pard_fixture.h"
#include "process.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define BUFFER_BYTES 4096u
#define TRANSFER     (BUFFER_BYTES / 2)
#define FIRST        300 /* buffers of the first process; more than one could pass one by one */
#define SECOND       300 /* of the other one, after that */
#define THIRD        100 /* of the first one again */
#define TEXT_BYTES   1024

static const char config[] = "backend = \"hugetlb\"\n"
                             "hugepages = \"existing\"\n"
                             "keep_free = \"64M\"\n"
                             "pool \"any\" { size_min = \"32M\" }\n"
                             "device \"%s\" { dma_bits = 28 }\n";

/**
 * struct process - one of the two
 * @peer:    messages to the other one, and from it
 * @buffers: @n, each with pages full of @mark
 */
struct process {
        struct par *par;
        struct par_device *device;
        int peer;
        unsigned char mark;
        struct par_buffer *buffers[FIRST + THIRD];
        size_t n;
};

static void tell(const struct process *process, const void *data, size_t bytes)
{
        if (send(process->peer, data, bytes, 0) != (ssize_t)bytes)
                die("send: %s", strerror(errno));
}

static void hear(const struct process *process, void *data, size_t bytes)
{
        if (recv(process->peer, data, bytes, 0) != (ssize_t)bytes)
                die("the other process has ended, or its message is another");
}

static void connect_to(struct process *process, const struct pci_device *edu)
{
        insist(par_connect(NULL, NULL, &process->par), "connect");
        insist(pci_attach(edu, process->par, &process->device), "attach");
}

static void get_buffers(struct process *process, size_t n)
{
        struct par_alloc_options options = { .device = process->device, .wait_ms = 20000 };

        for (; n; n--) {
                struct par_buffer **buffer = &process->buffers[process->n++];

                insist(par_alloc(process->par, BUFFER_BYTES, NULL, &options, buffer), "buffer");
                memset(par_buffer_data(*buffer), process->mark, BUFFER_BYTES);
        }
}

/* All is as this process wrote it, but for what the device wrote to its first buffer. */
static void look(const struct process *process, unsigned char device_mark)
{
        for (size_t i = 0; i < process->n; i++) {
                const unsigned char *data = par_buffer_data(process->buffers[i]);

                for (size_t at = 0; at < BUFFER_BYTES; at++) {
                        if (data[at] != (!i && at < TRANSFER ? device_mark : process->mark))
                                die("buffer %zu of process %#x has %#x at %zu", i, process->mark,
                                    data[at], at);
                }
        }
}

/* The other process: it has the container only. */
static void be_second(const struct pci_device *edu, int peer)
{
        struct process second = { .peer = peer, .mark = 0x22 };
        uint64_t dma[SECOND];
        char go;

        hear(&second, &go, sizeof(go));
        connect_to(&second, edu);
        get_buffers(&second, SECOND);
        for (size_t i = 0; i < SECOND; i++)
                dma[i] = par_buffer_dma(second.buffers[i]);
        tell(&second, dma, sizeof(dma));
        hear(&second, &go, sizeof(go));
        look(&second, 0x11);
        par_disconnect(second.par);
}

static void compare_places(const struct process *first, const uint64_t *dma)
{
        for (size_t i = 0; i < first->n; i++) {
                const uint64_t at = par_buffer_dma(first->buffers[i]);

                for (size_t j = 0; j < SECOND; j++) {
                        if (at < dma[j] + BUFFER_BYTES && dma[j] < at + BUFFER_BYTES)
                                die("both processes have a buffer at %#lx", at);
                }
        }
        printf("%zu buffers of one process, from %#lx down, and %d of another, from %#lx down: "
               "none at another's place\n",
               first->n, par_buffer_dma(first->buffers[0]), SECOND, dma[0]);
}

static void be_first(const struct pci_device *edu, int peer)
{
        struct process first = { .peer = peer, .mark = 0x11 };
        uint64_t dma[SECOND];

        connect_to(&first, edu);
        get_buffers(&first, FIRST);
        tell(&first, "", 1);
        hear(&first, dma, sizeof(dma));
        get_buffers(&first, THIRD);
        compare_places(&first, dma);
        insist(edu_fetch(edu, par_buffer_dma(first.buffers[0]), 0, TRANSFER), "fetch");
        insist(edu_store(edu, dma[0], 0, TRANSFER), "store");
        look(&first, 0x11);
        tell(&first, "", 1);
        par_disconnect(first.par);
}

static void share(const struct pci_device *edu)
{
        int ends[2], status;
        pid_t child;

        if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
                die("socketpair: %s", strerror(errno));
        fflush(stdout);
        child = fork();
        if (child < 0)
                die("fork: %s", strerror(errno));
        if (!child) {
                close(ends[0]);
                be_second(edu, ends[1]);
                _exit(0);
        }
        close(ends[1]);
        be_first(edu, ends[0]);
        if (waitpid(child, &status, 0) != child || status)
                die("the other process ended with status %#x", status);
}

int main(int argc, char **argv)
{
        struct pard_fixture pard;
        struct pci_device edu;
        char text[TEXT_BYTES];

        if (argc != 2)
                die("usage: test_iommu_share EDU");
        snprintf(text, sizeof(text), config, argv[1]);
        pard_fixture_start_filled(text, &pard);
        insist(edu_open(argv[1], &edu), argv[1]);
        share(&edu);
        pci_close(&edu);
        pard_fixture_stop(&pard);
        return 0;
}
