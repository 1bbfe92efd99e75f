/* SPDX-License-Identifier: MIT */
/*
 * par_buffer_export_dmabuf() against a daemon in a thread, honest and not.
 */
#include "public.h"

#include "descriptors.h"
#include "macros.h"
#include "mock_server.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define PAGE (64 * KiB)

/* A session with a buffer in two frames. */
struct setup {
        struct mock *mock;
        struct par *par;
        struct par_buffer *buffer;
};

static void begin(struct setup *setup, const struct mock_settings *settings)
{
        setup->mock = mock_start(settings);
        assert_int_equal(par_connect(setup->mock->path, NULL, &setup->par), 0);
        assert_int_equal(par_alloc(setup->par, PAGE + 4096, NULL, NULL, &setup->buffer), 0);
}

static void end(struct setup *setup)
{
        par_disconnect(setup->par);
        mock_stop(setup->mock);
}

static void test_a_dmabuf_is_the_callers(void **state)
{
        struct setup setup;
        int fd = -7;

        (void)state;
        begin(&setup, NULL);
        assert_int_equal(par_buffer_export_dmabuf(setup.buffer, &fd), 0);
        assert_true(fd >= 0);
        assert_int_equal(lseek(fd, 0, SEEK_END), par_buffer_size(setup.buffer));
        assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
        end(&setup);
        /* It outlives buffer and session. */
        assert_int_equal(lseek(fd, 0, SEEK_CUR), PAGE + 4096);
        close(fd);
}

static void test_what_makes_no_sense_is_refused(void **state)
{
        struct setup setup;
        int fd = -7;

        (void)state;
        begin(&setup, NULL);
        assert_int_equal(par_buffer_export_dmabuf(NULL, &fd), -EINVAL);
        assert_int_equal(fd, -1);
        assert_int_equal(par_buffer_export_dmabuf(setup.buffer, NULL), -EINVAL);
        assert_true(par_error(setup.par)[0]);
        end(&setup);
}

static void test_a_child_exports_nothing(void **state)
{
        struct setup setup;
        int status;
        pid_t pid;

        (void)state;
        begin(&setup, NULL);
        (void)mock_counts(setup.mock); /* it is done with the last request: the child has a copy */
        pid = fork();
        assert_true(pid >= 0);
        if (!pid) {
                int fd = -7, r = par_buffer_export_dmabuf(setup.buffer, &fd);

                _exit(r == -ECHILD && fd == -1 ? 0 : 1);
        }
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_int_equal(status, 0);
        end(&setup);
}

static void test_a_revoked_buffer_is_gone(void **state)
{
        struct setup setup;
        int fd = -7;

        (void)state;
        begin(&setup, NULL);
        mock_revoke(setup.mock, false);
        assert_int_equal(par_buffer_export_dmabuf(setup.buffer, &fd), -PAR_GONE);
        assert_int_equal(fd, -1);
        end(&setup);
}

/* Its frame may be kept for the next buffer, but not with somebody else in it. */
static void test_the_frames_of_an_exported_buffer_are_not_kept(void **state)
{
        const struct mock_settings keeping = { .keep = true };
        struct setup setup;
        int fd;

        (void)state;
        for (int exported = 0; exported < 2; exported++) {
                begin(&setup, &keeping);
                if (exported) {
                        assert_int_equal(par_buffer_export_dmabuf(setup.buffer, &fd), 0);
                        close(fd);
                }
                par_free(setup.buffer);
                assert_int_equal(mock_counts(setup.mock).shown, exported ? 0 : 2);
                end(&setup);
        }
}

/* ---- lies ----------------------------------------------------------------------------------- */

static bool is_export(const struct mock_reply *reply)
{
        return reply->packet->reply->body_case == WIRE__REPLY__BODY_EXPORT_DMABUF;
}

static void lie_none(struct mock *mock, struct mock_reply *reply)
{
        (void)mock;
        if (is_export(reply))
                reply->count = 0;
}

static void lie_two(struct mock *mock, struct mock_reply *reply)
{
        (void)mock;
        if (is_export(reply)) {
                reply->descriptors[1] = reply->descriptors[0];
                reply->count = 2;
        }
}

