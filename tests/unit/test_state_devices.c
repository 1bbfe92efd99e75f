/* SPDX-License-Identifier: MIT */
/*
 * Devices: several at once, what they have in common and what not, and bus windows: memory that a
 * device sees elsewhere than the processor does.
 */
#include "macros.h"
#include "world.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define PAGE (2 * MiB)

/* Where the boards' memory begins: just above 31 bits, and at 40 bits. */
#define RAM_31 (2 * GiB)
#define RAM_40 (512 * GiB)

#define LIMITS(first_address, last_address)                    \
        .limits = { .window = { first_address, last_address }, \
                    .align_bytes = 1,                          \
                    .max_segments = SEGMENTS_ANY }
#define NAME(text) .name = (char *)(uintptr_t)(text)

static const struct device_settings devices[] = {
        { NAME("a"), LIMITS(0, 256 * MiB - 1) },
        { NAME("b"), LIMITS(4 * GiB, UINT64_MAX) },
        { NAME("c"), LIMITS(0, UINT32_MAX), .nodes = 2 },
        { NAME("node0"), LIMITS(0, UINT64_MAX), .nodes = 1 },
        { NAME("wide"), .limits = { .window = RANGE_ALL,
                                    .align_bytes = 64 * KiB,
                                    .boundary_bytes = 64 * KiB,
                                    .max_segments = 4 } },
        { NAME("blocks"), LIMITS(0, UINT64_MAX), .min_align_mask = 8 * KiB - 1,
          .granularity_bytes = 16 * KiB },
        /* 31 address lines, on a board whose memory begins where they end. */
        { NAME("bare31"), LIMITS(0, RAM_31 - 1) },
        { NAME("board31"), LIMITS(0, RAM_31 - 1),
          .windows = { { { RAM_31, RAM_31 + GiB - 1 }, 0 } }, .n_windows = 1 },
        { NAME("board31b"), LIMITS(0, RAM_31 - 1),
          .windows = { { { RAM_31, RAM_31 + 8 * MiB - 1 }, 0 } }, .n_windows = 1 },
        { NAME("board40"), LIMITS(0, UINT32_MAX),
          .windows = { { { RAM_40, RAM_40 + 2 * GiB - 1 }, 2 * GiB } }, .n_windows = 1 },
        /* The upper half of the memory first, and the other way round on the bus. */
        { NAME("two"), LIMITS(0, UINT64_MAX),
          .windows = { { { RAM_40 + 16 * MiB, RAM_40 + 32 * MiB - 1 }, 0 },
                       { { RAM_40, RAM_40 + 16 * MiB - 1 }, 4 * GiB } },
          .n_windows = 2 },
        { NAME("elsewhere"), LIMITS(0, UINT64_MAX), .windows = { { { 0, GiB - 1 }, 0 } },
          .n_windows = 1 },
        { NAME("crooked"), LIMITS(0, UINT64_MAX),
          .windows = { { { RAM_40, RAM_40 + 2 * GiB - 1 }, MiB } }, .n_windows = 1 },
        { NAME("mask32"), LIMITS(4 * GiB, UINT64_MAX), .pci = "0000:01:00.0",
          .facts = { .known = true, .dma_mask_bits = 32, .node = -1, .iommu_group = -1 } },
        { NAME("mask40"), LIMITS(0, UINT64_MAX), .pci = "0000:02:00.0",
          .facts = { .known = true, .dma_mask_bits = 40, .node = 0, .iommu_group = 7 } },
        { NAME("gone"), LIMITS(0, UINT64_MAX), .pci = "0000:03:00.0" },
};

static struct world world;

/* 16 frames below 4 GiB, and all of two small memories: the boards'. */
static struct client *begin(void)
{
        world_init(&world, 16);
        world_add_pool(&world, "ram31", RAM_31, RAM_31 + 32 * MiB - 1, 16);
        world_add_pool(&world, "ram40", RAM_40, RAM_40 + 32 * MiB - 1, 16);
        memcpy(world.devices, devices, sizeof(devices));
        world.settings.n_devices = ARRAY_SIZE(devices);
        world_start(&world);
        return world_client(&world, 1000, "a");
}

