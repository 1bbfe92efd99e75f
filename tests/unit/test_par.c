/* SPDX-License-Identifier: MIT */
/* Every public function of libpar, against a daemon in a thread. */
#include "public.h"

#include "descriptors.h"
#include "in_child.h"
#include "macros.h"
#include "mapped.h"
#include "mock_server.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <syslog.h>
#include <unistd.h>

#include <cmocka.h>

#define PAGE        (64 * KiB)
#define PATIENCE_MS 30000

static struct par *connect_to(struct mock *mock)
{
        struct par_connect_options options = { .client_name = "me" };
        struct par *par;

        assert_int_equal(par_connect(mock->path, &options, &par), 0);
        return par;
}

static struct par_buffer *get(struct par *par, size_t size)
{
        struct par_buffer *buffer;

        if (par_alloc(par, size, NULL, NULL, &buffer))
                fail_msg("%zu bytes: %s", size, par_error(par));
        return buffer;
}

static bool is_zero(const struct par_buffer *buffer)
{
        const char *data = par_buffer_data(buffer);
        size_t size = par_buffer_size(buffer);

        return !*data && !memcmp(data, data + 1, size - 1);
}

/* ---- arguments ------------------------------------------------------------------------------ */

static void test_par_takes_nothing_for_an_answer(void **state)
{
        struct par_buffer *buffer = (void *)1;
        struct par_device *device = (void *)1;
        const struct par_segment *segments = (void *)1;
        struct par_event event;
        uint64_t n = 1;

        (void)state;
        assert_int_equal(par_connect(NULL, NULL, NULL), -EINVAL);
        par_disconnect(NULL);
        par_free(NULL);
        par_device_close(NULL);
        assert_int_equal(par_alloc(NULL, 1, NULL, NULL, &buffer), -EINVAL);
        assert_null(buffer);
        assert_int_equal(par_device_open(NULL, "x", &device), -EINVAL);
        assert_null(device);
        assert_int_equal(par_device_attach_vfio(NULL, 0), -EINVAL);
        assert_null(par_buffer_data(NULL));
        assert_int_equal(par_buffer_size(NULL), 0);
        assert_int_equal(par_buffer_dma(NULL), 0);
        assert_int_equal(par_buffer_page_size(NULL), 0);
        assert_int_equal(par_buffer_id(NULL), 0);
        assert_string_equal(par_buffer_pool(NULL), "");
        assert_int_equal(par_buffer_id(NULL), 0);
        assert_string_equal(par_buffer_pool(NULL), "");
        assert_int_equal(par_buffer_segments(NULL, &segments), 0);
        assert_null(segments);
        assert_int_equal(par_buffer_runs(NULL, NULL), 0);
        assert_int_equal(par_buffer_pages(NULL, 0, 4096, &n, 1), -EINVAL);
        assert_int_equal(par_dma_address(NULL, NULL, &n, NULL), -EINVAL);
        assert_int_equal(n, 0);
        assert_int_equal(par_fd(NULL), -EINVAL);
        assert_int_equal(par_next_event(NULL, &event), -EINVAL);
        assert_int_equal(event.type, PAR_EVENT_NONE);
        assert_int_equal(par_reclaim(NULL, NULL, &n), -EINVAL);
        assert_string_not_equal(par_error(NULL), "");
}

static void test_par_connect_says_why_not(void **state)
{
        struct par_connect_options options = { .flags = 2 };
        struct mock *mock = mock_start(NULL);
        size_t descriptors = descriptors_open();
        char path[200], name[65];
        struct par *par;

        (void)state;
        assert_int_equal(par_connect("/nonexistent/sock", NULL, &par), -ENOENT);
        assert_null(par);
        memset(path, 'x', sizeof(path) - 1);
        path[sizeof(path) - 1] = '\0';
        assert_int_equal(par_connect(path, NULL, &par), -EINVAL);
        assert_int_equal(par_connect("", NULL, &par), -EINVAL);
        assert_int_equal(par_connect(mock->path, &options, &par), -EINVAL);
        options = (struct par_connect_options){ .reserved = { 0, 0, 0, 1 } };
        assert_int_equal(par_connect(mock->path, &options, &par), -EINVAL);
        memset(name, 'x', 64);
        name[64] = '\0';
        options = (struct par_connect_options){ .client_name = name };
        assert_int_equal(par_connect(mock->path, &options, &par), -EINVAL);
        options.client_name = "future";
        assert_int_equal(par_connect(mock->path, &options, &par), -EPROTO);
        for (int i = 0; i < PATIENCE_MS && descriptors_open() != descriptors; i++)
                usleep(1000); /* the daemon's end is in this process, too */
        assert_int_equal(descriptors_open(), descriptors);

        name[63] = '\0';
        options.client_name = name;
        setenv("PAR_SOCKET", mock->path, 1);
        assert_int_equal(par_connect(NULL, &options, &par), 0);
        unsetenv("PAR_SOCKET");
        par_disconnect(par);
        mock_stop(mock);
}

/* What is in the environment is not always meant, and a program may be called anything. */
static void test_par_connects_whatever_the_program_is_called(void **state)
{
        static char latin1[] = "pr\xf6gramm", long_name[] =
                                                      "0123456789012345678901234567890123456789"
                                                      "0123456789012345678901\xc3\xb6";
        char *const before = program_invocation_short_name;
        struct mock *mock = mock_start(NULL);
        struct par *par;

        (void)state;
        program_invocation_short_name = latin1;
        assert_int_equal(par_connect(mock->path, NULL, &par), 0);
        assert_string_equal(mock_client_name(mock), "pr?gramm");
        par_disconnect(par);
        program_invocation_short_name = long_name;
        assert_int_equal(par_connect(mock->path, NULL, &par), 0);
        assert_int_equal(strlen(mock_client_name(mock)), 62);
        par_disconnect(par);
        program_invocation_short_name = before;

        setenv("PAR_SOCKET", "", 1); /* the same as none: there is no daemon at the default path */
        assert_int_not_equal(par_connect(NULL, NULL, &par), -EINVAL);
        par_disconnect(par);
        unsetenv("PAR_SOCKET");
        mock_stop(mock);
}

