/* SPDX-License-Identifier: MIT */
/*
 * Ranges of I/O addresses: what is planned, linked, mapped and unlinked, and what is refused.
 */
#include "macros.h"

#include <errno.h>
#include <linux/vfio.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include <cmocka.h>

#include "iova_setup.h"

/* The mapping at an offset of a range; NULL: there is none. */
static const struct fake_vfio_map *map_at(const struct par_iova *range, uint64_t at)
{
        for (size_t i = 0; i < fake_vfio.n_maps; i++) {
                if (fake_vfio.maps[i].iova == par_iova_dma(range) + at)
                        return &fake_vfio.maps[i];
        }
        return NULL;
}

static void check_map(const struct par_iova *range, uint64_t at, const void *memory,
                      uint64_t length)
{
        const struct fake_vfio_map *map = map_at(range, at);

        if (!map || map->at != (uintptr_t)memory || map->size != length)
                fail_msg("offset %#llx: %s", (unsigned long long)at, map ? "other" : "none");
}

/* ---- reserving ------------------------------------------------------------------------------ */

static void test_par_iova_plans_and_maps_nothing(void **state)
{
        struct par_alloc_options options = { 0 };
        struct par_iova *first, *second;
        struct par_buffer *buffer;
        struct setup setup;

        (void)state;
        begin(&setup);
        first = reserve(&setup, 5 * PAGE + 1);
        assert_int_equal(par_iova_size(first), 6 * PAGE);
        assert_int_equal(par_iova_dma(first) + 6 * PAGE - 1, LAST);
        assert_int_equal(par_iova_granule(first), PAGE);
        assert_int_equal(fake_vfio.n_maps, 0);

        /* Nobody else is given its addresses. */
        second = reserve(&setup, PAGE);
        assert_int_equal(par_iova_dma(second) + PAGE, par_iova_dma(first));
        options.device = setup.device;
        assert_int_equal(par_alloc(setup.par, PAGE, NULL, &options, &buffer), 0);
        assert_int_equal(par_buffer_dma(buffer) + PAGE, par_iova_dma(second));
        par_iova_destroy(first);
        first = reserve(&setup, 6 * PAGE);
        assert_int_equal(par_iova_dma(first) + 6 * PAGE - 1, LAST);
        end(&setup);
}

static const struct {
        const char *name;
        uint64_t size;
        struct par_constraint constraint;
        struct par_iova_options options;
        int result;
        const char *words;
} bad_ranges[] = {
        { "no size", 0, { .flags = 0 }, { .flags = 0 }, -PAR_INVALID, "size is not valid" },
        { "the device's mask",
          GiB,
          { .flags = 0 },
          { .flags = 0 },
          -PAR_NEVER_FITS,
          "set by device capture0" },
        { "nearly all addresses",
          UINT64_MAX,
          { .flags = 0 },
          { .flags = 0 },
          -PAR_NEVER_FITS,
          "device capture0" },
        { "one segment within a boundary",
          128 * KiB,
          { .boundary = 64 * KiB },
          { .flags = 0 },
          -PAR_NEVER_FITS,
          "boundary cannot be met" },
        { "a constraint's flags", PAGE, { .flags = 1 }, { .flags = 0 }, -EINVAL, "constraint" },
        { "flags", PAGE, { .flags = 0 }, { .flags = 1 }, -EINVAL, "options" },
        { "reserved", PAGE, { .flags = 0 }, { .reserved = { [6] = 1 } }, -EINVAL, "options" },
};

