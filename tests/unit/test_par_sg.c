/* SPDX-License-Identifier: MIT */
/*
 * Scatter lists for a device that the daemon describes: what is asked of the parts of a list, and
 * what only of memory that is allocated for the device.
 */
#include "map_setup.h"

#include <errno.h>
#include <par_sg.h>

#define BUFFER_BYTES (64 * KiB) /* and it begins on a multiple of that */
#define PARTS_MAX    3
#define ENTRIES_MAX  8
#define PAGE_BYTES   (4 * KiB)

/* struct place - memory of the buffer: a part of the list, or a segment */
struct place {
        size_t offset, length;
};

static const struct {
        const char *name;
        struct par_constraint limits;
        uint64_t start_align, min_align_mask, align; /* align: the request's */
        struct place parts[PARTS_MAX], segments[PARTS_MAX];
        const char *words; /* of a refusal; NULL: there is none */
        uint64_t pages[ENTRIES_MAX];
} cases[] = {
        { "from the middle of a page to that of another",
          { .align = 4096 },
          4,
          4095,
          0,
          { { 0x204, 0x1f00 } },
          { { 0x204, 0x1f00 } },
          NULL,
          { 0x204, 0x1000, 0x2000 } },
        { "and on in a page elsewhere",
          { .align = 4096 },
          4,
          4095,
          0,
          { { 0x204, 0xdfc }, { 0x8000, 0x1800 } },
          { { 0x204, 0xdfc }, { 0x8000, 0x1800 } },
          NULL,
          { 0x204, 0x8000, 0x9000 } },
        { "a header and a payload, which are no pages",
          { .align = 4096 },
          4,
          4095,
          0,
          { { 0x40, 64 }, { 0x8600, 0x300 } },
          { { 0x40, 64 }, { 0x8600, 0x300 } },
          NULL,
          { 0 } },
        { "what the device's own align asks for",
          { .align = 4096 },
          4,
          4095,
          0,
          { { 0x202, 64 } },
          { { 0 } },
          "0202: no multiple of align 4 of device capture0",
          { 0 } },
        { "the same in a later part",
          { .align = 4096 },
          4,
          4095,
          0,
          { { 0x204, 64 }, { 0x8002, 64 } },
          { { 0 } },
          "8002: no multiple of align 4 of device capture0",
          { 0 } },
        { "what the request asks for",
          { .align = 4096 },
          4,
          4095,
          512,
          { { 0x204, 64 } },
          { { 0 } },
          "0204: no multiple of align 512 of the request",
          { 0 } },
        { "an align that is as wide as the mask",
          { .align = 4096 },
          4096,
          4095,
          0,
          { { 0x200, 64 } },
          { { 0 } },
          "0200: no multiple of align 4096 of device capture0",
          { 0 } },
        { "an align of a device without a mask",
          { .align = 64 },
          64,
          0,
          0,
          { { 0x20, 64 } },
          { { 0 } },
          "0020: no multiple of align 64 of device capture0",
          { 0 } },
        { "of a daemon that does not tell them apart",
          { .align = 4096 },
          0,
          0,
          0,
          { { 0x200, 64 } },
          { { 0 } },
          "0200: no multiple of align 4096 of device capture0",
          { 0 } },
        { "cut at the boundary",
          { .align = 4096, .boundary = 8192 },
          4,
          4095,
          0,
          { { 0x1204, 0x2000 } },
          { { 0x1204, 0xdfc }, { 0x2000, 0x1204 } },
          NULL,
          { 0x1204, 0x2000, 0x3000 } },
        { "cut after the longest segment, where the next one may begin",
          { .align = 4096, .max_segment_bytes = 0x1802 },
          4,
          4095,
          0,
          { { 0x1204, 0x2000 } },
          { { 0x1204, 0x1800 }, { 0x2a04, 0x800 } },
          NULL,
          { 0x1204, 0x2000, 0x3000 } },
        { "joined, and cut as if it had been one part",
          { .align = 4096, .max_segment_bytes = 0x1800 },
          4,
          4095,
          0,
          { { 0x1204, 0x100 }, { 0x1304, 0x1f00 } },
          { { 0x1204, 0x1800 }, { 0x2a04, 0x800 } },
          NULL,
          { 0x1204, 0x2000, 0x3000 } },
};

static size_t count_of(const struct place *places)
{
        size_t n = 0;

        while (n < PARTS_MAX && places[n].length)
                n++;
        return n;
}

