/* SPDX-License-Identifier: MIT */
/*
 * Who holds what: grants, refusals, returns, quarantine and waiting, one behaviour a test.
 */
#include "macros.h"
#include "refusal.h"
#include "world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define PAGE (2 * MiB)

static struct world world;

static int refused(struct client *client, struct request request, struct refusal *refusal)
{
        return world_refused(&world, client, request, refusal);
}

/* ---- grants --------------------------------------------------------------------------------- */

static void test_grant_from_the_top(void **unused)
{
        struct client *a;
        struct buffer *first, *second;

        (void)unused;
        world_init(&world, 8);
        world_start(&world);
        a = world_client(&world, 1000, "a");

        first = world_alloc(&world, a, world_request(4096));
        assert_int_equal(world_first(first), 4 * GiB - 4096);
        second = world_alloc(&world, a, world_request(8192));
        assert_int_equal(world_first(second), 4 * GiB - 12288); /* in the frame that it has */
        assert_int_equal(world_bytes(&world).granted, PAGE);
        world_stop(&world);
}

static void test_grant_never_shares_a_frame_between_owners(void **unused)
{
        struct client *a, *b;

        (void)unused;
        world_init(&world, 8);
        world_start(&world);
        a = world_client(&world, 1000, "a");
        b = world_client(&world, 1000, "b");
        assert_int_equal(world_first(world_alloc(&world, a, world_request(4096))), 4 * GiB - 4096);
        assert_int_equal(world_first(world_alloc(&world, b, world_request(4096))),
                         4 * GiB - PAGE - 4096);
        world_stop(&world);
}

static void test_grant_shares_a_frame_within_a_uid(void **unused)
{
        struct client *a, *b;

        (void)unused;
        world_init(&world, 8);
        world.pools[0].isolation = ISOLATE_UID;
        world_start(&world);
        a = world_client(&world, 1000, "a");
        b = world_client(&world, 1000, "b");
        world_alloc(&world, a, world_request(4096));
        assert_int_equal(world_first(world_alloc(&world, b, world_request(4096))), 4 * GiB - 8192);
        client_end(world.state, a, true, world.now_ns);
        assert_int_equal(world_bytes(&world).granted, PAGE);
        client_end(world.state, b, true, world.now_ns);
        world_let_leave(&world);
        assert_int_equal(world_bytes(&world).free, 8 * PAGE);
        world_stop(&world);
}

static void test_grant_over_adjacent_frames(void **unused)
{
        struct client *a;
        struct buffer *buffer;
        struct buffer_view view;
        struct piece piece;

        (void)unused;
        world_init(&world, 8);
        world_start(&world);
        a = world_client(&world, 1000, "a");
        buffer = world_alloc(&world, a, world_request(3 * PAGE + 4096));
        buffer_view(buffer, &view);
        assert_int_equal(view.segment_count, 1);
        assert_int_equal(view.piece_count, 4);
        assert_int_equal(world_first(buffer), 4 * GiB - 8 * PAGE);
        buffer_piece(buffer, 3, &piece);
        assert_int_equal(piece.frame_offset, 0);
        assert_int_equal(piece.length_bytes, 4096);
        assert_true(piece.zeroed);
        assert_false(piece.keep);
        /* What is left of the last frame is its owner's for small buffers... */
        assert_int_equal(world_first(world_alloc(&world, a, world_request(4096))),
                         4 * GiB - 4 * PAGE - 4096);
        /* ... and not for one that would reach over frames. */
        assert_int_equal(world_first(world_alloc(&world, a, world_request(PAGE + 4096))),
                         4 * GiB - 4 * PAGE);
        world_stop(&world);
}

static void test_grant_scattered(void **unused)
{
        struct request want = world_request(3 * PAGE);
        struct client *a, *b;
        struct buffer *keep[8], *buffer;
        struct buffer_view view;

        (void)unused;
        world_init(&world, 8);
        world_start(&world);
        a = world_client(&world, 1000, "a");
        b = world_client(&world, 1001, "b");
        for (int i = 0; i < 8; i++)
                keep[i] = world_alloc(&world, i % 2 ? b : a, world_request(PAGE));
        for (int i = 0; i < 8; i += 2)
                assert_int_equal(state_release(world.state, a, world_id(keep[i]), world.now_ns), 0);
        world_let_leave(&world);
        want.want.max_segments = 3;
        buffer = world_alloc(&world, a, want);
        buffer_view(buffer, &view);
        assert_int_equal(view.segment_count, 3);
        assert_int_equal(view.size_bytes, 3 * PAGE);
        world_stop(&world);
}

static void test_grant_over_the_border_of_nodes(void **unused)
{
        struct client *a;
        struct buffer *buffer;

        (void)unused;
        world_init(&world, 4);
        world.pools[0].size_max_bytes = 5 * PAGE;
        world_start(&world);
        world_arrive_at(&world, 0, 4 * GiB); /* of another node than what is below */
        a = world_client(&world, 1000, "a");
        buffer = world_alloc(&world, a, world_request(3 * PAGE));
        assert_int_equal(world_first(buffer), 4 * GiB - 2 * PAGE);
        assert_int_equal(world_bytes(&world).free, 2 * PAGE);
        state_release(world.state, a, world_id(buffer), world.now_ns);
        world_let_leave(&world);
        assert_int_equal(world_bytes(&world).free, 5 * PAGE);
        world_stop(&world);
}

static void test_recycled_memory_is_not_called_zeroed(void **unused)
{
        struct client *a;
        struct buffer *one, *two;
        struct piece piece;

        (void)unused;
        world_init(&world, 8);
        world_start(&world);
        a = world_client(&world, 1000, "a");
        one = world_alloc(&world, a, world_request(4096));
        buffer_piece(one, 0, &piece);
        assert_true(piece.zeroed);
        two = world_alloc(&world, a, world_request(4096));
        buffer_piece(two, 0, &piece);
        assert_false(piece.zeroed);
        world_stop(&world);
}

/* ---- pools ---------------------------------------------------------------------------------- */

static void test_pool_preference(void **unused)
{
        struct request low = world_request(4096), named = world_request(4096);
        struct refusal refusal;
        struct client *a;

        (void)unused;
        world_init(&world, 1);
        world_add_pool(&world, "low", 0, GiB - 1, 4);
        world_start(&world);
        a = world_client(&world, 1000, "a");

        low.want.window.last = GiB - 1;
        assert_int_equal(world_first(world_alloc(&world, a, low)), GiB - 4096);
        named.pool = "low";
        assert_int_equal(world_first(world_alloc(&world, a, named)), GiB - 8192);
        /* An unlimited request stays out of the limited pool, even where nothing else is left. */
        world_alloc(&world, a, world_request(PAGE));
        assert_int_equal(refused(a, world_request(PAGE), &refusal), PAR_REFUSED_NEVER_FITS);
        world_stop(&world);
}

