/* SPDX-License-Identifier: MIT */
/*
 * The parts of libparheap that need no daemon: the map of a chunk's pages, the table of addresses,
 * and the classes of small pieces.
 */
#include "addresses.h"
#include "arena.h"
#include "chunk.h"
#include "macros.h"
#include "magazine.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

/* ---- a chunk -------------------------------------------------------------------------------- */

/* A buffer of pard's, as far as a chunk looks at it; nobody touches the memory. */
#define DATA  ((char *)(uintptr_t)0x7f0000000000)
#define PAGES ((size_t)200)

static unsigned buffers_freed;

size_t par_buffer_size(const struct par_buffer *buffer)
{
        (void)buffer;
        return PAGES * PAGE_BYTES;
}

void *par_buffer_data(const struct par_buffer *buffer)
{
        (void)buffer;
        return DATA;
}

void par_free(struct par_buffer *buffer)
{
        (void)buffer;
        buffers_freed++;
}

/* One after the other, on one chunk. */
static const struct {
        const char *name;
        size_t give, give_pages;  /* first */
        size_t pages, align;      /* to be taken; 0: nothing */
        size_t page, fresh_pages; /* where, PAGES: refused; how many are fresh */
} steps[] = {
        { "the first pages", 0, 0, 3, 1, 0, 3 },
        { "the next ones", 0, 0, 5, 1, 3, 5 },
        { "aligned", 0, 0, 4, 16, 16, 4 },
        { "in the gap, which was passed over", 0, 0, 8, 1, 8, 0 },
        { "given and taken: used before", 3, 5, 5, 1, 3, 0 },
        { "partly used before", 16, 4, 8, 1, 16, 4 },
        { "more than a word of the map", 0, 0, 100, 1, 24, 100 },
        { "more than there is", 0, 0, 77, 1, PAGES, 0 },
        { "all the rest", 0, 0, 76, 1, 124, 76 },
        { "nothing is left", 0, 0, 1, 1, PAGES, 0 },
        { "two that join", 3, 5, 0, 0, 0, 0 },
        { "and are taken as one", 8, 8, 13, 1, 3, 0 },
        { "which does not begin on its alignment", 24, 100, 100, 32, PAGES, 0 },
        { "but less of it does", 0, 0, 92, 32, 32, 0 },
};

static void test_chunk_takes_the_first_that_fits(void **state)
{
        struct chunk *chunk = chunk_new(NULL);
        size_t fresh_pages = 0;
        void *at;

        (void)state;
        assert_true(chunk && chunk_is_empty(chunk));
        for (size_t i = 0; i < ARRAY_SIZE(steps); i++) {
                if (steps[i].give_pages)
                        chunk_give(chunk, DATA + steps[i].give * PAGE_BYTES, steps[i].give_pages);
                if (!steps[i].pages)
                        continue;
                at = chunk_take(chunk, steps[i].pages, steps[i].align, &fresh_pages);
                if (steps[i].page == PAGES ? at != NULL : at != DATA + steps[i].page * PAGE_BYTES)
                        fail_msg("%s: at %p", steps[i].name, at);
                if (at && fresh_pages != steps[i].fresh_pages)
                        fail_msg("%s: %zu are fresh", steps[i].name, fresh_pages);
        }
        assert_false(chunk_is_empty(chunk));
        chunk_free(chunk);
        chunk_free(NULL);
        assert_int_equal(buffers_freed, 1);
}

static void test_chunk_is_empty_again(void **state)
{
        struct chunk *chunk = chunk_new(NULL);
        size_t fresh_pages;

        (void)state;
        assert_non_null(chunk_take(chunk, PAGES, 1, &fresh_pages));
        for (size_t i = 0; i < PAGES; i++) {
                assert_false(chunk_is_empty(chunk));
                chunk_give(chunk, DATA + i * PAGE_BYTES, 1);
        }
        assert_true(chunk_is_empty(chunk));
        assert_ptr_equal(chunk_take(chunk, PAGES, 1, &fresh_pages), DATA);
        assert_int_equal(fresh_pages, 0);
        chunk_free(chunk);
}

/* ---- addresses ------------------------------------------------------------------------------ */

static uintptr_t unit_at(size_t i)
{
        return (uintptr_t)DATA + i * 37 * UNIT_BYTES;
}

static void check_unit(const struct addresses *addresses, size_t i, bool there)
{
        const struct unit *unit = addresses_find(addresses, (char *)unit_at(i) + UNIT_BYTES - 1);

        assert_int_equal(unit != NULL, there);
        if (unit)
                assert_int_equal(atomic_load(&unit->delta), i * UNIT_BYTES);
}

/* While units come and go, all that are there are found, and no other. */
static void test_addresses_are_found(void **state)
{
        static struct addresses addresses;
        const size_t count = 5000;

        (void)state;
        assert_null(addresses_find(&addresses, DATA));
        for (size_t i = 0; i < count; i++) {
                assert_int_equal(addresses_reserve(&addresses, 1), 0);
                addresses_add(&addresses, unit_at(i), i * UNIT_BYTES, NULL, 0);
                check_unit(&addresses, i, true);
                check_unit(&addresses, i + 1, false);
                if (i % 3 == 0)
                        addresses_remove(&addresses, unit_at(i));
        }
        for (size_t i = 0; i < count; i++)
                check_unit(&addresses, i, i % 3 != 0);
        addresses_deinit(&addresses);
        assert_null(addresses_find(&addresses, DATA));
}

