/* SPDX-License-Identifier: MIT */
/*
 * Buffers for a device behind an IOMMU: against a daemon in a thread (tests/support/mock_server.c)
 * and a container without a kernel (tests/support/fake_vfio.c).
 */
#include "handle.h"

#include "fake_vfio.h"
#include "heap.h"
#include "in_child.h"
#include "macros.h"
#include "mock_server.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/vfio.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <syslog.h>
#include <unistd.h>

#include <cmocka.h>

#define PAGE (64 * KiB)

/* A device of 28 bits, behind an IOMMU. */
struct setup {
        struct mock *mock;
        struct par *par;
        struct par_device *device;
        struct par_alloc_options options;
        int container, warnings;
};

/* Frames that lie apart. */
static void scatter(Wire__ExtentList *list)
{
        for (size_t i = 0; i < list->n_pieces; i++)
                list->pieces[i]->phys += i * PAGE;
}

/* The limits of the device, said by the daemon, and memory in pieces. */
static void spoil_limits(struct mock *mock, struct mock_reply *reply)
{
        static Wire__Constraint limits;

        (void)mock;
        wire__constraint__init(&limits);
        limits.addr_max = 0xfffffff;
        limits.boundary = 16 * MiB;
        limits.align = 4 * KiB;
        limits.max_segments = 4;
        limits.nodes = 1;
        if (reply->packet->reply->body_case == WIRE__REPLY__BODY_DEVICE_OPEN)
                reply->packet->reply->device_open->limits = &limits;
        if (reply->packet->reply->body_case == WIRE__REPLY__BODY_ALLOC)
                scatter(reply->packet->reply->alloc->extents);
}

static void count_warnings(void *data, int level, const char *message)
{
        struct setup *setup = data;

        (void)message;
        setup->warnings += level == LOG_WARNING;
}

static void begin_with(struct setup *setup, const struct mock_settings *settings)
{
        struct par_connect_options options = { .log = count_warnings, .log_data = setup };

        fake_vfio_init(8);
        *setup = (struct setup){ .mock = mock_start(settings) };
        setup->container = memfd_create("container", MFD_CLOEXEC);
        assert_true(setup->container >= 0);
        assert_int_equal(par_connect(setup->mock->path, &options, &setup->par), 0);
        assert_int_equal(par_device_open(setup->par, "capture0", &setup->device), 0);
        assert_int_equal(par_device_attach_vfio(setup->device, setup->container), 0);
        setup->options.device = setup->device;
}

static void begin(struct setup *setup)
{
        begin_with(setup, &(struct mock_settings){ .spoil = spoil_limits });
}

/* All is unmapped, with or without par_free(). */
static void end(struct setup *setup)
{
        par_disconnect(setup->par);
        assert_int_equal(fake_vfio.n_maps, 0);
        mock_stop(setup->mock);
        close(setup->container);
}

static struct par_buffer *get(struct setup *setup, size_t size,
                              const struct par_constraint *constraint)
{
        struct par_buffer *buffer;

        if (par_alloc(setup->par, size, constraint, &setup->options, &buffer))
                fail_msg("%zu bytes: %s", size, par_error(setup->par));
        return buffer;
}

/* How many descriptors this process has of the file that stands for the container. */
static unsigned descriptors_of(ino_t container)
{
        struct stat info;
        unsigned n = 0;

        for (int fd = 3; fd < 256; fd++)
                n += !fstat(fd, &info) && info.st_ino == container;
        return n;
}

/* ---- what a driver sees --------------------------------------------------------------------- */

