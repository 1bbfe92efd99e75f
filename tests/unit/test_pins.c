/* SPDX-License-Identifier: MIT */
#include "pins.h"

#include "descriptors.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#define BYTES ((size_t)4096)

/* More than one ring has, and more ends than fit into its completions. */
#define MANY (PINS_A_RING + 2000)

static void *page;

static void wait_for_end(struct pins *pins, uint32_t pin)
{
        for (unsigned i = 0; i < 500 && !pins_ended(pins, pin); i++)
                nanosleep(&(struct timespec){ .tv_nsec = 10 * 1000 * 1000 }, NULL);
        assert_true(pins_ended(pins, pin));
}

static void test_pins_end_and_their_numbers_are_used_again(void **state)
{
        unsigned descriptors = descriptors_open();
        struct pins pins;
        uint32_t *all;
        int r = 0;

        (void)state;
        all = calloc(MANY, sizeof(*all));
        assert_non_null(all);
        assert_int_equal(pins_init(&pins), 0);
        for (unsigned turn = 0; turn < 2 && !r; turn++) {
                uint32_t n = 0;

                while (n < MANY && !r) {
                        r = pins_add(&pins, (struct iovec){ page, BYTES }, &all[n]);
                        n += r == 0;
                }
                /* Without privilege the memory that may be locked is soon used up. */
                assert_true(r == 0 || r == -ENOMEM);
                assert_int_equal(pins.n_free, pins.n_rings * PINS_A_RING - n);
                for (uint32_t i = 0; i < n; i++)
                        pins_remove(&pins, all[i]);
                for (uint32_t i = 0; i < n; i++)
                        wait_for_end(&pins, all[i]);
                assert_int_equal(pins.n_free, pins.n_rings * PINS_A_RING);
                assert_true(pins.n_rings <= 2);
        }
        pins_deinit(&pins);
        free(all);
        assert_int_equal(descriptors_open(), descriptors);
}

static void test_pins_refuse_what_may_not_be_touched(void **state)
{
        void *guard = mmap(NULL, BYTES, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        struct pins pins;
        uint32_t pin;

        (void)state;
        assert_int_equal(pins_init(&pins), 0);
        assert_int_equal(pins_add(&pins, (struct iovec){ guard, BYTES }, &pin), -EFAULT);
        assert_int_equal(pins.n_free, PINS_A_RING);
        pins_deinit(&pins);
        munmap(guard, BYTES);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_pins_end_and_their_numbers_are_used_again),
                cmocka_unit_test(test_pins_refuse_what_may_not_be_touched),
        };
        struct pins pins;
        int r;

        r = pins_init(&pins);
        if (r) {
                fprintf(stderr, "skipped: no io_uring ring: %s\n", strerror(-r));
                return 77;
        }
        pins_deinit(&pins);
        page = mmap(NULL, BYTES, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        if (page == MAP_FAILED)
                return 1;
        return cmocka_run_group_tests_name("pins", tests, NULL, NULL);
}
