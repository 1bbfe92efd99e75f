/* SPDX-License-Identifier: MIT */
/*
 * A buffer as a dma-buf. Its owner, who is nobody in particular, exports it and sends it over a
 * Unix socket to a process of another uid; a device writes to it by its physical address; both read
 * what is right. The importer sees the buffer and nothing beside it, and can neither cut nor punch
 * it. When the owner has freed it, its frames stay his for as long as the importer has it, mapped
 * or not, and come back after that. Of a pool that hands out nothing else the owner himself has no
 * more than that. A worker that is killed changes nothing about it, and the next one exports as
 * well.
 *
 *     test_dmabuf ADDRESS      of an edu device
 */
#include "edu.h"
#include "insist.h"
#include "macros.h"
#include "packet.h"
#include "par.h"
#include "pard_fixture.h"
#include "process.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/dma-buf.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define FRAME_BYTES  (2 * MiB)
#define PAGE_BYTES   4096u
#define SMALL_BYTES  (3 * PAGE_BYTES)
#define LARGE_BYTES  (3 * FRAME_BYTES + 2 * PAGE_BYTES)
#define DEVICE_BYTES 2048u
#define IMPORTER     65031
#define OWNER        65030
#define GROUP        65001    /* of the socket */
#define POOL         "bits28" /* the first that parctl lists */
#define POOL_BYTES   "32M"
#define LOOK_MS      100
#define LOOKS        600 /* the keeper looks at pages that somebody refers to every 10 s */

static const char config[] = "backend = \"hugetlb\"\n"
                             "hugepages = \"existing\"\n"
                             "keep_free = \"64M\"\n"
                             "group = \"65001\"\n"
                             "pool \"" POOL "\" { below = \"256M\" size_min = \"" POOL_BYTES "\" "
                             "size_max = \"" POOL_BYTES "\" }\n"
                             "pool \"sealed\" { below = \"256M\" size_min = \"16M\" "
                             "handout = \"dmabuf\" }\n";

static void become(uid_t uid)
{
        if (setgroups(0, NULL) < 0 || setresgid(GROUP, GROUP, GROUP) < 0 ||
            setresuid(uid, uid, uid) < 0)
                die("becoming user %u: %s", uid, strerror(errno));
}

/* What lies at @offset of a buffer, told apart by what wrote it. */
static unsigned char pattern(size_t offset, unsigned char salt)
{
        return (unsigned char)(offset * 7 + offset / PAGE_BYTES + salt);
}

static void write_pattern(unsigned char *at, size_t bytes, unsigned char salt)
{
        for (size_t i = 0; i < bytes; i++)
                at[i] = pattern(i, salt);
}

static void insist_pattern(const unsigned char *at, size_t bytes, unsigned char salt,
                           const char *whose)
{
        for (size_t i = 0; i < bytes; i++)
                if (at[i] != pattern(i, salt))
                        die("%s: byte %zu is %#x, not %#x", whose, i, at[i], pattern(i, salt));
}

/* ---- the importer --------------------------------------------------------------------------- */

/* What it is told, one letter each, and answers with the same letter. */
enum order {
        ORDER_CHECK = 'c',  /* what the owner wrote is there; write something else */
        ORDER_DEVICE = 'd', /* what the device wrote is there */
        ORDER_CLOSE = 'x',  /* close the descriptor; the mapping stays */
        ORDER_UNMAP = 'u',  /* and unmap */
};

static void sync_for(int fd, uint64_t what)
{
        struct dma_buf_sync sync = { .flags = what };

        if (ioctl(fd, DMA_BUF_IOCTL_SYNC, &sync) < 0)
                die("DMA_BUF_IOCTL_SYNC: %s", strerror(errno));
}

static void insist_no(bool succeeded, const char *what)
{
        if (succeeded)
                die("%s: it can", what);
        printf("refused: %s: %s\n", what, strerror(errno));
}

static bool can_map(int fd, size_t bytes, off_t offset)
{
        void *at = mmap(NULL, bytes, PROT_READ, MAP_SHARED, fd, offset);

        return at != MAP_FAILED && munmap(at, bytes) == 0;
}

static bool can_open(const char *path)
{
        int fd = open(path, O_RDWR);

        return fd >= 0 && close(fd) == 0;
}