static void lie_size(struct mock *mock, struct mock_reply *reply)
{
        (void)mock;
        if (is_export(reply))
                reply->packet->reply->export_dmabuf->size += 4096;
}

static void lie_file(struct mock *mock, struct mock_reply *reply)
{
        (void)mock;
        if (is_export(reply))
                assert_int_equal(ftruncate(reply->descriptors[0], PAGE + 8192), 0);
}

static void lie_body(struct mock *mock, struct mock_reply *reply)
{
        (void)mock;
        if (is_export(reply)) {
                reply->packet->reply->body_case = WIRE__REPLY__BODY__NOT_SET;
                reply->count = 0;
        }
}

static const struct {
        const char *name;
        void (*spoil)(struct mock *mock, struct mock_reply *reply);
        bool ends; /* the session */
} lies[] = {
        { "no descriptor", lie_none, true },   { "one too many", lie_two, true },
        { "of another size", lie_size, true }, { "a file of another size", lie_file, false },
        { "another body", lie_body, true },
};

static void test_lies_leave_nothing_behind(void **state)
{
        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(lies); i++) {
                const struct mock_settings settings = { .spoil = lies[i].spoil };
                const unsigned before = descriptors_open();
                struct setup setup;
                int fd = -7, again;

                begin(&setup, &settings);
                if (par_buffer_export_dmabuf(setup.buffer, &fd) != -EPROTO || fd != -1)
                        fail_msg("%s: it was believed", lies[i].name);
                again = par_buffer_export_dmabuf(setup.buffer, &fd);
                if (again != (lies[i].ends ? -PAR_GONE : -EPROTO))
                        fail_msg("%s: then %d", lies[i].name, again);
                end(&setup);
                assert_int_equal(descriptors_open(), before);
        }
}

/* ---- buffers that come so ------------------------------------------------------------------- */

/* Mapped at one place, congruent with their physical addresses, and gone without a trace. */
static void test_a_handed_out_dmabuf_is_the_buffer(void **state)
{
        static const size_t sizes[] = { 4096, PAGE, PAGE + 4096, 5 * PAGE };
        const struct mock_settings settings = { .handout_dmabuf = true, .pieces_per_packet = 2 };
        const unsigned before = descriptors_open();
        struct setup setup;

        (void)state;
        begin(&setup, &settings);
        for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
                const struct par_segment *runs;
                struct par_buffer *buffer;
                char *data;
                int fd;

                assert_int_equal(par_alloc(setup.par, sizes[i], NULL, NULL, &buffer), 0);
                data = par_buffer_data(buffer);
                assert_true(par_buffer_runs(buffer, &runs) > 0);
                assert_int_equal((uintptr_t)data % PAGE, runs[0].phys % PAGE);
                memset(data, 0x5a, sizes[i]);
                assert_int_equal(data[sizes[i] - 1], 0x5a);
                assert_int_equal(par_buffer_export_dmabuf(buffer, &fd), 0);
                close(fd);
                assert_int_equal(mock_counts(setup.mock).shown, 0);
                par_free(buffer);
        }
        end(&setup);
        assert_int_equal(descriptors_open(), before);
}

/* How many of the mock's dma-bufs are mapped here. */
static unsigned dmabufs_mapped(void)
{
        FILE *maps = fopen("/proc/self/maps", "re");
        unsigned n = 0;
        char line[512];

        assert_non_null(maps);
        while (fgets(line, sizeof(line), maps))
                n += strstr(line, "mock dma-buf") != NULL;
        fclose(maps);
        return n;
}

static void test_a_handed_out_dmabuf_is_unmapped(void **state)
{
        const struct mock_settings settings = { .handout_dmabuf = true };
        struct setup setup;

        (void)state;
        for (int freed = 0; freed < 2; freed++) {
                begin(&setup, &settings);
                assert_int_equal(dmabufs_mapped(), 1);
                if (freed) {
                        par_free(setup.buffer);
                        assert_int_equal(dmabufs_mapped(), 0);
                }
                end(&setup);
                assert_int_equal(dmabufs_mapped(), 0);
        }
}

