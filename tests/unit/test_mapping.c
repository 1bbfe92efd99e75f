/* SPDX-License-Identifier: MIT */
/* Address space, the frames in it, and what the daemon is told of them. */
#include "frame.h"
#include "mapping.h"

#include "macros.h"
#include "mapped.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#define PAGE (64 * KiB)

static int new_memory(uint64_t bytes)
{
        int fd = memfd_create("frame", MFD_CLOEXEC);

        assert_true(fd >= 0);
        assert_int_equal(ftruncate(fd, (off_t)bytes), 0);
        return fd;
}

static void test_mapping_reserves_aligned(void **state)
{
        static const uint64_t aligns[] = { 4096, 64 * KiB, 2 * MiB, GiB };
        char *at;

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(aligns); i++) {
                assert_int_equal(mapping_reserve(3 * aligns[i], aligns[i], &at), 0);
                assert_int_equal((uintptr_t)at % aligns[i], 0);
                mapping_release(at, 3 * aligns[i]);
        }
        assert_int_equal(mapping_reserve(SIZE_MAX & ~(GiB - 1), GiB, &at), -ENOMEM);
        assert_true(mapping_reserve(UINT64_C(1) << 62, GiB, &at) < 0);
}

static void test_mapping_moves_with_its_data(void **state)
{
        int fd = new_memory(PAGE);
        char *from, *to;
        bool huge = true;

        (void)state;
        assert_int_equal(mapping_reserve(PAGE, PAGE, &from), 0);
        assert_int_equal(mapping_reserve(2 * PAGE, PAGE, &to), 0);
        assert_int_equal(mapping_place(fd, PAGE, from, &huge), 0);
        close(fd);
        memcpy(from, "still here", 11);
        assert_int_equal(mapping_move(from, PAGE, to + PAGE), 0);
        assert_string_equal(to + PAGE, "still here");
        assert_false(huge);
        assert_false(mapping_has_failed(to + PAGE));
        assert_false(is_mapped(from));
        mapping_release(to, 2 * PAGE);
        assert_false(is_mapped(to + PAGE));
}

static void test_mapping_refuses_what_is_no_frame(void **state)
{
        int fd = new_memory(PAGE - 4096), sockets[2];
        char *place, *other;
        bool huge;

        (void)state;
        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, sockets), 0);
        assert_int_equal(mapping_reserve(PAGE, PAGE, &place), 0);
        assert_int_equal(mapping_place(fd, PAGE, place, &huge), -EPROTO);
        assert_int_equal(mapping_place(-1, PAGE, place, &huge), -EBADF);
        assert_true(mapping_place(sockets[0], PAGE, place, &huge) < 0);
        assert_int_equal(mapping_map(fd, PAGE, &other, &huge), -EPROTO);
        assert_int_equal(mapping_map(-1, PAGE, &other, &huge), -EBADF);
        assert_true(mapping_map(sockets[0], PAGE, &other, &huge) < 0);
        mapping_release(place, PAGE);
        close(fd);
        close(sockets[0]);
        close(sockets[1]);
}

/* Where the kernel's own page is smaller than the frame, and where it is as large. */
static void test_mapping_maps_aligned(void **state)
{
        static const struct {
                const char *name;
                uint64_t bytes;
                bool huge;
        } cases[] = {
                { "a frame of small pages", PAGE, false },
                { "a frame that is a page", 4 * KiB, true },
        };
        char *at;
        bool huge;

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(cases) * 16; i++) {
                const uint64_t bytes = cases[i / 16].bytes;
                int fd = new_memory(bytes);

                assert_int_equal(mapping_map(fd, bytes, &at, &huge), 0);
                close(fd);
                if (huge != cases[i / 16].huge || (uintptr_t)at % bytes)
                        fail_msg("%s: at %p, %d", cases[i / 16].name, (void *)at, huge);
                at[bytes - 1] = 1;
                if (i % 2) { /* the others stay, so that room is uneven */
                        mapping_release(at, bytes);
                        assert_false(is_mapped(at));
                }
        }
}