/* It sees these bytes, and can take away none of them. */
static unsigned char *import(int fd, size_t bytes)
{
        unsigned char *at;
        char path[32];
        off_t size = lseek(fd, 0, SEEK_END);

        if (size != (off_t)bytes)
                die("the dma-buf has %ld bytes, the buffer %zu", (long)size, bytes);
        at = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        if (at == MAP_FAILED)
                die("mapping the dma-buf: %s", strerror(errno));
        insist_no(can_map(fd, bytes + PAGE_BYTES, 0), "mapping a page more");
        insist_no(can_map(fd, PAGE_BYTES, (off_t)bytes), "mapping the page behind");
        insist_no(ftruncate(fd, 0) == 0, "truncating");
        insist_no(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, PAGE_BYTES) == 0,
                  "punching a hole");
        insist_no(madvise(at, PAGE_BYTES, MADV_REMOVE) == 0, "removing a mapped page");
        snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
        insist_no(can_open(path), "opening it anew");
        insist_no(can_open("/dev/udmabuf"), "opening /dev/udmabuf");
        return at;
}

static void obey(int socket, int fd, size_t bytes)
{
        unsigned char *at = import(fd, bytes);
        char order;

        while (read(socket, &order, 1) == 1) {
                switch ((enum order)order) {
                case ORDER_CHECK:
                        sync_for(fd, DMA_BUF_SYNC_START | DMA_BUF_SYNC_RW);
                        insist_pattern(at, bytes, 1, "importer, of the owner");
                        write_pattern(at, bytes, 2);
                        sync_for(fd, DMA_BUF_SYNC_END | DMA_BUF_SYNC_RW);
                        break;
                case ORDER_DEVICE:
                        insist_pattern(at, DEVICE_BYTES, 3, "importer, of the device");
                        break;
                case ORDER_CLOSE: close(fd); break;
                case ORDER_UNMAP: munmap(at, bytes); break;
                }
                if (write(socket, &order, 1) != 1)
                        die("importer: %s", strerror(errno));
        }
}

static void serve_as_importer(int socket)
{
        size_t bytes;
        struct packet packet;

        become(IMPORTER);
        if (packet_receive(socket, &bytes, sizeof(bytes), &packet) || packet.count != 1 ||
            packet.size != sizeof(bytes))
                die("importer: no dma-buf came");
        obey(socket, packet.descriptors[0], bytes);
        exit(EXIT_SUCCESS);
}

/* Return: a socket to it. */
static int start_importer(void)
{
        int ends[2];
        pid_t pid;

        if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
                die("socketpair: %s", strerror(errno));
        fflush(NULL);
        pid = fork();
        if (pid < 0)
                die("fork: %s", strerror(errno));
        if (!pid) {
                close(ends[0]);
                serve_as_importer(ends[1]);
        }
        close(ends[1]);
        return ends[0];
}

static void order(int importer, enum order what)
{
        char letter = (char)what, answer = 0;

        if (write(importer, &letter, 1) != 1 || read(importer, &answer, 1) != 1 || answer != letter)
                die("the importer did not do '%c'", letter);
}

/* ---- the owner ------------------------------------------------------------------------------ */

/* Bytes of a state, as "parctl pools" has them. */
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
        unsigned long long now = bytes_in(state);

        for (int i = 0; i < LOOKS && now != bytes; i++) {
                usleep(LOOK_MS * 1000);
                now = bytes_in(state);
        }
        if (now != bytes)
                die("%llu bytes are %s, not %llu", now, state, bytes);
}

static int export(struct par_buffer *buffer, int importer)
{
        const size_t bytes = par_buffer_size(buffer);
        int fd;

        insist(par_buffer_export_dmabuf(buffer, &fd), "export");
        if (packet_send(importer, &bytes, sizeof(bytes), &fd, 1))
                die("sending the dma-buf failed");
        return fd;
}

/* The owner, the importer, the device, and both again. */
static void everybody_sees_the_same(struct par_buffer *buffer, int importer,
                                    const struct pci_device *edu)
{
        unsigned char *data = par_buffer_data(buffer);

        write_pattern(data, par_buffer_size(buffer), 1);
        order(importer, ORDER_CHECK);
        insist_pattern(data, par_buffer_size(buffer), 2, "owner, of the importer");
        write_pattern(data, DEVICE_BYTES, 3);
        insist(edu_fetch(edu, par_buffer_dma(buffer), 0, DEVICE_BYTES), "fetch");
        memset(data, 0, DEVICE_BYTES);
        insist(edu_store(edu, par_buffer_dma(buffer), 0, DEVICE_BYTES), "store");
        insist_pattern(data, DEVICE_BYTES, 3, "owner, of the device");
        order(importer, ORDER_DEVICE);
        printf("%zu bytes at %#lx: owner, importer and device see the same\n",
               par_buffer_size(buffer), par_buffer_dma(buffer));
}

