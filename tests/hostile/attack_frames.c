/* SPDX-License-Identifier: MIT */
/*
 * What a client does to its frames, and keeps of them. Whatever it keeps, it must never see there
 * what is not its own; and a frame that is new to it is all zero.
 */
#include "attack.h"
#include "frame_tricks.h"
#include "line.h"

#include "macros.h"
#include "process.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <linux/userfaultfd.h>
#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#define WAIT_MS     1000
#define KEEP_MS_MAX 20
#define STORM_MS    30
#define REVOKED_MS  50

/**
 * struct loot - a frame that was granted
 * @line:   the session that has it
 * @buffer: 0: given back
 */
struct loot {
        struct line line;
        uint64_t buffer;
        struct held held;
};

void expect_own(const struct attacker *attacker, const uint64_t *words, size_t bytes, uint64_t own,
                const char *what)
{
        for (size_t i = 0; i < bytes / sizeof(*words); i++)
                if (words[i] && words[i] != own)
                        die("%s: %s at %zu", what,
                            words[i] == attacker->victim->canary ? "another's secret"
                                                                 : "another's bytes",
                            i * sizeof(*words));
}

/* A frame in a session of its own, looked at, and filled. Return: whether there is one. */
static bool take(struct attacker *attacker, struct loot *ret)
{
        *ret = (struct loot){ .held = { .fd = -1, .kept = { -1, -1 } } };
        if (!line_open(&ret->line, 0)) {
                usleep(1000);
                return false;
        }
        if (line_alloc(&ret->line, FRAME_BYTES, WAIT_MS, &ret->buffer) != 0 ||
            ret->line.got.count != 1) {
                line_close(&ret->line);
                usleep(1000);
                return false;
        }
        ret->held.fd = ret->line.got.descriptors[0];
        ret->line.got.count = 0;
        ret->held.map =
                mmap(NULL, FRAME_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, ret->held.fd, 0);
        insist(ret->held.map != MAP_FAILED, "map a frame");
        expect_own(attacker, (const uint64_t *)(const void *)ret->held.map, FRAME_BYTES, 0,
                   "a new frame");
        memset(ret->held.map, 0xa5, FRAME_BYTES);
        ++*attacker->tries;
        return true;
}

/* Give it back as one should: what was kept aside of it stays. */
static void give_back(struct loot *loot)
{
        held_unmap(&loot->held);
        if (loot->held.fd >= 0)
                close(STEAL_FD(loot->held.fd));
        if (loot->buffer)
                (void)line_free(&loot->line, loot->buffer);
        loot->buffer = 0;
}

static void keep_a_while(struct attacker *attacker)
{
        usleep((useconds_t)(1000 * random_below(&attacker->random, KEEP_MS_MAX)));
}

/* Look through what was kept, and let go of it. */
static void look_and_let_go(struct loot *loot, const char *what)
{
        if (!held_look(&loot->held))
                die("%s: another's bytes", what);
        held_let_go(&loot->held);
}

/* ---- the tricks, each by its name ------------------------------------------------------------ */

static const struct trick *trick_named(const char *name)
{
        for (size_t i = 0; i < n_tricks; i++)
                if (strcmp(tricks[i].name, name) == 0)
                        return &tricks[i];
        die("there is no trick %s", name);
}

static void play_to_the_end(struct attacker *attacker, const struct trick *trick)
{
        bool first = random_one_in(&attacker->random, 2);
        struct loot loot;

        if (!take(attacker, &loot))
                return;
        trick->play(&loot.held);
        give_back(&loot);
        if (first) /* the session ends before it lets go */
                line_close(&loot.line);
        keep_a_while(attacker);
        look_and_let_go(&loot, trick->name);
        line_close(&loot.line);
}

/* Give it back and let go, end first and let go later, or die with it all. */
void attack_trick(struct attacker *attacker, const struct attack *attack)
{
        const struct trick *trick = trick_named(attack->trick);
        int status;
        pid_t pid;

        if (!random_one_in(&attacker->random, 3)) {
                play_to_the_end(attacker, trick);
                return;
        }
        pid = attacker_fork();
        if (pid == 0) {
                struct loot loot;

                if (take(attacker, &loot))
                        trick->play(&loot.held);
                raise(SIGKILL);
        }
        waitpid(pid, &status, 0);
        if (!WIFSIGNALED(status))
                die("%s: what a child of it said", trick->name);
}

/* ---- what is done to a frame by several at once ---------------------------------------------- */

