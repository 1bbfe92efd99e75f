/* SPDX-License-Identifier: MIT */
/* Mistakes with streaming mappings are reported; what is no mistake is not. */
#include "debug_setup.h"

#include "debug_registry.h"
#include "dma.h"
#include "in_child.h"
#include "macros.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#define BYTES 256

static struct par_device *device;
static char memory[4096];

static void begin(struct setup *setup)
{
        begin_with(setup, NULL);
        assert_int_equal(par_device_open(setup->par, "capture0", &device), 0);
        memset(memory, 0, sizeof(memory));
}

static void finish(struct setup *setup)
{
        par_device_close(device);
        end(setup);
}

/* ---- places --------------------------------------------------------------------------------- */

PLACE struct par_mapping send_packet(void *at, enum par_direction direction);
PLACE struct par_mapping send_again(void *at, enum par_direction direction);
PLACE struct par_mapping send_list(const struct iovec *pieces, size_t n);
PLACE int to_processor(struct par_mapping *mapping);
PLACE int to_device(struct par_mapping *mapping);
PLACE int complete(struct par_mapping *mapping);
PLACE int complete_again(struct par_mapping *mapping);

struct par_mapping send_packet(void *at, enum par_direction direction)
{
        const struct par_map_options options = { .label = "packet" };
        struct par_mapping mapping;

        assert_int_equal(par_map(device, at, BYTES, direction, &options, &mapping), 0);
        NOT_LAST();
        return mapping;
}

struct par_mapping send_again(void *at, enum par_direction direction)
{
        const struct par_map_options options = { .label = "packet" };
        struct par_mapping mapping;

        assert_int_equal(par_map(device, at, BYTES, direction, &options, &mapping), 0);
        NOT_LAST();
        return mapping;
}

struct par_mapping send_list(const struct iovec *pieces, size_t n)
{
        const struct par_map_options options = { .label = "list" };
        struct par_mapping mapping;

        assert_int_equal(par_map_sg(device, pieces, n, PAR_FROM_DEVICE, &options, &mapping), 0);
        NOT_LAST();
        return mapping;
}

int to_processor(struct par_mapping *mapping)
{
        int r = par_sync_for_cpu(mapping, 0, 0);

        NOT_LAST();
        return r;
}

int to_device(struct par_mapping *mapping)
{
        int r = par_sync_for_device(mapping, 0, 0);

        NOT_LAST();
        return r;
}

int complete(struct par_mapping *mapping)
{
        int r = par_unmap(mapping);

        NOT_LAST();
        return r;
}

int complete_again(struct par_mapping *mapping)
{
        int r = par_unmap(mapping);

        NOT_LAST();
        return r;
}

/* ---- what is right -------------------------------------------------------------------------- */

static const enum par_direction directions[] = { PAR_BIDIRECTIONAL, PAR_TO_DEVICE,
                                                 PAR_FROM_DEVICE };

static void test_map_by_the_book_is_silent(void **state)
{
        struct setup setup;

        (void)state;
        begin(&setup);
        for (size_t i = 0; i < ARRAY_SIZE(directions); i++) {
                for (unsigned round = 0; round < 3; round++) {
                        struct par_mapping mapped = send_packet(memory, directions[i]);

                        if (directions[i] != PAR_TO_DEVICE)
                                memory[round] ^= 1; /* the device */
                        assert_int_equal(to_processor(&mapped), 0);
                        memory[BYTES - 1] ^= 1;
                        assert_int_equal(to_device(&mapped), 0);
                        /* In parts, in any order. */
                        assert_int_equal(par_sync_for_cpu(&mapped, 0, 64), 0);
                        assert_int_equal(par_sync_for_cpu(&mapped, 128, 64), 0);
                        assert_int_equal(par_sync_for_cpu(&mapped, 32, 128), 0);
                        memory[130]++;
                        assert_int_equal(par_sync_for_device(&mapped, 0, BYTES), 0);
                        assert_int_equal(complete(&mapped), 0);
                        memory[0]++;
                }
        }
        finish(&setup);
}