static void test_par_names_are_utf8(void **state)
{
        struct par_alloc_options options = { .label = "bad\xff" };
        struct par_connect_options who = { .client_name = "bad\xff" };
        struct mock *mock = mock_start(NULL);
        struct par_buffer *buffer;
        struct par *par;
        uint64_t bytes;

        (void)state;
        assert_int_equal(par_connect(mock->path, &who, &par), -EINVAL);
        assert_string_equal(par_error(NULL), "client name: it is not UTF-8");
        par = connect_to(mock);
        assert_int_equal(par_alloc(par, 4096, NULL, &options, &buffer), -EINVAL);
        assert_string_equal(par_error(par), "label: it is not UTF-8");
        assert_int_equal(par_reclaim(par, "bad\xff", &bytes), -EINVAL);
        par_disconnect(par);
        mock_stop(mock);
}

/* So that cleaning up after a failed system call does not hide why it failed. */
static void test_par_cleaning_up_keeps_errno(void **state)
{
        struct mock *mock = mock_start(NULL);
        struct par *par = connect_to(mock);
        struct par_device *device;
        struct par_buffer *buffer = get(par, 3 * PAGE);

        (void)state;
        assert_int_equal(par_device_open(par, "capture0", &device), 0);
        mock_hang_up(mock);
        errno = 77;
        par_free(buffer);
        assert_int_equal(errno, 77);
        par_device_close(device);
        assert_int_equal(errno, 77);
        par_disconnect(par);
        assert_int_equal(errno, 77);
        mock_stop(mock);
}

static void test_par_alloc_refuses_what_the_wire_cannot_carry(void **state)
{
        struct mock *mock = mock_start(NULL);
        struct par *par = connect_to(mock), *other;
        struct mock *other_mock = mock_start(NULL);
        struct par_constraint want = { .flags = 1 };
        struct par_alloc_options options = { .flags = 16 };
        struct par_device *device;
        struct par_refusal_info figures;
        struct par_buffer *buffer;
        char label[65];

        (void)state;
        assert_int_equal(par_alloc(par, 1, NULL, NULL, NULL), -EINVAL);
        assert_int_equal(par_alloc(par, 1, &want, NULL, &buffer), -EINVAL);
        want = (struct par_constraint){ .reserved = { 0, 0, 0, 0, 1 } };
        assert_int_equal(par_alloc(par, 1, &want, NULL, &buffer), -EINVAL);
        assert_int_equal(par_alloc(par, 1, NULL, &options, &buffer), -EINVAL);
        options = (struct par_alloc_options){ .reserved = { 0, 0, 1 } };
        assert_int_equal(par_alloc(par, 1, NULL, &options, &buffer), -EINVAL);
        memset(label, 'x', 64);
        label[64] = '\0';
        options = (struct par_alloc_options){ .name = label };
        assert_int_equal(par_alloc(par, 1, NULL, &options, &buffer), -EINVAL);
        options = (struct par_alloc_options){ .label = label };
        assert_int_equal(par_alloc(par, 1, NULL, &options, &buffer), -EINVAL);
        other = connect_to(other_mock);
        assert_int_equal(par_device_open(other, "capture0", &device), 0);
        options = (struct par_alloc_options){ .device = device };
        assert_int_equal(par_alloc(par, 1, NULL, &options, &buffer), -EINVAL);
        assert_null(buffer);

        /* What the daemon refuses, in its words. */
        assert_int_equal(par_alloc(par, 0, NULL, NULL, &buffer), -PAR_INVALID);
        assert_string_equal(par_error(par), "size is 0");
        assert_int_equal(par_alloc(par, SIZE_MAX, NULL, NULL, &buffer), -PAR_NEVER_FITS);
        assert_string_equal(par_error(par), "more than there is");
        assert_int_equal(par_last_refusal(par, &figures), 0);
        assert_int_equal(figures.result, -PAR_NEVER_FITS);
        assert_int_equal(figures.permanent, 1);
        assert_string_equal(figures.limit, "size");
        assert_string_equal(figures.limit_set_by, "the mock");
        assert_true(figures.size == 1 && figures.free_in_window == 2 && figures.largest_run == 3);
        options = (struct par_alloc_options){ .pool = "errno" };
        assert_int_equal(par_alloc(par, 1, NULL, &options, &buffer), -ENOMEM);
        assert_string_equal(par_error(par), par_strerror(ENOMEM));
        assert_null(buffer);
        par_disconnect(other);
        par_disconnect(par);
        mock_stop(other_mock);
        mock_stop(mock);
}

static void test_par_device_is_a_name(void **state)
{
        struct mock *mock = mock_start(NULL);
        struct par *par = connect_to(mock);
        struct par_alloc_options options = { .label = "with a device" };
        struct par_device *device, *left_open;
        struct par_buffer *buffer;

        (void)state;
        assert_int_equal(par_device_open(par, NULL, &device), -EINVAL);
        assert_int_equal(par_device_open(par, "capture0", NULL), -EINVAL);
        assert_int_equal(par_device_open(par, "nothing", &device), -PAR_INVALID);
        assert_null(device);
        assert_int_equal(par_device_open(par, "0000:01:00.0", &device), 0);
        assert_int_equal(par_device_open(par, "capture0", &left_open), 0);
        assert_int_equal(par_device_attach_vfio(device, par_fd(par)), -EINVAL);
        assert_int_equal(par_device_attach_vfio(device, -1), -EINVAL);
        options.device = device;
        assert_int_equal(par_alloc(par, 1, NULL, &options, &buffer), 0);
        par_device_close(device);
        par_free(buffer);
        par_disconnect(par);
        mock_stop(mock);
}

static void test_par_reclaim_tells_the_bytes(void **state)
{
        struct mock *mock = mock_start(NULL);
        struct par *par = connect_to(mock);
        uint64_t bytes = 1;
        char name[65];

        (void)state;
        assert_int_equal(par_reclaim(par, "me", &bytes), 0);
        assert_int_equal(bytes, MiB);
        assert_int_equal(par_reclaim(par, NULL, &bytes), 0);
        assert_int_equal(bytes, 0);
        assert_int_equal(par_reclaim(par, "me", NULL), 0);
        memset(name, 'x', 64);
        name[64] = '\0';
        assert_int_equal(par_reclaim(par, name, &bytes), -EINVAL);
        par_disconnect(par);
        mock_stop(mock);
}

/* ---- buffers -------------------------------------------------------------------------------- */

