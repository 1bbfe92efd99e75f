/* SPDX-License-Identifier: MIT */
/*
 * A whole worker with the real state, as administrators, users and strangers see it: who may ask
 * what, who learns what, and what comes of it.
 */
#include "worker_fixture.h"

#include "macros.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define PAGE      WORKER_PAGE_BYTES
#define ALL_BYTES ((64 + WORKER_LOW_PAGES) * PAGE)

static struct worker worker;

static int setup(void **state)
{
        (void)state;
        worker_start(&worker, NULL);
        return 0;
}

static int setup_admin(void **state)
{
        (void)state;
        worker_start(&worker, &(struct worker_options){ .admin_group = true, .more_pages = 16 });
        return 0;
}

static int teardown(void **state)
{
        (void)state;
        return worker_stop(&worker);
}

/* ---- requests ------------------------------------------------------------------------------- */

/* A request with its arguments, all of them in one table's row. */
struct question {
        Wire__Request__BodyCase body;
        const char *pool, *client_name;
        uint64_t size, addr_min, addr_max, buffer, client;
        bool end;
};

static uint32_t send_question(struct caller *caller, const struct question *question)
{
        Wire__Request request = WIRE__REQUEST__INIT;
        Wire__Resize resize = WIRE__RESIZE__INIT;
        Wire__Drain drain = WIRE__DRAIN__INIT;
        Wire__Selection selection = WIRE__SELECTION__INIT;
        Wire__Reload reload = WIRE__RELOAD__INIT;
        Wire__List list = WIRE__LIST__INIT;
        Wire__Lookup lookup = WIRE__LOOKUP__INIT;
        char *pool = (char *)(uintptr_t)(question->pool ? question->pool : "");
        char *name = (char *)(uintptr_t)(question->client_name ? question->client_name : "");

        resize.pool = drain.pool = selection.pool = list.pool = pool;
        resize.size = question->size;
        drain.addr_min = list.addr_min = question->addr_min;
        drain.addr_max = list.addr_max = question->addr_max;
        drain.end = question->end;
        selection.buffer = question->buffer;
        selection.client = question->client;
        selection.client_name = name;
        lookup.address = question->addr_min;
        request.body_case = question->body;
        switch (question->body) {
        case WIRE__REQUEST__BODY_RESIZE: request.resize = &resize; break;
        case WIRE__REQUEST__BODY_DRAIN: request.drain = &drain; break;
        case WIRE__REQUEST__BODY_REVOKE: request.revoke = &selection; break;
        case WIRE__REQUEST__BODY_RELEASE: request.release = &selection; break;
        case WIRE__REQUEST__BODY_RELOAD: request.reload = &reload; break;
        case WIRE__REQUEST__BODY_MAP: request.map = &list; break;
        case WIRE__REQUEST__BODY_LOOKUP: request.lookup = &lookup; break;
        default: fail_msg("%d is no request of this test", (int)question->body);
        }
        return caller_send(caller, &request);
}

static const Wire__Reply *ask(struct caller *caller, const struct question *question)
{
        return caller_reply(caller, send_question(caller, question));
}

#define ASK(caller, ...) ask(caller, &(struct question){ __VA_ARGS__ })

/* ---- who may ask ---------------------------------------------------------------------------- */

