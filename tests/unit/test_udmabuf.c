/* SPDX-License-Identifier: MIT */
/*
 * What the kernel is told of a dma-buf, and what it says of itself.
 */
#include "udmabuf.h"

#include "fake_udmabuf.h"
#include "file_tree.h"
#include "macros.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static const struct {
        const char *name;
        const char *size, *list; /* NULL: there is no such file */
        struct udmabuf_limits limits;
} limit_cases[] = {
        { "both", "128\n", "17\n", { 128 * MiB, 17 } },
        { "neither", NULL, NULL, { 64 * MiB, 1024 } },
        { "more than a number", "128 MiB\n", "99999999999\n", { 64 * MiB, 1024 } },
        { "no number", "much\n", "\n", { 64 * MiB, 1024 } },
        { "the largest",
          "4294967295\n",
          "4294967295\n",
          { UINT64_C(4294967295) * MiB, UINT32_MAX } },
};

static void test_udmabuf_limits_are_read(void **state)
{
        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(limit_cases); i++) {
                struct udmabuf_limits limits;
                struct file_tree tree;

                file_tree_init(&tree);
                if (limit_cases[i].size)
                        file_tree_put(&tree, "/size_limit_mb", limit_cases[i].size);
                if (limit_cases[i].list)
                        file_tree_put(&tree, "/list_limit", limit_cases[i].list);
                udmabuf_read_limits(tree.root, &limits);
                file_tree_deinit(&tree);
                if (limits.bytes != limit_cases[i].limits.bytes ||
                    limits.parts != limit_cases[i].limits.parts)
                        fail_msg("%s: %llu bytes, %u parts", limit_cases[i].name,
                                 (unsigned long long)limits.bytes, limits.parts);
        }
}

static void test_udmabuf_parts_are_told_in_order(void **state)
{
        const int device = open("/dev/null", O_RDWR | O_CLOEXEC);
        const struct udmabuf_part parts[] = { { device, 4096, 8192 }, { device, 0, 2 * MiB } };
        struct fake_udmabuf last;
        struct stat status;
        int fd = -1;

        (void)state;
        fake_udmabuf_reset();
        assert_int_equal(udmabuf_create(device, parts, 2, &fd), 0);
        assert_int_equal(lseek(fd, 0, SEEK_END), 8192 + 2 * MiB);
        last = fake_udmabuf_last();
        assert_true(last.cloexec);
        assert_int_equal(last.n_parts, 2);
        assert_int_equal(fstat(device, &status), 0);
        for (size_t i = 0; i < 2; i++) {
                assert_int_equal(last.parts[i].inode, status.st_ino);
                assert_int_equal(last.parts[i].offset, parts[i].offset);
                assert_int_equal(last.parts[i].bytes, parts[i].bytes);
        }
        close(fd);
        close(device);
}

static void test_udmabuf_failures_are_handed_on(void **state)
{
        const int device = open("/dev/null", O_RDWR | O_CLOEXEC);
        const struct udmabuf_part part = { device, 0, 4096 };
        int fd = -7;

        (void)state;
        fake_udmabuf_reset();
        fake_udmabuf_fail(EBADFD);
        assert_int_equal(udmabuf_create(device, &part, 1, &fd), -EBADFD);
        assert_int_equal(fd, -7);
        close(device);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_udmabuf_limits_are_read),
                cmocka_unit_test(test_udmabuf_parts_are_told_in_order),
                cmocka_unit_test(test_udmabuf_failures_are_handed_on),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