static void test_pool_spill(void **unused)
{
        struct client *a;

        (void)unused;
        world_init(&world, 1);
        world.pools[world_add_pool(&world, "low", 0, GiB - 1, 4)].spill = true;
        world_start(&world);
        a = world_client(&world, 1000, "a");
        world_alloc(&world, a, world_request(PAGE));
        assert_int_equal(world_first(world_alloc(&world, a, world_request(PAGE))), GiB - 4 * PAGE);
        world_stop(&world);
}

static void test_pool_allow(void **unused)
{
        struct principal allow[] = { { .is_group = true, .id = 77 }, { .id = 1001 } };
        struct request low = world_request(4096);
        struct refusal refusal;
        struct client *stranger, *friend;
        uint32_t pool;

        (void)unused;
        world_init(&world, 1);
        pool = world_add_pool(&world, "low", 0, GiB - 1, 4);
        world.pools[pool].allow = allow;
        world.pools[pool].n_allow = 2;
        world_start(&world);
        stranger = world_client(&world, 1000, "stranger");
        friend = world_client(&world, 1001, "friend");
        low.pool = "low";
        assert_int_equal(refused(stranger, low, &refusal), PAR_REFUSED_DENIED);
        assert_true(refusal.permanent);
        assert_non_null(world_alloc(&world, friend, low));
        world_stop(&world);
}

static void test_nodes(void **unused)
{
        struct request want = world_request(4096);
        struct refusal refusal;
        struct client *a;

        (void)unused;
        world_init(&world, 4); /* all of it below 4 GiB: node 1 of the fake keeper */
        world_start(&world);
        a = world_client(&world, 1000, "a");
        want.nodes = 1;
        assert_int_equal(refused(a, want, &refusal), PAR_REFUSED_NEVER_FITS);
        assert_int_equal(refusal.limit, LIMIT_NODES);
        want.nodes = 2;
        assert_non_null(world_alloc(&world, a, want));
        world_stop(&world);
}

/* ---- refusals ------------------------------------------------------------------------------- */

static const struct {
        const char *name;
        struct request request;
        int result;
        bool permanent;
        enum limit limit;
        const char *set_by;
        const char *sentence;
} refusal_cases[] = {
        { "no bytes",
          { .want = { .window = { 0, UINT64_MAX } } },
          PAR_REFUSED_INVALID,
          true,
          LIMIT_SIZE,
          "the request",
          "0 bytes" },
        { "more than there is",
          { .want = { .window = { 0, UINT64_MAX }, .size_bytes = GiB } },
          PAR_REFUSED_NEVER_FITS,
          true,
          LIMIT_SIZE,
          "the request",
          "pard holds 8 MiB there in all" },
        { "more than the address space",
          { .want = { .window = { 0, UINT64_MAX }, .size_bytes = UINT64_MAX } },
          PAR_REFUSED_NEVER_FITS,
          true,
          LIMIT_SIZE,
          "the request",
          "" },
        { "below what is there",
          { .want = { .window = { 0, 16 * MiB - 1 }, .size_bytes = 4096 } },
          PAR_REFUSED_NEVER_FITS,
          true,
          LIMIT_ADDR_MAX,
          "the request",
          "4 KiB in one piece below 16 MiB can never be had: pard holds nothing there" },
        { "above what is there",
          { .want = { .window = { TiB, UINT64_MAX }, .size_bytes = 4096 } },
          PAR_REFUSED_NEVER_FITS,
          true,
          LIMIT_ADDR_MIN,
          "the request",
          "" },
        { "an alignment that is no power of two",
          { .want = { .window = { 0, UINT64_MAX }, .size_bytes = 4096, .align_bytes = 3000 } },
          PAR_REFUSED_INVALID,
          true,
          LIMIT_ALIGN,
          "the request",
          "no power of two" },
        { "a boundary that is no power of two",
          { .want = { .window = { 0, UINT64_MAX }, .size_bytes = 4096, .boundary_bytes = 3000 } },
          PAR_REFUSED_INVALID,
          true,
          LIMIT_BOUNDARY,
          "the request",
          "no power of two" },
        { "a boundary below the contiguous size",
          { .want = { .window = { 0, UINT64_MAX }, .size_bytes = 65536, .boundary_bytes = 4096 } },
          PAR_REFUSED_NEVER_FITS,
          true,
          LIMIT_BOUNDARY,
          "the request",
          "rules that out" },
        { "first above last",
          { .want = { .window = { 8192, 4095 }, .size_bytes = 4096 } },
          PAR_REFUSED_INVALID,
          true,
          LIMIT_ADDR_MAX,
          "the request",
          "is above addr_max" },
        { "an alignment beyond the frames",
          { .want = { .window = { 0, UINT64_MAX }, .size_bytes = 4096, .align_bytes = 64 * MiB } },
          PAR_REFUSED_NEVER_FITS,
          true,
          LIMIT_ALIGN,
          "the request",
          "aligned to 64 MiB" },
        { "a pool that is not there",
          { .want = { .window = { 0, UINT64_MAX }, .size_bytes = 4096 }, .pool = "nope" },
          PAR_REFUSED_INVALID,
          true,
          LIMIT_NONE,
          "",
          "there is no pool nope" },
        { "a device that is not there",
          { .want = { .window = { 0, UINT64_MAX }, .size_bytes = 4096 }, .device = "nope" },
          PAR_REFUSED_INVALID,
          true,
          LIMIT_NONE,
          "",
          "there is no device nope" },
        { "a device that does not reach",
          { .want = { .window = { 0, UINT64_MAX }, .size_bytes = 4096 }, .device = "isa" },
          PAR_REFUSED_NEVER_FITS,
          true,
          LIMIT_ADDR_MAX,
          "device isa",
          "set by device isa" },
        { "a device and a request that contradict each other",
          { .want = { .window = { GiB, UINT64_MAX }, .size_bytes = 4096 }, .device = "isa" },
          PAR_REFUSED_NEVER_FITS,
          true,
          LIMIT_ADDR_MAX,
          "device isa",
          "no address will do: \"device isa: below 16 MiB\" against \"the request: from 1 GiB "
          "up\"" },
};

