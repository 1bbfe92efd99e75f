/* SPDX-License-Identifier: MIT */
/*
 * The keeper with a scripted worker: this program starts itself again as the worker, which finds
 * the descriptors of the protocol and a page that it shares with the test.
 */
#include "keeper.h"

#include "clock.h"
#include "descriptors.h"
#include "keeper_protocol.h"
#include "log.h"
#include "macros.h"
#include "sim.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <poll.h>
#include <pwd.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define PATIENCE_MS 20000

/* For a page where the order of events is what matters: a busy machine may stop for half a second
 * at any moment. */
#define UNHURRIED_NS (100 * NS_PER_MS)

/* For what has to happen in the middle of a take: so much slower that it would have to stop for
 * seconds. */
#define SLOW_NS (300 * NS_PER_MS)

/* Shared by test and workers, through the descriptor that carries the configuration. */
struct shared {
        unsigned starts, item;
        atomic_bool passed, failed;
        uint64_t phys[4];
};

static char program[4096];

/* ---- The worker's side: what is wrong ends it with a message, and the test fails. ---- */

static struct shared *shared;
static struct keeper_ledger *ledger;

#define worker_fail(...)                                        \
        do {                                                    \
                fprintf(stderr, "worker, line %d: ", __LINE__); \
                fprintf(stderr, __VA_ARGS__);                   \
                fprintf(stderr, "\n");                          \
                if (shared)                                     \
                        shared->failed = true;                  \
                _exit(1);                                       \
        } while (0)

