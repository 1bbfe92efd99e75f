/* SPDX-License-Identifier: MIT */
/*
 * What ends a quarantine: devices that are quiet, time, and somebody's word.
 */
#include "macros.h"
#include "pci_address.h"
#include "result.h"
#include "world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define PAGE (2 * MiB)

static struct world world;
static struct client *driver, *root;

/* Devices nic0 to nic9 at 0000:00:00.0 to 0000:00:09.0, and one without an address. */
static uint32_t nic(unsigned number)
{
        return number << 3;
}

static void add_devices(void)
{
        static char names[10][8];

        for (unsigned i = 0; i < 10; i++) {
                struct device_settings *device = &world.devices[i];

                snprintf(names[i], sizeof(names[i]), "nic%u", i);
                *device = (struct device_settings){
                        .name = names[i],
                        .limits = { .window = RANGE_ALL, .align_bytes = 1, .max_segments = 1 },
                        .facts = { .known = true, .dma_mask_bits = 64, .node = -1 },
                };
                pci_address_text(nic(i), device->pci);
        }
        world.devices[10] = (struct device_settings){
                .name = (char *)(uintptr_t) "dsp",
                .limits = { .window = RANGE_ALL, .align_bytes = 1, .max_segments = 1 },
        };
        world.settings.n_devices = 11;
}

static void begin(void)
{
        world_init(&world, 16);
        add_devices();
        world_start(&world);
        driver = world_client(&world, 1000, "driver");
        root = world_client(&world, 0, "root");
}

static struct buffer *get(struct client *client, const char *devices)
{
        struct request request = world_request(PAGE);

        request.device = devices;
        return world_alloc(&world, client, request);
}

static void die(struct client *client)
{
        client_end(world.state, client, false, world.now_ns);
        world_pass(&world, 0);
}

static uint64_t quarantined(void)
{
        return world_bytes(&world).quarantined;
}

/* Why the only buffer is in quarantine. */
static const char *why(void)
{
        static struct buffer_report report;
        unsigned steps = 1000;
        uint64_t cursor = 0;

        assert_true(state_next_buffer(world.state, root, RANGE_ALL, NULL, world.now_ns, &cursor,
                                      &steps, &report));
        return report.note;
}

/* ---- what ends it --------------------------------------------------------------------------- */

/* In order: what happens, and whether the memory is still in quarantine afterwards. */
enum happening { END, PASS_4S, PASS_2S, QUIET_1, QUIET_2, MASTER_1, FAILED_1 };

static const struct {
        const char *name;
        const char *devices[3]; /* of its buffers */
        bool is_max;
        struct {
                enum happening what;
                bool held;
        } steps[5];
} endings[] = {
        { "no device", { "" }, false, { { PASS_4S, true }, { PASS_2S, false } } },
        { "a device without an address",
          { "dsp" },
          false,
          { { PASS_4S, true }, { PASS_2S, false } } },
        { "a quiet device", { "nic1" }, false, { { QUIET_1, false } } },
        { "a device that stays master, until it is quiet",
          { "nic1" },
          false,
          { { MASTER_1, true }, { PASS_4S, true }, { PASS_4S, true }, { QUIET_1, false } } },
        { "a device that stays master, and a longest time",
          { "nic1" },
          true,
          { { MASTER_1, true }, { PASS_4S, true }, { PASS_2S, false } } },
        { "a device that nobody has seen",
          { "nic1" },
          false,
          { { PASS_4S, true }, { PASS_4S, true } } },
        { "a device that cannot be looked at",
          { "nic1" },
          false,
          { { FAILED_1, true }, { PASS_4S, true }, { PASS_4S, true }, { QUIET_1, false } } },
        { "two devices of a buffer",
          { "nic1,nic2" },
          false,
          { { QUIET_2, true }, { MASTER_1, true }, { PASS_4S, true }, { QUIET_1, false } } },
        { "two devices of two buffers",
          { "nic1", "nic2" },
          false,
          { { QUIET_1, true }, { PASS_4S, true }, { PASS_4S, true }, { QUIET_2, false } } },
        { "a device with an address and one without",
          { "nic1,dsp" },
          false,
          { { QUIET_1, true }, { PASS_4S, true }, { PASS_2S, false } } },
        { "a buffer for a device and one for none",
          { "nic1", "" },
          false,
          { { PASS_4S, true }, { PASS_2S, true }, { QUIET_1, false } } },
        { "the same device by its address",
          { "nic1", "0000:00:01.0" },
          false,
          { { QUIET_1, false } } },
};