static void test_refusals(void **unused)
{
        struct refusal refusal;
        struct client *a;

        (void)unused;
        world_init(&world, 4);
        world.devices[0] = (struct device_settings){
                .name = (char *)(uintptr_t) "isa",
                .limits = { .window = { 0, 16 * MiB - 1 }, .align_bytes = 1 },
        };
        world.settings.n_devices = 1;
        world_start(&world);
        a = world_client(&world, 1000, "a");
        for (size_t i = 0; i < ARRAY_SIZE(refusal_cases); i++) {
                int r = refused(a, refusal_cases[i].request, &refusal);

                if (r != refusal_cases[i].result || refusal.limit != refusal_cases[i].limit ||
                    refusal.permanent != refusal_cases[i].permanent ||
                    strcmp(refusal.limit_set_by, refusal_cases[i].set_by) != 0 ||
                    !strstr(refusal.sentence, refusal_cases[i].sentence))
                        fail_msg("%s: %d, limit %d, set by '%s': %s", refusal_cases[i].name, r,
                                 (int)refusal.limit, refusal.limit_set_by, refusal.sentence);
        }
        world_stop(&world);
}

static void test_refusal_for_now(void **unused)
{
        struct refusal refusal;
        struct client *a, *b;

        (void)unused;
        world_init(&world, 4);
        world_start(&world);
        a = world_client(&world, 1000, "a");
        b = world_client(&world, 1001, "b");
        world_alloc(&world, a, world_request(3 * PAGE));
        assert_int_equal(refused(b, world_request(2 * PAGE), &refusal), PAR_REFUSED_EXHAUSTED);
        assert_false(refusal.permanent);
        assert_int_equal(refusal.free_in_window_bytes, PAGE);
        assert_string_equal(refusal.sentence, "4 MiB in one piece anywhere: 2 MiB are free there, "
                                              "the largest run is 2 MiB");
        /* Its own memory does not come free by waiting. */
        assert_int_equal(refused(a, world_request(2 * PAGE), &refusal), PAR_REFUSED_NEVER_FITS);
        world_stop(&world);
}

static void test_refusal_fragmented(void **unused)
{
        struct buffer *one, *two;
        struct refusal refusal;
        struct client *a, *b;

        (void)unused;
        world_init(&world, 4);
        world_start(&world);
        a = world_client(&world, 1000, "a");
        b = world_client(&world, 1001, "b");
        one = world_alloc(&world, a, world_request(PAGE));
        world_alloc(&world, b, world_request(PAGE));
        two = world_alloc(&world, a, world_request(PAGE));
        world_alloc(&world, b, world_request(PAGE));
        state_release(world.state, a, world_id(one), world.now_ns);
        state_release(world.state, a, world_id(two), world.now_ns);
        world_let_leave(&world);
        assert_int_equal(refused(a, world_request(2 * PAGE), &refusal), PAR_REFUSED_FRAGMENTED);
        assert_false(refusal.permanent);
        assert_int_equal(refusal.limit, LIMIT_MAX_SEGMENTS);
        assert_int_equal(refusal.largest_run_bytes, PAGE);
        world_stop(&world);
}

/* So much a client is told that it could have in one piece: it could, and no more. */
static void assert_largest(struct client *client, uint64_t bytes)
{
        static struct explanation explanation;
        struct request request = world_request(64 * PAGE);
        struct refusal refusal;

        assert_true(refused(client, request, &refusal) > 0);
        assert_int_equal(refusal.largest_run_bytes, bytes);
        request = world_request(bytes);
        assert_int_equal(state_explain(world.state, client, &request, world.now_ns, &explanation),
                         0);
        assert_int_equal(explanation.result, 0);
        assert_int_equal(range_size(explanation.largest), bytes);
        assert_true(refused(client, world_request(bytes + 4096), &refusal) > 0);
}

static void test_the_largest_run_can_be_had(void **unused)
{
        struct request low = world_request(PAGE / 8);
        struct buffer *top, *all, *rest;
        struct client *a;

        (void)unused;
        world_init(&world, 2);
        world_start(&world);
        a = world_client(&world, 1000, "a");
        /* What is left of a frame is beside one that is free, but no buffer lies in both. */
        world_alloc(&world, a, world_request(PAGE / 4));
        assert_largest(a, PAGE);
        all = world_alloc(&world, a, world_request(PAGE));
        assert_largest(a, PAGE - PAGE / 4);
        assert_int_equal(state_release(world.state, a, world_id(all), world.now_ns), 0);
        world_let_leave(&world);
        /* Nor in what is left of two: of the upper its lower, of the lower its upper part. */
        for (uint64_t bytes = PAGE - PAGE / 8; bytes > PAGE - PAGE / 4; bytes -= 4096) {
                low.want.size_bytes = PAGE - bytes;
                low.want.window = range_of(4 * GiB - 2 * PAGE, PAGE - bytes);
                rest = world_alloc(&world, a, low);
                top = world_alloc(&world, a, world_request(bytes));
                assert_largest(a, PAGE - PAGE / 4);
                assert_int_equal(state_release(world.state, a, world_id(top), world.now_ns), 0);
                assert_largest(a, bytes);
                assert_int_equal(state_release(world.state, a, world_id(rest), world.now_ns), 0);
                world_let_leave(&world);
        }
        world_stop(&world);
}

static void test_quota(void **unused)
{
        struct refusal refusal;
        struct client *a;

        (void)unused;
        world_init(&world, 4);
        world.settings.max_buffers = 3;
        world_start(&world);
        a = world_client(&world, 1000, "a");
        for (int i = 0; i < 3; i++)
                world_alloc(&world, a, world_request(4096));
        assert_int_equal(refused(a, world_request(4096), &refusal), PAR_REFUSED_QUOTA);
        world_stop(&world);
}

static const struct {
        uint64_t bytes;
        const char *words;
} words_cases[] = {
        { 0, "0 B" },
        { 1023, "1023 B" },
        { 4096, "4 KiB" },
        { 1500 * MiB, "1500 MiB" },
        { 10001, "9.7 KiB" },
        { 4 * GiB, "4 GiB" },
        { 4 * GiB + 4096, "4.0 GiB" },
        { UINT64_MAX, "15.9 EiB" },
};

static void test_bytes_in_words(void **unused)
{
        char words[32];

        (void)unused;
        for (size_t i = 0; i < ARRAY_SIZE(words_cases); i++)
                assert_string_equal(bytes_words(words_cases[i].bytes, words), words_cases[i].words);
}

/* ---- giving back ---------------------------------------------------------------------------- */

static void test_release(void **unused)
{
        struct client *a, *b;
        struct buffer *buffer;
        uint64_t id;

        (void)unused;
        world_init(&world, 2);
        world_start(&world);
        a = world_client(&world, 1000, "a");
        b = world_client(&world, 1001, "b");
        buffer = world_alloc(&world, a, world_request(4096));
        id = world_id(buffer);
        assert_int_equal(state_release(world.state, b, id, world.now_ns), PAR_REFUSED_GONE);
        assert_int_equal(state_release(world.state, a, id, world.now_ns), 0);
        assert_int_equal(state_release(world.state, a, id, world.now_ns), PAR_REFUSED_GONE);
        assert_int_equal(world_bytes(&world).leaving, PAGE);
        world_let_leave(&world);
        assert_int_equal(world_bytes(&world).free, 2 * PAGE);
        world_stop(&world);
}