/* SIGBUS is what a punched frame gives where the system has no other page. */
static void storm(struct random *random, const struct loot *loot, uint64_t until_ns)
{
        while (now_ns() < until_ns) {
                switch (random_below(random, 3)) {
                case 0:
                        (void)fallocate(loot->held.fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
                                        0, FRAME_BYTES);
                        break;
                case 1: (void)fallocate(loot->held.fd, 0, 0, FRAME_BYTES); break;
                default: loot->held.map[random_below(random, FRAME_BYTES)] = 1;
                }
        }
}

static void start_storm(struct attacker *attacker, const struct loot *loot, pid_t *ret_pid)
{
        struct random random = { random_next(&attacker->random) };

        *ret_pid = attacker_fork();
        if (*ret_pid)
                return;
        storm(&random, loot, UINT64_MAX);
        _exit(0);
}

void attack_punch_storm(struct attacker *attacker, const struct attack *attack)
{
        struct loot loot;
        pid_t pids[3];

        (void)attack;
        if (!take(attacker, &loot))
                return;
        for (size_t i = 0; i < ARRAY_SIZE(pids); i++)
                start_storm(attacker, &loot, &pids[i]);
        usleep(STORM_MS * 1000);
        give_back(&loot); /* while it goes on */
        usleep(STORM_MS * 1000);
        for (size_t i = 0; i < ARRAY_SIZE(pids); i++)
                attacker_end_child(pids[i]);
        line_close(&loot.line);
}

static void wait_for_locks(const struct loot *loot)
{
        struct flock whole = { .l_type = F_WRLCK };
        char path[32];
        int again;

        /* A lock of its own, of another open file where that is allowed. */
        snprintf(path, sizeof(path), "/proc/self/fd/%d", loot->held.fd);
        again = open(path, O_RDWR | O_CLOEXEC);
        (void)fcntl(again >= 0 ? again : loot->held.fd, F_OFD_SETLKW, &whole);
        (void)fcntl(loot->held.fd, F_SETLKW, &whole);
        (void)flock(again >= 0 ? again : loot->held.fd, LOCK_EX);
        pause();
}

void attack_locks(struct attacker *attacker, const struct attack *attack)
{
        struct flock whole = { .l_type = F_WRLCK };
        pid_t pids[3];
        struct loot loot;

        (void)attack;
        if (!take(attacker, &loot))
                return;
        (void)flock(loot.held.fd, LOCK_EX);
        (void)fcntl(loot.held.fd, F_SETLK, &whole);
        for (size_t i = 0; i < ARRAY_SIZE(pids); i++) {
                pids[i] = attacker_fork();
                if (pids[i])
                        continue;
                wait_for_locks(&loot);
                _exit(0);
        }
        keep_a_while(attacker);
        give_back(&loot);
        keep_a_while(attacker);
        for (size_t i = 0; i < ARRAY_SIZE(pids); i++)
                attacker_end_child(pids[i]);
        line_close(&loot.line);
}

/* ---- faults and locked memory ---------------------------------------------------------------- */

static int watch_faults(const struct loot *loot)
{
        struct uffdio_api api = { .api = UFFD_API, .features = UFFD_FEATURE_MISSING_HUGETLBFS };
        struct uffdio_register all = { .mode = UFFDIO_REGISTER_MODE_MISSING };
        int fd = (int)syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK | UFFD_USER_MODE_ONLY);

        if (fd < 0)
                return -1;
        all.range.start = (uintptr_t)loot->held.map;
        all.range.len = FRAME_BYTES;
        if (ioctl(fd, UFFDIO_API, &api) == 0 && ioctl(fd, UFFDIO_REGISTER, &all) == 0)
                return fd;
        close(fd);
        return -1;
}

/* A thread that waits for ever in a fault of a frame, which is given back meanwhile. It is in a
 * child, which cannot end otherwise than by being killed. */
static void *fault(void *map)
{
        *(volatile char *)map = 1;
        return NULL;
}

static void fault_for_ever(struct attacker *attacker)
{
        struct loot loot;
        pthread_t thread;

        if (!take(attacker, &loot))
                return;
        if (watch_faults(&loot) < 0) {
                --*attacker->tries; /* this system does not let one */
                return;
        }
        punch(&loot.held);
        if (pthread_create(&thread, NULL, fault, loot.held.map) == 0)
                keep_a_while(attacker);
        if (random_one_in(&attacker->random, 2))
                (void)line_free(&loot.line, loot.buffer);
        keep_a_while(attacker);
}