static void insist_untouched(const unsigned char *beside)
{
        for (size_t i = 0; i < PAGE_BYTES; i++)
                if (beside[i] != 0x5a)
                        die("the neighbour's page was written to");
}

/* The owner's, and nobody else's, until the importer has neither descriptor nor mapping. */
static void let_go(unsigned frames, unsigned long long held, int importer)
{
        await_bytes("lingering", frames * FRAME_BYTES);
        order(importer, ORDER_CLOSE);
        usleep(1500 * 1000); /* the keeper looks once more */
        if (bytes_in("lingering") != frames * FRAME_BYTES)
                die("a frame was given up that the importer has mapped");
        order(importer, ORDER_UNMAP);
        await_bytes("lingering", 0);
        await_bytes("free", held);
        if (bytes_in("lost_to_system"))
                die("a page was lost");
        printf("%u frames were the owner's until the importer let go, then free\n", frames);
}

/* A buffer with a neighbour in its frame. */
static void share_small(struct par *par, const struct pci_device *edu, int importer)
{
        const struct par_constraint limits = par_constraint_for_mask(EDU_DMA_BITS);
        const struct par_alloc_options options = { .pool = POOL };
        const unsigned long long held = bytes_in("held");
        struct par_buffer *below, *buffer, *above;

        insist(par_alloc(par, PAGE_BYTES, &limits, &options, &below), "neighbour");
        insist(par_alloc(par, SMALL_BYTES, &limits, &options, &buffer), "buffer");
        insist(par_alloc(par, PAGE_BYTES, &limits, &options, &above), "neighbour");
        memset(par_buffer_data(below), 0x5a, PAGE_BYTES);
        memset(par_buffer_data(above), 0x5a, PAGE_BYTES);
        close(export(buffer, importer));
        everybody_sees_the_same(buffer, importer, edu);
        insist_untouched(par_buffer_data(below));
        insist_untouched(par_buffer_data(above));
        par_free(buffer);
        par_free(below);
        par_free(above);
        let_go(1, held, importer);
}

/* A buffer over several frames, in as many pieces as it likes. */
static void share_large(struct par *par, const struct pci_device *edu, int importer)
{
        const struct par_alloc_options options = { .pool = POOL };
        const unsigned long long held = bytes_in("held");
        struct par_constraint limits = par_constraint_for_mask(EDU_DMA_BITS);
        struct par_buffer *buffer;

        limits.max_segments = PAR_SEGMENTS_ANY;
        insist(par_alloc(par, LARGE_BYTES, &limits, &options, &buffer), "large buffer");
        close(export(buffer, importer));
        everybody_sees_the_same(buffer, importer, edu);
        par_free(buffer);
        let_go(LARGE_BYTES / FRAME_BYTES + 1, held, importer);
}

/* ---- a pool that hands out nothing else ----------------------------------------------------- */

/* A mapping of a frame would be called after its memfd. */
static void insist_no_frame(void)
{
        FILE *maps = fopen("/proc/self/maps", "r");
        bool found = false;
        char line[512];

        if (!maps)
                die("/proc/self/maps: %s", strerror(errno));
        while (fgets(line, sizeof(line), maps)) {
                if (strstr(line, "memfd:"))
                        die("a frame is mapped: %s", line);
                found |= strstr(line, "dmabuf") != NULL;
        }
        fclose(maps);
        if (!found)
                die("no dma-buf is mapped");
}

static void through_device(struct par_buffer *buffer, const struct pci_device *edu)
{
        unsigned char *data = par_buffer_data(buffer);

        write_pattern(data, DEVICE_BYTES, 4);
        insist(edu_fetch(edu, par_buffer_dma(buffer), 0, DEVICE_BYTES), "fetch");
        memset(data, 0, DEVICE_BYTES);
        insist(edu_store(edu, par_buffer_dma(buffer), 0, DEVICE_BYTES), "store");
        insist_pattern(data, DEVICE_BYTES, 4, "owner, of the device");
}