static void test_par_iova_refuses_ranges(void **state)
{
        struct par_device *plain;
        struct par_iova *range;
        struct setup setup;

        (void)state;
        begin(&setup);
        for (size_t i = 0; i < ARRAY_SIZE(bad_ranges); i++) {
                range = (void *)1;
                const int r =
                        par_iova_reserve(setup.device, bad_ranges[i].size,
                                         &bad_ranges[i].constraint, &bad_ranges[i].options, &range);

                if (r != bad_ranges[i].result || range ||
                    !strstr(par_error(NULL), bad_ranges[i].words))
                        fail_msg("%s: %d, %s", bad_ranges[i].name, r, par_error(NULL));
        }
        assert_int_equal(par_iova_reserve(NULL, PAGE, NULL, NULL, &range), -EINVAL);
        assert_int_equal(par_iova_reserve(setup.device, PAGE, NULL, NULL, NULL), -EINVAL);

        /* Without an IOMMU there is nothing to choose, and never will be. */
        assert_int_equal(par_device_open(setup.par, "capture0", &plain), 0);
        assert_int_equal(par_iova_reserve(plain, PAGE, NULL, NULL, &range), -ENOTSUP);
        assert_true(par_is_permanent(-ENOTSUP));
        assert_non_null(strstr(par_error(NULL), "not attached to a VFIO container"));
        end(&setup);
}

/* ---- linking and mapping -------------------------------------------------------------------- */

static void test_par_iova_makes_one_range_of_many_places(void **state)
{
        struct par_buffer *first, *second;
        struct par_iova *range;
        struct setup setup;

        (void)state;
        begin(&setup);
        assert_int_equal(par_alloc(setup.par, 4 * PAGE, NULL, NULL, &first), 0);
        assert_int_equal(par_alloc(setup.par, 2 * PAGE, NULL, NULL, &second), 0);
        const struct par_sg_part parts[] = {
                { .buffer = second },
                { .buffer = first, .offset = 2 * PAGE }, /* to its end */
                pages(&setup, 3, 2),
                { .length = 0 }, /* nothing */
                { .buffer = first, .offset = PAGE, .length = PAGE },
                { .buffer = first, .offset = 2 * PAGE, .length = PAGE }, /* goes on there */
        };
        range = reserve(&setup, 8 * PAGE);
        assert_int_equal(par_iova_link(range, 0, parts, ARRAY_SIZE(parts), 0), 0);
        assert_int_equal(fake_vfio.n_maps, 0);
        assert_int_equal(par_iova_sync(range), 0);
        assert_int_equal(fake_vfio.n_maps, 4);
        check_map(range, 0, par_buffer_data(second), 2 * PAGE);
        check_map(range, 2 * PAGE, (char *)par_buffer_data(first) + 2 * PAGE, 2 * PAGE);
        check_map(range, 4 * PAGE, setup.memory + 3 * PAGE, 2 * PAGE);
        check_map(range, 6 * PAGE, (char *)par_buffer_data(first) + PAGE, 2 * PAGE);
        assert_int_equal(par_iova_sync(range), 0);
        assert_int_equal(fake_vfio.n_maps, 4);
        par_iova_destroy(range);
        assert_int_equal(fake_vfio.n_maps, 0);
        assert_int_equal(setup.warnings, 0);
        end(&setup);
}

/* The order in which neighbours are linked does not matter; what is mapped stays as it is. */
static void test_par_iova_maps_neighbours_at_once(void **state)
{
        struct par_iova *range;
        struct setup setup;

        (void)state;
        begin(&setup);
        range = reserve(&setup, 8 * PAGE);
        assert_int_equal(link_pages(&setup, range, 2, 2, 1), 0);
        assert_int_equal(link_pages(&setup, range, 0, 0, 1), 0);
        assert_int_equal(link_pages(&setup, range, 1, 1, 1), 0);
        assert_int_equal(par_iova_sync(range), 0);
        assert_int_equal(fake_vfio.n_maps, 1);
        check_map(range, 0, setup.memory, 3 * PAGE);
        assert_int_equal(link_pages(&setup, range, 3, 3, 1), 0);
        assert_int_equal(par_iova_sync(range), 0);
        assert_int_equal(fake_vfio.n_maps, 2);
        check_map(range, 3 * PAGE, setup.memory + 3 * PAGE, PAGE);
        end(&setup);
}

