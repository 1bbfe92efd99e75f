/* SPDX-License-Identifier: MIT */
/*
 * Scatter lists of parts of buffers, which are only described: nothing is mapped where they are
 * said to be.
 */
#include "in_child.h"
#include "macros.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "sg_lists.h"

/* ---- of buffers ----------------------------------------------------------------------------- */

static void test_sg_of_buffers(void **state)
{
        struct par_segment low[] = { P(0x10000, 0x10000, 0x4000), P(0x18000, 0x18000, 0x4000) };
        struct par_segment high[] = { P(0x1c000, 0x1c000, 0x4000) };
        static const struct par_segment expected[PIECES_MAX] = { P(0x12000, 0x12000, 0x2000),
                                                                 P(0x18000, 0x18000, 0x6000),
                                                                 P(0x10000, 0x10000, 0x10) };
        struct par_buffer first, second;
        struct setup setup;
        struct par_sg *list;

        (void)state;
        begin(&setup);
        describe(&setup, &first, BASE, low, 2);
        describe(&setup, &second, BASE + 0x8000, high, 1);
        const struct par_sg_part parts[] = {
                { .buffer = &first, .offset = 0x2000 },       /* to its end */
                { .buffer = &second, .length = 0x2000 },      /* adjoins */
                { .buffer = &second, .offset = second.size }, /* nothing */
                { .length = 0 },                              /* nothing */
                { .buffer = &first, .length = 0x10 },
        };
        list = list_of(&setup.par, NULL, &setup.device);
        assert_int_equal(par_sg_add(list, parts, ARRAY_SIZE(parts)), 0);
        check_segments("of two buffers", list, expected);
        par_sg_destroy(list);
        list = list_of(NULL, NULL, NULL);
        assert_int_equal(par_sg_add(list, parts, ARRAY_SIZE(parts)), 0);
        check_segments("for nobody", list, expected);
        par_sg_destroy(list);
        end(&setup);
}

static void test_sg_keeps_the_limits_of_its_device(void **state)
{
        struct par_segment memory[] = { P(0x10000, NONE, 0x30000) };
        struct par_constraint narrower = { .max_segments = 3, .boundary = MiB };
        struct par_refusal_info info;
        struct par_buffer buffer;
        struct setup setup;
        struct par_sg_part part = { .buffer = &buffer };
        struct par_sg *list;

        (void)state;
        begin(&setup);
        describe(&setup, &buffer, BASE, memory, 1);
        list = list_of(&setup.par, NULL, &setup.device);
        assert_int_equal(par_sg_add(list, &part, 1), -PAR_NEVER_FITS);
        assert_non_null(strstr(par_error(NULL), "max_segments of device capture0 is 4"));
        assert_int_equal(par_last_refusal(NULL, &info), 0);
        assert_string_equal(info.limit, "max_segments");
        assert_string_equal(info.limit_set_by, "device capture0");
        assert_int_equal(info.size, 0x30000);
        assert_int_equal(par_sg_wanted(list), 6);
        part.length = 0x20000;
        assert_int_equal(par_sg_add(list, &part, 1), 0);
        assert_int_equal(par_sg_segments(list, NULL), 4);
        par_sg_destroy(list);

        list = list_of(&setup.par, &narrower, &setup.device);
        assert_int_equal(par_sg_add(list, &part, 1), -PAR_NEVER_FITS);
        assert_non_null(strstr(par_error(NULL), "max_segments of the request is 3"));
        par_sg_destroy(list);

        /* For several commands. */
        narrower.max_segments = PAR_SEGMENTS_ANY;
        part.length = 0;
        list = list_of(&setup.par, &narrower, &setup.device);
        assert_int_equal(par_sg_add(list, &part, 1), 0);
        assert_int_equal(par_sg_segments(list, NULL), 6);
        par_sg_destroy(list);

        memory[0].dma = 0xfff000;
        list = list_of(&setup.par, NULL, &setup.device);
        assert_int_equal(par_sg_add(list, &part, 1), -PAR_NEVER_FITS);
        assert_non_null(strstr(par_error(NULL), "above addr_max 0xffffff of device capture0"));
        par_sg_destroy(list);
        end(&setup);
}

