/* SPDX-License-Identifier: MIT */
/*
 * Who is told where memory lies. Pools that hide their addresses: who gets memory there, what he
 * learns, and what he leaves.
 */
#include "macros.h"
#include "result.h"
#include "world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define PAGE   (2 * MiB)
#define FRAMES 8u
#define OPEN   0u /* pool "any" */
#define HIDDEN 1u /* pool "blind", between 8 GiB and 16 GiB */
#define CLOSED 2u /* pool "closed", between 16 GiB and 24 GiB, where begin_closed() made it */

static struct world world;
static struct client *user, *other, *root;

static void begin(void)
{
        world_init(&world, FRAMES);
        world_add_pool(&world, "blind", 8 * GiB, 16 * GiB - 1, FRAMES);
        world.pools[HIDDEN].hidden = true;
        world.pools[HIDDEN].spill = true;
        world.devices[0] = (struct device_settings){
                .name = (char *)(uintptr_t) "capture0",
                .limits = { .window = { 0, UINT32_MAX }, .align_bytes = 1, .max_segments = 1 },
        };
        world.devices[1] = (struct device_settings){
                .name = (char *)(uintptr_t) "pi4",
                .limits = { .window = RANGE_ALL, .align_bytes = 1, .max_segments = 1 },
                .windows = { { { 8 * GiB, 9 * GiB - 1 }, 0 } },
                .n_windows = 1,
        };
        world.devices[2] = (struct device_settings){
                .name = (char *)(uintptr_t) "any0",
                .limits = { .window = RANGE_ALL, .align_bytes = 1, .max_segments = 1 },
        };
        world.settings.n_devices = 3;
        world_start(&world);
        user = world_client(&world, 1000, "user");
        other = world_client(&world, 2000, "other");
        root = world_client(&world, 0, "root");
}

static struct request hidden_request(uint64_t size)
{
        struct request request = world_request(size);

        request.pool = "blind";
        return request;
}

/* ---- who gets memory there ------------------------------------------------------------------ */

static const struct {
        const char *name;
        const char *pool, *device;
        struct constraint want; /* without a size; last 0: no limit */
        bool blind;
        int result;
        const char *granted; /* from this pool */
        const char *limit, *set_by;
} requests[] = {
        { "not named, and addresses wanted",
          NULL,
          NULL,
          { .max_segments = 1 },
          false,
          0,
          "any",
          NULL,
          NULL },
        { "not named, and too much for the other pool",
          NULL,
          NULL,
          { .size_bytes = FRAMES * PAGE + PAGE, .max_segments = SEGMENTS_ANY },
          false,
          PAR_REFUSED_NEVER_FITS,
          NULL,
          NULL,
          NULL },
        { "named", "blind", NULL, { .max_segments = 1 }, false, 0, "blind", NULL, NULL },
        { "named, for a device without limits",
          "blind",
          "any0",
          { .max_segments = 1 },
          false,
          0,
          "blind",
          NULL,
          NULL },
        { "named, aligned inside a page",
          "blind",
          NULL,
          { .align_bytes = PAGE },
          false,
          0,
          "blind",
          NULL,
          NULL },
        { "named, and an upper end",
          "blind",
          NULL,
          { .window = { 0, 9 * GiB - 1 } },
          false,
          PAR_REFUSED_DENIED,
          NULL,
          "addr_max",
          "the request" },
        { "named, and a lower end",
          "blind",
          NULL,
          { .window = { 9 * GiB, UINT64_MAX } },
          false,
          PAR_REFUSED_DENIED,
          NULL,
          "addr_min",
          "the request" },
        { "named, and a boundary",
          "blind",
          NULL,
          { .boundary_bytes = GiB },
          false,
          PAR_REFUSED_DENIED,
          NULL,
          "boundary",
          "the request" },
        { "named, aligned to more than a page",
          "blind",
          NULL,
          { .align_bytes = 2 * PAGE },
          false,
          PAR_REFUSED_DENIED,
          NULL,
          "align",
          "the request" },
        { "named, for a device with a limit",
          "blind",
          "capture0",
          { .max_segments = 1 },
          false,
          PAR_REFUSED_DENIED,
          NULL,
          "addr_max",
          "device capture0" },
        { "named, for a device behind a bus window",
          "blind",
          "pi4",
          { .max_segments = 1 },
          false,
          PAR_REFUSED_DENIED,
          NULL,
          "addr_max",
          "the bus windows of device pi4" },
        { "blind, and an upper end that only that pool is below",
          NULL,
          NULL,
          { .window = { 8 * GiB, 9 * GiB - 1 }, .max_segments = SEGMENTS_ANY },
          true,
          PAR_REFUSED_NEVER_FITS,
          NULL,
          NULL,
          NULL },
        { "blind, and too much for the other pool",
          NULL,
          NULL,
          { .size_bytes = FRAMES * PAGE, .max_segments = SEGMENTS_ANY },
          true,
          0,
          "blind",
          NULL,
          NULL },
};

