/* SPDX-License-Identifier: MIT */
/*
 * Several buffers at once: all of them, or none and nothing has changed.
 */
#include "macros.h"
#include "world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define PAGE (2 * MiB)

static struct world world;
static struct quota_settings quota;
static struct buffer *got[BATCH_BUFFERS_MAX];

static int ask(struct client *client, struct request request, size_t count, struct refusal *refusal)
{
        *refusal = (struct refusal){ 0 };
        return state_alloc_batch(world.state, client, &request, count, world.now_ns, got, refusal);
}

static void get(struct client *client, struct request request, size_t count)
{
        struct refusal refusal;

        if (ask(client, request, count, &refusal))
                fail_msg("%s", refusal.sentence);
}

static struct piece piece_of(const struct buffer *buffer)
{
        struct piece piece;

        buffer_piece(buffer, 0, &piece);
        return piece;
}

/* ---- what is granted ------------------------------------------------------------------------ */

static const struct {
        const char *name;
        uint64_t size, align, boundary;
        size_t count;
        unsigned frames; /* that it takes */
} grants[] = {
        { "one", 4096, 0, 0, 1, 1 },
        { "side by side in a part of a page", 4096, 0, 0, 64, 1 },
        { "all of a page", 32 * KiB, 0, 0, 64, 1 },
        { "of two pages", 64 * KiB, 0, 0, 64, 2 },
        { "each in a page", PAGE, 0, 0, 5, 5 },
        { "larger than half a page", MiB + 4096, 0, 0, 3, 3 },
        { "rounded up", 5000, 0, 0, 64, 1 },
        { "aligned beyond their size", 4096, 64 * KiB, 0, 64, 2 },
        { "of a size that divides no boundary", 12 * KiB, 0, 64 * KiB, 50, 1 },
        { "aligned beyond a page", 4096, 4 * MiB, 0, 2, 2 },
};

static void assert_meets(const struct request *want, const struct buffer *buffer)
{
        struct segment_cursor cursor = { 0 };
        struct buffer_view view;
        struct range at;

        buffer_view(buffer, &view);
        assert_int_equal(view.size_bytes, (want->want.size_bytes + 4095) & ~UINT64_C(4095));
        assert_int_equal(view.piece_count, 1);
        assert_int_equal(view.segment_count, 1);
        assert_true(buffer_next_segment(buffer, &cursor, &at));
        if (want->want.align_bytes)
                assert_int_equal(at.first & (want->want.align_bytes - 1), 0);
        if (want->want.boundary_bytes)
                assert_int_equal(at.first / want->want.boundary_bytes,
                                 at.last / want->want.boundary_bytes);
        assert_true(piece_of(buffer).zeroed);
}

static void test_all_are_granted(void **unused)
{
        (void)unused;
        for (size_t i = 0; i < ARRAY_SIZE(grants); i++) {
                struct request request = world_request(grants[i].size);
                struct client *client;

                print_message("%s\n", grants[i].name);
                request.want.align_bytes = grants[i].align;
                request.want.boundary_bytes = grants[i].boundary;
                world_init(&world, 16);
                world_start(&world);
                client = world_client(&world, 1000, "a");
                get(client, request, grants[i].count);
                for (size_t j = 0; j < grants[i].count; j++) {
                        assert_meets(&request, got[j]);
                        assert_int_equal(world_id(got[j]), world_id(got[0]) + j);
                }
                assert_int_equal(world_bytes(&world).granted, grants[i].frames * PAGE);
                /* Each can be given back by itself. */
                for (size_t j = 0; j < grants[i].count; j++)
                        assert_int_equal(
                                state_release(world.state, client, world_id(got[j]), world.now_ns),
                                0);
                assert_int_equal(world_bytes(&world).granted, 0);
                world_stop(&world);
        }
}

