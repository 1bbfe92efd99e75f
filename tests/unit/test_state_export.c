/* SPDX-License-Identifier: MIT */
/*
 * Buffers of which somebody has a descriptor: who may still write to memory does not see it become
 * another buffer's.
 */
#include "macros.h"
#include "world.h"

#include "result.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define PAGE  (2 * MiB)
#define SMALL (16 * KiB)

static struct world world;
static struct client *a, *b;

static void begin(void)
{
        world_init(&world, 8);
        world.pools[0].reuse_delay_ns = NS_PER_S;
        world_start(&world);
        a = world_client(&world, 1000, "a");
        b = world_client(&world, 1001, "b");
}

static struct buffer *alloc(uint64_t size)
{
        struct buffer *buffer = world_alloc(&world, a, world_request(size));

        world_show(&world, a, buffer);
        return buffer;
}

static int export(struct client *client, uint64_t id)
{
        struct refusal refusal = { 0 };
        int r = state_export(world.state, client, id, &refusal);

        if (r)
                assert_true(refusal.sentence[0] && refusal.result == r);
        return r;
}

static void release(uint64_t id)
{
        assert_int_equal(state_release(world.state, a, id, world.now_ns), 0);
}

static uint64_t frame_of(const struct buffer *buffer)
{
        return world_first(buffer) & ~(PAGE - 1);
}

/* A buffer beside another in a frame is freed, and one like it is asked for. */
static const struct {
        const char *name;
        bool exported, same_frame;
} place_cases[] = {
        { "a place that nobody else has seen is granted again", false, true },
        { "a place that was exported is not", true, false },
};

static void test_an_exported_place_is_not_granted_again(void **state)
{
        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(place_cases); i++) {
                struct buffer *beside, *buffer, *next;
                uint64_t frame;

                begin();
                beside = alloc(SMALL);
                buffer = alloc(SMALL);
                frame = frame_of(buffer);
                assert_int_equal(frame_of(beside), frame);
                if (place_cases[i].exported)
                        assert_int_equal(export(a, world_id(buffer)), 0);
                release(world_id(buffer));
                next = alloc(SMALL);
                if ((frame_of(next) == frame) != place_cases[i].same_frame)
                        fail_msg("%s", place_cases[i].name);
                world_stop(&world);
        }
}

static void test_a_frame_is_shared_until_the_exported_buffer_is_freed(void **state)
{
        struct buffer *buffer, *beside;

        (void)state;
        begin();
        buffer = alloc(SMALL);
        assert_int_equal(export(a, world_id(buffer)), 0);
        beside = alloc(SMALL);
        assert_int_equal(frame_of(beside), frame_of(buffer));
        world_stop(&world);
}

/* An empty frame is kept for its owner, but for one of which somebody else may have a part. */
static void test_an_exported_frame_is_not_kept(void **state)
{
        uint64_t id;

        (void)state;
        begin();
        release(world_id(alloc(SMALL)));
        assert_int_equal(world_bytes(&world).reusable, PAGE);
        world_pass(&world, 2 * NS_PER_S);
        world.clumsy = true;
        id = world_id(alloc(SMALL));
        assert_int_equal(export(a, id), 0);
        release(id);
        assert_int_equal(world_bytes(&world).reusable, 0);
        assert_int_equal(world_bytes(&world).leaving, PAGE);
        world_let_leave(&world);
        assert_int_equal(world_bytes(&world).free, 8 * PAGE);
        world_stop(&world);
}

/* All frames of a large buffer, the last of which has room for others. */
static void test_each_frame_of_a_large_buffer_is_exported(void **state)
{
        struct buffer *large, *beside;
        uint64_t id;

        (void)state;
        begin();
        world.clumsy = true;
        large = alloc(2 * PAGE + SMALL);
        id = world_id(large);
        assert_int_equal(export(a, id), 0);
        beside = alloc(SMALL);
        release(id);
        assert_int_equal(world_bytes(&world).leaving, 2 * PAGE);
        assert_int_equal(world_bytes(&world).granted, PAGE);
        assert_int_not_equal(frame_of(alloc(SMALL)), frame_of(beside));
        release(world_id(beside));
        assert_int_equal(world_bytes(&world).leaving, 3 * PAGE);
        world_let_leave(&world);
        world_stop(&world);
}

