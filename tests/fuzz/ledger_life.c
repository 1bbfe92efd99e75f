/* SPDX-License-Identifier: MIT */
/* Owns what is remembered; the world is the caller's. */
#include "ledger_life.h"

#include "macros.h"
#include "result.h"
#include "state_private.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#define PAGE   (2 * MiB)
#define DEVICE 0x100u /* 0000:01:00.0 */

#define CHAIN_MAX   16
#define BUFFERS_MAX 64

/* ---- a life --------------------------------------------------------------------------------- */

static const uint32_t pages[] = { 24, 8, 8 };

static const char *const names[] = { "a", "b", NULL };

static uint32_t uid_of(unsigned who)
{
        return 1000 + who % 2;
}

static void begin_client(struct life *life, unsigned who)
{
        life->clients[who] = world_client(life->world, uid_of(who), "c");
        life->tokens[who] = life->world->last_token;
}

void life_begin(struct life *life, struct world *world, struct choices *choices, bool shares)
{
        uint32_t low, uid;

        *life = (struct life){ .world = world, .choices = choices, .shares = shares };
        world_init(world, pages[0]);
        low = world_add_pool(world, "low", 0, GiB - 1, pages[1]);
        uid = world_add_pool(world, "uid", 0, 3 * GiB - 1, pages[2]);
        world->pools[0].reuse_delay_ns = NS_PER_S;
        world->pools[low].spill = true;
        world->pools[uid].isolation = ISOLATE_UID;
        world->devices[0] = (struct device_settings){
                .name = (char *)(uintptr_t) "dma",
                .limits = { .window = RANGE_ALL, .align_bytes = 1, .max_segments = SEGMENTS_ANY },
                .pci = "0000:01:00.0",
                .facts = { .known = true, .dma_mask_bits = 48, .node = -1, .iommu_group = -1 },
        };
        world->settings.n_devices = 1;
        world->scatter = (uint32_t)choose(choices, 3);
        world->clumsy = true; /* nothing leaves unseen */
}

static void step_alloc(struct life *life, struct client *client)
{
        static const uint64_t sizes[] = { 4 * KiB, 64 * KiB, PAGE, PAGE + 4 * KiB, 5 * PAGE };
        struct choices *choices = life->choices;
        struct request request = world_request(sizes[choose(choices, ARRAY_SIZE(sizes))]);
        struct refusal refusal = { 0 };
        struct buffer *buffer;
        int r;

        request.want.max_segments = SEGMENTS_ANY;
        request.want.max_segment_bytes = choose_one_in(choices, 4) ? 64 * KiB : 0;
        request.pool = choose_one_in(choices, 3) ? "uid" : NULL;
        request.device = choose_one_in(choices, 4) ? "dma" : NULL;
        request.label = choose_one_in(choices, 4) ? "ring" : NULL;
        request.seq = (uint32_t)choose(choices, 8);
        if (life->shares && choose_one_in(choices, 3)) {
                request.share.wanted = true;
                request.share.name = names[choose(choices, ARRAY_SIZE(names))];
                request.share.lasting = request.share.name && choose(choices, 2);
                request.share.n_allow = choose(choices, 2);
                request.share.allow[0] = (struct principal){ false, uid_of(1) };
        }
        r = state_alloc(life->world->state, client, &request, life->world->now_ns, &buffer,
                        &refusal);
        assert_true(r >= 0);
        if (!r && choose(choices, 4))
                world_show(life->world, client, buffer);
}

/* Any buffer; most numbers are of some. */
static uint64_t some_buffer(struct life *life)
{
        return 1 + choose(life->choices, life->world->state->last_buffer + 1);
}

static void step_open(struct life *life, struct client *client)
{
        const struct open_request request = {
                .uid = uid_of((unsigned)choose(life->choices, 2)),
                .name = names[choose(life->choices, 2)],
                .seq = 9,
        };
        struct refusal refusal = { 0 };
        struct buffer *buffer;

        assert_true(state_open(life->world->state, client, &request, life->world->now_ns, &buffer,
                               &refusal) >= 0);
}

static void step_share(struct life *life, struct client *client)
{
        const struct share_token fresh = { { ++life->world->last_token, 7 } };
        struct share_token token;
        struct refusal refusal = { 0 };
        const uint64_t id = some_buffer(life);

        if (choose(life->choices, 4))
                assert_true(state_share(life->world->state, client, id, &fresh, &token, &refusal) >=
                            0);
        else
                assert_true(state_remove(life->world->state, client, 1000,
                                         names[choose(life->choices, 2)], life->world->now_ns,
                                         &refusal) >= 0);
}