static void test_who_gets_memory_there(void **unused)
{
        int failed = 0;

        (void)unused;
        for (size_t i = 0; i < ARRAY_SIZE(requests); i++) {
                struct request request = world_request(PAGE);
                struct refusal refusal = { 0 };
                struct buffer *buffer = NULL;
                struct buffer_view view = { 0 };
                int r;

                begin();
                /* One page less in the other pool. */
                world_alloc(&world, other, world_request(PAGE));
                request.want = requests[i].want;
                if (!request.want.size_bytes)
                        request.want.size_bytes = PAGE;
                if (!request.want.window.last)
                        request.want.window.last = UINT64_MAX;
                request.pool = requests[i].pool;
                request.device = requests[i].device;
                request.blind = requests[i].blind;
                r = state_alloc(world.state, user, &request, world.now_ns, &buffer, &refusal);
                if (!r)
                        buffer_view(buffer, &view);
                if (r != requests[i].result ||
                    (!r && strcmp(view.pool, requests[i].granted) != 0) ||
                    (requests[i].limit &&
                     strcmp(limit_name(refusal.limit), requests[i].limit) != 0) ||
                    (requests[i].set_by && strcmp(refusal.limit_set_by, requests[i].set_by) != 0)) {
                        print_error("%s: %d from %s (%s)\n", requests[i].name, r,
                                    view.pool ? view.pool : "no pool", refusal.sentence);
                        failed++;
                }
                if (!r)
                        assert_int_equal(view.hidden, strcmp(view.pool, "blind") == 0);
                world_stop(&world);
        }
        assert_int_equal(failed, 0);
}

static void test_scattered_pages_are_one_segment(void **unused)
{
        struct request request = hidden_request(PAGE);
        struct buffer *first, *second;
        struct buffer_view view;

        (void)unused;
        begin();
        first = world_alloc(&world, user, request);
        second = world_alloc(&world, user, request);
        (void)second;
        /* A hole, and the rest: no six pages are adjacent. */
        assert_int_equal(state_release(world.state, user, world_id(first), world.now_ns), 0);
        request.want.size_bytes = 7 * PAGE;
        world_pass(&world, 1);
        buffer_view(world_alloc(&world, user, request), &view);
        assert_int_equal(view.segment_count, 1);
        assert_int_equal(view.size_bytes, 7 * PAGE);
        world_stop(&world);
}

/* ---- what is told --------------------------------------------------------------------------- */

static unsigned frames_listed(const struct client *asker, const char *pool)
{
        unsigned n = 0, steps = 1000;
        struct frame_report report;
        uint64_t cursor = 0;

        while (state_next_frame(world.state, asker, RANGE_ALL, NULL, &cursor, &steps, &report))
                n += !strcmp(report.pool, pool);
        return n;
}

static unsigned extents_listed(const struct client *asker, const char *pool)
{
        unsigned n = 0, steps = 1000;
        struct extent_report report;
        uint64_t cursor = 0;

        while (state_next_extent(world.state, asker, RANGE_ALL, NULL, &cursor, &steps, &report))
                n += !strcmp(report.pool, pool);
        return n;
}

/* A list that stops must not tell by its cursor where it did. */
static void test_cursors_tell_nothing(void **unused)
{
        uint64_t cursor = 0, first = 0;

        (void)unused;
        begin();
        for (unsigned steps = 1; steps;) {
                struct frame_report report;

                steps = 1;
                if (!state_next_frame(world.state, user, RANGE_ALL, NULL, &cursor, &steps, &report))
                        break;
                first = report.phys;
                steps = 1;
        }
        assert_true(first > 0 && first < 4 * GiB);
        assert_true(cursor < 4 * GiB);
        world_stop(&world);
}

