/* SPDX-License-Identifier: MIT */
#include "world.h"

#include "ledger.h"
#include "macros.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define PAGE (2 * MiB)

static void op_take(void *data, const struct take_wish *wish)
{
        struct world *world = data;

        assert_int_equal(world->want[wish->pool], 0); /* one at a time */
        assert_true(wish->count > 0 && wish->window.first <= wish->window.last);
        assert_true(range_contains(world->settings.pools[wish->pool].window, wish->window));
        world->want[wish->pool] = wish->count;
        world->wishes[wish->pool] = *wish;
        world->cancelled[wish->pool] = false;
        world->n_takes++;
}

static void op_cancel(void *data, uint32_t pool)
{
        struct world *world = data;

        assert_true(world->want[pool] > 0);
        world->cancelled[pool] = true;
}

static void op_filled(void *data)
{
        struct world *world = data;

        world->n_filled++;
}

static struct world_frame *frame_named(struct world *world, struct frame_name name)
{
        assert_in_range(name.slot, 0, world->n_slots - 1);
        assert_int_equal(world->frames[name.slot].name.generation, name.generation);
        return &world->frames[name.slot];
}

static void op_lend(void *data, struct frame_name name)
{
        frame_named(data, name)->lent = true;
}

static void op_leave(void *data, struct frame_name name, uint32_t pool, unsigned flags)
{
        struct world_frame *frame = frame_named(data, name);

        assert_true(frame->held);
        assert_int_equal(frame->pool, pool);
        frame->leaving = true;
        frame->flags = flags;
}

static void op_nudge(void *data, struct frame_name name)
{
        struct world *world = data;

        frame_named(world, name);
        world->n_nudges++;
}

struct world_watch *world_watch(struct world *world, uint32_t device)
{
        size_t i = 0;

        while (world->watches[i].looks && world->watches[i].device != device)
                assert_in_range(++i, 0, ARRAY_SIZE(world->watches) - 1);
        world->watches[i].device = device;
        return &world->watches[i];
}

static void op_watch(void *data, uint32_t device, uint32_t round)
{
        struct world_watch *watch = world_watch(data, device);

        watch->looks++;
        watch->round = round;
        watch->on = true;
}

static void op_unwatch(void *data, uint32_t device)
{
        struct world_watch *watch = world_watch(data, device);

        assert_true(watch->on);
        watch->on = false;
}

void world_see(struct world *world, uint32_t device, enum device_sight sight)
{
        struct world_watch *watch = world_watch(world, device);

        assert_true(watch->on);
        watch->on = sight != SIGHT_QUIET;
        state_device_seen(world->state, device, watch->round, sight, world->now_ns);
        world_pass(world, 0);
}

static void op_unneeded(void *data, void *client_data, struct frame_name name)
{
        struct world *world = data;

        assert_non_null(client_data);
        frame_named(world, name);
        world->n_unneeded++;
}

static void op_event(void *data, void *client_data, enum event_type type, uint64_t buffer,
                     uint64_t offset, uint64_t length)
{
        struct world *world = data;

        assert_non_null(client_data);
        assert_in_range(type, EVENT_MOVED, EVENT_LINGERING);
        assert_true((buffer || type == EVENT_LINGERING) && length && offset < GiB);
        world->n_events++;
        world->last_event = (struct world_event){ type, buffer, offset, length };
        world->n_of_type[type]++;
        world->last_event_buffer = buffer;
}

static void op_answer(void *data, void *client_data, uint64_t ticket, int r, struct buffer *buffer,
                      const struct refusal *refusal)
{
        struct world *world = data;
        struct world_answer *answer = &world->answers[world->n_answers++];
        struct buffer_view view = { 0 };

        assert_non_null(client_data);
        assert_in_range(world->n_answers, 1, ARRAY_SIZE(world->answers));
        assert_int_equal(!buffer, r != 0);
        if (buffer)
                buffer_view(buffer, &view);
        *answer = (struct world_answer){ .ticket = ticket, .r = r, .buffer = view.id };
        if (refusal)
                answer->refusal = *refusal;
}

static void op_log(void *data, int level, const struct log_fields *about, const char *message)
{
        struct world *world = data;

        (void)level;
        assert_non_null(about);
        snprintf(world->last_log, sizeof(world->last_log), "%s", message);
}