void attack_userfaultfd(struct attacker *attacker, const struct attack *attack)
{
        int status;
        pid_t pid;

        (void)attack;
        pid = attacker_fork();
        if (pid == 0) {
                attacker->random.state ^= (uint64_t)getpid();
                fault_for_ever(attacker);
                raise(SIGKILL);
        }
        waitpid(pid, &status, 0);
        random_next(&attacker->random);
        if (!WIFSIGNALED(status))
                die("userfaultfd: what a child of it said");
}

void attack_mlock(struct attacker *attacker, const struct attack *attack)
{
        static const int advices[] = {
                MADV_DONTNEED, MADV_REMOVE,    MADV_WILLNEED,   MADV_COLD,
                MADV_PAGEOUT,  MADV_MERGEABLE, MADV_NOHUGEPAGE, MADV_POPULATE_WRITE,
                MADV_FREE,     MADV_DONTFORK,  MADV_WIPEONFORK, MADV_HUGEPAGE,
        };
        struct loot loot;
        void *moved;

        (void)attack;
        if (!take(attacker, &loot))
                return;
        (void)mlock(loot.held.map, FRAME_BYTES);
        for (size_t i = 0; i < ARRAY_SIZE(advices); i++)
                (void)madvise(loot.held.map, FRAME_BYTES, advices[i]);
        (void)mlock2(loot.held.map, FRAME_BYTES, MLOCK_ONFAULT);
        (void)mprotect(loot.held.map, FRAME_BYTES, PROT_READ | PROT_EXEC);
        moved = mremap(loot.held.map, FRAME_BYTES, FRAME_BYTES, MREMAP_MAYMOVE);
        if (moved != MAP_FAILED)
                loot.held.map = moved;
        if (random_one_in(&attacker->random, 2))
                (void)line_free(&loot.line, loot.buffer); /* still mapped, and locked */
        keep_a_while(attacker);
        give_back(&loot);
        line_close(&loot.line);
}

/* ---- who has it beside the client ------------------------------------------------------------ */

/* The client dies, its children have the frame. They look at it, again and again, and end. */
static void outlive(struct attacker *attacker, const struct loot *loot)
{
        for (int i = 0; i < 5; i++) {
                usleep(10000);
                expect_own(attacker, (const uint64_t *)(const void *)loot->held.map, FRAME_BYTES,
                           HELD_WORD, "a dead client's frame");
        }
}

/* Those who look say so over a pipe, which they have open: what they find is not lost with their
 * parent. */
void attack_orphans(struct attacker *attacker, const struct attack *attack)
{
        int ends[2], status;
        char byte;
        pid_t pid;

        (void)attack;
        insist(pipe2(ends, O_CLOEXEC) == 0, "pipe");
        pid = attacker_fork();
        if (pid == 0) {
                struct loot loot;

                if (!take(attacker, &loot))
                        raise(SIGKILL);
                for (int i = 0; i < 3; i++) {
                        if (fork())
                                continue;
                        alarm(10);
                        outlive(attacker, &loot);
                        insist(write(ends[1], "x", 1) == 1, "say");
                        _exit(0);
                }
                insist(write(ends[1], "t", 1) == 1, "say");
                raise(SIGKILL);
        }
        close(ends[1]);
        waitpid(pid, &status, 0);
        if (read(ends[0], &byte, 1) == 1) /* it had a frame, and three children */
                for (int i = 0; i < 3; i++)
                        insist(read(ends[0], &byte, 1) == 1, "a child found another's bytes");
        close(ends[0]);
}

/* Where who keeps frames waits for who passes them on: of the test's own process group's leader. */
static socklen_t meeting_place(struct sockaddr_un *ret)
{
        int n;

        *ret = (struct sockaddr_un){ .sun_family = AF_UNIX };
        n = snprintf(ret->sun_path + 1, sizeof(ret->sun_path) - 1, "par-hostile-%d",
                     (int)getppid());
        return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)n);
}

