/* SPDX-License-Identifier: MIT */
/*
 * The outbox over a socket pair whose other end reads or does not.
 */
#include "outbox.h"

#include "descriptors.h"
#include "macros.h"
#include "packet.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sockios.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cmocka.h>

struct setup {
        int ends[2];
        struct outbox outbox;
};

/* What the kernel still counts of a packet that is being received; see below. */
static int residue_bytes;

int ioctl(int fd, unsigned long request, ...)
{
        va_list arguments;
        int *value;
        long r;

        va_start(arguments, request);
        value = va_arg(arguments, int *);
        va_end(arguments);
        r = syscall(SYS_ioctl, fd, request, value);
        if (r == 0 && request == SIOCOUTQ)
                *value += residue_bytes;
        return (int)r;
}

static int setup(void **state)
{
        struct setup *it = calloc(1, sizeof(*it));

        assert_non_null(it);
        assert_int_equal(
                socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, it->ends), 0);
        outbox_init(&it->outbox, it->ends[0]);
        *state = it;
        return 0;
}

static int teardown(void **state)
{
        struct setup *it = *state;

        outbox_deinit(&it->outbox);
        close(it->ends[0]);
        close(it->ends[1]);
        free(it);
        return 0;
}

/* Packets of 60,000 bytes, numbered, until one has to wait. Return: how many. */
static unsigned fill(struct setup *it, int fd, size_t count)
{
        static unsigned char bytes[60000];
        unsigned n;

        for (n = 0; outbox_is_empty(&it->outbox); n++) {
                bytes[0] = (unsigned char)n;
                assert_int_equal(outbox_push(&it->outbox, bytes, sizeof(bytes), &fd, count), 0);
        }
        return n;
}

static unsigned receive(struct setup *it, struct packet *packet)
{
        static unsigned char bytes[PACKET_BYTES_MAX];

        assert_int_equal(packet_receive(it->ends[1], bytes, sizeof(bytes), packet), 0);
        assert_true(packet->size > 0);
        return bytes[0];
}

static void test_outbox_sends_at_once(void **state)
{
        struct setup *it = *state;
        struct packet packet;

        assert_int_equal(outbox_push(&it->outbox, "\x07", 1, NULL, 0), 0);
        assert_true(outbox_is_empty(&it->outbox));
        assert_int_equal(receive(it, &packet), 7);
}

static void test_outbox_keeps_the_order(void **state)
{
        struct setup *it = *state;
        struct packet packet;
        unsigned n = fill(it, -1, 0), got = 0;

        for (unsigned i = 0; i < 5; i++) {
                unsigned char byte = (unsigned char)(n + i);

                assert_int_equal(outbox_push(&it->outbox, &byte, 1, NULL, 0), 0);
        }
        assert_int_equal(outbox_flush(&it->outbox), -EAGAIN);
        while (got < n + 5) {
                assert_int_equal(receive(it, &packet), got++);
                outbox_flush(&it->outbox);
        }
        assert_true(outbox_is_empty(&it->outbox));
}

static void test_outbox_owns_what_waits(void **state)
{
        struct setup *it = *state;
        int fd = memfd_create("test", MFD_CLOEXEC);
        unsigned before;
        struct stat mine, theirs;
        struct packet packet;
        unsigned n = fill(it, -1, 0);

        assert_int_equal(fstat(fd, &mine), 0);
        before = descriptors_open();
        assert_int_equal(outbox_push(&it->outbox, "x", 1, &fd, 1), 0);
        assert_int_equal(descriptors_open(), before + 1);
        close(fd); /* its number may go to somebody else now */
        fd = memfd_create("other", MFD_CLOEXEC);

        while (--n) /* the last of them waits too */
                receive(it, &packet);
        assert_int_equal(outbox_flush(&it->outbox), 0);
        do
                receive(it, &packet);
        while (packet.size > 1);
        assert_int_equal(packet.count, 1);
        assert_int_equal(fstat(packet.descriptors[0], &theirs), 0);
        assert_int_equal(theirs.st_ino, mine.st_ino);
        packet_close_descriptors(&packet);
        close(fd);
        assert_int_equal(descriptors_open(), before - 1);
}

static void test_outbox_forgets_what_was_never_sent(void **state)
{
        struct setup *it = *state;
        int fd = memfd_create("test", MFD_CLOEXEC);
        unsigned before = descriptors_open();

        fill(it, -1, 0);
        assert_int_equal(outbox_push(&it->outbox, "x", 1, &fd, 1), 0);
        outbox_deinit(&it->outbox);
        outbox_init(&it->outbox, it->ends[0]);
        assert_int_equal(descriptors_open(), before);
        close(fd);
}