static void check_books(struct mock *mock, size_t buffers)
{
        struct mock_counts counts = mock_counts(mock);

        assert_int_equal(counts.buffers, buffers);
        assert_int_equal(counts.still_mapped, 0);
}

static void test_par_buffers_share_a_frame(void **state)
{
        struct mock *mock = mock_start(NULL);
        struct par *par = connect_to(mock);
        size_t descriptors = descriptors_open();
        struct par_buffer *a = get(par, 1), *b = get(par, 8192), *c;
        char *at = par_buffer_data(a);

        (void)state;
        assert_int_equal(par_buffer_size(a), 4096);
        assert_int_equal(par_buffer_page_size(a), PAGE);
        assert_true(par_buffer_id(a) && par_buffer_id(a) != par_buffer_id(b));
        assert_string_equal(par_buffer_pool(a), "mock");
        assert_true(par_buffer_id(a) > 0);
        assert_string_equal(par_buffer_pool(a), "mock");
        assert_int_equal((uintptr_t)at % PAGE, par_buffer_dma(a) % PAGE);
        assert_ptr_equal(par_buffer_data(b), at + 4096);
        assert_int_equal(par_buffer_dma(b), par_buffer_dma(a) + 4096);
        assert_true(is_zero(a));
        memset(at, 1, 4096);
        memset(at + 4096, 2, 8192);
        par_free(a);
        assert_true(is_mapped(at + 4096));
        c = get(par, 4096); /* where a was, which is zeroed again */
        assert_ptr_equal(par_buffer_data(c), at);
        assert_true(is_zero(c));
        assert_int_equal(at[4096], 2);
        par_free(b);
        par_free(c);
        assert_false(is_mapped(at));
        check_books(mock, 0);
        assert_int_equal(mock_counts(mock).frames, 0);
        assert_int_equal(descriptors_open(), descriptors);
        par_disconnect(par);
        mock_stop(mock);
}

/* The next pages that are looked at have failed, so many of them; and all frames are hugepages. */
static unsigned failing;

int __real_madvise(void *at, size_t bytes, int advice);
int __wrap_madvise(void *at, size_t bytes, int advice);
int __wrap_madvise(void *at, size_t bytes, int advice)
{
        if (advice == MADV_POPULATE_READ && failing) {
                failing--;
                errno = EHWPOISON;
                return -1;
        }
        return __real_madvise(at, bytes, advice);
}

int __real_fstat(int fd, struct stat *ret);
int __wrap_fstat(int fd, struct stat *ret);
int __wrap_fstat(int fd, struct stat *ret)
{
        int r = __real_fstat(fd, ret);

        ret->st_blksize = (blksize_t)ret->st_size;
        return r;
}

static void test_par_memory_that_failed_is_given_back(void **state)
{
        struct mock *mock = mock_start(&(struct mock_settings){ .keep = true });
        struct par *par = connect_to(mock);
        struct par_buffer *a, *b;

        (void)state;
        failing = 1;
        a = get(par, PAGE);
        assert_int_equal(failing, 0);
        assert_int_equal(mock_counts(mock).frees, 1);
        assert_int_equal(mock_counts(mock).buffers, 1);
        assert_int_equal(mock_counts(mock).shown, 1);

        /* Kept from before, where zeroing it would be the end. */
        par_free(a);
        failing = 1;
        a = get(par, PAGE);
        assert_true(is_zero(a));
        assert_int_equal(mock_counts(mock).frees, 3);
        assert_int_equal(mock_counts(mock).shown, 1);

        failing = 2; /* tries */
        b = get(par, 3 * PAGE);
        assert_int_equal(mock_counts(mock).frees, 5);
        assert_int_equal(mock_counts(mock).buffers, 2);
        par_free(a);
        par_free(b);
        par_disconnect(par);
        assert_int_equal(mock_counts(mock).still_mapped, 0);
        mock_stop(mock);
}

static void test_par_all_memory_has_failed(void **state)
{
        struct mock *mock = mock_start(NULL);
        struct par *par = connect_to(mock);
        struct par_buffer *buffer;

        (void)state;
        failing = UINT_MAX;
        assert_int_equal(par_alloc(par, PAGE, NULL, NULL, &buffer), -EHWPOISON);
        failing = 0;
        assert_null(buffer);
        assert_non_null(strstr(par_error(par), "has failed"));
        assert_int_equal(mock_counts(mock).buffers, 0);
        assert_int_equal(mock_counts(mock).shown, 0);
        buffer = get(par, PAGE);
        par_free(buffer);
        par_disconnect(par);
        mock_stop(mock);
}

static void test_par_uninitialized_is_not_zeroed(void **state)
{
        struct mock_settings settings = { .keep = true };
        struct mock *mock = mock_start(&settings);
        struct par *par = connect_to(mock);
        struct par_alloc_options options = { .flags = PAR_ALLOC_UNINITIALIZED };
        struct par_buffer *buffer = get(par, 3 * PAGE);

        (void)state;
        memset(par_buffer_data(buffer), 7, 3 * PAGE);
        par_free(buffer);
        assert_int_equal(par_alloc(par, 3 * PAGE, NULL, &options, &buffer), 0);
        assert_int_equal(*(char *)par_buffer_data(buffer), 7);
        par_free(buffer);
        buffer = get(par, 3 * PAGE);
        assert_true(is_zero(buffer));
        par_disconnect(par); /* frees it */
        mock_stop(mock);
}

