/* SPDX-License-Identifier: MIT */
/*
 * In which half of the memory the next worker finds the ledger, whatever the former one left.
 */
#include "former_ledger.h"
#include "records.h"

#include "macros.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define SLOTS      64
#define HALF_BYTES (256 * KiB)
#define BYTES      (2 * HALF_BYTES)

static unsigned char *memory;
static struct ledger *ledger;

static bool is_empty(unsigned half)
{
        const unsigned char *at = memory + half * HALF_BYTES;

        return !at[0] && memcmp(at, at + 1, HALF_BYTES - 1) == 0;
}

/* Which half @ledger is in. */
static unsigned half_of(void)
{
        return (unsigned char *)ledger->head != memory;
}

/* As the next worker does. Return: whether what was there is lost. */
static bool open_again(void)
{
        bool lost;

        ledger_free(ledger);
        assert_int_equal(records_open(memory, BYTES, SLOTS, &ledger, &lost), 0);
        assert_int_equal(ledger->head->version, LEDGER_VERSION);
        assert_true(is_empty(!half_of()));
        return lost;
}

static void add_session(uint64_t id)
{
        uint32_t record;

        assert_int_equal(ledger_add_session(ledger,
                                            &(struct ledger_session){ .id = id, .name = "client" },
                                            &record),
                         0);
}

/* Let the ledger be one that the former version wrote, in the same half. */
static void make_former(void)
{
        static uint64_t former[HALF_BYTES / sizeof(uint64_t)];

        memset(former, 0, sizeof(former));
        former_ledger_write(ledger, former);
        memcpy(ledger->head, former, sizeof(former));
}

static int map_memory(void **state)
{
        const int fd = memfd_create("records", MFD_CLOEXEC);

        (void)state;
        assert_true(fd >= 0 && !ftruncate(fd, BYTES));
        memory = mmap(NULL, BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        assert_true(memory != MAP_FAILED);
        close(fd);
        ledger = NULL;
        return 0;
}

static int unmap_memory(void **state)
{
        (void)state;
        ledger_free(ledger);
        munmap(memory, BYTES);
        return 0;
}

/* ---- tests ---------------------------------------------------------------------------------- */

static void test_records_stay_where_they_are(void **state)
{
        (void)state;
        assert_false(open_again());
        assert_int_equal(half_of(), 0);
        add_session(7);
        assert_false(open_again());
        assert_int_equal(half_of(), 0);
        assert_int_equal(ledger_last_owner(ledger), 7);
}

/* From one half into the other, as often as there are upgrades. */
static void test_records_are_upgraded(void **state)
{
        (void)state;
        open_again();
        for (unsigned round = 1; round < 5; round++) {
                add_session(round);
                make_former();
                assert_false(open_again());
                assert_int_equal(half_of(), round % 2);
                assert_int_equal(ledger_last_owner(ledger), round);
                assert_int_equal(ledger->head->used[LEDGER_SESSIONS], round);
                assert_false(open_again());
                assert_int_equal(half_of(), round % 2);
        }
}

/* Somebody died in the middle: what the other half has does not count. */
static void test_records_are_upgraded_again(void **state)
{
        (void)state;
        open_again();
        add_session(7);
        make_former();
        memset(memory + HALF_BYTES + sizeof(uint64_t), 0x5a, HALF_BYTES - sizeof(uint64_t));
        assert_false(open_again());
        assert_int_equal(half_of(), 1);
        assert_int_equal(ledger_last_owner(ledger), 7);
        assert_int_equal(ledger->head->used[LEDGER_SESSIONS], 1);
}

/* Somebody died before the former half was emptied. */
static void test_records_of_the_later_version_count(void **state)
{
        static unsigned char former[HALF_BYTES];

        (void)state;
        open_again();
        make_former();
        memcpy(former, memory, sizeof(former));
        assert_false(open_again());
        add_session(8);
        memcpy(memory, former, sizeof(former));
        assert_false(open_again());
        assert_int_equal(half_of(), 1);
        assert_int_equal(ledger_last_owner(ledger), 8);
}

/* In either half. */
static void test_records_that_are_none_are_lost(void **state)
{
        static const uint32_t versions[] = { 0, LEDGER_VERSION + 1, UINT32_MAX };

        (void)state;
        open_again();
        for (size_t i = 0; i < ARRAY_SIZE(versions); i++)
                for (unsigned half = 0; half < 2; half++) {
                        if (half) {
                                make_former();
                                assert_false(open_again());
                        }
                        add_session(5);
                        assert_int_equal(half_of(), half);
                        ledger->head->version = versions[i];
                        assert_true(open_again());
                        assert_int_equal(half_of(), 0);
                        assert_int_equal(ledger_last_owner(ledger), 0);
                        assert_false(open_again());
                }
}

static void test_records_need_room(void **state)
{
        bool lost;

        (void)state;
        assert_int_equal(records_open(memory, 8 * KiB, 1 << 20, &ledger, &lost), -ENOSPC);
        assert_null(ledger);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(test_records_stay_where_they_are, map_memory,
                                                unmap_memory),
                cmocka_unit_test_setup_teardown(test_records_are_upgraded, map_memory,
                                                unmap_memory),
                cmocka_unit_test_setup_teardown(test_records_are_upgraded_again, map_memory,
                                                unmap_memory),
                cmocka_unit_test_setup_teardown(test_records_of_the_later_version_count, map_memory,
                                                unmap_memory),
                cmocka_unit_test_setup_teardown(test_records_that_are_none_are_lost, map_memory,
                                                unmap_memory),
                cmocka_unit_test_setup_teardown(test_records_need_room, map_memory, unmap_memory),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