static void test_reuse_delay(void **unused)
{
        struct client *a;
        struct buffer *buffer;
        uint64_t at;

        (void)unused;
        world_init(&world, 4);
        world.pools[0].reuse_delay_ns = NS_PER_S;
        world_start(&world);
        a = world_client(&world, 1000, "a");
        buffer = world_alloc(&world, a, world_request(4096));
        at = world_first(buffer);
        world_show(&world, a, buffer);
        state_release(world.state, a, world_id(buffer), world.now_ns);
        assert_int_equal(world_bytes(&world).reusable, PAGE);
        buffer = world_alloc(&world, a, world_request(4096));
        assert_int_equal(world_first(buffer), at); /* no new page */
        state_release(world.state, a, world_id(buffer), world.now_ns);
        world_pass(&world, 2 * NS_PER_S);
        assert_int_equal(world_bytes(&world).free, 4 * PAGE);
        assert_int_equal(world.n_unneeded, 1);
        world_stop(&world);
}

static void test_only_one_empty_frame_is_kept(void **unused)
{
        struct client *a;
        struct buffer *buffers[3];

        (void)unused;
        world_init(&world, 4);
        world.pools[0].reuse_delay_ns = NS_PER_S;
        world_start(&world);
        a = world_client(&world, 1000, "a");
        for (int i = 0; i < 3; i++) {
                buffers[i] = world_alloc(&world, a, world_request(PAGE));
                world_show(&world, a, buffers[i]);
        }
        for (int i = 0; i < 3; i++)
                state_release(world.state, a, world_id(buffers[i]), world.now_ns);
        assert_int_equal(world_bytes(&world).reusable, PAGE);
        assert_int_equal(world_bytes(&world).leaving, 2 * PAGE);
        world_stop(&world);
}

static void test_lingering_stays_charged(void **unused)
{
        struct client_report report;
        uint64_t cursor = 0;
        struct client *a;
        struct buffer *buffer;

        (void)unused;
        world_init(&world, 2);
        world_start(&world);
        a = world_client(&world, 1000, "a");
        buffer = world_alloc(&world, a, world_request(PAGE));
        state_release(world.state, a, world_id(buffer), world.now_ns);
        state_frame_lingers(world.state, world.frames[1].name, 2, world.now_ns);
        assert_int_equal(world_bytes(&world).lingering, PAGE);
        client_end(world.state, a, false, world.now_ns);
        a = world_client(&world, 0, "root");
        assert_true(state_next_client(world.state, a, world.now_ns, &cursor, &report));
        assert_false(report.connected);
        assert_int_equal(report.bytes.lingering, PAGE);
        assert_true(world.frames[1].flags & LEAVE_OWNER_GONE);
        world_let_leave(&world);
        assert_int_equal(world_bytes(&world).free, 2 * PAGE);
        cursor = 0;
        assert_true(state_next_client(world.state, a, world.now_ns, &cursor, &report));
        assert_true(report.holder.mine); /* the other is forgotten */
        assert_false(state_next_client(world.state, a, world.now_ns, &cursor, &report));
        world_stop(&world);
}

static void test_who_keeps_pages_is_put_off(void **unused)
{
        struct buffer *buffers[3];
        struct client *clients[3];

        (void)unused;
        world_init(&world, 3);
        world_start(&world);
        world.clumsy = true;
        for (int i = 0; i < 3; i++) {
                clients[i] = world_client(&world, i < 2 ? 1000 : 1001, "a");
                buffers[i] = world_alloc(&world, clients[i], world_request(PAGE));
        }
        for (int i = 0; i < 3; i++)
                state_release(world.state, clients[i], world_id(buffers[i]), world.now_ns);
        /* They have them from the bottom up, and the frames are numbered from the top down. */
        state_frame_lingers(world.state, world.frames[2].name, FRAME_HOLDER_FILE, world.now_ns);
        assert_false(world.frames[1].flags & LEAVE_PATIENT);
        state_frame_lingers(world.state, world.frames[2].name, FRAME_HOLDER_PAGES, world.now_ns);
        assert_true(world.frames[1].flags & LEAVE_PATIENT);
        assert_true(world.frames[1].flags & LEAVE_RETAKE);
        assert_false(world.frames[0].flags & LEAVE_PATIENT); /* somebody else's */
        world_let_leave(&world);
        assert_int_equal(world_bytes(&world).free, 3 * PAGE);
        world_stop(&world);
}

static void test_lost_page_is_counted_and_replaced(void **unused)
{
        struct client *a;
        struct buffer *buffer;
        struct refusal refusal;
        struct status_report report;

        (void)unused;
        world_init(&world, 2);
        world_start(&world);
        a = world_client(&world, 1000, "a");
        buffer = world_alloc(&world, a, world_request(PAGE));
        state_release(world.state, a, world_id(buffer), world.now_ns);
        world.snatch = true;
        world_let_leave(&world);
        state_report(world.state, world.now_ns, &report);
        assert_int_equal(report.lost_to_system, 1);
        assert_int_equal(report.bytes.held, PAGE);
        /* It is replaced as soon as the system has one, so the whole pool is not out for ever. */
        assert_int_equal(refused(a, world_request(2 * PAGE), &refusal), PAR_REFUSED_EXHAUSTED);
        assert_false(refusal.permanent);
        world.snatch = false;
        world_pass(&world, 2 * NS_PER_S);
        assert_int_equal(world_bytes(&world).held, 2 * PAGE);
        world_stop(&world);
}

/* ---- the end of clients --------------------------------------------------------------------- */

static void test_death_means_quarantine(void **unused)
{
        struct client *a;

        (void)unused;
        world_init(&world, 4);
        world_start(&world);
        a = world_client(&world, 1000, "a");
        world_alloc(&world, a, world_request(PAGE));
        world_alloc(&world, a, world_request(4096));
        client_end(world.state, a, false, world.now_ns);
        assert_int_equal(world_bytes(&world).quarantined, 2 * PAGE);
        world_pass(&world, 4 * NS_PER_S);
        assert_int_equal(world_bytes(&world).quarantined, 2 * PAGE);
        world_pass(&world, 2 * NS_PER_S);
        assert_int_equal(world_bytes(&world).free, 4 * PAGE);
        world_stop(&world);
}