/* A buffer of many frames: contiguous, described in several packets, its tail shared. */
static void check_span(bool keep, size_t pieces_per_packet)
{
        struct mock_settings settings = { .keep = keep, .pieces_per_packet = pieces_per_packet };
        struct mock *mock = mock_start(&settings);
        struct par *par = connect_to(mock);
        struct par_buffer *first = get(par, 4096), *span, *tail, *other;
        const struct par_segment *segments, *runs;
        uint64_t end = 0;
        char *data;

        memset(par_buffer_data(first), 9, 4096);
        span = get(par, 10 * PAGE + 4096);
        data = par_buffer_data(span);
        assert_int_equal((uintptr_t)data % PAGE, 0);
        memset(data, 1, 10 * PAGE + 4096);
        assert_int_equal(par_buffer_segments(span, &segments), 11);
        for (size_t i = 0; i < 11; i++) {
                assert_int_equal(segments[i].offset, end);
                end += segments[i].length;
        }
        assert_int_equal(end, par_buffer_size(span));
        assert_int_equal(par_buffer_runs(span, &runs), 1); /* adjacent frames */
        assert_int_equal(runs[0].length, par_buffer_size(span));
        assert_int_equal(runs[0].dma, par_buffer_dma(span));

        tail = get(par, PAGE - 4096); /* fits only behind the span, or into a new frame */
        other = get(par, PAGE - 4096);
        memset(par_buffer_data(tail), 2, PAGE - 4096);
        par_free(span);
        span = get(par, 5 * PAGE); /* of kept frames, moved together */
        assert_true(is_zero(span));
        memset(par_buffer_data(span), 3, 5 * PAGE);
        assert_int_equal(*(char *)par_buffer_data(tail), 2);
        assert_int_equal(*(char *)par_buffer_data(first), 9);
        par_free(first);
        par_free(tail);
        par_free(span);
        par_free(other);
        check_books(mock, 0);
        if (keep) {
                assert_true(mock_counts(mock).shown >= 11);
                mock_send_unneeded(mock);
                span = get(par, 4096); /* reads the notice on the way */
                par_free(span);
                check_books(mock, 0);
                assert_int_equal(mock_counts(mock).shown, 1);
        } else {
                assert_int_equal(mock_counts(mock).shown, 0);
        }
        par_disconnect(par);
        mock_stop(mock);
}

static void test_par_spans_frames(void **state)
{
        (void)state;
        for (size_t pieces = 1; pieces <= 12; pieces++) {
                check_span(false, pieces);
                check_span(true, pieces);
        }
}

static void test_par_pages_and_addresses(void **state)
{
        struct mock *mock = mock_start(NULL);
        struct par *par = connect_to(mock);
        struct par_buffer *small = get(par, 12288), *span = get(par, 3 * PAGE);
        uint64_t pages[64], dma = 1;
        size_t bytes = 1;
        char *data = par_buffer_data(span);

        (void)state;
        assert_int_equal(par_buffer_pages(span, 4096, 4096, pages, 47), 0);
        for (size_t i = 0; i < 47; i++) {
                assert_int_equal(par_dma_address(par, data + (i + 1) * 4096, &dma, &bytes), 0);
                assert_int_equal(pages[i], dma);
                assert_int_equal(bytes, PAGE - (i + 1) * 4096 % PAGE);
        }
        assert_int_equal(par_buffer_pages(span, 0, PAGE, pages, 3), 0);
        assert_int_equal(par_buffer_pages(span, 3 * PAGE, PAGE, NULL, 0), 0);
        pages[0] = 77;
        assert_int_equal(par_buffer_pages(span, 0, 2 * PAGE, pages, 1), -ERANGE);
        assert_int_equal(par_buffer_pages(small, 4096, 8192, pages, 1), -EINVAL);
        assert_string_equal(par_error(par), "offset 4096 is no multiple of the page's 8192 bytes");
        assert_int_equal(par_buffer_pages(span, 0, 4097, pages, 1), -EINVAL);
        assert_string_equal(par_error(par), "a page of 4097 bytes: it takes a power of two");
        assert_int_equal(par_buffer_pages(span, 0, 0, pages, 1), -EINVAL);
        assert_int_equal(par_buffer_pages(span, 0, 4096, NULL, 1), -EINVAL);
        assert_int_equal(par_buffer_pages(span, 0, 4096, pages, 49), -EINVAL);
        assert_string_equal(par_error(par), "49 pages of 4096 bytes from offset 0: the buffer has "
                                            "196608 bytes");
        assert_int_equal(par_buffer_pages(span, 0, 4096, pages, SIZE_MAX / 4096 + 2), -EINVAL);
        assert_int_equal(par_buffer_pages(span, SIZE_MAX - 4095, 4096, pages, 1), -EINVAL);
        assert_int_equal(pages[0], 77);

        assert_int_equal(par_dma_address(par, data + 3 * PAGE - 1, &dma, &bytes), 0);
        assert_int_equal(bytes, 1);
        assert_int_equal(par_dma_address(par, data + 3 * PAGE, &dma, &bytes), -EFAULT);
        assert_int_equal(dma, 0);
        assert_int_equal(bytes, 0);
        assert_int_equal(par_dma_address(par, NULL, &dma, NULL), -EFAULT);
        assert_int_equal(par_dma_address(par, data, NULL, NULL), -EINVAL);
        par_free(span);
        assert_int_equal(par_dma_address(par, data, &dma, NULL), -EFAULT);
        par_disconnect(par);
        mock_stop(mock);
}

/* It keeps descriptor limits to itself: recvmsg() knows nothing of them. */
static bool under_valgrind(void)
{
        const char *preload = getenv("LD_PRELOAD");

        return preload && strstr(preload, "vgpreload");
}

/* ---- descriptors ---------------------------------------------------------------------------- */

static void test_par_at_the_descriptor_limit(void **state)
{
        struct mock *mock = mock_start(NULL);
        struct par *par = connect_to(mock);
        const struct par_alloc_options lasting = { .name = "ring", .flags = PAR_ALLOC_LASTING };
        struct rlimit before, less;
        struct par_buffer *buffer;
        int lowest;

        (void)state;
        if (under_valgrind()) {
                par_disconnect(par);
                mock_stop(mock);
                skip();
        }
        par_free(get(par, 4096));
        mock_prepare(mock, 8);
        assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
        lowest = dup(0);
        close(lowest);
        less = before;
        less.rlim_cur = (rlim_t)lowest + 3;
        assert_int_equal(setrlimit(RLIMIT_NOFILE, &less), 0);
        assert_int_equal(par_alloc(par, 8 * PAGE, NULL, NULL, &buffer), -EMFILE);
        assert_non_null(strstr(par_error(par), "RLIMIT_NOFILE"));
        check_books(mock, 0);
        assert_int_equal(mock_counts(mock).shown, 0);
        /* What nobody has heard of keeps no name, or the next one could not have it. */
        assert_int_equal(par_alloc(par, 8 * PAGE, NULL, &lasting, &buffer), -EMFILE);
        assert_non_null(strstr(par_error(par), "RLIMIT_NOFILE"));
        assert_int_equal(mock_asked(mock).body, WIRE__REQUEST__BODY_REMOVE);
        assert_string_equal(mock_asked(mock).name, "ring");
        assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
        buffer = get(par, 8 * PAGE);
        memset(par_buffer_data(buffer), 1, 8 * PAGE);
        par_disconnect(par);
        mock_stop(mock);
}