static void happen(enum happening what)
{
        switch (what) {
        case PASS_4S: world_pass(&world, 4 * NS_PER_S); return;
        case PASS_2S: world_pass(&world, 2 * NS_PER_S); return;
        case QUIET_1: world_see(&world, nic(1), SIGHT_QUIET); return;
        case QUIET_2: world_see(&world, nic(2), SIGHT_QUIET); return;
        case MASTER_1: world_see(&world, nic(1), SIGHT_MASTER); return;
        case FAILED_1: world_see(&world, nic(1), SIGHT_FAILED); return;
        case END: return;
        }
}

static void test_what_ends_a_quarantine(void **unused)
{
        int failed = 0;

        (void)unused;
        for (size_t i = 0; i < ARRAY_SIZE(endings); i++) {
                unsigned buffers = 0;

                begin();
                world.pools[0].quarantine_is_max = endings[i].is_max;
                for (; buffers < 3 && endings[i].devices[buffers]; buffers++)
                        get(driver, endings[i].devices[buffers]);
                assert_false(world_watch(&world, nic(1))->on); /* nobody is dead yet */
                die(driver);
                assert_int_equal(quarantined(), buffers * PAGE);
                for (size_t j = 0; endings[i].steps[j].what != END; j++) {
                        happen(endings[i].steps[j].what);
                        if (quarantined() == (endings[i].steps[j].held ? buffers * PAGE : 0))
                                continue;
                        print_error("%s: step %zu: %llu bytes in quarantine\n", endings[i].name, j,
                                    (unsigned long long)quarantined());
                        failed++;
                        break;
                }
                world_stop(&world);
        }
        assert_int_equal(failed, 0);
}

static void test_what_was_seen_before_a_death_counts_for_nothing(void **unused)
{
        struct client *second;
        uint32_t round;

        (void)unused;
        begin();
        second = world_client(&world, 1000, "second");
        get(driver, "nic1");
        get(second, "nic1");
        die(driver);
        round = world_watch(&world, nic(1))->round;
        die(second);
        assert_int_equal(quarantined(), 2 * PAGE);
        assert_int_equal(world_watch(&world, nic(1))->looks, 2);
        /* A look between the two deaths: the device has been another's since. */
        state_device_seen(world.state, nic(1), round, SIGHT_QUIET, world.now_ns);
        world_pass(&world, 0);
        assert_int_equal(quarantined(), PAGE);
        world_see(&world, nic(1), SIGHT_QUIET);
        assert_int_equal(quarantined(), 0);
        world_stop(&world);
}

static void test_quiet_once_is_enough(void **unused)
{
        (void)unused;
        begin();
        get(driver, "nic1,nic2");
        die(driver);
        world_see(&world, nic(1), SIGHT_QUIET);
        /* Somebody else has it now, and his own reasons. */
        world_watch(&world, nic(1))->on = true;
        world_see(&world, nic(1), SIGHT_MASTER);
        world_see(&world, nic(2), SIGHT_QUIET);
        assert_int_equal(quarantined(), 0);
        world_stop(&world);
}

static void test_who_says_that_devices_are_quiet_is_believed(void **unused)
{
        static const char *const words[] = { "Bye", "reclaim", "release", "release of a buffer" };

        (void)unused;
        for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
                struct selection which = { .name = "driver" };
                struct refusal refusal = { 0 };
                struct buffer *buffer;
                struct client *next;
                uint64_t bytes = 0;

                begin();
                next = world_client(&world, 1000, "driver");
                buffer = get(driver, "nic1");
                if (i == 3)
                        which = (struct selection){ .buffer = world_id(buffer) };
                client_end(world.state, driver, i == 0, world.now_ns);
                if (i == 1)
                        state_reclaim(world.state, next, "", world.now_ns, &bytes);
                else if (i)
                        assert_int_equal(state_end_quarantine(world.state, root, &which,
                                                              world.now_ns, &bytes, &refusal),
                                         0);
                world_pass(&world, 0);
                assert_int_equal(bytes, i ? PAGE : 0);
                if (quarantined() || world_watch(&world, nic(1))->on)
                        fail_msg("%s: %llu bytes in quarantine", words[i],
                                 (unsigned long long)quarantined());
                /* Late news of a device that nobody waits for. */
                state_device_seen(world.state, nic(1), 1, SIGHT_QUIET, world.now_ns);
                world_stop(&world);
        }
}