static void step_revoke(struct life *life)
{
        const struct selection which = { .buffer = some_buffer(life) };
        struct refusal refusal = { 0 };
        uint64_t bytes;

        assert_true(state_revoke(life->world->state, life->root, &which, life->world->now_ns,
                                 &bytes, &refusal) >= 0);
}

static void step_end(struct life *life, unsigned who)
{
        client_end(life->world->state, life->clients[who], choose(life->choices, 2),
                   life->world->now_ns);
        life->clients[who] = NULL;
}

static void step(struct life *life)
{
        struct world *world = life->world;
        const unsigned who = (unsigned)choose(life->choices, LIFE_CLIENTS);
        struct refusal refusal = { 0 };

        if (!life->clients[who])
                begin_client(life, who);
        switch (choose(life->choices, 16)) {
        case 0: step_end(life, who); break;
        case 1: step_revoke(life); break;
        case 2: step_open(life, life->clients[who]); break;
        case 3: step_share(life, life->clients[who]); break;
        case 4:
                (void)state_export(world->state, life->clients[who], some_buffer(life), &refusal);
                break;
        case 5:
        case 6:
        case 7:
                (void)state_release(world->state, life->clients[who], some_buffer(life),
                                    world->now_ns);
                break;
        case 8: world_let_leave(world); break;
        case 9: world->now_ns += choose(life->choices, 2000) * NS_PER_MS; break;
        default: step_alloc(life, life->clients[who]); break;
        }
        if (state_next_due(world->state) <= world->now_ns)
                state_tick(world->state, world->now_ns);
        world_serve(world);
        state_check(world->state);
}

void life_go_on(struct life *life, unsigned steps)
{
        if (!life->root) {
                life->root = world_client(life->world, 0, "root");
                life->root_token = life->world->last_token;
        }
        for (unsigned i = 0; i < steps && !life->choices->over; i++)
                step(life);
}

void life_come_back(struct life *life)
{
        life->root = world_resume(life->world, 0, life->root_token);
        for (unsigned i = 0; i < LIFE_CLIENTS; i++)
                life->clients[i] = life->tokens[i]
                                           ? world_resume(life->world, uid_of(i), life->tokens[i])
                                           : NULL;
}

/* ---- its end -------------------------------------------------------------------------------- */

/* Whatever device the ledger names is quiet. */
static void see_devices(struct world *world)
{
        for (size_t i = 0; i < ARRAY_SIZE(world->watches) && world->watches[i].looks; i++)
                if (world->watches[i].on)
                        world_see(world, world->watches[i].device, SIGHT_QUIET);
}

void life_end(struct life *life)
{
        struct world *world = life->world;
        struct refusal refusal = { 0 };
        uint64_t bytes;

        if (!life->root)
                life->root = world_client(world, 0, "root");
        for (unsigned i = 0; i < LIFE_CLIENTS; i++)
                if (life->clients[i])
                        client_end(world->state, life->clients[i], true, world->now_ns);
        world->clumsy = false;
        world_pass(world, 100 * NS_PER_S);
        see_devices(world);
        for (size_t i = 0; i < world->settings.n_pools; i++) {
                const struct selection which = { .pool = world->pools[i].name };

                assert_true(state_revoke(world->state, life->root, &which, world->now_ns, &bytes,
                                         &refusal) >= 0);
                assert_true(state_end_quarantine(world->state, life->root, &which, world->now_ns,
                                                 &bytes, &refusal) >= 0);
        }
        world_pass(world, 100 * NS_PER_S);
        assert_int_equal(world_bytes(world).free, world_bytes(world).held);
        for (uint32_t i = 0; i < world->settings.n_pools; i++)
                assert_int_equal(world_pool(world, i).bytes.held, pages[i] * PAGE);
}

/* ---- what is remembered --------------------------------------------------------------------- */

/**
 * struct remembered_buffer - a granted buffer
 * @chain:    records of its extents, @n_chain
 * @likeness: a sum of all that its client was told
 */
struct remembered_buffer {
        uint32_t record, session, share, chain[CHAIN_MAX];
        size_t n_chain;
        uint64_t id, likeness;
};

