/* SPDX-License-Identifier: MIT */
/*
 * A worker dies, and the next one knows who holds what: from the ledger and from what the keeper
 * tells of frames.
 */
#include "world.h"

#include "ledger_private.h"
#include "macros.h"
#include "result.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#define PAGE (2 * MiB)

static struct world world;

static struct request numbered(uint64_t size, uint32_t seq)
{
        struct request request = world_request(size);

        request.seq = seq;
        return request;
}

/* What a buffer is, in words that can be compared. */
struct likeness {
        struct buffer_view view;
        uint64_t first;
        struct piece pieces[8];
        struct range segments[8];
        size_t n_segments;
};

static void look_at(const struct buffer *buffer, struct likeness *ret)
{
        struct segment_cursor cursor = { 0 };

        memset(ret, 0, sizeof(*ret));
        buffer_view(buffer, &ret->view);
        ret->first = world_first(buffer);
        for (size_t i = 0; i < ret->view.piece_count && i < ARRAY_SIZE(ret->pieces); i++) {
                buffer_piece(buffer, i, &ret->pieces[i]);
                ret->pieces[i].zeroed = false; /* it is not any more */
        }
        while (ret->n_segments < ARRAY_SIZE(ret->segments) &&
               buffer_next_segment(buffer, &cursor, &ret->segments[ret->n_segments]))
                ret->n_segments++;
}

static void assert_alike(const struct likeness *a, const struct likeness *b)
{
        assert_int_equal(a->view.id, b->view.id);
        assert_int_equal(a->view.size_bytes, b->view.size_bytes);
        assert_int_equal(a->view.page_bytes, b->view.page_bytes);
        assert_string_equal(a->view.pool, b->view.pool);
        assert_int_equal(a->view.piece_count, b->view.piece_count);
        assert_int_equal(a->view.segment_count, b->view.segment_count);
        assert_int_equal(a->view.dma_offset, b->view.dma_offset);
        assert_int_equal(a->first, b->first);
        assert_memory_equal(a->pieces, b->pieces, sizeof(a->pieces));
        assert_memory_equal(a->segments, b->segments, sizeof(a->segments));
}

static const struct {
        const char *name;
        struct request request;
} shapes[] = {
        { "a part of a frame",
          { .want = { .window = { 0, UINT64_MAX }, .size_bytes = 64 * KiB } } },
        { "a frame", { .want = { .window = { 0, UINT64_MAX }, .size_bytes = PAGE } } },
        { "three frames", { .want = { .window = { 0, UINT64_MAX }, .size_bytes = 3 * PAGE } } },
        { "two frames and a part",
          { .want = { .window = { 0, UINT64_MAX }, .size_bytes = 2 * PAGE + 4 * KiB } } },
        { "boundaries",
          { .want = { .window = { 0, UINT64_MAX },
                      .size_bytes = 256 * KiB,
                      .boundary_bytes = 64 * KiB,
                      .max_segments = 8 } } },
        { "in segments",
          { .want = { .window = { 0, UINT64_MAX },
                      .size_bytes = 3 * PAGE,
                      .max_segment_bytes = PAGE,
                      .max_segments = 3 } } },
        { "below a limit, with a label",
          { .want = { .window = { 0, 4 * GiB - 1 }, .size_bytes = 8 * KiB }, .label = "ring" } },
};

static void test_restore_brings_back_each_shape(void **state)
{
        struct likeness before[ARRAY_SIZE(shapes)], after;
        uint32_t failed = 0;
        struct client *client;

        (void)state;
        world_init(&world, 32);
        world_start(&world);
        client = world_client(&world, 1000, "radio");
        for (uint32_t i = 0; i < ARRAY_SIZE(shapes); i++) {
                struct request request = shapes[i].request;

                request.seq = i + 1;
                look_at(world_alloc(&world, client, request), &before[i]);
        }
        world_restart(&world);
        client = world_resume(&world, 1000, world.last_token);
        assert_non_null(client);
        for (uint32_t i = 0; i < ARRAY_SIZE(shapes); i++) {
                struct buffer *buffer = client_restored_buffer(client, i + 1);

                if (!buffer) {
                        print_error("%s: it is gone\n", shapes[i].name);
                        failed++;
                        continue;
                }
                look_at(buffer, &after);
                assert_alike(&before[i], &after);
                assert_ptr_equal(client_buffer(client, after.view.id), buffer);
        }
        assert_int_equal(failed, 0);
        for (size_t i = 0; i < ARRAY_SIZE(shapes); i++)
                assert_int_equal(
                        state_release(world.state, client, before[i].view.id, world.now_ns), 0);
        world_let_leave(&world);
        assert_int_equal(world_bytes(&world).free, 32 * PAGE);
        world_stop(&world);
}