static void use_sealed(struct par *par, const struct pci_device *edu, size_t bytes)
{
        const struct par_alloc_options options = { .pool = "sealed" };
        struct par_constraint limits = par_constraint_for_mask(EDU_DMA_BITS);
        struct par_buffer *buffer;
        unsigned char *data;

        limits.max_segments = PAR_SEGMENTS_ANY;
        insist(par_alloc(par, bytes, &limits, &options, &buffer), "sealed buffer");
        data = par_buffer_data(buffer);
        if ((uintptr_t)data % FRAME_BYTES != par_buffer_dma(buffer) % FRAME_BYTES)
                die("%p is not congruent with %#lx", (void *)data, par_buffer_dma(buffer));
        for (size_t i = 0; i < bytes; i++)
                if (data[i])
                        die("byte %zu of a new buffer is %#x", i, data[i]);
        write_pattern(data, bytes, 5);
        insist_pattern(data, bytes, 5, "owner, of himself");
        insist_no(madvise(data, PAGE_BYTES, MADV_REMOVE) == 0, "punching a page that is mapped");
        insist_no_frame();
        through_device(buffer, edu);
        par_free(buffer);
        printf("%zu bytes of a sealed pool: right, and no frame to be seen\n", bytes);
}

static void own(const struct pci_device *edu, const int importers[2])
{
        struct par *par;

        become(OWNER);
        insist(par_connect(NULL, NULL, &par), "connect");
        use_sealed(par, edu, SMALL_BYTES);
        use_sealed(par, edu, LARGE_BYTES);
        share_small(par, edu, importers[0]);
        share_large(par, edu, importers[1]);
        par_disconnect(par);
}

/* ---- a worker that dies --------------------------------------------------------------------- */

static void await_other_worker(const struct pard_fixture *pard, pid_t former)
{
        const char *const argv[] = { "parctl", "pools", NULL };
        char said[4096];

        for (int i = 0; i < LOOKS; i++) {
                const pid_t worker = pard_fixture_worker(pard);

                if (worker && worker != former && run_program(argv, said, sizeof(said)) == 0)
                        return;
                usleep(LOOK_MS * 1000);
        }
        die("no other worker serves");
}

/* Of the former worker's buffer the next one knows only that somebody had it. */
static void outlive_worker(const struct pard_fixture *pard, int importer)
{
        const struct par_alloc_options options = { .pool = POOL };
        const unsigned long long held = bytes_in("held");
        const pid_t worker = pard_fixture_worker(pard);
        struct par_buffer *buffer;
        struct par *par;
        int fd;

        insist(par_connect(NULL, NULL, &par), "connect");
        insist(par_alloc(par, SMALL_BYTES, NULL, &options, &buffer), "buffer");
        close(export(buffer, importer));
        write_pattern(par_buffer_data(buffer), SMALL_BYTES, 1);
        kill(worker, SIGKILL);
        await_other_worker(pard, worker);
        order(importer, ORDER_CHECK);
        insist_pattern(par_buffer_data(buffer), SMALL_BYTES, 2, "owner, of the importer");
        par_disconnect(par);
        await_bytes("lingering", FRAME_BYTES);

        insist(par_connect(NULL, NULL, &par), "connect again");
        insist(par_alloc(par, SMALL_BYTES, NULL, &options, &buffer), "buffer of the next worker");
        insist(par_buffer_export_dmabuf(buffer, &fd), "export by the next worker");
        close(fd);
        par_disconnect(par);

        order(importer, ORDER_UNMAP);
        order(importer, ORDER_CLOSE);
        await_bytes("lingering", 0);
        await_bytes("free", held);
        printf("a worker was killed: the importer's pages were nobody else's until he let go\n");
}

static void await_children(unsigned count)
{
        int status;

        for (unsigned i = 0; i < count; i++)
                if (wait(&status) < 0 || status)
                        die("a process failed");
}

int main(int argc, char **argv)
{
        struct pard_fixture pard;
        struct pci_device edu;
        int importers[3];
        pid_t pid;

        if (argc != 2)
                die("usage: test_dmabuf ADDRESS");
        pard_fixture_start_filled(config, &pard);
        insist(edu_open(argv[1], &edu), "edu");
        for (size_t i = 0; i < 3; i++)
                importers[i] = start_importer();
        fflush(NULL);
        pid = fork();
        if (pid < 0)
                die("fork: %s", strerror(errno));
        if (!pid) {
                own(&edu, importers);
                exit(EXIT_SUCCESS);
        }
        await_children(1);
        outlive_worker(&pard, importers[2]);
        /* The later ones have copies of what leads to those before. */
        for (size_t i = 0; i < 3; i++)
                close(importers[i]);
        await_children(3);
        pci_close(&edu);
        pard_fixture_stop(&pard);
        return 0;
}
