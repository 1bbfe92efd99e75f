/* SPDX-License-Identifier: MIT */
/*
 * What an administrator sees and does, one behaviour a test: revoke and release, look-ups, the map,
 * reports.
 */
#include "macros.h"
#include "world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define PAGE (2 * MiB)

static struct world world;

/* A refusal says why, and nothing else does. */
static int judged(int r, const struct refusal *refusal)
{
        assert_int_equal(r, refusal->result);
        assert_int_equal(r != 0, refusal->sentence[0] != 0);
        state_check(world.state);
        return r;
}

static int revoke(struct client *asker, struct selection which, uint64_t *ret_bytes)
{
        struct refusal refusal = { 0 };

        return judged(state_revoke(world.state, asker, &which, world.now_ns, ret_bytes, &refusal),
                      &refusal);
}

static int release(struct client *asker, struct selection which, uint64_t *ret_bytes)
{
        struct refusal refusal = { 0 };

        return judged(
                state_end_quarantine(world.state, asker, &which, world.now_ns, ret_bytes, &refusal),
                &refusal);
}

static int free_it(struct client *client, uint64_t id)
{
        return state_release(world.state, client, id, world.now_ns);
}

/* A filled pool of so many frames, a client of that name, and an administrator. */
static void start(unsigned frames, const char *name, struct client **ret_client,
                  struct client **ret_root)
{
        world_init(&world, frames);
        world_start(&world);
        *ret_client = world_client(&world, 1000, name);
        *ret_root = world_client(&world, 0, "root");
}

/* The client "a" has 5000 buffers, more than are seen to in one turn. */
static void start_with_many(struct client **ret_client, struct client **ret_root)
{
        world_init(&world, 16);
        world.settings.max_buffers = 5000;
        world_start(&world);
        *ret_client = world_client(&world, 1000, "a");
        *ret_root = world_client(&world, 0, "root");
        for (unsigned n = 0; n < 5000; n++)
                world_alloc(&world, *ret_client, world_request(4096));
}

/* ---- revoke --------------------------------------------------------------------------------- */

static void test_revoked_memory_is_quarantined(void **unused)
{
        struct client *a, *root;
        struct buffer *buffer;
        uint64_t bytes = 0, id;

        (void)unused;
        start(4, "a", &a, &root);
        buffer = world_alloc(&world, a, world_request(2 * PAGE));
        world_show(&world, a, buffer);
        id = world_id(buffer);

        assert_int_equal(revoke(root, (struct selection){ .buffer = id }, &bytes), 0);
        assert_int_equal(bytes, 2 * PAGE);
        assert_int_equal(world.n_of_type[EVENT_REVOKED], 1);
        assert_int_equal(world.last_event_buffer, id);
        assert_null(client_buffer(a, id));
        assert_int_equal(free_it(a, id), PAR_REFUSED_GONE);
        assert_int_equal(world_bytes(&world).quarantined, 2 * PAGE);

        world_pass(&world, 5 * NS_PER_S - 1);
        assert_int_equal(world_bytes(&world).quarantined, 2 * PAGE);
        world.clumsy = true;
        world_pass(&world, 1);
        assert_int_equal(world_bytes(&world).leaving, 2 * PAGE);
        assert_int_equal(world.n_unneeded, 2);
        for (unsigned i = 0; i < 4; i++)
                if (world.frames[i].leaving)
                        state_frame_lingers(world.state, world.frames[i].name, FRAME_HOLDER_FILE,
                                            world.now_ns);
        assert_int_equal(world_bytes(&world).lingering, 2 * PAGE); /* it is still mapped */
        world_let_leave(&world);
        assert_int_equal(world_bytes(&world).free, 4 * PAGE);
        world_stop(&world);
}

static void test_revoked_memory_stays_with_its_owner(void **unused)
{
        struct client_report report;
        struct client *a, *root;
        uint64_t bytes, cursor = 0;

        (void)unused;
        start(4, "a", &a, &root);
        world_alloc(&world, a, world_request(PAGE));
        assert_int_equal(revoke(root, (struct selection){ .name = "a" }, &bytes), 0);
        assert_true(state_next_client(world.state, root, world.now_ns, &cursor, &report));
        assert_int_equal(report.id, client_id(a));
        assert_int_equal(report.bytes.quarantined, PAGE);
        assert_true(report.connected);
        /* It may ask again, and gets other memory. */
        assert_int_equal(world_first(world_alloc(&world, a, world_request(PAGE))),
                         4 * GiB - 3 * PAGE);
        world_stop(&world);
}