static void test_par_vfio_maps_scattered_frames_as_one(void **state)
{
        const struct par_segment *segments, *runs;
        struct par_buffer *buffer;
        struct setup setup;
        uint64_t dma, pages[3];
        size_t length, n;
        void *back;
        char *data;

        (void)state;
        begin(&setup);
        buffer = get(&setup, 5 * PAGE, NULL);
        assert_int_equal(par_buffer_segments(buffer, &segments), 1);
        assert_int_equal(segments[0].length, 5 * PAGE);
        assert_int_equal(segments[0].dma + segments[0].length - 1, 0xfffffff);
        assert_int_equal(segments[0].dma, par_buffer_dma(buffer));

        /* Where it lies is still told. */
        n = par_buffer_runs(buffer, &runs);
        assert_true(n > 1);
        assert_int_equal(segments[0].phys, PAR_PHYS_NONE);
        for (size_t i = 0; i < n; i++) {
                assert_int_equal(runs[i].dma, segments[0].dma + runs[i].offset);
                assert_int_not_equal(runs[i].phys, runs[i].dma);
        }

        data = par_buffer_data(buffer);
        assert_int_equal(par_dma_address(setup.par, data + PAGE + 5, &dma, &length), 0);
        assert_int_equal(dma, segments[0].dma + PAGE + 5);
        assert_int_equal(length, 4 * PAGE - 5);
        assert_int_equal(par_dma_pointer(setup.par, setup.device, dma, &back, &length), 0);
        assert_ptr_equal(back, data + PAGE + 5);
        assert_int_equal(length, 4 * PAGE - 5);
        assert_int_equal(par_dma_pointer(setup.par, NULL, dma, &back, &length), -EFAULT);
        assert_int_equal(par_buffer_pages(buffer, PAGE, PAGE, pages, 3), 0);
        assert_int_equal(pages[2], segments[0].dma + 3 * PAGE);

        assert_int_equal(fake_vfio.n_maps, 1);
        assert_int_equal(fake_vfio.maps[0].at, (uintptr_t)data);
        assert_int_equal(fake_vfio.maps[0].iova, segments[0].dma);
        assert_int_equal(fake_vfio.maps[0].size, 5 * PAGE);
        assert_int_equal(fake_vfio.maps[0].flags, VFIO_DMA_MAP_FLAG_READ | VFIO_DMA_MAP_FLAG_WRITE);
        par_free(buffer);
        assert_int_equal(fake_vfio.n_maps, 0);
        assert_int_equal(setup.warnings, 0);
        end(&setup);
}

static void test_par_vfio_cuts_segments_at_io_addresses(void **state)
{
        struct par_constraint limits = { .boundary = PAGE, .max_segments = 3 };
        const struct par_segment *segments;
        struct par_buffer *buffer;
        struct setup setup;

        (void)state;
        begin(&setup);
        buffer = get(&setup, 2 * PAGE, &limits);
        assert_int_equal(par_buffer_segments(buffer, &segments), 2);
        for (size_t i = 0; i < 2; i++) {
                assert_int_equal(segments[i].dma, par_buffer_dma(buffer) + i * PAGE);
                assert_int_equal(segments[i].dma % PAGE, 0);
                assert_int_equal(segments[i].length, PAGE);
                assert_int_equal(segments[i].offset, i * PAGE);
                assert_int_not_equal(segments[i].phys, PAR_PHYS_NONE);
        }
        assert_int_equal(fake_vfio.n_maps, 1);
        end(&setup);
}

static void test_par_vfio_rounds_to_the_pages_of_the_iommu(void **state)
{
        struct setup setup;
        struct par_buffer *buffer;

        (void)state;
        begin(&setup);
        buffer = get(&setup, 100, NULL);
        assert_int_equal(par_buffer_size(buffer), 4 * KiB);
        assert_int_equal(fake_vfio.maps[0].size, 4 * KiB);
        end(&setup);
}

static void test_par_vfio_leaves_other_buffers_alone(void **state)
{
        struct par_device *second;
        struct par_buffer *buffer;
        struct setup setup;

        (void)state;
        begin(&setup);
        assert_int_equal(par_device_open(setup.par, "capture0", &second), 0);
        setup.options.device = second;
        buffer = get(&setup, PAGE, NULL);
        assert_int_equal(fake_vfio.n_maps, 0);
        par_free(buffer);
        setup.options.device = NULL;
        (void)get(&setup, PAGE, NULL);
        assert_int_equal(fake_vfio.n_maps, 0);
        end(&setup);
}

/* ---- what the daemon is told ---------------------------------------------------------------- */

/* Nobody waits for the answer to what is told; but requests are read in their order. */
static struct mock_told told(struct setup *setup)
{
        struct par_device *device;

        assert_int_equal(par_device_open(setup->par, "capture0", &device), 0);
        par_device_close(device);
        return mock_told(setup->mock);
}