static void test_a_child_has_a_dmabuf_where_that_was_asked_for(void **state)
{
        const struct mock_settings settings = { .handout_dmabuf = true };
        struct par_alloc_options keep = { .flags = PAR_ALLOC_KEEP_ON_FORK };
        struct par_buffer *kept;
        struct setup setup;
        int status;
        pid_t pid;

        (void)state;
        begin(&setup, &settings);
        assert_int_equal(par_alloc(setup.par, PAGE, NULL, &keep, &kept), 0);
        memset(par_buffer_data(kept), 7, PAGE);
        (void)mock_counts(setup.mock); /* it is done with the last request: the child has a copy */
        pid = fork();
        assert_true(pid >= 0);
        if (!pid) {
                const char *there = par_buffer_data(kept);
                bool right = there[PAGE - 1] == 7 && dmabufs_mapped() == 1;

                par_disconnect(setup.par);
                right &= dmabufs_mapped() == 0;
                _exit(right ? 0 : 1);
        }
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_int_equal(status, 0);
        end(&setup);
}

static bool is_grant(const struct mock_reply *reply)
{
        return reply->packet->reply->body_case == WIRE__REPLY__BODY_ALLOC;
}

static void lie_handout_none(struct mock *mock, struct mock_reply *reply)
{
        (void)mock;
        if (is_grant(reply))
                reply->count = 0;
}

static void lie_handout_two(struct mock *mock, struct mock_reply *reply)
{
        (void)mock;
        if (is_grant(reply)) {
                reply->descriptors[1] = reply->descriptors[0];
                reply->count = 2;
        }
}

static void lie_handout_frame(struct mock *mock, struct mock_reply *reply)
{
        lie_handout_two(mock, reply);
        if (is_grant(reply))
                reply->packet->reply->alloc->extents->pieces[0]->has_fd = true;
}

static void lie_handout_short(struct mock *mock, struct mock_reply *reply)
{
        (void)mock;
        if (is_grant(reply))
                assert_int_equal(ftruncate(reply->descriptors[0], 4096), 0);
}

static void lie_handout_long(struct mock *mock, struct mock_reply *reply)
{
        (void)mock;
        if (is_grant(reply))
                assert_int_equal(ftruncate(reply->descriptors[0], 8 * PAGE), 0);
}

static const struct {
        const char *name;
        void (*spoil)(struct mock *mock, struct mock_reply *reply);
} handout_lies[] = {
        { "no descriptor", lie_handout_none },    { "two", lie_handout_two },
        { "a frame as well", lie_handout_frame }, { "too short", lie_handout_short },
        { "too long", lie_handout_long },
};

static void test_handout_lies_leave_nothing_behind(void **state)
{
        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(handout_lies); i++) {
                const struct mock_settings settings = { .handout_dmabuf = true,
                                                        .spoil = handout_lies[i].spoil };
                const unsigned before = descriptors_open();
                struct mock *mock = mock_start(&settings);
                struct par_buffer *buffer;
                struct par *par;
                int r;

                assert_int_equal(par_connect(mock->path, NULL, &par), 0);
                r = par_alloc(par, PAGE + 4096, NULL, NULL, &buffer);
                if (r != -EPROTO)
                        fail_msg("%s: %d", handout_lies[i].name, r);
                par_disconnect(par);
                mock_stop(mock);
                assert_int_equal(descriptors_open(), before);
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_a_dmabuf_is_the_callers),
                cmocka_unit_test(test_what_makes_no_sense_is_refused),
                cmocka_unit_test(test_a_child_exports_nothing),
                cmocka_unit_test(test_a_revoked_buffer_is_gone),
                cmocka_unit_test(test_the_frames_of_an_exported_buffer_are_not_kept),
                cmocka_unit_test(test_lies_leave_nothing_behind),
                cmocka_unit_test(test_a_handed_out_dmabuf_is_the_buffer),
                cmocka_unit_test(test_a_handed_out_dmabuf_is_unmapped),
                cmocka_unit_test(test_a_child_has_a_dmabuf_where_that_was_asked_for),
                cmocka_unit_test(test_handout_lies_leave_nothing_behind),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