static void check_segments(const char *name, const struct par_sg *list, uint64_t base,
                           const struct place *expected)
{
        const struct par_segment *segments;
        const size_t n = par_sg_segments(list, &segments);

        if (n != count_of(expected))
                fail_msg("%s: %zu segments", name, n);
        for (size_t i = 0; i < n; i++)
                if (segments[i].dma != base + expected[i].offset ||
                    segments[i].length != expected[i].length)
                        fail_msg("%s: segment %zu: %#llx, %#llx bytes", name, i,
                                 (unsigned long long)(segments[i].dma - base),
                                 (unsigned long long)segments[i].length);
}

/* As PRP entries: only the first one may begin within a page. None are expected: it has no pages.
 */
static void check_pages(const char *name, const struct par_sg *list, uint64_t base,
                        const uint64_t *expected)
{
        uint64_t dma[ENTRIES_MAX];
        size_t count, n = 0;
        int r;

        while (expected[n])
                n++;
        r = par_sg_pages(list, PAGE_BYTES, dma, ENTRIES_MAX, &count);
        if (r != (n ? 0 : -ERANGE) || count != n)
                fail_msg("%s: %d, %zu pages", name, r, count);
        for (size_t i = 0; i < n; i++)
                if (dma[i] != base + expected[i] || (i && dma[i] % PAGE_BYTES))
                        fail_msg("%s: page %zu is at %#llx", name, i,
                                 (unsigned long long)(dma[i] - base));
}

static void say(size_t i)
{
        say_nothing();
        said.limits.align = cases[i].limits.align;
        said.limits.boundary = cases[i].limits.boundary;
        said.limits.max_segment_bytes = cases[i].limits.max_segment_bytes;
        said.start_align = cases[i].start_align;
        said.min_align_mask = cases[i].min_align_mask;
}

static void test_parts_begin_where_the_device_takes_them(void **state)
{
        const struct par_constraint aligned = { .align = BUFFER_BYTES };
        struct par_sg_part parts[PARTS_MAX];
        struct par_buffer *buffer;
        struct par_sg *list;
        struct setup setup;

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
                const struct par_constraint limits = { .align = cases[i].align };
                const size_t n = count_of(cases[i].parts);
                int r;

                say(i);
                begin_as_said(&setup);
                assert_int_equal(par_alloc(setup.par, BUFFER_BYTES, &aligned, NULL, &buffer), 0);
                r = par_sg_create(setup.par, &limits,
                                  &(struct par_sg_options){ .device = setup.device }, &list);
                assert_int_equal(r, 0);
                for (size_t k = 0; k < n; k++)
                        parts[k] = (struct par_sg_part){ .buffer = buffer,
                                                         .offset = cases[i].parts[k].offset,
                                                         .length = cases[i].parts[k].length };
                r = par_sg_add(list, parts, n);
                if (r != (cases[i].words ? -PAR_NEVER_FITS : 0) ||
                    (r && !strstr(par_error(setup.par), cases[i].words)))
                        fail_msg("%s: %d: %s", cases[i].name, r, par_error(setup.par));
                check_segments(cases[i].name, list, par_buffer_dma(buffer), cases[i].segments);
                if (!r)
                        check_pages(cases[i].name, list, par_buffer_dma(buffer), cases[i].pages);
                par_sg_destroy(list);
                par_free(buffer);
                end(&setup);
        }
}

/* What is mapped may have to lie otherwise than what a list describes. */
static void test_a_setup_of_mappings_is_none_of_lists(void **state)
{
        const struct par_constraint wider = { .align = 4096 };
        const struct par_map_setup mappings = { .constraint = &wider };
        struct par_sg_part part = { .offset = 0x204, .length = 64 };
        struct par_buffer *buffer;
        struct par_sg *list;
        struct setup setup;

        (void)state;
        say_nothing();
        said.limits.align = 4096;
        said.start_align = 4;
        said.min_align_mask = 4095;
        begin_as_said(&setup);
        assert_int_equal(par_map_setup(setup.device, &mappings), 0);
        assert_int_equal(par_alloc(setup.par, 4096, NULL, NULL, &buffer), 0);
        assert_int_equal(par_sg_create(setup.par, NULL,
                                       &(struct par_sg_options){ .device = setup.device }, &list),
                         0);
        part.buffer = buffer;
        assert_int_equal(par_sg_add(list, &part, 1), 0);
        par_sg_destroy(list);
        par_free(buffer);
        end(&setup);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_parts_begin_where_the_device_takes_them),
                cmocka_unit_test(test_a_setup_of_mappings_is_none_of_lists),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