static void test_outbox_counts_descriptors_in_flight(void **state)
{
        struct setup *it = *state;
        int fds[OUTBOX_DESCRIPTORS_MAX];
        struct packet packet;

        for (size_t i = 0; i < ARRAY_SIZE(fds); i++)
                fds[i] = it->ends[0];
        assert_int_equal(outbox_room(&it->outbox), OUTBOX_DESCRIPTORS_MAX);
        assert_int_equal(outbox_push(&it->outbox, "x", 1, fds, 40), 0);
        assert_true(outbox_is_empty(&it->outbox));
        assert_int_equal(outbox_room(&it->outbox), OUTBOX_DESCRIPTORS_MAX - 40);
        assert_int_equal(outbox_push(&it->outbox, "x", 1, fds, OUTBOX_DESCRIPTORS_MAX - 40), 0);
        assert_int_equal(outbox_room(&it->outbox), 0);

        receive(it, &packet);
        packet_close_descriptors(&packet);
        assert_int_equal(outbox_room(&it->outbox), 0);
        receive(it, &packet);
        packet_close_descriptors(&packet);
        assert_int_equal(outbox_room(&it->outbox), OUTBOX_DESCRIPTORS_MAX);
}

/*
 * The event that the peer has taken a packet comes while the kernel still counts one byte of it:
 * sock_wfree() calls sk_write_space() and takes that byte away afterwards, about which no further
 * event tells. Who is quick to look sees it, and would wait for ever.
 */
static void test_outbox_waits_for_no_residue(void **state)
{
        struct setup *it = *state;
        struct packet packet;

        assert_int_equal(outbox_push(&it->outbox, "x", 1, it->ends, 2), 0);
        residue_bytes = 1;
        assert_int_equal(outbox_room(&it->outbox), OUTBOX_DESCRIPTORS_MAX - 2);
        receive(it, &packet);
        for (size_t i = 0; i < packet.count; i++)
                close(packet.descriptors[i]);
        assert_int_equal(outbox_room(&it->outbox), OUTBOX_DESCRIPTORS_MAX);
        residue_bytes = 0;
}

static void test_outbox_counts_descriptors_that_wait(void **state)
{
        struct setup *it = *state;
        int fds[3] = { it->ends[0], it->ends[0], it->ends[0] };

        fill(it, -1, 0);
        assert_int_equal(outbox_push(&it->outbox, "x", 1, fds, 3), 0);
        assert_int_equal(outbox_room(&it->outbox), OUTBOX_DESCRIPTORS_MAX - 3);
}

static void test_outbox_has_an_end(void **state)
{
        struct setup *it = *state;
        int r = 0, n = 0;

        fill(it, -1, 0);
        while (!r && n < 2 * OUTBOX_PACKETS_MAX) {
                r = outbox_push(&it->outbox, "x", 1, NULL, 0);
                n++;
        }
        assert_int_equal(r, -ENOBUFS);
        assert_int_equal(it->outbox.n_queued, OUTBOX_PACKETS_MAX);
}

static void test_outbox_sends_into_nothing(void **state)
{
        struct setup *it = *state;
        unsigned before = descriptors_open();

        fill(it, -1, 0);
        assert_int_equal(outbox_push(&it->outbox, "x", 1, &it->ends[0], 1), 0);
        close(STEAL_FD(it->ends[1]));
        assert_int_equal(outbox_flush(&it->outbox), 0);
        assert_true(it->outbox.dead);
        assert_true(outbox_is_empty(&it->outbox));
        assert_int_equal(outbox_push(&it->outbox, "x", 1, &it->ends[0], 1), 0);
        assert_true(outbox_is_empty(&it->outbox));
        assert_int_equal(descriptors_open(), before - 1);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
                TEST(test_outbox_sends_at_once),
                TEST(test_outbox_keeps_the_order),
                TEST(test_outbox_owns_what_waits),
                TEST(test_outbox_forgets_what_was_never_sent),
                TEST(test_outbox_counts_descriptors_in_flight),
                TEST(test_outbox_waits_for_no_residue),
                TEST(test_outbox_counts_descriptors_that_wait),
                TEST(test_outbox_has_an_end),
                TEST(test_outbox_sends_into_nothing),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
