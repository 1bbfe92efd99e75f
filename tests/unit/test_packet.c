/* SPDX-License-Identifier: MIT */
/*
 * Packets over a socket pair, with real descriptors.
 */
#include "packet.h"

#include "macros.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

struct pair {
        int ends[2];
};

static int setup(void **state)
{
        struct pair *pair = calloc(1, sizeof(*pair));

        assert_non_null(pair);
        assert_int_equal(
                socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair->ends),
                0);
        *state = pair;
        return 0;
}

static int teardown(void **state)
{
        struct pair *pair = *state;

        close(pair->ends[0]);
        close(pair->ends[1]);
        free(pair);
        return 0;
}

static ino_t inode_of(int fd)
{
        struct stat info;

        assert_int_equal(fstat(fd, &info), 0);
        return info.st_ino;
}

static void test_packet_carries_bytes(void **state)
{
        struct pair *pair = *state;
        char bytes[16];
        struct packet packet;

        assert_int_equal(packet_send(pair->ends[0], "hello", 5, NULL, 0), 0);
        assert_int_equal(packet_receive(pair->ends[1], bytes, sizeof(bytes), &packet), 0);
        assert_int_equal(packet.size, 5);
        assert_int_equal(packet.count, 0);
        assert_false(packet.bytes_cut);
        assert_false(packet.descriptors_cut);
        assert_memory_equal(bytes, "hello", 5);
        assert_int_equal(packet_receive(pair->ends[1], bytes, sizeof(bytes), &packet), -EAGAIN);
}

static void test_packet_carries_the_longest(void **state)
{
        struct pair *pair = *state;
        static char sent[PACKET_BYTES_MAX], got[PACKET_BYTES_MAX + 1];
        struct packet packet;

        memset(sent, 0x5a, sizeof(sent));
        assert_int_equal(packet_send(pair->ends[0], sent, sizeof(sent), NULL, 0), 0);
        assert_int_equal(packet_receive(pair->ends[1], got, sizeof(got), &packet), 0);
        assert_int_equal(packet.size, sizeof(sent));
        assert_false(packet.bytes_cut);
        assert_memory_equal(got, sent, sizeof(sent));
}

static void test_packet_tells_what_was_cut(void **state)
{
        struct pair *pair = *state;
        char bytes[4];
        struct packet packet;

        assert_int_equal(packet_send(pair->ends[0], "hello", 5, NULL, 0), 0);
        assert_int_equal(packet_receive(pair->ends[1], bytes, sizeof(bytes), &packet), 0);
        assert_true(packet.bytes_cut);
}

static void test_packet_carries_descriptors_in_order(void **state)
{
        static const size_t counts[] = { 1, 2, 64, PACKET_DESCRIPTORS_MAX };
        struct pair *pair = *state;
        static int sent[PACKET_DESCRIPTORS_MAX];
        struct packet packet;
        char byte;

        for (size_t i = 0; i < ARRAY_SIZE(sent); i++) {
                sent[i] = memfd_create("test", MFD_CLOEXEC);
                assert_true(sent[i] >= 0);
        }
        for (size_t c = 0; c < ARRAY_SIZE(counts); c++) {
                assert_int_equal(packet_send(pair->ends[0], "x", 1, sent, counts[c]), 0);
                assert_int_equal(packet_receive(pair->ends[1], &byte, 1, &packet), 0);
                assert_int_equal(packet.count, counts[c]);
                assert_false(packet.descriptors_cut);
                for (size_t i = 0; i < packet.count; i++) {
                        assert_int_equal(inode_of(packet.descriptors[i]), inode_of(sent[i]));
                        assert_true(fcntl(packet.descriptors[i], F_GETFD) & FD_CLOEXEC);
                }
                packet_close_descriptors(&packet);
                assert_int_equal(packet.count, 0);
        }
        for (size_t i = 0; i < ARRAY_SIZE(sent); i++)
                close(sent[i]);
}

static void test_packet_tells_that_descriptors_were_lost(void **state)
{
        struct pair *pair = *state;
        struct rlimit limit, low;
        int sent[3], next;
        struct packet packet;
        char byte;

        /* It keeps limits of descriptors from the kernel. */
        if (getenv("PAR_UNDER_VALGRIND"))
                skip();
        for (size_t i = 0; i < ARRAY_SIZE(sent); i++)
                sent[i] = memfd_create("test", MFD_CLOEXEC);
        assert_int_equal(packet_send(pair->ends[0], "x", 1, sent, ARRAY_SIZE(sent)), 0);
        next = dup(sent[0]);
        close(next);

        /* Room for one more. */
        assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
        low = limit;
        low.rlim_cur = (rlim_t)next + 1;
        assert_int_equal(setrlimit(RLIMIT_NOFILE, &low), 0);
        assert_int_equal(packet_receive(pair->ends[1], &byte, 1, &packet), 0);
        assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);

        assert_true(packet.descriptors_cut);
        assert_int_equal(packet.count, 1);
        packet_close_descriptors(&packet);
        for (size_t i = 0; i < ARRAY_SIZE(sent); i++)
                close(sent[i]);
}

static void test_packet_tells_that_the_peer_closed(void **state)
{
        struct pair *pair = *state;
        struct packet packet;
        char byte;

        close(STEAL_FD(pair->ends[0]));
        assert_int_equal(packet_receive(pair->ends[1], &byte, 1, &packet), 0);
        assert_int_equal(packet.size, 0);
        assert_int_equal(packet.count, 0);

        /* No SIGPIPE either: the test is still here. */
        assert_int_equal(packet_send(pair->ends[1], "x", 1, NULL, 0), -EPIPE);
}

static void test_packet_says_when_the_socket_is_full(void **state)
{
        struct pair *pair = *state;
        static char bytes[PACKET_BYTES_MAX];
        struct packet packet;
        int r = 0, n;

        for (n = 0; n < 10000 && !r; n++)
                r = packet_send(pair->ends[0], bytes, sizeof(bytes), NULL, 0);
        assert_int_equal(r, -EAGAIN);
        assert_int_equal(packet_receive(pair->ends[1], bytes, sizeof(bytes), &packet), 0);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
                TEST(test_packet_carries_bytes),
                TEST(test_packet_carries_the_longest),
                TEST(test_packet_tells_what_was_cut),
                TEST(test_packet_carries_descriptors_in_order),
                TEST(test_packet_tells_that_descriptors_were_lost),
                TEST(test_packet_tells_that_the_peer_closed),
                TEST(test_packet_says_when_the_socket_is_full),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
