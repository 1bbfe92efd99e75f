/* SPDX-License-Identifier: MIT */
/*
 * I/O addresses that clients tell: who is found at one, who had it before, who may know, and what a
 * client cannot make of it.
 */
#include "macros.h"
#include "random.h"
#include "world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define PAGE 4096u

static struct world world;
static struct client *root, *radio, *bench;

static const struct device_settings capture = {
        .name = (char *)(uintptr_t) "capture0",
        .limits = { .window = { 0, UINT64_MAX }, .align_bytes = 1, .max_segments = SEGMENTS_ANY },
        .pci = "0000:03:00.0",
};

static void begin(unsigned frames)
{
        world_init(&world, frames);
        world.devices[0] = capture;
        world.settings.devices = world.devices;
        world.settings.n_devices = 1;
        world_start(&world);
        root = world_client(&world, 0, "admin");
        radio = world_client(&world, 1001, "radio0");
        bench = world_client(&world, 1002, "bench");
}

static struct buffer *get(struct client *client, uint64_t size, const char *label)
{
        struct request request = world_request(size);

        request.label = label;
        return world_alloc(&world, client, request);
}

/* Without the walk of everything: for many. */
static int tell_quickly(struct client *client, const struct buffer *buffer, uint32_t space,
                        const char *device, uint64_t first, uint64_t bytes)
{
        const struct io_tell_part part = { range_of(first, bytes), 0 };
        const struct io_tell tell = {
                .buffer = world_id(buffer),
                .space = space,
                .device = device,
                .parts = &part,
                .n_parts = 1,
        };
        struct refusal refusal;

        return state_io_tell(world.state, client, &tell, world.now_ns, &refusal);
}

static int tell_of(struct client *client, const struct buffer *buffer, uint32_t space,
                   const char *device, uint64_t first, uint64_t bytes)
{
        int r = tell_quickly(client, buffer, space, device, first, bytes);

        state_check(world.state);
        return r;
}

/* Grant a buffer, and tell where it is. */
static struct buffer *map(struct client *client, uint32_t space, const char *device, uint64_t first,
                          const char *label)
{
        struct buffer *buffer = get(client, 2 * PAGE, label);

        assert_int_equal(tell_of(client, buffer, space, device, first, 2 * PAGE), 0);
        return buffer;
}

static void release(struct client *client, const struct buffer *buffer)
{
        assert_int_equal(state_release(world.state, client, world_id(buffer), world.now_ns), 0);
        state_check(world.state);
}

static const struct io_report *look(struct client *asker, uint64_t address, const char *device)
{
        static struct io_report report;

        state_io_lookup(world.state, asker, address, device, world.now_ns, &report);
        return &report;
}

/* ---- who is found --------------------------------------------------------------------------- */

static void test_io_finds_the_holder(void **unused)
{
        const struct io_report *report;
        struct buffer *buffer;

        (void)unused;
        begin(4);
        buffer = map(radio, 1, "capture0", 0x10000, "iq-ring");
        report = look(root, 0x11008, "");
        assert_int_equal(report->n_holders, 1);
        assert_int_equal(report->n_former, 0);
        assert_string_equal(report->holders[0].client, "radio0");
        assert_string_equal(report->holders[0].label, "iq-ring");
        assert_string_equal(report->holders[0].device, "capture0");
        assert_int_equal(report->holders[0].uid, 1001);
        assert_int_equal(report->holders[0].buffer, world_id(buffer));
        assert_int_equal(report->holders[0].offset, 0x1008);
        assert_int_equal(report->holders[0].iova.first, 0x10000);
        assert_int_equal(report->holders[0].iova.last, 0x11fff);
        assert_true(report->holders[0].has_phys);
        assert_int_equal(report->holders[0].phys, world_first(buffer) + 0x1008);
        /* The configuration knows the address of the device. */
        assert_true(report->holders[0].has_pci);
        assert_int_equal(report->holders[0].pci.bus, 3);
        assert_string_equal(report->holders[0].state, "granted");

        assert_int_equal(look(root, 0xffff, "")->n_holders, 0);
        assert_int_equal(look(root, 0x12000, "")->n_holders, 0);
        world_stop(&world);
}