static const struct {
        const char *name;
        struct question question;
        uint32_t admin, others;
} role_cases[] = {
        { "resize",
          { .body = WIRE__REQUEST__BODY_RESIZE, .pool = "any", .size = 64 * PAGE },
          0,
          PAR_REFUSED_DENIED },
        { "resize of nothing",
          { .body = WIRE__REQUEST__BODY_RESIZE },
          PAR_REFUSED_INVALID,
          PAR_REFUSED_DENIED },
        { "drain",
          { .body = WIRE__REQUEST__BODY_DRAIN, .pool = "any", .addr_max = 4095 },
          0,
          PAR_REFUSED_DENIED },
        { "drain of everything",
          { .body = WIRE__REQUEST__BODY_DRAIN },
          PAR_REFUSED_INVALID,
          PAR_REFUSED_DENIED },
        { "the end of a drain",
          { .body = WIRE__REQUEST__BODY_DRAIN, .pool = "any", .end = true },
          0,
          PAR_REFUSED_DENIED },
        { "revoke of a buffer",
          { .body = WIRE__REQUEST__BODY_REVOKE, .buffer = 4711 },
          PAR_REFUSED_GONE,
          PAR_REFUSED_DENIED },
        { "revoke of a pool's",
          { .body = WIRE__REQUEST__BODY_REVOKE, .pool = "below4g" },
          PAR_REFUSED_GONE,
          PAR_REFUSED_DENIED },
        { "revoke of nothing",
          { .body = WIRE__REQUEST__BODY_REVOKE },
          PAR_REFUSED_INVALID,
          PAR_REFUSED_DENIED },
        { "release",
          { .body = WIRE__REQUEST__BODY_RELEASE, .client_name = "nobody" },
          PAR_REFUSED_GONE,
          PAR_REFUSED_GONE },
        { "release of nothing",
          { .body = WIRE__REQUEST__BODY_RELEASE },
          PAR_REFUSED_INVALID,
          PAR_REFUSED_INVALID },
        { "reload", { .body = WIRE__REQUEST__BODY_RELOAD }, 0, PAR_REFUSED_DENIED },
        { "map", { .body = WIRE__REQUEST__BODY_MAP }, 0, 0 },
        { "lookup", { .body = WIRE__REQUEST__BODY_LOOKUP }, 0, 0 },
};

/* What users cannot change, as far as a reply can tell it. */
struct picture {
        uint64_t held, granted, quarantined, buffers, goals[2], draining[2];
};

static struct picture picture_of(struct caller *caller)
{
        Wire__Request request = WIRE__REQUEST__INIT;
        Wire__List list = WIRE__LIST__INIT;
        const Wire__Status *status = caller_status(caller);
        struct picture picture = {
                .held = status->bytes->held,
                .granted = status->bytes->granted,
                .quarantined = status->bytes->quarantined,
                .buffers = status->buffers,
        };
        const Wire__PoolList *pools;

        request.body_case = WIRE__REQUEST__BODY_POOLS;
        request.pools = &list;
        pools = caller_ask(caller, &request)->pools;
        assert_int_equal(pools->n_pools, 2);
        for (size_t i = 0; i < 2; i++) {
                picture.goals[i] = pools->pools[i]->goal;
                picture.draining[i] = pools->pools[i]->draining;
        }
        return picture;
}

static void try_as(enum caller_role role, const char *role_name)
{
        static const struct fake_reload same = { .text = "changes 0" };
        struct picture before, after;
        struct caller caller;

        worker_start(&worker, &(struct worker_options){ .admin_group = role == CALLER_ADMIN });
        if (!caller_can_be(&worker, role)) {
                worker_stop(&worker);
                return;
        }
        fake_keeper_set_reload(worker.keeper, &same);
        caller_open_as(&worker, role, role_name, &caller);
        assert_int_equal(caller_alloc(&caller, 3 * PAGE, "any")->result, 0);
        assert_int_equal(caller_status(&caller)->admin, role == CALLER_ADMIN);
        before = picture_of(&caller);
        for (size_t i = 0; i < ARRAY_SIZE(role_cases); i++) {
                uint32_t result = ask(&caller, &role_cases[i].question)->result;

                if (result != (role == CALLER_ADMIN ? role_cases[i].admin : role_cases[i].others))
                        fail_msg("%s by a %s: %u", role_cases[i].name, role_name, result);
        }
        after = picture_of(&caller);
        assert_memory_equal(&before, &after, sizeof(before));
        assert_int_equal(fake_keeper_reloads(worker.keeper), role == CALLER_ADMIN);
        caller_close(&caller);
        assert_int_equal(worker_stop(&worker), 0);
}

static void test_who_may_ask(void **state)
{
        (void)state;
        try_as(CALLER_ADMIN, "admin");
        try_as(CALLER_USER, "user");
        try_as(CALLER_STRANGER, "stranger");
}

/* ---- what makes no sense -------------------------------------------------------------------- */

