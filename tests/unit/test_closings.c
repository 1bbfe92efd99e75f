/* SPDX-License-Identifier: MIT */
/*
 * What the kernel tells of closings: of other open files of a frame's memory, however they end, and
 * not of our own.
 */
#include "closings.h"

#include "letgo.h"
#include "macros.h"

#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define SIZE ((size_t)4096)

static struct closings closings;
static struct job jobs[2];
static unsigned heard[2];

static int begin(void **state)
{
        (void)state;
        closings_init(&closings);
        assert_true(closings.fd >= 0);
        memset(heard, 0, sizeof(heard));
        for (size_t i = 0; i < ARRAY_SIZE(jobs); i++) {
                jobs[i] = (struct job){ .leave.frame = BACKEND_FRAME_NONE };
                jobs[i].leave.frame.memfd = memfd_create("frame", MFD_CLOEXEC);
                assert_true(jobs[i].leave.frame.memfd >= 0);
                assert_int_equal(ftruncate(jobs[i].leave.frame.memfd, (off_t)SIZE), 0);
        }
        return 0;
}

static int end(void **state)
{
        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(jobs); i++) {
                closings_forget(&closings, &jobs[i]);
                close(jobs[i].leave.frame.memfd);
        }
        closings_deinit(&closings);
        return 0;
}

static void note(void *data, struct job *job)
{
        (void)data;
        heard[job - jobs]++;
}

static void expect(unsigned first, unsigned second)
{
        memset(heard, 0, sizeof(heard));
        closings_hear(&closings, note, NULL);
        assert_int_equal(heard[0] != 0, first);
        assert_int_equal(heard[1] != 0, second);
}

static int open_frame(size_t i)
{
        int fd;

        assert_int_equal(letgo_reopen(jobs[i].leave.frame.memfd, &fd), 0);
        return fd;
}

/* ---- how the others let go ------------------------------------------------------------------- */

static void close_it(int fd)
{
        close(fd);
}

static void *map(int fd, int protection)
{
        void *at = mmap(NULL, SIZE, protection, MAP_SHARED, fd, 0);

        assert_ptr_not_equal(at, MAP_FAILED);
        close(fd);
        expect(0, 0); /* the mapping keeps the file */
        return at;
}

static void unmap_it(int fd)
{
        munmap(map(fd, PROT_READ | PROT_WRITE), SIZE);
}

static void unmap_read_only(int fd)
{
        munmap(map(fd, PROT_READ), SIZE);
}

static void end_child(int fd)
{
        pid_t child = fork();

        assert_true(child >= 0);
        if (!child) {
                pause();
                _exit(0);
        }
        close(fd);
        expect(0, 0); /* the child has it */
        kill(child, SIGKILL);
        assert_int_equal(waitpid(child, NULL, 0), child);
}

static const struct {
        const char *name;
        void (*let_go)(int fd);
} ways[] = {
        { "a descriptor is closed", close_it },
        { "a mapping goes", unmap_it },
        { "a read-only mapping goes", unmap_read_only },
        { "a child ends", end_child },
};

static void test_closings_tells_of_whoever_lets_go(void **state)
{
        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(ways); i++) {
                int fd = open_frame(0);

                print_message("%s\n", ways[i].name);
                assert_true(closings_watch(&closings, &jobs[0]));
                assert_true(closings_watch(&closings, &jobs[1]));
                ways[i].let_go(fd);
                expect(1, 0);
                expect(0, 0);
        }
}

static void test_closings_does_not_tell_of_our_own(void **state)
{
        (void)state;
        assert_true(closings_watch(&closings, &jobs[0]));
        closings_pause(&closings, &jobs[0]);
        close(open_frame(0));
        expect(0, 0);
        assert_true(closings_watch(&closings, &jobs[0]));
        close(open_frame(0));
        expect(1, 0);
}

static void test_closings_forgets(void **state)
{
        (void)state;
        assert_true(closings_watch(&closings, &jobs[0]));
        close(open_frame(0));
        closings_forget(&closings, &jobs[0]);
        expect(0, 0); /* what was not heard in time is nobody's */
        closings_forget(&closings, &jobs[0]);
        assert_true(closings_watch(&closings, &jobs[0]));
        close(open_frame(0));
        expect(1, 0);
}

/* A watch does not outlive the file, and its number is nobody else's afterwards. */
static void test_closings_end_with_the_file(void **state)
{
        (void)state;
        assert_true(closings_watch(&closings, &jobs[0]));
        close(STEAL_FD(jobs[0].leave.frame.memfd));
        closings_hear(&closings, note, NULL); /* some kernels tell of this one, and some do not */
        closings_forget(&closings, &jobs[0]);
        assert_true(closings_watch(&closings, &jobs[1]));
        close(open_frame(1));
        expect(0, 1);
}

static void test_closings_do_without_inotify(void **state)
{
        int fd = closings.fd;

        (void)state;
        closings.fd = -1;
        assert_false(closings_watch(&closings, &jobs[0]));
        closings_pause(&closings, &jobs[0]);
        expect(0, 0);
        closings_forget(&closings, &jobs[0]);
        closings.fd = fd;
}

/* How many events the kernel keeps; 0: it does not say. */
static unsigned queue_room(void)
{
        FILE *file = fopen("/proc/sys/fs/inotify/max_queued_events", "re");
        char text[32] = "";

        if (file && !fgets(text, sizeof(text), file))
                text[0] = '\0';
        if (file)
                fclose(file);
        return (unsigned)strtoul(text, NULL, 10);
}

/* Where the kernel has lost some, whoever waits is heard: it may have been his. */
static void test_closings_loses_none_in_a_flood(void **state)
{
        const unsigned room = queue_room();
        char path[32];

        (void)state;
        if (!room || room > 1000000)
                skip();
        assert_true(closings_watch(&closings, &jobs[0]));
        assert_true(closings_watch(&closings, &jobs[1]));
        snprintf(path, sizeof(path), "/proc/self/fd/%d", jobs[0].leave.frame.memfd);
        /* By turns, or the kernel would tell of them once. */
        for (unsigned i = 0; i <= room; i++)
                close(open(path, (i & 1 ? O_RDONLY : O_RDWR) | O_CLOEXEC));
        close(open_frame(1));
        expect(1, 1);
        expect(0, 0);
        close(open_frame(1));
        expect(0, 1);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, begin, end)

int main(void)
{
        const struct CMUnitTest tests[] = {
                TEST(test_closings_tells_of_whoever_lets_go),
                TEST(test_closings_does_not_tell_of_our_own),
                TEST(test_closings_forgets),
                TEST(test_closings_end_with_the_file),
                TEST(test_closings_do_without_inotify),
                TEST(test_closings_loses_none_in_a_flood),
        };

        return cmocka_run_group_tests_name("closings", tests, NULL, NULL);
}