#define want(condition)                                \
        do {                                           \
                if (!(condition))                      \
                        worker_fail("%s", #condition); \
        } while (0)

static void doze(unsigned ms)
{
        nanosleep(&(struct timespec){ .tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000L }, NULL);
}

static void say(struct keeper_message message)
{
        want(send(KEEPER_FD_CHANNEL, &message, sizeof(message), 0) == sizeof(message));
}

/* Whatever comes next. */
static bool receive_within(int ms, struct keeper_message *ret, int *ret_fd)
{
        union {
                struct cmsghdr align;
                char bytes[CMSG_SPACE(sizeof(int))];
        } control;
        struct iovec payload = { .iov_len = sizeof(*ret) };
        struct msghdr header = { .msg_iov = &payload,
                                 .msg_iovlen = 1,
                                 .msg_control = control.bytes,
                                 .msg_controllen = sizeof(control.bytes) };
        struct pollfd news = { KEEPER_FD_CHANNEL, POLLIN, 0 };

        *ret = (struct keeper_message){ 0 };
        payload.iov_base = ret;
        if (poll(&news, 1, ms) != 1)
                return false;
        want(recvmsg(KEEPER_FD_CHANNEL, &header, MSG_CMSG_CLOEXEC) == sizeof(*ret));
        *ret_fd = -1;
        if (CMSG_FIRSTHDR(&header))
                memcpy(ret_fd, CMSG_DATA(CMSG_FIRSTHDR(&header)), sizeof(*ret_fd));
        return true;
}

/* The next message but questions, which come at any time: on a slow machine in every script. */
static bool hear_within(int ms, struct keeper_message *ret, int *ret_fd)
{
        uint64_t now = now_ms(), until = now + (uint64_t)ms;

        for (; receive_within(now < until ? (int)(until - now) : 0, ret, ret_fd); now = now_ms()) {
                if (ret->type != KEEPER_PING)
                        return true;
                say((struct keeper_message){ .type = KEEPER_PONG });
        }
        return false;
}

/* The next message, which has to be of this type; news of a take come at any time. */
static struct keeper_message hear(uint32_t type, int *ret_fd)
{
        struct keeper_message message;
        int fd;

        do {
                if (!hear_within(PATIENCE_MS, &message, &fd))
                        worker_fail("no message of type %u", type);
        } while (message.type == KEEPER_PROGRESS && message.type != type);
        if (message.type != type)
                worker_fail("message of type %u, not %u (pool %u, result %d)", message.type, type,
                            message.pool, message.result);
        if (ret_fd)
                *ret_fd = fd;
        else
                want(fd < 0);
        return message;
}

static struct keeper_message welcome(uint32_t count)
{
        struct keeper_message message = hear(KEEPER_WELCOME, NULL);

        want(message.count == count);
        want(message.first == shared->starts);
        return message;
}

static struct keeper_message take_message(uint32_t count)
{
        return (struct keeper_message){ .type = KEEPER_TAKE,
                                        .page_bytes = 2 * MiB,
                                        .last = UINT64_MAX,
                                        .count = count,
                                        .node = KEEPER_NODE_ANY };
}

static void take(uint32_t count, struct keeper_message *ret_frames, int *ret_fds)
{
        struct keeper_message taken;

        say(take_message(count));
        for (uint32_t i = 0; i < count; i++) {
                ret_frames[i] = hear(KEEPER_FRAME, &ret_fds[i]);
                want(ret_fds[i] >= 0 && ret_frames[i].generation > 0);
        }
        taken = hear(KEEPER_TAKEN, NULL);
        want(taken.count == count && taken.result == 0);
}

static struct keeper_message leave_message(const struct keeper_message *frame, uint32_t flags)
{
        return (struct keeper_message){ .type = KEEPER_LEAVE,
                                        .slot = frame->slot,
                                        .generation = frame->generation,
                                        .last = UINT64_MAX,
                                        .flags = flags,
                                        .node = KEEPER_NODE_ANY };
}

static bool same_name(const struct keeper_message *a, const struct keeper_message *b)
{
        return a->slot == b->slot && a->generation == b->generation;
}

static void silence(int ms)
{
        struct keeper_message message;
        int fd;

        if (hear_within(ms, &message, &fd))
                worker_fail("unexpected message of type %u", message.type);
}

/* A child that does nothing but hold this worker's descriptors for a while, beyond its death. */
static void hold_descriptors(unsigned ms)
{
        pid_t child = fork();

        want(child >= 0);
        if (child)
                return;
        close(KEEPER_FD_CHANNEL);
        doze(ms);
        _exit(0);
}

static void __attribute__((__noreturn__)) die(void)
{
        kill(getpid(), SIGKILL);
        for (;;)
                pause();
}

/* ---- Scripts ---- */

static void script_take(void)
{
        struct keeper_message frames[4], message;
        int fds[4];
        struct stat st;

        message = welcome(0);
        want(message.flags & KEEPER_PINNED);
        want(ledger->slots >= 8);
        take(4, frames, fds);
        for (unsigned i = 0; i < 4; i++) {
                want(frames[i].flags == KEEPER_PINNED && frames[i].page_bytes == 2 * MiB);
                want(frames[i].pool == 0 && frames[i].node == 0);
                want(frames[i].phys == 128 * MiB - (i + 1) * 2 * MiB);
                want(fstat(fds[i], &st) == 0 && st.st_size == 2 * MiB);
                want((fcntl(fds[i], F_GETFL) & O_ACCMODE) == O_RDWR);
                for (unsigned j = 0; j < i; j++)
                        want(!same_name(&frames[i], &frames[j]));
        }
        say((struct keeper_message){ .type = KEEPER_READY });
        /* Messages are dealt with in their order: once this is answered, that was heard. */
        take(1, frames, fds);
}

static void script_take_all(void)
{
        struct keeper_message message;
        uint32_t n = 0;
        int fd;

        welcome(0);
        say(take_message(100));
        for (;;) {
                want(hear_within(PATIENCE_MS, &message, &fd));
                if (message.type == KEEPER_TAKEN)
                        break;
                if (message.type == KEEPER_PROGRESS)
                        continue;
                close(fd);
                n++;
        }
        want(message.count == n && n == 32 && message.result == -ENOMEM);
        want(message.first == 64 * MiB && message.last == 128 * MiB - 1);

        message = take_message(1);
        message.node = 1;
        say(message);
        message = hear(KEEPER_TAKEN, NULL);
        want(message.count == 0 && message.result == -ENOMEM && message.first > message.last);
}

static void script_no_slots(void)
{
        struct keeper_message frames[9], message;
        int fds[9];

        welcome(0);
        take(7, frames, fds);
        say(take_message(2));
        hear(KEEPER_FRAME, &fds[7]);
        message = hear(KEEPER_TAKEN, NULL);
        want(message.count == 1 && message.result == -ENOSPC);

        /* A page can be taken again all the same. */
        close(fds[0]);
        say(leave_message(&frames[0], KEEPER_RETAKE));
        hear(KEEPER_FRAME, &fds[0]);
        hear(KEEPER_LEFT, NULL);
}

static void script_leave(void)
{
        struct keeper_message frame, again, message;
        int fd;

        welcome(0);
        take(1, &frame, &fd);
        close(fd);
        atomic_store(&ledger->lent[frame.slot], frame.generation);
        say(leave_message(&frame, KEEPER_RETAKE));
        again = hear(KEEPER_FRAME, &fd);
        message = hear(KEEPER_LEFT, NULL);
        want(same_name(&message, &frame) && !same_name(&again, &frame));
        want(again.phys == frame.phys && message.flags == 0);
        want(!(frame.flags & KEEPER_RETAKE) && again.flags & KEEPER_RETAKE);
        want(again.count == frame.slot && again.first == frame.generation);
        want(atomic_load(&ledger->lent[again.slot]) == 0);

        /* Outside of the window the page is not wanted. */
        close(fd);
        message = leave_message(&again, KEEPER_RETAKE);
        message.first = message.last = 0;
        say(message);
        message = hear(KEEPER_LEFT, NULL);
        want(same_name(&message, &again) && message.flags == KEEPER_LOST);

        /* Late messages about it are ignored. */
        say(leave_message(&again, 0));
        message.type = KEEPER_NUDGE;
        say(message);
        take(1, &frame, &fd);
        close(fd);
        say(leave_message(&frame, 0));
        message = hear(KEEPER_LEFT, NULL);
        want(same_name(&message, &frame) && message.flags == 0);
        silence(20);
}

static void script_snatched(void)
{
        struct keeper_message frame, again, message;
        int fd;

        welcome(0);
        take(1, &frame, &fd);
        close(fd);
        say(leave_message(&frame, KEEPER_RETAKE));
        again = hear(KEEPER_FRAME, &fd);
        message = hear(KEEPER_LEFT, NULL);
        want(same_name(&message, &frame) && message.flags == KEEPER_LOST);
        want(again.phys != frame.phys);
}

static void script_linger(void)
{
        struct keeper_message frames[3], message;
        int fds[3];

        welcome(0);
        take(3, frames, fds);
        say(leave_message(&frames[0], 0));
        message = hear(KEEPER_LINGERS, NULL);
        want(same_name(&message, &frames[0]) && message.result == KEEPER_HOLDER_FILE);
        say(leave_message(&frames[1], KEEPER_PATIENT));
        message = hear(KEEPER_LINGERS, NULL);
        want(same_name(&message, &frames[1]));

        /* They hold up nobody. */
        close(fds[2]);
        say(leave_message(&frames[2], 0));
        message = hear(KEEPER_LEFT, NULL);
        want(same_name(&message, &frames[2]));
        silence(50);

        close(fds[0]);
        message = (struct keeper_message){ .type = KEEPER_NUDGE,
                                           .slot = frames[0].slot,
                                           .generation = frames[0].generation };
        say(message);
        message = hear(KEEPER_LEFT, NULL);
        want(same_name(&message, &frames[0]));

        /* Another LEAVE for one that lingers brings new wishes. */
        say(leave_message(&frames[1], KEEPER_PATIENT | KEEPER_RETAKE));
        close(fds[1]);
        message = hear(KEEPER_FRAME, &fds[1]);
        want(message.phys == frames[1].phys);
        message = hear(KEEPER_LEFT, NULL);
        want(same_name(&message, &frames[1]) && message.flags == 0);
}

/* References to pages: nobody tells when they go, so the frame is looked at now and then. */
static void script_spliced(void)
{
        struct keeper_message frame, message;
        struct iovec at;
        int fd, ends[2];

        welcome(0);
        take(1, &frame, &fd);
        at = (struct iovec){ mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0), 4096 };
        want(at.iov_base != MAP_FAILED);
        *(volatile char *)at.iov_base = 1;
        want(pipe(ends) == 0 && vmsplice(ends[1], &at, 1, 0) == 4096);
        munmap(at.iov_base, 4096);
        close(fd);
        say(leave_message(&frame, 0));
        message = hear(KEEPER_LINGERS, NULL);
        want(message.result == KEEPER_HOLDER_PAGES);
        close(ends[0]);
        close(ends[1]);
        hear(KEEPER_LEFT, NULL);
}

static void script_killed(void)
{
        struct keeper_message frames[4], message;
        int fds[4];

        if (shared->starts == 1) {
                welcome(0);
                take(4, frames, fds);
                for (unsigned i = 0; i < 4; i++)
                        shared->phys[i] = frames[i].phys;
                atomic_store(&ledger->lent[frames[1].slot], frames[1].generation);
                atomic_store(&ledger->lent[frames[2].slot], frames[2].generation);
                say((struct keeper_message){ .type = KEEPER_READY });
                /* Frame 2 lingers beyond this worker's death, frame 3 is on its way. */
                close(fds[0]);
                close(fds[1]);
                say(leave_message(&frames[2], KEEPER_RETAKE));
                hear(KEEPER_LINGERS, NULL);
                hold_descriptors(500);
                close(fds[3]);
                say(take_message(1000));
                die();
        }
        if (shared->starts == 2) {
                unsigned lent = 0, held = 0;

                message = hear(KEEPER_WELCOME, NULL);
                want(message.first == 2 && message.count >= 4);
                for (uint32_t n = message.count; n > 0; n--) {
                        message = hear(KEEPER_FRAME, &fds[0]);
                        if (message.flags & KEEPER_LENT) {
                                bool given_up = message.phys == shared->phys[2];

                                want(given_up || message.phys == shared->phys[1]);
                                want(!(message.flags & KEEPER_PINNED) == given_up);
                                want(!(message.flags & KEEPER_GIVEN_UP) == !given_up);
                                want((fds[0] < 0) == given_up);
                                if (fds[0] >= 0)
                                        close(fds[0]);
                                frames[lent++] = message;
                        } else {
                                want(fds[0] >= 0);
                                held++;
                                close(fds[0]);
                        }
                }
                want(lent == 2 && held >= 2);
                /* The child still holds 2 (and copies of nothing else). */
                say(leave_message(&frames[0], 0));
                say(leave_message(&frames[1], 0));
                for (unsigned left = 0; left < 2;) {
                        want(hear_within(PATIENCE_MS, &message, &fds[0]));
                        want(message.type == KEEPER_LINGERS || message.type == KEEPER_LEFT);
                        left += message.type == KEEPER_LEFT;
                }
        }
}