/* Two devices read the same, and what lies beside it is written. */
static void test_map_of_shared_reading_is_silent(void **state)
{
        struct par_mapping mapped[3];
        struct setup setup;

        (void)state;
        begin(&setup);
        mapped[0] = send_packet(memory, PAR_TO_DEVICE);
        mapped[1] = send_again(memory + 10, PAR_TO_DEVICE);
        mapped[2] = send_packet(memory + 10 + BYTES, PAR_FROM_DEVICE);
        for (size_t i = 0; i < ARRAY_SIZE(mapped); i++)
                assert_int_equal(complete(&mapped[i]), 0);
        finish(&setup);
}

/* With PAR_MAP_SKIP_SYNC the program fills the memory when it is mapped. */
static void test_map_that_begins_with_the_processor(void **state)
{
        const struct par_map_options options = { .flags = PAR_MAP_SKIP_SYNC };
        struct par_mapping mapped;
        struct setup setup;

        (void)state;
        begin(&setup);
        assert_int_equal(par_map(device, memory, BYTES, PAR_TO_DEVICE, &options, &mapped), 0);
        memory[0] = 1;
        assert_int_equal(to_device(&mapped), 0);
        assert_int_equal(complete(&mapped), 0);
        finish(&setup);
}

/* Memory that the device sees where it is takes the short way. */
static void test_map_of_a_buffer_is_silent(void **state)
{
        struct par_buffer *buffer;
        struct par_mapping mapped;
        struct setup setup;

        (void)state;
        begin(&setup);
        assert_int_equal(par_alloc(setup.par, 8192, NULL, NULL, &buffer), 0);
        for (unsigned i = 0; i < 3; i++) {
                assert_int_equal(par_map(device, par_buffer_data(buffer), 8192, PAR_BIDIRECTIONAL,
                                         NULL, &mapped),
                                 0);
                assert_int_equal(to_processor(&mapped), 0);
                assert_int_equal(complete(&mapped), 0);
        }
        par_free(buffer);
        finish(&setup);
}

/* ---- what is wrong -------------------------------------------------------------------------- */

static void test_map_unmapped_twice(void **state)
{
        struct par_mapping mapped;
        struct setup setup;

        (void)state;
        begin(&setup);
        mapped = send_packet(memory, PAR_TO_DEVICE);
        assert_int_equal(complete(&mapped), 0);
        assert_int_equal(complete_again(&mapped), -EALREADY);
        EXPECT_REPORT(&setup, "unmapped twice: mapping \"packet\" of radio0 (256 bytes at ",
                      "PAR_TO_DEVICE, for capture0 at 0x", "; by par_unmap() in complete_again (",
                      "; unmapped by par_unmap() in complete (",
                      "; made by par_map() in send_packet (", "thread ");
        finish(&setup);
}

static void test_map_synced_after_its_end(void **state)
{
        struct par_mapping mapped;
        struct setup setup;

        (void)state;
        begin(&setup);
        mapped = send_packet(memory, PAR_FROM_DEVICE);
        assert_int_equal(complete(&mapped), 0);
        assert_int_equal(to_processor(&mapped), -EINVAL);
        EXPECT_REPORT(&setup, "sync of what was unmapped: mapping", "in to_processor (",
                      "; unmapped by par_unmap() in complete (", "in send_packet (");
        assert_int_equal(to_device(&mapped), -EINVAL);
        EXPECT_REPORT(&setup, "sync of what was unmapped: mapping", "in to_device (");
        finish(&setup);
}

static void test_map_synced_out_of_order(void **state)
{
        struct par_mapping mapped;
        struct setup setup;

        (void)state;
        begin(&setup);
        mapped = send_packet(memory, PAR_BIDIRECTIONAL);
        assert_int_equal(to_device(&mapped), 0);
        EXPECT_REPORT(&setup, "synced for the device, whose turn it is: mapping", "in to_device (",
                      "in send_packet (");
        assert_int_equal(to_processor(&mapped), 0);
        expect_silence(&setup);
        assert_int_equal(to_processor(&mapped), 0);
        EXPECT_REPORT(&setup, "synced for the processor, whose turn it is: mapping",
                      "in to_processor (", "in send_packet (");
        assert_int_equal(complete(&mapped), 0);
        finish(&setup);
}

/* The device writes what it was to read, or the program when it is not its turn: nothing of that
 * arrives where memory is bounced. */