static void test_a_revoked_client_that_lives_keeps_its_devices(void **unused)
{
        struct selection which = { .name = "driver" };
        struct refusal refusal = { 0 };
        uint64_t bytes = 0;

        (void)unused;
        begin();
        get(driver, "nic1");
        assert_int_equal(state_revoke(world.state, root, &which, world.now_ns, &bytes, &refusal),
                         0);
        world_pass(&world, 6 * NS_PER_S);
        assert_int_equal(quarantined(), PAGE);
        assert_false(world_watch(&world, nic(1))->on);
        assert_string_equal(why(), "device 0000:00:01.0 may be in use: its client still runs");
        die(driver);
        assert_int_equal(quarantined(), PAGE);
        world_see(&world, nic(1), SIGHT_QUIET);
        assert_int_equal(quarantined(), 0);
        world_stop(&world);
}

static void test_a_buffer_that_was_freed_is_of_no_interest(void **unused)
{
        struct buffer *buffer;

        (void)unused;
        begin();
        buffer = get(driver, "nic1");
        get(driver, "nic2");
        assert_int_equal(state_release(world.state, driver, world_id(buffer), world.now_ns), 0);
        die(driver);
        assert_false(world_watch(&world, nic(1))->on);
        world_see(&world, nic(2), SIGHT_QUIET);
        assert_int_equal(quarantined(), 0);
        world_stop(&world);
}

static void test_of_too_many_devices_some_are_not_seen(void **unused)
{
        char name[8];

        (void)unused;
        begin();
        for (unsigned i = 0; i < 10; i++) {
                snprintf(name, sizeof(name), "nic%u", i);
                get(driver, name);
        }
        die(driver);
        for (unsigned i = 0; i < 10; i++)
                if (world_watch(&world, nic(i))->on)
                        world_see(&world, nic(i), SIGHT_QUIET);
        assert_int_equal(quarantined(), 10 * PAGE);
        assert_string_equal(why(), "not all of it was for PCI devices");
        world_pass(&world, 5 * NS_PER_S);
        assert_int_equal(quarantined(), 0);
        world_stop(&world);
}

/* ---- for people ----------------------------------------------------------------------------- */

static void test_it_is_told_why(void **unused)
{
        struct client_report client;
        struct status_report status;
        struct frame_report frame;
        struct buffer *buffer;
        unsigned steps = 1000;
        uint64_t cursor;

        (void)unused;
        begin();
        buffer = get(driver, "nic1");
        assert_string_equal(why(), "");
        cursor = client_id(driver) - 1;
        die(driver);
        assert_string_equal(why(), "device 0000:00:01.0 was not looked at yet");
        world_see(&world, nic(1), SIGHT_FAILED);
        assert_string_equal(why(), "device 0000:00:01.0 cannot be looked at");
        world_see(&world, nic(1), SIGHT_MASTER);
        assert_string_equal(why(), "device 0000:00:01.0 is still bus master");

        assert_true(state_next_client(world.state, root, world.now_ns, &cursor, &client));
        assert_string_equal(client.note, "device 0000:00:01.0 is still bus master");
        state_report(world.state, world.now_ns, &status);
        assert_string_equal(status.note, "device 0000:00:01.0 is still bus master");
        cursor = 0;
        assert_true(state_next_frame(world.state, root, range_of(world_first(buffer), 1), NULL,
                                     &cursor, &steps, &frame));
        assert_string_equal(frame.note, "device 0000:00:01.0 is still bus master");

        /* The log has it once, when the pool's time is over. */
        world_pass(&world, 4 * NS_PER_S);
        assert_null(strstr(world.last_log, "quarantine"));
        world_pass(&world, 2 * NS_PER_S);
        assert_string_equal(world.last_log,
                            "memory of driver (uid 1000, pid 5000) stays in quarantine: device "
                            "0000:00:01.0 is still bus master");
        world_see(&world, nic(1), SIGHT_QUIET);
        state_report(world.state, world.now_ns, &status);
        assert_string_equal(status.note, "");
        world_stop(&world);
}

static void test_time_is_told_where_nothing_is_seen(void **unused)
{
        (void)unused;
        begin();
        get(driver, "");
        die(driver);
        assert_string_equal(why(), "no PCI device was named");
        world_stop(&world);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_what_ends_a_quarantine),
                cmocka_unit_test(test_what_was_seen_before_a_death_counts_for_nothing),
                cmocka_unit_test(test_quiet_once_is_enough),
                cmocka_unit_test(test_who_says_that_devices_are_quiet_is_believed),
                cmocka_unit_test(test_a_revoked_client_that_lives_keeps_its_devices),
                cmocka_unit_test(test_a_buffer_that_was_freed_is_of_no_interest),
                cmocka_unit_test(test_of_too_many_devices_some_are_not_seen),
                cmocka_unit_test(test_it_is_told_why),
                cmocka_unit_test(test_time_is_told_where_nothing_is_seen),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