/* What a process does that may have 1,024 descriptors. */
static int grant_2048_frames(void *data)
{
        const struct mock *mock = data;
        struct rlimit less = { .rlim_cur = 1024, .rlim_max = 1024 };
        struct par_buffer *buffer;
        struct par *par;

        if (setrlimit(RLIMIT_NOFILE, &less))
                return 1;
        for (int fd = 3; fd < 1024; fd++)
                close(fd); /* those of the parent */
        if (par_connect(mock->path, NULL, &par))
                return 2;
        if (par_alloc(par, 2048 * PAGE, NULL, NULL, &buffer))
                return 3;
        memset(par_buffer_data(buffer), 1, par_buffer_size(buffer));
        par_free(buffer);
        par_disconnect(par);
        return 0;
}

static void test_par_large_grant_needs_few_descriptors(void **state)
{
        struct mock_settings settings = { .pieces_per_packet = PACKET_DESCRIPTORS_MAX };
        struct rlimit more;
        struct mock *mock;

        (void)state;
        assert_int_equal(getrlimit(RLIMIT_NOFILE, &more), 0);
        if (more.rlim_max < 4096 || under_valgrind())
                skip();
        more.rlim_cur = 4096; /* the mock has them all open */
        assert_int_equal(setrlimit(RLIMIT_NOFILE, &more), 0);
        mock = mock_start(&settings);
        assert_int_equal(in_child(grant_2048_frames, mock), 0);
        check_books(mock, 0);
        mock_stop(mock);
}

/* ---- fork ----------------------------------------------------------------------------------- */

struct inherited {
        struct par *par;
        struct par_buffer *plain, *kept;
        struct par_device *device;
};

static int use_as_child(void *data)
{
        const struct inherited *inherited = data;
        struct par *par = inherited->par;
        struct par_buffer *buffer;
        struct par_event event;
        uint64_t n;

        if (is_mapped(par_buffer_data(inherited->plain)))
                return 1;
        if (*(char *)par_buffer_data(inherited->kept) != 5)
                return 2;
        if (par_alloc(par, 4096, NULL, NULL, &buffer) != -ECHILD || !*par_error(par))
                return 3;
        if (par_fd(par) != -ECHILD || par_next_event(par, &event) != -ECHILD)
                return 4;
        if (par_dma_address(par, par, &n, NULL) != -ECHILD || par_reclaim(par, NULL, &n) != -ECHILD)
                return 5;
        par_free(inherited->plain);
        par_device_close(inherited->device);
        par_disconnect(par);
        return 0;
}

static void test_par_fork_leaves_the_child_nothing(void **state)
{
        struct mock *mock = mock_start(NULL);
        struct par *par = connect_to(mock);
        struct par_alloc_options options = { .flags = PAR_ALLOC_KEEP_ON_FORK };
        struct par_buffer *plain = get(par, PAGE), *kept;
        struct inherited inherited;
        struct par_device *device;

        (void)state;
        assert_int_equal(par_device_open(par, "capture0", &device), 0);
        assert_int_equal(par_alloc(par, 2 * PAGE, NULL, &options, &kept), 0);
        memset(par_buffer_data(kept), 5, 2 * PAGE);
        inherited = (struct inherited){ par, plain, kept, device };
        assert_int_equal(in_child(use_as_child, &inherited), 0);

        /* The session does not know of it. */
        check_books(mock, 2);
        memset(par_buffer_data(plain), 1, PAGE);
        par_free(get(par, 4096));
        par_free(kept);
        par_free(plain);
        check_books(mock, 0);
        par_disconnect(par);
        mock_stop(mock);
}

/* ---- threads -------------------------------------------------------------------------------- */

struct worker {
        struct par *par;
        pthread_t thread;
        unsigned seed;
        size_t rounds;
        const char *failed;
};

static void *work(void *data)
{
        struct worker *worker = data;
        struct par_buffer *held[4] = { NULL };
        uint64_t dma;

        for (size_t i = 0; i < worker->rounds && !worker->failed; i++) {
                struct par_buffer **slot = &held[(unsigned)rand_r(&worker->seed) % 4];
                size_t size = 1 + (unsigned)rand_r(&worker->seed) % (4 * PAGE);

                if (*slot) {
                        unsigned char *bytes = par_buffer_data(*slot);

                        if (!bytes[0] || memcmp(bytes, bytes + 1, par_buffer_size(*slot) - 1) != 0)
                                worker->failed = "somebody wrote into it";
                        par_free(*slot);
                        *slot = NULL;
                        continue;
                }
                if (par_alloc(worker->par, size, NULL, NULL, slot)) {
                        worker->failed = par_error(worker->par);
                        break;
                }
                if (!is_zero(*slot))
                        worker->failed = "it is not zero";
                memset(par_buffer_data(*slot), 1 + rand_r(&worker->seed) % 250,
                       par_buffer_size(*slot));
                if (par_dma_address(worker->par, par_buffer_data(*slot), &dma, NULL) ||
                    dma != par_buffer_dma(*slot))
                        worker->failed = "it is not found";
        }
        for (size_t i = 0; i < ARRAY_SIZE(held); i++)
                par_free(held[i]);
        return NULL;
}

static void check_threads(bool keep, size_t pieces_per_packet, uint32_t spin_us)
{
        struct mock_settings settings = { .keep = keep, .pieces_per_packet = pieces_per_packet };
        struct par_connect_options options = { .spin_us = spin_us };
        struct mock *mock = mock_start(&settings);
        struct worker workers[8];
        struct par_event event;
        struct par *par;

        assert_int_equal(par_connect(mock->path, &options, &par), 0);
        for (unsigned i = 0; i < 8; i++) {
                workers[i] = (struct worker){ .par = par, .seed = i, .rounds = 400 };
                assert_int_equal(pthread_create(&workers[i].thread, NULL, work, &workers[i]), 0);
        }
        for (int i = 0; i < 50; i++) {
                mock_send_unneeded(mock);
                (void)!par_next_event(par, &event);
                usleep(1000);
        }
        for (unsigned i = 0; i < 8; i++) {
                pthread_join(workers[i].thread, NULL);
                if (workers[i].failed)
                        fail_msg("thread %u: %s", i, workers[i].failed);
        }
        check_books(mock, 0);
        par_disconnect(par);
        mock_stop(mock);
}