static const struct {
        const char *name;
        struct keeper_message message;
} nonsense[] = {
        { "unknown type", { .type = 99 } },
        { "the keeper's own type", { .type = KEEPER_FRAME } },
        { "take for no pool",
          { .type = KEEPER_TAKE, .pool = 7, .page_bytes = 4096, .count = 1, .last = 1 } },
        { "take of half a page",
          { .type = KEEPER_TAKE, .page_bytes = 4096, .phys = 2048, .count = 1, .last = 1 } },
        { "cancel for no pool", { .type = KEEPER_CANCEL, .pool = 2 } },
        { "take of nothing", { .type = KEEPER_TAKE, .page_bytes = 4096, .last = 1 } },
        { "take of an odd size",
          { .type = KEEPER_TAKE, .page_bytes = 5000, .count = 1, .last = 1 } },
        { "take from a range turned over",
          { .type = KEEPER_TAKE, .page_bytes = 4096, .count = 1, .first = 2, .last = 1 } },
        { "take on an impossible node",
          { .type = KEEPER_TAKE, .page_bytes = 4096, .count = 1, .last = 1, .node = -2 } },
        { "leave from no slot", { .type = KEEPER_LEAVE, .slot = 1000000, .generation = 1 } },
        { "leave of what never was", { .type = KEEPER_LEAVE, .slot = 1, .generation = 1 } },
        { "leave of generation 0", { .type = KEEPER_LEAVE, .slot = 1 } },
        { "nudge of what never was", { .type = KEEPER_NUDGE, .slot = 1, .generation = 1 } },
        { "a round beyond 32 bits", { .type = KEEPER_WATCH, .first = UINT64_C(1) << 32 } },
        { "unknown flags", { .type = KEEPER_LEAVE, .slot = 1, .generation = 1, .flags = 0x8000 } },
};

/* The last two are no messages at all. */
#define NONSENSE (ARRAY_SIZE(nonsense) + 2)

static void script_nonsense(void)
{
        char longer[sizeof(struct keeper_message) + 1] = { 0 };

        welcome(0);
        if (shared->starts == 2)
                return;
        say((struct keeper_message){ .type = KEEPER_READY });
        if (shared->item < ARRAY_SIZE(nonsense))
                say(nonsense[shared->item].message);
        else
                send(KEEPER_FD_CHANNEL, longer,
                     shared->item == ARRAY_SIZE(nonsense) ? sizeof(longer) : 1, 0);
        for (;;)
                pause();
}

static void script_closed(void)
{
        welcome(0);
        if (shared->starts == 2)
                return;
        close(KEEPER_FD_CHANNEL);
        for (;;)
                pause();
}

/* Killed again and again while its pools fill, after one that served. */
static void script_killed_early(void)
{
        welcome(0);
        if (shared->starts == 7)
                return;
        if (shared->starts == 1)
                say((struct keeper_message){ .type = KEEPER_READY });
        die();
}

static void script_useless(void)
{
        _exit(3);
}

/* Pages outside of the range are held until enough lie inside, and are there for others then. */
static void script_harvest(void)
{
        struct keeper_message message, frame;
        int fd;

        welcome(0);
        message = take_message(4);
        message.last = 72 * MiB - 1;
        say(message);
        for (unsigned i = 0; i < 4; i++) {
                frame = hear(KEEPER_FRAME, &fd);
                want(frame.phys < 72 * MiB);
        }
        message = hear(KEEPER_TAKEN, NULL);
        want(message.count == 4 && message.result == 0 && message.last == 72 * MiB - 1);
        want(message.flags == KEEPER_HARVESTED && message.phys == 56 * MiB);

        message = take_message(1);
        message.last = 72 * MiB - 1;
        say(message);
        message = hear(KEEPER_TAKEN, NULL);
        want(message.count == 0 && message.result == -ENOMEM);
        want(message.first == 72 * MiB && message.last == 128 * MiB - 1);

        message = take_message(20);
        message.pool = 1;
        say(message);
        for (unsigned i = 0; i < 20; i++) {
                frame = hear(KEEPER_FRAME, &fd);
                want(frame.pool == 1 && frame.phys >= 72 * MiB);
        }
        want(hear(KEEPER_TAKEN, NULL).result == 0);
        say((struct keeper_message){ .type = KEEPER_FILLED });
        doze(50);
        say(take_message(100));
        for (unsigned i = 0; i < 8; i++)
                hear(KEEPER_FRAME, &fd);
        want(hear(KEEPER_TAKEN, NULL).result == -ENOMEM);
}

/* Memory that fails is told of once: when it is looked at, or at the latest when it has left. */
static void script_poisoned(void)
{
        struct keeper_message frame, message;
        bool taken = false, told = false;
        int fd, none;

        welcome(0);
        say(take_message(1));
        frame = hear(KEEPER_FRAME, &fd);
        while (!taken || (shared->item && !told)) {
                want(hear_within(PATIENCE_MS, &message, &none));
                taken |= message.type == KEEPER_TAKEN;
                told |= message.type == KEEPER_POISONED && same_name(&message, &frame);
        }
        silence(100);

        close(fd);
        say(leave_message(&frame, KEEPER_RETAKE));
        if (!told) {
                message = hear(KEEPER_POISONED, NULL);
                want(same_name(&message, &frame));
        }
        message = hear(KEEPER_FRAME, &fd);
        want(message.phys != frame.phys);
        message = hear(KEEPER_LEFT, NULL);
        want(same_name(&message, &frame) && !message.flags);
        silence(100);
}

