/* SPDX-License-Identifier: MIT */
/*
 * From pointers to dma addresses and back, in buffers that are only described: nothing is mapped
 * where they are said to be.
 *
 *     test_par_lookup [OPERATIONS]      of the random test; default: 5,000
 */
#include "handle.h"

#include "heap.h"
#include "in_child.h"
#include "macros.h"
#include "random.h"

#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define PAGE_BYTES UINT64_C(4096)
#define SLOT       (2 * MiB)
#define BASE       (UINT64_C(64) * 1024 * GiB)

static unsigned long operations = 5000;

/* A handle that only looks up. */
static void begin(struct par *par)
{
        *par = (struct par){ .pid = getpid() };
        fork_mark_init(&par->mark);
        lookup_init(&par->lookup);
}

static void end(struct par *par)
{
        lookup_deinit(&par->lookup);
        fork_mark_deinit(&par->mark);
}

/* A buffer whose segments are given by dma and length. */
static void describe(struct par_buffer *buffer, uint64_t first, struct par_segment *segments,
                     size_t n)
{
        *buffer = (struct par_buffer){
                .data = (char *)(uintptr_t)first,
                .segments = segments,
                .n_segments = n,
        };
        for (size_t i = 0; i < n; i++) {
                segments[i].offset = buffer->size;
                buffer->size += segments[i].length;
        }
}

static void check_forth(struct par *par, const struct par_buffer *buffer, uint64_t offset)
{
        const struct par_segment *segment = buffer_segment_at(buffer, offset);
        const uint64_t into = offset - segment->offset;
        size_t contiguous;
        uint64_t dma;
        int r = par_dma_address(par, buffer->data + offset, &dma, &contiguous);

        if (segment->dma == PAR_PHYS_NONE) {
                assert_int_equal(r, -PAR_DENIED);
                return;
        }
        assert_int_equal(r, 0);
        assert_int_equal(dma, segment->dma + into);
        assert_int_equal(contiguous, segment->length - into);
}

static void check_back(struct par *par, const struct par_buffer *buffer, uint64_t offset,
                       const struct par_device *device)
{
        const struct par_segment *segment = buffer_segment_at(buffer, offset);
        const uint64_t into = offset - segment->offset;
        size_t contiguous;
        void *pointer;

        if (segment->dma == PAR_PHYS_NONE)
                return;
        assert_int_equal(par_dma_pointer(par, device, segment->dma + into, &pointer, &contiguous),
                         0);
        assert_ptr_equal(pointer, buffer->data + offset);
        assert_int_equal(contiguous, segment->length - into);
}

static void check_gone(struct par *par, const struct par_buffer *buffer)
{
        uint64_t dma = 1;
        size_t contiguous = 1;
        void *pointer = &dma;

        assert_int_equal(par_dma_address(par, buffer->data, &dma, &contiguous), -EFAULT);
        assert_int_equal(dma, 0);
        assert_int_equal(contiguous, 0);
        assert_int_equal(par_dma_pointer(par, NULL, buffer->segments[0].dma, &pointer, &contiguous),
                         -EFAULT);
        assert_null(pointer);
        assert_string_not_equal(par_error(par), "");
}

/* ---- one buffer ----------------------------------------------------------------------------- */

#define CASE_SEGMENTS 5