static const struct {
        const char *name;
        struct question question;
        uint32_t result;
} nonsense_cases[] = {
        { "resize below size_min",
          { .body = WIRE__REQUEST__BODY_RESIZE, .pool = "any", .size = 63 * PAGE },
          PAR_REFUSED_INVALID },
        { "resize to nothing",
          { .body = WIRE__REQUEST__BODY_RESIZE, .pool = "any" },
          PAR_REFUSED_INVALID },
        { "resize above size_max",
          { .body = WIRE__REQUEST__BODY_RESIZE, .pool = "any", .size = 80 * PAGE + 1 },
          PAR_REFUSED_INVALID },
        { "resize that wraps when rounded up",
          { .body = WIRE__REQUEST__BODY_RESIZE, .pool = "any", .size = UINT64_MAX },
          PAR_REFUSED_INVALID },
        { "resize of an unknown pool",
          { .body = WIRE__REQUEST__BODY_RESIZE, .pool = "nowhere", .size = 64 * PAGE },
          PAR_REFUSED_INVALID },
        { "resize of what is no name",
          { .body = WIRE__REQUEST__BODY_RESIZE, .pool = "\xff\xfe", .size = 64 * PAGE },
          PAR_REFUSED_INVALID },
        { "drain upside down",
          { .body = WIRE__REQUEST__BODY_DRAIN, .pool = "any", .addr_min = 8192, .addr_max = 4096 },
          PAR_REFUSED_INVALID },
        { "drain of an unknown pool",
          { .body = WIRE__REQUEST__BODY_DRAIN, .pool = "nowhere" },
          PAR_REFUSED_INVALID },
        { "drain of what is no name",
          { .body = WIRE__REQUEST__BODY_DRAIN, .pool = "\xc3(" },
          PAR_REFUSED_INVALID },
        { "the end of an unknown pool's drain",
          { .body = WIRE__REQUEST__BODY_DRAIN, .pool = "nowhere", .end = true },
          PAR_REFUSED_INVALID },
        { "revoke in an unknown pool",
          { .body = WIRE__REQUEST__BODY_REVOKE, .pool = "nowhere" },
          PAR_REFUSED_INVALID },
        { "revoke of what is no name",
          { .body = WIRE__REQUEST__BODY_REVOKE, .client_name = "\x80" },
          PAR_REFUSED_INVALID },
        { "revoke of what is no pool's name",
          { .body = WIRE__REQUEST__BODY_REVOKE, .pool = "\x80" },
          PAR_REFUSED_INVALID },
        { "revoke of a client that is not there",
          { .body = WIRE__REQUEST__BODY_REVOKE, .client = UINT64_MAX },
          PAR_REFUSED_GONE },
        { "revoke of a buffer that is not there",
          { .body = WIRE__REQUEST__BODY_REVOKE, .buffer = UINT64_MAX },
          PAR_REFUSED_GONE },
        { "revoke of another client's buffer by the wrong name",
          { .body = WIRE__REQUEST__BODY_REVOKE, .buffer = 1, .client_name = "another" },
          PAR_REFUSED_GONE },
        { "release in an unknown pool",
          { .body = WIRE__REQUEST__BODY_RELEASE, .pool = "nowhere" },
          PAR_REFUSED_INVALID },
        { "release of what is not in quarantine",
          { .body = WIRE__REQUEST__BODY_RELEASE, .buffer = 1 },
          PAR_REFUSED_GONE },
        { "map upside down",
          { .body = WIRE__REQUEST__BODY_MAP, .addr_min = 8192, .addr_max = 4096 },
          PAR_REFUSED_INVALID },
};

static void test_nonsense_is_refused(void **state)
{
        struct picture before, after;
        struct caller caller;

        (void)state;
        caller_open(&worker, "admin", &caller);
        assert_int_equal(caller_alloc(&caller, 3 * PAGE, "any")->alloc->buffer, 1);
        before = picture_of(&caller);
        for (size_t i = 0; i < ARRAY_SIZE(nonsense_cases); i++) {
                const Wire__Reply *reply = ask(&caller, &nonsense_cases[i].question);

                if (reply->result != nonsense_cases[i].result)
                        fail_msg("%s: %u", nonsense_cases[i].name, reply->result);
        }
        after = picture_of(&caller);
        assert_memory_equal(&before, &after, sizeof(before));
        caller_close(&caller);
}

/* ---- what comes of it ----------------------------------------------------------------------- */