static struct request request_of(uint64_t size, const char *names)
{
        struct request request = world_request(size);

        request.device = names;
        return request;
}

/* ---- limits --------------------------------------------------------------------------------- */

static const struct {
        const char *name, *devices;
        struct constraint want;
        uint64_t nodes;
        int result;
        enum limit limit, conflict;
        const char *set_by, *conflict_set_by, *sentence;
} conflicts[] = {
        { "two devices without an address in common",
          "a,b",
          { .window = RANGE_ALL, .size_bytes = 4096 },
          0,
          PAR_REFUSED_NEVER_FITS,
          LIMIT_ADDR_MAX,
          LIMIT_ADDR_MIN,
          "device a",
          "device b",
          "no address will do: \"device a: below 256 MiB\" against \"device b: from 4 GiB up\"" },
        { "the third of three",
          "c,a,b",
          { .window = RANGE_ALL, .size_bytes = 4096 },
          0,
          PAR_REFUSED_NEVER_FITS,
          LIMIT_ADDR_MAX,
          LIMIT_ADDR_MIN,
          "device a",
          "device b",
          "\"device a: below 256 MiB\"" },
        { "a device and a request",
          "b",
          { .window = { 0, GiB - 1 }, .size_bytes = 4096 },
          0,
          PAR_REFUSED_NEVER_FITS,
          LIMIT_ADDR_MAX,
          LIMIT_ADDR_MIN,
          "the request",
          "device b",
          "\"the request: below 1 GiB\" against \"device b: from 4 GiB up\"" },
        { "a device and what sysfs says of it",
          "mask32",
          { .window = RANGE_ALL, .size_bytes = 4096 },
          0,
          PAR_REFUSED_NEVER_FITS,
          LIMIT_ADDR_MAX,
          LIMIT_ADDR_MIN,
          "sysfs for device mask32",
          "device mask32",
          "\"sysfs for device mask32: below 4 GiB\" against \"device mask32: from 4 GiB up\"" },
        { "nodes",
          "c,node0",
          { .window = RANGE_ALL, .size_bytes = 4096 },
          0,
          PAR_REFUSED_NEVER_FITS,
          LIMIT_NODES,
          LIMIT_NODES,
          "device c",
          "device node0",
          "\"device c: nodes 0x2\" against \"device node0: nodes 0x1\"" },
        { "nodes of a request",
          "c",
          { .window = RANGE_ALL, .size_bytes = 4096 },
          1,
          PAR_REFUSED_NEVER_FITS,
          LIMIT_NODES,
          LIMIT_NODES,
          "the request",
          "device c",
          "\"the request: nodes 0x1\" against \"device c: nodes 0x2\"" },
        { "a boundary and the number of segments",
          "wide",
          { .window = RANGE_ALL, .size_bytes = 128 * KiB },
          0,
          PAR_REFUSED_NEVER_FITS,
          LIMIT_BOUNDARY,
          LIMIT_MAX_SEGMENTS,
          "device wide",
          "the request",
          "\"device wide: boundary 64 KiB\" rules that out, with \"the request: max_segments 1\"" },
        { "a boundary of a request and an alignment of a device",
          "wide",
          { .window = RANGE_ALL,
            .size_bytes = 128 * KiB,
            .boundary_bytes = 4096,
            .max_segments = SEGMENTS_ANY },
          0,
          PAR_REFUSED_NEVER_FITS,
          LIMIT_BOUNDARY,
          LIMIT_ALIGN,
          "the request",
          "device wide",
          "\"the request: boundary 4 KiB\" rules that out, with \"device wide: align 64 KiB\"" },
        { "one that is not there",
          "a,nope",
          { .window = RANGE_ALL, .size_bytes = 4096 },
          0,
          PAR_REFUSED_INVALID,
          LIMIT_NONE,
          LIMIT_NONE,
          "",
          "",
          "there is no device nope in the configuration" },
        { "one without a name",
          ",a",
          { .window = RANGE_ALL, .size_bytes = 4096 },
          0,
          PAR_REFUSED_INVALID,
          LIMIT_NONE,
          LIMIT_NONE,
          "",
          "",
          "there is no device  in the" },
        { "a comma too many",
          "a,",
          { .window = RANGE_ALL, .size_bytes = 4096 },
          0,
          PAR_REFUSED_INVALID,
          LIMIT_NONE,
          LIMIT_NONE,
          "",
          "",
          "there is no device  in the" },
        { "too many",
          "a,a,a,a,a",
          { .window = RANGE_ALL, .size_bytes = 4096 },
          0,
          PAR_REFUSED_INVALID,
          LIMIT_NONE,
          LIMIT_NONE,
          "",
          "",
          "for at most 4 devices" },
        { "a PCI device that is not there",
          "gone",
          { .window = RANGE_ALL, .size_bytes = 4096 },
          0,
          PAR_REFUSED_INVALID,
          LIMIT_NONE,
          LIMIT_NONE,
          "",
          "",
          "device gone: PCI device 0000:03:00.0 was not there" },

        /* Bus windows. */
        { "memory above a device's address lines",
          "bare31",
          { .window = { RAM_31, UINT64_MAX }, .size_bytes = 4096 },
          0,
          PAR_REFUSED_NEVER_FITS,
          LIMIT_ADDR_MAX,
          LIMIT_ADDR_MIN,
          "device bare31",
          "the request",
          "\"device bare31: below 2 GiB\" against \"the request: from 2 GiB up\"" },
        { "two devices that see the same memory at different addresses",
          "board40,two",
          { .window = RANGE_ALL, .size_bytes = 4096 },
          0,
          PAR_REFUSED_NEVER_FITS,
          LIMIT_ADDR_MAX,
          LIMIT_ADDR_MAX,
          "device board40",
          "device two",
          "a buffer has one bus address, and they see memory at different ones: \"device board40: "
          "memory 0x8000000000 to 0x807fffffff at bus address 0x80000000\" against \"device two: "
          "memory 0x8001000000 to 0x8001ffffff at bus address 0x0 ...\"" },
        { "one that has bus windows and one that has none",
          "mask40,board31",
          { .window = RANGE_ALL, .size_bytes = 4096 },
          0,
          PAR_REFUSED_NEVER_FITS,
          LIMIT_ADDR_MAX,
          LIMIT_ADDR_MAX,
          "device mask40",
          "device board31",
          "\"device mask40: all memory at its own address\"" },
        { "two devices that see other memory",
          "board31,board40",
          { .window = RANGE_ALL, .size_bytes = 4096 },
          0,
          PAR_REFUSED_NEVER_FITS,
          LIMIT_ADDR_MAX,
          LIMIT_ADDR_MAX,
          "device board31",
          "device board40",
          "no memory is seen by both" },
        { "bus addresses outside the windows",
          "board40",
          { .window = { 0, GiB - 1 }, .size_bytes = 4096 },
          0,
          PAR_REFUSED_NEVER_FITS,
          LIMIT_ADDR_MAX,
          LIMIT_ADDR_MAX,
          "the request",
          "the bus windows of device board40",
          "no bus address will do: \"the request: below 1 GiB\" against \"bus windows of device "
          "board40: 0x80000000 to 0xffffffff\"" },
        { "more than a window",
          "board31b",
          { .window = RANGE_ALL, .size_bytes = 9 * MiB },
          0,
          PAR_REFUSED_NEVER_FITS,
          LIMIT_SIZE,
          LIMIT_NONE,
          "the request",
          "",
          "no bus window of device board31b has room for that" },
        { "an alignment beyond that of the windows",
          "crooked",
          { .window = RANGE_ALL, .size_bytes = 4096, .align_bytes = 2 * MiB },
          0,
          PAR_REFUSED_INVALID,
          LIMIT_ALIGN,
          LIMIT_ADDR_MIN,
          "the request",
          "the bus windows of device crooked",
          "\"the request: align 2 MiB\" against \"the bus windows of device crooked\"" },
        { "boundaries beyond that of the windows",
          "crooked",
          { .window = RANGE_ALL, .size_bytes = 4096, .boundary_bytes = 2 * MiB },
          0,
          PAR_REFUSED_INVALID,
          LIMIT_BOUNDARY,
          LIMIT_ADDR_MIN,
          "the request",
          "the bus windows of device crooked",
          "there are too many of them" },
        { "memory that is not in a window",
          "elsewhere",
          { .window = RANGE_ALL, .size_bytes = 4096 },
          0,
          PAR_REFUSED_NEVER_FITS,
          LIMIT_ADDR_MAX,
          LIMIT_NONE,
          "the bus windows of device elsewhere",
          "",
          "can never be had: pard holds nothing there; without addr_max, set by the bus windows of "
          "device elsewhere, it could" },
};