/* What was left of a frame is its owner's to use, and nobody else's. */
static void test_restore_keeps_the_rest_of_a_frame(void **state)
{
        struct client *client, *other;
        uint64_t first;

        (void)state;
        world_init(&world, 4);
        world_start(&world);
        client = world_client(&world, 1000, "a");
        first = world_first(world_alloc(&world, client, numbered(64 * KiB, 1)));
        world_restart(&world);
        client = world_resume(&world, 1000, world.last_token);
        other = world_client(&world, 1001, "b");
        assert_int_equal(
                align_down(world_first(world_alloc(&world, client, numbered(KiB, 2))), PAGE),
                align_down(first, PAGE));
        assert_int_not_equal(
                align_down(world_first(world_alloc(&world, other, numbered(KiB, 1))), PAGE),
                align_down(first, PAGE));
        assert_int_equal(world_bytes(&world).granted, 2 * PAGE);
        world_stop(&world);
}

static void test_restore_lets_only_the_same_user_resume(void **state)
{
        struct client *client;
        uint64_t token;

        (void)state;
        world_init(&world, 4);
        world_start(&world);
        client = world_client(&world, 1000, "a");
        token = world.last_token;
        world_alloc(&world, client, numbered(PAGE, 1));
        assert_null(world_resume(&world, 1000, token)); /* it is here */
        world_restart(&world);
        assert_null(world_resume(&world, 1001, token));
        assert_null(world_resume(&world, 1000, token + 1));
        assert_null(world_resume(&world, 1000, 0));
        assert_non_null(world_resume(&world, 1000, token));
        assert_null(world_resume(&world, 1000, token)); /* again */
        world_stop(&world);
}

/* Whoever does not come back is dead, and his devices may not be. */
static void test_restore_quarantines_what_nobody_resumes(void **state)
{
        (void)state;
        world_init(&world, 4);
        world_start(&world);
        world_alloc(&world, world_client(&world, 1000, "a"), numbered(PAGE, 1));
        world_restart(&world);
        assert_int_equal(world_bytes(&world).granted, PAGE);
        world_pass(&world, CLIENT_RESUME_NS - 1);
        assert_int_equal(world_bytes(&world).granted, PAGE);
        world_pass(&world, 1);
        assert_int_equal(world_bytes(&world).quarantined, PAGE);
        assert_null(world_resume(&world, 1000, world.last_token));
        world_pass(&world, 5 * NS_PER_S);
        assert_int_equal(world_bytes(&world).free, 4 * PAGE);
        world_stop(&world);
}

/* A quarantine ends when it would have ended. */
static void test_restore_goes_on_with_a_quarantine(void **state)
{
        struct client *client;

        (void)state;
        world_init(&world, 4);
        world_start(&world);
        client = world_client(&world, 1000, "a");
        world_alloc(&world, client, numbered(PAGE, 1));
        client_end(world.state, client, false, world.now_ns);
        world_pass(&world, 3 * NS_PER_S);
        world_restart(&world);
        assert_int_equal(world_bytes(&world).quarantined, PAGE);
        assert_null(world_resume(&world, 1000, world.last_token));
        world_pass(&world, 2 * NS_PER_S - 1);
        assert_int_equal(world_bytes(&world).quarantined, PAGE);
        world_pass(&world, 1);
        assert_int_equal(world_bytes(&world).free, 4 * PAGE);
        world_stop(&world);
}

/* However long it takes until a worker has all its frames: before it is known whose they are none
 * leaves. */
static void test_restore_takes_its_time(void **state)
{
        uint64_t token;

        (void)state;
        world_init(&world, 4);
        world_start(&world);
        (void)world_alloc(&world, world_client(&world, 1000, "a"), numbered(PAGE, 1));
        token = world.last_token;
        world.slow_restart_ns = 60 * NS_PER_S; /* longer than any quarantine here */
        world_restart(&world);
        assert_int_equal(world_bytes(&world).granted, PAGE);
        assert_int_equal(world_bytes(&world).leaving, 0);
        assert_non_null(world_resume(&world, 1000, token));
        world_stop(&world);
}

static void test_restore_goes_on_with_a_revocation(void **state)
{
        const struct selection which = { .client = 1 };
        struct client *client, *admin;
        struct refusal refusal;
        uint64_t bytes;

        (void)state;
        world_init(&world, 4);
        world_start(&world);
        client = world_client(&world, 1000, "a");
        world_alloc(&world, client, numbered(64 * KiB, 1));
        admin = world_client(&world, 0, "admin");
        assert_int_equal(state_revoke(world.state, admin, &which, world.now_ns, &bytes, &refusal),
                         0);
        world_alloc(&world, client, numbered(32 * KiB, 2));
        world_restart(&world);
        client = world_resume(&world, 1000, 1);
        assert_non_null(client);
        assert_null(client_restored_buffer(client, 1));
        assert_non_null(client_restored_buffer(client, 2));
        assert_int_equal(world_bytes(&world).quarantined, PAGE);
        assert_int_equal(world_bytes(&world).granted, PAGE);
        world_pass(&world, 5 * NS_PER_S);
        assert_int_equal(world_bytes(&world).quarantined, 0);
        assert_int_equal(world_bytes(&world).granted, PAGE);
        world_stop(&world);
}

/* One of two neighbours was taken away: the other is granted as before, and nothing more comes from
 * their frame, also when the quarantine is over. */