static void test_a_shared_frame_is_closed(void **unused)
{
        struct buffer *gone, *stays, *next;
        struct client *a, *root;
        uint64_t bytes;

        (void)unused;
        world_init(&world, 4);
        world.pools[0].reuse_delay_ns = NS_PER_S;
        world_start(&world);
        a = world_client(&world, 1000, "a");
        root = world_client(&world, 0, "root");
        gone = world_alloc(&world, a, world_request(4096));
        stays = world_alloc(&world, a, world_request(4096));
        world_show(&world, a, gone);

        assert_int_equal(revoke(root, (struct selection){ .buffer = world_id(gone) }, &bytes), 0);
        assert_int_equal(bytes, 4096);
        assert_int_equal(world_bytes(&world).granted, PAGE);
        /* Nothing more from there, neither the revoked memory nor what was free beside it... */
        next = world_alloc(&world, a, world_request(4096));
        assert_int_equal(world_first(next), 4 * GiB - PAGE - 4096);
        /* ... nor when the quarantine is over. */
        world_pass(&world, 6 * NS_PER_S);
        assert_int_equal(free_it(a, world_id(next)), 0);
        world_let_leave(&world);
        next = world_alloc(&world, a, world_request(4096));
        assert_true(world_first(next) < 4 * GiB - PAGE);
        /* The other buffer goes on, and takes the frame along, which is not kept for its owner. */
        assert_ptr_equal(client_buffer(a, world_id(stays)), stays);
        assert_int_equal(free_it(a, world_id(stays)), 0);
        assert_int_equal(world_bytes(&world).leaving, PAGE);
        world_let_leave(&world);
        assert_int_equal(world_bytes(&world).free, 3 * PAGE);
        world_stop(&world);
}

static void test_the_frame_waits_for_the_quarantine(void **unused)
{
        struct buffer *gone, *stays;
        struct client *a, *root;
        uint64_t bytes;

        (void)unused;
        start(4, "a", &a, &root);
        gone = world_alloc(&world, a, world_request(4096));
        stays = world_alloc(&world, a, world_request(4096));
        assert_int_equal(revoke(root, (struct selection){ .buffer = world_id(gone) }, &bytes), 0);
        assert_int_equal(free_it(a, world_id(stays)), 0);
        assert_int_equal(world_bytes(&world).quarantined, PAGE);
        world_pass(&world, 5 * NS_PER_S);
        assert_int_equal(world_bytes(&world).free, 4 * PAGE);
        world_stop(&world);
}

static const struct {
        const char *name;
        const char *client_name, *pool;
        bool buffer, client, other_client;
        int result;
        uint64_t bytes; /* of a's 4096 in "any" and 8192 in "low" and b's 4096 in "any" */
} select_cases[] = {
        { "nothing said", .result = PAR_REFUSED_INVALID },
        { "an unknown pool", .pool = "none", .result = PAR_REFUSED_INVALID },
        { "one buffer", .buffer = true, .bytes = 4096 },
        { "one buffer, the right client", .buffer = true, .client = true, .bytes = 4096 },
        { "one buffer, another client", .buffer = true, .other_client = true,
          .result = PAR_REFUSED_GONE },
        { "one buffer, another pool", .buffer = true, .pool = "low", .result = PAR_REFUSED_GONE },
        { "a client by number", .client = true, .bytes = 12288 },
        { "a client by name", .client_name = "a", .bytes = 12288 },
        { "an unknown name", .client_name = "c", .result = PAR_REFUSED_GONE },
        { "a pool", .pool = "any", .bytes = 8192 },
        { "a client's part of a pool", .pool = "low", .client = true, .bytes = 8192 },
        { "nobody's part of a pool", .pool = "low", .other_client = true,
          .result = PAR_REFUSED_GONE },
};

static void test_what_is_selected(void **unused)
{
        (void)unused;
        for (size_t i = 0; i < ARRAY_SIZE(select_cases); i++) {
                struct request low = world_request(8192);
                struct client *a, *b, *root;
                struct selection which;
                uint64_t bytes = 0;
                uint64_t id;

                print_message("%s\n", select_cases[i].name);
                world_init(&world, 4);
                world_add_pool(&world, "low", 0, GiB - 1, 4);
                world_start(&world);
                a = world_client(&world, 1000, "a");
                b = world_client(&world, 1001, "b");
                root = world_client(&world, 0, "root");
                low.pool = "low";
                id = world_id(world_alloc(&world, a, world_request(4096)));
                world_alloc(&world, a, low);
                world_alloc(&world, b, world_request(4096));

                which = (struct selection){ .name = select_cases[i].client_name,
                                            .pool = select_cases[i].pool };
                if (select_cases[i].buffer)
                        which.buffer = id;
                if (select_cases[i].client)
                        which.client = client_id(a);
                if (select_cases[i].other_client)
                        which.client = client_id(b);
                assert_int_equal(revoke(root, which, &bytes), select_cases[i].result);
                assert_int_equal(bytes, select_cases[i].bytes);
                /* What is revoked already is not a second time. */
                if (!select_cases[i].result)
                        assert_int_equal(revoke(root, which, &bytes), PAR_REFUSED_GONE);
                world_stop(&world);
        }
}

static void test_revoke_is_for_administrators(void **unused)
{
        struct identity member = {
                .uid = 1002, .gid = 1002, .groups = { 1002, 999 }, .n_groups = 2
        };
        struct client *a, *admin;
        struct buffer *buffer;
        uint64_t bytes;

        (void)unused;
        world_init(&world, 4);
        world_start(&world);
        a = world_client(&world, 1000, "a");
        buffer = world_alloc(&world, a, world_request(4096));
        assert_int_equal(revoke(a, (struct selection){ .buffer = world_id(buffer) }, &bytes),
                         PAR_REFUSED_DENIED);
        assert_ptr_equal(client_buffer(a, world_id(buffer)), buffer);
        assert_int_equal(
                client_new(world.state, &member, "admin", 77, &world, world.now_ns, &admin), 0);
        assert_true(client_is_admin(world.state, admin));
        assert_false(client_is_admin(world.state, a));
        assert_int_equal(revoke(admin, (struct selection){ .name = "a" }, &bytes), 0);
        world_stop(&world);
}

