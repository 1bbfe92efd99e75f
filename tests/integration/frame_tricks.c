/* SPDX-License-Identifier: MIT */
#include "frame_tricks.h"

#include "packet.h"
#include "process.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <linux/io_uring.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

/* The longest that a test's child lives, whatever became of the test. */
#define CHILD_LIFE_S 600

/* The longest that pins are waited for. */
#define PINS_MS_MAX 20000

void insist(bool good, const char *what)
{
        if (!good)
                die("%s: %s", what, strerror(errno));
}

void held_unmap(struct held *held)
{
        if (held->map)
                munmap(held->map, FRAME_BYTES);
        held->map = NULL;
}

static void keep_nothing(struct held *held)
{
        (void)held;
}

void punch(struct held *held)
{
        insist(fallocate(held->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, FRAME_BYTES) == 0,
               "punch");
}

static void punch_and_touch(struct held *held)
{
        punch(held);
        held->map[0] = 1;
}

static void resize(struct held *held)
{
        insist(ftruncate(held->fd, 0) < 0 && errno == EPERM, "shrink is EPERM");
        insist(ftruncate(held->fd, 2 * FRAME_BYTES) < 0 && errno == EPERM, "grow is EPERM");
        insist(fallocate(held->fd, 0, FRAME_BYTES, FRAME_BYTES) < 0, "fallocate beyond the end");
        insist(fallocate(held->fd, 0, 0, FRAME_BYTES) == 0, "fallocate what is there");
}

static void seal(struct held *held, int seals)
{
        insist(fcntl(held->fd, F_ADD_SEALS, seals) == 0, "seal");
}

/* The kernel refuses it as long as pard has the page pinned. */
static void seal_write(struct held *held)
{
        insist(fcntl(held->fd, F_ADD_SEALS, F_SEAL_WRITE) < 0 && errno == EBUSY, "seal mapped");
        held_unmap(held);
        insist(fcntl(held->fd, F_ADD_SEALS, F_SEAL_WRITE) < 0 && errno == EBUSY, "seal pinned");
}

static void seal_seal(struct held *held)
{
        seal(held, F_SEAL_SEAL);
}

static void seal_future_write(struct held *held)
{
        seal(held, F_SEAL_FUTURE_WRITE | F_SEAL_SHRINK | F_SEAL_GROW);
}

static void keep_descriptor(struct held *held)
{
        held->kept[0] = dup(held->fd);
}

static void keep_path(struct held *held)
{
        char path[32];

        snprintf(path, sizeof(path), "/proc/self/fd/%d", held->fd);
        held->kept[0] = open(path, O_PATH | O_CLOEXEC);
        insist(held->kept[0] >= 0, "O_PATH");
}

static void keep_in_flight(struct held *held)
{
        insist(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, held->kept) == 0, "sockets");
        insist(packet_send(held->kept[0], "x", 1, &held->fd, 1) == 0, "send");
}

/* A child that keeps another frame does not keep this one with it. */
static void not_for_children(const struct held *held)
{
        insist(held->kept_map != MAP_FAILED, "map");
        insist(madvise(held->kept_map, FRAME_BYTES, MADV_DONTFORK) == 0, "MADV_DONTFORK");
}

static void keep_mapping(struct held *held)
{
        held->kept_map = mmap(NULL, FRAME_BYTES, PROT_READ, MAP_SHARED, held->fd, 0);
        not_for_children(held);
}

/* Neither the descriptor nor the mapping was ever for writing. Only pard's own uid gets one: for
 * others it is the mapping alone that is read-only. */
static void keep_read_only(struct held *held)
{
        char path[32];
        int fd;

        snprintf(path, sizeof(path), "/proc/self/fd/%d", held->fd);
        fd = open(path, O_RDONLY | O_CLOEXEC);
        insist(fd >= 0 || errno == EACCES, "O_RDONLY");
        held->kept_map = mmap(NULL, FRAME_BYTES, PROT_READ, MAP_SHARED, fd >= 0 ? fd : held->fd, 0);
        not_for_children(held);
        if (fd >= 0)
                close(fd);
}