static void script_moved(void)
{
        struct keeper_message frames[20], message;
        int fds[20], fd;
        unsigned had = 0, moved = 0;

        welcome(0);
        say(take_message(20));
        /* On a slow machine the first ones are looked at before the last ones are there. */
        do {
                want(hear_within(PATIENCE_MS, &message, &fd));
                if (message.type == KEEPER_FRAME) {
                        want(had < 20 && fd >= 0);
                        frames[had] = message;
                        fds[had++] = fd;
                } else if (message.type == KEEPER_MOVED) {
                        want(++moved <= had && message.phys % (2 * MiB) == 4096);
                } else if (message.type == KEEPER_TAKEN) {
                        want(message.count == 20 && message.result == 0);
                } else {
                        want(message.type == KEEPER_PROGRESS);
                }
        } while (message.type != KEEPER_TAKEN);
        want(had == 20);
        for (; moved < 20; moved++)
                want(hear(KEEPER_MOVED, NULL).phys % (2 * MiB) == 4096);
        silence(100);

        /* Leaving goes on while addresses are read. */
        for (unsigned i = 0; i < 20; i++) {
                close(fds[i]);
                say(leave_message(&frames[i], 0));
        }
        for (unsigned i = 0; i < 20; i++)
                hear(KEEPER_LEFT, NULL);
}

/* More frames than the socket holds messages, to a worker that does not listen. */
/* Where they were when they came is what the ledger calls them by; that they are elsewhere each
 * worker hears. */
static void script_moved_before(void)
{
        struct keeper_message message;
        unsigned had = 0, moved = 0;
        int fd;

        if (shared->starts == 1) {
                welcome(0);
                say(take_message(4));
        } else {
                want(hear(KEEPER_WELCOME, NULL).count == 4);
        }
        while (had < 4 || moved < 4) {
                want(hear_within(PATIENCE_MS, &message, &fd));
                if (message.type == KEEPER_FRAME) {
                        want(fd >= 0 && message.phys % (2 * MiB) == 0);
                        close(fd);
                        if (shared->starts == 1)
                                shared->phys[had] = message.phys;
                        want(shared->phys[had++] == message.phys);
                } else if (message.type == KEEPER_MOVED) {
                        want(moved++ < had && message.phys % (2 * MiB) == 4096);
                } else {
                        want(message.type == KEEPER_TAKEN || message.type == KEEPER_PROGRESS);
                }
        }
        if (shared->starts == 1) {
                say((struct keeper_message){ .type = KEEPER_READY });
                die();
        }
        silence(100);
}

static void script_deaf(void)
{
        struct keeper_message message = take_message(2000);
        int fd;

        welcome(0);
        message.page_bytes = 4096;
        say(message);
        doze(300);
        for (unsigned i = 0; i < 2000; i++) {
                message = hear(KEEPER_FRAME, &fd);
                want(fd >= 0 && message.phys < 16 * MiB);
                close(fd);
        }
        hear(KEEPER_TAKEN, NULL);
}

/* Whatever call fails: it is told, or it is tried again, and nothing is lost. */
static void script_faulty(void)
{
        struct keeper_message frames[2], message;
        unsigned had = 0;
        int fd;

        welcome(0);
        say(take_message(2));
        for (;;) {
                want(hear_within(PATIENCE_MS, &message, &fd));
                if (message.type == KEEPER_TAKEN)
                        break;
                if (message.type == KEEPER_PROGRESS)
                        continue;
                close(fd);
                frames[had++] = message;
        }
        want(message.count == had && (had == 2 || message.result == -EIO));
        shared->item = had;
        for (unsigned i = 0; i < had; i++) {
                say(leave_message(&frames[i], 0));
                do {
                        want(hear_within(PATIENCE_MS, &message, &fd));
                } while (message.type == KEEPER_LINGERS);
                want(message.type == KEEPER_LEFT);
        }
}

static struct keeper_message cancel_message(uint32_t pool)
{
        return (struct keeper_message){ .type = KEEPER_CANCEL, .pool = pool };
}

/* A take that is under way keeps what it has; one that waits has nothing. */
static void script_cancel(void)
{
        struct keeper_message message, frame;
        uint32_t n = 0;
        int fd;

        welcome(0);
        say(cancel_message(0));
        say(take_message(30));
        say(take_message(2));
        for (; n < 3; n++) {
                frame = hear(KEEPER_FRAME, &fd);
                close(fd);
        }
        say(cancel_message(1)); /* which has none */
        say(cancel_message(0));
        for (unsigned ends = 0; ends < 2;) {
                want(hear_within(PATIENCE_MS, &message, &fd));
                if (message.type == KEEPER_FRAME) {
                        close(fd);
                        n++;
                } else if (message.type == KEEPER_TAKEN) {
                        want(message.result == -ECANCELED && message.pool == 0);
                        want(message.count == (ends ? n : 0));
                        want(ends || message.first > message.last);
                        ends++;
                }
        }
        want(n < 30);
        silence(50);
        take(2, (struct keeper_message[2]){ 0 }, (int[2]){ 0 });
        frame.type = KEEPER_NUDGE;
        say(frame);
}

static void script_progress(void)
{
        struct keeper_message message = take_message(32);
        uint32_t n = 0, told = 0, last = 0;
        uint64_t began;
        int fd;

        welcome(0);
        began = now_ms();
        message.last = 128 * MiB - 1; /* a range: all of it */
        say(message);
        for (;;) {
                want(hear_within(PATIENCE_MS, &message, &fd));
                if (message.type == KEEPER_TAKEN)
                        break;
                if (message.type == KEEPER_FRAME) {
                        close(fd);
                        n++;
                } else {
                        want(message.type == KEEPER_PROGRESS && message.pool == 0 && fd < 0);
                        want(message.count == n && message.count >= last && message.phys == 0);
                        last = message.count;
                        told++;
                }
        }
        /* 32 pages, of which each takes as long as news keep apart at least. */
        want(n == 32 && message.result == 0);
        want(told >= 3 && told <= (now_ms() - began) / 100);
}

/* A long harvest of one pool, and what another one wants meanwhile. */
static void script_beside(void)
{
        struct keeper_message low = take_message(4), message;
        unsigned n = 0;
        int fd;

        welcome(0);
        say((struct keeper_message){ .type = KEEPER_FILLED });
        low.last = 72 * MiB - 1;
        low.count = 5; /* there are 4 */
        say(low);
        message = take_message(8);
        message.pool = 1;
        say(message);
        do {
                message = hear(KEEPER_FRAME, &fd);
                close(fd);
                n += message.pool == 1;
        } while (n < 8);
        want(hear_within(PATIENCE_MS, &message, &fd));
        while (message.type != KEEPER_TAKEN)
                want(hear_within(PATIENCE_MS, &message, &fd));
}

/* Dies in the middle of a harvest; the next worker finds what that had found, and nothing else is
 * held in the end. */
static void script_killed_harvesting(void)
{
        struct keeper_message message = take_message(20);
        int fd;

        if (shared->starts == 1) {
                welcome(0);
                message.last = 104 * MiB - 1; /* 20 pages of 32, the last ones */
                say(message);
                for (unsigned i = 0; i < 5; i++)
                        hear(KEEPER_FRAME, &fd);
                die();
        }
        message = hear(KEEPER_WELCOME, NULL);
        want(message.count >= 5 && message.count < 20);
        for (uint32_t i = 0; i < message.count; i++)
                want(hear(KEEPER_FRAME, &fd).phys < 104 * MiB);
        say((struct keeper_message){ .type = KEEPER_FILLED });
        doze(200);
}