static void test_many_are_revoked_in_turns(void **unused)
{
        struct client *a, *root;
        uint64_t bytes, first;

        (void)unused;
        world_init(&world, 160);
        world.settings.max_buffers = 65536;
        world_start(&world);
        a = world_client(&world, 1000, "a");
        root = world_client(&world, 0, "root");
        first = world_id(world_alloc(&world, a, world_request(4096)));
        for (unsigned i = 1; i < 65536; i++)
                world_alloc(&world, a, world_request(4096));
        assert_int_equal(revoke(root, (struct selection){ .client = client_id(a) }, &bytes), 0);
        assert_int_equal(bytes, UINT64_C(65536) * 4096);
        assert_in_range(world.n_of_type[EVENT_REVOKED], 1, 4096); /* the others in later turns */
        /* All are gone at once for the client, told or not, and it may have as many again. */
        assert_null(client_buffer(a, first));
        assert_null(client_buffer(a, first + 65535));
        world_alloc(&world, a, world_request(4096));
        world_pass(&world, 0);
        assert_int_equal(world.n_of_type[EVENT_REVOKED], 65536);
        world_pass(&world, 5 * NS_PER_S);
        assert_int_equal(world_bytes(&world).granted + world_bytes(&world).free, 160 * PAGE);
        world_stop(&world);
}

static void test_a_revoked_client_ends(void **unused)
{
        static const struct {
                const char *name;
                bool orderly;
                uint64_t quarantined;
        } cases[] = {
                { "its devices are quiet", true, 0 },
                { "nobody knows what its devices do", false, 2 * PAGE },
        };

        (void)unused;
        for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
                struct client *a, *root;
                uint64_t bytes;

                print_message("%s\n", cases[i].name);
                world_init(&world, 8);
                world.settings.max_buffers = 5000;
                world_start(&world);
                a = world_client(&world, 1000, "a");
                root = world_client(&world, 0, "root");
                world_alloc(&world, a, world_request(2 * PAGE));
                for (unsigned n = 0; n < 2000; n++)
                        world_alloc(&world, a, world_request(4096));
                for (uint64_t id = 4; id < 1900; id++)
                        assert_int_equal(free_it(a, id), 0);
                /* In the middle of telling it. */
                assert_int_equal(revoke(root, (struct selection){ .buffer = 1 }, &bytes), 0);
                client_end(world.state, a, cases[i].orderly, world.now_ns);
                state_check(world.state);
                world_let_leave(&world);
                if (cases[i].orderly)
                        assert_int_equal(world_bytes(&world).free, 8 * PAGE);
                assert_in_range(world_bytes(&world).quarantined, cases[i].quarantined, 6 * PAGE);
                world_pass(&world, 5 * NS_PER_S);
                assert_int_equal(world_bytes(&world).free, 8 * PAGE);
                world_stop(&world);
        }
}

static void test_who_ends_is_told_no_more(void **unused)
{
        struct client *a, *root;
        uint64_t bytes;

        (void)unused;
        start_with_many(&a, &root);
        assert_int_equal(revoke(root, (struct selection){ .name = "a" }, &bytes), 0);
        assert_in_range(world.n_of_type[EVENT_REVOKED], 1, 4999);
        bytes = world.n_of_type[EVENT_REVOKED];
        client_end(world.state, a, false, world.now_ns);
        world_pass(&world, 0);
        assert_int_equal(world.n_of_type[EVENT_REVOKED], bytes);
        assert_int_equal(world_bytes(&world).quarantined, 10 * PAGE);
        world_pass(&world, 5 * NS_PER_S);
        assert_int_equal(world_bytes(&world).free, 16 * PAGE);
        world_stop(&world);
}

static void test_revoked_within_a_uid(void **unused)
{
        struct buffer *of_a, *of_b;
        struct client *a, *b, *root;
        uint64_t bytes;

        (void)unused;
        world_init(&world, 4);
        world.pools[0].isolation = ISOLATE_UID;
        world_start(&world);
        a = world_client(&world, 1000, "a");
        b = world_client(&world, 1000, "b");
        root = world_client(&world, 0, "root");
        of_a = world_alloc(&world, a, world_request(4096));
        of_b = world_alloc(&world, b, world_request(4096));
        assert_int_equal(revoke(root, (struct selection){ .client = client_id(a) }, &bytes), 0);
        assert_int_equal(bytes, 4096);
        assert_null(client_buffer(a, world_id(of_a)));
        assert_ptr_equal(client_buffer(b, world_id(of_b)), of_b);
        /* By the number of the uid's own row it is all of them. */
        world_alloc(&world, a, world_request(4096));
        assert_int_equal(revoke(root, (struct selection){ .client = client_id(a) + 1 }, &bytes), 0);
        assert_int_equal(bytes, 8192);
        world_pass(&world, 5 * NS_PER_S);
        assert_int_equal(world_bytes(&world).free, 4 * PAGE);
        world_stop(&world);
}