static void test_sg_mixes_no_addresses(void **state)
{
        struct par_segment memory[] = { P(0x10000, NONE, 0x1000) }, hidden[] = { { 0 } };
        static const struct {
                const char *name;
                bool device, attached;
                uint32_t first, second;
                int result;
        } cases[] = {
                { "memory's own, for nobody", false, false, VIEW_MEMORY, VIEW_MEMORY, 0 },
                { "of a container, for nobody", false, false, 1, 1, 0 },
                { "of two containers", false, false, 1, 2, -EINVAL },
                { "of a container and memory's", false, false, 1, VIEW_MEMORY, -EINVAL },
                { "for this device", true, false, VIEW_DEVICES, VIEW_MEMORY, 0 },
                { "for this device, opened by name", true, false, VIEW_NONE, VIEW_DEVICES, 0 },
                { "for another device", true, false, VIEW_DEVICES, VIEW_DEVICES + 1, -EINVAL },
                { "of a container, for none in one", true, false, 1, 1, -EINVAL },
                { "of its container", false, true, 1, 1, 0 },
                { "of another container", false, true, 1, 2, -EINVAL },
                { "memory's own, for one in a container", false, true, 1, VIEW_MEMORY, -EINVAL },
        };
        struct par_buffer buffers[3];
        struct setup setup;
        struct par_sg *list;

        (void)state;
        begin(&setup);
        for (size_t i = 0; i < 3; i++)
                describe(&setup, &buffers[i], BASE + i * 0x1000, memory, 1);
        for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
                const struct par_sg_part parts[] = { { .buffer = &buffers[0] },
                                                     { .buffer = &buffers[1] } };

                buffers[0].view = cases[i].first;
                buffers[1].view = cases[i].second;
                list = list_of(&setup.par, NULL,
                               cases[i].device     ? &setup.device
                               : cases[i].attached ? &setup.attached
                                                   : NULL);
                if (par_sg_add(list, parts, 2) != cases[i].result)
                        fail_msg("%s: %s", cases[i].name, par_error(NULL));
                par_sg_clear(list);
                if (!cases[i].device && !cases[i].attached)
                        assert_int_equal(par_sg_add(list, &parts[1], 1), 0);
                par_sg_destroy(list);
        }
        hidden[0] = (struct par_segment)P(NONE, NONE, 0x1000);
        describe(&setup, &buffers[2], BASE, hidden, 1);
        list = list_of(&setup.par, NULL, &setup.device);
        assert_int_equal(par_sg_add(list, &(struct par_sg_part){ .buffer = &buffers[2] }, 1),
                         -PAR_DENIED);
        par_sg_destroy(list);
        end(&setup);
}

/* A device on a bus that begins elsewhere sees memory that was not allocated for it, too. */
static void test_sg_sees_through_bus_windows(void **state)
{
        struct par_segment memory[] = { P(0x10000, 0x10000, 0x2000), P(0x20000, 0x20000, 0x2000) };
        struct par_segment beyond[] = { P(0x2f000, 0x2f000, 0x2000) };
        static const struct par_segment expected[PIECES_MAX] = { P(0x501000, 0x11000, 0x1000),
                                                                 P(0x510000, 0x20000, 0x2000) };
        struct par_buffer buffers[2];
        struct setup setup;
        struct par_sg *list;

        (void)state;
        begin(&setup);
        setup.device.reach.n_windows = 1;
        setup.device.reach.windows[0] = (struct reach_window){
                .phys = { 0x10000, 0x2ffff },
                .offset = 0x4f0000,
        };
        describe(&setup, &buffers[0], BASE, memory, 2);
        describe(&setup, &buffers[1], BASE + 0x8000, beyond, 1);
        assert_int_equal(lookup_insert(&setup.par.lookup, &buffers[0]), 0);
        list = list_of(&setup.par, NULL, &setup.device);
        assert_int_equal(
                par_sg_add(list, &(struct par_sg_part){ .buffer = buffers, .offset = 0x1000 }, 1),
                0);
        check_segments("of a buffer", list, expected);
        par_sg_clear(list);
        assert_int_equal(par_sg_add(list,
                                    &(struct par_sg_part){ .memory = buffers[0].data,
                                                           .offset = 0x1000,
                                                           .length = 0x1000 },
                                    1),
                         0);
        assert_int_equal(par_sg_bytes(list), 0x1000);
        assert_int_equal(par_sg_add(list, &(struct par_sg_part){ .buffer = &buffers[1] }, 1),
                         -PAR_NEVER_FITS);
        assert_non_null(strstr(par_error(NULL), "capture0 does not see memory at 0x2f000 to "
                                                "0x30fff through its bus windows"));
        assert_int_equal(par_sg_bytes(list), 0x1000);
        par_sg_clear(list);
        /* What was allocated for it has the device's addresses. */
        buffers[1].view = VIEW_DEVICES;
        assert_int_equal(par_sg_add(list, &(struct par_sg_part){ .buffer = &buffers[1] }, 1), 0);
        par_sg_destroy(list);
        lookup_remove(&setup.par.lookup, &buffers[0]);
        end(&setup);
}