/* The first one does not answer, and does not even read; the next one does both. */
static void script_hang(void)
{
        struct keeper_message message;
        int fd;

        welcome(0);
        say((struct keeper_message){ .type = KEEPER_READY });
        if (shared->starts == 1)
                for (;;)
                        pause();
        for (unsigned i = 0; i < 3; i++) {
                want(receive_within(PATIENCE_MS, &message, &fd));
                want(message.type == KEEPER_PING);
                say((struct keeper_message){ .type = KEEPER_PONG });
        }
}

/* Devices: 1 is quiet, 2 becomes so with the third look, 3 cannot be looked at. */
static int trial_look(void *data, uint32_t device)
{
        unsigned *looks = data;

        switch (device) {
        case 1: return 0;
        case 2: return ++*looks < 3;
        default: return -EIO;
        }
}

static void watch(uint32_t device, uint32_t round)
{
        say((struct keeper_message){ .type = KEEPER_WATCH, .count = device, .first = round });
}

static void see(uint32_t device, uint32_t round, int result)
{
        struct keeper_message message = hear(KEEPER_SEEN, NULL);

        want(message.count == device && message.first == round && message.result == result);
}

static void script_watch(void)
{
        welcome(0);
        say((struct keeper_message){ .type = KEEPER_READY });
        watch(1, 7);
        see(1, 7, KEEPER_SEEN_QUIET);
        watch(2, UINT32_MAX);
        if (shared->starts == 1)
                see(2, UINT32_MAX, KEEPER_SEEN_MASTER);
        see(2, UINT32_MAX, KEEPER_SEEN_QUIET);
        watch(3, 1);
        see(3, 1, -EIO);
        say((struct keeper_message){ .type = KEEPER_UNWATCH, .count = 3 });
        say((struct keeper_message){ .type = KEEPER_UNWATCH, .count = 4 }); /* never watched */
        watch(1, 8);
        see(1, 8, KEEPER_SEEN_QUIET);
        /* The next worker hears of no device that it did not ask for. */
        watch(3, 1);
        see(3, 1, -EIO);
        if (shared->starts == 1)
                die();
        silence(50);
}

/* What trial_reload() answers, in turn. */
static const int verdicts[] = { 0, -EINVAL, -ENOENT, 0 };

static void script_reload(void)
{
        struct keeper_message message;
        struct stat old, new;
        int fd;

        welcome(0);
        want(!!(fcntl(KEEPER_FD_CONFIG, F_GETFL) & O_APPEND) == (shared->starts == 2));
        if (shared->starts == 2)
                return;
        say((struct keeper_message){ .type = KEEPER_READY });
        want(fstat(KEEPER_FD_CONFIG, &old) == 0);
        for (unsigned i = 0; i < ARRAY_SIZE(verdicts); i++) {
                if (i + 1 < ARRAY_SIZE(verdicts))
                        say((struct keeper_message){ .type = KEEPER_RELOAD });
                else
                        kill(getppid(), SIGHUP);
                message = hear(KEEPER_CONFIG, &fd);
                want(message.result == verdicts[i]);
                want(message.count == (i + 1 < ARRAY_SIZE(verdicts)));
                want((fd >= 0) == (verdicts[i] != -ENOENT));
                if (fd >= 0) {
                        want(fstat(fd, &new) == 0 && new.st_ino == old.st_ino);
                        close(fd);
                }
        }
        /* Each question has an answer, also of many at once. */
        for (unsigned i = 0; i < 100; i++)
                say((struct keeper_message){ .type = KEEPER_RELOAD });
        for (unsigned i = 0; i < 100; i++) {
                want(hear(KEEPER_CONFIG, &fd).count == 1);
                close(fd);
        }
        die();
}

/* More questions than anybody has. */
static void script_reload_all_the_time(void)
{
        const struct keeper_message message = { .type = KEEPER_RELOAD };

        welcome(0);
        if (shared->starts == 2)
                return;
        say((struct keeper_message){ .type = KEEPER_READY });
        while (send(KEEPER_FD_CHANNEL, &message, sizeof(message), MSG_NOSIGNAL) > 0)
                ;
        for (;;)
                pause();
}

static void script_identity(void)
{
        struct rlimit limit;
        char line[256];
        FILE *status;
        unsigned seen = 0;

        welcome(0);
        want(getuid() == 65534 && geteuid() == 65534 && getgid() == 65534 && getegid() == 65534);
        want(getgroups(0, NULL) == 0);
        status = fopen("/proc/self/status", "re");
        want(status != NULL);
        while (fgets(line, sizeof(line), status)) {
                if (strncmp(line, "CapEff:", 7) == 0 || strncmp(line, "CapPrm:", 7) == 0) {
                        want(strtoull(line + 7, NULL, 16) == 0);
                        seen++;
                }
                if (strncmp(line, "NoNewPrivs:", 11) == 0) {
                        want(strtol(line + 11, NULL, 10) == 1);
                        seen++;
                }
        }
        fclose(status);
        want(seen == 3);
        want(getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur == limit.rlim_max);
}

/* Ends as a real worker does, whom nobody can send a signal. */
static void script_outlives_signals(void)
{
        char byte;

        welcome(0);
        shared->passed = true;
        while (recv(KEEPER_FD_CHANNEL, &byte, sizeof(byte), 0) != 0)
                doze(1); /* the channel does not block */
        _exit(0);
}

static const struct script {
        const char *name;
        void (*run)(void);
} scripts[] = {
        { "take", script_take },         { "outlives_signals", script_outlives_signals },
        { "take_all", script_take_all }, { "no_slots", script_no_slots },
        { "leave", script_leave },       { "snatched", script_snatched },
        { "linger", script_linger },     { "spliced", script_spliced },
        { "killed", script_killed },     { "nonsense", script_nonsense },
        { "closed", script_closed },     { "killed_early", script_killed_early },
        { "useless", script_useless },   { "harvest", script_harvest },
        { "cancel", script_cancel },     { "progress", script_progress },
        { "beside", script_beside },     { "killed_harvesting", script_killed_harvesting },
        { "hang", script_hang },         { "reload", script_reload },
        { "watch", script_watch },       { "reload_all_the_time", script_reload_all_the_time },
        { "moved", script_moved },       { "moved before", script_moved_before },
        { "poisoned", script_poisoned }, { "deaf", script_deaf },
        { "faulty", script_faulty },     { "identity", script_identity },
};

