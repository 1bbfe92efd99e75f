/* SPDX-License-Identifier: MIT */
#include "pins.h"

#include "descriptors.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define BYTES ((size_t)4096)

/* Of 10 ms each: the kernel undoes pins in a worker of its own, which may have to wait. */
#define WAITS_MAX 3000

/* More than one ring has, and more ends than fit into its completions. */
#define MANY (PINS_A_RING + 2000)

static void *page;

static void wait_for_end(struct pins *pins, uint32_t pin)
{
        for (unsigned i = 0; i < WAITS_MAX && !pins_ended(pins, pin); i++)
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
        assert_int_equal(pins_init(&pins, 0), 0);
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
        assert_int_equal(pins_init(&pins, 0), 0);
        assert_int_equal(pins_add(&pins, (struct iovec){ guard, BYTES }, &pin), -EFAULT);
        assert_int_equal(pins.n_free, PINS_A_RING);
        pins_deinit(&pins);
        munmap(guard, BYTES);
}

/* ---- over exec ------------------------------------------------------------------------------ */

#define MEMORY_FD 100 /* what is pinned, and what is known of it, where the next program runs */
#define SAVED_FD  101

/* The kernel seals nothing that is referred to. */
static bool is_referred_to(int memory)
{
        return fcntl(memory, F_ADD_SEALS, F_SEAL_WRITE) < 0 && errno == EBUSY;
}

/* In the next program. Return: what was wrong; 0: nothing. */
static int go_on(uint32_t pin)
{
        unsigned char bytes[1 << 16];
        ssize_t n = read(SAVED_FD, bytes, sizeof(bytes));
        struct pins pins;
        uint32_t other;

        if (n <= 0 || pins_resume(&pins, bytes, (size_t)n - 1) != -EPROTO)
                return 1;
        if (pins_resume(&pins, bytes, (size_t)n) || pins.n_free != PINS_A_RING - 1)
                return 2;
        if (!is_referred_to(MEMORY_FD))
                return 3;
        page = mmap(NULL, BYTES, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        if (pins_add(&pins, (struct iovec){ page, BYTES }, &other) || other == pin)
                return 4;
        pins_remove(&pins, pin);
        for (unsigned i = 0; i < WAITS_MAX && !pins_ended(&pins, pin); i++)
                nanosleep(&(struct timespec){ .tv_nsec = 10 * 1000 * 1000 }, NULL);
        if (!pins_ended(&pins, pin) || is_referred_to(MEMORY_FD))
                return 5;
        pins_deinit(&pins);
        return 0;
}

static void __attribute__((__noreturn__)) execute(int memory, int saved, uint32_t pin)
{
        char number[16];

        snprintf(number, sizeof(number), "%u", pin);
        if (dup2(memory, MEMORY_FD) == MEMORY_FD && dup2(saved, SAVED_FD) == SAVED_FD)
                execl("/proc/self/exe", "test_pins", number, (char *)NULL);
        _exit(127);
}

static void test_pins_outlive_the_program(void **state)
{
        int memory = memfd_create("memory", MFD_CLOEXEC | MFD_ALLOW_SEALING);
        int saved = memfd_create("saved", MFD_CLOEXEC), status;
        struct pins pins;
        uint32_t pin;
        void *map, *bytes;
        size_t n;
        pid_t pid;

        (void)state;
        if (getenv("PAR_UNDER_VALGRIND"))
                skip(); /* this program is another one then */
        assert_int_equal(ftruncate(memory, BYTES), 0);
        map = mmap(NULL, BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, memory, 0);
        assert_int_equal(pins_init(&pins, 0), 0);
        assert_int_equal(pins_add(&pins, (struct iovec){ map, BYTES }, &pin), 0);
        munmap(map, BYTES);
        assert_int_equal(pins_save(&pins, &bytes, &n), 0);
        assert_int_equal(write(saved, bytes, n), (ssize_t)n);
        assert_int_equal(lseek(saved, 0, SEEK_SET), 0);

        pid = fork();
        if (pid == 0)
                execute(memory, saved, pin);
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_int_equal(status, 0);
        pins_deinit(&pins);
        free(bytes);
        close(memory);
        close(saved);
}

int main(int argc, char **argv)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_pins_end_and_their_numbers_are_used_again),
                cmocka_unit_test(test_pins_refuse_what_may_not_be_touched),
                cmocka_unit_test(test_pins_outlive_the_program),
        };
        struct pins pins;
        int r;

        if (argc > 1)
                return go_on((uint32_t)strtoul(argv[1], NULL, 10));
        r = pins_init(&pins, 0);
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