static void look_and_write(struct attacker *attacker, int fd)
{
        uint64_t *words = mmap(NULL, FRAME_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

        insist(words != MAP_FAILED, "map what was passed on");
        for (int i = 0; i < 4; i++) {
                expect_own(attacker, words, FRAME_BYTES, HELD_WORD, "a frame passed on");
                words[random_below(&attacker->random, FRAME_BYTES / sizeof(*words))] = HELD_WORD;
                usleep(5000);
        }
        munmap(words, FRAME_BYTES);
}

/* It has another uid than the client, and no session. */
static void receive_frame(struct attacker *attacker)
{
        static int listener = -1;
        struct sockaddr_un address;
        struct packet got;
        char byte;
        int fd;

        if (listener < 0) {
                socklen_t size = meeting_place(&address);

                listener = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
                insist(bind(listener, (struct sockaddr *)&address, size) == 0, "bind");
                insist(listen(listener, 1) == 0, "listen");
        }
        fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
        insist(fd >= 0, "accept");
        if (packet_receive(fd, &byte, 1, &got) == 0 && got.count == 1) {
                insist(send(fd, "x", 1, MSG_NOSIGNAL) == 1 || errno == EPIPE, "say");
                look_and_write(attacker, got.descriptors[0]);
                packet_close_descriptors(&got);
        }
        close(fd);
}

static void pass_frame_on(struct attacker *attacker)
{
        int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
        struct sockaddr_un address;
        socklen_t size = meeting_place(&address);
        struct loot loot;
        char byte;

        if (connect(fd, (struct sockaddr *)&address, size) < 0) {
                usleep(1000); /* nobody is there yet */
        } else if (take(attacker, &loot)) {
                insist(packet_send(fd, "x", 1, &loot.held.fd, 1) == 0, "pass on");
                insist(read(fd, &byte, 1) == 1, "it was not taken");
                give_back(&loot);
                line_close(&loot.line);
        }
        close(fd);
}

void attack_pass_on(struct attacker *attacker, const struct attack *attack)
{
        (void)attack;
        if (attacker->nth)
                receive_frame(attacker);
        else
                pass_frame_on(attacker);
}

/* ---- later ----------------------------------------------------------------------------------- */

/* An administrator takes it away meanwhile; it goes on reading and writing. */
void attack_after_revoke(struct attacker *attacker, const struct attack *attack)
{
        uint64_t until = now_ns() + REVOKED_MS * NS_PER_MS;
        struct loot loot;

        (void)attack;
        if (!take(attacker, &loot))
                return;
        while (now_ns() < until) {
                memset(loot.held.map, 0xa5, FRAME_BYTES);
                usleep(2000);
                expect_own(attacker, (const uint64_t *)(const void *)loot.held.map, FRAME_BYTES,
                           HELD_WORD, "a revoked frame");
        }
        give_back(&loot);
        line_close(&loot.line);
}

/* Other uids than pard's are not let in again; who is (or where the mode was changed) sees no more
 * than his own. */
void attack_path_later(struct attacker *attacker, const struct attack *attack)
{
        static const int ways[] = { O_RDONLY, O_RDWR, O_PATH };
        char path[32];
        struct loot loot;
        int kept;

        (void)attack;
        if (!take(attacker, &loot))
                return;
        snprintf(path, sizeof(path), "/proc/self/fd/%d", loot.held.fd);
        kept = open(path, O_PATH | O_CLOEXEC);
        insist(kept >= 0, "O_PATH");
        give_back(&loot);
        snprintf(path, sizeof(path), "/proc/self/fd/%d", kept);
        for (size_t i = 0; i < ARRAY_SIZE(ways); i++) {
                int fd = open(path, ways[i] | O_CLOEXEC);

                if (fd >= 0 && ways[i] != O_PATH)
                        die("another uid opens a frame again");
                if (fd >= 0)
                        close(fd);
        }
        keep_a_while(attacker);
        close(kept);
        line_close(&loot.line);
}

void attack_pipes(struct attacker *attacker, const struct attack *attack)
{
        uint64_t words[512];
        int first[2], second[2];
        struct iovec page;
        struct loot loot;

        (void)attack;
        if (!take(attacker, &loot))
                return;
        insist(pipe2(first, O_CLOEXEC | O_NONBLOCK) == 0, "pipe");
        insist(pipe2(second, O_CLOEXEC | O_NONBLOCK) == 0, "pipe");
        for (int i = 0; i < 8; i++) {
                page = (struct iovec){ loot.held.map + (size_t)i * 64 * KiB, 4096 };
                (void)vmsplice(first[1], &page, 1, SPLICE_F_GIFT);
        }
        (void)tee(first[0], second[1], 16 * 4096, 0);
        (void)splice(first[0], NULL, second[1], NULL, 4 * 4096, 0);
        give_back(&loot);
        line_close(&loot.line);
        keep_a_while(attacker);
        while (read(first[0], words, sizeof(words)) > 0)
                expect_own(attacker, words, sizeof(words), HELD_WORD, "a pipe");
        while (read(second[0], words, sizeof(words)) > 0)
                expect_own(attacker, words, sizeof(words), HELD_WORD, "a second pipe");
        for (int i = 0; i < 2; i++) {
                close(first[i]);
                close(second[i]);
        }
}