static void test_io_names_the_former_holder(void **unused)
{
        const struct io_holder *former;
        struct buffer *buffer;
        uint64_t phys;

        (void)unused;
        begin(4);
        buffer = map(radio, 1, "capture0", 0x10000, "iq-ring");
        phys = world_first(buffer);
        world_pass(&world, NS_PER_S);
        release(radio, buffer);
        world_pass(&world, 5 * NS_PER_S);
        assert_int_equal(look(root, 0x10010, "")->n_holders, 0);
        assert_int_equal(look(root, 0x10010, "03:00.0")->n_former, 1);
        former = &look(root, 0x10010, "0000:03:00.0")->former[0];
        assert_string_equal(former->client, "radio0");
        assert_string_equal(former->label, "iq-ring");
        assert_string_equal(former->device, "capture0");
        assert_int_equal(former->uid, 1001);
        assert_int_equal(former->age_ns, 5 * NS_PER_S);
        assert_int_equal(former->offset, 0x10);
        assert_true(former->has_phys);
        assert_int_equal(former->phys, phys + 0x10);

        /* The same again is one entry; another label is another one, and the latest comes first. */
        release(radio, map(radio, 1, "capture0", 0x10000, "iq-ring"));
        assert_int_equal(look(root, 0x10010, "")->n_former, 1);
        assert_int_equal(look(root, 0x10010, "")->former[0].age_ns, 0);
        world_pass(&world, NS_PER_S);
        release(radio, map(radio, 1, "capture0", 0x11000, "scratch"));
        assert_int_equal(look(root, 0x11010, "")->n_former, 2);
        assert_string_equal(look(root, 0x11010, "")->former[0].label, "scratch");
        world_stop(&world);
}

/* Not even of his own buffer: it may be of a pool that does not tell. */
static void test_io_places_are_for_administrators(void **unused)
{
        struct buffer *buffer;

        (void)unused;
        begin(4);
        buffer = map(radio, 1, "capture0", 0x10000, "iq-ring");
        assert_true(look(radio, 0x10000, "")->holders[0].known);
        assert_false(look(radio, 0x10000, "")->holders[0].has_phys);
        release(radio, buffer);
        assert_false(look(radio, 0x10000, "")->former[0].has_phys);
        assert_true(look(root, 0x10000, "")->former[0].has_phys);
        world_stop(&world);
}

static void test_io_knows_who_died(void **unused)
{
        const struct io_report *report;
        struct buffer *buffer;

        (void)unused;
        begin(4);
        world.pools[0].quarantine_ns = 10 * NS_PER_S;
        buffer = map(radio, 1, "capture0", 0x10000, "iq-ring");
        (void)buffer;
        client_end(world.state, radio, false, world.now_ns);
        state_check(world.state);
        world_pass(&world, 2 * NS_PER_S);
        report = look(root, 0x10000, "");
        assert_int_equal(report->n_holders, 1);
        assert_string_equal(report->holders[0].client, "radio0");
        assert_string_equal(report->holders[0].state, "quarantined");
        world_pass(&world, 18 * NS_PER_S);
        report = look(root, 0x10000, "");
        assert_int_equal(report->n_holders, 0);
        assert_int_equal(report->n_former, 1);
        assert_int_equal(report->former[0].age_ns, 20 * NS_PER_S); /* since its death */
        world_stop(&world);
}

/* ---- several at one address ----------------------------------------------------------------- */

static void test_io_lists_all_spaces(void **unused)
{
        const struct io_report *report;

        (void)unused;
        begin(8);
        map(radio, 1, "capture0", 0x10000, "a");
        map(radio, 2, "0000:04:00.0", 0x10000, "b");
        map(bench, 1, "disk,0000:05:00.0", 0x11000, "c");
        assert_int_equal(look(root, 0x11000, "")->n_holders, 3);
        assert_int_equal(look(root, 0x10000, "")->n_holders, 2);

        report = look(root, 0x11000, "04:00.0");
        assert_int_equal(report->n_holders, 1);
        assert_false(report->other_devices);
        assert_string_equal(report->holders[0].label, "b");
        assert_string_equal(look(root, 0x11000, "disk")->holders[0].label, "c");
        assert_int_equal(look(root, 0x11000, "disk")->n_holders, 1);
        assert_string_equal(look(root, 0x11000, "0000:05:00.0")->holders[0].label, "c");

        /* Of no other device: all of them, and it says so. Not a part of a name. */
        report = look(root, 0x11000, "06:00.0");
        assert_int_equal(report->n_holders, 3);
        assert_true(report->other_devices);
        assert_true(look(root, 0x11000, "dis")->other_devices);
        assert_true(look(root, 0x11000, "0001:04:00.0")->other_devices);
        assert_false(look(root, 0x13000, "06:00.0")->other_devices);

        /* One that was of the device in question matters more than who has it for another. */
        release(radio, map(radio, 3, "0000:07:00.0", 0x10000, "d"));
        report = look(root, 0x10000, "07:00.0");
        assert_int_equal(report->n_holders, 0);
        assert_int_equal(report->n_former, 1);
        assert_false(report->other_devices);
        world_stop(&world);
}