static void test_par_vfio_tells_where_it_is_mapped(void **state)
{
        struct par_buffer *buffer;
        struct setup setup;
        struct mock_told said;

        (void)state;
        begin(&setup);
        buffer = get(&setup, 3 * PAGE, NULL);
        said = told(&setup);
        assert_int_not_equal(said.buffer, 0);
        assert_int_equal(said.space, 1);
        assert_string_equal(said.device, "capture0");
        assert_int_equal(said.iova, par_buffer_dma(buffer));
        assert_int_equal(said.length, 3 * PAGE);
        assert_int_equal(said.offset, 0);
        assert_int_equal(mock_counts(setup.mock).told, 1);

        /* Nothing of what is not mapped, and nothing more when it is freed. */
        par_free(buffer);
        setup.options.device = NULL;
        par_free(get(&setup, PAGE, NULL));
        told(&setup);
        assert_int_equal(mock_counts(setup.mock).told, 1);
        end(&setup);
}

/* Another worker knows nothing of it. */
static void test_par_vfio_tells_another_worker_again(void **state)
{
        const struct mock_settings resumable = { .token = 77, .spoil = spoil_limits };
        struct par_buffer *buffers[3];
        struct setup setup;
        struct mock_told said;

        (void)state;
        begin_with(&setup, &resumable);
        for (size_t i = 0; i < ARRAY_SIZE(buffers); i++)
                buffers[i] = get(&setup, (i + 1) * PAGE, NULL);
        (void)told(&setup);
        assert_int_equal(mock_counts(setup.mock).told, 3);
        mock_hang_up(setup.mock);
        said = told(&setup);
        par_free(buffers[0]);
        said = told(&setup);
        assert_int_equal(mock_counts(setup.mock).resumed, 1);
        assert_int_equal(mock_counts(setup.mock).told, 6);
        assert_string_equal(said.device, "capture0");
        assert_int_equal(said.iova, par_buffer_dma(buffers[2])); /* the last, by its number */
        assert_int_equal(said.length, 3 * PAGE);
        par_free(buffers[1]);
        par_free(buffers[2]);
        end(&setup);
}

/* A daemon that knows no Mapped, or does not like it. */
static void spoil_told(struct mock *mock, struct mock_reply *reply)
{
        spoil_limits(mock, reply);
        if (reply->packet->reply->seq >> 31)
                reply->packet->reply->result = PAR_INVALID;
}

static void test_par_vfio_buffers_need_not_be_told(void **state)
{
        struct par_buffer *buffer;
        struct setup setup;

        (void)state;
        begin(&setup);
        pthread_mutex_lock(&setup.mock->lock);
        setup.mock->settings.spoil = spoil_told;
        pthread_mutex_unlock(&setup.mock->lock);
        buffer = get(&setup, PAGE, NULL);
        told(&setup);
        assert_int_equal(mock_counts(setup.mock).told, 1);
        par_free(buffer);
        par_free(get(&setup, PAGE, NULL));
        assert_int_equal(setup.warnings, 0);
        end(&setup);
}

/* ---- life ----------------------------------------------------------------------------------- */

static void test_par_vfio_attaches_once(void **state)
{
        struct setup setup;

        (void)state;
        begin(&setup);
        assert_int_equal(par_device_attach_vfio(setup.device, setup.container), -EBUSY);
        assert_int_equal(par_device_attach_vfio(setup.device, -1), -EINVAL);
        fake_vfio.no_container = true;
        assert_int_equal(par_device_attach_vfio(setup.device, setup.container), -EINVAL);
        fake_vfio.no_container = false;
        end(&setup);
}

static void test_par_vfio_needs_a_ready_container(void **state)
{
        struct par_device *device;
        struct setup setup;

        (void)state;
        begin(&setup);
        assert_int_equal(par_device_open(setup.par, "capture0", &device), 0);
        fake_vfio.fail_info = EINVAL;
        assert_int_equal(par_device_attach_vfio(device, setup.container), -EINVAL);
        assert_non_null(strstr(par_error(setup.par), "VFIO_SET_IOMMU"));
        fake_vfio.fail_info = 0;
        assert_int_equal(par_device_attach_vfio(device, setup.container), 0);
        end(&setup);
}

static void test_par_vfio_buffers_outlive_their_device(void **state)
{
        struct par_buffer *buffer, *left;
        struct setup setup;

        (void)state;
        begin(&setup);
        buffer = get(&setup, PAGE, NULL);
        left = get(&setup, PAGE, NULL);
        par_device_close(setup.device);
        close(setup.container);
        assert_int_equal(fake_vfio.n_maps, 2);
        par_free(buffer);
        assert_int_equal(fake_vfio.n_maps, 1);
        assert_int_equal(fake_vfio.maps[0].at, (uintptr_t)par_buffer_data(left));
        setup.container = open("/dev/null", O_RDWR | O_CLOEXEC);
        end(&setup);
}