static void test_orderly_end_gives_back(void **unused)
{
        struct client *a;

        (void)unused;
        world_init(&world, 4);
        world_start(&world);
        a = world_client(&world, 1000, "a");
        world_alloc(&world, a, world_request(PAGE));
        client_end(world.state, a, true, world.now_ns);
        world_let_leave(&world);
        assert_int_equal(world_bytes(&world).free, 4 * PAGE);
        world_stop(&world);
}

static void test_end_of_many_buffers_takes_turns(void **unused)
{
        struct client *a;

        (void)unused;
        world_init(&world, 16);
        world.settings.max_buffers = 100000;
        world_start(&world);
        a = world_client(&world, 1000, "a");
        for (int i = 0; i < 5000; i++)
                world_alloc(&world, a, world_request(4096));
        client_end(world.state, a, true, world.now_ns);
        assert_true(world_bytes(&world).granted > 0);
        world_pass(&world, 0);
        assert_int_equal(world_bytes(&world).free, 16 * PAGE);
        world_stop(&world);
}

static void test_reclaim(void **unused)
{
        struct client *a, *b;
        uint64_t bytes;

        (void)unused;
        world_init(&world, 4);
        world_start(&world);
        a = world_client(&world, 1000, "radio");
        world_alloc(&world, a, world_request(PAGE));
        client_end(world.state, a, false, world.now_ns);
        b = world_client(&world, 1001, "radio"); /* another uid */
        state_reclaim(world.state, b, NULL, world.now_ns, &bytes);
        assert_int_equal(bytes, 0);
        b = world_client(&world, 1000, "other");
        state_reclaim(world.state, b, NULL, world.now_ns, &bytes);
        assert_int_equal(bytes, 0);
        state_reclaim(world.state, b, "radio", world.now_ns, &bytes);
        assert_int_equal(bytes, PAGE);
        world_let_leave(&world);
        assert_int_equal(world_bytes(&world).free, 4 * PAGE);
        world_stop(&world);
}

static void test_quarantine_within_a_shared_frame(void **unused)
{
        struct client *a, *b;
        uint64_t at;

        (void)unused;
        world_init(&world, 2);
        world.pools[0].isolation = ISOLATE_UID;
        world_start(&world);
        a = world_client(&world, 1000, "a");
        b = world_client(&world, 1000, "b");
        at = world_first(world_alloc(&world, a, world_request(4096)));
        world_alloc(&world, b, world_request(4096));
        client_end(world.state, a, false, world.now_ns);
        assert_int_equal(world_bytes(&world).granted, PAGE); /* b is still in it */
        assert_true(world_first(world_alloc(&world, b, world_request(4096))) < at);
        world_pass(&world, 6 * NS_PER_S);
        assert_int_equal(world_first(world_alloc(&world, b, world_request(4096))), at);
        client_end(world.state, b, false, world.now_ns);
        assert_int_equal(world_bytes(&world).quarantined, PAGE);
        world_stop(&world);
}

static void test_lent_frames_of_a_former_worker(void **unused)
{
        struct frame_news news = { .name = { .slot = 100, .generation = 1 },
                                   .page_bytes = PAGE,
                                   .phys = 8 * GiB,
                                   .node = 0,
                                   .pinned = true,
                                   .lent = true };

        (void)unused;
        world_init(&world, 2);
        world.pools[0].size_max_bytes = 3 * PAGE;
        world.pools[0].shrink_delay_ns = 60 * NS_PER_S;
        world_start(&world);
        world.frames[100] =
                (struct world_frame){ .name = news.name, .phys = news.phys, .held = true };
        world.n_slots = 101;
        assert_int_equal(state_frame_arrived(world.state, &news, world.now_ns), 0);
        assert_int_equal(world_bytes(&world).quarantined, PAGE);
        world_pass(&world, 6 * NS_PER_S);
        assert_int_equal(world_bytes(&world).free, 3 * PAGE);
        world_stop(&world);
}

/* ---- waiting -------------------------------------------------------------------------------- */

static void test_wait_is_served_in_order(void **unused)
{
        struct request large = world_request(4 * PAGE), small = world_request(PAGE);
        struct buffer *held[4];
        struct refusal refusal;
        struct client *a, *b;

        (void)unused;
        world_init(&world, 4);
        world_start(&world);
        a = world_client(&world, 1000, "a");
        b = world_client(&world, 1001, "b");
        for (int i = 0; i < 4; i++)
                held[i] = world_alloc(&world, a, small);
        assert_int_equal(state_wait(world.state, b, &large, UINT64_MAX, 7, world.now_ns, &refusal),
                         0);
        assert_int_equal(state_wait(world.state, b, &small, UINT64_MAX, 8, world.now_ns, &refusal),
                         0);
        world_pass(&world, NS_PER_S);
        for (int i = 0; i < 3; i++) {
                state_release(world.state, a, world_id(held[i]), world.now_ns);
                world_let_leave(&world);
        }
        assert_int_equal(world.n_answers, 0); /* the small one does not overtake */
        state_release(world.state, a, world_id(held[3]), world.now_ns);
        world_let_leave(&world);
        assert_int_equal(world.n_answers, 1);
        assert_int_equal(world.answers[0].ticket, 7);
        assert_int_equal(world.answers[0].r, 0);
        state_release(world.state, b, world.answers[0].buffer, world.now_ns);
        world_let_leave(&world);
        assert_int_equal(world.n_answers, 2);
        assert_int_equal(world.answers[1].ticket, 8);
        world_stop(&world);
}

static void test_wait_deadline_and_cancel(void **unused)
{
        struct request want = world_request(2 * PAGE);
        struct refusal refusal;
        struct client *a, *b;

        (void)unused;
        world_init(&world, 2);
        world_start(&world);
        a = world_client(&world, 1000, "a");
        b = world_client(&world, 1001, "b");
        world_alloc(&world, a, world_request(PAGE));
        assert_int_equal(state_wait(world.state, b, &want, world.now_ns + NS_PER_S, 1, world.now_ns,
                                    &refusal),
                         0);
        assert_int_equal(state_wait(world.state, b, &want, UINT64_MAX, 2, world.now_ns, &refusal),
                         0);
        assert_int_equal(state_cancel(world.state, a, 2, world.now_ns), PAR_REFUSED_GONE);
        assert_int_equal(state_cancel(world.state, b, 2, world.now_ns), 0);
        assert_int_equal(state_cancel(world.state, b, 2, world.now_ns), PAR_REFUSED_GONE);
        world_pass(&world, 2 * NS_PER_S);
        assert_int_equal(world.n_answers, 1);
        assert_int_equal(world.answers[0].ticket, 1);
        assert_int_equal(world.answers[0].r, PAR_REFUSED_TIMED_OUT);
        assert_false(world.answers[0].refusal.permanent);
        for (int i = 0; i < 8; i++)
                assert_int_equal(state_wait(world.state, b, &want, UINT64_MAX, 10 + (uint64_t)i,
                                            world.now_ns, &refusal),
                                 0);
        assert_int_equal(state_wait(world.state, b, &want, UINT64_MAX, 20, world.now_ns, &refusal),
                         PAR_REFUSED_QUOTA);
        client_end(world.state, b, true, world.now_ns); /* takes its waiters along */
        world_stop(&world);
}