/* What somebody still refers to is charged to who had it, and is nobody else's. */
static void test_an_exported_frame_lingers_at_its_owner(void **state)
{
        struct refusal refusal;
        struct buffer *buffer;
        uint64_t id;

        (void)state;
        begin();
        world.clumsy = true;
        buffer = alloc(PAGE);
        id = world_id(buffer);
        assert_int_equal(export(a, id), 0);
        release(id);
        for (uint32_t i = 0; i < world.n_slots; i++)
                if (world.frames[i].leaving)
                        state_frame_lingers(world.state, world.frames[i].name, FRAME_HOLDER_PAGES,
                                            world.now_ns);
        assert_int_equal(world_bytes(&world).lingering, PAGE);
        (void)world_alloc(&world, b, world_request(7 * PAGE));
        assert_int_not_equal(world_refused(&world, b, world_request(PAGE), &refusal), 0);
        world_let_leave(&world);
        assert_int_equal(world_bytes(&world).lingering, 0);
        world_stop(&world);
}

static void test_exports_are_counted(void **state)
{
        uint64_t id, other;

        (void)state;
        begin();
        id = world_id(alloc(SMALL));
        other = world_id(alloc(SMALL));
        for (unsigned i = 0; i < BUFFER_EXPORTS_MAX; i++)
                assert_int_equal(export(a, id), 0);
        assert_int_equal(export(a, id), PAR_REFUSED_QUOTA);
        assert_int_equal(export(a, other), 0);
        state_unexport(a, id);
        assert_int_equal(export(a, id), 0);
        assert_int_equal(export(a, id), PAR_REFUSED_QUOTA);
        world_stop(&world);
}

static void test_others_buffers_are_not_exported(void **state)
{
        uint64_t id;

        (void)state;
        begin();
        id = world_id(alloc(SMALL));
        assert_int_equal(export(b, id), PAR_REFUSED_GONE);
        state_unexport(b, id);
        assert_int_equal(export(a, id + 1), PAR_REFUSED_GONE);
        release(id);
        assert_int_equal(export(a, id), PAR_REFUSED_GONE);
        state_unexport(a, id);
        world_stop(&world);
}

/* Its client dies: what others have of it changes nothing about the quarantine. */
static void test_an_exported_buffer_goes_through_quarantine(void **state)
{
        (void)state;
        begin();
        world.clumsy = true;
        world.pools[0].quarantine_ns = NS_PER_S;
        (void)alloc(SMALL);
        assert_int_equal(export(a, world_id(alloc(SMALL))), 0);
        client_end(world.state, a, false, world.now_ns);
        assert_int_equal(world_bytes(&world).quarantined, PAGE);
        world_pass(&world, 2 * NS_PER_S);
        assert_int_equal(world_bytes(&world).leaving, PAGE);
        world_let_leave(&world);
        world_stop(&world);
}

/* A pool that hands out dma-bufs: every buffer of it is as good as exported. */
static void test_a_dmabuf_handed_out_counts_as_exported(void **state)
{
        struct buffer *beside, *buffer;
        struct buffer_view view;
        uint64_t frame;

        (void)state;
        begin();
        world.pools[0].handout = HANDOUT_DMABUF;
        beside = world_alloc(&world, a, world_request(SMALL));
        buffer = world_alloc(&world, a, world_request(SMALL));
        buffer_view(buffer, &view);
        assert_true(view.as_dmabuf);
        frame = frame_of(buffer);
        assert_int_equal(frame_of(beside), frame);
        release(world_id(buffer));
        buffer = world_alloc(&world, a, world_request(SMALL));
        assert_int_not_equal(frame_of(buffer), frame);
        world.clumsy = true;
        release(world_id(beside));
        release(world_id(buffer));
        assert_int_equal(world_bytes(&world).leaving, 2 * PAGE);
        world_let_leave(&world);
        world_stop(&world);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_an_exported_place_is_not_granted_again),
                cmocka_unit_test(test_a_frame_is_shared_until_the_exported_buffer_is_freed),
                cmocka_unit_test(test_an_exported_frame_is_not_kept),
                cmocka_unit_test(test_each_frame_of_a_large_buffer_is_exported),
                cmocka_unit_test(test_an_exported_frame_lingers_at_its_owner),
                cmocka_unit_test(test_exports_are_counted),
                cmocka_unit_test(test_others_buffers_are_not_exported),
                cmocka_unit_test(test_an_exported_buffer_goes_through_quarantine),
                cmocka_unit_test(test_a_dmabuf_handed_out_counts_as_exported),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