static void test_map_in_the_wrong_direction(void **state)
{
        struct par_mapping mapped;
        struct setup setup;

        (void)state;
        begin(&setup);
        mapped = send_packet(memory, PAR_TO_DEVICE);
        memory[100] = 1;
        assert_int_equal(to_processor(&mapped), 0);
        EXPECT_REPORT(&setup, "memory changed while it was the device's, which only reads it: ",
                      "PAR_TO_DEVICE", "in to_processor (", "in send_packet (");
        assert_int_equal(to_device(&mapped), 0);
        memory[BYTES - 1] = 2;
        assert_int_equal(complete(&mapped), 0);
        EXPECT_REPORT(&setup, "memory changed while it was the device's", "in complete (");
        finish(&setup);
}

static const struct {
        const char *name;
        enum par_direction first, second;
        long offset;
        bool wrong;
} overlaps[] = {
        { "both read", PAR_TO_DEVICE, PAR_TO_DEVICE, 0, false },
        { "the first writes", PAR_FROM_DEVICE, PAR_TO_DEVICE, 0, true },
        { "the second writes", PAR_TO_DEVICE, PAR_FROM_DEVICE, 0, true },
        { "both write", PAR_FROM_DEVICE, PAR_BIDIRECTIONAL, 0, true },
        { "the last byte is the first one's", PAR_FROM_DEVICE, PAR_TO_DEVICE, BYTES - 1, true },
        { "the first byte is the last one's", PAR_TO_DEVICE, PAR_FROM_DEVICE, 1 - BYTES, true },
        { "one after the other", PAR_FROM_DEVICE, PAR_FROM_DEVICE, BYTES, false },
        { "one before the other", PAR_FROM_DEVICE, PAR_FROM_DEVICE, -BYTES, false },
};

static void test_map_of_the_same_bytes(void **state)
{
        struct par_mapping first, second;
        struct setup setup;

        (void)state;
        begin(&setup);
        for (size_t i = 0; i < ARRAY_SIZE(overlaps); i++) {
                print_message("%s\n", overlaps[i].name);
                first = send_packet(memory + 1024, overlaps[i].first);
                second = send_again(memory + 1024 + overlaps[i].offset, overlaps[i].second);
                if (overlaps[i].wrong)
                        EXPECT_REPORT(&setup, "mapped twice, and a device writes: mapping",
                                      "; by par_map() in send_again (",
                                      "; made by par_map() in send_packet (",
                                      "; again as mapping \"packet\"");
                expect_silence(&setup);
                assert_int_equal(complete(&first), 0);
                assert_int_equal(complete(&second), 0);
                /* Neither is in the way any more. */
                first = send_again(memory + 1024, PAR_BIDIRECTIONAL);
                assert_int_equal(complete(&first), 0);
                expect_silence(&setup);
        }
        finish(&setup);
}

static void test_map_of_a_list(void **state)
{
        const struct iovec apart[] = { { memory, 16 }, { memory + 64, 16 }, { memory + 32, 16 } };
        const struct iovec together[] = { { memory, 16 }, { memory + 64, 16 }, { memory + 8, 16 } };
        struct par_mapping list, one;
        struct setup setup;

        (void)state;
        begin(&setup);
        list = send_list(apart, 3);
        one = send_again(memory + 40, PAR_TO_DEVICE);
        EXPECT_REPORT(&setup, "mapped twice", "48 bytes", "in send_again (");
        assert_int_equal(complete(&one), 0);
        assert_int_equal(complete(&list), 0);
        list = send_list(together, 3);
        EXPECT_REPORT(&setup, "mapped twice");
        assert_int_equal(complete(&list), 0);
        finish(&setup);
}

/* Whoever changes a mapping has another one than he was given. */
static const struct {
        const char *name;
        size_t length;
        uint64_t dma;
        ptrdiff_t pointer;
} changes[] = {
        { "its length", 1, 0, 0 },
        { "its address", 0, 4096, 0 },
        { "its memory", 0, 0, 1 },
};