static void test_wait_is_served_from_own_memory_past_others(void **unused)
{
        struct request large = world_request(4 * PAGE), small = world_request(4096);
        struct buffer *mine;
        struct refusal refusal;
        struct client *a, *b;

        (void)unused;
        world_init(&world, 2);
        world_start(&world);
        a = world_client(&world, 1000, "a");
        b = world_client(&world, 1001, "b");
        world_alloc(&world, a, world_request(PAGE));
        mine = world_alloc(&world, b, small);
        world_alloc(&world, b, world_request(PAGE - 4096));
        large.want.size_bytes = PAGE;
        assert_int_equal(state_wait(world.state, a, &large, UINT64_MAX, 1, world.now_ns, &refusal),
                         0);
        assert_int_equal(state_wait(world.state, b, &small, UINT64_MAX, 2, world.now_ns, &refusal),
                         0);
        /* What b frees inside its own frame is of no use to a. */
        state_release(world.state, b, world_id(mine), world.now_ns);
        assert_int_equal(world.n_answers, 1);
        assert_int_equal(world.answers[0].ticket, 2);
        assert_int_equal(world.answers[0].r, 0);
        world_stop(&world);
}

static void test_wait_does_not_get_round_the_quota(void **unused)
{
        struct request want = world_request(2 * PAGE);
        struct buffer *other;
        struct refusal refusal;
        struct client *a, *b;

        (void)unused;
        world_init(&world, 3);
        world.settings.max_buffers = 1;
        world_start(&world);
        a = world_client(&world, 1000, "a");
        b = world_client(&world, 1001, "b");
        other = world_alloc(&world, a, world_request(2 * PAGE));
        assert_int_equal(state_wait(world.state, b, &want, UINT64_MAX, 1, world.now_ns, &refusal),
                         0);
        world_alloc(&world, b, world_request(4096));
        state_release(world.state, a, world_id(other), world.now_ns);
        world_let_leave(&world);
        assert_int_equal(world.n_answers, 1);
        assert_int_equal(world.answers[0].r, PAR_REFUSED_QUOTA);
        world_stop(&world);
}

/* ---- lists ---------------------------------------------------------------------------------- */

/* Rows of a list that is read in small steps. */
static unsigned count_frames(struct client *asker, struct range window, const char *pool)
{
        struct frame_report report;
        uint64_t cursor = 0, last = 0;
        unsigned rows = 0;

        for (;;) {
                unsigned steps = 3;

                while (state_next_frame(world.state, asker, window, pool, &cursor, &steps,
                                        &report)) {
                        assert_true(!rows || report.phys > last);
                        last = report.phys;
                        rows++;
                }
                if (steps)
                        return rows;
        }
}

static void test_lists_go_on_after_few_steps(void **unused)
{
        struct client *a;

        (void)unused;
        world_init(&world, 10);
        world_add_pool(&world, "low", 0, GiB - 1, 7);
        world_start(&world);
        a = world_client(&world, 0, "a");
        assert_int_equal(count_frames(a, RANGE_ALL, NULL), 17);
        assert_int_equal(count_frames(a, RANGE_ALL, "any"), 10);
        assert_int_equal(count_frames(a, RANGE_ALL, "low"), 7);
        assert_int_equal(count_frames(a, (struct range){ 0, GiB - 1 }, NULL), 7);
        assert_int_equal(count_frames(a, (struct range){ 4 * GiB - 4096, UINT64_MAX }, NULL), 1);
        assert_int_equal(
                count_frames(a, (struct range){ 4 * GiB - PAGE - 4096, 4 * GiB - PAGE - 1 }, NULL),
                1);
        assert_int_equal(count_frames(a, (struct range){ 2 * GiB, 3 * GiB }, NULL), 0);
        world_stop(&world);
}

/* ---- moved frames --------------------------------------------------------------------------- */

static void test_moved_frame_is_retired(void **unused)
{
        struct client *a;
        struct buffer *buffer, *other;
        struct piece piece;

        (void)unused;
        world_init(&world, 4);
        world_start(&world);
        a = world_client(&world, 1000, "a");
        buffer = world_alloc(&world, a, world_request(4096));
        other = world_alloc(&world, a, world_request(12288));
        buffer_piece(buffer, 0, &piece);
        state_frame_moved(world.state, piece.frame, 64 * GiB, world.now_ns);
        assert_int_equal(world.n_events, 2);
        assert_int_equal(world_bytes(&world).retired, PAGE);
        /* The address that the client was told stays what it was told. */
        assert_int_equal(world_first(buffer), 4 * GiB - 4096);
        /* Nothing more comes from that frame. */
        assert_int_equal(world_first(world_alloc(&world, a, world_request(4096))),
                         4 * GiB - PAGE - 4096);
        state_release(world.state, a, world_id(buffer), world.now_ns);
        state_release(world.state, a, world_id(other), world.now_ns);
        assert_false(world.frames[piece.frame.slot].flags & LEAVE_RETAKE);
        world_let_leave(&world);
        assert_int_equal(world_bytes(&world).held, 3 * PAGE);
        /* Another comes in its place. */
        world_pass(&world, 2 * NS_PER_S);
        assert_int_equal(world_bytes(&world).held, 4 * PAGE);
        world_stop(&world);
}

/* ---- memory that fails ---------------------------------------------------------------------- */

static struct frame_report frame_at(struct client *asker, uint64_t phys)
{
        struct lookup_report report;

        state_lookup(world.state, asker, phys, world.now_ns, &report);
        assert_true(report.held);
        return report.frame;
}

/* Four frames; the one of a buffer of @a, or the highest free one, fails. */
static struct frame_name fail_frame_of(const struct buffer *buffer)
{
        struct piece piece = { .frame = world.frames[0].name };

        if (buffer)
                buffer_piece(buffer, 0, &piece);
        state_frame_poisoned(world.state, piece.frame, world.now_ns);
        state_check(world.state);
        return piece.frame;
}

static void begin_failing(struct client **ret)
{
        world_init(&world, 4);
        world_start(&world);
        world.clumsy = true;
        *ret = world_client(&world, 1000, "a");
}