/* As single ones do: what is its client's already is used before anything new. */
static void test_holes_are_filled(void **unused)
{
        struct buffer *held[32];
        struct client *client;

        (void)unused;
        world_init(&world, 1);
        world_start(&world);
        client = world_client(&world, 1000, "a");
        for (size_t i = 0; i < ARRAY_SIZE(held); i++)
                held[i] = world_alloc(&world, client, world_request(64 * KiB));
        for (size_t i = 0; i < ARRAY_SIZE(held); i += 2)
                assert_int_equal(
                        state_release(world.state, client, world_id(held[i]), world.now_ns), 0);
        get(client, world_request(32 * KiB), 32);
        for (size_t i = 0; i < 32; i++)
                assert_false(piece_of(got[i]).zeroed);
        assert_int_equal(world_bytes(&world).granted, PAGE);
        world_stop(&world);
}

static void test_it_goes_on_in_another_pool(void **unused)
{
        struct client *client;
        struct refusal refusal;

        (void)unused;
        world_init(&world, 2);
        world_add_pool(&world, "low", 0, 4 * GiB - 1, 2);
        world.pools[1].spill = true;
        world_start(&world);
        client = world_client(&world, 1000, "a");
        get(client, world_request(PAGE), 4);
        assert_int_equal(world_pool(&world, 0).bytes.granted, 2 * PAGE);
        assert_int_equal(world_pool(&world, 1).bytes.granted, 2 * PAGE);
        assert_int_equal(ask(client, world_request(PAGE), 1, &refusal), PAR_REFUSED_NEVER_FITS);
        world_stop(&world);
}

/* ---- what is refused ------------------------------------------------------------------------ */

static struct client *asker;

static void with_two_buffers(void)
{
        world.settings.max_buffers = 2;
}

static void with_a_quota_of_buffers(void)
{
        quota = (struct quota_settings){ .name = (char *)(uintptr_t) "user:a",
                                         .who = { false, 1000 },
                                         .bytes = QUOTA_NONE,
                                         .frames = QUOTA_NONE,
                                         .buffers = 3 };
        world.pools[0].quotas = &quota;
        world.pools[0].n_quotas = 1;
}

static void with_a_quota_of_frames(void)
{
        with_a_quota_of_buffers();
        quota.buffers = QUOTA_NONE;
        quota.frames = 1;
}

static void with_dmabufs(void)
{
        world.pools[0].handout = HANDOUT_DMABUF;
}

static void with_windows(void)
{
        world.devices[0] = (struct device_settings){
                .name = (char *)(uintptr_t) "pi",
                .limits = { .window = { 0, UINT64_MAX }, .align_bytes = 1 },
                .windows = { { { 0, 4 * GiB - 1 }, 0 } },
                .n_windows = 1,
        };
        world.settings.devices = world.devices;
        world.settings.n_devices = 1;
}

/* Somebody else has two of the four pages. */
static void take_two(void)
{
        struct client *other = world_client(&world, 1001, "other");

        for (unsigned i = 0; i < 2; i++)
                world_alloc(&world, other, world_request(PAGE));
}

/* And of the two that are left half of each is the asker's already: what is free lies apart. */
static void take_halves(void)
{
        take_two();
        for (unsigned i = 0; i < 2; i++)
                world_alloc(&world, asker, world_request(MiB + 4096));
}

