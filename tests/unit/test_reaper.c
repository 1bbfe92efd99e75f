/* SPDX-License-Identifier: MIT */
/*
 * The reaper, with descriptors that are bad to close.
 */
#include "reaper.h"

#include "clock.h"
#include "descriptors.h"
#include "lingering_socket.h"
#include "macros.h"
#include "packet.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#define MANY 20 /* more than the reaper has threads */

/* All are closed well before a lingering close would be over. */
static void assert_descriptors_become(unsigned n)
{
        uint64_t until = now_ms() + LINGERING_SECONDS * 1000 / 2;
        const struct timespec pause = { 0, 5000000 };

        while (descriptors_open() != n && now_ms() < until)
                nanosleep(&pause, NULL);
        assert_int_equal(descriptors_open(), n);
}

static void test_reaper_closes_strangers_that_linger(void **state)
{
        struct lingering_socket lingering[MANY];
        struct reaper *reaper;
        uint64_t began;
        unsigned before;

        (void)state;
        assert_int_equal(reaper_new(&reaper), 0);
        for (size_t i = 0; i < MANY; i++)
                lingering_socket_init(&lingering[i]);
        before = descriptors_open();
        began = now_ms();
        for (size_t i = 0; i < MANY; i++)
                reaper_close_stranger(reaper, STEAL_FD(lingering[i].fd));
        assert_true(now_ms() - began < LINGERING_SECONDS * 1000 / 2);
        assert_descriptors_become(before - MANY);
        reaper_free(reaper);
        for (size_t i = 0; i < MANY; i++)
                lingering_socket_deinit(&lingering[i]);
}

static void test_reaper_closes_sessions_that_strangers_lie_in(void **state)
{
        struct lingering_socket lingering[MANY];
        int sessions[MANY], peers[MANY];
        unsigned before;
        struct reaper *reaper;
        uint64_t began;

        (void)state;
        assert_int_equal(reaper_new(&reaper), 0);
        for (size_t i = 0; i < MANY; i++) {
                int ends[2];

                assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, ends), 0);
                lingering_socket_init(&lingering[i]);
                /* Behind packets that look like the end. */
                for (size_t j = 0; j < i % 3; j++)
                        assert_int_equal(send(ends[1], "", 0, MSG_NOSIGNAL), 0);
                assert_int_equal(packet_send(ends[1], "x", 1, &lingering[i].fd, 1), 0);
                close(STEAL_FD(lingering[i].fd));
                sessions[i] = ends[0];
                peers[i] = ends[1];
                if (i % 4)
                        continue;
                /* A peer that closes without having read resets the connection. */
                assert_int_equal(packet_send(ends[0], "y", 1, NULL, 0), 0);
                close(STEAL_FD(peers[i]));
        }
        before = descriptors_open();
        began = now_ms();
        for (size_t i = 0; i < MANY; i++)
                reaper_close_session(reaper, sessions[i]);
        assert_true(now_ms() - began < LINGERING_SECONDS * 1000 / 2);
        assert_descriptors_become(before - MANY);
        /* reaper_free() waits for what it still has. */
        began = now_ms();
        reaper_free(reaper);
        assert_true(now_ms() - began < 1500);
        for (size_t i = 0; i < MANY; i++) {
                if (peers[i] >= 0)
                        close(peers[i]);
                lingering_socket_deinit(&lingering[i]);
        }
}

static void test_reaper_lets_the_peer_read_on(void **state)
{
        struct reaper *reaper;
        struct packet packet;
        int ends[2];
        char byte;

        (void)state;
        assert_int_equal(reaper_new(&reaper), 0);
        assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, ends), 0);
        assert_int_equal(packet_send(ends[0], "x", 1, NULL, 0), 0);
        reaper_close_session(reaper, ends[0]);
        reaper_free(reaper);
        assert_int_equal(packet_receive(ends[1], &byte, 1, &packet), 0);
        assert_int_equal(packet.size, 1);
        assert_int_equal(packet_receive(ends[1], &byte, 1, &packet), 0);
        assert_int_equal(packet.size, 0);
        close(ends[1]);
}

/* Packets of which each takes a while to be taken out, in more sockets than may wait. */
static void fill_up(struct reaper *reaper)
{
        for (size_t i = 0; i < 2 * REAPER_SESSIONS_MAX; i++) {
                int ends[2];

                assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, ends), 0);
                while (send(ends[1], "x", 1, MSG_NOSIGNAL) == 1)
                        ;
                close(ends[1]);
                reaper_close_session(reaper, ends[0]);
        }
}

static void test_reaper_says_when_it_is_behind(void **state)
{
        const unsigned before = descriptors_open();
        struct reaper *reaper;
        bool behind = false;

        (void)state;
        assert_int_equal(reaper_new(&reaper), 0);
        assert_false(reaper_is_behind(reaper));
        /* It may be as quick as this thread, where that has to wait for a processor. */
        for (int i = 0; i < 20 && !behind; i++) {
                fill_up(reaper);
                behind = reaper_is_behind(reaper);
        }
        assert_true(behind);
        assert_descriptors_become(before);
        assert_false(reaper_is_behind(reaper));
        reaper_free(reaper);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_reaper_closes_strangers_that_linger),
                cmocka_unit_test(test_reaper_closes_sessions_that_strangers_lie_in),
                cmocka_unit_test(test_reaper_lets_the_peer_read_on),
                cmocka_unit_test(test_reaper_says_when_it_is_behind),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