static void test_restore_keeps_a_frame_closed(void **state)
{
        struct selection which = { 0 };
        struct client *client, *admin;
        struct refusal refusal;
        uint64_t bytes, frame;

        (void)state;
        world_init(&world, 4);
        world_start(&world);
        client = world_client(&world, 1000, "a");
        which.buffer = world_id(world_alloc(&world, client, numbered(64 * KiB, 1)));
        frame = world_first(world_alloc(&world, client, numbered(32 * KiB, 2))) / PAGE;
        admin = world_client(&world, 0, "admin");
        assert_int_equal(state_revoke(world.state, admin, &which, world.now_ns, &bytes, &refusal),
                         0);
        for (unsigned deaths = 0; deaths < 3; deaths++) {
                world_restart(&world);
                client = world_resume(&world, 1000, 1);
                assert_non_null(client_restored_buffer(client, 2));
                assert_int_equal(world_bytes(&world).granted, PAGE);
                world_pass(&world, 5 * NS_PER_S);
        }
        assert_int_not_equal(world_first(world_alloc(&world, client, numbered(64 * KiB, 3))) / PAGE,
                             frame);
        world_stop(&world);
}

static struct state_bytes bytes_of(const struct client *client)
{
        struct client_report report;
        uint64_t cursor = 0;

        while (state_next_client(world.state, client, world.now_ns, &cursor, &report))
                if (report.id == client_id(client))
                        return report.bytes;
        fail();
        return (struct state_bytes){ 0 };
}

/* What was on its way out, or kept for its owner, leaves; it is still charged to him. */
static void test_restore_sends_empty_frames_away(void **state)
{
        struct client *client;
        struct buffer *buffer;

        (void)state;
        world_init(&world, 4);
        world.clumsy = true;
        world_start(&world);
        client = world_client(&world, 1000, "a");
        buffer = world_alloc(&world, client, numbered(PAGE, 1));
        assert_int_equal(state_release(world.state, client, world_id(buffer), world.now_ns), 0);
        assert_int_equal(world_bytes(&world).leaving, PAGE);
        world_restart(&world);
        assert_int_equal(world_bytes(&world).leaving, PAGE);
        assert_int_equal(world_bytes(&world).quarantined, 0);
        client = world_resume(&world, 1000, world.last_token);
        assert_int_equal(bytes_of(client).leaving, PAGE);
        world_let_leave(&world);
        assert_int_equal(world_bytes(&world).free, 4 * PAGE);
        world_stop(&world);
}

/* Frames that the client still has mapped need no descriptor; those that leave are to be unmapped.
 */
static void test_restore_hears_what_is_mapped(void **state)
{
        struct client *client;
        struct buffer *kept, *freed;
        struct piece kept_piece, freed_piece;

        (void)state;
        world_init(&world, 4);
        world.clumsy = true;
        world_start(&world);
        client = world_client(&world, 1000, "a");
        kept = world_alloc(&world, client, numbered(PAGE, 1));
        freed = world_alloc(&world, client, numbered(PAGE, 2));
        buffer_piece(kept, 0, &kept_piece);
        buffer_piece(freed, 0, &freed_piece);
        world_show(&world, client, kept);
        world_show(&world, client, freed);
        assert_int_equal(state_release(world.state, client, world_id(freed), world.now_ns), 0);
        world_restart(&world);
        world.n_unneeded = 0;
        client = world_resume(&world, 1000, world.last_token);
        assert_int_equal(client_has_mapped(client, kept_piece.frame), 0);
        assert_int_equal(world.n_unneeded, 0);
        assert_int_equal(client_has_mapped(client, freed_piece.frame), 0);
        assert_int_equal(world.n_unneeded, 1);
        assert_int_equal(client_shown(client, kept_piece.frame), 1);
        world_stop(&world);
}

static void test_restore_passes_over_frames_of_others(void **state)
{
        struct client *a, *b;
        struct piece piece;

        (void)state;
        world_init(&world, 4);
        world_start(&world);
        a = world_client(&world, 1000, "a");
        buffer_piece(world_alloc(&world, a, numbered(PAGE, 1)), 0, &piece);
        b = world_client(&world, 1001, "b");
        assert_int_equal(client_has_mapped(b, piece.frame), 0);
        assert_int_equal(client_has_mapped(b, (struct frame_name){ 4000, 1 }), 0);
        assert_int_equal(client_has_mapped(b, (struct frame_name){ UINT32_MAX, 1 }), 0);
        assert_int_equal(client_shown(b, piece.frame), 0); /* it had not been noted */
        world_stop(&world);
}

/* What the keeper tells of a frame before it is known whose it is. */
static void test_restore_tells_of_failures_in_between(void **state)
{
        struct client *client;
        struct piece piece;

        (void)state;
        world_init(&world, 4);
        world_start(&world);
        client = world_client(&world, 1000, "a");
        buffer_piece(world_alloc(&world, client, numbered(PAGE, 1)), 0, &piece);
        world.poison_at_restart = piece.frame;
        world_restart(&world);
        assert_int_equal(world_bytes(&world).retired, PAGE);
        assert_int_equal(world.n_events, 0); /* nobody is there to be told */
        client = world_resume(&world, 1000, world.last_token);
        assert_int_equal(world.n_of_type[EVENT_POISONED], 1);
        assert_int_equal(world.n_events, 1);
        assert_non_null(client_restored_buffer(client, 1));
        world_stop(&world);
}

