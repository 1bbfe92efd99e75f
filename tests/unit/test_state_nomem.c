/* SPDX-License-Identifier: MIT */
/*
 * Every allocation of a scripted session fails in turn: the call that met it says -ENOMEM, nothing
 * has changed, and the session goes on. Leaks show under the sanitizers and valgrind.
 */
#include "macros.h"
#include "pci_address.h"
#include "state_private.h"
#include "world.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define PAGE (2 * MiB)

static struct world world;
static struct client *admin;
static unsigned long countdown; /* allocations until the one that fails; 0: none does */
static bool failed;             /* during this call */
static bool hit;                /* in this life */

void *__real_malloc(size_t size);
void *__real_calloc(size_t n, size_t size);
void *__real_aligned_alloc(size_t align, size_t size);
void *__real_realloc(void *p, size_t size);
void *__real_reallocarray(void *p, size_t n, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_aligned_alloc(size_t align, size_t size);
void *__wrap_realloc(void *p, size_t size);
void *__wrap_reallocarray(void *p, size_t n, size_t size);

static bool fails_now(void)
{
        if (!countdown || --countdown)
                return false;
        failed = hit = true;
        errno = ENOMEM;
        return true;
}

void *__wrap_malloc(size_t size)
{
        return fails_now() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t n, size_t size)
{
        return fails_now() ? NULL : __real_calloc(n, size);
}

void *__wrap_aligned_alloc(size_t align, size_t size)
{
        return fails_now() ? NULL : __real_aligned_alloc(align, size);
}

void *__wrap_realloc(void *p, size_t size)
{
        return fails_now() ? NULL : __real_realloc(p, size);
}

void *__wrap_reallocarray(void *p, size_t n, size_t size)
{
        return fails_now() ? NULL : __real_reallocarray(p, n, size);
}

/* -ENOMEM exactly where an allocation failed during the call. */
static void expect(int r)
{
        state_check(world.state);
        if (failed)
                assert_int_equal(r, -ENOMEM);
        else
                assert_true(r >= 0);
        failed = false;
}

static void alloc(struct client *client, struct request request, struct buffer **ret)
{
        struct state_bytes before = world_bytes(&world), after;
        struct refusal refusal;
        int r;

        *ret = NULL;
        r = state_alloc(world.state, client, &request, world.now_ns, ret, &refusal);
        after = world_bytes(&world);
        if (r)
                assert_memory_equal(&before, &after, sizeof(before));
        expect(r);
}

/* Needs no memory: without any it is forgotten who had this. */
static void release(struct client *client, uint64_t buffer)
{
        assert_int_equal(state_release(world.state, client, buffer, world.now_ns), 0);
        state_check(world.state);
        failed = false;
}

/* One of several takes memory; without any nothing has changed. */
static void revoke(struct client *owner, const struct buffer *buffer)
{
        struct state_bytes before = world_bytes(&world), after;
        struct buffer_view view;
        struct refusal refusal;
        uint64_t bytes = 0;
        int r;

        if (!buffer)
                return;
        buffer_view(buffer, &view);
        r = state_revoke(world.state, admin, &(struct selection){ .buffer = view.id }, world.now_ns,
                         &bytes, &refusal);
        assert_int_equal(r == 0, bytes > 0);
        assert_int_equal(r == 0, !client_buffer(owner, view.id));
        after = world_bytes(&world);
        if (r)
                assert_memory_equal(&before, &after, sizeof(before));
        expect(r);
}

/* What is told of a buffer is remembered, or what was told before. */
static void tell(struct client *client, const struct buffer *buffer, uint64_t iova)
{
        const struct io_tell_part part = { range_of(iova, 4096), 0 };
        struct io_report report;
        struct refusal refusal;
        struct buffer_view view;
        int r;

        if (!buffer)
                return;
        buffer_view(buffer, &view);
        r = state_io_tell(
                world.state, client,
                &(struct io_tell){
                        .buffer = view.id, .space = 1, .device = "", .parts = &part, .n_parts = 1 },
                world.now_ns, &refusal);
        state_io_lookup(world.state, admin, iova, "", world.now_ns, &report);
        assert_int_equal(report.n_holders, r == 0);
        expect(r);
}

/* A frame comes, and with it memory for who waits: a failure there is the waiter's answer. */
static void arrive(uint32_t slot, uint64_t phys)
{
        struct frame_news news = { .name = { .slot = slot, .generation = 1 },
                                   .page_bytes = PAGE,
                                   .phys = phys,
                                   .node = 0,
                                   .pinned = true };
        int r;

        world.frames[slot] = (struct world_frame){ .name = news.name, .phys = phys, .held = true };
        world.n_slots = slot + 1;
        world.n_answers = 0;
        r = state_frame_arrived(world.state, &news, world.now_ns);
        if (r)
                world.frames[slot].held = false;
        if (world.n_answers && world.answers[0].r < 0) {
                assert_int_equal(world.answers[0].r, -ENOMEM);
                assert_int_equal(r, 0);
                r = -ENOMEM;
        }
        expect(r);
}

/* What administrators do asks the heap for nothing. */
static void administer(void)
{
        struct range window = { 4 * GiB - 3 * PAGE, 4 * GiB - 1 };
        struct refusal refusal;
        uint64_t bytes;

        assert_int_equal(state_drain(world.state, admin, "any", window, true, world.now_ns, &bytes,
                                     &refusal),
                         0);
        assert_int_equal(state_resize(world.state, admin, "any", 16 * PAGE, world.now_ns, &refusal),
                         0);
        state_reconfigure(world.state, &world.settings, world.now_ns);
        assert_int_equal(state_drain(world.state, admin, "any", window, false, world.now_ns, &bytes,
                                     &refusal),
                         0);
        assert_int_equal(state_resize(world.state, admin, "any", 12 * PAGE, world.now_ns, &refusal),
                         0);
}

static void script_all(struct client *a, struct client *b)
{
        struct request scattered = world_request(3 * PAGE), huge = world_request(64 * PAGE);
        struct request waits = world_request(8 * PAGE), grows = world_request(14 * PAGE);
        static struct explanation explanation;
        struct buffer *small, *many, *pieces[6], *in_pieces;
        struct refusal refusal;
        struct buffer_view view;

        alloc(a, world_request(4096), &small);
        alloc(a, world_request(3 * PAGE + 4096), &many);
        for (size_t i = 0; i < ARRAY_SIZE(pieces); i++)
                alloc(i % 2 ? b : a, world_request(PAGE), &pieces[i]);
        for (size_t i = 1; i < ARRAY_SIZE(pieces); i += 2) {
                if (!pieces[i])
                        continue;
                buffer_view(pieces[i], &view);
                release(b, view.id);
                if (!countdown)
                        world_let_leave(&world);
        }
        scattered.want.max_segments = SEGMENTS_ANY;
        alloc(b, scattered, &in_pieces);
        alloc(a, huge, &in_pieces);
        alloc(a, world_request(4096), &small);
        tell(a, small, 0x10000);
        tell(a, small, 0x20000);
        revoke(a, small);
        alloc(a, world_request(4096), &small);
        revoke(a, many);
        expect(state_explain(world.state, b, &huge, world.now_ns, &explanation));
        expect(state_explain(world.state, b, &scattered, world.now_ns, &explanation));
        expect(state_wait(world.state, b, &waits, UINT64_MAX, 1, world.now_ns, &refusal));
        expect(state_wait(world.state, a, &grows, WAIT_FOR_GROWTH, 2, world.now_ns, &refusal));
        for (unsigned i = 0; i < 14; i++)
                arrive(500 + i, 8 * GiB + i * PAGE);
        administer();
}

/* The client maps a small buffer, where there is memory for that. */
static void show(struct client *client, const struct buffer *buffer)
{
        struct piece piece;

        if (!buffer)
                return;
        buffer_piece(buffer, 0, &piece);
        expect(client_shown(client, piece.frame));
}

/* Its last buffer leaves an empty frame, which is kept where there is memory for that. */
static void release_last(struct client *client, const struct buffer *buffer)
{
        struct state_bytes before = world_bytes(&world), after;
        struct buffer_view view;
        bool fails = countdown == 1;

        if (!buffer)
                return;
        buffer_view(buffer, &view);
        release(client, view.id);
        after = world_bytes(&world);
        assert_int_equal(after.granted, before.granted - PAGE);
        if (fails)
                assert_int_equal(after.leaving, before.leaving + PAGE);
        else
                assert_int_equal(after.reusable + after.leaving,
                                 before.reusable + before.leaving + PAGE);
}

/* Nothing is held where there is nothing. */
static void assert_nothing_held(const struct node_spaces *spaces)
{
        struct space *fresh;

        assert_int_equal(space_new(GRANULE_BYTES, &fresh), 0);
        for (unsigned i = 0; i < spaces->count; i++)
                if (spaces->of[i] && !space_bytes(spaces->of[i]))
                        assert_int_equal(space_metadata_bytes(spaces->of[i]),
                                         space_metadata_bytes(fresh));
        space_free(fresh);
}

/* Frames are divided at both ends of a buffer, and emptied, and kept. */
static void script_parts(struct client *a, struct client *b)
{
        struct request edges = world_request(10 * MiB);
        const struct account *account;
        struct buffer *buffer, *beside;
        struct buffer_view view;

        (void)b;
        /* Its ends lie in the lower and in the upper 16 MiB of memory, where a tree has no node in
         * common. */
        edges.want.window = (struct range){ 4 * GiB - 21 * MiB, 4 * GiB - 11 * MiB - 1 };
        alloc(a, edges, &buffer);
        if (buffer) {
                buffer_view(buffer, &view);
                release(a, view.id);
        }
        alloc(a, world_request(4096), &buffer);
        alloc(a, world_request(4096), &beside);
        show(a, buffer);
        if (beside) {
                buffer_view(beside, &view);
                release(a, view.id);
        }
        release_last(a, buffer);
        alloc(a, world_request(PAGE), &buffer);
        show(a, buffer);
        release_last(a, buffer);
        countdown = 0;
        world_pass(&world, 2 * NS_PER_S);
        account = client_account_of(a, &world.state->pools[0]);
        if (account) {
                assert_nothing_held(&account->partial);
                assert_nothing_held(&account->empty);
        }
}

/* Buffers for PCI devices, which are known from the grant on, and waited for after the death. */
static void script_devices(struct client *a, struct client *b)
{
        struct request one = world_request(4096), both = world_request(PAGE);
        struct buffer *buffer;

        one.device = "nic0";
        both.device = "nic0,nic1";
        alloc(a, both, &buffer);
        alloc(a, one, &buffer);
        revoke(a, buffer);
        alloc(b, one, &buffer);
        alloc(a, one, &buffer);
}

/* Without memory for all of them none is there, and no frame has another state. */
static void batch(struct client *client, uint64_t size, size_t count)
{
        const struct request request = world_request(size);
        struct state_bytes before = world_bytes(&world), after;
        struct buffer *got[BATCH_BUFFERS_MAX];
        struct refusal refusal;
        int r;

        r = state_alloc_batch(world.state, client, &request, count, world.now_ns, got, &refusal);
        after = world_bytes(&world);
        if (r)
                assert_memory_equal(&before, &after, sizeof(before));
        expect(r);
        for (size_t i = 0; i < count && !r; i++)
                show(client, got[i]);
}

static void script_batch(struct client *a, struct client *b)
{
        batch(a, 64 * KiB, 40); /* in two frames, of which one is divided */
        batch(a, 4096, 8);      /* beside them */
        batch(b, PAGE, 3);
}

static struct buffer *open_named(struct client *client, const char *name)
{
        const struct open_request request = { .uid = 1000, .name = name };
        struct buffer *buffer = NULL;
        struct refusal refusal;

        expect(state_open(world.state, client, &request, world.now_ns, &buffer, &refusal));
        return buffer;
}

/* Buffers with names, which others open, and one that the waiting line has a copy of. */
static void script_sharing(struct client *a, struct client *b)
{
        struct request one = world_request(4096), large = world_request(3 * PAGE);
        struct buffer *buffer;
        struct refusal refusal;

        one.share = (struct share_request){ .wanted = true, .name = "one", .lasting = true };
        large.share = (struct share_request){ .wanted = true, .name = "large" };
        alloc(a, one, &buffer);
        alloc(a, large, &buffer);
        open_named(b, "one");
        buffer = open_named(b, "large");
        if (buffer)
                release(b, world_id(buffer));
        large.want.size_bytes = 9 * PAGE;
        large.share.name = "waits";
        expect(state_wait(world.state, b, &large, UINT64_MAX, 1, world.now_ns, &refusal));
        /* Needs none. */
        assert_in_range(state_remove(world.state, a, 1000, "one", world.now_ns, &refusal), 0,
                        PAR_REFUSED_GONE);
        failed = false;
}

static void add_devices(void)
{
        static const char *const names[] = { "nic0", "nic1" };

        for (uint32_t i = 0; i < ARRAY_SIZE(names); i++) {
                world.devices[i] = (struct device_settings){
                        .name = (char *)(uintptr_t)names[i],
                        .limits = { .window = RANGE_ALL, .align_bytes = 1, .max_segments = 1 },
                        .facts = { .known = true, .dma_mask_bits = 64, .node = -1 },
                };
                pci_address_text(i, world.devices[i].pci);
        }
        world.settings.n_devices = ARRAY_SIZE(names);
}

static void see_all_quiet(void)
{
        for (uint32_t i = 0; i < world.settings.n_devices; i++)
                if (world_watch(&world, i)->on)
                        world_see(&world, i, SIGHT_QUIET);
        world_pass(&world, 5 * NS_PER_S);
        assert_true(RB_EMPTY(&world.state->watches));
}

/* One whole life with the n-th allocation failing. Return: whether there was such an allocation. */
static bool live(unsigned long n, void (*script)(struct client *a, struct client *b))
{
        struct identity identity = { .uid = 1000, .gid = 1000 };
        struct client *a = NULL, *b = NULL;

        hit = false;
        world_init(&world, 12);
        world.pools[0].isolation = ISOLATE_UID;
        world.pools[0].size_max_bytes = 48 * PAGE;
        world.pools[0].reuse_delay_ns = NS_PER_S;
        world.late = true;
        add_devices();
        world_start(&world);
        admin = world_client(&world, 0, "admin");
        countdown = n;
        expect(client_new(world.state, &identity, "a", 1, &world, world.now_ns, &a));
        expect(client_new(world.state, &identity, "b", 2, &world, world.now_ns, &b));
        if (a && b)
                script(a, b);
        countdown = 0;
        if (a)
                client_end(world.state, a, false, world.now_ns);
        if (b)
                client_end(world.state, b, true, world.now_ns);
        world.late = false;
        see_all_quiet();
        world_pass(&world, 60 * NS_PER_S);
        assert_int_equal(world_bytes(&world).free, 12 * PAGE);
        assert_int_equal(world_bytes(&world).held, 12 * PAGE);
        assert_nothing_held(&world.state->pools[0].free);
        assert_nothing_held(&world.state->pools[0].all);
        world_stop(&world);
        return hit;
}

/* Return: how many allocations there are. */
static unsigned long fail_each(void (*script)(struct client *a, struct client *b))
{
        unsigned long n = 1;

        while (live(n, script))
                n++;
        print_message("%lu allocations\n", n - 1);
        return n - 1;
}

static void test_every_allocation_fails_once(void **unused)
{
        (void)unused;
        assert_true(fail_each(script_all) > 30);
}

static void test_what_divides_frames_is_held(void **unused)
{
        (void)unused;
        assert_true(fail_each(script_parts) > 10);
}

static void test_what_is_known_of_devices_is_held(void **unused)
{
        (void)unused;
        assert_true(fail_each(script_devices) > 15);
}

static void test_a_batch_is_held_whole(void **unused)
{
        (void)unused;
        assert_true(fail_each(script_batch) > 60);
}

static void test_what_is_shared_is_held(void **unused)
{
        (void)unused;
        assert_true(fail_each(script_sharing) > 20);
}

static void test_what_is_not_free_is_not_held(void **unused)
{
        struct frame_news news = { .page_bytes = PAGE, .phys = 8 * GiB, .pinned = true };
        const struct pool *pool;

        (void)unused;
        world_init(&world, 1);
        world_start(&world);
        pool = &world.state->pools[0];
        news.name = world.frames[0].name; /* which is another's */
        assert_int_equal(state_frame_arrived(world.state, &news, world.now_ns), -EINVAL);
        assert_int_equal(node_spaces_bytes(&pool->all), PAGE);
        assert_nothing_held(&pool->all);
        assert_nothing_held(&pool->free);

        news.name = (struct frame_name){ .slot = 1, .generation = 1 };
        news.lent = true;
        assert_int_equal(state_frame_arrived(world.state, &news, world.now_ns), 0);
        assert_int_equal(node_spaces_bytes(&pool->all), 2 * PAGE);
        assert_nothing_held(&pool->free);
        world_stop(&world);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_every_allocation_fails_once),
                cmocka_unit_test(test_what_divides_frames_is_held),
                cmocka_unit_test(test_what_is_known_of_devices_is_held),
                cmocka_unit_test(test_a_batch_is_held_whole),
                cmocka_unit_test(test_what_is_shared_is_held),
                cmocka_unit_test(test_what_is_not_free_is_not_held),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