/* The next event of this type. */
static const Wire__Event *expect_event(struct caller *caller, uint32_t type)
{
        for (;;) {
                assert_true(caller_receive(caller));
                if (caller->packet->kind_case != WIRE__PACKET__KIND_NOTICE)
                        continue;
                for (size_t i = 0; i < caller->packet->notice->n_events; i++)
                        if (caller->packet->notice->events[i]->type == type)
                                return caller->packet->notice->events[i];
        }
}

static void test_resize_grows_and_shrinks(void **state)
{
        const Wire__Reply *reply;
        struct caller caller;

        (void)state;
        caller_open(&worker, "admin", &caller);
        reply = ASK(&caller, WIRE__REQUEST__BODY_RESIZE, .pool = "any", .size = 70 * PAGE - 1);
        assert_int_equal(reply->result, 0);
        assert_int_equal(reply->resize->bytes, 70 * PAGE);
        caller_await(&caller, status_held, ALL_BYTES + 6 * PAGE);
        reply = ASK(&caller, WIRE__REQUEST__BODY_RESIZE, .pool = "any", .size = 64 * PAGE);
        assert_int_equal(reply->resize->bytes, 64 * PAGE);
        caller_await(&caller, status_held, ALL_BYTES);
        caller_close(&caller);
}

static void test_drain_tells_who_is_in_the_way(void **state)
{
        const Wire__Event *event;
        const Wire__Reply *reply;
        struct caller admin, user;
        uint64_t buffer;

        (void)state;
        caller_open(&worker, "admin", &admin);
        caller_open(&worker, "user", &user);
        buffer = caller_alloc(&user, 2 * PAGE, "below4g")->alloc->buffer;
        reply = ASK(&admin, WIRE__REQUEST__BODY_DRAIN, .pool = "below4g");
        assert_int_equal(reply->result, 0);
        assert_true(reply->drain->bytes >= 2 * PAGE); /* what was free is perhaps still leaving */
        event = expect_event(&user, EVENT_DRAINING);
        assert_int_equal(event->buffer, buffer);
        caller_await(&admin, status_held, ALL_BYTES - 2 * PAGE);
        reply = ASK(&admin, WIRE__REQUEST__BODY_DRAIN, .pool = "below4g");
        assert_int_equal(reply->drain->bytes, 2 * PAGE);
        reply = ASK(&admin, WIRE__REQUEST__BODY_MAP, .pool = "below4g");
        assert_int_equal(reply->map->n_extents, 1);
        assert_true(reply->map->extents[0]->draining);

        assert_int_equal(caller_free(&user, buffer)->result, 0);
        caller_close(&user);
        caller_await(&admin, status_held, ALL_BYTES - WORKER_LOW_PAGES * PAGE);
        reply = ASK(&admin, WIRE__REQUEST__BODY_DRAIN, .pool = "below4g");
        assert_int_equal(reply->drain->bytes, 0);
        assert_int_equal(
                ASK(&admin, WIRE__REQUEST__BODY_DRAIN, .pool = "below4g", .end = true)->result, 0);
        caller_await(&admin, status_free, ALL_BYTES);
        caller_close(&admin);
}

static void test_revoke_then_release(void **state)
{
        const Wire__Event *event;
        const Wire__Reply *reply;
        struct caller admin, user;
        uint64_t buffer;

        (void)state;
        worker_stop(&worker);
        worker_start(&worker, &(struct worker_options){ .admin_group = true, .clumsy = true });
        caller_open(&worker, "admin", &admin);
        caller_open(&worker, "user", &user);
        buffer = caller_alloc(&user, 2 * PAGE, "any")->alloc->buffer;
        reply = ASK(&admin, WIRE__REQUEST__BODY_REVOKE, .client_name = "user");
        assert_int_equal(reply->result, 0);
        assert_int_equal(reply->revoke->bytes, 2 * PAGE);
        event = expect_event(&user, EVENT_REVOKED);
        assert_int_equal(event->buffer, buffer);
        assert_int_equal(caller_free(&user, buffer)->result, PAR_REFUSED_GONE);
        reply = ASK(&admin, WIRE__REQUEST__BODY_REVOKE, .client_name = "user");
        assert_int_equal(reply->result, PAR_REFUSED_GONE);
        caller_close(&user);
        fake_keeper_let_go(worker.keeper);
        caller_await(&admin, status_free, ALL_BYTES);
        caller_close(&admin);
}