static void test_a_revoked_frame_moves(void **unused)
{
        struct client *a, *root;
        struct buffer *gone;
        uint64_t bytes;

        (void)unused;
        start(4, "a", &a, &root);
        gone = world_alloc(&world, a, world_request(4096));
        world_alloc(&world, a, world_request(4096));
        assert_int_equal(revoke(root, (struct selection){ .buffer = world_id(gone) }, &bytes), 0);
        state_frame_moved(world.state, world.frames[0].name, TiB, world.now_ns);
        assert_int_equal(world.n_of_type[EVENT_MOVED], 1); /* of the other buffer */
        assert_int_equal(world_bytes(&world).retired, PAGE);
        state_check(world.state);
        client_end(world.state, a, true, world.now_ns);
        state_check(world.state);
        assert_int_equal(world_bytes(&world).retired, 0);
        world_stop(&world);
}

/* ---- the end of a quarantine ---------------------------------------------------------------- */

static void test_release(void **unused)
{
        struct client *a, *b, *same, *root;
        uint64_t bytes = 0, first, old;

        (void)unused;
        world_init(&world, 4);
        world_start(&world);
        a = world_client(&world, 1000, "radio");
        first = world_id(world_alloc(&world, a, world_request(PAGE)));
        world_alloc(&world, a, world_request(2 * PAGE));
        old = client_id(a);
        client_end(world.state, a, false, world.now_ns);
        b = world_client(&world, 1001, "b");
        same = world_client(&world, 1000, "same");
        root = world_client(&world, 0, "root");

        assert_int_equal(release(b, (struct selection){ .pool = "any" }, &bytes),
                         PAR_REFUSED_DENIED);
        /* Whether there was somebody of that name is not for strangers to know. */
        assert_int_equal(release(b, (struct selection){ .name = "radio" }, &bytes),
                         PAR_REFUSED_GONE);
        assert_int_equal(release(b, (struct selection){ .name = "radio", .buffer = first }, &bytes),
                         PAR_REFUSED_GONE);
        assert_int_equal(release(b, (struct selection){ .buffer = first }, &bytes),
                         PAR_REFUSED_DENIED);
        assert_int_equal(release(same, (struct selection){ .name = "b" }, &bytes),
                         PAR_REFUSED_GONE);
        assert_int_equal(release(same, (struct selection){ 0 }, &bytes), PAR_REFUSED_INVALID);
        assert_int_equal(bytes, 0);
        assert_int_equal(world_bytes(&world).quarantined, 3 * PAGE);

        assert_int_equal(release(same, (struct selection){ .buffer = first }, &bytes), 0);
        assert_int_equal(bytes, PAGE);
        assert_int_equal(world_bytes(&world).quarantined, 2 * PAGE);
        assert_int_equal(release(root, (struct selection){ .client = old }, &bytes), 0);
        assert_int_equal(bytes, 2 * PAGE);
        assert_int_equal(release(root, (struct selection){ .client = old }, &bytes),
                         PAR_REFUSED_GONE);
        world_let_leave(&world);
        assert_int_equal(world_bytes(&world).free, 4 * PAGE);
        world_stop(&world);
}

static void test_release_of_what_was_revoked(void **unused)
{
        struct client *a, *root;
        uint64_t bytes;

        (void)unused;
        start_with_many(&a, &root);
        assert_int_equal(revoke(root, (struct selection){ .name = "a" }, &bytes), 0);
        /* While frames are still being told; the last of them, and then all. */
        assert_int_equal(release(root, (struct selection){ .buffer = 1 }, &bytes), 0);
        assert_int_equal(bytes, 4096);
        assert_int_equal(release(root, (struct selection){ .name = "a" }, &bytes), 0);
        assert_int_equal(bytes, 4999 * 4096);
        world_pass(&world, 0);
        assert_int_equal(world.n_of_type[EVENT_REVOKED], 5000);
        assert_int_equal(world_bytes(&world).free, 16 * PAGE);
        world_stop(&world);
}

static void test_release_of_what_a_former_worker_lent(void **unused)
{
        struct frame_news news = { .page_bytes = PAGE, .node = -1, .pinned = true, .lent = true };
        struct client *a, *root;
        uint64_t bytes;

        (void)unused;
        world_init(&world, 0);
        world_add_pool(&world, "low", 0, GiB - 1, 0);
        world_start(&world);
        for (uint32_t i = 0; i < 3000; i++) {
                news.name = (struct frame_name){ .slot = i, .generation = 7 };
                news.pool = i == 0;
                news.phys = i * PAGE;
                world.frames[i] = (struct world_frame){
                        .name = news.name, .pool = news.pool, .phys = news.phys, .held = true
                };
                assert_int_equal(state_frame_arrived(world.state, &news, world.now_ns), 0);
        }
        world.n_slots = 3000;
        a = world_client(&world, 1000, "a");
        root = world_client(&world, 0, "root");
        assert_int_equal(release(a, (struct selection){ .pool = "any" }, &bytes), PAR_REFUSED_GONE);
        assert_int_equal(release(root, (struct selection){ .pool = "any" }, &bytes), 0);
        assert_int_equal(bytes, 2999 * PAGE);
        assert_in_range(world_bytes(&world).leaving, PAGE, 2000 * PAGE); /* in turns */
        world_pass(&world, 0);
        assert_int_equal(world_bytes(&world).quarantined, PAGE);
        world_pass(&world, 5 * NS_PER_S);
        assert_int_equal(world_bytes(&world).quarantined, 0);
        world_stop(&world);
}