/* Return: whether he is told of something at this address, now or before. */
static bool finds(const struct client *asker, uint64_t phys)
{
        struct lookup_report report;

        state_lookup(world.state, asker, phys, world.now_ns, &report);
        return report.held || report.has_buffer || report.n_former;
}

static bool find_buffer(const struct client *asker, struct range window, uint64_t id,
                        struct buffer_report *ret)
{
        unsigned steps = 1000;
        uint64_t cursor = 0;

        while (state_next_buffer(world.state, asker, window, NULL, world.now_ns, &cursor, &steps,
                                 ret))
                if (ret->id == id)
                        return true;
        return false;
}

static void test_only_administrators_are_told_where(void **unused)
{
        struct buffer_report report;
        struct buffer *buffer;
        uint64_t phys, id;

        (void)unused;
        begin();
        buffer = world_alloc(&world, user, hidden_request(PAGE));
        phys = world_first(buffer);
        id = world_id(buffer);
        assert_in_range(phys, 8 * GiB, 16 * GiB - 1);

        assert_int_equal(frames_listed(user, "blind"), 0);
        assert_int_equal(frames_listed(root, "blind"), FRAMES);
        assert_int_equal(extents_listed(user, "blind"), 0);
        assert_in_range(extents_listed(root, "blind"), 1, FRAMES);
        assert_false(finds(user, phys));
        assert_true(finds(root, phys));

        assert_true(find_buffer(user, RANGE_ALL, id, &report));
        assert_true(report.hidden && !report.extent.first && !report.extent.last);
        assert_int_equal(report.segments, 0);
        assert_false(find_buffer(user, (struct range){ 0, UINT64_MAX - 1 }, id, &report));
        assert_false(find_buffer(user, range_of(phys, PAGE), id, &report));
        assert_true(find_buffer(root, range_of(phys, PAGE), id, &report));
        assert_true(!report.hidden && report.extent.first == phys);

        /* Nor later, of what he had there himself. */
        assert_int_equal(state_release(world.state, user, id, world.now_ns), 0);
        world_pass(&world, NS_PER_S);
        assert_false(finds(user, phys));
        assert_true(finds(root, phys));
        world_stop(&world);
}

static void explain(struct client *asker, const char *pool, struct explanation *ret)
{
        struct request request = world_request(PAGE);

        request.pool = pool;
        assert_int_equal(state_explain(world.state, asker, &request, world.now_ns, ret), 0);
}

static void test_explanations_tell_nothing(void **unused)
{
        struct explanation told;

        (void)unused;
        begin();
        explain(user, "blind", &told);
        assert_int_equal(told.result, 0);
        assert_int_equal(told.n_segments, 0);
        assert_true(told.largest.first > told.largest.last);
        assert_string_equal(told.longer, "");
        assert_null(strstr(told.refusal.sentence, "0x"));
        assert_non_null(strstr(told.refusal.sentence, "hides its addresses"));

        explain(root, "blind", &told);
        assert_true(told.n_segments == 1 && told.segments[0].first >= 8 * GiB);
        assert_true(told.largest.first >= 8 * GiB);
        world_stop(&world);
}

/* A free run of an open pool that ends where memory of the hidden one begins. */
static void test_what_is_beside_a_run_stays_hidden(void **unused)
{
        struct explanation told;

        (void)unused;
        begin();
        world.pools[OPEN].size_max_bytes = world.pools[HIDDEN].size_max_bytes = 4 * FRAMES * PAGE;
        world_arrive_at(&world, HIDDEN, 8 * GiB);
        world_arrive_at(&world, OPEN, 8 * GiB - PAGE);
        for (unsigned i = 1; i < FRAMES + 2; i++)
                world_arrive_at(&world, OPEN, 8 * GiB - PAGE - i * PAGE);
        explain(user, "any", &told);
        assert_int_equal(told.largest.last, 8 * GiB - 1);
        assert_null(strstr(told.longer, "pool blind"));
        assert_non_null(strstr(told.longer, "above it is no memory of pool any"));
        explain(root, "any", &told);
        assert_non_null(strstr(told.longer, "above it is memory of pool blind"));
        world_stop(&world);
}