static void test_map_that_was_changed(void **state)
{
        struct par_mapping mapped, other;
        struct setup setup;

        (void)state;
        begin(&setup);
        for (size_t i = 0; i < ARRAY_SIZE(changes); i++) {
                print_message("%s\n", changes[i].name);
                mapped = other = send_packet(memory, PAR_TO_DEVICE);
                other.length += changes[i].length;
                other.dma += changes[i].dma;
                other.pointer = (char *)other.pointer + changes[i].pointer;
                assert_int_equal(complete(&other), -EALREADY);
                EXPECT_REPORT(&setup, "a mapping that says something else than when it was made",
                              "in complete (", "in send_packet (");
                assert_int_equal(complete(&mapped), 0);
        }
        finish(&setup);
}

/* Only one copy may be used. */
static void test_map_unmapped_by_a_copy(void **state)
{
        struct par_mapping mapped, copy;
        struct setup setup;

        (void)state;
        begin(&setup);
        mapped = copy = send_packet(memory, PAR_FROM_DEVICE);
        assert_int_equal(complete(&mapped), 0);
        assert_int_equal(complete_again(&copy), -EALREADY);
        EXPECT_REPORT(&setup, "unmapped twice: mapping", "in complete_again (", "in complete (");
        finish(&setup);
}

/* ---- leaks ---------------------------------------------------------------------------------- */

PLACE void close_it(struct par_device *which);

void close_it(struct par_device *which)
{
        par_device_close(which);
        NOT_LAST();
}

static void test_map_left_at_the_end_of_its_device(void **state)
{
        struct par_mapping left, others;
        struct par_device *other;
        struct setup setup;

        (void)state;
        begin(&setup);
        other = device;
        others = send_packet(memory + 1024, PAR_FROM_DEVICE);
        assert_int_equal(par_device_open(setup.par, "capture0", &device), 0);
        left = send_packet(memory, PAR_FROM_DEVICE);
        close_it(device);
        EXPECT_REPORT(&setup, "not unmapped: mapping \"packet\" of radio0", "for capture0",
                      "; by par_device_close() in close_it (",
                      "; made by par_map() in send_packet (");
        assert_int_equal(complete_again(&left), -EALREADY);
        EXPECT_REPORT(&setup, "unmapped twice", "; unmapped by par_device_close() in close_it (");
        assert_int_equal(complete(&others), 0);
        device = other;
        finish(&setup);
}

PLACE void go_away(struct setup *setup);

void go_away(struct setup *setup)
{
        par_disconnect(setup->par);
        NOT_LAST();
}

static void test_map_left_at_the_end_of_all(void **state)
{
        struct setup setup;

        (void)state;
        begin(&setup);
        send_packet(memory, PAR_FROM_DEVICE);
        go_away(&setup);
        EXPECT_REPORT(&setup, "not unmapped: mapping", "by par_disconnect() in go_away (",
                      "in send_packet (");
        mock_stop(setup.mock);
}

/* ---- buffers and mappings ------------------------------------------------------------------- */

PLACE void free_ring(struct par_buffer *buffer);
PLACE int send_stale(void *at);

int send_stale(void *at)
{
        struct par_mapping mapping;
        int r = par_map(device, at, BYTES, PAR_TO_DEVICE, NULL, &mapping);

        NOT_LAST();
        return r;
}

void free_ring(struct par_buffer *buffer)
{
        par_free(buffer);
        NOT_LAST();
}

static void test_map_of_a_buffer_that_is_freed(void **state)
{
        struct par_buffer *buffer;
        struct par_mapping mapped;
        struct setup setup;
        char *data;

        (void)state;
        begin(&setup);
        assert_int_equal(par_alloc(setup.par, 8192, NULL, NULL, &buffer), 0);
        data = par_buffer_data(buffer);
        mapped = send_packet(data + 100, PAR_FROM_DEVICE);
        free_ring(buffer);
        EXPECT_REPORT(&setup, "freed while it is mapped: buffer ", "; by par_free() in free_ring (",
                      "; as mapping \"packet\"", "; by par_map() in send_packet (");
        assert_int_equal(complete(&mapped), 0);
        expect_silence(&setup);
        assert_int_equal(send_stale(data + 100), -EINVAL);
        EXPECT_REPORT(&setup, "mapping of memory of a freed buffer: buffer ",
                      "; by par_map() in send_stale (", "; freed by par_free() in free_ring (");
        finish(&setup);
}