static void test_conflicts_name_both_sides(void **unused)
{
        struct refusal refusal;
        struct client *client = begin();
        int failed = 0;

        (void)unused;
        for (size_t i = 0; i < ARRAY_SIZE(conflicts); i++) {
                struct request request = request_of(0, conflicts[i].devices);
                int r;

                request.want = conflicts[i].want;
                request.nodes = conflicts[i].nodes;
                r = world_refused(&world, client, request, &refusal);
                if (r == conflicts[i].result && refusal.permanent &&
                    refusal.limit == conflicts[i].limit &&
                    refusal.conflict == conflicts[i].conflict &&
                    strcmp(refusal.limit_set_by, conflicts[i].set_by) == 0 &&
                    strcmp(refusal.conflict_set_by, conflicts[i].conflict_set_by) == 0 &&
                    strstr(refusal.sentence, conflicts[i].sentence))
                        continue;
                print_error("%s: %d, limit %d by '%s', conflict %d by '%s': %s\n",
                            conflicts[i].name, r, (int)refusal.limit, refusal.limit_set_by,
                            (int)refusal.conflict, refusal.conflict_set_by, refusal.sentence);
                failed++;
        }
        assert_int_equal(failed, 0);
        world_stop(&world);
}

static void test_limits_of_several_devices(void **unused)
{
        struct constraint limits;
        struct refusal refusal;
        struct sight sight;
        uint64_t nodes;

        (void)unused;
        begin();
        assert_int_equal(state_device_limits(world.state, "c,wide,0000:02:00.0", &limits, &nodes,
                                             &sight, &refusal),
                         0);
        assert_int_equal(limits.window.first, 0);
        assert_int_equal(limits.window.last, UINT32_MAX);
        assert_int_equal(limits.align_bytes, 64 * KiB);
        assert_int_equal(limits.boundary_bytes, 64 * KiB);
        assert_int_equal(limits.max_segments, 4);
        assert_int_equal(nodes, 2);
        assert_int_equal(
                state_device_limits(world.state, "mask40", &limits, &nodes, &sight, &refusal), 0);
        assert_int_equal(limits.window.last, TiB - 1);
        assert_int_equal(state_device_limits(world.state, "a,b", &limits, &nodes, &sight, &refusal),
                         PAR_REFUSED_NEVER_FITS);
        world_stop(&world);
}