/* A frame that nobody held for a while is elsewhere, and its owner is not back yet. */
static void test_restore_tells_who_comes_back_what_moved(void **state)
{
        struct buffer_view view;
        struct client *client;
        struct piece piece;

        (void)state;
        world_init(&world, 4);
        world_start(&world);
        client = world_client(&world, 1000, "a");
        world_alloc(&world, client, numbered(PAGE, 1));
        buffer_piece(world_alloc(&world, client, numbered(PAGE, 2)), 0, &piece);
        world_restart(&world);
        state_frame_moved(world.state, piece.frame, UINT64_MAX, world.now_ns);
        assert_int_equal(world.n_events, 0);
        client = world_resume(&world, 1000, world.last_token);
        assert_int_equal(world.n_of_type[EVENT_MOVED], 1);
        assert_int_equal(world.n_events, 1);
        buffer_view(client_restored_buffer(client, 2), &view);
        assert_int_equal(world.last_event_buffer, view.id);
        world_stop(&world);
}

/* Sessions of one uid share frames where the pool says so. */
static void test_restore_knows_uids(void **state)
{
        struct client *a, *b;
        uint64_t first;

        (void)state;
        world_init(&world, 4);
        world.pools[0].isolation = ISOLATE_UID;
        world_start(&world);
        a = world_client(&world, 1000, "a");
        first = world_first(world_alloc(&world, a, numbered(64 * KiB, 1)));
        world_restart(&world);
        b = world_client(&world, 1000, "b");
        assert_int_equal(align_down(world_first(world_alloc(&world, b, numbered(KiB, 2))), PAGE),
                         align_down(first, PAGE));
        assert_non_null(world_resume(&world, 1000, 1));
        world_stop(&world);
}

/* ---- a ledger that is wrong ----------------------------------------------------------------- */

static struct ledger_buffer_record *record_of(uint32_t number)
{
        return ledger_buffer(world.ledger, number);
}

static void wrong_label(void)
{
        record_of(0)->label[0] ^= 1;
}

static void wrong_session(void)
{
        record_of(0)->session = 3;
        record_of(0)->sum = ledger_buffer_sum(record_of(0));
}

static void wrong_pool(void)
{
        record_of(0)->pool = 1;
        record_of(0)->sum = ledger_buffer_sum(record_of(0));
}

static void wrong_place(void)
{
        record_of(0)->places[0].first += 64 * PAGE;
        record_of(0)->places[0].last += 64 * PAGE;
        record_of(0)->sum = ledger_buffer_sum(record_of(0));
}

static void wrong_range(void)
{
        record_of(0)->places[0].first = record_of(0)->places[0].last + 1;
        record_of(0)->sum = ledger_buffer_sum(record_of(0));
}

static void wrong_edge(void)
{
        record_of(0)->places[0].first += 512;
        record_of(0)->sum = ledger_buffer_sum(record_of(0));
}

/* Nothing must be allocated for each of its pages. */
static void wrong_size(void)
{
        record_of(0)->places[0] = (struct range){ 0, UINT64_MAX };
        record_of(0)->sum = ledger_buffer_sum(record_of(0));
}

static void wrong_alignment(void)
{
        record_of(0)->limits.align_bytes = 0;
        record_of(0)->limits.max_segment_bytes = 64 * KiB;
        record_of(0)->sum = ledger_buffer_sum(record_of(0));
}

static void wrong_boundary(void)
{
        record_of(0)->limits.boundary_bytes = 3;
        record_of(0)->sum = ledger_buffer_sum(record_of(0));
}

static void wrong_count(void)
{
        record_of(0)->n_places = 3;
        record_of(0)->sum = ledger_buffer_sum(record_of(0));
}

static void wrong_owner(void)
{
        record_of(0)->places[0] = record_of(2)->places[0]; /* in another client's frame */
        record_of(0)->sum = ledger_buffer_sum(record_of(0));
}

static void wrong_id(void)
{
        record_of(0)->id = record_of(1)->id + 100;
        record_of(0)->sum = ledger_buffer_sum(record_of(0));
}

static void wrong_state(void)
{
        record_of(0)->begin.word = 77;
}

static const struct {
        const char *name;
        void (*spoil)(void);
} wrong_cases[] = {
        { "a label that is another", wrong_label },
        { "a session that is not there", wrong_session },
        { "a pool that is not there", wrong_pool },
        { "a place outside of all frames", wrong_place },
        { "a place that ends before it begins", wrong_range },
        { "a place that begins between granules", wrong_edge },
        { "a place of all addresses", wrong_size },
        { "an alignment of 0", wrong_alignment },
        { "a boundary that is no power of two", wrong_boundary },
        { "more places than there are", wrong_count },
        { "a number that was not given yet", wrong_id },
        { "a state that means nothing", wrong_state },
};