static void test_poisoned_frame_is_retired(void **unused)
{
        struct buffer *buffer, *other;
        struct frame_report shown;
        struct frame_name bad;
        struct client *a;

        (void)unused;
        begin_failing(&a);
        buffer = world_alloc(&world, a, world_request(4096));
        other = world_alloc(&world, a, world_request(12288));
        bad = fail_frame_of(buffer);
        fail_frame_of(buffer); /* told again, which is no news */
        assert_int_equal(world.n_of_type[EVENT_POISONED], 2);
        assert_int_equal(world.last_event.length + world.last_event.offset,
                         world.last_event.buffer == world_id(other) ? 12288 : 4096);
        assert_int_equal(world_bytes(&world).retired, PAGE);
        shown = frame_at(a, world_first(buffer));
        assert_string_equal(shown.state, "retired");
        assert_string_equal(shown.note, "its memory has failed");

        state_release(world.state, a, world_id(buffer), world.now_ns);
        state_release(world.state, a, world_id(other), world.now_ns);
        assert_true(world.frames[bad.slot].leaving);
        assert_false(world.frames[bad.slot].flags & LEAVE_RETAKE);
        world_let_leave(&world);
        assert_int_equal(world_bytes(&world).held, 3 * PAGE);
        world_pass(&world, 2 * NS_PER_S);
        assert_int_equal(world_bytes(&world).held, 4 * PAGE);
        world_stop(&world);
}

/* One that is in stock goes before anybody gets it. */
static void test_poisoned_free_frame_is_not_lent(void **unused)
{
        struct frame_name bad;
        struct client *a;

        (void)unused;
        begin_failing(&a);
        bad = fail_frame_of(NULL);
        assert_int_equal(world_bytes(&world).free, 3 * PAGE);
        assert_true(world.frames[bad.slot].leaving);
        assert_false(world.frames[bad.slot].flags & LEAVE_RETAKE);
        assert_string_equal(frame_at(a, world.frames[bad.slot].phys).note, "its memory has failed");
        for (unsigned i = 0; i < 3; i++)
                assert_int_not_equal(world_first(world_alloc(&world, a, world_request(PAGE))),
                                     world.frames[bad.slot].phys);
        assert_int_equal(world.n_events, 0);
        world_stop(&world);
}

static void test_poisoned_frame_that_is_kept_leaves(void **unused)
{
        struct buffer *buffer;
        struct frame_name bad;
        struct client *a;
        struct piece piece;

        (void)unused;
        world_init(&world, 4);
        world.pools[0].reuse_delay_ns = NS_PER_S;
        world_start(&world);
        world.clumsy = true;
        a = world_client(&world, 1000, "a");
        buffer = world_alloc(&world, a, world_request(PAGE));
        world_show(&world, a, buffer);
        buffer_piece(buffer, 0, &piece);
        state_release(world.state, a, world_id(buffer), world.now_ns);
        assert_int_equal(world_bytes(&world).reusable, PAGE);
        bad = piece.frame;
        state_frame_poisoned(world.state, bad, world.now_ns);
        assert_int_equal(world_bytes(&world).reusable, 0);
        assert_int_equal(world_bytes(&world).leaving, PAGE);
        assert_false(world.frames[bad.slot].flags & LEAVE_RETAKE);
        state_check(world.state);
        world_stop(&world);
}

/* The keeper sees it last, when the frame is on its way already. */
static void test_poisoned_frame_that_leaves(void **unused)
{
        struct state_counters counters;
        struct buffer *buffer;
        struct frame_name bad;
        struct client *a;
        struct piece piece;
        uint64_t at;

        (void)unused;
        begin_failing(&a);
        buffer = world_alloc(&world, a, world_request(PAGE));
        at = world_first(buffer);
        buffer_piece(buffer, 0, &piece);
        bad = piece.frame;
        state_release(world.state, a, world_id(buffer), world.now_ns);
        assert_int_equal(world_bytes(&world).leaving, PAGE);
        state_frame_lingers(world.state, bad, FRAME_HOLDER_FILE, world.now_ns);
        state_frame_poisoned(world.state, bad, world.now_ns);
        state_check(world.state);
        assert_string_equal(frame_at(a, at).note, "its memory has failed");
        state_frame_left(world.state, bad, false, world.now_ns);
        world.frames[bad.slot].held = world.frames[bad.slot].leaving = false;
        assert_int_equal(world_bytes(&world).held, 3 * PAGE);
        state_counters(world.state, &counters);
        assert_int_equal(counters.poisoned, 1);
        world_pass(&world, 2 * NS_PER_S);
        assert_int_equal(world_bytes(&world).held, 4 * PAGE);
        world_stop(&world);
}

/* It had moved before, and after its client was gone. */
static void test_poisoned_frame_that_moved(void **unused)
{
        struct buffer *buffer;
        struct client *a;
        struct piece piece;

        (void)unused;
        begin_failing(&a);
        buffer = world_alloc(&world, a, world_request(PAGE));
        buffer_piece(buffer, 0, &piece);
        state_frame_moved(world.state, piece.frame, TiB, world.now_ns);
        assert_string_equal(frame_at(a, world_first(buffer)).note, "the kernel moved it");
        state_frame_poisoned(world.state, piece.frame, world.now_ns);
        assert_int_equal(world.n_of_type[EVENT_MOVED], 1);
        assert_int_equal(world.n_of_type[EVENT_POISONED], 1);
        assert_int_equal(world_bytes(&world).retired, PAGE);
        world_stop(&world);
}

static void test_poisoned_frame_in_quarantine(void **unused)
{
        struct client *a, *root;
        struct buffer *buffer;
        struct piece piece;

        (void)unused;
        begin_failing(&a);
        root = world_client(&world, 0, "root");
        buffer = world_alloc(&world, a, world_request(PAGE));
        buffer_piece(buffer, 0, &piece);
        client_end(world.state, a, false, world.now_ns);
        assert_int_equal(world_bytes(&world).quarantined, PAGE);
        state_frame_poisoned(world.state, piece.frame, world.now_ns);
        state_check(world.state);
        assert_int_equal(world.n_events, 0);
        assert_string_equal(frame_at(root, world.frames[piece.frame.slot].phys).note,
                            "its memory has failed");
        world_pass(&world, 10 * NS_PER_S);
        state_check(world.state);
        assert_int_equal(world_bytes(&world).quarantined + world_bytes(&world).retired, 0);
        assert_false(world.frames[piece.frame.slot].flags & LEAVE_RETAKE);
        world_stop(&world);
}

/* ---- explain -------------------------------------------------------------------------------- */