static int worker_main(const char *name)
{
        struct stat st;

        shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED, KEEPER_FD_CONFIG,
                      0);
        want(shared != MAP_FAILED);
        want(shared->starts++ < 100);
        want(fstat(KEEPER_FD_LEDGER, &st) == 0);
        ledger = mmap(NULL, (size_t)st.st_size, PROT_READ | PROT_WRITE, MAP_SHARED,
                      KEEPER_FD_LEDGER, 0);
        want(ledger != MAP_FAILED);
        want(ledger->magic == KEEPER_LEDGER_MAGIC && ledger->version == KEEPER_LEDGER_VERSION);
        want(fcntl(KEEPER_FD_LISTEN, F_GETFD) == 0);
        want(fcntl(KEEPER_FD_METRICS, F_GETFD) < 0);
        want(fstat(KEEPER_FD_UDMABUF, &st) == 0 && S_ISCHR(st.st_mode));

        for (size_t i = 0; i < ARRAY_SIZE(scripts); i++)
                if (strcmp(scripts[i].name, name) == 0)
                        scripts[i].run();
        shared->passed = true;
        for (;;)
                pause();
}

/* ---- The test's side ---- */

static int shared_config;

static struct sim_extent extents[] = {
        { { MiB, 16 * MiB - 1 }, 0, 4096 },
        { { 64 * MiB, 128 * MiB - 1 }, 0, 2 * MiB },
};

struct trial {
        struct sim_settings sim;
        uint32_t slots;
        uid_t uid;
        uint64_t verify_ns;
        const struct backend_ops *ops; /* instead of those of the sim */
        const char *path;              /* instead of this program */
        unsigned item;
        bool no_kill; /* the keeper may not signal other users' processes */
};

static void give_up_kill(void)
{
        struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
        struct __user_cap_data_struct sets[_LINUX_CAPABILITY_U32S_3];

        if (syscall(SYS_capget, &header, sets) < 0)
                _exit(93);
        sets[0].effective &= ~(1U << CAP_KILL);
        sets[0].permitted &= ~(1U << CAP_KILL);
        if (syscall(SYS_capset, &header, sets) < 0)
                _exit(93);
}

/* The text stays what it is: the test's page; but it is another open file of it. */
static int trial_reload(void *data, int *ret_config_fd)
{
        unsigned *calls = data;
        int verdict = verdicts[*calls < ARRAY_SIZE(verdicts) ? *calls : 0];
        char path[64];

        ++*calls;
        if (verdict == -ENOENT)
                return verdict;
        snprintf(path, sizeof(path), "/proc/self/fd/%d", shared_config);
        *ret_config_fd = open(path, O_RDWR | O_CLOEXEC | O_APPEND);
        return *ret_config_fd < 0 ? -errno : verdict;
}

static void count_page(void *data, uint64_t phys)
{
        (void)phys;
        ++*(unsigned *)data;
}

/* Pages that were reserved and that no frame is made of. */
static unsigned pages_in_stock(struct backend *backend)
{
        unsigned n = 0;

        (void)backend->ops->look(backend, 2 * MiB, NODE_ANY, RANGE_ALL, count_page, &n);
        return n;
}

static int keeper_child(const char *script, const struct trial *trial, int config)
{
        struct sim_settings settings = trial->sim;
        static const struct keeper_pool pools[] = {
                { .name = "a",
                  .page_bytes = 2 << 20,
                  .pin_required = true,
                  .harvest_max_bytes = 64 * MiB },
                { .name = "b", .page_bytes = 2 << 20 },
        };
        char *argv[] = { (char *)(uintptr_t)(trial->path ? trial->path : program),
                         (char *)(uintptr_t) "--worker", (char *)(uintptr_t)script, NULL };
        struct backend *backend;
        unsigned descriptors, reloads = 0, looks = 0;
        int listener, device, r;

        shared_config = config;
        settings.extents = extents;
        settings.n_extents = ARRAY_SIZE(extents);
        if (sim_new(&settings, &backend))
                return 90;
        if (trial->ops)
                backend->ops = trial->ops;
        listener = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        device = open("/dev/null", O_RDWR | O_CLOEXEC); /* in the place of /dev/udmabuf */
        descriptors = descriptors_open();
        if (trial->no_kill)
                give_up_kill();
        r = keeper_run(&(struct keeper_settings){
                .backend = backend,
                .pools = pools,
                .n_pools = ARRAY_SIZE(pools),
                .slots = trial->slots ? trial->slots : 4096,
                .listen_fd = listener,
                .metrics_fd = -1,
                .udmabuf_fd = device,
                .opener_fd = -1,
                .config_fd = config,
                .worker_argv = argv,
                .worker_uid = trial->uid ? trial->uid : (uid_t)-1,
                .worker_gid = trial->uid ? (gid_t)trial->uid : (gid_t)-1,
                .threads = 2,
                .verify_ns = trial->verify_ns,
                .reload = trial_reload,
                .reload_data = &reloads,
                .look = trial_look,
                .look_data = &looks,
        });
        if (settings.blind && pages_in_stock(backend))
                return 92;
        if (descriptors_open() != descriptors)
                return 91;
        close(listener);
        close(device);
        backend_free(backend);
        return -r;
}

/* ---- a service manager ---- */

/**
 * struct manager - what it heard
 * @text: @used bytes: notices, each with its NUL
 * @next: where the one is that is looked at next
 */
static struct manager {
        struct sockaddr_un address;
        int socket;
        char text[65536];
        size_t used, next;
} manager = { .socket = -1 };

static void manager_open(void)
{
        manager = (struct manager){ .address.sun_family = AF_UNIX };
        snprintf(manager.address.sun_path, sizeof(manager.address.sun_path),
                 "/tmp/par-test-keeper-%d", (int)getpid());
        unlink(manager.address.sun_path);
        manager.socket = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        assert_int_equal(
                bind(manager.socket, (struct sockaddr *)&manager.address, sizeof(manager.address)),
                0);
        setenv("NOTIFY_SOCKET", manager.address.sun_path, 1);
}

static void manager_close(void)
{
        unsetenv("NOTIFY_SOCKET");
        close(manager.socket);
        manager.socket = -1;
        unlink(manager.address.sun_path);
}

/* The kernel keeps few notices: they have to be read while the keeper runs. */
static void manager_listen(void)
{
        ssize_t n = 0;

        while (manager.socket >= 0 && n >= 0) {
                assert_true(manager.used + 1024 < sizeof(manager.text));
                n = recv(manager.socket, manager.text + manager.used, 1023, 0);
                if (n >= 0)
                        manager.used += (size_t)n + 1;
        }
}

/* The next notice; NULL where there is no more. */
static const char *manager_hears(void)
{
        const char *text = manager.text + manager.next;

        if (manager.next == manager.used)
                return NULL;
        manager.next += strlen(text) + 1;
        return text;
}

static bool starts_with(const char *text, const char *start)
{
        return strncmp(text, start, strlen(start)) == 0;
}