static void keep_private_mapping(struct held *held)
{
        held->kept_map =
                mmap(NULL, FRAME_BYTES, PROT_READ, MAP_PRIVATE | MAP_NORESERVE, held->fd, 0);
        not_for_children(held);
}

static void keep_child(struct held *held)
{
        held->child_map = held->map;
        held->child = fork();
        insist(held->child >= 0, "fork");
        if (held->child)
                return;
        (void)close_range(3, ~0u, 0); /* of other frames it has nothing */
        alarm(CHILD_LIFE_S);          /* should nobody end it */
        for (;;) /* the parent of its parent ends it, whatever becomes of the latter */
                pause();
}

static void keep_splice(struct held *held)
{
        struct iovec page = { held->map, 4096 };

        insist(pipe2(held->kept, O_CLOEXEC) == 0, "pipe");
        insist(vmsplice(held->kept[1], &page, 1, 0) == 4096, "vmsplice");
}

static void keep_registered(struct held *held)
{
        struct io_uring_params params = { 0 };
        struct iovec all = { held->map, FRAME_BYTES };

        held->kept[0] = (int)syscall(SYS_io_uring_setup, 1, &params);
        insist(held->kept[0] >= 0, "io_uring");
        /* What this uid had registered before counts until the kernel has let go of it. */
        for (int ms = 0;
             syscall(SYS_io_uring_register, held->kept[0], IORING_REGISTER_BUFFERS, &all, 1) != 0;
             ms++) {
                insist(errno == ENOMEM && ms < PINS_MS_MAX, "register");
                usleep(1000);
        }
}

static void seal_and_splice(struct held *held)
{
        keep_splice(held);
        seal_seal(held);
}

static void play_with_the_file(struct held *held)
{
        struct flock whole = { .l_type = F_WRLCK };

        insist(fcntl(held->fd, F_SETLEASE, F_RDLCK) < 0, "a lease is refused");
        insist(fcntl(held->fd, F_SETSIG, SIGIO) == 0, "F_SETSIG");
        insist(fcntl(held->fd, F_SETOWN, getpid()) == 0, "F_SETOWN");
        insist(fcntl(held->fd, F_SETFL, O_NONBLOCK | O_APPEND) == 0, "F_SETFL");
        insist(flock(held->fd, LOCK_EX) == 0, "flock");
        insist(fcntl(held->fd, F_OFD_SETLK, &whole) == 0, "F_OFD_SETLK");
        insist(fchmod(held->fd, 0666) < 0, "fchmod is refused");
}

/* ---- what is seen through what is kept ------------------------------------------------------- */

static bool are_own(const uint64_t *words, size_t bytes)
{
        for (size_t i = 0; i < bytes / sizeof(*words); i++)
                if (words[i] && words[i] != HELD_WORD)
                        return false;
        return true;
}

static bool file_is_own(int fd)
{
        uint64_t *words = mmap(NULL, FRAME_BYTES, PROT_READ, MAP_SHARED, fd, 0);
        bool own;

        insist(words != MAP_FAILED, "map what is kept");
        own = are_own(words, FRAME_BYTES);
        munmap(words, FRAME_BYTES);
        return own;
}