static const struct state_ops ops = {
        .take = op_take,
        .cancel = op_cancel,
        .filled = op_filled,
        .lend = op_lend,
        .leave = op_leave,
        .nudge = op_nudge,
        .watch = op_watch,
        .unwatch = op_unwatch,
        .unneeded = op_unneeded,
        .event = op_event,
        .answer = op_answer,
        .log = op_log,
};

uint32_t world_add_pool(struct world *world, const char *name, uint64_t first, uint64_t last,
                        unsigned frames)
{
        uint32_t index = (uint32_t)world->settings.n_pools++;

        assert_in_range(index, 0, ARRAY_SIZE(world->pools) - 1);
        world->pools[index] = (struct pool_settings){
                .name = (char *)(uintptr_t)name,
                .window = { first, last },
                .limited = first != 0 || last != UINT64_MAX,
                .page_bytes = PAGE,
                .node = -1,
                .size_min_bytes = frames * PAGE,
                .size_max_bytes = frames * PAGE,
                .quarantine_ns = 5 * NS_PER_S,
        };
        return index;
}

void world_init(struct world *world, unsigned frames)
{
        *world = (struct world){ .now_ns = 1000, .supply = UINT32_MAX };
        world->settings = (struct state_settings){
                .backend = "fake",
                .pools = world->pools,
                .devices = world->devices,
                .admin_group = 999,
                .max_buffers = 1000,
                .max_clients = 1000, /* those that never come back are awaited for a while */
                .max_waiting = 8,
        };
        world_add_pool(world, "any", 0, UINT64_MAX, frames);
}

/* @former: in whose place it was taken, or generation 0. */
static void tell_frame(struct world *world, const struct world_frame *frame,
                       struct frame_name former)
{
        const struct frame_news news = {
                .name = frame->name,
                .former = former,
                .pool = frame->pool,
                .page_bytes = PAGE,
                .phys = frame->phys,
                .node = (int)(frame->phys / GiB % 2),
                .pinned = true,
                .lent = frame->lent || frame->given_up,
                .given_up = frame->given_up,
        };

        assert_int_equal(state_frame_arrived(world->state, &news, world->now_ns), 0);
}

/* A frame in a slot: the first that is not in use. */
static void arrive(struct world *world, uint32_t pool, uint64_t phys, struct frame_name former)
{
        struct world_frame *frame = world->frames;

        while (frame->held)
                frame++;
        assert_true((size_t)(frame - world->frames) < WORLD_FRAMES_MAX);
        if ((uint32_t)(frame - world->frames) >= world->n_slots)
                world->n_slots = (uint32_t)(frame - world->frames) + 1;
        frame->name.slot = (uint32_t)(frame - world->frames);
        frame->name.generation++;
        frame->pool = pool;
        frame->phys = phys;
        frame->held = true;
        frame->leaving = frame->given_up = frame->lent = frame->moved = false;
        if (!world->unheard)
                tell_frame(world, frame, former);
}

void world_arrive_at(struct world *world, uint32_t pool, uint64_t phys)
{
        arrive(world, pool, phys, (struct frame_name){ 0 });
}

void world_move(struct world *world, struct frame_name name)
{
        frame_named(world, name)->moved = true;
        state_frame_moved(world->state, name, UINT64_MAX, world->now_ns);
}

static bool is_held(const struct world *world, uint64_t phys)
{
        for (uint32_t i = 0; i < world->n_slots; i++)
                if (world->frames[i].held && world->frames[i].phys == phys)
                        return true;
        return false;
}

/* The highest run of pages that nobody has, below *top, which moves there; "any" ends at 4 GiB. */
static bool find_run(const struct world *world, const struct take_wish *wish, uint64_t *top,
                     uint64_t *ret_first, uint64_t *ret_pages)
{
        uint64_t most = wish->run_bytes / PAGE > wish->count ? wish->run_bytes / PAGE : wish->count;
        uint64_t pages = 0;

        if (world->scatter && world->scatter < most)
                most = world->scatter;
        for (; pages < most && *top >= wish->window.first + PAGE; *top -= PAGE) {
                if (!is_held(world, *top - PAGE)) {
                        *ret_first = *top - PAGE;
                        pages++;
                } else if (pages) {
                        break;
                }
        }
        if (world->scatter && *top >= PAGE)
                *top -= PAGE;
        *ret_pages = pages;
        return pages > 0;
}