/* ---- who may not use a pool ----------------------------------------------------------------- */

static void begin_closed(void)
{
        static struct principal allow[] = { { false, 2000 }, { true, 3000 } };

        world_init(&world, FRAMES);
        world_add_pool(&world, "blind", 8 * GiB, 16 * GiB - 1, FRAMES);
        world.pools[HIDDEN].hidden = true;
        world_add_pool(&world, "closed", 16 * GiB, 24 * GiB - 1, FRAMES);
        world.pools[CLOSED].allow = allow;
        world.pools[CLOSED].n_allow = ARRAY_SIZE(allow);
        world_start(&world);
        user = world_client(&world, 1000, "user");
        other = world_client(&world, 2000, "other");
        root = world_client(&world, 0, "root");
}

static const struct {
        const char *name;
        uint32_t uid;
        const char *pool;
        bool told;
} askers[] = {
        { "everybody may use it", 1000, "any", true },
        { "he is named", 2000, "closed", true },
        { "his group is named", 3000, "closed", true },
        { "neither is", 1000, "closed", false },
        { "a user with the number of a group", 2000, "any", true },
        { "an administrator", 0, "closed", true },
        { "everybody may use it, and it hides them", 1000, "blind", false },
        { "it hides them from the uid that has the buffer", 2000, "blind", false },
        { "but not from an administrator", 0, "blind", true },
};

/* Every way to ask, of a buffer that uid 2000 has in the pool. Return: how he was told otherwise
 * than he should be; NULL: he was not. */
static const char *ask_everywhere(const struct client *asker, const char *pool, bool told)
{
        struct request request = world_request(PAGE);
        struct buffer_report report;
        struct buffer *buffer;
        uint64_t phys, id;

        request.pool = pool;
        buffer = world_alloc(&world, other, request);
        phys = world_first(buffer);
        id = world_id(buffer);
        if (frames_listed(asker, pool) != (told ? FRAMES : 0))
                return "frames";
        if ((extents_listed(asker, pool) > 0) != told)
                return "map";
        if (finds(asker, phys) != told)
                return "lookup";
        if (!find_buffer(asker, RANGE_ALL, id, &report))
                return "buffers: it is not there";
        if (report.hidden == told || report.extent.first != (told ? phys : 0) ||
            !report.extent.last == told || !report.segments == told)
                return "buffers";
        if (find_buffer(asker, range_of(phys, PAGE), id, &report) != told)
                return "buffers in a window";
        assert_int_equal(state_release(world.state, other, id, world.now_ns), 0);
        world_pass(&world, NS_PER_S);
        return finds(asker, phys) != told ? "lookup of what was freed" : NULL;
}

static void test_who_is_told_where(void **unused)
{
        int failed = 0;

        (void)unused;
        for (size_t i = 0; i < ARRAY_SIZE(askers); i++) {
                const char *wrong;

                begin_closed();
                wrong = ask_everywhere(world_client(&world, askers[i].uid, "asker"), askers[i].pool,
                                       askers[i].told);
                if (wrong) {
                        print_error("%s: %s\n", askers[i].name, wrong);
                        failed++;
                }
                world_stop(&world);
        }
        assert_int_equal(failed, 0);
}

/* Frames of both pools, one beside another, a closed one first. */
static void interleave(unsigned pairs)
{
        world.pools[OPEN].size_max_bytes = world.pools[CLOSED].size_max_bytes = 4 * FRAMES * PAGE;
        for (unsigned i = 0; i < pairs; i++) {
                world_arrive_at(&world, CLOSED, 17 * GiB + 2 * i * PAGE);
                world_arrive_at(&world, OPEN, 17 * GiB + (2 * i + 1) * PAGE);
        }
}

/* Wherever a list stops, its cursor stands behind a row that was told. */
static void test_cursors_tell_nothing_of_closed_pools(void **unused)
{
        const struct range window = { 16 * GiB, UINT64_MAX };
        struct frame_report report = { 0 };
        uint64_t cursor = 0;
        unsigned n = 0;

        (void)unused;
        begin_closed();
        interleave(4);
        for (unsigned steps = 1;
             state_next_frame(world.state, user, window, NULL, &cursor, &steps, &report);
             steps = 1) {
                assert_string_equal(report.pool, "any");
                assert_int_equal(cursor, report.phys + 1);
                n++;
        }
        assert_int_equal(n, 4);
        assert_int_equal(cursor, report.phys + 1);
        world_stop(&world);
}