static const struct {
        const char *name;
        void (*configure)(void);
        void (*prepare)(void);
        struct request request;
        size_t count;
        int result;
        const char *words;
} refusals[] = {
        { "of size 0",
          NULL,
          NULL,
          { .want = { .window = { 0, UINT64_MAX } } },
          4,
          PAR_REFUSED_INVALID,
          "" },
        { "beyond max_buffers",
          with_two_buffers,
          NULL,
          { .want = { .window = { 0, UINT64_MAX }, .size_bytes = 4096 } },
          4,
          PAR_REFUSED_QUOTA,
          "buffer 3 of 4: this client has 2 buffers" },
        { "beyond a quota of buffers, in the middle of a run",
          with_a_quota_of_buffers,
          NULL,
          { .want = { .window = { 0, UINT64_MAX }, .size_bytes = 4096 } },
          8,
          PAR_REFUSED_QUOTA,
          "buffer 4 of 8: " },
        { "beyond a quota of frames",
          with_a_quota_of_frames,
          NULL,
          { .want = { .window = { 0, UINT64_MAX }, .size_bytes = 64 * KiB } },
          33,
          PAR_REFUSED_QUOTA,
          "buffer 33 of 33: " },
        { "beyond what is free",
          NULL,
          NULL,
          { .want = { .window = { 0, UINT64_MAX }, .size_bytes = PAGE } },
          5,
          PAR_REFUSED_NEVER_FITS,
          "buffer 5 of 5: " },
        { "beyond what is free now",
          NULL,
          take_two,
          { .want = { .window = { 0, UINT64_MAX }, .size_bytes = PAGE } },
          3,
          PAR_REFUSED_EXHAUSTED,
          "buffer 3 of 3: " },
        { "where what is free lies apart",
          NULL,
          take_halves,
          { .want = { .window = { 0, UINT64_MAX }, .size_bytes = 512 * KiB } },
          3,
          PAR_REFUSED_EXHAUSTED,
          "buffer 3 of 3: 512 KiB in one piece anywhere: 1016 KiB are free there, the largest run "
          "is 508 KiB" },
        { "where a page is free that is not aligned",
          NULL,
          take_two,
          { .want = { .window = { 0, UINT64_MAX }, .size_bytes = PAGE, .align_bytes = 2 * PAGE } },
          2,
          PAR_REFUSED_FRAGMENTED,
          "buffer 2 of 2: " },
        { "of a pool that there is not",
          NULL,
          NULL,
          { .want = { .window = { 0, UINT64_MAX }, .size_bytes = 4096 }, .pool = "none" },
          2,
          PAR_REFUSED_INVALID,
          "there is no pool none" },
        { "below what there is",
          NULL,
          NULL,
          { .want = { .window = { 0, GiB - 1 }, .size_bytes = 4096 } },
          2,
          PAR_REFUSED_NEVER_FITS,
          "buffer 1 of 2: " },
        { "larger than a page",
          NULL,
          NULL,
          { .want = { .window = { 0, UINT64_MAX }, .size_bytes = PAGE + 4096 } },
          2,
          PAR_REFUSED_INVALID,
          "it is larger than a page; ask for one at a time" },
        { "that take two segments",
          NULL,
          NULL,
          { .want = { .window = { 0, UINT64_MAX },
                      .size_bytes = 16 * KiB,
                      .boundary_bytes = 8 * KiB,
                      .max_segments = 2 } },
          2,
          PAR_REFUSED_INVALID,
          "its boundary is below its size" },
        { "whose segments are too short",
          NULL,
          NULL,
          { .want = { .window = { 0, UINT64_MAX },
                      .size_bytes = 16 * KiB,
                      .max_segment_bytes = 8 * KiB,
                      .max_segments = 2 } },
          2,
          PAR_REFUSED_INVALID,
          "max_segment_bytes is below its size" },
        { "of dma-bufs",
          with_dmabufs,
          NULL,
          { .want = { .window = { 0, UINT64_MAX }, .size_bytes = 4096 } },
          2,
          PAR_REFUSED_INVALID,
          "its pool hands dma-bufs out" },
        { "for a device with bus windows",
          with_windows,
          NULL,
          { .want = { .window = { 0, UINT64_MAX }, .size_bytes = 4096 }, .device = "pi" },
          2,
          PAR_REFUSED_INVALID,
          "its device has bus windows" },
};