static void test_sg_takes_no_part_that_is_none(void **state)
{
        struct par_segment memory[] = { P(0x10000, NONE, 0x1000) };
        struct par_buffer buffer;
        struct setup setup;
        struct par other;
        const struct par_sg_part bad[] = {
                { .buffer = &buffer, .offset = 0x1001 },
                { .buffer = &buffer, .length = 0x1001 },
                { .buffer = &buffer, .offset = 0x800, .length = 0x801 },
                { .buffer = &buffer, .offset = 1, .length = SIZE_MAX },
                { .buffer = &buffer, .memory = &other },
                { .buffer = &buffer, .reserved = { [1] = 1 } },
                { .memory = (void *)(uintptr_t)BASE, .offset = SIZE_MAX, .length = 1 },
                { .memory = (void *)(uintptr_t)BASE, .offset = 1, .length = SIZE_MAX },
        };
        struct par_sg *list;

        (void)state;
        begin(&setup);
        describe(&setup, &buffer, BASE, memory, 1);
        list = list_of(&setup.par, NULL, NULL);
        for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
                if (par_sg_add(list, &bad[i], 1) != -EINVAL)
                        fail_msg("part %zu: %s", i, par_error(NULL));
        }
        buffer.par = &other;
        assert_int_equal(par_sg_add(list, &(struct par_sg_part){ .buffer = &buffer }, 1), -EINVAL);
        assert_int_equal(par_sg_segments(list, NULL), 0);
        par_sg_destroy(list);
        end(&setup);
}

static int add_in_child(void *data)
{
        const struct par_sg_part part = { .memory = (void *)(uintptr_t)BASE, .length = 1 };

        return par_sg_add(data, &part, 1) == -ECHILD && par_sg_segments(data, NULL) == 1;
}

static void test_sg_finds_memory_by_its_address(void **state)
{
        struct par_segment low[] = { P(0x10000, 0x10000, 0x1000), P(0x20000, 0x20000, 0x1000) };
        struct par_segment high[] = { P(0x21000, 0x21000, 0x1000) };
        struct par_segment none[] = { P(NONE, NONE, 0x1000) };
        static const struct par_segment expected[PIECES_MAX] = { P(0x10ff0, NONE, 0x10),
                                                                 P(0x20000, NONE, 0x1800) };
        struct par_sg_part part = { .memory = (void *)(uintptr_t)(BASE + 0xf00),
                                    .offset = 0xf0,
                                    .length = 0x1810 };
        struct par_buffer buffers[3];
        struct setup setup;
        struct par_sg *list, *nobodys;

        (void)state;
        begin(&setup);
        describe(&setup, &buffers[0], BASE, low, 2);
        describe(&setup, &buffers[1], BASE + 0x2000, high, 1);
        describe(&setup, &buffers[2], BASE + 0x3000, none, 1);
        for (size_t i = 0; i < 3; i++)
                assert_int_equal(lookup_insert(&setup.par.lookup, &buffers[i]), 0);
        list = list_of(&setup.par, NULL, &setup.device);
        assert_int_equal(par_sg_add(list, &part, 1), 0);
        check_segments("by address", list, expected);
        part.length = 0x3000;
        assert_int_equal(par_sg_add(list, &part, 1), -PAR_DENIED);
        part.offset = 0x4000;
        assert_int_equal(par_sg_add(list, &part, 1), -EFAULT);
        check_segments("by address", list, expected);
        setup.device.view = 1;
        part.offset = 0;
        assert_int_equal(par_sg_add(list, &part, 1), -EINVAL);
        nobodys = list_of(NULL, NULL, NULL);
        assert_int_equal(par_sg_add(nobodys, &part, 1), -EINVAL);
        par_sg_destroy(nobodys);
        par_sg_clear(list);
        setup.device.view = VIEW_DEVICES;
        part.length = 1;
        assert_int_equal(par_sg_add(list, &part, 1), 0);
        assert_int_equal(in_child(add_in_child, list), 1);
        par_sg_destroy(list);
        for (size_t i = 0; i < 3; i++)
                lookup_remove(&setup.par.lookup, &buffers[i]);
        end(&setup);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_sg_of_buffers),
                cmocka_unit_test(test_sg_keeps_the_limits_of_its_device),
                cmocka_unit_test(test_sg_mixes_no_addresses),
                cmocka_unit_test(test_sg_sees_through_bus_windows),
                cmocka_unit_test(test_sg_takes_no_part_that_is_none),
                cmocka_unit_test(test_sg_finds_memory_by_its_address),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