static void test_par_eight_threads(void **state)
{
        (void)state;
        check_threads(false, 200, 0);
        check_threads(true, 200, 0);
        check_threads(false, 2, 0);
        check_threads(true, 1, 0);
        check_threads(true, 200, 20);
}

static int leave_as_child(void *data)
{
        struct par *par = data;
        struct par_buffer *buffer;

        if (par_alloc(par, 4096, NULL, NULL, &buffer) != -ECHILD)
                return 1;
        par_disconnect(par);
        return 0;
}

/* Whatever the other threads hold at that moment, the child never waits for it. */
static void test_par_fork_in_the_middle(void **state)
{
        struct mock *mock = mock_start(NULL);
        struct par *par = connect_to(mock);
        struct worker workers[4];

        (void)state;
        for (unsigned i = 0; i < 4; i++) {
                workers[i] = (struct worker){ .par = par, .seed = i, .rounds = 300 };
                assert_int_equal(pthread_create(&workers[i].thread, NULL, work, &workers[i]), 0);
        }
        for (int i = 0; i < 100; i++)
                assert_int_equal(in_child(leave_as_child, par), 0);
        for (unsigned i = 0; i < 4; i++) {
                pthread_join(workers[i].thread, NULL);
                if (workers[i].failed)
                        fail_msg("thread %u: %s", i, workers[i].failed);
        }
        /* Not what is still mapped: a child that is forked just when a frame arrives has it. */
        assert_int_equal(mock_counts(mock).buffers, 0);
        par_disconnect(par);
        mock_stop(mock);
}

/* ---- waiting and signals -------------------------------------------------------------------- */

struct waiting {
        struct par *par;
        pthread_t thread;
        _Atomic int r; /* 1: not back yet */
        struct par_buffer *buffer;
};

static void on_signal(int signal)
{
        (void)signal;
}

static void *wait_for_memory(void *data)
{
        struct waiting *waiting = data;
        struct par_alloc_options options = { .wait_ms = -1 };

        waiting->r = par_alloc(waiting->par, 3 * PAGE, NULL, &options, &waiting->buffer);
        return NULL;
}

static void start_waiting(struct mock *mock, struct par *par, struct waiting *waiting)
{
        size_t already = mock_counts(mock).waiting;

        waiting->par = par;
        waiting->r = 1;
        waiting->buffer = NULL;
        assert_int_equal(pthread_create(&waiting->thread, NULL, wait_for_memory, waiting), 0);
        while (mock_counts(mock).waiting == already)
                usleep(1000);
        usleep(5000); /* let it fall asleep */
}

/* A signal between two sleeps goes by unseen, so send it until it has been. */
static void interrupt(struct waiting *waiting)
{
        while (waiting->r == 1) {
                pthread_kill(waiting->thread, SIGUSR1);
                usleep(2000);
        }
        pthread_join(waiting->thread, NULL);
        assert_int_equal(waiting->r, -EINTR);
        assert_null(waiting->buffer);
}

static void finish(struct waiting *waiting)
{
        pthread_join(waiting->thread, NULL);
        assert_int_equal(waiting->r, 0);
        par_free(waiting->buffer);
}

static void check_signals(bool grant_cancelled)
{
        struct mock_settings settings = { .hold = true,
                                          .grant_cancelled = grant_cancelled,
                                          .pieces_per_packet = 2 };
        struct sigaction action = { .sa_handler = on_signal, .sa_flags = SA_RESTART };
        struct mock *mock = mock_start(&settings);
        struct par *par = connect_to(mock);
        struct waiting leader, follower, last;
        struct par_event event;

        sigaction(SIGUSR1, &action, NULL);
        start_waiting(mock, par, &leader);
        start_waiting(mock, par, &follower);
        start_waiting(mock, par, &last);
        par_free(get(par, 4096)); /* others are served meanwhile */

        interrupt(&follower);
        interrupt(&leader);
        assert_int_equal(mock_counts(mock).waiting, 1);
        check_books(mock, 0);

        mock_release(mock); /* somebody else reads it, and has to tell who waits */
        while (par_next_event(par, &event) == 0) {
        }
        finish(&last);
        check_books(mock, 0);
        assert_int_equal(mock_counts(mock).shown, 0);
        par_disconnect(par);
        mock_stop(mock);
}

static void test_par_signal_ends_the_waiting(void **state)
{
        (void)state;
        check_signals(false);
        check_signals(true);
}

static void test_par_leader_hands_over(void **state)
{
        struct mock_settings settings = { .hold = true };
        struct mock *mock = mock_start(&settings);
        struct par *par = connect_to(mock);
        struct waiting waiting[6];

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(waiting); i++)
                start_waiting(mock, par, &waiting[i]);
        mock_release(mock);
        for (size_t i = 0; i < ARRAY_SIZE(waiting); i++)
                finish(&waiting[i]);
        par_disconnect(par);
        mock_stop(mock);
}

/* ---- events, and the daemon's death --------------------------------------------------------- */

static bool readable(const struct par *par, int timeout_ms)
{
        struct pollfd fd = { .fd = par_fd(par), .events = POLLIN };

        return poll(&fd, 1, timeout_ms) == 1;
}