static void test_a_refusal_changes_nothing(void **unused)
{
        (void)unused;
        for (size_t i = 0; i < ARRAY_SIZE(refusals); i++) {
                struct pool_counters before_counters, counters;
                struct state_bytes before, after;
                struct refusal refusal;
                uint64_t last;
                int r;

                print_message("%s\n", refusals[i].name);
                world_init(&world, 4);
                if (refusals[i].configure)
                        refusals[i].configure();
                world_start(&world);
                asker = world_client(&world, 1000, "a");
                if (refusals[i].prepare)
                        refusals[i].prepare();
                before = world_bytes(&world);
                state_pool_counters(world.state, 0, &before_counters);

                r = ask(asker, refusals[i].request, refusals[i].count, &refusal);
                if (r != refusals[i].result || !strstr(refusal.sentence, refusals[i].words))
                        fail_msg("%d: %s", r, refusal.sentence);
                after = world_bytes(&world);
                assert_memory_equal(&before, &after, sizeof(before));
                state_pool_counters(world.state, 0, &counters);
                assert_memory_equal(&before_counters, &counters, sizeof(counters));
                for (unsigned j = 0; j < world.n_slots && !refusals[i].prepare; j++)
                        assert_false(world.frames[j].lent);

                /* Nor has it used a number up. */
                if (refusals[i].configure == with_dmabufs)
                        goto next;
                last = refusals[i].prepare == take_two ? 2 : refusals[i].prepare ? 4 : 0;
                assert_int_equal(world_id(world_alloc(&world, asker, world_request(4096))),
                                 last + 1);
        next:
                world_stop(&world);
        }
}

/* ---- giving back ---------------------------------------------------------------------------- */

static void test_what_is_not_there_does_not_keep_the_rest(void **unused)
{
        struct client *client;
        uint64_t ids[8], gone = 0;

        (void)unused;
        world_init(&world, 2);
        world_start(&world);
        client = world_client(&world, 1000, "a");
        get(client, world_request(64 * KiB), ARRAY_SIZE(ids));
        for (size_t i = 0; i < ARRAY_SIZE(ids); i++)
                ids[i] = world_id(got[i]);
        ids[3] = 1000;
        ids[6] = ids[5];
        assert_int_equal(
                state_release_batch(world.state, client, ids, ARRAY_SIZE(ids), world.now_ns, &gone),
                PAR_REFUSED_GONE);
        assert_int_equal(gone, 1000);
        ids[0] = ids[2] + 1; /* the one that was not named */
        ids[1] = ids[2] + 4; /* and the other one */
        assert_int_equal(state_release_batch(world.state, client, ids, 2, world.now_ns, &gone), 0);
        assert_int_equal(world_bytes(&world).granted, 0);
        world_stop(&world);
}

/* ---- the worker dies ------------------------------------------------------------------------ */

static void test_the_next_worker_finds_all_of_it(void **unused)
{
        struct request request = world_request(64 * KiB);
        struct buffer *found[BATCH_BUFFERS_MAX];
        struct client *client;
        uint64_t first;

        (void)unused;
        world_init(&world, 4);
        world_start(&world);
        client = world_client(&world, 1000, "a");
        request.seq = 7;
        get(client, request, 40);
        first = world_id(got[0]);
        request.seq = 8;
        world_alloc(&world, client, request);

        world_restart(&world);
        client = world_resume(&world, 1000, world.last_token);
        assert_int_equal(client_restored_batch(client, 7, found, ARRAY_SIZE(found)), 40);
        for (size_t i = 0; i < 40; i++)
                assert_int_equal(world_id(found[i]), first + 39 - i);
        assert_int_equal(client_restored_batch(client, 8, found, ARRAY_SIZE(found)), 1);
        assert_int_equal(client_restored_batch(client, 9, found, ARRAY_SIZE(found)), 0);
        assert_int_equal(client_restored_batch(client, 7, found, 3), 3);

        /* One that is gone ends it: what comes before is of no use. */
        assert_int_equal(state_release(world.state, client, first + 30, world.now_ns), 0);
        assert_int_equal(client_restored_batch(client, 7, found, ARRAY_SIZE(found)), 9);
        world_stop(&world);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_all_are_granted),
                cmocka_unit_test(test_holes_are_filled),
                cmocka_unit_test(test_it_goes_on_in_another_pool),
                cmocka_unit_test(test_a_refusal_changes_nothing),
                cmocka_unit_test(test_what_is_not_there_does_not_keep_the_rest),
                cmocka_unit_test(test_the_next_worker_finds_all_of_it),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