static const struct {
        const char *name;
        uint64_t first;
        struct par_segment segments[CASE_SEGMENTS];
} cases[] = {
        { "a page", BASE, { { .dma = 0x10000, .length = PAGE_BYTES } } },
        { "a slot as a whole", BASE, { { .dma = GiB, .length = SLOT } } },
        { "several slots and pieces of two",
          BASE + SLOT - 3 * PAGE_BYTES,
          { { .dma = GiB + 5 * PAGE_BYTES, .length = 3 * SLOT + 7 * PAGE_BYTES } } },
        { "scattered pages, from above to below",
          BASE + PAGE_BYTES,
          { { .dma = 0x30000, .length = PAGE_BYTES },
            { .dma = 0x20000, .length = PAGE_BYTES },
            { .dma = 0x10000, .length = 2 * PAGE_BYTES } } },
        { "segments that change within a slot of their memory",
          BASE,
          { { .dma = 4 * GiB - SLOT, .length = SLOT }, { .dma = 8 * GiB, .length = SLOT } } },
        { "segments shorter than a page",
          BASE,
          { { .dma = 0x10000, .length = 512 },
            { .dma = 0x10200, .length = 1024 },
            { .dma = 0x10600, .length = 2560 },
            { .dma = 0x11000, .length = PAGE_BYTES } } },
        { "a segment that begins in the middle of a page",
          BASE,
          { { .dma = 0x10000, .length = 6144 }, { .dma = 0x11800, .length = 2048 } } },
        { "the last addresses of all",
          BASE,
          { { .dma = UINT64_MAX - PAGE_BYTES + 1, .length = PAGE_BYTES - 1 },
            { .dma = 0x1000, .length = 1 } } },
        { "an address that is hidden", BASE, { { .dma = PAR_PHYS_NONE, .length = SLOT } } },
};

static void test_lookup_of_one_buffer(void **state)
{
        struct par_segment segments[CASE_SEGMENTS];
        struct par_buffer buffer;
        struct par par;
        uint64_t dma;
        size_t n;

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
                print_message("%s\n", cases[i].name);
                begin(&par);
                memcpy(segments, cases[i].segments, sizeof(segments));
                for (n = 0; n < CASE_SEGMENTS && segments[n].length;)
                        n++;
                describe(&buffer, cases[i].first, segments, n);
                check_gone(&par, &buffer);
                assert_int_equal(lookup_insert(&par.lookup, &buffer), 0);
                for (uint64_t at = 0; at<buffer.size; at += buffer.size> SLOT ? 509 : 1) {
                        check_forth(&par, &buffer, at);
                        check_back(&par, &buffer, at, NULL);
                }
                assert_int_equal(par_dma_address(&par, buffer.data - 1, &dma, NULL), -EFAULT);
                assert_int_equal(par_dma_address(&par, buffer.data + buffer.size, &dma, NULL),
                                 -EFAULT);
                lookup_remove(&par.lookup, &buffer);
                check_gone(&par, &buffer);
                lookup_remove(&par.lookup, &buffer);
                end(&par);
        }
}

static void test_lookup_refuses_memory_that_was_given_out(void **state)
{
        static const struct {
                const char *name;
                uint64_t first, length;
        } others[] = {
                { "the same", BASE, 3 * SLOT },
                { "its first page", BASE, PAGE_BYTES },
                { "its last page", BASE + 3 * SLOT - PAGE_BYTES, PAGE_BYTES },
                { "a page in the middle", BASE + SLOT + PAGE_BYTES, PAGE_BYTES },
                { "all around it", BASE - SLOT, 6 * SLOT },
                { "not at a page", BASE - SLOT + 512, PAGE_BYTES },
        };
        struct par_segment segment = { .dma = 16 * GiB, .length = 3 * SLOT }, other;
        struct par_buffer buffer, second;
        struct par par;

        (void)state;
        begin(&par);
        describe(&buffer, BASE, &segment, 1);
        assert_int_equal(lookup_insert(&par.lookup, &buffer), 0);
        for (size_t i = 0; i < ARRAY_SIZE(others); i++) {
                print_message("%s\n", others[i].name);
                other = (struct par_segment){ .dma = 32 * GiB, .length = others[i].length };
                describe(&second, others[i].first, &other, 1);
                assert_int_equal(lookup_insert(&par.lookup, &second), -EPROTO);
                assert_null(second.spans);
                check_forth(&par, &buffer, 3 * SLOT - 1);
        }
        lookup_remove(&par.lookup, &buffer);
        end(&par);
}