/* Quarantine that lasts, until somebody knows better. */
static void test_release_ends_a_quarantine(void **state)
{
        static const struct fake_reload for_ever = { .text = "quarantine 1000000" };
        const Wire__Reply *reply;
        struct caller admin, user;

        (void)state;
        caller_open(&worker, "admin", &admin);
        fake_keeper_tell_config(worker.keeper, &for_ever, false);
        fake_keeper_ping(worker.keeper);
        caller_open(&worker, "user", &user);
        assert_int_equal(caller_alloc(&user, 2 * PAGE, "any")->result, 0);
        caller_close(&user);
        caller_await(&admin, status_quarantined, 2 * PAGE);
        reply = ASK(&admin, WIRE__REQUEST__BODY_RELEASE, .client_name = "user");
        assert_int_equal(reply->result, 0);
        assert_int_equal(reply->release->bytes, 2 * PAGE);
        caller_await(&admin, status_free, ALL_BYTES);
        caller_close(&admin);
}

/* Everybody may release what is his own. */
static void test_release_of_somebody_elses(void **state)
{
        static const struct fake_reload for_ever = { .text = "quarantine 1000000" };
        struct caller user, stranger;

        (void)state;
        if (!caller_can_be(&worker, CALLER_STRANGER))
                skip();
        fake_keeper_tell_config(worker.keeper, &for_ever, false);
        fake_keeper_ping(worker.keeper);
        caller_open_as(&worker, CALLER_STRANGER, "stranger", &stranger);
        caller_open_as(&worker, CALLER_USER, "user", &user);
        assert_int_equal(caller_alloc(&user, 2 * PAGE, "any")->result, 0);
        caller_close(&user);
        caller_await(&stranger, status_quarantined, 2 * PAGE);
        assert_int_equal(ASK(&stranger, WIRE__REQUEST__BODY_RELEASE, .pool = "any")->result,
                         PAR_REFUSED_DENIED);
        /* Whether there was somebody of that name is not for strangers to know. */
        assert_int_equal(ASK(&stranger, WIRE__REQUEST__BODY_RELEASE, .client_name = "user")->result,
                         PAR_REFUSED_GONE);
        assert_int_equal(status_quarantined(caller_status(&stranger)), 2 * PAGE);
        caller_open_as(&worker, CALLER_USER, "user again", &user);
        assert_int_equal(
                ASK(&user, WIRE__REQUEST__BODY_RELEASE, .client_name = "user")->release->bytes,
                2 * PAGE);
        caller_close(&user);
        caller_close(&stranger);
}

/* ---- looking -------------------------------------------------------------------------------- */

static void test_map_adds_up(void **state)
{
        static const uint32_t limits[] = { 0, 1, 3 };
        struct caller caller;

        (void)state;
        caller_open(&worker, "map", &caller);
        assert_int_equal(caller_alloc(&caller, 3 * PAGE, "any")->result, 0);
        assert_int_equal(caller_alloc(&caller, 4096, "below4g")->result, 0);
        for (size_t i = 0; i < ARRAY_SIZE(limits); i++) {
                Wire__Request request = WIRE__REQUEST__INIT;
                Wire__List list = WIRE__LIST__INIT;
                uint64_t bytes = 0, granted = 0, unused = 0, last = 0;

                list.limit = limits[i];
                request.body_case = WIRE__REQUEST__BODY_MAP;
                request.map = &list;
                do {
                        const Wire__ExtentMap *map = caller_ask(&caller, &request)->map;

                        assert_non_null(map);
                        assert_true(!limits[i] || map->n_extents <= limits[i]);
                        for (size_t j = 0; j < map->n_extents; j++) {
                                const Wire__Extent *extent = map->extents[j];
                                uint64_t size = extent->last - extent->first + 1;

                                assert_true(!bytes || extent->first > last);
                                assert_int_equal(extent->page_size, PAGE);
                                assert_false(extent->draining);
                                last = extent->last;
                                bytes += size;
                                unused += extent->free;
                                if (strcmp(extent->state, "granted") == 0)
                                        granted += size;
                        }
                        list.cursor = map->next_cursor;
                } while (list.cursor);
                assert_int_equal(bytes, ALL_BYTES);
                assert_int_equal(granted, 4 * PAGE);
                assert_int_equal(unused, ALL_BYTES - 3 * PAGE - 4096);
        }
        assert_int_equal(ASK(&caller, WIRE__REQUEST__BODY_MAP, .pool = "nowhere")->map->n_extents,
                         0);
        assert_int_equal(ASK(&caller, WIRE__REQUEST__BODY_MAP, .addr_max = 4095)->map->n_extents,
                         0);
        caller_close(&caller);
}