/* Returns what keeper_run() did, negated; @ret is what the workers left. */
static int run(const char *script, const struct trial *trial, struct shared *ret)
{
        struct shared *page;
        int config, status;
        pid_t pid;

        config = memfd_create("test", MFD_CLOEXEC);
        assert_int_equal(ftruncate(config, sizeof(*page)), 0);
        page = mmap(NULL, sizeof(*page), PROT_READ | PROT_WRITE, MAP_SHARED, config, 0);
        assert_ptr_not_equal(page, MAP_FAILED);
        page->item = trial->item;

        pid = fork();
        assert_true(pid >= 0);
        if (pid == 0)
                exit(keeper_child(script, trial, config));
        while (waitpid(pid, &status, WNOHANG) == 0) {
                if (page->passed || page->failed)
                        kill(pid, SIGTERM);
                manager_listen();
                doze(2);
        }
        manager_listen();
        memcpy(ret, page, sizeof(*ret));
        munmap(page, sizeof(*page));
        close(config);
        if (!WIFEXITED(status))
                fail_msg("%s: the keeper died by signal %d", script, WTERMSIG(status));
        return WEXITSTATUS(status);
}

static void pass(const char *script, const struct trial *trial, unsigned starts)
{
        struct shared left;
        int r;

        r = run(script, trial, &left);
        if (r || !left.passed || left.failed || left.starts != starts)
                fail_msg("%s: keeper %d, %s, %u workers", script, r,
                         left.passed ? "passed" : "not passed", left.starts);
}

/* The next notice but those that only tell what goes on. */
static void manager_expects(const char *start)
{
        const char *text;

        do {
                text = manager_hears();
                if (!text)
                        fail_msg("no notice \"%s\"", start);
        } while (starts_with(text, "STATUS=") || starts_with(text, "EXTEND_TIMEOUT_USEC="));
        if (!starts_with(text, start))
                fail_msg("\"%s\", not \"%s\"", text, start);
}

static unsigned manager_counts(const char *what)
{
        const char *text;
        unsigned n = 0;

        while ((text = manager_hears()))
                n += starts_with(text, what);
        return n;
}

static void test_keeper_takes_and_tells_the_service_manager(void **state)
{
        (void)state;
        manager_open();
        pass("take", &(struct trial){ .slots = 8 }, 1);
        manager_expects("READY=1");
        manager_expects("STOPPING=1");
        manager_close();
}

static void test_keeper_ends_a_take_when_it_is_told(void **state)
{
        (void)state;
        pass("cancel", &(struct trial){ .sim = { .blind = true, .delay_ns = SLOW_NS } }, 1);
}

static void test_keeper_tells_how_far_a_take_is(void **state)
{
        struct trial trial = { .sim = { .blind = true, .delay_ns = UNHURRIED_NS } };
        const char *text;
        unsigned extended = 0, growing = 0;
        uint64_t began = now_ms();

        (void)state;
        manager_open();
        pass("progress", &trial, 1);
        while ((text = manager_hears())) {
                extended += starts_with(text, "EXTEND_TIMEOUT_USEC=");
                growing += starts_with(text, "STATUS=filling; a: growing, ") &&
                           strstr(text, " of 32 frames") != NULL;
        }
        manager_close();
        assert_true(extended >= 1 && extended <= 1 + (now_ms() - began) / 5000);
        assert_true(growing >= 1 && growing <= 1 + (now_ms() - began) / 500);
}

static void test_keeper_lets_no_pool_wait_for_a_harvest(void **state)
{
        (void)state;
        pass("beside", &(struct trial){ .sim = { .blind = true, .delay_ns = UNHURRIED_NS } }, 1);
}

static void test_keeper_outlives_a_worker_that_harvests(void **state)
{
        struct trial trial = { .sim = { .blind = true, .seed = 5, .delay_ns = SLOW_NS } };

        (void)state;
        pass("killed_harvesting", &trial, 2);
}

static void test_keeper_looks_at_devices(void **state)
{
        (void)state;
        pass("watch", &(struct trial){ .slots = 8 }, 2);
}

static void test_keeper_replaces_a_worker_that_hangs(void **state)
{
        uint64_t began = now_ms();
        unsigned alive;

        (void)state;
        manager_open();
        setenv("WATCHDOG_USEC", "1000000", 1);
        pass("hang", &(struct trial){ .slots = 8 }, 2);
        unsetenv("WATCHDOG_USEC");
        alive = manager_counts("WATCHDOG=1");
        manager_close();
        /* Ten seconds for the first worker, two to three for the next; twice a second, and fewer
         * where the machine stops. */
        if (alive < 10 || alive > 1 + (now_ms() - began) / 400)
                fail_msg("the service manager heard %u times that the keeper lives", alive);
}

static void test_keeper_reads_the_configuration_again(void **state)
{
        (void)state;
        manager_open();
        pass("reload", &(struct trial){ .slots = 8 }, 2);
        manager_expects("READY=1");
        for (unsigned i = 0; i < ARRAY_SIZE(verdicts) + 100; i++) {
                manager_expects("RELOADING=1\nMONOTONIC_USEC=");
                manager_expects("READY=1");
        }
        manager_expects("STOPPING=1");
        manager_close();
        pass("reload_all_the_time", &(struct trial){ .slots = 8 }, 2);
}

/* A million slots, of which few are used: as many as there can be. */
static void test_keeper_has_room_for_a_million(void **state)
{
        (void)state;
        pass("take", &(struct trial){ .slots = KEEPER_SLOTS_MAX - 1 }, 1);
        pass("leave", &(struct trial){ .slots = KEEPER_SLOTS_MAX - 1, .verify_ns = NS_PER_MS }, 1);
}

static void test_keeper_says_why_it_has_no_more(void **state)
{
        (void)state;
        pass("take_all", &(struct trial){ .slots = 4096 }, 1);
        pass("no_slots", &(struct trial){ .slots = 8 }, 1);
}

static void test_keeper_gives_back_and_takes_again(void **state)
{
        (void)state;
        pass("leave", &(struct trial){ .sim = { .seed = 3 } }, 1);
        pass("snatched", &(struct trial){ .sim = { .snatch_every = 1 } }, 1);
}

static void test_keeper_lets_linger(void **state)
{
        (void)state;
        pass("linger", &(struct trial){ .slots = 8 }, 1);
        pass("spliced", &(struct trial){ .slots = 8 }, 1);
}

static void test_keeper_hands_everything_to_the_next_worker(void **state)
{
        (void)state;
        pass("killed", &(struct trial){ .slots = 4096 }, 2);
}

static void test_keeper_replaces_a_broken_worker(void **state)
{
        (void)state;
        for (unsigned i = 0; i < NONSENSE; i++) {
                if (i < ARRAY_SIZE(nonsense))
                        print_message("nonsense: %s\n", nonsense[i].name);
                pass("nonsense", &(struct trial){ .item = i }, 2);
        }
        pass("closed", &(struct trial){ .slots = 8 }, 2);
}

static void test_keeper_never_gives_up_what_clients_have(void **state)
{
        (void)state;
        pass("killed_early", &(struct trial){ .slots = 8 }, 7);
}

