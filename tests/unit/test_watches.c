/* SPDX-License-Identifier: MIT */
/*
 * Looking at devices: what is told of them, and when. What a look brings is the test's to say; a
 * look may be held until it says so.
 */
#include "watches.h"

#include "keeper_protocol.h"
#include "macros.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <poll.h>

#define DEVICE      0x800u /* 0000:08:00.0 */
#define PATIENCE_MS 20000

/**
 * struct bench - the thread, and the devices
 * @lock:    over the rest
 * @answer:  what a look at DEVICE or above says
 * @held:    looks wait
 * @begun, @looks: looks that were begun; and that are over
 */
static struct {
        struct reports reports;
        struct watches watches;
        pthread_mutex_t lock;
        pthread_cond_t changed;
        int answer;
        bool held;
        unsigned begun, looks;
} bench;

static int look(void *data, uint32_t device)
{
        int answer;

        assert_ptr_equal(data, &bench);
        pthread_mutex_lock(&bench.lock);
        bench.begun++;
        pthread_cond_broadcast(&bench.changed);
        while (bench.held)
                pthread_cond_wait(&bench.changed, &bench.lock);
        bench.looks++;
        answer = device >= DEVICE ? bench.answer : 0;
        pthread_cond_broadcast(&bench.changed);
        pthread_mutex_unlock(&bench.lock);
        return answer;
}

static void answer(int answer, bool held)
{
        pthread_mutex_lock(&bench.lock);
        bench.answer = answer;
        bench.held = held;
        pthread_cond_broadcast(&bench.changed);
        pthread_mutex_unlock(&bench.lock);
}

/* So many looks more begin; and, but for a held one, end. */
static void await_looks(unsigned more)
{
        unsigned until;

        pthread_mutex_lock(&bench.lock);
        until = bench.begun + more;
        while (bench.begun < until || (!bench.held && bench.looks < until))
                pthread_cond_wait(&bench.changed, &bench.lock);
        pthread_mutex_unlock(&bench.lock);
}

static void await_held_look(void)
{
        pthread_mutex_lock(&bench.lock);
        while (bench.begun == bench.looks)
                pthread_cond_wait(&bench.changed, &bench.lock);
        pthread_mutex_unlock(&bench.lock);
}

static struct sighting hear(void)
{
        struct pollfd news = { bench.reports.event, POLLIN, 0 };
        struct report *report;
        struct sighting seen;

        while (!(report = reports_next(&bench.reports))) {
                if (poll(&news, 1, PATIENCE_MS) != 1)
                        fail_msg("nothing was seen");
                reports_clear_event(&bench.reports);
        }
        assert_int_equal(report->kind, REPORT_SEEN);
        seen = report->seen;
        report_free(report);
        return seen;
}

static void expect(uint32_t device, uint32_t round, int result)
{
        struct sighting seen = hear();

        if (seen.device != device || seen.round != round || seen.result != result)
                fail_msg("device %#x, round %u: %d", seen.device, seen.round, seen.result);
}

static int begin(void **state)
{
        (void)state;
        bench.answer = 1;
        bench.held = false;
        bench.begun = bench.looks = 0;
        pthread_mutex_init(&bench.lock, NULL);
        pthread_cond_init(&bench.changed, NULL);
        assert_int_equal(reports_init(&bench.reports), 0);
        assert_int_equal(watches_init(&bench.watches, &bench.reports, look, &bench), 0);
        return 0;
}

static int end(void **state)
{
        struct report *report;

        (void)state;
        watches_stop(&bench.watches);
        report = reports_next(&bench.reports);
        assert_null(report); /* nothing that no test expected */
        reports_deinit(&bench.reports);
        pthread_cond_destroy(&bench.changed);
        pthread_mutex_destroy(&bench.lock);
        return 0;
}

static uint32_t devices_left(void)
{
        uint32_t count;

        pthread_mutex_lock(&bench.watches.lock);
        count = bench.watches.count;
        pthread_mutex_unlock(&bench.watches.lock);
        return count;
}

static void test_watches_tell_a_quiet_device_once(void **state)
{
        (void)state;
        answer(0, false);
        assert_int_equal(watches_add(&bench.watches, DEVICE, 7), 0);
        expect(DEVICE, 7, KEEPER_SEEN_QUIET);
        assert_int_equal(devices_left(), 0);
}