static void test_explain(void **unused)
{
        struct explanation explanation;
        struct request want = world_request(3 * PAGE);
        struct client *a, *b, *root;

        (void)unused;
        world_init(&world, 4);
        world_start(&world);
        a = world_client(&world, 1000, "bench");
        b = world_client(&world, 1001, "b");
        root = world_client(&world, 0, "root");
        assert_int_equal(state_explain(world.state, b, &want, world.now_ns, &explanation), 0);
        assert_int_equal(explanation.result, 0);
        assert_int_equal(explanation.n_segments, 1);
        assert_string_equal(explanation.pool, "any");
        world_alloc(&world, a, world_request(4096));
        world_alloc(&world, a, world_request(2 * PAGE));
        assert_int_equal(state_explain(world.state, b, &want, world.now_ns, &explanation), 0);
        assert_int_equal(explanation.result, PAR_REFUSED_EXHAUSTED);
        assert_int_equal(explanation.n_blockers, 2);
        assert_int_equal(explanation.blockers[0].size_bytes, 2 * PAGE);
        assert_false(explanation.blockers[0].holder.known); /* a stranger's name */
        assert_int_equal(state_explain(world.state, root, &want, world.now_ns, &explanation), 0);
        assert_string_equal(explanation.blockers[0].holder.client, "bench");
        world_stop(&world);
}

static const struct explanation *explain_at(struct client *client, uint64_t first, uint64_t last)
{
        static struct explanation explanation;
        struct request want = world_request(2000 * PAGE);

        want.want.window = (struct range){ first, last };
        assert_int_equal(state_explain(world.state, client, &want, world.now_ns, &explanation), 0);
        assert_true(explanation.result > 0);
        for (size_t i = 1; i < explanation.n_blockers; i++)
                assert_true(explanation.blockers[i - 1].size_bytes >=
                            explanation.blockers[i].size_bytes);
        return &explanation;
}

/* More buffers than are looked at one by one, the largest of them above. */
static void test_explain_finds_the_largest(void **unused)
{
        const struct explanation *explanation;
        struct request high = world_request(7 * PAGE);
        struct client *a, *b;
        uint64_t largest[2], top;

        (void)unused;
        world_init(&world, 1800);
        world.settings.max_buffers = 2000;
        world_start(&world);
        a = world_client(&world, 1000, "a");
        b = world_client(&world, 1001, "b");
        high.want.window.first = 4 * GiB - 48 * PAGE;
        world_alloc(&world, a, high);
        for (size_t i = 0; i < 2; i++) {
                high.want.size_bytes = (20 - i) * PAGE;
                largest[i] = world_id(world_alloc(&world, a, high));
        }
        high.want.size_bytes = 2 * PAGE;
        top = world_id(world_alloc(&world, a, high));
        for (size_t i = 0; i < 1600; i++)
                world_alloc(&world, a, world_request(PAGE));
        assert_int_equal(state_release(world.state, a, top, world.now_ns), 0);
        world_let_leave(&world);
        world_alloc(&world, a, world_request(PAGE + PAGE / 2));

        explanation = explain_at(b, 0, UINT64_MAX);
        assert_int_equal(explanation->n_blockers, REPORT_BLOCKERS_MAX);
        assert_int_equal(explanation->blockers[0].buffer, largest[0]);
        assert_int_equal(explanation->blockers[1].buffer, largest[1]);
        assert_int_equal(explanation->blockers[2].size_bytes, 7 * PAGE);
        assert_int_equal(explanation->blockers[3].size_bytes, PAGE + PAGE / 2);
        assert_int_equal(explanation->blockers[4].size_bytes, PAGE);

        /* Where the largest do not reach, they are not in the way. */
        explanation = explain_at(b, 0, 4 * GiB - 48 * PAGE - 1);
        assert_int_equal(explanation->n_blockers, REPORT_BLOCKERS_MAX);
        assert_int_equal(explanation->blockers[0].size_bytes, PAGE);
        explanation = explain_at(b, 0, 4 * GiB - 48 * PAGE);
        assert_int_equal(explanation->blockers[0].size_bytes, 7 * PAGE);
        assert_int_equal(explain_at(b, 4 * GiB - 49 * PAGE, 4 * GiB - 48 * PAGE - 1)->n_blockers,
                         0);
        world_stop(&world);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_grant_from_the_top),
                cmocka_unit_test(test_grant_never_shares_a_frame_between_owners),
                cmocka_unit_test(test_grant_shares_a_frame_within_a_uid),
                cmocka_unit_test(test_grant_over_adjacent_frames),
                cmocka_unit_test(test_grant_scattered),
                cmocka_unit_test(test_grant_over_the_border_of_nodes),
                cmocka_unit_test(test_recycled_memory_is_not_called_zeroed),
                cmocka_unit_test(test_pool_preference),
                cmocka_unit_test(test_pool_spill),
                cmocka_unit_test(test_pool_allow),
                cmocka_unit_test(test_nodes),
                cmocka_unit_test(test_refusals),
                cmocka_unit_test(test_refusal_for_now),
                cmocka_unit_test(test_refusal_fragmented),
                cmocka_unit_test(test_the_largest_run_can_be_had),
                cmocka_unit_test(test_quota),
                cmocka_unit_test(test_bytes_in_words),
                cmocka_unit_test(test_release),
                cmocka_unit_test(test_reuse_delay),
                cmocka_unit_test(test_only_one_empty_frame_is_kept),
                cmocka_unit_test(test_lingering_stays_charged),
                cmocka_unit_test(test_who_keeps_pages_is_put_off),
                cmocka_unit_test(test_lost_page_is_counted_and_replaced),
                cmocka_unit_test(test_death_means_quarantine),
                cmocka_unit_test(test_orderly_end_gives_back),
                cmocka_unit_test(test_end_of_many_buffers_takes_turns),
                cmocka_unit_test(test_reclaim),
                cmocka_unit_test(test_quarantine_within_a_shared_frame),
                cmocka_unit_test(test_lent_frames_of_a_former_worker),
                cmocka_unit_test(test_wait_is_served_in_order),
                cmocka_unit_test(test_wait_deadline_and_cancel),
                cmocka_unit_test(test_wait_is_served_from_own_memory_past_others),
                cmocka_unit_test(test_wait_does_not_get_round_the_quota),
                cmocka_unit_test(test_lists_go_on_after_few_steps),
                cmocka_unit_test(test_moved_frame_is_retired),
                cmocka_unit_test(test_poisoned_frame_is_retired),
                cmocka_unit_test(test_poisoned_free_frame_is_not_lent),
                cmocka_unit_test(test_poisoned_frame_that_is_kept_leaves),
                cmocka_unit_test(test_poisoned_frame_that_leaves),
                cmocka_unit_test(test_poisoned_frame_that_moved),
                cmocka_unit_test(test_poisoned_frame_in_quarantine),
                cmocka_unit_test(test_explain),
                cmocka_unit_test(test_explain_finds_the_largest),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