static void test_keeper_gives_up_on_hopeless_workers(void **state)
{
        struct shared left;

        (void)state;
        assert_int_equal(run("useless", &(struct trial){ .slots = 8 }, &left), ECHILD);
        assert_int_equal(left.starts, 5);
        assert_int_equal(run("take", &(struct trial){ .path = "/does/not/exist" }, &left), ECHILD);
        assert_int_equal(left.starts, 0);
}

static void test_keeper_harvests(void **state)
{
        (void)state;
        pass("harvest", &(struct trial){ .sim = { .blind = true } }, 1);
}

static int verify_moved(struct backend *backend, const struct backend_frame *frame,
                        uint64_t *ret_phys)
{
        (void)backend;
        *ret_phys = frame->phys + 4096;
        return 0;
}

static void test_keeper_tells_once_what_moved(void **state)
{
        struct sim_settings none = { 0 };
        struct backend *backend;
        struct backend_ops ops;

        (void)state;
        assert_int_equal(sim_new(&none, &backend), 0);
        ops = *backend->ops;
        ops.verify = verify_moved;
        backend_free(backend);
        pass("moved", &(struct trial){ .ops = &ops, .verify_ns = 10 * NS_PER_MS }, 1);
        pass("moved before", &(struct trial){ .ops = &ops, .verify_ns = 10 * NS_PER_MS }, 2);
}

static int (*sim_let_go)(struct backend *backend, struct backend_frame *frame, bool owner_gone,
                         enum backend_holder *ret_holder);

/* Of the pages that the simulation has, the first that comes. */
#define POISONED_PHYS (126 * MiB)

static int verify_poisoned(struct backend *backend, const struct backend_frame *frame,
                           uint64_t *ret_phys)
{
        (void)backend;
        *ret_phys = frame->phys;
        return frame->phys == POISONED_PHYS ? -EHWPOISON : 0;
}

static int let_go_poisoned(struct backend *backend, struct backend_frame *frame, bool owner_gone,
                           enum backend_holder *ret_holder)
{
        frame->poisoned = frame->phys == POISONED_PHYS;
        return sim_let_go(backend, frame, owner_gone, ret_holder);
}

static void test_keeper_tells_once_what_failed(void **state)
{
        struct sim_settings none = { 0 };
        struct backend *backend;
        struct backend_ops ops;

        (void)state;
        assert_int_equal(sim_new(&none, &backend), 0);
        ops = *backend->ops;
        backend_free(backend);
        sim_let_go = ops.let_go;
        ops.let_go = let_go_poisoned;
        pass("poisoned", &(struct trial){ .ops = &ops, .sim = { .snatch_every = 1 } }, 1);

        ops.verify = verify_poisoned;
        pass("poisoned",
             &(struct trial){ .ops = &ops,
                              .sim = { .snatch_every = 1 },
                              .verify_ns = 10 * NS_PER_MS,
                              .item = 1 },
             1);
}

static void test_keeper_waits_for_a_deaf_worker(void **state)
{
        (void)state;
        pass("deaf", &(struct trial){ .slots = 2000 }, 1);
}

static void test_keeper_survives_every_failing_call(void **state)
{
        struct shared left;
        uint64_t n;

        (void)state;
        for (n = 1; n < 24; n++) {
                struct trial trial = { .sim = { .fail_call = n, .fail_errno = EIO } };
                int r = run("faulty", &trial, &left);

                if (r || !left.passed || left.failed)
                        fail_msg("call %ju: keeper %d", (uintmax_t)n, r);
        }
        /* 4 calls make a frame, 1 opens it, 3 let go of it: the last runs had no failure. */
        assert_int_equal(left.item, 2);
}

/* A copy of this program that everybody may execute: it may lie where only root may look. */
static void publish_program(const char *path)
{
        int from = open(program, O_RDONLY | O_CLOEXEC);
        int to = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0755);
        ssize_t n;

        assert_true(from >= 0 && to >= 0);
        do {
                n = sendfile(to, from, NULL, 1 << 20);
        } while (n > 0);
        assert_int_equal(n, 0);
        assert_int_equal(fchmod(to, 0755), 0);
        close(from);
        close(to);
}

/* A copy of this program where another user finds it. */
static void pass_as_nobody(const char *script, struct trial trial)
{
        char dir[] = "/tmp/par-keeper-XXXXXX", path[64];

        if (geteuid() != 0)
                skip();
        assert_non_null(mkdtemp(dir));
        assert_int_equal(chmod(dir, 0755), 0);
        snprintf(path, sizeof(path), "%s/worker", dir);
        publish_program(path);
        trial.path = path;
        trial.uid = 65534;
        pass(script, &trial, 1);
        unlink(path);
        rmdir(dir);
}

static void test_keeper_worker_has_no_privilege(void **state)
{
        (void)state;
        pass_as_nobody("identity", (struct trial){ .item = 0 });
}

/* It once waited for ever for a worker that had not heard of it. */
static void test_keeper_ends_without_the_right_to_signal(void **state)
{
        (void)state;
        pass_as_nobody("outlives_signals", (struct trial){ .no_kill = true });
}

int main(int argc, char **argv)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_keeper_takes_and_tells_the_service_manager),
                cmocka_unit_test(test_keeper_has_room_for_a_million),
                cmocka_unit_test(test_keeper_says_why_it_has_no_more),
                cmocka_unit_test(test_keeper_gives_back_and_takes_again),
                cmocka_unit_test(test_keeper_lets_linger),
                cmocka_unit_test(test_keeper_hands_everything_to_the_next_worker),
                cmocka_unit_test(test_keeper_replaces_a_broken_worker),
                cmocka_unit_test(test_keeper_never_gives_up_what_clients_have),
                cmocka_unit_test(test_keeper_gives_up_on_hopeless_workers),
                cmocka_unit_test(test_keeper_harvests),
                cmocka_unit_test(test_keeper_ends_a_take_when_it_is_told),
                cmocka_unit_test(test_keeper_tells_how_far_a_take_is),
                cmocka_unit_test(test_keeper_lets_no_pool_wait_for_a_harvest),
                cmocka_unit_test(test_keeper_outlives_a_worker_that_harvests),
                cmocka_unit_test(test_keeper_looks_at_devices),
                cmocka_unit_test(test_keeper_replaces_a_worker_that_hangs),
                cmocka_unit_test(test_keeper_reads_the_configuration_again),
                cmocka_unit_test(test_keeper_tells_once_what_moved),
                cmocka_unit_test(test_keeper_tells_once_what_failed),
                cmocka_unit_test(test_keeper_waits_for_a_deaf_worker),
                cmocka_unit_test(test_keeper_survives_every_failing_call),
                cmocka_unit_test(test_keeper_worker_has_no_privilege),
                cmocka_unit_test(test_keeper_ends_without_the_right_to_signal),
        };

        if (argc == 3 && strcmp(argv[1], "--worker") == 0)
                return worker_main(argv[2]);
        if (readlink("/proc/self/exe", program, sizeof(program) - 1) < 0)
                return 1;
        log_open("keeper", LOG_CRIT);
        return cmocka_run_group_tests_name("keeper", tests, NULL, NULL);
}