static void test_restore_gives_up_what_does_not_check(void **state)
{
        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(wrong_cases); i++) {
                struct client *client;

                world_init(&world, 8);
                world_start(&world);
                client = world_client(&world, 1000, "a");
                world_alloc(&world, client, numbered(PAGE, 1));
                world_alloc(&world, client, numbered(2 * PAGE, 2));
                wrong_cases[i].spoil();
                world_restart(&world);
                client = world_resume(&world, 1000, world.last_token);
                if (!client || client_restored_buffer(client, 1) ||
                    !client_restored_buffer(client, 2))
                        fail_msg("%s: it is there, or the other is not", wrong_cases[i].name);
                assert_non_null(strstr(world.last_log, "sessions"));
                assert_int_equal(world_bytes(&world).granted, 2 * PAGE);
                world_stop(&world);
        }
}

/* Two buffers in one place: the first that is read is right; a frame is one owner's. */
static void test_restore_puts_nobody_into_others_frames(void **state)
{
        struct client *a, *b;

        (void)state;
        world_init(&world, 8);
        world_start(&world);
        a = world_client(&world, 1000, "a");
        b = world_client(&world, 1001, "b");
        world_alloc(&world, a, numbered(64 * KiB, 1));
        world_alloc(&world, a, numbered(64 * KiB, 2));
        world_alloc(&world, b, numbered(64 * KiB, 3));
        wrong_owner();
        world_restart(&world);
        a = world_resume(&world, 1000, 1);
        b = world_resume(&world, 1001, 2);
        assert_true(!!client_restored_buffer(a, 1) != !!client_restored_buffer(b, 3));
        assert_non_null(client_restored_buffer(a, 2));
        world_stop(&world);
}

static void test_restore_of_a_lost_session(void **state)
{
        (void)state;
        world_init(&world, 4);
        world_start(&world);
        world_alloc(&world, world_client(&world, 1000, "a"), numbered(PAGE, 1));
        ledger_session(world.ledger, 0)->name[0] ^= 1;
        world_restart(&world);
        assert_null(world_resume(&world, 1000, world.last_token));
        assert_int_equal(world_bytes(&world).quarantined, PAGE);
        world_stop(&world);
}

static uint64_t release_pool(const char *pool)
{
        const struct selection all = { .pool = pool };
        struct client *admin = world_client(&world, 0, "admin");
        struct refusal refusal;
        uint64_t bytes;

        assert_int_equal(
                state_end_quarantine(world.state, admin, &all, world.now_ns, &bytes, &refusal), 0);
        return bytes;
}

/* Whose buffer it was nobody knows: no time ends that, and no further death of a worker. */
static void test_restore_keeps_aside_what_nobody_knows(void **state)
{
        struct client *client;

        (void)state;
        world_init(&world, 8);
        world_start(&world);
        client = world_client(&world, 1000, "a");
        world_alloc(&world, client, numbered(PAGE, 1));
        world_alloc(&world, client, numbered(2 * PAGE, 2));
        wrong_label();
        for (unsigned deaths = 0; deaths < 3; deaths++) {
                world_restart(&world);
                assert_non_null(world_resume(&world, 1000, world.last_token));
                world_pass(&world, 3600 * NS_PER_S);
                assert_int_equal(world_bytes(&world).quarantined, PAGE);
                assert_int_equal(world_bytes(&world).granted, 2 * PAGE);
        }
        assert_int_equal(release_pool("any"), PAGE);
        world_let_leave(&world);
        assert_int_equal(world_bytes(&world).quarantined, 0);
        world_restart(&world);
        assert_int_equal(world_bytes(&world).quarantined, 0);
        world_stop(&world);
}

/* In the rest of a frame there may be a buffer that nobody knows: nothing more comes from it. */
static void test_restore_grants_nothing_beside_what_nobody_knows(void **state)
{
        struct client *client;
        uint64_t frame;

        (void)state;
        world_init(&world, 8);
        world_start(&world);
        client = world_client(&world, 1000, "a");
        world_alloc(&world, client, numbered(64 * KiB, 1));
        frame = world_first(world_alloc(&world, client, numbered(64 * KiB, 2))) / PAGE;
        wrong_label();
        world_restart(&world);
        client = world_resume(&world, 1000, world.last_token);
        assert_int_not_equal(world_first(world_alloc(&world, client, numbered(64 * KiB, 3))) / PAGE,
                             frame);
        world_stop(&world);
}

static void test_restore_without_what_was_kept(void **state)
{
        (void)state;
        world_init(&world, 8);
        world_start(&world);
        world_alloc(&world, world_client(&world, 1000, "a"), numbered(2 * PAGE, 1));
        ((struct ledger_head *)world.ledger_memory)->version++;
        world_restart(&world);
        assert_null(world_resume(&world, 1000, world.last_token));
        for (unsigned deaths = 0; deaths < 2; deaths++) {
                world_pass(&world, 3600 * NS_PER_S);
                assert_int_equal(world_bytes(&world).quarantined, 2 * PAGE);
                world_restart(&world);
        }
        assert_int_equal(release_pool("any"), 2 * PAGE);
        world_stop(&world);
}