static void test_par_iova_keeps_apart_what_has_to_be(void **state)
{
        struct par_iova *range;
        struct setup setup;

        (void)state;
        begin(&setup);
        const struct par_sg_part parts[] = { pages(&setup, 0, 1), pages(&setup, 1, 1),
                                             pages(&setup, 2, 1) };
        range = reserve(&setup, 3 * PAGE);
        assert_int_equal(par_iova_link(range, 0, parts, 3, PAR_IOVA_APART), 0);
        assert_int_equal(par_iova_sync(range), 0);
        assert_int_equal(fake_vfio.n_maps, 3);
        assert_int_equal(par_iova_unlink(range, PAGE, PAGE), 0);
        assert_null(map_at(range, PAGE));
        check_map(range, 0, setup.memory, PAGE);
        check_map(range, 2 * PAGE, setup.memory + 2 * PAGE, PAGE);

        /* Something else at the same place. */
        assert_int_equal(link_pages(&setup, range, 1, 9, 1), 0);
        assert_int_equal(par_iova_sync(range), 0);
        check_map(range, PAGE, setup.memory + 9 * PAGE, PAGE);
        end(&setup);
}

/* Neighbours with which the device may do different things are different mappings. */
static void test_par_iova_maps_as_the_device_may(void **state)
{
        static const struct {
                uint32_t flags, mapped;
                uint64_t pages;
        } kinds[] = {
                { 0, VFIO_DMA_MAP_FLAG_READ | VFIO_DMA_MAP_FLAG_WRITE, 1 },
                { PAR_IOVA_TO_DEVICE, VFIO_DMA_MAP_FLAG_READ, 2 },
                { PAR_IOVA_FROM_DEVICE, VFIO_DMA_MAP_FLAG_WRITE, 1 },
                { PAR_IOVA_TO_DEVICE | PAR_IOVA_APART, VFIO_DMA_MAP_FLAG_READ, 1 },
        };
        struct par_iova *range;
        struct setup setup;
        uint64_t page = 0;

        (void)state;
        begin(&setup);
        range = reserve(&setup, 5 * PAGE);
        for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
                for (uint64_t k = 0; k < kinds[i].pages; k++, page++) {
                        const struct par_sg_part part = pages(&setup, page, 1);

                        assert_int_equal(
                                par_iova_link(range, page * PAGE, &part, 1, kinds[i].flags), 0);
                }
        }
        assert_int_equal(par_iova_sync(range), 0);
        assert_int_equal(fake_vfio.n_maps, ARRAY_SIZE(kinds));
        page = 0;
        for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
                check_map(range, page * PAGE, setup.memory + page * PAGE, kinds[i].pages * PAGE);
                assert_int_equal(map_at(range, page * PAGE)->flags, kinds[i].mapped);
                page += kinds[i].pages;
        }
        end(&setup);
}

static const struct {
        const char *name;
        uint64_t at;
        size_t misplaced, offset, length;
        uint32_t flags;
        uint64_t reserved;
        int result;
} bad_links[] = {
        { "its place", 1, 0, 0, PAGE, 0, 0, -EINVAL },
        { "the memory", 0, 512, 0, PAGE, 0, 0, -EINVAL },
        { "the offset", 0, 0, 512, PAGE, 0, 0, -EINVAL },
        { "the length", 0, 0, 0, PAGE + 1, 0, 0, -EINVAL },
        { "beyond the range", 3 * PAGE, 0, 0, 2 * PAGE, 0, 0, -ERANGE },
        { "far beyond the range", UINT64_MAX - PAGE + 1, 0, 0, PAGE, 0, 0, -ERANGE },
        { "beyond all memory", 0, 0, PAGE, SIZE_MAX - PAGE + 1, 0, 0, -EINVAL },
        { "wraps", 0, 0, SIZE_MAX - PAGE + 1, PAGE, 0, 0, -EINVAL },
        { "flags", 0, 0, 0, PAGE, 8, 0, -EINVAL },
        { "the device reads alone, and writes alone", 0, 0, 0, PAGE,
          PAR_IOVA_TO_DEVICE | PAR_IOVA_FROM_DEVICE, 0, -EINVAL },
        { "reserved", 0, 0, 0, PAGE, 0, 1, -EINVAL },
        { "linked already", PAGE, 0, 0, PAGE, 0, 0, -EEXIST },
        { "linked in part", 0, 0, 0, 2 * PAGE, 0, 0, -EEXIST },
        { "mapped already", 2 * PAGE, 0, 0, 2 * PAGE, 0, 0, -EEXIST },
};