static void test_par_events_arrive(void **state)
{
        struct mock *mock = mock_start(NULL);
        struct par *par = connect_to(mock);
        struct par_buffer *buffer = get(par, 2 * PAGE);
        struct par_event event;

        (void)state;
        assert_int_equal(par_next_event(par, NULL), -EINVAL);
        assert_int_equal(par_next_event(par, &event), -EAGAIN);
        assert_false(readable(par, 0));
        mock_send_event(mock, PAR_EVENT_WANTED, false, 0, 0);
        mock_send_event(mock, PAR_EVENT_MOVED, true, 4096, 4096);
        mock_send_event(mock, PAR_EVENT_MOVED, true, 65536, UINT64_MAX);
        mock_send_event(mock, 99, true, 0, 0);
        mock_send_event(mock, 0, true, 0, 0);
        assert_true(readable(par, PATIENCE_MS));
        assert_int_equal(par_next_event(par, &event), 0);
        assert_int_equal(event.type, PAR_EVENT_WANTED);
        assert_null(event.buffer);
        assert_true(readable(par, 0));
        assert_int_equal(par_next_event(par, &event), 0);
        assert_int_equal(event.type, PAR_EVENT_MOVED);
        assert_ptr_equal(event.buffer, buffer);
        assert_int_equal(event.offset, 4096);
        assert_int_equal(event.length, 2 * PAGE - 4096); /* both, cut to the buffer */
        assert_int_equal(par_next_event(par, &event), -EAGAIN);
        assert_int_equal(event.type, PAR_EVENT_NONE);
        assert_false(readable(par, 0));

        /* An event of a freed buffer is dropped. */
        mock_send_event(mock, PAR_EVENT_REVOKED, true, 0, 4096);
        par_free(get(par, 4096));
        assert_true(readable(par, 0));
        par_free(buffer);
        assert_int_equal(par_next_event(par, &event), -EAGAIN);
        par_disconnect(par);
        mock_stop(mock);
}

/* Wait until the daemon has heard of so many dropped frames. */
static void await_drops(struct mock *mock, size_t drops)
{
        for (int i = 0; i < PATIENCE_MS && mock_counts(mock).drops < drops; i++)
                usleep(1000);
        assert_int_equal(mock_counts(mock).drops, drops);
}

static void test_par_revoked_buffer_stays_until_it_is_freed(void **state)
{
        struct mock_settings settings = { .keep = true };
        struct mock *mock = mock_start(&settings);
        struct par *par = connect_to(mock);
        struct par_buffer *stays = get(par, 4096), *gone = get(par, 4096), *later;
        const struct par_segment *segments;
        char *data = par_buffer_data(gone);
        struct par_event event;

        (void)state;
        mock_revoke(mock, true);
        assert_int_equal(par_next_event(par, &event), 0);
        assert_int_equal(event.type, PAR_EVENT_REVOKED);
        assert_ptr_equal(event.buffer, gone);
        assert_int_equal(event.offset, 0);
        assert_int_equal(event.length, 4096);
        assert_int_equal(par_next_event(par, &event), -EAGAIN);

        /* All that it was, it still is, and nobody else is where it is. */
        memset(data, 7, 4096);
        assert_int_equal(par_buffer_segments(gone, &segments), 1);
        later = get(par, 4096);
        memset(par_buffer_data(later), 8, 4096);
        assert_int_equal(data[0], 7);
        assert_true((uintptr_t)par_buffer_data(later) / PAGE != (uintptr_t)data / PAGE);

        par_free(gone);
        assert_true(is_mapped(par_buffer_data(stays)));
        check_books(mock, 2);
        par_free(stays); /* takes the frame along, although others are kept */
        await_drops(mock, 1);
        assert_false(is_mapped(data));
        par_free(later);
        assert_int_equal(mock_counts(mock).frees, 2);
        assert_int_equal(mock_counts(mock).shown, 1);
        check_books(mock, 0);
        par_disconnect(par);
        mock_stop(mock);
}

static void test_par_revoked_large_buffer_says_what_is_unmapped(void **state)
{
        struct mock_settings settings = { .keep = true };
        struct mock *mock = mock_start(&settings);
        struct par *par = connect_to(mock);
        struct par_buffer *buffer = get(par, 5 * PAGE);
        char *data = par_buffer_data(buffer);
        struct par_event event;

        (void)state;
        mock_revoke(mock, true);
        assert_int_equal(par_next_event(par, &event), 0);
        assert_int_equal(event.length, 5 * PAGE);
        assert_int_equal(mock_counts(mock).drops, 0);
        memset(data, 1, 5 * PAGE);
        par_free(buffer);
        assert_false(is_mapped(data));
        await_drops(mock, 5);
        assert_int_equal(mock_counts(mock).frees, 0);
        check_books(mock, 0);
        par_free(get(par, 5 * PAGE));
        par_disconnect(par);
        mock_stop(mock);
}

static void remember_level(void *data, int level, const char *message)
{
        int *worst = data;

        (void)message;
        if (level < *worst)
                *worst = level;
}

/* The daemon's word is on its way, or was lost. */
static void test_par_revoked_buffer_is_freed_unawares(void **state)
{
        int worst = LOG_DEBUG;
        struct par_connect_options options = { .log = remember_level, .log_data = &worst };
        struct par_event event;
        struct par_buffer *buffer;
        struct par *par;

        (void)state;
        for (int told = 0; told < 2; told++) {
                struct mock *mock = mock_start(NULL);
                char before[512];

                assert_int_equal(par_connect(mock->path, &options, &par), 0);
                snprintf(before, sizeof(before), "%s", par_error(par));
                buffer = get(par, 3 * PAGE);
                mock_revoke(mock, told);
                par_free(buffer);
                assert_int_equal(mock_counts(mock).frees, 1);
                assert_int_equal(mock_counts(mock).shown, 0);
                assert_int_equal(par_next_event(par, &event), -EAGAIN);
                assert_string_equal(par_error(par), before);
                assert_true(worst > LOG_WARNING);
                par_free(get(par, 4096));
                check_books(mock, 0);
                par_disconnect(par);
                mock_stop(mock);
        }
}

/* It is told of while par_disconnect() waits for the daemon: what is in the buffer is gone. */
static void test_par_revoked_while_disconnecting(void **state)
{
        struct mock *mock = mock_start(NULL);
        struct par_buffer *buffer;
        struct par *par;

        (void)state;
        assert_int_equal(par_connect(mock->path, NULL, &par), 0);
        assert_int_equal(par_alloc(par, 2 * PAGE, NULL, NULL, &buffer), 0);
        mock_send_event_of(mock, PAR_EVENT_REVOKED, par_buffer_id(buffer));
        par_disconnect(par); /* which reads that first */
        assert_int_equal(mock_counts(mock).buffers, 0);
        mock_stop(mock);
}

