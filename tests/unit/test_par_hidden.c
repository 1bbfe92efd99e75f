/* SPDX-License-Identifier: MIT */
/*
 * Buffers of a pool that hides its addresses: against a daemon in a thread
 * (tests/support/mock_server.c), with and without a container (tests/support/fake_vfio.c).
 */
#include "public.h"

#include "fake_vfio.h"
#include "macros.h"
#include "mock_server.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define PAGE (64 * KiB)

static struct mock *mock;
static struct par *par;

/* What pard says of such a buffer. */
static void hide(struct mock *unused, struct mock_reply *reply)
{
        Wire__Grant *grant;

        (void)unused;
        if (reply->packet->reply->body_case != WIRE__REPLY__BODY_ALLOC)
                return;
        grant = reply->packet->reply->alloc;
        for (size_t i = 0; i < grant->extents->n_pieces; i++)
                grant->extents->pieces[i]->phys = UINT64_MAX;
        grant->segment_count = grant->extents->n_segments = 1;
        grant->extents->segments[0]->dma = UINT64_MAX;
        grant->extents->segments[0]->phys = UINT64_MAX;
        grant->extents->segments[0]->length = grant->size;
}

static void begin(void)
{
        const struct mock_settings settings = { .spoil = hide };

        fake_vfio_init(8);
        mock = mock_start(&settings);
        assert_int_equal(par_connect(mock->path, NULL, &par), 0);
}

static void end(void)
{
        par_disconnect(par);
        assert_int_equal(mock_counts(mock).buffers, 0);
        mock_stop(mock);
}

static void test_par_hidden_buffer_lies_nowhere(void **state)
{
        const struct par_segment *segments, *runs;
        struct par_buffer *buffer;
        uint64_t dma = 1, pages[2] = { 7, 7 };
        size_t length = 1;

        (void)state;
        begin();
        assert_int_equal(par_alloc(par, 3 * PAGE, NULL, NULL, &buffer), 0);
        memset(par_buffer_data(buffer), 1, 3 * PAGE);
        assert_true(par_buffer_dma(buffer) == PAR_PHYS_NONE);

        assert_int_equal(par_buffer_segments(buffer, &segments), 1);
        assert_true(segments[0].dma == PAR_PHYS_NONE && segments[0].phys == PAR_PHYS_NONE);
        assert_true(segments[0].length == 3 * PAGE && segments[0].offset == 0);
        /* Whether pages are adjacent is not told either. */
        assert_int_equal(par_buffer_runs(buffer, &runs), 3);
        for (size_t i = 0; i < 3; i++) {
                assert_true(runs[i].dma == PAR_PHYS_NONE && runs[i].phys == PAR_PHYS_NONE);
                assert_true(runs[i].length == PAGE && runs[i].offset == i * PAGE);
        }

        assert_int_equal(par_buffer_pages(buffer, 0, 4096, pages, 2), -PAR_DENIED);
        assert_true(pages[0] == 7 && pages[1] == 7);
        assert_non_null(strstr(par_error(par), "hides the addresses"));
        assert_int_equal(par_dma_address(par, par_buffer_data(buffer), &dma, &length), -PAR_DENIED);
        assert_true(dma == 0 && length == 0);
        assert_int_equal(par_dma_address(par, &dma, &dma, &length), -EFAULT);
        par_free(buffer);
        end();
}

static void test_par_hidden_buffer_has_io_addresses(void **state)
{
        struct par_alloc_options options = { 0 };
        const struct par_segment *segments, *runs;
        struct par_device *device;
        struct par_buffer *buffer;
        uint64_t dma, pages[2];
        int container;

        (void)state;
        begin();
        container = open("/dev/null", O_RDWR | O_CLOEXEC);
        assert_int_equal(par_device_open(par, "capture0", &device), 0);
        assert_int_equal(par_device_attach_vfio(device, container), 0);
        options.device = device;
        assert_int_equal(par_alloc(par, 3 * PAGE, NULL, &options, &buffer), 0);

        assert_int_equal(par_buffer_segments(buffer, &segments), 1);
        assert_true(segments[0].dma != PAR_PHYS_NONE && segments[0].phys == PAR_PHYS_NONE);
        assert_true(par_buffer_dma(buffer) == segments[0].dma);
        assert_int_equal(par_buffer_runs(buffer, &runs), 3);
        assert_true(runs[2].dma == segments[0].dma + 2 * PAGE && runs[2].phys == PAR_PHYS_NONE);
        assert_int_equal(par_buffer_pages(buffer, PAGE, 4096, pages, 2), 0);
        assert_true(pages[1] == segments[0].dma + PAGE + 4096);
        assert_int_equal(par_dma_address(par, par_buffer_data(buffer), &dma, NULL), 0);
        assert_true(dma == segments[0].dma);
        par_free(buffer);
        par_device_close(device);
        close(container);
        end();
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_par_hidden_buffer_lies_nowhere),
                cmocka_unit_test(test_par_hidden_buffer_has_io_addresses),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