/* ---- whose is an address -------------------------------------------------------------------- */

static void test_lookup_of_a_buffer(void **unused)
{
        struct request want = world_request(PAGE + 4096);
        struct client *a, *b, *root;
        struct lookup_report found;
        struct buffer *buffer;

        (void)unused;
        world_init(&world, 4);
        world_start(&world);
        a = world_client(&world, 1000, "radio");
        b = world_client(&world, 1001, "b");
        root = world_client(&world, 0, "root");
        want.label = "ring";
        buffer = world_alloc(&world, a, want);

        state_lookup(world.state, root, world_first(buffer) + PAGE + 17, world.now_ns, &found);
        assert_true(found.held && found.has_buffer);
        assert_int_equal(found.buffer.id, world_id(buffer));
        assert_int_equal(found.offset, PAGE + 17);
        assert_string_equal(found.buffer.label, "ring");
        assert_string_equal(found.frame.state, "granted");
        assert_string_equal(found.frame.holder.client, "radio");
        assert_int_equal(found.n_former, 0);

        state_lookup(world.state, b, world_first(buffer), world.now_ns, &found);
        assert_true(found.has_buffer);
        assert_false(found.buffer.holder.known);
        assert_string_equal(found.buffer.label, "");
        assert_int_equal(found.offset, 0);

        /* Beside it, in its frame; in a free frame; where pard holds nothing. */
        state_lookup(world.state, root, world_first(buffer) + PAGE + 4096, world.now_ns, &found);
        assert_true(found.held && !found.has_buffer);
        state_lookup(world.state, root, 4 * GiB - 1, world.now_ns, &found);
        assert_true(found.held && !found.has_buffer);
        assert_string_equal(found.frame.state, "free");
        state_lookup(world.state, root, 4 * GiB, world.now_ns, &found);
        assert_false(found.held || found.has_buffer);
        state_lookup(world.state, root, UINT64_MAX, world.now_ns, &found);
        assert_false(found.held);
        world_stop(&world);
}

/* Every page of a frame that has several buffers, and gaps between them. */
static void test_lookup_among_many(void **unused)
{
        uint64_t owner[PAGE / 4096] = { 0 }, begin = 4 * GiB - PAGE;
        struct buffer *buffers[40];
        struct lookup_report found;
        struct client *a;

        (void)unused;
        world_init(&world, 1);
        world_start(&world);
        a = world_client(&world, 1000, "a");
        for (uint64_t i = 0; i < ARRAY_SIZE(buffers); i++)
                buffers[i] = world_alloc(&world, a, world_request((1 + i * 7 % 5) * 4096));
        for (uint64_t i = 0; i < ARRAY_SIZE(buffers); i++) {
                uint64_t at = (world_first(buffers[i]) - begin) / 4096;

                if (i % 3 == 0)
                        assert_int_equal(free_it(a, world_id(buffers[i])), 0);
                for (uint64_t n = 0; i % 3 && n < 1 + i * 7 % 5; n++)
                        owner[at + n] = world_id(buffers[i]);
        }
        for (size_t i = 0; i < ARRAY_SIZE(owner); i++) {
                state_lookup(world.state, a, begin + i * 4096 + 4095, world.now_ns, &found);
                assert_true(found.held);
                assert_int_equal(found.has_buffer, owner[i] != 0);
                assert_int_equal(found.has_buffer ? found.buffer.id : 0, owner[i]);
        }
        world_stop(&world);
}

static uint64_t use(struct client *client, const char *label)
{
        struct request want = world_request(PAGE);
        struct buffer *buffer;
        uint64_t phys;

        want.label = label;
        buffer = world_alloc(&world, client, want);
        phys = world_first(buffer);
        world.now_ns += NS_PER_S;
        assert_int_equal(free_it(client, world_id(buffer)), 0);
        world_let_leave(&world);
        return phys;
}

