/* SPDX-License-Identifier: MIT */
/*
 * What a client is told without having asked, while it waits to be told: what is merged, in which
 * packets it leaves, and where it ends.
 */
#include "notice.h"

#include "heap.h"
#include "macros.h"
#include "state_ops.h"

#include <errno.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

static struct notice notice;
static struct notice_packet packet;

static int setup(void **state)
{
        (void)state;
        notice = (struct notice){ 0 };
        return 0;
}

static int teardown(void **state)
{
        (void)state;
        notice_deinit(&notice);
        return 0;
}

static int add(uint32_t type, uint64_t buffer, uint64_t offset, uint64_t length)
{
        return notice_add_event(&notice, &(struct notice_event){ type, buffer, offset, length });
}

static void is_event(size_t i, uint32_t type, uint64_t buffer, uint64_t offset, uint64_t length)
{
        const Wire__Event *event = packet.wire.events[i];

        assert_true(i < packet.wire.n_events);
        assert_int_equal(event->type, type);
        assert_int_equal(event->buffer, buffer);
        assert_int_equal(event->offset, offset);
        assert_int_equal(event->length, length);
}

/* Two events, one after the other, and what is told of them. */
static const struct {
        const char *name;
        struct notice_event events[2];
        struct notice_event told; /* of the first; length 0: both as they were */
} merges[] = {
        { "side by side", { { 1, 7, 0, 4 }, { 1, 7, 4, 4 } }, { 1, 7, 0, 8 } },
        { "from the top down", { { 1, 7, 4, 4 }, { 1, 7, 0, 4 } }, { 1, 7, 0, 8 } },
        { "one in the other", { { 1, 7, 0, 16 }, { 1, 7, 4, 4 } }, { 1, 7, 0, 16 } },
        { "with a gap", { { 1, 7, 0, 4 }, { 1, 7, 12, 4 } }, { 1, 7, 0, 16 } },
        { "the same again", { { 1, 7, 4, 4 }, { 1, 7, 4, 4 } }, { 1, 7, 4, 4 } },
        { "another buffer", { { 1, 7, 0, 4 }, { 1, 8, 4, 4 } }, { 0 } },
        { "another kind", { { 1, 7, 0, 4 }, { 2, 7, 4, 4 } }, { 0 } },
};

static void test_notice_merges_what_is_the_same(void **state)
{
        for (size_t i = 0; i < ARRAY_SIZE(merges); i++) {
                const struct notice_event *events = merges[i].events, *told = &merges[i].told;

                print_message("%s\n", merges[i].name);
                setup(state);
                for (size_t k = 0; k < 2; k++)
                        assert_int_equal(notice_add_event(&notice, &events[k]), 0);
                notice_fill(&notice, &packet);
                if (told->length) {
                        assert_int_equal(packet.wire.n_events, 1);
                        is_event(0, told->type, told->buffer, told->offset, told->length);
                } else {
                        assert_int_equal(packet.wire.n_events, 2);
                        for (size_t k = 0; k < 2; k++)
                                is_event(k, events[k].type, events[k].buffer, events[k].offset,
                                         events[k].length);
                }
                notice_forget(&notice, &packet);
                assert_true(notice_is_empty(&notice));
                if (i + 1 < ARRAY_SIZE(merges))
                        teardown(state);
        }
}

/* What has been sent is told, and not made larger afterwards. */
static void test_notice_does_not_merge_with_what_was_sent(void **state)
{
        (void)state;
        assert_int_equal(add(EVENT_MOVED, 7, 0, 4), 0);
        notice_fill(&notice, &packet);
        notice_forget(&notice, &packet);
        assert_int_equal(add(EVENT_MOVED, 7, 4, 4), 0);
        notice_fill(&notice, &packet);
        assert_int_equal(packet.wire.n_events, 1);
        is_event(0, EVENT_MOVED, 7, 4, 4);
}