static struct frame *add(struct frames *frames, uint64_t id, bool keep)
{
        int fd = new_memory(PAGE);
        struct frame *frame;

        assert_int_equal(frames_add(frames, id, PAGE, &frame), 0);
        assert_int_equal(frame_map(frame, fd, NULL), 0);
        close(fd);
        assert_int_equal((uintptr_t)frame->base % PAGE, 0);
        frame->keep = keep;
        return frame;
}

static void test_frame_goes_with_its_last_buffer(void **state)
{
        static struct frames frames;
        struct frame *frame;
        char *base;

        (void)state;
        frames_init(&frames);
        frame = add(&frames, 7, false);
        base = frame->base;
        frame_ref(frame, false);
        frame_ref(frame, false);
        frame_unref(&frames, frame, false);
        assert_true(is_mapped(base));
        frame_unref(&frames, frame, false);
        assert_false(is_mapped(base));
        assert_null(frames_find(&frames, 7));
        assert_int_equal(frames_untold(&frames), 1);
        assert_int_equal(frames.telling[0], 7);
        assert_int_equal(frames.unmapped - frames.told, 1);
        frames_told(&frames, 1);
        assert_int_equal(frames_untold(&frames), 0);
        assert_int_equal(frames.unmapped, frames.told);
        frames_deinit(&frames, false);
}

static void test_frame_is_kept_until_unneeded(void **state)
{
        static struct frames frames;
        struct frame *idle, *busy;

        (void)state;
        frames_init(&frames);
        idle = add(&frames, 1, true);
        busy = add(&frames, 2, true);
        frame_ref(idle, false);
        frame_unref(&frames, idle, false);
        frame_ref(busy, false);
        assert_ptr_equal(frames_find(&frames, 1), idle);

        frames_unneeded(&frames, 1);
        frames_unneeded(&frames, 2);
        frames_unneeded(&frames, 3);
        assert_null(frames_find(&frames, 1));
        assert_ptr_equal(frames_find(&frames, 2), busy);
        frame_unref(&frames, busy, false); /* it was said: now it goes */
        assert_null(frames_find(&frames, 2));
        assert_int_equal(frames_untold(&frames), 2);
        frames_deinit(&frames, false);
}

static void test_frame_without_memory_has_to_be_sent_again(void **state)
{
        static struct frames frames;
        struct frame *frame;

        (void)state;
        frames_init(&frames);
        assert_int_equal(frames_add(&frames, 5, PAGE, &frame), 0);
        frame->keep = true;
        frame_ref(frame, true);
        frame_unref(&frames, frame, true);
        assert_null(frames_find(&frames, 5));
        assert_int_equal(frames_untold(&frames), 1);
        frames_deinit(&frames, false);
}

static void test_frame_news_fit_into_a_packet(void **state)
{
        static struct frames frames;
        struct frame *frame;

        (void)state;
        frames_init(&frames);
        for (uint64_t i = 0; i < FRAMES_TOLD_MAX + 5; i++) {
                assert_int_equal(frames_add(&frames, i, PAGE, &frame), 0);
                frame_ref(frame, false);
                frame_unref(&frames, frame, false);
        }
        assert_int_equal(frames_untold(&frames), FRAMES_TOLD_MAX);
        frames_told(&frames, FRAMES_TOLD_MAX);
        assert_int_equal(frames_untold(&frames), 5);
        assert_int_equal(frames.telling[0], FRAMES_TOLD_MAX);
        frames_deinit(&frames, false);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_mapping_reserves_aligned),
                cmocka_unit_test(test_mapping_maps_aligned),
                cmocka_unit_test(test_mapping_moves_with_its_data),
                cmocka_unit_test(test_mapping_refuses_what_is_no_frame),
                cmocka_unit_test(test_frame_goes_with_its_last_buffer),
                cmocka_unit_test(test_frame_is_kept_until_unneeded),
                cmocka_unit_test(test_frame_without_memory_has_to_be_sent_again),
                cmocka_unit_test(test_frame_news_fit_into_a_packet),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