static void test_par_iova_refuses_links(void **state)
{
        struct par_buffer *buffer;
        struct par_iova *range;
        struct setup setup;

        (void)state;
        begin(&setup);
        range = reserve(&setup, 4 * PAGE);
        assert_int_equal(link_pages(&setup, range, 2, 2, 1), 0);
        assert_int_equal(par_iova_sync(range), 0);
        assert_int_equal(link_pages(&setup, range, 1, 1, 1), 0);
        for (size_t i = 0; i < ARRAY_SIZE(bad_links); i++) {
                /* What comes before it is not linked then, either. */
                const struct par_sg_part parts[] = {
                        { .memory = setup.memory, .length = 0 },
                        { .memory = setup.memory + bad_links[i].misplaced,
                          .offset = bad_links[i].offset,
                          .length = bad_links[i].length,
                          .reserved = { 0, bad_links[i].reserved } },
                };
                const int r = par_iova_link(range, bad_links[i].at, parts, 2, bad_links[i].flags);

                if (r != bad_links[i].result)
                        fail_msg("%s: %d, %s", bad_links[i].name, r, par_error(NULL));
        }
        const struct par_sg_part good_and_bad[] = { pages(&setup, 0, 1), pages(&setup, 1, 1) };

        assert_int_equal(par_iova_link(range, 0, good_and_bad, 2, 0), -EEXIST);
        assert_int_equal(par_iova_link(range, 0, NULL, 1, 0), -EINVAL);
        assert_int_equal(par_iova_link(range, 0, NULL, 0, 0), 0);
        assert_int_equal(par_iova_link(NULL, 0, good_and_bad, 1, 0), -EINVAL);

        assert_int_equal(par_alloc(setup.par, 2 * PAGE, NULL, NULL, &buffer), 0);
        const struct par_sg_part of_buffer[] = {
                { .buffer = buffer, .offset = 3 * PAGE },
                { .buffer = buffer, .length = 3 * PAGE },
                { .buffer = buffer, .offset = PAGE, .length = 2 * PAGE },
                { .buffer = buffer, .memory = setup.memory },
        };
        for (size_t i = 0; i < ARRAY_SIZE(of_buffer); i++)
                assert_int_equal(par_iova_link(range, 0, &of_buffer[i], 1, 0), -EINVAL);

        /* Nothing of all that was linked. */
        assert_int_equal(par_iova_sync(range), 0);
        assert_int_equal(fake_vfio.n_maps, 2);
        check_map(range, PAGE, setup.memory + PAGE, PAGE);
        end(&setup);
}

static void test_par_iova_takes_buffers_of_its_connection(void **state)
{
        struct par_sg_part part = { 0 };
        struct par_buffer other = { .par = NULL };
        struct par_iova *range;
        struct setup setup;

        (void)state;
        begin(&setup);
        range = reserve(&setup, PAGE);
        part.buffer = &other;
        assert_int_equal(par_iova_link(range, 0, &part, 1, 0), -EINVAL);
        assert_non_null(strstr(par_error(NULL), "another connection"));
        end(&setup);
}

/* ---- what the kernel refuses ---------------------------------------------------------------- */

static void test_par_iova_sync_maps_all_or_nothing(void **state)
{
        static const struct {
                int error, result;
                const char *words;
        } faults[] = {
                { ENOSPC, -PAR_QUOTA, "takes no more mappings" },
                { ENOMEM, -PAR_QUOTA, "RLIMIT_MEMLOCK" },
                { EFAULT, -EFAULT, "VFIO cannot map 4096 bytes" },
        };
        struct par_iova *range;
        struct rlimit before;
        struct setup setup;

        (void)state;
        begin(&setup);
        range = reserve(&setup, 4 * PAGE);
        for (size_t i = 0; i < 4; i++)
                assert_int_equal(link_pages(&setup, range, i, 15 - i, 1), 0);
        getrlimit(RLIMIT_MEMLOCK, &before);
        assert_int_equal(setrlimit(RLIMIT_MEMLOCK, &(struct rlimit){ 0, before.rlim_max }), 0);
        for (size_t i = 0; i < ARRAY_SIZE(faults); i++) {
                for (unsigned good = 0; good < 4; good++) {
                        fake_vfio.fail_map = faults[i].error;
                        fake_vfio.good_maps = good;
                        assert_int_equal(par_iova_sync(range), faults[i].result);
                        assert_non_null(strstr(par_error(NULL), faults[i].words));
                        assert_int_equal(fake_vfio.n_maps, 0);
                }
        }
        assert_int_equal(setrlimit(RLIMIT_MEMLOCK, &before), 0);
        fake_vfio.fail_map = 0;
        assert_int_equal(par_iova_sync(range), 0);
        assert_int_equal(fake_vfio.n_maps, 4);
        assert_int_equal(setup.warnings, 0);
        end(&setup);
}