/* Whatever kind of descriptor it is. */
static bool descriptor_is_own(int fd)
{
        uint64_t words[512];
        struct packet packet;
        struct stat what;
        char path[32];
        bool own = true;
        char byte;
        int again;

        insist(fstat(fd, &what) == 0, "fstat");
        if (S_ISREG(what.st_mode)) {
                snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
                again = open(path, O_RDONLY | O_CLOEXEC);
                insist(again >= 0 || errno == EACCES, "open what is kept");
                if (again >= 0 || !(fcntl(fd, F_GETFL) & O_PATH)) /* which shows others nothing */
                        own = file_is_own(again >= 0 ? again : fd);
                if (again >= 0)
                        close(again);
        } else if (S_ISFIFO(what.st_mode)) {
                fcntl(fd, F_SETFL, O_NONBLOCK);
                if (read(fd, words, sizeof(words)) == (ssize_t)sizeof(words))
                        own = are_own(words, sizeof(words));
        } else if (S_ISSOCK(what.st_mode)) {
                fcntl(fd, F_SETFL, O_NONBLOCK);
                if (packet_receive(fd, &byte, 1, &packet) == 0) {
                        for (size_t i = 0; i < packet.count; i++)
                                own = own && file_is_own(packet.descriptors[i]);
                        packet_close_descriptors(&packet);
                }
        }
        return own;
}

static bool child_is_own(const struct held *held)
{
        static uint64_t words[FRAME_BYTES / sizeof(uint64_t)];
        struct iovec to = { words, FRAME_BYTES };
        struct iovec from = { held->child_map, FRAME_BYTES };

        insist(process_vm_readv(held->child, &to, 1, &from, 1, 0) == (ssize_t)FRAME_BYTES,
               "the child's mapping");
        return are_own(words, FRAME_BYTES);
}

bool held_look(struct held *held)
{
        if (held->kept_map && !are_own(held->kept_map, FRAME_BYTES))
                return false;
        if (held->child && !child_is_own(held))
                return false;
        for (int i = 0; i < 2; i++)
                if (held->kept[i] >= 0 && !descriptor_is_own(held->kept[i]))
                        return false;
        return true;
}

void held_let_go(struct held *held)
{
        for (int i = 0; i < 2; i++)
                if (held->kept[i] >= 0)
                        close(STEAL_FD(held->kept[i]));
        if (held->kept_map)
                munmap(held->kept_map, FRAME_BYTES);
        held->kept_map = NULL;
        if (held->child) {
                kill(held->child, SIGKILL);
                waitpid(held->child, NULL, 0);
        }
        held->child = 0;
}

const struct trick tricks[] = {
        { "nothing", keep_nothing, NULL, NULL, false, false, false },
        { "resizing it", resize, NULL, NULL, false, false, false },
        { "leases, locks and signals", play_with_the_file, NULL, NULL, false, false, false },
        { "F_SEAL_FUTURE_WRITE", seal_future_write, NULL, NULL, false, false, false },
        { "punching it out", punch, HOLE_NOTE, "hole", false, false, false },
        { "punching and touching it", punch_and_touch, HOLE_NOTE, "hole", false, false, true },
        { "F_SEAL_WRITE", seal_write, NULL, NULL, false, false, false },
        { "F_SEAL_SEAL", seal_seal, PAGES_NOTE, "pages", false, false, false },
        { "a descriptor", keep_descriptor, FILE_NOTE, "file", true, false, false },
        { "a descriptor in a socket", keep_in_flight, FILE_NOTE, "file", true, false, false },
        { "a read-only mapping", keep_mapping, FILE_NOTE, "file", true, false, false },
        { "a mapping of a read-only descriptor", keep_read_only, FILE_NOTE, "file", true, false,
          false },
        { "a private mapping", keep_private_mapping, FILE_NOTE, "file", true, false, false },
        { "a child with the mapping", keep_child, FILE_NOTE, "file", true, false, false },
        { "an O_PATH descriptor", keep_path, PATH_NOTE, "path", true, false, false },
        { "a vmsplice reference", keep_splice, PAGES_NOTE, "pages", true, false, false },
        { "an io_uring buffer", keep_registered, PAGES_NOTE, "pages", true, false, false },
        { "F_SEAL_SEAL and a vmsplice reference", seal_and_splice, PAGES_NOTE, "pages", true, true,
          false },
};

const size_t n_tricks = ARRAY_SIZE(tricks);