struct remembered {
        struct remembered_buffer buffers[BUFFERS_MAX];
        size_t n_buffers;
        uint32_t sessions[LIFE_CLIENTS]; /* records of those that go on; LEDGER_NONE */
};

static uint64_t likeness(const struct buffer *buffer)
{
        struct buffer_view view;
        uint64_t sum;

        buffer_view(buffer, &view);
        sum = ledger_mix(ledger_mix(view.id, view.size_bytes), view.dma_offset);
        sum = ledger_mix(sum, view.segment_count);
        for (size_t i = 0; i < view.piece_count; i++) {
                struct piece piece;

                buffer_piece(buffer, i, &piece);
                sum = ledger_mix(ledger_mix(sum, piece.phys), piece.length_bytes);
                sum = ledger_mix(sum, frame_id(piece.frame));
        }
        return sum;
}

static bool remember_buffer(const struct life *life, uint32_t number, struct remembered_buffer *ret)
{
        const struct ledger *ledger = life->world->ledger;
        const struct ledger_buffer_record *record = ledger_buffer(ledger, number);
        uint32_t extent = record->extent;

        if (record->begin.word != LEDGER_GRANTED)
                return false;
        *ret = (struct remembered_buffer){ .record = number,
                                           .session = record->session,
                                           .share = record->share,
                                           .id = record->id };
        for (; extent != LEDGER_NONE; extent = ledger_extent(ledger, extent)->extent) {
                if (ret->n_chain == CHAIN_MAX)
                        return false;
                ret->chain[ret->n_chain++] = extent;
        }
        ret->likeness = likeness(state_buffer(life->world->state, record->id));
        return true;
}

static uint32_t session_of(const struct ledger *ledger, uint64_t token)
{
        for (uint32_t i = 0; i < ledger->head->used[LEDGER_SESSIONS]; i++) {
                const struct ledger_session_record *record = ledger_session(ledger, i);

                if (record->begin.word && record->token == token && !record->ended_ns)
                        return i;
        }
        return LEDGER_NONE;
}

struct remembered *life_remember(const struct life *life)
{
        struct remembered *remembered = calloc(1, sizeof(*remembered));
        const struct ledger *ledger = life->world->ledger;

        assert_non_null(remembered);
        for (uint32_t i = 0; i < ledger->head->used[LEDGER_BUFFERS]; i++)
                if (remembered->n_buffers < BUFFERS_MAX &&
                    remember_buffer(life, i, &remembered->buffers[remembered->n_buffers]))
                        remembered->n_buffers++;
        for (unsigned i = 0; i < LIFE_CLIENTS; i++)
                remembered->sessions[i] =
                        life->clients[i] ? session_of(ledger, life->tokens[i]) : LEDGER_NONE;
        return remembered;
}

/* ---- what is still so ----------------------------------------------------------------------- */

static bool is_unspoilt(const struct remembered_buffer *buffer, const struct spoil *spoil)
{
        for (size_t i = 0; i < buffer->n_chain; i++)
                if (spoil_touched(spoil, LEDGER_EXTENTS, buffer->chain[i]))
                        return false;
        /* Of what is shared the rest decides who still has it. */
        if (buffer->share != LEDGER_NONE &&
            (spoil_touched_any(spoil, LEDGER_SHARES) || spoil_touched_any(spoil, LEDGER_HOLDERS) ||
             spoil_touched_any(spoil, LEDGER_SESSIONS)))
                return false;
        return !spoil_touched(spoil, LEDGER_BUFFERS, buffer->record) &&
               !spoil_touched(spoil, LEDGER_SESSIONS, buffer->session);
}

void life_compare(const struct life *life, const struct remembered *remembered,
                  const struct spoil *spoil)
{
        for (size_t i = 0; i < remembered->n_buffers; i++) {
                const struct remembered_buffer *buffer = &remembered->buffers[i];
                const struct buffer *now = state_buffer(life->world->state, buffer->id);

                if (is_unspoilt(buffer, spoil))
                        assert_non_null(now);
                if (now)
                        assert_int_equal(likeness(now), buffer->likeness);
        }
        for (unsigned i = 0; i < LIFE_CLIENTS; i++)
                if (remembered->sessions[i] != LEDGER_NONE &&
                    !spoil_touched(spoil, LEDGER_SESSIONS, remembered->sessions[i]))
                        assert_non_null(life->clients[i]);
}