static void test_watches_tell_what_changes(void **state)
{
        (void)state;
        assert_int_equal(watches_add(&bench.watches, DEVICE, 1), 0);
        expect(DEVICE, 1, KEEPER_SEEN_MASTER);
        await_looks(4); /* of which nothing is told */
        answer(-EIO, false);
        expect(DEVICE, 1, -EIO);
        await_looks(2);
        answer(0, false);
        expect(DEVICE, 1, KEEPER_SEEN_QUIET);
        assert_int_equal(devices_left(), 0);
}

static void test_watches_look_again_where_asked_during_a_look(void **state)
{
        (void)state;
        answer(0, true);
        assert_int_equal(watches_add(&bench.watches, DEVICE, 1), 0);
        await_held_look();
        assert_int_equal(watches_add(&bench.watches, DEVICE, 2), 0);
        answer(0, false);
        expect(DEVICE, 1, KEEPER_SEEN_QUIET); /* for who asked before the look */
        expect(DEVICE, 2, KEEPER_SEEN_QUIET);
        assert_int_equal(devices_left(), 0);
}

static void test_watches_tell_nothing_of_what_nobody_asks_for(void **state)
{
        (void)state;
        answer(0, true);
        assert_int_equal(watches_add(&bench.watches, DEVICE, 1), 0);
        await_held_look();
        watches_remove(&bench.watches, DEVICE);
        watches_remove(&bench.watches, DEVICE + 1); /* was never there */
        answer(1, false);
        assert_int_equal(watches_add(&bench.watches, DEVICE + 8, 2), 0);
        expect(DEVICE + 8, 2, KEEPER_SEEN_MASTER);
        answer(1, true);
        await_held_look();
        watches_clear(&bench.watches);
        answer(1, false);
        assert_int_equal(devices_left(), 0);
}

static void test_watches_keep_devices_apart(void **state)
{
        (void)state;
        assert_int_equal(watches_add(&bench.watches, DEVICE, 1), 0);
        expect(DEVICE, 1, KEEPER_SEEN_MASTER);
        assert_int_equal(watches_add(&bench.watches, 8, 1), 0);
        expect(8, 1, KEEPER_SEEN_QUIET);
        assert_int_equal(devices_left(), 1);
}

static void test_watches_tell_epochs_apart(void **state)
{
        struct sighting seen;

        (void)state;
        answer(0, false);
        assert_int_equal(watches_add(&bench.watches, DEVICE, 1), 0);
        seen = hear();
        assert_true(watches_are_of(&bench.watches, &seen));
        watches_clear(&bench.watches);
        assert_false(watches_are_of(&bench.watches, &seen));
        assert_int_equal(watches_add(&bench.watches, DEVICE, 1), 0);
        seen = hear();
        assert_true(watches_are_of(&bench.watches, &seen));

        /* A look that began before is not told to who asks after it. */
        answer(0, true);
        assert_int_equal(watches_add(&bench.watches, DEVICE, 5), 0);
        await_held_look();
        watches_clear(&bench.watches);
        assert_int_equal(watches_add(&bench.watches, DEVICE, 1), 0);
        answer(0, false);
        expect(DEVICE, 1, KEEPER_SEEN_QUIET);
}

static void test_watches_are_bounded(void **state)
{
        (void)state;
        answer(1, true);
        for (uint32_t i = 0; i < KEEPER_WATCHES_MAX; i++)
                assert_int_equal(watches_add(&bench.watches, DEVICE + i, 1), 0);
        assert_int_equal(watches_add(&bench.watches, DEVICE + KEEPER_WATCHES_MAX, 1), -ENOSPC);
        assert_int_equal(watches_add(&bench.watches, DEVICE, 2), 0);
        await_held_look();
        watches_clear(&bench.watches);
        answer(1, false);
        assert_int_equal(watches_add(&bench.watches, 8, 3), 0);
        expect(8, 3, KEEPER_SEEN_QUIET);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(test_watches_tell_a_quiet_device_once, begin, end),
                cmocka_unit_test_setup_teardown(test_watches_tell_what_changes, begin, end),
                cmocka_unit_test_setup_teardown(test_watches_look_again_where_asked_during_a_look,
                                                begin, end),
                cmocka_unit_test_setup_teardown(test_watches_tell_nothing_of_what_nobody_asks_for,
                                                begin, end),
                cmocka_unit_test_setup_teardown(test_watches_keep_devices_apart, begin, end),
                cmocka_unit_test_setup_teardown(test_watches_tell_epochs_apart, begin, end),
                cmocka_unit_test_setup_teardown(test_watches_are_bounded, begin, end),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