/* In the child: how many descriptors of the container are left. */
static int leave_as_child(void *data)
{
        struct setup *setup = data;
        struct stat info;

        if (fstat(setup->container, &info) < 0)
                return -1;
        par_disconnect(setup->par);
        return (int)descriptors_of(info.st_ino);
}

/* Another thread holds the lock at the fork: the child can free nothing, but must not keep the
 * container open. */
static void test_par_vfio_child_keeps_no_container(void **state)
{
        struct setup setup;
        struct stat info;

        (void)state;
        begin(&setup);
        assert_int_equal(fstat(setup.container, &info), 0);
        assert_int_equal(descriptors_of(info.st_ino), 2);
        pthread_mutex_lock(&setup.par->lock);
        assert_int_equal(in_child(leave_as_child, &setup), 1); /* the test's own */
        pthread_mutex_unlock(&setup.par->lock);
        assert_int_equal(descriptors_of(info.st_ino), 2);
        assert_int_equal(in_child(leave_as_child, &setup), 1);
        end(&setup);
        assert_int_equal(descriptors_of(info.st_ino), 0);
}

/* ---- refusals and faults -------------------------------------------------------------------- */

static const struct {
        const char *name;
        size_t size;
        struct par_constraint constraint;
        int result;
        const char *words;
} refusals[] = {
        { "no size", 0, { .flags = 0 }, -PAR_INVALID, "size is not valid" },
        { "the device's mask", GiB, { .flags = 0 }, -PAR_NEVER_FITS, "set by device capture0" },
        { "above the device's mask",
          PAGE,
          { .addr_min = 0x10000000 },
          -PAR_NEVER_FITS,
          "addr_min 0x10000000 of the request is above addr_max 0xfffffff of device capture0" },
        { "the device's segments",
          128 * MiB,
          { .max_segments = PAR_SEGMENTS_ANY },
          -PAR_NEVER_FITS,
          "boundary cannot be met" },
        { "nodes", PAGE, { .nodes = 2 }, -PAR_NEVER_FITS, "nodes 0x2 of the request and 0x1" },
};

static void test_par_vfio_refuses_before_it_asks_for_memory(void **state)
{
        struct setup setup;
        size_t requests;

        (void)state;
        begin(&setup);
        requests = mock_counts(setup.mock).requests;
        for (size_t i = 0; i < ARRAY_SIZE(refusals); i++) {
                struct par_buffer *buffer = (void *)1;
                int r = par_alloc(setup.par, refusals[i].size, &refusals[i].constraint,
                                  &setup.options, &buffer);

                if (r != refusals[i].result || buffer ||
                    !strstr(par_error(setup.par), refusals[i].words))
                        fail_msg("%s: %d, %s", refusals[i].name, r, par_error(setup.par));
        }
        assert_int_equal(mock_counts(setup.mock).requests, requests);
        end(&setup);
}

static void test_par_vfio_gives_back_what_cannot_be_mapped(void **state)
{
        struct par_buffer *buffer;
        struct setup setup;
        uint64_t before;

        (void)state;
        begin(&setup);
        buffer = get(&setup, PAGE, NULL);
        before = par_buffer_dma(buffer);
        par_free(buffer);
        fake_vfio.fail_map = ENOSPC;
        assert_int_equal(par_alloc(setup.par, PAGE, NULL, &setup.options, &buffer), -PAR_QUOTA);
        assert_null(buffer);
        assert_int_equal(mock_counts(setup.mock).buffers, 0);
        fake_vfio.fail_map = 0;
        assert_int_equal(par_buffer_dma(get(&setup, PAGE, NULL)), before);
        end(&setup);
}

/* It is mapped already when there is no memory for its segments. */
static void test_par_vfio_unmaps_without_memory(void **state)
{
        struct par_buffer *buffer;
        struct setup setup;

        (void)state;
        begin(&setup);
        fake_vfio.no_memory_after_map = true;
        assert_int_equal(par_alloc(setup.par, PAGE, NULL, &setup.options, &buffer), -ENOMEM);
        assert_true(heap_mend());
        assert_null(buffer);
        assert_non_null(strstr(par_error(setup.par), "no memory for the segments of a buffer"));
        assert_int_equal(fake_vfio.n_maps, 0);
        assert_int_equal(mock_counts(setup.mock).buffers, 0);
        fake_vfio.no_memory_after_map = false;
        assert_int_equal(par_buffer_dma(get(&setup, PAGE, NULL)), 0xfffffff + 1 - PAGE);
        end(&setup);
}