/* What is passed over is work, too. */
static void test_steps_count_pools_that_were_looked_into(void **unused)
{
        const struct range window = { 16 * GiB, UINT64_MAX };
        struct frame_report report;
        unsigned n = 0, steps = 5;
        uint64_t cursor = 0;

        (void)unused;
        begin_closed();
        interleave(8);
        while (state_next_frame(world.state, user, window, NULL, &cursor, &steps, &report))
                n++;
        assert_in_range(n, 1, 3);
        for (steps = 100;
             state_next_frame(world.state, user, window, NULL, &cursor, &steps, &report);)
                n++;
        assert_int_equal(n, 8);
        world_stop(&world);
}

static void test_explanations_tell_nothing_of_closed_pools(void **unused)
{
        struct explanation told;

        (void)unused;
        begin_closed();
        explain(user, "closed", &told);
        assert_int_equal(told.result, PAR_REFUSED_DENIED);
        assert_int_equal(told.n_segments, 0);
        assert_true(told.largest.first > told.largest.last);
        assert_string_equal(told.longer, "");
        assert_null(strstr(told.refusal.sentence, "0x"));
        explain(other, "closed", &told);
        assert_int_equal(told.n_segments, 1);

        /* A free run of the open pool that ends where memory of the closed one begins; another that
         * ends where nothing is. Who may not know cannot tell the one from the other. */
        world.pools[OPEN].size_max_bytes = world.pools[CLOSED].size_max_bytes = 4 * FRAMES * PAGE;
        world_arrive_at(&world, CLOSED, 20 * GiB);
        for (unsigned i = 1; i < FRAMES + 2; i++)
                world_arrive_at(&world, OPEN, 20 * GiB - i * PAGE);
        explain(user, "any", &told);
        assert_int_equal(told.largest.last, 20 * GiB - 1);
        assert_non_null(strstr(told.longer, "below it is no memory of pool any"));
        assert_non_null(strstr(told.longer, "above it is no memory of pool any"));
        explain(root, "any", &told);
        assert_non_null(strstr(told.longer, "below it pard holds no memory"));
        assert_non_null(strstr(told.longer, "above it is memory of pool closed"));
        world_stop(&world);
}

/* Who has a buffer was told where it lies, and learns of nothing beside it. */
static void test_what_one_has_is_told(void **unused)
{
        static struct principal nobody = { false, 4000 };
        struct refusal refusal = { 0 };
        struct request request = world_request(PAGE);
        struct buffer *made, *opened;
        struct buffer_report report;
        uint64_t phys, id;

        (void)unused;
        begin_closed();
        request.pool = "closed";
        request.share = (struct share_request){
                .wanted = true, .name = "ring", .n_allow = 1, .allow = { { false, 1000 } }
        };
        made = world_alloc(&world, other, request);
        phys = world_first(made);
        id = world_id(made);
        assert_false(finds(user, phys));
        assert_int_equal(state_open(world.state, user,
                                    &(struct open_request){ .uid = 2000, .name = "ring" },
                                    world.now_ns, &opened, &refusal),
                         0);
        assert_true(find_buffer(user, range_of(phys, PAGE), id, &report));
        assert_true(!report.hidden && report.extent.first == phys);
        assert_true(finds(user, phys));
        assert_int_equal(frames_listed(user, "closed"), 0);

        /* A reload takes the pool from who made it; that he has it still. */
        world.pools[CLOSED].allow = &nobody;
        world.pools[CLOSED].n_allow = 1;
        state_reconfigure(world.state, &world.settings, world.now_ns);
        assert_true(find_buffer(other, range_of(phys, PAGE), id, &report));
        assert_true(finds(other, phys));
        assert_int_equal(frames_listed(other, "closed"), 0);
        assert_int_equal(frames_listed(root, "closed"), FRAMES);
        world_stop(&world);
}

/* ---- what is left --------------------------------------------------------------------------- */