/* Return: how many arrived. */
static uint32_t arrive_of(struct world *world, const struct take_wish *wish, uint32_t most)
{
        uint64_t first, pages, top = wish->window.last;
        uint32_t got = 0;

        if (world->scatter && world->scatter * PAGE < wish->run_bytes)
                return 0; /* no run is that long */
        top = top != UINT64_MAX ? align_down(top + 1, PAGE) : 4 * GiB;
        while (got < most && find_run(world, wish, &top, &first, &pages))
                if (pages * PAGE >= wish->run_bytes)
                        for (; pages && got < most; got++)
                                world_arrive_at(world, wish->pool, first + --pages * PAGE);
        return got;
}

void world_arrive(struct world *world, uint32_t pool, uint32_t count)
{
        assert_int_equal(arrive_of(world, &world->wishes[pool], count), count);
}

uint32_t world_serve_take(struct world *world, uint32_t pool, uint32_t most, int r)
{
        struct take_wish wish = world->wishes[pool];
        uint32_t got;

        assert_true(world->want[pool] > 0);
        if (most > wish.count)
                most = wish.count;
        if (most > world->supply)
                most = world->supply;
        got = arrive_of(world, &wish, most);
        if (world->supply != UINT32_MAX)
                world->supply -= got;
        if (got < wish.count && !r)
                r = world->cancelled[pool] ? -ECANCELED : -ENOMEM;
        world->want[pool] = 0; /* not before: while pages arrive, more can be wished away */
        state_taken(world->state, pool,
                    &(struct take_result){ .got = got, .r = r, .seen = { 1, 0 } }, world->now_ns);
        return got;
}

void world_serve(struct world *world)
{
        for (unsigned rounds = 0; rounds < 16; rounds++)
                for (uint32_t i = 0; i < world->settings.n_pools; i++)
                        if (world->want[i])
                                world_serve_take(world, i, UINT32_MAX, 0);
}

static int open_ledger(struct world *world)
{
        return ledger_open(world->ledger_memory, WORLD_LEDGER_BYTES, WORLD_FRAMES_MAX,
                           &world->ledger);
}

void world_new(struct world *world)
{
        assert_int_equal(state_new(&world->settings, &ops, world, world->now_ns, &world->state), 0);
        if (!world->ledger_memory)
                world->ledger_memory = calloc(1, WORLD_LEDGER_BYTES);
        if (open_ledger(world) == -EPROTO) { /* as keeper_link does */
                memset(world->ledger_memory, 0, WORLD_LEDGER_BYTES);
                assert_int_equal(open_ledger(world), 0);
                world->ledger_lost = true;
        }
        if (world->ledger_lost)
                state_ledger_is_lost(world->state);
        world->ledger_lost = false;
        state_keep_in(world->state, world->ledger);
}

void world_start(struct world *world)
{
        world_new(world);
        assert_int_equal(state_start(world->state, world->now_ns), 0);
        world_serve(world);
        assert_true(world->n_filled > 0);
}

void world_stop(struct world *world)
{
        state_check(world->state);
        state_free(world->state);
        ledger_free(world->ledger);
        free(world->ledger_memory);
        world->ledger_memory = NULL;
}

/* Those that are held, or those that were given up, as the keeper does. */
static void tell_frames(struct world *world, bool given_up)
{
        for (uint32_t i = 0; i < world->n_slots; i++) {
                const struct world_frame *frame = &world->frames[i];

                if (!frame->held || frame->given_up != given_up)
                        continue;
                tell_frame(world, frame, (struct frame_name){ 0 });
                if (frame->moved)
                        state_frame_moved(world->state, frame->name, UINT64_MAX, world->now_ns);
        }
}

void world_restart(struct world *world)
{
        state_keep_in(world->state, NULL);
        state_free(world->state);
        ledger_free(world->ledger);
        memset(world->want, 0, sizeof(world->want));
        world->n_answers = 0;
        for (uint32_t i = 0; i < world->n_slots; i++) {
                world->frames[i].given_up = world->frames[i].leaving;
                world->frames[i].leaving = false;
        }
        world_new(world);
        tell_frames(world, false);
        tell_frames(world, true);
        if (world->slow_restart_ns) {
                world->now_ns += world->slow_restart_ns;
                state_tick(world->state, world->now_ns);
        }
        if (world->poison_at_restart.generation)
                state_frame_poisoned(world->state, world->poison_at_restart, world->now_ns);
        assert_int_equal(state_start(world->state, world->now_ns), 0);
        if (!world->clumsy)
                world_let_leave(world);
        if (!world->late)
                world_serve(world);
        state_check(world->state);
}