/* A daemon in error may say that two buffers are at the same address of a device. */
static void test_lookup_finds_the_first_of_two_at_one_address(void **state)
{
        struct par_segment segments[] = { { .dma = GiB, .length = SLOT },
                                          { .dma = GiB, .length = SLOT } };
        struct par_buffer first, second;
        struct par par;

        (void)state;
        begin(&par);
        describe(&first, BASE, &segments[0], 1);
        describe(&second, BASE + SLOT, &segments[1], 1);
        assert_int_equal(lookup_insert(&par.lookup, &first), 0);
        assert_int_equal(lookup_insert(&par.lookup, &second), 0);
        check_back(&par, &first, 5, NULL);
        check_forth(&par, &second, 5);
        lookup_remove(&par.lookup, &second);
        check_back(&par, &first, 5, NULL);
        lookup_remove(&par.lookup, &first);
        check_gone(&par, &first);
        end(&par);
}

/* ---- devices -------------------------------------------------------------------------------- */

static void test_lookup_tells_devices_apart(void **state)
{
        struct par_segment segments[3] = { { .dma = GiB, .length = SLOT },
                                           { .dma = GiB, .length = SLOT },
                                           { .dma = GiB, .length = SLOT } };
        struct par_device board = { .name = (char *)(uintptr_t) "board" }, io = { .name = NULL };
        struct par_buffer buffers[3];
        uint32_t view, again;
        struct par par;
        void *pointer;

        (void)state;
        begin(&par);
        board.par = io.par = &par;
        assert_int_equal(lookup_view(&par.lookup, "board", &view), 0);
        assert_int_equal(lookup_view(&par.lookup, "other", &again), 0);
        assert_int_not_equal(view, again);
        assert_int_equal(lookup_view(&par.lookup, "board", &again), 0);
        assert_int_equal(view, again);
        atomic_store(&board.view, view);
        atomic_store(&io.view, 1);
        for (unsigned i = 0; i < 3; i++)
                describe(&buffers[i], BASE + i * SLOT, &segments[i], 1);
        buffers[1].view = view;
        buffers[2].view = 1;
        assert_int_equal(lookup_insert(&par.lookup, &buffers[0]), 0);
        check_back(&par, &buffers[0], 7, &board); /* it sees what lies in memory */
        io.name = (char *)(uintptr_t) "0000:03:00.0";
        assert_int_equal(par_dma_pointer(&par, &io, GiB, &pointer, NULL), -EFAULT);
        assert_int_equal(lookup_insert(&par.lookup, &buffers[1]), 0);
        assert_int_equal(lookup_insert(&par.lookup, &buffers[2]), 0);
        check_back(&par, &buffers[0], 7, NULL);
        check_back(&par, &buffers[1], 7, &board);
        check_back(&par, &buffers[2], 7, &io);
        board.par = NULL;
        assert_int_equal(par_dma_pointer(&par, &board, GiB, &pointer, NULL), -EINVAL);
        end(&par);
}

static void test_lookup_arguments(void **state)
{
        struct par par;
        void *pointer = &par;
        uint64_t dma = 1;

        (void)state;
        begin(&par);
        assert_int_equal(par_dma_address(NULL, &par, &dma, NULL), -EINVAL);
        assert_int_equal(dma, 0);
        assert_int_equal(par_dma_address(&par, &par, NULL, NULL), -EINVAL);
        assert_int_equal(par_dma_pointer(NULL, NULL, 0, &pointer, NULL), -EINVAL);
        assert_null(pointer);
        assert_int_equal(par_dma_pointer(&par, NULL, 0, NULL, NULL), -EINVAL);
        end(&par);
}

/* Return: what both say, where it is the same. */
static int be_a_child(void *data)
{
        struct par *par = data;
        void *pointer;
        uint64_t dma;
        int r = par_dma_address(par, par, &dma, NULL);

        return r == par_dma_pointer(par, NULL, 0, &pointer, NULL) && !handle_is_ours(par) ? r : -1;
}