static void test_lookup_tells_who_had_it(void **unused)
{
        struct client *a, *b, *root;
        struct lookup_report found;
        uint64_t phys;

        (void)unused;
        world_init(&world, 1);
        world_start(&world);
        a = world_client(&world, 1000, "radio");
        b = world_client(&world, 1001, "bench");
        root = world_client(&world, 0, "root");
        phys = use(a, "ring");
        use(b, NULL);
        world.now_ns += 10 * NS_PER_S;

        state_lookup(world.state, root, phys + 5, world.now_ns, &found);
        assert_int_equal(found.n_former, 2);
        assert_string_equal(found.former[0].client, "bench");
        assert_string_equal(found.former[0].label, "");
        assert_int_equal(found.former[0].uid, 1001);
        assert_int_equal(found.former[0].age_ns, 10 * NS_PER_S);
        assert_string_equal(found.former[1].client, "radio");
        assert_string_equal(found.former[1].label, "ring");
        assert_int_equal(found.former[1].age_ns, 11 * NS_PER_S);

        state_lookup(world.state, b, phys, world.now_ns, &found);
        assert_int_equal(found.n_former, 2);
        assert_true(found.former[0].known && !found.former[1].known);
        assert_string_equal(found.former[1].client, "");
        assert_int_equal(found.former[1].uid, 0);

        /* The same client and label is one entry, the latest; the page may have gone meanwhile. */
        use(a, "ring");
        world.snatch = true;
        use(a, "tail");
        state_lookup(world.state, root, phys, world.now_ns, &found);
        assert_false(found.held);
        assert_int_equal(found.n_former, 3);
        assert_string_equal(found.former[0].label, "tail");
        assert_string_equal(found.former[1].label, "ring");
        assert_string_equal(found.former[2].client, "bench");
        world_stop(&world);
}

static void test_many_labels_do_not_hide_others(void **unused)
{
        struct lookup_report found;
        struct client *a, *b, *root;
        char label[8] = "0";
        uint64_t phys;

        (void)unused;
        world_init(&world, 1);
        world_start(&world);
        a = world_client(&world, 1000, "radio");
        b = world_client(&world, 1001, "bench");
        root = world_client(&world, 0, "root");
        phys = use(b, NULL);
        for (; label[0] <= '9'; label[0]++)
                use(a, label);
        state_lookup(world.state, root, phys, world.now_ns, &found);
        assert_int_equal(found.n_former, FORMER_HOLDERS_MAX);
        assert_string_equal(found.former[0].label, "9");
        assert_string_equal(found.former[1].label, "8");
        assert_string_equal(found.former[2].label, "7");
        assert_string_equal(found.former[3].client, "bench");
        world_stop(&world);
}

static void test_quarantine_counts_from_its_beginning(void **unused)
{
        struct lookup_report found;
        struct client *a, *root;
        uint64_t phys;

        (void)unused;
        start(1, "radio", &a, &root);
        phys = world_first(world_alloc(&world, a, world_request(PAGE)));
        client_end(world.state, a, false, world.now_ns);
        state_lookup(world.state, root, phys, world.now_ns, &found);
        assert_true(found.has_buffer);
        assert_string_equal(found.buffer.state, "quarantined");
        assert_int_equal(found.n_former, 0);
        world_pass(&world, 7 * NS_PER_S);
        state_lookup(world.state, root, phys, world.now_ns, &found);
        assert_false(found.has_buffer);
        assert_int_equal(found.n_former, 1);
        assert_int_equal(found.former[0].age_ns, 7 * NS_PER_S);
        world_stop(&world);
}

/* ---- the map -------------------------------------------------------------------------------- */

static void test_map_puts_together_what_is_alike(void **unused)
{
        static const struct {
                uint64_t first_page, pages, free_bytes;
                const char *state, *pool;
        } want[] = {
                { 0, 2, 2 * PAGE, "free", "low" },
                { 8, 1, 0, "quarantined", "any" },
                { 9, 2, PAGE - 4096, "granted", "any" },
                { 11, 1, PAGE, "free", "any" },
        };
        const uint64_t base = 4 * GiB - 12 * PAGE;
        struct request beside = world_request(4096);
        struct extent_report extent;
        struct client *a, *b;
        uint64_t cursor = 0;
        unsigned steps = 100;

        (void)unused;
        world_init(&world, 4);
        world_add_pool(&world, "low", base, base + 2 * PAGE - 1, 2);
        world_start(&world);
        a = world_client(&world, 1000, "a");
        b = world_client(&world, 1001, "b");
        world_alloc(&world, b, world_request(PAGE));
        client_end(world.state, b, false, world.now_ns);
        world_alloc(&world, a, world_request(PAGE));
        beside.want.window.last = base + 11 * PAGE - 1;
        world_alloc(&world, a, beside);

        for (size_t i = 0; i < ARRAY_SIZE(want); i++) {
                assert_true(state_next_extent(world.state, a, RANGE_ALL, NULL, &cursor, &steps,
                                              &extent));
                assert_int_equal(extent.range.first, base + want[i].first_page * PAGE);
                assert_int_equal(range_size(extent.range), want[i].pages * PAGE);
                assert_string_equal(extent.state, want[i].state);
                assert_string_equal(extent.pool, want[i].pool);
                assert_int_equal(extent.free_bytes, want[i].free_bytes);
                assert_int_equal(extent.page_bytes, PAGE);
        }
        assert_false(state_next_extent(world.state, a, RANGE_ALL, NULL, &cursor, &steps, &extent));
        assert_int_equal(steps, 100 - 6);
        world_stop(&world);
}