static const Wire__Found *look_up(struct caller *caller, uint64_t address)
{
        const Wire__Reply *reply = ASK(caller, WIRE__REQUEST__BODY_LOOKUP, .addr_min = address);

        assert_int_equal(reply->result, 0);
        assert_non_null(reply->lookup);
        return reply->lookup;
}

static void test_lookup_finds_the_buffer(void **state)
{
        const Wire__Found *found;
        const Wire__Grant *grant;
        struct caller caller;
        uint64_t phys, buffer;

        (void)state;
        caller_open(&worker, "looks", &caller);
        grant = caller_alloc(&caller, 3 * PAGE, "any")->alloc;
        phys = grant->extents->segments[0]->phys;
        buffer = grant->buffer;

        found = look_up(&caller, phys + PAGE + 17);
        assert_true(found->held);
        assert_int_equal(found->frame->phys, phys + PAGE);
        assert_string_equal(found->frame->pool, "any");
        assert_string_equal(found->frame->state, "granted");
        assert_non_null(found->buffer);
        assert_int_equal(found->buffer->buffer, buffer);
        assert_int_equal(found->offset, PAGE + 17);
        assert_string_equal(found->buffer->client, "looks");
        assert_int_equal(found->n_former, 0);

        found = look_up(&caller, phys + 3 * PAGE);
        assert_true(found->held);
        assert_null(found->buffer);
        found = look_up(&caller, UINT64_MAX);
        assert_false(found->held);
        assert_null(found->frame);
        caller_close(&caller);
}

/* What others were called is for administrators. */
static void test_names_of_strangers_are_hidden(void **state)
{
        static const enum caller_role roles[] = { CALLER_ADMIN, CALLER_USER, CALLER_STRANGER };
        Wire__Request request = WIRE__REQUEST__INIT;
        Wire__List list = WIRE__LIST__INIT;
        Wire__Alloc alloc = WIRE__ALLOC__INIT;
        char label[] = "secret-label", pool[] = "any";
        struct caller user;
        uint64_t phys, buffer;

        (void)state;
        if (!caller_can_be(&worker, CALLER_STRANGER))
                skip();
        caller_open_as(&worker, CALLER_USER, "secret-name", &user);
        alloc.size = PAGE;
        alloc.pool = pool;
        alloc.label = label;
        request.body_case = WIRE__REQUEST__BODY_ALLOC;
        request.alloc = &alloc;
        buffer = caller_ask(&user, &request)->alloc->buffer;
        phys = user.packet->reply->alloc->extents->segments[0]->phys;

        for (int freed = 0; freed < 2; freed++) {
                for (size_t i = 0; i < ARRAY_SIZE(roles); i++) {
                        bool may_know = roles[i] != CALLER_STRANGER;
                        const Wire__Buffer *row;
                        const Wire__Found *found;
                        struct caller asker;

                        caller_open_as(&worker, roles[i], "asker", &asker);
                        found = look_up(&asker, phys);
                        if (freed) {
                                const Wire__FormerHolder *former;

                                assert_int_equal(found->n_former, 1);
                                former = found->former[0];
                                assert_int_equal(former->known, may_know);
                                assert_string_equal(former->client, may_know ? "secret-name" : "");
                                assert_string_equal(former->label, may_know ? label : "");
                                assert_int_equal(former->uid, may_know ? 65533 : 0);
                                caller_close(&asker);
                                continue;
                        }
                        assert_int_equal(found->buffer->buffer, buffer);
                        assert_int_equal(found->buffer->known, may_know);
                        assert_string_equal(found->buffer->client, may_know ? "secret-name" : "");
                        assert_string_equal(found->buffer->label, may_know ? label : "");
                        assert_string_equal(found->frame->client, may_know ? "secret-name" : "");
                        request.body_case = WIRE__REQUEST__BODY_BUFFERS;
                        request.buffers = &list;
                        row = caller_ask(&asker, &request)->buffers->buffers[0];
                        assert_string_equal(row->client, may_know ? "secret-name" : "");
                        assert_string_equal(row->label, may_know ? label : "");
                        caller_close(&asker);
                }
                if (!freed) {
                        assert_int_equal(caller_free(&user, buffer)->result, 0);
                        caller_close(&user);
                        caller_open(&worker, "watcher", &user);
                        caller_await(&user, status_free, ALL_BYTES);
                }
        }
        caller_close(&user);
}

