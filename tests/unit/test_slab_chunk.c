/* SPDX-License-Identifier: MIT */
/* How buffers are divided into objects: buffers that are only described. */
#include "slab.h"

#include "macros.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define PAGE         4096u
#define SEGMENTS_MAX 4
#define DATA         ((uintptr_t)64 << 40)

/**
 * struct division - a buffer and what becomes of it
 * @segments: dma and length of each
 * @most:     objects that are wanted; 0: as many as there is room for
 * @result:   of slab_chunk_new()
 * @objects:  that there are
 * @first:    dma of the first, @last: of the last
 */
struct division {
        const char *name;
        size_t object_bytes, align;
        struct {
                uint64_t dma, length;
        } segments[SEGMENTS_MAX];
        uint64_t most;
        int result;
        size_t objects;
        uint64_t first, last;
};

static const struct division divisions[] = {
        { "a page of cache lines", 64, 64, { { 0x10000, PAGE } }, 0, 0, 64, 0x10000, 0x10fc0 },
        { "objects that do not divide a page",
          1500,
          4,
          { { 0x10000, PAGE } },
          0,
          0,
          2,
          0x10000,
          0x105dc },
        { "each on its alignment", 1500, 512, { { 0x10000, PAGE } }, 0, 0, 2, 0x10000, 0x10600 },
        { "bytes", 1, 1, { { 0x10000, PAGE } }, 0, 0, PAGE, 0x10000, 0x10fff },
        { "no more than are wanted", 64, 64, { { 0x10000, PAGE } }, 3, 0, 3, 0x10000, 0x10080 },
        { "exactly one", PAGE, PAGE, { { 0x10000, PAGE } }, 0, 0, 1, 0x10000, 0x10000 },
        { "none across the end of a segment",
          3000,
          8,
          { { 0x10000, PAGE }, { 0x20000, PAGE }, { 0x30000, PAGE } },
          0,
          0,
          3,
          0x10000,
          0x30000 },
        { "none across a boundary, though memory goes on",
          3000,
          8,
          { { 0x10000, PAGE }, { 0x11000, PAGE } },
          0,
          0,
          2,
          0x10000,
          0x11000 },
        { "segments that are too short are left out",
          2 * PAGE,
          64,
          { { 0x10000, PAGE }, { 0x20000, 2 * PAGE }, { 0x30000, PAGE } },
          0,
          0,
          1,
          0x20000,
          0x20000 },
        { "aligned where the device sees it",
          256,
          256,
          { { 0x10080, PAGE } },
          0,
          0,
          15,
          0x10100,
          0x10f00 },
        { "up to the last address of all",
          PAGE,
          PAGE,
          { { UINT64_MAX - PAGE + 1, PAGE } },
          0,
          0,
          1,
          UINT64_MAX - PAGE + 1,
          UINT64_MAX - PAGE + 1 },
        { "aligned beyond the segment",
          64,
          2 * PAGE,
          { { 0x11000, PAGE } },
          0,
          -PAR_FRAGMENTED,
          0,
          0,
          0 },
        { "too large for any segment",
          PAGE + 1,
          1,
          { { 0x10000, PAGE }, { 0x20000, PAGE } },
          0,
          -PAR_FRAGMENTED,
          0,
          0,
          0 },
        { "addresses that are hidden",
          64,
          64,
          { { PAR_PHYS_NONE, PAGE } },
          0,
          0,
          64,
          PAR_PHYS_NONE,
          PAR_PHYS_NONE },
};

/* In one segment, at the address that it has there. */
static void check_place(const struct division *division, const struct par_buffer *buffer,
                        const struct par_object *object)
{
        const uint64_t at = (uint64_t)((char *)object->data - buffer->data);
        const struct par_segment *segment = buffer_segment_at(buffer, at);

        assert_true(at + division->object_bytes <= segment->offset + segment->length);
        assert_int_equal(object->dma, buffer_dma_in(segment, at));
        if (object->dma != PAR_PHYS_NONE)
                assert_int_equal(object->dma % division->align, 0);
}

static void describe(const struct division *division, struct par_buffer *buffer,
                     struct par_segment *segments)
{
        *buffer = (struct par_buffer){ .data = (char *)DATA, .segments = segments };
        for (size_t i = 0; i < SEGMENTS_MAX && division->segments[i].length; i++) {
                segments[i] = (struct par_segment){
                        .dma = division->segments[i].dma,
                        .length = division->segments[i].length,
                        .offset = buffer->size,
                };
                buffer->size += segments[i].length;
                buffer->n_segments++;
        }
}

static void check_division(const struct division *division, size_t room)
{
        struct par_slab slab = { .object_bytes = division->object_bytes, .align = division->align };
        struct par_segment segments[SEGMENTS_MAX];
        struct slab_chunk *chunk = NULL;
        struct par_object *objects;
        struct par_buffer buffer;
        int r;

        describe(division, &buffer, segments);
        assert_true(slab_chunk_room(&slab, buffer.size) <= room);
        objects = calloc(room, sizeof(*objects));
        assert_non_null(objects);
        r = slab_chunk_new(&slab, &buffer, division->most ? division->most : room, objects, &chunk);
        assert_int_equal(r, division->result);
        if (!r) {
                assert_int_equal(chunk->objects, division->objects);
                assert_int_equal(objects[0].dma, division->first);
                assert_int_equal(objects[chunk->objects - 1].dma, division->last);
                for (size_t i = 0; i < chunk->objects; i++) {
                        check_place(division, &buffer, &objects[i]);
                        assert_true(!i || (char *)objects[i].data - (char *)objects[i - 1].data >=
                                                  (ptrdiff_t)division->object_bytes);
                }
        }
        slab_chunk_free(chunk);
        free(objects);
}

static void test_slab_chunk_is_divided(void **state)
{
        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(divisions); i++) {
                print_message("%s\n", divisions[i].name);
                check_division(&divisions[i], 4 * PAGE);
        }
}

/* With red zones: in memory that is there, since the patterns are written. */
static void test_slab_chunk_has_red_zones(void **state)
{
        struct par_slab slab = { .object_bytes = 1000, .align = 8, .debug = true };
        struct par_segment segment = { .dma = 0x10000, .length = PAGE };
        struct par_buffer buffer = { .size = PAGE, .segments = &segment, .n_segments = 1 };
        struct par_object objects[4];
        struct slab_chunk *chunk;

        (void)state;
        buffer.data = aligned_alloc(PAGE, PAGE);
        assert_non_null(buffer.data);
        assert_int_equal(slab_chunk_room(&slab, PAGE), 3);
        assert_int_equal(slab_chunk_new(&slab, &buffer, 4, objects, &chunk), 0);
        assert_int_equal(chunk->objects, 3);
        for (size_t i = 0; i + 1 < chunk->objects; i++)
                assert_int_equal(objects[i + 1].dma - objects[i].dma, 1000 + SLAB_RED_ZONE_BYTES);
        assert_ptr_equal(chunk->records[2].object.data, objects[2].data);
        slab_chunk_free(chunk);
        free(buffer.data);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_slab_chunk_is_divided),
                cmocka_unit_test(test_slab_chunk_has_red_zones),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