static void test_par_iova_makes_way_for_others(void **state)
{
        struct par_iova *range;
        struct setup setup;
        uint64_t taken;

        (void)state;
        begin(&setup);
        range = reserve(&setup, 4 * PAGE);
        taken = par_iova_dma(range);
        fake_vfio.maps[0] = (struct fake_vfio_map){ .iova = taken + 2 * PAGE, .size = PAGE };
        fake_vfio.n_maps = 1;
        assert_int_equal(link_pages(&setup, range, 0, 15, 1), 0);
        assert_int_equal(link_pages(&setup, range, 1, 1, 2), 0);
        assert_int_equal(par_iova_sync(range), -PAR_BUSY);
        assert_non_null(strstr(par_error(NULL), "others have mapped something"));
        assert_int_equal(fake_vfio.n_maps, 1);
        par_iova_destroy(range);
        range = reserve(&setup, 4 * PAGE);
        assert_int_not_equal(par_iova_dma(range), taken);
        fake_vfio.n_maps = 0;
        end(&setup);
}

static void test_par_iova_warns_of_what_stays_mapped(void **state)
{
        struct par_iova *range;
        struct setup setup;
        uint64_t taken;

        (void)state;
        begin(&setup);
        range = reserve(&setup, 2 * PAGE);
        taken = par_iova_dma(range);
        assert_int_equal(link_pages(&setup, range, 0, 1, 1), 0);
        assert_int_equal(link_pages(&setup, range, 1, 0, 1), 0);
        fake_vfio.fail_map = ENOMEM;
        fake_vfio.good_maps = 1;
        fake_vfio.fail_unmap = EIO;
        assert_true(par_iova_sync(range) < 0);
        assert_int_equal(setup.warnings, 1);
        assert_int_equal(fake_vfio.n_maps, 1);
        fake_vfio.n_maps = 0;
        fake_vfio.fail_map = 0;
        assert_int_equal(par_iova_sync(range), 0);
        assert_int_equal(par_iova_unlink(range, 0, 2 * PAGE), -EIO);
        assert_int_equal(fake_vfio.n_maps, 2);
        par_iova_destroy(range);
        assert_int_equal(setup.warnings, 3);
        fake_vfio.fail_unmap = 0;
        fake_vfio.n_maps = 0;
        range = reserve(&setup, 2 * PAGE);
        assert_int_not_equal(par_iova_dma(range), taken);
        end(&setup);
}

/* ---- unlinking ------------------------------------------------------------------------------ */