static void test_par_vfio_makes_way_for_others(void **state)
{
        struct par_buffer *buffer;
        struct setup setup;

        (void)state;
        begin(&setup);
        fake_vfio.maps[0] = (struct fake_vfio_map){ .iova = 0xffff000, .size = 4 * KiB };
        fake_vfio.n_maps = 1;
        buffer = get(&setup, PAGE, NULL);
        assert_int_equal(par_buffer_dma(buffer), 0xfffffff + 1 - 2 * PAGE);
        par_free(buffer);
        assert_int_equal(fake_vfio.n_maps, 1);
        fake_vfio.n_maps = 0;
        end(&setup);
}

static void test_par_vfio_warns_of_what_stays_mapped(void **state)
{
        struct par_buffer *buffer;
        struct setup setup;
        uint64_t before;

        (void)state;
        begin(&setup);
        buffer = get(&setup, PAGE, NULL);
        before = par_buffer_dma(buffer);
        fake_vfio.fail_unmap = EIO;
        par_free(buffer);
        assert_int_equal(setup.warnings, 1);
        assert_int_equal(mock_counts(setup.mock).buffers, 0);
        fake_vfio.fail_unmap = 0;
        assert_int_not_equal(par_buffer_dma(get(&setup, PAGE, NULL)), before);
        fake_vfio.maps[0] = fake_vfio.maps[1];
        fake_vfio.n_maps = 1;
        end(&setup);
}

/* The daemon grants a page more than was asked for. */
static void spoil_size(struct mock *mock, struct mock_reply *reply)
{
        Wire__Grant *grant;

        spoil_limits(mock, reply);
        if (reply->packet->reply->body_case != WIRE__REPLY__BODY_ALLOC)
                return;
        grant = reply->packet->reply->alloc;
        grant->size += MOCK_GRANULE;
        grant->extents->pieces[0]->length += MOCK_GRANULE;
        grant->extents->segments[0]->length += MOCK_GRANULE;
}

static void test_par_vfio_maps_what_was_planned_only(void **state)
{
        struct par_buffer *buffer;
        struct setup setup;

        (void)state;
        begin(&setup);
        pthread_mutex_lock(&setup.mock->lock);
        setup.mock->settings.spoil = spoil_size;
        pthread_mutex_unlock(&setup.mock->lock);
        assert_int_equal(par_alloc(setup.par, 4 * KiB, NULL, &setup.options, &buffer), -EPROTO);
        assert_non_null(strstr(par_error(setup.par), "granted 8192 bytes for 4096"));
        assert_int_equal(fake_vfio.n_maps, 0);
        end(&setup);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_par_vfio_maps_scattered_frames_as_one),
                cmocka_unit_test(test_par_vfio_cuts_segments_at_io_addresses),
                cmocka_unit_test(test_par_vfio_rounds_to_the_pages_of_the_iommu),
                cmocka_unit_test(test_par_vfio_leaves_other_buffers_alone),
                cmocka_unit_test(test_par_vfio_tells_where_it_is_mapped),
                cmocka_unit_test(test_par_vfio_tells_another_worker_again),
                cmocka_unit_test(test_par_vfio_buffers_need_not_be_told),
                cmocka_unit_test(test_par_vfio_attaches_once),
                cmocka_unit_test(test_par_vfio_needs_a_ready_container),
                cmocka_unit_test(test_par_vfio_buffers_outlive_their_device),
                cmocka_unit_test(test_par_vfio_child_keeps_no_container),
                cmocka_unit_test(test_par_vfio_refuses_before_it_asks_for_memory),
                cmocka_unit_test(test_par_vfio_gives_back_what_cannot_be_mapped),
                cmocka_unit_test(test_par_vfio_unmaps_without_memory),
                cmocka_unit_test(test_par_vfio_makes_way_for_others),
                cmocka_unit_test(test_par_vfio_warns_of_what_stays_mapped),
                cmocka_unit_test(test_par_vfio_maps_what_was_planned_only),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