static void test_io_space_has_one_at_an_address(void **unused)
{
        const struct io_report *report;
        struct buffer *first, *second;

        (void)unused;
        begin(8);
        first = map(radio, 1, "capture0", 0x10000, "first");
        second = map(radio, 1, "capture0", 0x11000, "second");
        report = look(root, 0x11000, "");
        assert_int_equal(report->n_holders, 1);
        assert_string_equal(report->holders[0].label, "second");
        assert_string_equal(report->former[0].label, "first");
        assert_int_equal(look(root, 0x10000, "")->n_holders, 0);

        /* Told again elsewhere; and that it is not mapped any more. */
        assert_int_equal(tell_of(radio, first, 1, "capture0", 0x20000, PAGE), 0);
        assert_int_equal(tell_of(radio, first, 1, "capture0", 0x30000, PAGE), 0);
        assert_int_equal(look(root, 0x20000, "")->n_holders, 0);
        assert_int_equal(look(root, 0x20000, "")->n_former, 1);
        assert_int_equal(look(root, 0x30000, "")->n_holders, 1);
        assert_int_equal(state_io_tell(world.state, radio,
                                       &(struct io_tell){ .buffer = world_id(first) }, world.now_ns,
                                       NULL),
                         0);
        assert_int_equal(look(root, 0x30000, "")->n_holders, 0);
        release(radio, first);
        release(radio, second);
        world_stop(&world);
}

/* ---- who may know --------------------------------------------------------------------------- */

static void test_io_strangers_learn_no_names(void **unused)
{
        static const char *const questions[] = { "", "capture0", "03:00.0", "other" };
        struct buffer *buffer;

        (void)unused;
        begin(4);
        buffer = map(radio, 1, "capture0", 0x10000, "iq-ring");
        for (int is_former = 0; is_former < 2; is_former++) {
                for (size_t i = 0; i < ARRAY_SIZE(questions); i++) {
                        const struct io_report *report = look(bench, 0x10000, questions[i]);
                        const struct io_holder *holder =
                                is_former ? report->former : report->holders;

                        assert_int_equal(is_former ? report->n_former : report->n_holders, 1);
                        /* Nor whether they guessed the device. */
                        assert_int_equal(report->other_devices, *questions[i] != '\0');
                        assert_false(holder->known || holder->has_pci || holder->has_phys);
                        assert_int_equal(holder->uid, 0);
                        assert_int_equal(holder->pid, 0);
                        assert_string_equal(holder->client, "");
                        assert_string_equal(holder->label, "");
                        assert_string_equal(holder->device, "");
                }
                assert_true(
                        look(world_client(&world, 1001, "friend"), 0x10000, "")->holders[0].known ||
                        is_former);
                if (!is_former)
                        release(radio, buffer);
        }
        world_stop(&world);
}

/* ---- what a client cannot say --------------------------------------------------------------- */

static const struct {
        const char *name;
        uint32_t space;
        size_t n;
        struct io_tell_part parts[2];
        int result;
} tell_cases[] = {
        { "all of it", 1, 1, { { { 0, 2 * PAGE - 1 }, 0 } }, 0 },
        { "its last byte at the last address",
          IO_SPACES_MAX,
          1,
          { { { UINT64_MAX, UINT64_MAX }, 2 * PAGE - 1 } },
          0 },
        { "two parts", 1, 2, { { { 0, 9 }, 0 }, { { 10, 19 }, 10 } }, 0 },
        { "two parts at one address",
          1,
          2,
          { { { 0, 9 }, 0 }, { { 9, 18 }, 10 } },
          PAR_REFUSED_INVALID },
        { "a byte too many", 1, 1, { { { 0, 2 * PAGE }, 0 } }, PAR_REFUSED_INVALID },
        { "a byte too far", 1, 1, { { { 0, 2 * PAGE - 1 }, 1 } }, PAR_REFUSED_INVALID },
        { "beyond it", 1, 1, { { { 0, 0 }, 2 * PAGE } }, PAR_REFUSED_INVALID },
        { "far beyond it", 1, 1, { { { 0, 0 }, UINT64_MAX } }, PAR_REFUSED_INVALID },
        { "everything", 1, 1, { { { 0, UINT64_MAX }, 0 } }, PAR_REFUSED_INVALID },
        { "the wrong way round", 1, 1, { { { 1, 0 }, 0 } }, PAR_REFUSED_INVALID },
        { "space 0", 0, 1, { { { 0, 0 }, 0 } }, PAR_REFUSED_INVALID },
        { "a space too many", IO_SPACES_MAX + 1, 1, { { { 0, 0 }, 0 } }, PAR_REFUSED_INVALID },
};