/* What maps memory of any kind for them has to know where they see it, and which bits stay. */
static void test_sight_of_several_devices(void **unused)
{
        struct constraint limits;
        struct refusal refusal;
        struct sight sight;
        uint64_t nodes;

        (void)unused;
        begin();
        assert_int_equal(
                state_device_limits(world.state, "a,wide", &limits, &nodes, &sight, &refusal), 0);
        assert_true(reach_is_all(&sight.reach));
        assert_int_equal(sight.min_align_mask, 0);
        assert_int_equal(sight.start_align_bytes, 64 * KiB);

        assert_int_equal(
                state_device_limits(world.state, "blocks,a", &limits, &nodes, &sight, &refusal), 0);
        assert_int_equal(sight.min_align_mask, 8 * KiB - 1);
        assert_int_equal(sight.start_align_bytes, 16 * KiB);

        assert_int_equal(state_device_limits(world.state, "two", &limits, &nodes, &sight, &refusal),
                         0);
        assert_int_equal(sight.start_align_bytes, 1);
        assert_false(reach_is_all(&sight.reach));
        assert_int_equal(sight.reach.count, 2);
        assert_int_equal(view_dma(&sight.reach.views[1]).first, 4 * GiB);
        world_stop(&world);
}

/* Even gibibytes of the fake keeper are of node 0: the boards' memories, but nothing just below
 * 4 GiB. */