static void test_lookup_not_in_a_child(void **state)
{
        struct par par;

        (void)state;
        begin(&par);
        assert_true(handle_is_ours(&par));
        assert_int_equal(in_child(be_a_child, &par), -ECHILD);
        assert_true(handle_is_ours(&par));
        end(&par);
}

/* ---- without memory ------------------------------------------------------------------------- */

static void test_lookup_without_memory(void **state)
{
        struct par_segment segments[3] = { { .dma = GiB, .length = SLOT + PAGE_BYTES },
                                           { .dma = 2 * GiB, .length = SLOT },
                                           { .dma = 3 * GiB, .length = SLOT } };
        struct par_buffer buffer;
        unsigned long nth;
        struct par par;
        uint32_t view;
        int r;

        (void)state;
        describe(&buffer, BASE, segments, 3);
        for (nth = 1;; nth++) {
                begin(&par);
                heap_fail(nth, nth);
                r = lookup_insert(&par.lookup, &buffer);
                if (!heap_mend())
                        break;
                assert_int_equal(r, -ENOMEM);
                check_gone(&par, &buffer);
                assert_int_equal(lookup_insert(&par.lookup, &buffer), 0); /* now there is some */
                check_forth(&par, &buffer, 0);
                end(&par);
        }
        assert_int_equal(r, 0);
        assert_true(nth > 5);
        for (uint64_t at = 0; at < buffer.size; at += PAGE_BYTES) {
                check_forth(&par, &buffer, at);
                check_back(&par, &buffer, at, NULL);
        }
        heap_fail(1, ULONG_MAX);
        assert_int_equal(lookup_view(&par.lookup, "board", &view), -ENOMEM);
        heap_mend();
        end(&par);
}

/* ---- many ----------------------------------------------------------------------------------- */

#define MANY     64
#define SEGMENTS 6

/* struct one - a buffer of the random test; @live: it is known */
struct one {
        bool live;
        struct par_buffer buffer;
        struct par_segment segments[SEGMENTS];
};

/* Each has a place of its own, 16 MiB long, for its memory and each of its segments. */
static void invent(struct one *one, size_t number, struct random *random)
{
        const uint64_t place = number * 16 * MiB;
        const size_t n = 1 + random_below(random, SEGMENTS);

        for (size_t i = 0; i < n; i++)
                one->segments[i] = (struct par_segment){
                        .dma = 1024 * GiB * (i + 1) + place +
                               PAGE_BYTES * random_below(random, 1024),
                        .length = PAGE_BYTES * (1 + random_below(random, 640)),
                };
        describe(&one->buffer, BASE + place + PAGE_BYTES * random_below(random, 64), one->segments,
                 n);
}

static void change(struct par *par, struct one *one, size_t number, struct random *random)
{
        if (one->live) {
                lookup_remove(&par->lookup, &one->buffer);
                check_gone(par, &one->buffer);
        } else {
                invent(one, number, random);
                assert_int_equal(lookup_insert(&par->lookup, &one->buffer), 0);
        }
        one->live = !one->live;
}

static void test_lookup_of_many(void **state)
{
        struct one *ones = calloc(MANY, sizeof(*ones));
        struct random random = { 1 };
        struct par par;

        (void)state;
        assert_non_null(ones);
        begin(&par);
        for (unsigned long i = 0; i < operations; i++) {
                const size_t number = random_below(&random, MANY);
                struct one *one = &ones[random_below(&random, MANY)];

                change(&par, &ones[number], number, &random);
                for (unsigned tries = 0; one->live && tries < 4; tries++) {
                        const uint64_t at = random_below(&random, one->buffer.size);

                        check_forth(&par, &one->buffer, at);
                        check_back(&par, &one->buffer, at, NULL);
                }
        }
        end(&par);
        free(ones);
}

/* ---- readers beside a writer ---------------------------------------------------------------- */

/**
 * struct beside - what readers and writer share
 * @stays: a buffer that is known all the time
 * @comes: its first address; it comes and goes, each time at one of two dma addresses
 * @wrong: answers that were neither
 */