static void test_par_revoked_while_it_is_described(void **state)
{
        struct mock_settings settings = { .pieces_per_packet = 2, .revoke_described = 3 };
        struct mock *mock = mock_start(&settings);
        struct par *par = connect_to(mock);
        size_t others = descriptors_open();              /* but for those of the daemon's frames */
        struct par_buffer *buffer = get(par, 10 * PAGE); /* the fourth of them */

        (void)state;
        memset(par_buffer_data(buffer), 1, 10 * PAGE);
        await_drops(mock, 6);
        assert_int_equal(mock_counts(mock).frees, 0);
        assert_int_equal(descriptors_open(), others + mock_counts(mock).frames);
        check_books(mock, 1);
        par_free(buffer);
        check_books(mock, 0);
        par_disconnect(par);
        mock_stop(mock);

        /* Over and over again. */
        settings.revoke_described = 1000;
        mock = mock_start(&settings);
        par = connect_to(mock);
        assert_int_equal(par_alloc(par, 10 * PAGE, NULL, NULL, &buffer), -PAR_BUSY);
        assert_null(buffer);
        check_books(mock, 0);
        par_disconnect(par);
        mock_stop(mock);
}

static void test_par_unneeded_frames_go_without_a_call(void **state)
{
        struct mock_settings settings = { .keep = true };
        struct mock *mock = mock_start(&settings);
        struct par *par = connect_to(mock);
        struct par_event event;

        (void)state;
        par_free(get(par, 5 * PAGE));
        assert_int_equal(mock_counts(mock).shown, 5);
        mock_send_unneeded(mock);
        assert_true(readable(par, PATIENCE_MS));
        assert_int_equal(par_next_event(par, &event), -EAGAIN);
        for (int i = 0; i < PATIENCE_MS && mock_counts(mock).shown; i++)
                usleep(1000);
        assert_int_equal(mock_counts(mock).shown, 0);
        check_books(mock, 0);
        par_disconnect(par);
        mock_stop(mock);
}

static void test_par_outlives_the_daemon(void **state)
{
        struct mock_settings settings = { .hold = true };
        struct mock *mock = mock_start(&settings);
        struct par *par = connect_to(mock);
        struct par_buffer *buffer = get(par, 2 * PAGE), *left = get(par, 4096), *none;
        struct par_device *device;
        struct waiting waiting[2];
        struct par_event event;
        uint64_t bytes;
        char *data = par_buffer_data(buffer);

        (void)state;
        start_waiting(mock, par, &waiting[0]);
        start_waiting(mock, par, &waiting[1]);
        mock_hang_up(mock);
        for (size_t i = 0; i < 2; i++) {
                pthread_join(waiting[i].thread, NULL);
                assert_int_equal(waiting[i].r, -PAR_GONE);
        }
        mock_stop(mock);
        assert_int_equal(par_alloc(par, 1, NULL, NULL, &none), -PAR_GONE);
        assert_non_null(strstr(par_error(par), "gone"));
        assert_int_equal(par_device_open(par, "capture0", &device), -PAR_GONE);
        assert_int_equal(par_reclaim(par, NULL, &bytes), -PAR_GONE);
        assert_true(readable(par, 0));
        assert_int_equal(par_next_event(par, &event), 0);
        assert_int_equal(event.type, PAR_EVENT_LOST);
        assert_int_equal(par_next_event(par, &event), -EAGAIN);
        assert_false(readable(par, 0));

        memset(data, 1, 2 * PAGE);
        par_free(buffer);
        assert_false(is_mapped(data));
        data = par_buffer_data(left);
        par_disconnect(par);
        assert_false(is_mapped(data));
}

static void count_lines(void *data, int level, const char *message)
{
        assert_true(level >= 0 && level <= 7);
        assert_non_null(message);
        (*(size_t *)data)++;
}

static void test_par_logs_through_the_hook(void **state)
{
        struct mock *mock = mock_start(NULL);
        size_t lines = 0;
        struct par_connect_options options = { .log = count_lines, .log_data = &lines };
        struct par *par;
        struct par_buffer *none;

        (void)state;
        assert_int_equal(par_connect(mock->path, &options, &par), 0);
        assert_int_equal(lines, 0);
        mock_hang_up(mock);
        while (par_alloc(par, 1, NULL, NULL, &none) != -PAR_GONE) {
        }
        assert_int_equal(lines, 1);
        par_disconnect(par);
        mock_stop(mock);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_par_takes_nothing_for_an_answer),
                cmocka_unit_test(test_par_connect_says_why_not),
                cmocka_unit_test(test_par_connects_whatever_the_program_is_called),
                cmocka_unit_test(test_par_names_are_utf8),
                cmocka_unit_test(test_par_cleaning_up_keeps_errno),
                cmocka_unit_test(test_par_alloc_refuses_what_the_wire_cannot_carry),
                cmocka_unit_test(test_par_device_is_a_name),
                cmocka_unit_test(test_par_reclaim_tells_the_bytes),
                cmocka_unit_test(test_par_buffers_share_a_frame),
                cmocka_unit_test(test_par_memory_that_failed_is_given_back),
                cmocka_unit_test(test_par_all_memory_has_failed),
                cmocka_unit_test(test_par_uninitialized_is_not_zeroed),
                cmocka_unit_test(test_par_spans_frames),
                cmocka_unit_test(test_par_pages_and_addresses),
                cmocka_unit_test(test_par_at_the_descriptor_limit),
                cmocka_unit_test(test_par_large_grant_needs_few_descriptors),
                cmocka_unit_test(test_par_fork_leaves_the_child_nothing),
                cmocka_unit_test(test_par_eight_threads),
                cmocka_unit_test(test_par_fork_in_the_middle),
                cmocka_unit_test(test_par_signal_ends_the_waiting),
                cmocka_unit_test(test_par_leader_hands_over),
                cmocka_unit_test(test_par_events_arrive),
                cmocka_unit_test(test_par_revoked_buffer_stays_until_it_is_freed),
                cmocka_unit_test(test_par_revoked_large_buffer_says_what_is_unmapped),
                cmocka_unit_test(test_par_revoked_buffer_is_freed_unawares),
                cmocka_unit_test(test_par_revoked_while_disconnecting),
                cmocka_unit_test(test_par_revoked_while_it_is_described),
                cmocka_unit_test(test_par_unneeded_frames_go_without_a_call),
                cmocka_unit_test(test_par_outlives_the_daemon),
                cmocka_unit_test(test_par_logs_through_the_hook),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