static void test_io_holds_what_is_said_against_the_buffer(void **unused)
{
        struct refusal refusal;
        struct buffer *buffer;

        (void)unused;
        begin(4);
        buffer = get(radio, 2 * PAGE, NULL);
        for (size_t i = 0; i < ARRAY_SIZE(tell_cases); i++) {
                struct io_tell tell = {
                        .buffer = world_id(buffer),
                        .space = tell_cases[i].space,
                        .device = "",
                        .parts = tell_cases[i].parts,
                        .n_parts = tell_cases[i].n,
                };
                int r = state_io_tell(world.state, radio, &tell, world.now_ns, &refusal);

                state_check(world.state);
                if (r != tell_cases[i].result)
                        fail_msg("%s: %d", tell_cases[i].name, r);
                assert_int_equal(state_io_tell(world.state, bench, &tell, world.now_ns, &refusal),
                                 PAR_REFUSED_GONE);
        }
        world_stop(&world);
}

static void test_io_device_names_are_text(void **unused)
{
        (void)unused;
        begin(4);
        map(radio, 1, "a\033[2Jb", 0x10000, "");
        assert_string_equal(look(root, 0x10000, "")->holders[0].device, "a?[2Jb");
        world_stop(&world);
}

static void test_io_replaces_only_so_many(void **unused)
{
        struct buffer *large, *last = NULL;

        (void)unused;
        begin(16);
        large = get(radio, MiB, "large");
        for (unsigned i = 0; i < 17; i++)
                last = map(radio, 1, "", 0x10000 + i * 2 * PAGE, "small");
        assert_int_equal(tell_of(radio, large, 1, "", 0x10000, MiB), PAR_REFUSED_BUSY);
        assert_int_equal(look(root, 0x10000, "")->n_holders, 1);
        assert_int_equal(look(root, 0x10000, "")->n_former, 0);
        release(radio, last);
        assert_int_equal(tell_of(radio, large, 1, "", 0x10000, MiB), 0);
        assert_string_equal(look(root, 0x10000, "")->holders[0].label, "large");
        assert_string_equal(look(root, 0x10000, "")->former[0].label, "small");
        world_stop(&world);
}

/* Who ends many mappings makes pard forget his own. */
static void test_io_past_is_bounded(void **unused)
{
        const unsigned many = 1200; /* a uid has 1,024 */
        struct buffer *buffer;

        (void)unused;
        begin(4);
        release(bench, map(bench, 1, "", 0x10000, "mine"));
        buffer = get(radio, PAGE, "hers");
        for (unsigned i = 0; i < many; i++)
                assert_int_equal(tell_of(radio, buffer, 1, "", (i + 100) * 0x1000ul, PAGE), 0);
        assert_int_equal(look(root, 0x10000, "")->n_former, 1);
        assert_int_equal(look(root, 100 * 0x1000, "")->n_former, 0);
        assert_int_equal(look(root, (100 + many - 1025) * 0x1000ul, "")->n_former, 1);
        assert_int_equal(look(root, (100 + many - 1026) * 0x1000ul, "")->n_former, 0);
        assert_int_equal(look(root, (100 + many - 2) * 0x1000ul, "")->n_former, 1);
        world_stop(&world);
}

/* And all together make it forget what ended longest ago. */
static void test_io_past_of_all_is_bounded(void **unused)
{
        const unsigned uids = 10, each = 1000; /* 8,192 are remembered */

        (void)unused;
        begin(16);
        for (unsigned uid = 0; uid < uids; uid++) {
                struct client *client = world_client(&world, 2000 + uid, "many");
                struct buffer *buffer = get(client, PAGE, "");

                for (uint64_t i = 0; i <= each; i++)
                        assert_int_equal(
                                tell_quickly(client, buffer, 1, "", (uid * each + i) * PAGE, PAGE),
                                0);
                state_check(world.state);
        }
        assert_int_equal(look(root, (uids * each - 8192) * PAGE, "")->n_former, 1);
        assert_int_equal(look(root, (uids * each - 8193) * PAGE, "")->n_former, 0);
        assert_int_equal(look(root, (uids * each - 1) * PAGE, "")->n_former, 1);
        world_stop(&world);
}