/* Deaths one after the other, with changes in between, come to the same. */
static void test_restore_again_and_again(void **state)
{
        struct client *client;
        struct likeness before, after;

        (void)state;
        world_init(&world, 16);
        world_start(&world);
        client = world_client(&world, 1000, "a");
        look_at(world_alloc(&world, client, numbered(3 * PAGE, 1)), &before);
        for (uint32_t i = 0; i < 50; i++) {
                struct buffer *buffer = world_alloc(&world, client, numbered(20 * KiB, i + 2));

                assert_true(world_id(buffer) > before.view.id + i);
                if (i % 3)
                        assert_int_equal(
                                state_release(world.state, client, world_id(buffer), world.now_ns),
                                0);
                world_restart(&world);
                client = world_resume(&world, 1000, world.last_token);
                assert_non_null(client);
                look_at(client_restored_buffer(client, 1), &after);
                assert_alike(&before, &after);
                assert_int_equal(client_restored_buffer(client, i + 2) != NULL, !(i % 3));
        }
        world_stop(&world);
}

/* ---- a page that was punched out, and is another frame by now -------------------------------- */

/* A client gives back a frame that it has punched, the next one gets the page, the worker dies. */
static struct frame_name lose_a_page(bool owner_ends)
{
        struct client *a, *b;
        struct buffer *buffer;
        struct piece piece;

        world_init(&world, 4);
        world.clumsy = true;
        world_start(&world);
        a = world_client(&world, 1000, "a");
        b = world_client(&world, 1001, "b");
        buffer = world_alloc(&world, a, numbered(PAGE, 1));
        buffer_piece(buffer, 0, &piece);
        assert_int_equal(state_release(world.state, a, world_id(buffer), world.now_ns), 0);
        state_frame_lingers(world.state, piece.frame, FRAME_HOLDER_HOLE, world.now_ns);
        world_arrive_at(&world, 0, piece.phys);
        buffer = world_alloc(&world, b, numbered(PAGE, 2));
        assert_int_equal(world_first(buffer), piece.phys);
        if (owner_ends)
                client_end(world.state, a, false, world.now_ns);
        return piece.frame;
}

static bool owner_is_called_gone(struct frame_name name)
{
        return world.frames[name.slot].flags & LEAVE_OWNER_GONE;
}

static void let_it_leave(void)
{
        world_let_leave(&world);
        world_pass(&world, 60 * NS_PER_S); /* meanwhile it counted as held */
        assert_int_equal(world_bytes(&world).held, 4 * PAGE);
        assert_int_equal(world_bytes(&world).lingering, 0);
        state_check(world.state);
}

/* Who punched it pays for it as before, and the keeper hears of his end. Who has the page has it.
 */
static void test_restore_knows_who_lost_a_page(void **state)
{
        static const struct {
                const char *name;
                bool owner_ends;
        } cases[] = { { "its owner comes back, and ends", false },
                      { "its owner had ended before", true } };

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
                struct frame_name name;
                struct client *a, *b;

                print_message("%s\n", cases[i].name);
                name = lose_a_page(cases[i].owner_ends);
                for (unsigned deaths = 0; deaths < 2; deaths++) {
                        world_restart(&world);
                        assert_int_equal(world_bytes(&world).held, 5 * PAGE);
                        assert_int_equal(world_bytes(&world).quarantined, 0);
                        assert_true(world.frames[name.slot].leaving);
                        state_frame_lingers(world.state, name, FRAME_HOLDER_HOLE, world.now_ns);
                        assert_int_equal(world_bytes(&world).lingering, PAGE);
                        assert_int_equal(owner_is_called_gone(name), cases[i].owner_ends);
                        b = world_resume(&world, 1001, 2);
                        assert_non_null(client_restored_buffer(b, 2));
                        assert_int_equal(world.n_of_type[EVENT_MOVED], 0);
                }
                a = world_resume(&world, 1000, 1);
                assert_int_equal(!a, cases[i].owner_ends);
                if (a) {
                        assert_int_equal(bytes_of(a).lingering, PAGE);
                        client_end(world.state, a, false, world.now_ns);
                        assert_true(owner_is_called_gone(name));
                }
                let_it_leave();
                world_stop(&world);
        }
}

/* Whose it was nobody knows, so nobody's end is waited for. */
static void test_restore_lets_go_of_what_lost_its_page(void **state)
{
        struct frame_name name;

        (void)state;
        name = lose_a_page(false);
        ((struct ledger_head *)world.ledger_memory)->version++;
        world_restart(&world);
        assert_int_equal(world_bytes(&world).quarantined, 2 * PAGE);
        assert_false(world.frames[name.slot].leaving);
        world_pass(&world, 5 * NS_PER_S);
        assert_int_equal(world_bytes(&world).quarantined, PAGE); /* what b has is kept aside */
        assert_true(world.frames[name.slot].leaving);
        assert_true(owner_is_called_gone(name));
        let_it_leave();
        world_stop(&world);
}