static void test_map_of_a_part(void **unused)
{
        struct range window = { 4 * GiB - 3 * PAGE + 1, 4 * GiB - PAGE - 1 };
        struct extent_report extent;
        uint64_t cursor = 0, bytes = 0;
        unsigned steps = 100;
        struct client *a;

        (void)unused;
        world_init(&world, 8);
        world_add_pool(&world, "low", 0, GiB - 1, 2);
        world_start(&world);
        a = world_client(&world, 1000, "a");
        assert_true(state_next_extent(world.state, a, window, NULL, &cursor, &steps, &extent));
        assert_int_equal(extent.range.first, 4 * GiB - 3 * PAGE);
        assert_int_equal(extent.range.last, 4 * GiB - PAGE - 1);
        assert_false(state_next_extent(world.state, a, window, NULL, &cursor, &steps, &extent));

        cursor = 0;
        assert_true(state_next_extent(world.state, a, RANGE_ALL, "low", &cursor, &steps, &extent));
        assert_int_equal(extent.range.last, GiB - 1);
        assert_false(state_next_extent(world.state, a, RANGE_ALL, "low", &cursor, &steps, &extent));

        /* Few steps at a time: cut, but nothing twice and nothing left out. */
        cursor = 0;
        do {
                steps = 3;
                while (state_next_extent(world.state, a, RANGE_ALL, NULL, &cursor, &steps, &extent))
                        bytes += range_size(extent.range);
        } while (!steps);
        assert_int_equal(bytes, 10 * PAGE);
        world_stop(&world);
}

/* ---- who waits, and what for ---------------------------------------------------------------- */

static void test_clients_tell_what_they_wait_for(void **unused)
{
        struct request first = world_request(3 * PAGE - 100), second = world_request(PAGE);
        struct client_report report;
        struct refusal refusal;
        uint64_t cursor = 0;
        struct client *a;

        (void)unused;
        world_init(&world, 4);
        world_start(&world);
        a = world_client(&world, 1000, "a");
        world_alloc(&world, a, world_request(4 * PAGE));
        assert_true(state_next_client(world.state, a, world.now_ns, &cursor, &report));
        assert_int_equal(report.waiting + report.waiting_ns + report.waiting_bytes, 0);
        assert_string_equal(report.waiting_for, "");

        first.want.window.last = 4 * GiB - 1;
        assert_int_equal(state_wait(world.state, a, &first, UINT64_MAX, 1, world.now_ns, &refusal),
                         0);
        world.now_ns += NS_PER_S;
        assert_int_equal(state_wait(world.state, a, &second, UINT64_MAX, 2, world.now_ns, &refusal),
                         0);
        cursor = 0;
        assert_true(state_next_client(world.state, a, world.now_ns, &cursor, &report));
        assert_int_equal(report.waiting, 2);
        assert_int_equal(report.waiting_ns, NS_PER_S + 1);
        assert_int_equal(report.waiting_bytes, 3 * PAGE);
        assert_string_equal(report.waiting_for, "6 MiB in one piece below 4 GiB");
        world_stop(&world);
}

/* ---- what would lengthen a run --------------------------------------------------------------- */

static const struct explanation *explain(struct client *client, struct request request)
{
        static struct explanation explanation;

        assert_int_equal(state_explain(world.state, client, &request, world.now_ns, &explanation),
                         0);
        return &explanation;
}

static void assert_longer(const struct explanation *explanation, const char *part)
{
        if (!strstr(explanation->longer, part))
                print_error("\"%s\" lacks \"%s\"\n", explanation->longer, part);
        assert_non_null(strstr(explanation->longer, part));
}

static void test_longer_tells_the_neighbours(void **unused)
{
        struct request want = world_request(8 * PAGE), small = world_request(4096);
        const struct explanation *explanation;
        struct buffer *kept[8];
        struct client *a, *b;

        (void)unused;
        world_init(&world, 8);
        world_start(&world);
        a = world_client(&world, 1000, "radio");
        b = world_client(&world, 1001, "b");

        explanation = explain(a, world_request(PAGE));
        assert_int_equal(explanation->result, 0);
        assert_int_equal(explanation->largest.first, 4 * GiB - 8 * PAGE);
        assert_int_equal(explanation->largest.last, 4 * GiB - 1);
        assert_string_equal(explanation->longer,
                            "16 MiB from 0xff000000 up: below it pard holds no memory, above it "
                            "pard holds no memory");

        small.want.window.last = 4 * GiB - PAGE - 1;
        for (size_t i = 0; i < 8; i++)
                kept[i] = world_alloc(&world, a, i == 6 ? small : world_request(PAGE));
        for (size_t i = 3; i < 6; i++) /* from the bottom up: the 4th to the 6th page */
                assert_int_equal(free_it(a, world_id(kept[i])), 0);
        world_let_leave(&world);
        explanation = explain(b, want);
        assert_int_equal(explanation->result, PAR_REFUSED_EXHAUSTED);
        assert_int_equal(explanation->largest.first, 4 * GiB - 5 * PAGE);
        assert_int_equal(range_size(explanation->largest), 3 * PAGE);
        assert_string_equal(explanation->longer,
                            "6 MiB from 0xff600000 up: below it lies buffer 3 (2 MiB), above it "
                            "lies what buffer 7 leaves of its page; with run_min = \"16M\" pool "
                            "any would take pages in such runs");
        /* What it has of a page is no part of it for the client either: see choice.c. */
        world.pools[0].run_min_bytes = 8 * PAGE;
        assert_string_equal(explain(a, want)->longer,
                            "6 MiB from 0xff600000 up: below it lies buffer 3 (2 MiB of radio), "
                            "above it lies what buffer 7 leaves of its page");
        want.want.window = (struct range){ 4 * GiB - 5 * PAGE, 4 * GiB - 4 * PAGE };
        want.want.size_bytes = PAGE;
        assert_longer(explain(b, want), "below it is the end of the window");
        client_end(world.state, a, false, world.now_ns);
        assert_longer(explain(b, world_request(PAGE)), "lies buffer 3 (2 MiB, in quarantine)");
        world_stop(&world);
}