struct beside {
        struct par par;
        struct par_buffer stays;
        uint64_t comes;
        atomic_bool stop;
        atomic_ulong wrong, found;
};

#define COMES_DMA(i) (UINT64_C(256) * GiB + (i)*GiB)

static void *read_beside(void *data)
{
        struct beside *beside = data;
        const uint64_t stays = beside->stays.segments[0].dma;
        struct par *par = &beside->par;
        uint64_t dma, back;
        void *pointer;
        int r;

        while (!atomic_load(&beside->stop)) {
                r = par_dma_address(par, beside->stays.data + 4567, &dma, NULL);
                if (r || dma != stays + 4567)
                        atomic_fetch_add(&beside->wrong, 1);
                r = par_dma_pointer(par, NULL, stays + 9876, &pointer, NULL);
                if (r || pointer != beside->stays.data + 9876)
                        atomic_fetch_add(&beside->wrong, 1);
                r = par_dma_address(par, (char *)(uintptr_t)beside->comes + 9999, &dma, NULL);
                back = dma - 9999;
                if (r ? r != -EFAULT : back != COMES_DMA(0) && back != COMES_DMA(1))
                        atomic_fetch_add(&beside->wrong, 1);
                atomic_fetch_add(&beside->found, !r);
        }
        return NULL;
}

static void test_lookup_beside_a_writer(void **state)
{
        static struct beside beside;
        struct par_segment stays = { .dma = GiB, .length = 4 * PAGE_BYTES }, segment, other;
        struct par_buffer comes, fill;
        pthread_t readers[2];

        (void)state;
        begin(&beside.par);
        describe(&beside.stays, BASE, &stays, 1);
        beside.comes = BASE + 8 * PAGE_BYTES; /* in the same slot */
        assert_int_equal(lookup_insert(&beside.par.lookup, &beside.stays), 0);
        for (size_t i = 0; i < ARRAY_SIZE(readers); i++)
                assert_int_equal(pthread_create(&readers[i], NULL, read_beside, &beside), 0);

        for (unsigned i = 0; i < operations || !atomic_load(&beside.found); i++) {
                segment = (struct par_segment){ .dma = COMES_DMA(i % 2), .length = 5 * PAGE_BYTES };
                describe(&comes, beside.comes, &segment, 1);
                assert_int_equal(lookup_insert(&beside.par.lookup, &comes), 0);
                /* By turns another one gets its span, and new slots make the tables grow. */
                other = (struct par_segment){ .dma = 512 * GiB + i * SLOT, .length = PAGE_BYTES };
                describe(&fill, BASE + (1 + i % 4096) * SLOT, &other, 1);
                if (i % 2)
                        lookup_remove(&beside.par.lookup, &comes);
                assert_int_equal(lookup_insert(&beside.par.lookup, &fill), 0);
                if (!(i % 2))
                        lookup_remove(&beside.par.lookup, &comes);
                lookup_remove(&beside.par.lookup, &fill);
        }
        atomic_store(&beside.stop, true);
        for (size_t i = 0; i < ARRAY_SIZE(readers); i++)
                assert_int_equal(pthread_join(readers[i], NULL), 0);
        assert_int_equal(atomic_load(&beside.wrong), 0);
        end(&beside.par);
}

int main(int argc, char **argv)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_lookup_of_one_buffer),
                cmocka_unit_test(test_lookup_refuses_memory_that_was_given_out),
                cmocka_unit_test(test_lookup_finds_the_first_of_two_at_one_address),
                cmocka_unit_test(test_lookup_tells_devices_apart),
                cmocka_unit_test(test_lookup_arguments),
                cmocka_unit_test(test_lookup_not_in_a_child),
                cmocka_unit_test(test_lookup_without_memory),
                cmocka_unit_test(test_lookup_of_many),
                cmocka_unit_test(test_lookup_beside_a_writer),
        };

        if (argc > 1)
                operations = strtoul(argv[1], NULL, 0);
        return cmocka_run_group_tests(tests, NULL, NULL);
}