/* ---- two frames at one address, which clients may both have ---------------------------------- */

/**
 * struct twins_case - a client punched its frame, and the kernel gave the page to another one
 * @size_bytes:   of the buffers in them
 * @one_user:     both frames are of one user's sessions, as his
 * @later_first:  the frame that has the page is told of first
 * @is_free:      that one: no client has it yet
 * @keeper_knows: that the former frame lost its page
 * @unheard:      the worker dies before it hears of the later frame
 */
static const struct twins_case {
        const char *name;
        uint64_t size_bytes;
        bool one_user, later_first, is_free, keeper_knows, unheard;
} twins_cases[] = {
        { "frames", PAGE, .later_first = false },
        { "frames, the later one first", PAGE, .later_first = true },
        { "parts", 64 * KiB, .later_first = false },
        { "parts, the later one first", 64 * KiB, .later_first = true },
        { "the keeper has seen it", 64 * KiB, .keeper_knows = true },
        { "the keeper has seen it, the later one first", 64 * KiB, .keeper_knows = true,
          .later_first = true },
        { "one user's frames", PAGE, .one_user = true },
        { "parts of one user's frames", 64 * KiB, .one_user = true },
        { "parts of one user's frames, the later one first", 64 * KiB, .one_user = true,
          .later_first = true },
        { "the later one is free", PAGE, .is_free = true },
        { "the later one is free, and first", PAGE, .is_free = true, .later_first = true },
        { "nobody has heard of the later one", 64 * KiB, .is_free = true, .unheard = true },
        { "nobody has heard of the later one, which is first", 64 * KiB, .is_free = true,
          .unheard = true, .later_first = true },
};

/* Who has the frame in the first slot, who punches his, and who gets the page. */
enum twins_token { TOKEN_OTHER = 1, TOKEN_A, TOKEN_B };

/* @former has no page any more, @later has it; both were said to be at @phys. */
struct twins {
        struct frame_name former, later;
        uint64_t phys;
        uint32_t uid_b;
};

static struct frame_name frame_of(const struct buffer *buffer)
{
        struct piece piece;

        buffer_piece(buffer, 0, &piece);
        return piece.frame;
}

static bool is_in(const struct buffer *buffer, struct frame_name name)
{
        const struct frame_name frame = frame_of(buffer);

        return frame.slot == name.slot && frame.generation == name.generation;
}

static void give_back(struct client *client, const struct buffer *buffer)
{
        assert_int_equal(state_release(world.state, client, world_id(buffer), world.now_ns), 0);
}

/* In a frame that is there. */
static struct buffer *alloc_at(struct client *client, uint64_t phys, uint64_t size, uint32_t seq)
{
        struct request request = numbered(size, seq);

        request.want.window = (struct range){ phys, phys + PAGE - 1 };
        return world_alloc(&world, client, request);
}

/* Where its frame is gone, the next one that comes is in the first slot. */
static void occupy_first_slot(bool gone)
{
        struct client *other = world_client(&world, 1002, "other");
        struct buffer *buffer = world_alloc(&world, other, numbered(64 * KiB, 1));

        assert_int_equal(frame_of(buffer).slot, 0);
        if (!gone)
                return;
        world.snatch = true;
        give_back(other, buffer);
        world_let_leave(&world);
}

/* Of parts b has one beside which, in the former frame, there is none of a's. */
static struct client *lend_later(const struct twins *twins, uint64_t size)
{
        struct client *b = world_client(&world, twins->uid_b, "b");
        struct buffer *buffer = alloc_at(b, twins->phys, size, 1);

        assert_true(is_in(buffer, twins->later));
        if (size == PAGE)
                return b;
        assert_true(is_in(alloc_at(b, twins->phys, size, 2), twins->later));
        give_back(b, buffer);
        return b;
}

static struct twins make_twins(const struct twins_case *how)
{
        struct twins twins = { .uid_b = how->one_user ? 1000 : 1001 };
        struct buffer *buffer;

        world_init(&world, 4);
        world.pools[0].size_max_bytes = 8 * PAGE;
        world.pools[0].isolation = how->one_user ? ISOLATE_UID : ISOLATE_SESSION;
        world_start(&world);
        world.clumsy = world.late = true;
        occupy_first_slot(how->later_first);
        buffer = world_alloc(&world, world_client(&world, 1000, "a"), numbered(how->size_bytes, 1));
        twins.former = frame_of(buffer);
        twins.phys = align_down(world_first(buffer), PAGE);
        if (how->keeper_knows)
                world_move(&world, twins.former);
        world.unheard = how->unheard;
        world_arrive_at(&world, 0, twins.phys);
        world.unheard = false;
        twins.later = world.frames[how->later_first ? 0 : 4].name;
        if (!how->is_free)
                (void)lend_later(&twins, how->size_bytes);
        return twins;
}