static void test_io_answer_is_bounded(void **unused)
{
        const struct io_report *report;

        (void)unused;
        begin(32);
        for (uint32_t i = 1; i <= 12; i++)
                map(radio, i, i == 12 ? "capture0" : "", 0x10000, "many");
        report = look(root, 0x10000, "");
        assert_int_equal(report->n_holders, IO_HOLDERS_MAX);
        assert_true(report->more);
        report = look(root, 0x10000, "capture0");
        assert_int_equal(report->n_holders, 1);
        assert_false(report->more);
        world_stop(&world);
}

/* ---- against a list ------------------------------------------------------------------------- */

#define MODEL_BUFFERS 48
#define MODEL_SPACES  3

struct model {
        struct buffer *buffer;
        struct client *client;
        uint32_t space;
        bool told;
        struct range iova;
};

/* Others of the same client's space that overlap end. Return: how many there are. */
static size_t model_replace(struct model *all, const struct model *by)
{
        size_t n = 0;

        for (size_t i = 0; i < MODEL_BUFFERS; i++)
                if (&all[i] != by && all[i].told && all[i].client == by->client &&
                    all[i].space == by->space && range_overlaps(all[i].iova, by->iova)) {
                        all[i].told = false;
                        n++;
                }
        return n;
}

static void compare(const struct model *all, uint64_t address)
{
        const struct io_report *report = look(root, address, "");
        size_t n = 0;

        for (size_t i = 0; i < MODEL_BUFFERS; i++) {
                bool has = all[i].told &&
                           range_contains(all[i].iova, (struct range){ address, address });
                bool found = false;

                for (size_t j = 0; j < report->n_holders; j++)
                        found = found || report->holders[j].buffer == world_id(all[i].buffer);
                n += has;
                assert_true(found == has || (has && report->more));
        }
        assert_int_equal(report->n_holders, n < IO_HOLDERS_MAX ? n : IO_HOLDERS_MAX);
        assert_true(report->more || n <= IO_HOLDERS_MAX);
}

static void test_io_finds_what_a_list_finds(void **unused)
{
        static struct model all[MODEL_BUFFERS];
        struct random random = { 6 };

        (void)unused;
        begin(64);
        for (size_t i = 0; i < MODEL_BUFFERS; i++)
                all[i] = (struct model){ .client = i % 2 ? radio : bench };
        for (size_t i = 0; i < MODEL_BUFFERS; i++)
                all[i].buffer = get(all[i].client, 64 * PAGE, "");
        for (unsigned step = 0; step < 3000; step++) {
                struct model *one = &all[random_below(&random, MODEL_BUFFERS)];
                uint64_t bytes = (1 + random_below(&random, 64)) * PAGE;

                if (random_one_in(&random, 3)) {
                        release(one->client, one->buffer);
                        one->buffer = get(one->client, 64 * PAGE, "");
                        one->told = false;
                        continue;
                }
                one->space = 1 + (uint32_t)random_below(&random, MODEL_SPACES);
                one->iova = range_of(random_below(&random, 256) * PAGE, bytes);
                assert_int_equal(
                        tell_of(one->client, one->buffer, one->space, "", one->iova.first, bytes),
                        0);
                model_replace(all, one);
                one->told = true;
                for (unsigned i = 0; i < 4; i++)
                        compare(all, random_below(&random, 330) * PAGE);
        }
        world_stop(&world);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_io_finds_the_holder),
                cmocka_unit_test(test_io_names_the_former_holder),
                cmocka_unit_test(test_io_places_are_for_administrators),
                cmocka_unit_test(test_io_knows_who_died),
                cmocka_unit_test(test_io_lists_all_spaces),
                cmocka_unit_test(test_io_space_has_one_at_an_address),
                cmocka_unit_test(test_io_strangers_learn_no_names),
                cmocka_unit_test(test_io_holds_what_is_said_against_the_buffer),
                cmocka_unit_test(test_io_device_names_are_text),
                cmocka_unit_test(test_io_replaces_only_so_many),
                cmocka_unit_test(test_io_past_is_bounded),
                cmocka_unit_test(test_io_past_of_all_is_bounded),
                cmocka_unit_test(test_io_answer_is_bounded),
                cmocka_unit_test(test_io_finds_what_a_list_finds),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