static void test_the_dead_leave_no_quarantine(void **unused)
{
        static const struct {
                const char *name;
                const char *pool;
                uint32_t uid;
                bool orderly;
                uint64_t quarantined, leaving;
        } cases[] = {
                { "it knew the addresses", "any", 1000, false, PAGE, 0 },
                { "it did not", "blind", 1000, false, 0, PAGE },
                { "it said that its devices are quiet", "blind", 1000, true, 0, PAGE },
                { "an administrator could have looked", "blind", 0, false, PAGE, 0 },
        };

        (void)unused;
        for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
                struct request request = world_request(PAGE);
                struct state_bytes bytes;
                struct client *client;

                begin();
                world.clumsy = true;
                client = world_client(&world, cases[i].uid, "driver");
                request.pool = cases[i].pool;
                world_alloc(&world, client, request);
                client_end(world.state, client, cases[i].orderly, world.now_ns);
                bytes = world_bytes(&world);
                if (bytes.quarantined != cases[i].quarantined || bytes.leaving != cases[i].leaving)
                        fail_msg("%s: %llu quarantined, %llu leaving", cases[i].name,
                                 (unsigned long long)bytes.quarantined,
                                 (unsigned long long)bytes.leaving);
                state_check(world.state);
                world_stop(&world);
        }
}

/* A device may still have the page through the container of the dead session: its uid's others get
 * no more of it. */
static void test_a_page_of_the_dead_is_not_used_in_place(void **unused)
{
        struct request request = hidden_request(4096);
        struct client *second;
        struct buffer *kept, *next;
        uint64_t page;

        (void)unused;
        begin();
        world_stop(&world);
        world_init(&world, FRAMES);
        world_add_pool(&world, "blind", 8 * GiB, 16 * GiB - 1, FRAMES);
        world.pools[HIDDEN].hidden = true;
        world.pools[HIDDEN].isolation = ISOLATE_UID;
        world.pools[HIDDEN].reuse_delay_ns = NS_PER_S;
        world.clumsy = true;
        world_start(&world);
        user = world_client(&world, 1000, "first");
        second = world_client(&world, 1000, "second");

        world_show(&world, user, world_alloc(&world, user, request));
        kept = world_alloc(&world, second, request);
        world_show(&world, second, kept);
        page = align_down(world_first(kept), PAGE);
        client_end(world.state, user, false, world.now_ns);
        assert_int_equal(world_bytes(&world).quarantined, 0);
        next = world_alloc(&world, second, request);
        assert_int_not_equal(align_down(world_first(next), PAGE), page);
        /* It goes with the last buffer in it, and is kept for nobody. */
        assert_int_equal(state_release(world.state, second, world_id(kept), world.now_ns), 0);
        assert_int_equal(world_bytes(&world).leaving, PAGE);
        world_stop(&world);
}

static void test_what_is_revoked_leaves_at_once(void **unused)
{
        struct selection which = { 0 };
        struct refusal refusal = { 0 };
        struct buffer *buffer;
        uint64_t bytes = 0;

        (void)unused;
        begin();
        world.clumsy = true;
        buffer = world_alloc(&world, user, hidden_request(PAGE));
        world_show(&world, user, buffer);
        which.buffer = world_id(buffer);
        assert_int_equal(state_revoke(world.state, root, &which, world.now_ns, &bytes, &refusal),
                         0);
        assert_int_equal(world.n_of_type[EVENT_REVOKED], 1);
        assert_int_equal(world_bytes(&world).quarantined, 0);
        assert_int_equal(world_bytes(&world).leaving, PAGE);
        world_stop(&world);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_who_gets_memory_there),
                cmocka_unit_test(test_scattered_pages_are_one_segment),
                cmocka_unit_test(test_cursors_tell_nothing),
                cmocka_unit_test(test_only_administrators_are_told_where),
                cmocka_unit_test(test_explanations_tell_nothing),
                cmocka_unit_test(test_what_is_beside_a_run_stays_hidden),
                cmocka_unit_test(test_who_is_told_where),
                cmocka_unit_test(test_cursors_tell_nothing_of_closed_pools),
                cmocka_unit_test(test_steps_count_pools_that_were_looked_into),
                cmocka_unit_test(test_explanations_tell_nothing_of_closed_pools),
                cmocka_unit_test(test_what_one_has_is_told),
                cmocka_unit_test(test_the_dead_leave_no_quarantine),
                cmocka_unit_test(test_a_page_of_the_dead_is_not_used_in_place),
                cmocka_unit_test(test_what_is_revoked_leaves_at_once),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