struct client *world_resume(struct world *world, uint32_t uid, uint64_t token)
{
        struct identity identity = { .uid = uid, .gid = uid, .pid = 5000 + uid };
        struct client *client = NULL;
        int r;

        r = client_resume(world->state, &identity, token, world, world->now_ns, &client);
        assert_true(r == 0 || r == PAR_REFUSED_GONE);
        return client;
}

void world_let_frame_leave(struct world *world, struct world_frame *frame)
{
        bool again = frame->flags & LEAVE_RETAKE && !world->snatch;

        assert_true(frame->held && frame->leaving);
        if (again)
                arrive(world, frame->pool, frame->phys, frame->name);
        frame->held = frame->leaving = false;
        state_frame_left(world->state, frame->name, !again, world->now_ns);
}

void world_let_leave(struct world *world)
{
        for (uint32_t i = 0; i < world->n_slots; i++)
                if (world->frames[i].held && world->frames[i].leaving)
                        world_let_frame_leave(world, &world->frames[i]);
}

void world_pass(struct world *world, uint64_t ns)
{
        uint64_t until = world->now_ns + ns, due;

        while ((due = state_next_due(world->state)) <= until) {
                if (due > world->now_ns)
                        world->now_ns = due;
                state_tick(world->state, world->now_ns);
                if (!world->late)
                        world_serve(world);
                if (!world->clumsy)
                        world_let_leave(world);
        }
        world->now_ns = until;
        state_tick(world->state, until);
        if (!world->clumsy)
                world_let_leave(world);
        if (!world->late)
                world_serve(world);
        state_check(world->state);
}

struct client *world_client(struct world *world, uint32_t uid, const char *name)
{
        struct identity identity = { .uid = uid, .gid = uid, .pid = 4000 + uid };
        struct client *client;

        assert_int_equal(client_new(world->state, &identity, name, ++world->last_token, world,
                                    world->now_ns, &client),
                         0);
        return client;
}

struct request world_request(uint64_t size)
{
        return (struct request){ .want = { .window = RANGE_ALL, .size_bytes = size } };
}

struct buffer *world_alloc(struct world *world, struct client *client, struct request request)
{
        struct refusal refusal = { 0 };
        struct buffer *buffer = NULL;
        int r;

        r = state_alloc(world->state, client, &request, world->now_ns, &buffer, &refusal);
        if (r)
                print_error("refused: %s\n", refusal.sentence);
        assert_int_equal(r, 0);
        return buffer;
}

void world_show(struct world *world, struct client *client, const struct buffer *buffer)
{
        struct buffer_view view;

        (void)world;
        buffer_view(buffer, &view);
        for (size_t i = 0; i < view.piece_count; i++) {
                struct piece piece;

                buffer_piece(buffer, i, &piece);
                assert_in_range(client_shown(client, piece.frame), 0, 1);
        }
}

uint64_t world_first(const struct buffer *buffer)
{
        struct segment_cursor cursor = { 0 };
        struct range segment;

        assert_true(buffer_next_segment(buffer, &cursor, &segment));
        return segment.first;
}

uint64_t world_id(const struct buffer *buffer)
{
        struct buffer_view view;

        buffer_view(buffer, &view);
        return view.id;
}

struct pool_report world_pool(const struct world *world, uint32_t pool)
{
        struct pool_report report = { 0 };
        uint64_t cursor = pool;

        assert_true(state_next_pool(world->state, NULL, &cursor, &report));
        return report;
}

int world_refused(struct world *world, struct client *client, struct request request,
                  struct refusal *refusal)
{
        struct state_bytes before = world_bytes(world), after;
        struct buffer *buffer = NULL;
        int r;

        r = state_alloc(world->state, client, &request, world->now_ns, &buffer, refusal);
        after = world_bytes(world);
        assert_true(r > 0 && !buffer);
        assert_int_equal(r, refusal->result);
        assert_memory_equal(&before, &after, sizeof(before));
        assert_true(refusal->sentence[0]);
        return r;
}

int world_ask(struct world *world, struct client *client, struct request request, uint64_t ticket,
              struct refusal *refusal)
{
        int r = world_refused(world, client, request, refusal);

        if (refusal->growing)
                r = state_wait(world->state, client, &request, WAIT_FOR_GROWTH, ticket,
                               world->now_ns, refusal);
        return r;
}

struct state_bytes world_bytes(const struct world *world)
{
        struct status_report report;

        state_report(world->state, world->now_ns, &report);
        return report.bytes;
}