/* Units that come and go for ever need no larger table. */
static void test_addresses_do_not_grow(void **state)
{
        static struct addresses addresses;
        struct unit_table *table;

        (void)state;
        assert_int_equal(addresses_reserve(&addresses, 32), 0);
        table = atomic_load(&addresses.table);
        for (size_t i = 0; i < 100000; i++) {
                assert_int_equal(addresses_reserve(&addresses, 32), 0);
                addresses_add(&addresses, unit_at(i), 0, NULL, 0);
                if (i >= 31)
                        addresses_remove(&addresses, unit_at(i - 31));
        }
        assert_true(table->shift - ((struct unit_table *)atomic_load(&addresses.table))->shift < 4);
        addresses_deinit(&addresses);
}

/* ---- classes -------------------------------------------------------------------------------- */

static const struct {
        const char *name;
        size_t asked;
        size_t size; /* 0: it has no class */
} class_cases[] = {
        { "nothing is something", 0, 8 },
        { "a byte", 1, 8 },
        { "all of a class", 8, 8 },
        { "one more", 9, 16 },
        { "between", 40, 0 },
        { "the largest", 4096, 4096 },
        { "larger", 4097, 0 },
        { "much larger", SIZE_MAX, 0 },
};

static void test_classes(void **state)
{
        static struct magazine_classes classes;

        (void)state;
        for (size_t asked = 0; asked <= MAGAZINE_SIZE_MAX; asked += MAGAZINE_STEP)
                magazine_classes_add(&classes, asked,
                                     asked <= 8      ? 8
                                     : asked <= 16   ? 16
                                     : asked <= 2048 ? 0
                                                     : 4096);
        assert_int_equal(classes.last, 3);
        for (size_t i = 0; i < ARRAY_SIZE(class_cases); i++) {
                unsigned class = magazine_class(&classes, class_cases[i].asked);

                if (classes.size[class] != class_cases[i].size)
                        fail_msg("%s: %u", class_cases[i].name, classes.size[class]);
        }
        for (unsigned i = 1; i <= classes.last; i++)
                assert_in_range(classes.room[i], 16, MAGAZINE_ROOM);
}

/* ---- magazines ------------------------------------------------------------------------------ */

/* An allocator with so many pieces; which ones it has back is a bit each. */
static char pieces[64];
static size_t pieces_left, pieces_back;
static bool back[64];

void *mallocx(size_t size, int flags)
{
        (void)size;
        (void)flags;
        return pieces_left ? &pieces[--pieces_left] : NULL;
}

void dallocx(void *piece, int flags)
{
        size_t i = (size_t)((char *)piece - pieces);

        (void)flags;
        assert_false(back[i]);
        back[i] = true;
        pieces_back++;
}

static size_t count_of(const struct magazine *magazine)
{
        return (size_t)(magazine->top - magazine->bottom);
}

static void test_magazines_fill_and_drain(void **state)
{
        struct magazine_classes classes = { .size = { 0, 8 }, .room = { 0, 20 }, .last = 1 };
        struct magazines *magazines = magazines_new(&classes);
        struct magazine *magazine = &magazines->of[1];
        void *oldest, *newest;

        (void)state;
        pieces_left = 15;
        magazine_fill(magazine, 8, 0);
        assert_int_equal(count_of(magazine), 10);
        assert_int_equal(magazine->full - magazine->top, 10);
        oldest = magazine->bottom[0];
        newest = magazine->top[-1];
        magazine_drain(magazine, 0);
        assert_int_equal(count_of(magazine), 5);
        assert_true(back[(char *)oldest - pieces]);
        assert_ptr_equal(magazine->top[-1], newest);

        magazines_empty(magazines, 0);
        assert_int_equal(pieces_back, 10);
        magazine_fill(magazine, 8, 0);
        assert_int_equal(count_of(magazine), 5); /* it has no more */
        magazines_empty(magazines, 0);
        magazine_fill(magazine, 8, 0);
        assert_int_equal(count_of(magazine), 0);
        assert_int_equal(pieces_back, 15);
        free(magazines);
}

/* What has no class is never taken from a magazine, and never put into one. */
static void test_no_class_is_empty_and_full(void **state)
{
        struct magazine_classes classes = { .size = { 0, 8 }, .room = { 0, 20 }, .last = 1 };
        struct magazines *magazines = magazines_new(&classes);
        const struct magazine *none = &magazines->of[MAGAZINE_NONE];

        (void)state;
        assert_true(none->top == none->bottom && none->top == none->full);
        assert_int_equal(magazine_class(&classes, MAGAZINE_SIZE_MAX + 1), MAGAZINE_NONE);
        magazine_drain(&magazines->of[MAGAZINE_NONE], 0);
        assert_true(none->top == none->bottom && none->top == none->full);
        free(magazines);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_chunk_takes_the_first_that_fits),
                cmocka_unit_test(test_chunk_is_empty_again),
                cmocka_unit_test(test_addresses_are_found),
                cmocka_unit_test(test_addresses_do_not_grow),
                cmocka_unit_test(test_classes),
                cmocka_unit_test(test_magazines_fill_and_drain),
                cmocka_unit_test(test_no_class_is_empty_and_full),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