static void test_memory_of_its_own_node_comes_first(void **unused)
{
        struct client *client = begin();
        struct request want = request_of(32 * MiB, "mask40");

        (void)unused;
        assert_int_equal(world_first(world_alloc(&world, client, want)), RAM_31);
        assert_int_equal(world_first(world_alloc(&world, client, want)), RAM_40);
        assert_int_equal(world_first(world_alloc(&world, client, want)), 4 * GiB - 32 * MiB);
        world_stop(&world);
}

static void test_granularity_rounds_the_size(void **unused)
{
        struct client *client = begin();
        struct buffer_view view;
        struct buffer *buffer;

        (void)unused;
        buffer = world_alloc(&world, client, request_of(20 * KiB, "blocks"));
        buffer_view(buffer, &view);
        assert_int_equal(view.size_bytes, 32 * KiB);
        assert_int_equal(world_first(buffer) % (16 * KiB), 0);
        world_stop(&world);
}

/* ---- bus windows ---------------------------------------------------------------------------- */

static const struct {
        const char *name, *devices;
        struct constraint want;
        struct range phys; /* where it may lie ... */
        uint64_t dma;      /* ... and where the first of that is seen */
} grants[] = {
        { "memory just above 31 bits",
          "board31",
          { .window = RANGE_ALL, .size_bytes = PAGE },
          { RAM_31, RAM_31 + 32 * MiB - 1 },
          0 },
        { "an address limit is on the bus",
          "board31",
          { .window = { 4 * MiB, 8 * MiB - 1 }, .size_bytes = PAGE },
          { RAM_31 + 4 * MiB, RAM_31 + 8 * MiB - 1 },
          4 * MiB },
        { "of two devices, where both see it",
          "board31,board31b",
          { .window = RANGE_ALL, .size_bytes = PAGE },
          { RAM_31, RAM_31 + 8 * MiB - 1 },
          0 },
        { "memory at 40 bits for a 32-bit device",
          "board40",
          { .window = RANGE_ALL, .size_bytes = PAGE },
          { RAM_40, RAM_40 + 32 * MiB - 1 },
          2 * GiB },
        { "the first of two windows",
          "two",
          { .window = RANGE_ALL, .size_bytes = PAGE },
          { RAM_40 + 16 * MiB, RAM_40 + 32 * MiB - 1 },
          0 },
        { "the second of two windows, by its bus address",
          "two",
          { .window = { GiB, UINT64_MAX }, .size_bytes = PAGE },
          { RAM_40, RAM_40 + 16 * MiB - 1 },
          4 * GiB },
        /* The bus counts from 1 MiB, so its boundaries are none in memory. */
        { "a boundary that is none in memory",
          "crooked",
          { .window = { 0, 33 * MiB - 1 }, .size_bytes = 14 * MiB, .boundary_bytes = 16 * MiB },
          { RAM_40, RAM_40 + 32 * MiB - 1 },
          MiB },
        { "a place that ends where a block of the bus does",
          "crooked",
          { .window = { 0, 33 * MiB - 1 }, .size_bytes = 15 * MiB, .boundary_bytes = 16 * MiB },
          { RAM_40, RAM_40 + 32 * MiB - 1 },
          MiB },
        { "a block of the bus, whole",
          "crooked",
          { .window = { 0, 33 * MiB - 1 }, .size_bytes = 16 * MiB, .boundary_bytes = 16 * MiB },
          { RAM_40 + 15 * MiB, RAM_40 + 31 * MiB - 1 },
          16 * MiB },
};

/* Return: whether a buffer at that place is what was asked for. */
static bool is_where_it_should_be(size_t i, uint64_t phys, uint64_t dma)
{
        const uint64_t size = grants[i].want.size_bytes, boundary = grants[i].want.boundary_bytes;

        return range_contains(grants[i].phys, range_of(phys, size)) &&
               dma - grants[i].dma == phys - grants[i].phys.first &&
               (!boundary || dma / boundary == (dma + size - 1) / boundary);
}