static void test_longer_at_the_edges_of_pools(void **unused)
{
        struct request low = world_request(4096);
        const struct explanation *explanation;
        struct client *a, *b;

        (void)unused;
        world_init(&world, 2);
        world_add_pool(&world, "low", 4 * GiB - 4 * PAGE, 4 * GiB - 2 * PAGE - 1, 2);
        world_add_pool(&world, "kept", 0, GiB - 1, 1);
        world.pools[2].reuse_delay_ns = NS_PER_S;
        world_start(&world);
        a = world_client(&world, 1000, "a");
        low.pool = "low";
        assert_longer(explain(a, low), "below it is the end of pool low");
        assert_longer(explain(a, low), "above it is memory of pool any");

        low.pool = "any";
        low.want.size_bytes = 2 * PAGE;
        world_alloc(&world, a, low);
        explanation = explain(a, low);
        assert_true(explanation->largest.first > explanation->largest.last);
        assert_string_equal(explanation->longer, "");

        b = world_client(&world, 1001, "b");
        low.pool = "none";
        explanation = explain(b, low);
        assert_int_equal(explanation->result, PAR_REFUSED_INVALID);
        assert_string_equal(explanation->longer, "");
        world_stop(&world);
}

/* ---- counters ------------------------------------------------------------------------------- */

static void test_counters_count_refusals_by_reason(void **unused)
{
        struct state_counters counters;
        struct client *a, *b;
        struct buffer *buffer;
        struct refusal refusal;
        struct request huge = world_request(64 * PAGE), all = world_request(PAGE);

        (void)unused;
        world_init(&world, 1);
        world_start(&world);
        a = world_client(&world, 1000, "a");
        b = world_client(&world, 1001, "b");
        world_alloc(&world, a, all);
        assert_int_equal(state_alloc(world.state, b, &huge, world.now_ns, &buffer, &refusal),
                         PAR_REFUSED_NEVER_FITS);
        assert_int_equal(state_alloc(world.state, b, &all, world.now_ns, &buffer, &refusal),
                         PAR_REFUSED_EXHAUSTED);
        assert_int_equal(state_wait(world.state, b, &all, world.now_ns + NS_PER_S, 1, world.now_ns,
                                    &refusal),
                         0);
        world_pass(&world, NS_PER_S);
        state_counters(world.state, &counters);
        assert_int_equal(counters.refused[PAR_REFUSED_NEVER_FITS - PAR_REFUSED_FIRST], 1);
        assert_int_equal(counters.refused[PAR_REFUSED_EXHAUSTED - PAR_REFUSED_FIRST], 1);
        assert_int_equal(counters.refused[PAR_REFUSED_TIMED_OUT - PAR_REFUSED_FIRST], 1);
        assert_int_equal(counters.timed_out_waits, 1);
        assert_int_equal(counters.sessions, 2);
        client_end(world.state, b, true, world.now_ns);
        state_counters(world.state, &counters);
        assert_int_equal(counters.sessions, 2);
        world_stop(&world);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_revoked_memory_is_quarantined),
                cmocka_unit_test(test_revoked_memory_stays_with_its_owner),
                cmocka_unit_test(test_a_shared_frame_is_closed),
                cmocka_unit_test(test_the_frame_waits_for_the_quarantine),
                cmocka_unit_test(test_what_is_selected),
                cmocka_unit_test(test_revoke_is_for_administrators),
                cmocka_unit_test(test_many_are_revoked_in_turns),
                cmocka_unit_test(test_a_revoked_client_ends),
                cmocka_unit_test(test_who_ends_is_told_no_more),
                cmocka_unit_test(test_revoked_within_a_uid),
                cmocka_unit_test(test_a_revoked_frame_moves),
                cmocka_unit_test(test_release),
                cmocka_unit_test(test_release_of_what_was_revoked),
                cmocka_unit_test(test_release_of_what_a_former_worker_lent),
                cmocka_unit_test(test_lookup_of_a_buffer),
                cmocka_unit_test(test_lookup_among_many),
                cmocka_unit_test(test_lookup_tells_who_had_it),
                cmocka_unit_test(test_many_labels_do_not_hide_others),
                cmocka_unit_test(test_quarantine_counts_from_its_beginning),
                cmocka_unit_test(test_map_puts_together_what_is_alike),
                cmocka_unit_test(test_map_of_a_part),
                cmocka_unit_test(test_clients_tell_what_they_wait_for),
                cmocka_unit_test(test_longer_tells_the_neighbours),
                cmocka_unit_test(test_longer_at_the_edges_of_pools),
                cmocka_unit_test(test_counters_count_refusals_by_reason),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