/* What the program has unmapped itself is not touched. */
static void test_map_of_memory_that_is_gone(void **state)
{
        char *pages = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        struct par_mapping mapped;
        struct setup setup;

        (void)state;
        assert_true(pages != MAP_FAILED);
        begin(&setup);
        mapped = send_packet(pages, PAR_TO_DEVICE);
        munmap(pages, 8192);
        assert_int_equal(complete(&mapped), 0);
        finish(&setup);
}

/* ---- processes ------------------------------------------------------------------------------ */

struct inherited {
        struct setup *serving;
        struct par_mapping mapping;
};

/* What a child maps itself is not taken for what its parent had mapped. */
static int unmap_in_child(void *data)
{
        struct inherited *inherited = data;
        struct setup *serving = inherited->serving;
        struct par_mapping own;

        pthread_mutex_init(&serving->lock, NULL);
        serving->par = connect_debugging(serving, PAR_CONNECT_DEBUG);
        assert_int_equal(par_device_open(serving->par, "capture0", &device), 0);
        do {
                own = send_packet(memory, PAR_FROM_DEVICE);
        } while (own.opaque[OPAQUE_WATCH] < inherited->mapping.opaque[OPAQUE_WATCH] &&
                 !complete(&own));
        if (complete(&inherited->mapping) != -ECHILD || to_device(&inherited->mapping) != -ECHILD)
                return 1;
        if (complete(&own) || serving->reports)
                return 2;
        par_device_close(device);
        par_disconnect(serving->par);
        return serving->reports ? 3 : 0;
}

static void test_map_of_the_parent_in_a_child(void **state)
{
        struct setup setup, serving = { .mock = mock_start(NULL) };
        struct inherited inherited = { .serving = &serving };

        (void)state;
        begin(&setup);
        inherited.mapping = send_packet(memory, PAR_FROM_DEVICE);
        assert_int_equal(in_child(unmap_in_child, &inherited), 0);
        assert_int_equal(complete(&inherited.mapping), 0);
        mock_stop(serving.mock);
        finish(&setup);
}

/* ---- threads -------------------------------------------------------------------------------- */

#define THREADS 4
#define ROUNDS  500

static void *work(void *data)
{
        char own[BYTES];

        (void)data;
        memset(own, 0, sizeof(own));
        for (unsigned i = 0; i < ROUNDS; i++) {
                struct par_mapping mapped = send_packet(own, directions[i % 3]);

                assert_int_equal(to_processor(&mapped), 0);
                own[i % BYTES]++;
                assert_int_equal(to_device(&mapped), 0);
                assert_int_equal(complete(&mapped), 0);
        }
        return NULL;
}

static void test_map_from_several_threads(void **state)
{
        pthread_t threads[THREADS];
        struct setup setup;

        (void)state;
        begin(&setup);
        for (unsigned i = 0; i < THREADS; i++)
                assert_int_equal(pthread_create(&threads[i], NULL, work, NULL), 0);
        for (unsigned i = 0; i < THREADS; i++)
                pthread_join(threads[i], NULL);
        assert_int_equal(debug_registry()->n_ended[DEBUG_MAPPING], DEBUG_ENDED_MAX);
        finish(&setup);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_map_by_the_book_is_silent),
                cmocka_unit_test(test_map_of_shared_reading_is_silent),
                cmocka_unit_test(test_map_that_begins_with_the_processor),
                cmocka_unit_test(test_map_of_a_buffer_is_silent),
                cmocka_unit_test(test_map_unmapped_twice),
                cmocka_unit_test(test_map_unmapped_by_a_copy),
                cmocka_unit_test(test_map_synced_after_its_end),
                cmocka_unit_test(test_map_synced_out_of_order),
                cmocka_unit_test(test_map_in_the_wrong_direction),
                cmocka_unit_test(test_map_of_the_same_bytes),
                cmocka_unit_test(test_map_of_a_list),
                cmocka_unit_test(test_map_that_was_changed),
                cmocka_unit_test(test_map_left_at_the_end_of_its_device),
                cmocka_unit_test(test_map_left_at_the_end_of_all),
                cmocka_unit_test(test_map_of_a_buffer_that_is_freed),
                cmocka_unit_test(test_map_of_memory_that_is_gone),
                cmocka_unit_test(test_map_of_the_parent_in_a_child),
                cmocka_unit_test(test_map_from_several_threads),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