static void test_windows(void **unused)
{
        int failed = 0;

        (void)unused;
        for (size_t i = 0; i < ARRAY_SIZE(grants); i++) {
                struct client *client = begin();
                struct request request = request_of(0, grants[i].devices);
                struct explanation explanation;
                struct buffer_view view;
                struct buffer *buffer;
                uint64_t phys, dma;

                request.want = grants[i].want;
                assert_int_equal(
                        state_explain(world.state, client, &request, world.now_ns, &explanation),
                        0);
                buffer = world_alloc(&world, client, request);
                buffer_view(buffer, &view);
                phys = world_first(buffer);
                dma = phys + view.dma_offset;
                if (!is_where_it_should_be(i, phys, dma) || view.segment_count != 1 ||
                    explanation.result || explanation.dma_offset != view.dma_offset) {
                        print_error("%s: phys 0x%" PRIx64 ", dma 0x%" PRIx64 ": %s\n",
                                    grants[i].name, phys, dma, explanation.refusal.sentence);
                        failed++;
                }
                world_stop(&world);
        }
        assert_int_equal(failed, 0);
}

/* With bus address 3 MiB at RAM_40 a boundary of 16 MiB lies at RAM_40 + 13 MiB. */
static void test_window_is_cut_at_boundaries_of_the_bus(void **unused)
{
        struct client *client = begin();
        const uint64_t sizes[] = { 14 * MiB, 12 * MiB };
        struct device_settings *device = &world.devices[0];
        struct buffer_view view;
        uint64_t first, dma;

        (void)unused;
        *device = (struct device_settings){
                NAME("cut"),
                .limits = { .window = RANGE_ALL,
                            .align_bytes = 1,
                            .boundary_bytes = 16 * MiB,
                            .max_segments = SEGMENTS_ANY },
                .windows = { { { RAM_40, RAM_40 + 32 * MiB - 1 }, 3 * MiB } },
                .n_windows = 1,
        };
        for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
                struct buffer *buffer = world_alloc(&world, client, request_of(sizes[i], "cut"));

                buffer_view(buffer, &view);
                first = world_first(buffer);
                dma = first + view.dma_offset;
                assert_int_equal(dma - first, 3 * MiB - RAM_40);
                assert_int_equal(dma / (16 * MiB), (dma + sizes[i] - 1) / (16 * MiB));
                assert_int_equal(view.segment_count, 1);
        }
        world_stop(&world);
}

static void test_window_that_is_full_leaves_the_other(void **unused)
{
        struct client *client = begin(), *other;
        struct request want = request_of(16 * MiB, "two");
        struct refusal refusal;
        struct buffer *first, *second;

        (void)unused;
        other = world_client(&world, 1001, "b");
        first = world_alloc(&world, client, want);
        second = world_alloc(&world, client, want);
        assert_int_equal(world_first(first), RAM_40 + 16 * MiB);
        assert_int_equal(world_first(second), RAM_40);

        /* For now: both windows have the memory, and somebody else has it. */
        assert_int_equal(world_refused(&world, other, want, &refusal), PAR_REFUSED_EXHAUSTED);
        assert_false(refusal.permanent);
        assert_non_null(strstr(refusal.sentence,
                               "16 MiB in one piece below 16 MiB on the bus "
                               "(memory 0x8001000000 to 0x8001ffffff) for device two: 0 B "
                               "are free there"));
        assert_string_equal(refusal.limit_set_by, "the bus windows of device two");

        /* Whoever waits gets what comes free, in whichever window. */
        assert_int_equal(
                state_wait(world.state, other, &want, UINT64_MAX, 77, world.now_ns, &refusal), 0);
        assert_int_equal(state_release(world.state, client, world_id(second), world.now_ns), 0);
        world_let_leave(&world);
        world_pass(&world, NS_PER_S);
        assert_int_equal(world.n_answers, 1);
        assert_int_equal(world.answers[0].ticket, 77);
        assert_int_equal(world.answers[0].r, 0);
        world_stop(&world);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_conflicts_name_both_sides),
                cmocka_unit_test(test_limits_of_several_devices),
                cmocka_unit_test(test_sight_of_several_devices),
                cmocka_unit_test(test_memory_of_its_own_node_comes_first),
                cmocka_unit_test(test_granularity_rounds_the_size),
                cmocka_unit_test(test_windows),
                cmocka_unit_test(test_window_is_cut_at_boundaries_of_the_bus),
                cmocka_unit_test(test_window_that_is_full_leaves_the_other),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