/* ---- growing -------------------------------------------------------------------------------- */

/* A request that does not wait for others waits for the pool to grow. */
static void test_alloc_waits_for_growth(void **state)
{
        struct caller caller;
        const Wire__Grant *grant;
        uint32_t seq, count;

        (void)state;
        caller_open(&worker, "large", &caller);
        fake_keeper_hold_takes(worker.keeper);
        seq = caller_send_alloc(&caller, 70 * PAGE, "any", 0);
        count = fake_keeper_await_take(worker.keeper, 0);
        assert_true(count >= 6 && count <= 16);
        assert_int_equal(status_waiting(caller_status(&caller)), 1);
        fake_keeper_give(worker.keeper, 0, count, 0);
        fake_keeper_end_take(worker.keeper, 0, 0);
        grant = caller_reply(&caller, seq)->alloc;
        assert_non_null(grant);
        assert_int_equal(grant->size, 70 * PAGE);
        assert_int_equal(status_waiting(caller_status(&caller)), 0);
        caller_close(&caller);
}

static void test_alloc_is_told_where_nothing_grows(void **state)
{
        struct caller caller;
        uint32_t seq;

        (void)state;
        caller_open(&worker, "large", &caller);
        fake_keeper_hold_takes(worker.keeper);
        seq = caller_send_alloc(&caller, 70 * PAGE, "any", 0);
        fake_keeper_await_take(worker.keeper, 0);
        fake_keeper_give(worker.keeper, 0, 2, 128 * PAGE);
        fake_keeper_end_take(worker.keeper, 0, -ENOMEM);
        assert_int_equal(caller_reply(&caller, seq)->result, PAR_REFUSED_EXHAUSTED);
        assert_int_equal(status_waiting(caller_status(&caller)), 0);
        assert_int_equal(caller_status(&caller)->bytes->granted, 0);
        caller_close(&caller);
}

static void test_growing_can_be_cancelled(void **state)
{
        Wire__Request request = WIRE__REQUEST__INIT;
        Wire__Cancel cancel = WIRE__CANCEL__INIT;
        struct caller caller;
        uint32_t seq, asks;

        (void)state;
        caller_open(&worker, "large", &caller);
        fake_keeper_hold_takes(worker.keeper);
        seq = caller_send_alloc(&caller, 70 * PAGE, "any", 0);
        fake_keeper_await_take(worker.keeper, 0);
        cancel.seq = seq;
        request.body_case = WIRE__REQUEST__BODY_CANCEL;
        request.cancel = &cancel;
        asks = caller_send(&caller, &request);
        assert_int_equal(caller_reply(&caller, seq)->result, ECANCELED);
        assert_int_equal(caller_reply(&caller, asks)->result, 0);
        assert_int_equal(status_waiting(caller_status(&caller)), 0);
        caller_close(&caller);
}

/* What is taken only because an administrator wants more is put off for somebody who waits. */
static void test_a_take_makes_way_for_demand(void **state)
{
        Wire__Request request = WIRE__REQUEST__INIT;
        Wire__Alloc alloc = WIRE__ALLOC__INIT;
        struct caller caller;
        uint32_t seq, count;
        char pool[] = "any";

        (void)state;
        caller_open(&worker, "admin", &caller);
        fake_keeper_hold_takes(worker.keeper);
        assert_int_equal(
                ASK(&caller, WIRE__REQUEST__BODY_RESIZE, .pool = pool, .size = 66 * PAGE)->result,
                0);
        assert_int_equal(fake_keeper_await_take(worker.keeper, 0), 2);
        alloc.size = 72 * PAGE; /* in one piece */
        alloc.pool = pool;
        request.body_case = WIRE__REQUEST__BODY_ALLOC;
        request.alloc = &alloc;
        seq = caller_send(&caller, &request);
        do
                caller_status(&caller);
        while (!fake_keeper_cancels(worker.keeper));
        count = fake_keeper_await_take(worker.keeper, 0);
        assert_true(count >= 8);
        fake_keeper_give(worker.keeper, 0, count, 0);
        fake_keeper_end_take(worker.keeper, 0, 0);
        assert_int_equal(caller_reply(&caller, seq)->result, 0);
        assert_int_equal(fake_keeper_cancels(worker.keeper), 1);
        caller_close(&caller);
}