/* Each has its own, and what is granted lies where the page is. */
static void check_twins(const struct twins_case *how, const struct twins *twins)
{
        const unsigned moved = world.n_of_type[EVENT_MOVED];
        struct client *a = world_resume(&world, 1000, TOKEN_A), *b;
        struct buffer *buffer = client_restored_buffer(a, 1);

        assert_int_equal(world_bytes(&world).retired, PAGE);
        assert_int_equal(world_bytes(&world).quarantined, 0);
        assert_non_null(buffer);
        assert_true(is_in(buffer, twins->former));
        assert_int_equal(world.n_of_type[EVENT_MOVED], moved + 1);
        assert_false(world.frames[twins->later.slot].leaving);
        if (how->is_free)
                return;
        b = world_resume(&world, twins->uid_b, TOKEN_B);
        buffer = client_restored_buffer(b, how->size_bytes == PAGE ? 1 : 2);
        assert_non_null(buffer);
        assert_true(is_in(buffer, twins->later));
        assert_int_equal(world.n_of_type[EVENT_MOVED], moved + 1);
        if (how->size_bytes == PAGE)
                return;
        buffer = alloc_at(b, twins->phys, how->size_bytes, 0);
        assert_true(is_in(buffer, twins->later));
        give_back(b, buffer);
}

/* It goes when who punched it ends, not before, and what has the page stays. */
static void end_twins(const struct twins_case *how, const struct twins *twins)
{
        struct client *a = world_resume(&world, 1000, TOKEN_A), *b;
        uint64_t granted;

        b = how->is_free ? lend_later(twins, how->size_bytes)
                         : world_resume(&world, twins->uid_b, TOKEN_B);
        granted = world_bytes(&world).granted;
        give_back(a, client_restored_buffer(a, 1));
        assert_true(world.frames[twins->former.slot].leaving);
        assert_false(world.frames[twins->later.slot].leaving);
        state_frame_lingers(world.state, twins->former, FRAME_HOLDER_HOLE, world.now_ns);
        assert_int_equal(world_bytes(&world).retired, 0);
        assert_int_equal(world_bytes(&world).lingering, PAGE);
        assert_int_equal(bytes_of(a).lingering, how->one_user ? 0 : PAGE); /* it is the uid's */
        assert_false(owner_is_called_gone(twins->former));
        if (how->one_user)
                client_end(world.state, b, false, world.now_ns);
        client_end(world.state, a, false, world.now_ns);
        assert_true(owner_is_called_gone(twins->former));
        world_let_frame_leave(&world, &world.frames[twins->former.slot]);
        assert_int_equal(world_bytes(&world).lingering, 0);
        if (!how->one_user) {
                assert_int_equal(world_bytes(&world).granted, granted);
                client_end(world.state, b, false, world.now_ns);
        }
        world_pass(&world, 60 * NS_PER_S);
        world_let_leave(&world);
        assert_int_equal(world_bytes(&world).held, world_bytes(&world).free);
        state_check(world.state);
}

static void test_restore_tells_twins_apart(void **state)
{
        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(twins_cases); i++) {
                const struct twins_case *how = &twins_cases[i];
                struct twins twins;

                print_message("%s\n", how->name);
                twins = make_twins(how);
                for (unsigned deaths = 0; deaths < 2; deaths++) {
                        world_restart(&world);
                        check_twins(how, &twins);
                }
                world_restart(&world);
                end_twins(how, &twins);
                world_stop(&world);
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_restore_brings_back_each_shape),
                cmocka_unit_test(test_restore_keeps_the_rest_of_a_frame),
                cmocka_unit_test(test_restore_lets_only_the_same_user_resume),
                cmocka_unit_test(test_restore_quarantines_what_nobody_resumes),
                cmocka_unit_test(test_restore_goes_on_with_a_quarantine),
                cmocka_unit_test(test_restore_takes_its_time),
                cmocka_unit_test(test_restore_goes_on_with_a_revocation),
                cmocka_unit_test(test_restore_keeps_a_frame_closed),
                cmocka_unit_test(test_restore_sends_empty_frames_away),
                cmocka_unit_test(test_restore_hears_what_is_mapped),
                cmocka_unit_test(test_restore_passes_over_frames_of_others),
                cmocka_unit_test(test_restore_tells_of_failures_in_between),
                cmocka_unit_test(test_restore_tells_who_comes_back_what_moved),
                cmocka_unit_test(test_restore_knows_uids),
                cmocka_unit_test(test_restore_gives_up_what_does_not_check),
                cmocka_unit_test(test_restore_puts_nobody_into_others_frames),
                cmocka_unit_test(test_restore_of_a_lost_session),
                cmocka_unit_test(test_restore_keeps_aside_what_nobody_knows),
                cmocka_unit_test(test_restore_grants_nothing_beside_what_nobody_knows),
                cmocka_unit_test(test_restore_without_what_was_kept),
                cmocka_unit_test(test_restore_knows_who_lost_a_page),
                cmocka_unit_test(test_restore_lets_go_of_what_lost_its_page),
                cmocka_unit_test(test_restore_tells_twins_apart),
                cmocka_unit_test(test_restore_again_and_again),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