static void test_par_iova_unlinks_as_it_was_mapped(void **state)
{
        struct par_iova *range;
        struct setup setup;

        (void)state;
        begin(&setup);
        range = reserve(&setup, 8 * PAGE);
        for (size_t i = 0; i < 4; i++)
                assert_int_equal(link_pages(&setup, range, i, i, 1), 0);

        /* Until it is mapped each part is one of its own. */
        assert_int_equal(par_iova_unlink(range, PAGE, PAGE / 2), -EINVAL);
        assert_int_equal(par_iova_unlink(range, PAGE, PAGE), 0);
        assert_int_equal(par_iova_sync(range), 0);
        assert_int_equal(fake_vfio.n_maps, 2);

        /* Then what was mapped at once. */
        assert_int_equal(par_iova_unlink(range, 2 * PAGE, PAGE), -EINVAL);
        assert_non_null(strstr(par_error(NULL), "8192 bytes at offset 0x2000"));
        assert_int_equal(par_iova_unlink(range, 3 * PAGE, PAGE), -EINVAL);
        assert_int_equal(par_iova_unlink(range, 0, 3 * PAGE), -EINVAL);
        assert_int_equal(fake_vfio.n_maps, 2);
        assert_int_equal(link_pages(&setup, range, 7, 7, 1), 0);
        assert_int_equal(par_iova_unlink(range, PAGE, 7 * PAGE), 0);
        assert_int_equal(fake_vfio.n_maps, 1);
        check_map(range, 0, setup.memory, PAGE);
        assert_int_equal(par_iova_sync(range), 0);
        assert_int_equal(fake_vfio.n_maps, 1);

        /* What is not there does not matter, but for what is not in the range. */
        assert_int_equal(par_iova_unlink(range, PAGE, 7 * PAGE), 0);
        assert_int_equal(par_iova_unlink(range, 8 * PAGE, 0), 0);
        assert_int_equal(par_iova_unlink(range, 0, 9 * PAGE), -ERANGE);
        assert_int_equal(par_iova_unlink(range, 9 * PAGE, 0), -ERANGE);
        assert_int_equal(par_iova_unlink(range, PAGE, UINT64_MAX), -ERANGE);
        assert_int_equal(par_iova_unlink(NULL, 0, PAGE), -EINVAL);
        assert_int_equal(par_iova_sync(NULL), -EINVAL);
        assert_int_equal(par_iova_unlink(range, 0, 8 * PAGE), 0);
        assert_int_equal(fake_vfio.n_maps, 0);
        end(&setup);
}

/* Where mistakes are looked for. */
static void test_par_iova_links_nothing_that_was_freed(void **state)
{
        const struct par_connect_options options = { .flags = PAR_CONNECT_DEBUG };
        struct par_sg_part part = { .length = 0 };
        struct par_buffer *buffer;
        struct par_device *device;
        struct par_iova *range;
        struct setup setup;
        struct par *par;

        (void)state;
        begin(&setup);
        par_disconnect(setup.par);
        assert_int_equal(par_connect(setup.mock->path, &options, &par), 0);
        assert_int_equal(par_device_open(par, "capture0", &device), 0);
        assert_int_equal(par_device_attach_vfio(device, setup.container), 0);
        assert_int_equal(par_iova_reserve(device, MEMORY, NULL, NULL, &range), 0);
        assert_int_equal(par_alloc(par, 100, NULL, NULL, &buffer), 0);
        assert_int_equal(((unsigned char *)par_buffer_data(buffer))[100], 0xbb);
        part.buffer = buffer;
        assert_int_equal(par_iova_link(range, 0, &part, 1, 0), 0);
        assert_int_equal(((unsigned char *)par_buffer_data(buffer))[100], 0); /* all of it is his */
        assert_int_equal(par_iova_unlink(range, 0, PAGE), 0);
        par_free(buffer);
        assert_int_equal(par_iova_link(range, 0, &part, 1, 0), -EINVAL);
        assert_string_equal(par_error(NULL), "a part of a buffer that was freed");
        par_iova_destroy(range);
        setup.par = par;
        end(&setup);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_par_iova_plans_and_maps_nothing),
                cmocka_unit_test(test_par_iova_refuses_ranges),
                cmocka_unit_test(test_par_iova_makes_one_range_of_many_places),
                cmocka_unit_test(test_par_iova_maps_neighbours_at_once),
                cmocka_unit_test(test_par_iova_keeps_apart_what_has_to_be),
                cmocka_unit_test(test_par_iova_maps_as_the_device_may),
                cmocka_unit_test(test_par_iova_refuses_links),
                cmocka_unit_test(test_par_iova_takes_buffers_of_its_connection),
                cmocka_unit_test(test_par_iova_sync_maps_all_or_nothing),
                cmocka_unit_test(test_par_iova_makes_way_for_others),
                cmocka_unit_test(test_par_iova_warns_of_what_stays_mapped),
                cmocka_unit_test(test_par_iova_unlinks_as_it_was_mapped),
                cmocka_unit_test(test_par_iova_links_nothing_that_was_freed),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