/* The progress of a take is there for everybody to see. */
static void test_pools_show_how_far_a_take_is(void **state)
{
        Wire__Request request = WIRE__REQUEST__INIT;
        Wire__List list = WIRE__LIST__INIT;
        struct caller caller, beside;
        const Wire__Pool *pool;
        uint32_t seq, count;

        (void)state;
        caller_open(&worker, "large", &caller);
        caller_open(&worker, "beside", &beside);
        fake_keeper_hold_takes(worker.keeper);
        seq = caller_send_alloc(&caller, 70 * PAGE, "any", -1);
        count = fake_keeper_await_take(worker.keeper, 0);
        fake_keeper_give(worker.keeper, 0, 2, 128 * PAGE);
        fake_keeper_ping(worker.keeper);
        request.body_case = WIRE__REQUEST__BODY_POOLS;
        request.pools = &list;
        pool = caller_ask(&beside, &request)->pools->pools[0];
        assert_int_equal(pool->taking, count * PAGE);
        assert_int_equal(pool->taken, 2 * PAGE);
        assert_int_equal(pool->held_aside, 128 * PAGE);
        assert_int_equal(pool->waiting, 1);
        assert_string_equal(pool->state, "harvesting");
        fake_keeper_give(worker.keeper, 0, count - 2, 0);
        fake_keeper_end_take(worker.keeper, 0, 0);
        assert_int_equal(caller_reply(&caller, seq)->result, 0);
        caller_close(&caller);
        caller_close(&beside);
}

static void test_explain_tells_the_largest_run(void **state)
{
        Wire__Request request = WIRE__REQUEST__INIT;
        Wire__Alloc alloc = WIRE__ALLOC__INIT;
        const Wire__Explanation *explanation;
        struct caller caller;

        (void)state;
        caller_open(&worker, "explain", &caller);
        alloc.size = 4096;
        request.body_case = WIRE__REQUEST__BODY_EXPLAIN;
        request.explain = &alloc;
        explanation = caller_ask(&caller, &request)->explain;
        assert_int_equal(explanation->largest_last - explanation->largest_first + 1, 64 * PAGE);

        assert_int_equal(caller_alloc(&caller, 64 * PAGE, "any")->result, 0);
        assert_int_equal(caller_alloc(&caller, WORKER_LOW_PAGES * PAGE, "below4g")->result, 0);
        explanation = caller_ask(&caller, &request)->explain;
        assert_int_equal(explanation->largest_first, 0);
        assert_int_equal(explanation->largest_last, 0);
        caller_close(&caller);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
#define TEST(name)  cmocka_unit_test_setup_teardown(name, setup, teardown)
#define ADMIN(name) cmocka_unit_test_setup_teardown(name, setup_admin, teardown)
                cmocka_unit_test(test_who_may_ask),
                ADMIN(test_nonsense_is_refused),
                ADMIN(test_resize_grows_and_shrinks),
                ADMIN(test_drain_tells_who_is_in_the_way),
                ADMIN(test_revoke_then_release),
                ADMIN(test_release_ends_a_quarantine),
                TEST(test_release_of_somebody_elses),
                TEST(test_map_adds_up),
                TEST(test_lookup_finds_the_buffer),
                TEST(test_names_of_strangers_are_hidden),
                ADMIN(test_alloc_waits_for_growth),
                ADMIN(test_alloc_is_told_where_nothing_grows),
                ADMIN(test_growing_can_be_cancelled),
                ADMIN(test_a_take_makes_way_for_demand),
                ADMIN(test_pools_show_how_far_a_take_is),
                TEST(test_explain_tells_the_largest_run),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