/* Of no buffer: the latest of each kind, before the others. */
static void test_notice_keeps_one_of_each_kind_of_its_own(void **state)
{
        (void)state;
        assert_int_equal(add(EVENT_MOVED, 7, 0, 4), 0);
        assert_int_equal(add(EVENT_WANTED, 0, 1, 2), 0);
        assert_int_equal(add(EVENT_LINGERING, 0, 0, 8), 0);
        assert_int_equal(add(EVENT_WANTED, 0, 3, 4), 0);
        notice_fill(&notice, &packet);
        assert_int_equal(packet.wire.n_events, 3);
        is_event(0, EVENT_WANTED, 0, 3, 4);
        is_event(1, EVENT_LINGERING, 0, 0, 8);
        is_event(2, EVENT_MOVED, 7, 0, 4);
        notice_forget(&notice, &packet);
        assert_true(notice_is_empty(&notice));
        notice_fill(&notice, &packet);
        assert_int_equal(packet.wire.n_events, 0);
}

/* Many leave in packets of a certain size, the oldest first, and none twice. */
static void test_notice_leaves_in_packets(void **state)
{
        enum { EVENTS = 2 * NOTICE_PACKET_EVENTS + 3, FRAMES = NOTICE_PACKET_FRAMES + 5 };
        uint64_t next_event = 1, next_frame = 0;
        unsigned packets = 0;

        (void)state;
        for (uint64_t i = 0; i < EVENTS; i++)
                assert_int_equal(add(EVENT_MOVED, i + 1, 0, 4), 0);
        assert_int_equal(add(EVENT_WANTED, 0, 0, 4), 0);
        for (uint32_t i = 0; i < FRAMES; i++)
                assert_int_equal(notice_add_frame(&notice, (struct frame_name){ .slot = i }), 0);
        while (!notice_is_empty(&notice)) {
                size_t n;

                notice_fill(&notice, &packet);
                assert_in_range(packet.wire.n_events, 0, NOTICE_PACKET_EVENTS);
                assert_in_range(packet.wire.n_unneeded_frames, 0, NOTICE_PACKET_FRAMES);
                for (n = packet.n_own; n < packet.wire.n_events; n++)
                        is_event(n, EVENT_MOVED, next_event++, 0, 4);
                for (n = 0; n < packet.wire.n_unneeded_frames; n++)
                        assert_int_equal(
                                packet.wire.unneeded_frames[n],
                                frame_id((struct frame_name){ .slot = (uint32_t)next_frame++ }));
                notice_forget(&notice, &packet);
                assert_in_range(++packets, 1, 3);
        }
        assert_int_equal(next_event, EVENTS + 1);
        assert_int_equal(next_frame, FRAMES);
}

static void test_notice_has_an_end(void **state)
{
        (void)state;
        for (uint64_t i = 0; i < NOTICE_EVENTS_MAX; i++)
                if (add(EVENT_MOVED, i + 1, 0, 4))
                        fail_msg("event %ju was refused", (uintmax_t)i);
        assert_int_equal(add(EVENT_MOVED, NOTICE_EVENTS_MAX + 1, 0, 4), -ENOBUFS);
        /* The same again needs no room, nor does one of no buffer. */
        assert_int_equal(add(EVENT_MOVED, NOTICE_EVENTS_MAX, 4, 4), 0);
        assert_int_equal(add(EVENT_WANTED, 0, 0, 4), 0);
}

static void test_notice_without_memory_is_as_before(void **state)
{
        (void)state;
        assert_int_equal(add(EVENT_WANTED, 0, 0, 4), 0);
        heap_fail(1, ULONG_MAX);
        assert_int_equal(add(EVENT_MOVED, 7, 0, 4), -ENOMEM);
        assert_int_equal(notice_add_frame(&notice, (struct frame_name){ .slot = 3 }), -ENOMEM);
        assert_true(heap_mend());
        notice_fill(&notice, &packet);
        assert_int_equal(packet.wire.n_events, 1);
        assert_int_equal(packet.wire.n_unneeded_frames, 0);
        is_event(0, EVENT_WANTED, 0, 0, 4);
}

int main(void)
{
#define TEST(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
        const struct CMUnitTest tests[] = {
                TEST(test_notice_merges_what_is_the_same),
                TEST(test_notice_does_not_merge_with_what_was_sent),
                TEST(test_notice_keeps_one_of_each_kind_of_its_own),
                TEST(test_notice_leaves_in_packets),
                TEST(test_notice_has_an_end),
                TEST(test_notice_without_memory_is_as_before),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
