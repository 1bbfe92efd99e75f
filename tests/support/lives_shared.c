/* SPDX-License-Identifier: MIT */
#include "lives_shared.h"

#include "macros.h"
#include "result.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define PAGE (2 * MiB)

/* Uids of the clients: see lives.c. */
#define UID_FIRST 1000u
#define UIDS      2u

static const char *const names[] = { "", "a", "b", "c" };

/* Numbers of shared buffers that were seen last, and where they lie; and the token that was handed
 * out last. */
static struct {
        uint64_t id, first;
} seen[8];
static struct share_token token;
static uint64_t last_half;

void lives_shared_begin(void)
{
        for (size_t i = 0; i < ARRAY_SIZE(seen); i++)
                seen[i].id = 0;
        token = (struct share_token){ { 0, 0 } };
        last_half = 0;
}

/* A buffer does not move, whoever has it. */
static void note(const struct buffer *buffer)
{
        const uint64_t id = world_id(buffer), first = world_first(buffer);

        if (seen[id % ARRAY_SIZE(seen)].id == id)
                assert_int_equal(seen[id % ARRAY_SIZE(seen)].first, first);
        seen[id % ARRAY_SIZE(seen)].id = id;
        seen[id % ARRAY_SIZE(seen)].first = first;
}

static void make(struct world *world, struct client *client, lives_choose *choose)
{
        struct request request = world_request(4096 * (1 + choose(choose(4) ? 64 : 2500)));
        struct refusal refusal = { 0 };
        struct buffer *buffer;
        struct piece piece;
        int r;

        request.pool = choose(2) ? "any" : "uid";
        request.share.wanted = true;
        request.share.name = names[choose(ARRAY_SIZE(names))];
        request.share.lasting = choose(2);
        if (choose(2)) {
                request.share.allow[0] =
                        (struct principal){ choose(2), UID_FIRST + (uint32_t)choose(UIDS) };
                request.share.n_allow = 1;
        }
        r = state_alloc(world->state, client, &request, world->now_ns, &buffer, &refusal);
        assert_true(r >= 0 && (r == 0 || refusal.sentence[0]));
        if (r)
                return;
        buffer_piece(buffer, 0, &piece);
        assert_true(piece.zeroed && !piece.keep);
        if (choose(4))
                world_show(world, client, buffer);
        note(buffer);
}

static void open(struct world *world, struct client *client, lives_choose *choose)
{
        struct open_request request = { .uid = UID_FIRST + (uint32_t)choose(UIDS),
                                        .name = names[choose(ARRAY_SIZE(names))],
                                        .seq = (uint32_t)choose(50) };
        struct refusal refusal = { 0 };
        struct buffer *buffer;
        int r;

        if (choose(3) == 0)
                request.token = token;
        r = state_open(world->state, client, &request, world->now_ns, &buffer, &refusal);
        assert_true(r == 0 || r == PAR_REFUSED_GONE || r == PAR_REFUSED_BUSY ||
                    r == PAR_REFUSED_QUOTA);
        if (r)
                return;
        assert_ptr_equal(client_buffer(client, world_id(buffer)), buffer);
        if (choose(4))
                world_show(world, client, buffer);
        note(buffer);
}

static void pass_on(struct world *world, struct client *client, uint64_t id, lives_choose *choose)
{
        const struct share_token fresh = { { ++last_half, 1 } };
        struct refusal refusal = { 0 };
        int r;

        if (choose(3))
                r = state_share(world->state, client, id, &fresh, &token, &refusal);
        else
                r = state_unshare(world->state, client, id, &refusal);
        assert_true(r == 0 || r == PAR_REFUSED_GONE || r == PAR_REFUSED_DENIED);
        assert_int_equal(r == PAR_REFUSED_GONE, !client_buffer(client, id));
}

static void remove_name(struct world *world, struct client *client, uint32_t uid, const char *name)
{
        struct refusal refusal = { 0 };
        int r = state_remove(world->state, client, uid, name, world->now_ns, &refusal);

        assert_true(r == 0 || r == PAR_REFUSED_GONE || r == PAR_REFUSED_DENIED);
        if (!r)
                assert_int_equal(
                        state_remove(world->state, client, uid, name, world->now_ns, &refusal),
                        PAR_REFUSED_GONE);
}

static void give_back(struct world *world, struct client *client, uint64_t id)
{
        const bool is_there = client_buffer(client, id) != NULL;

        assert_int_equal(state_release(world->state, client, id, world->now_ns),
                         is_there ? 0 : PAR_REFUSED_GONE);
        assert_null(client_buffer(client, id));
}

void lives_shared_step(struct world *world, struct client *client, lives_choose *choose)
{
        const uint64_t id = seen[choose(ARRAY_SIZE(seen))].id;

        switch (choose(8)) {
        case 0:
        case 1: make(world, client, choose); return;
        case 2:
        case 3: open(world, client, choose); return;
        case 4: pass_on(world, client, id, choose); return;
        case 5:
                remove_name(world, client, UID_FIRST + (uint32_t)choose(UIDS),
                            names[choose(ARRAY_SIZE(names))]);
                return;
        default: give_back(world, client, id); return;
        }
}

void lives_shared_end(struct world *world, struct client *root)
{
        for (uint32_t uid = UID_FIRST; uid < UID_FIRST + UIDS; uid++)
                for (size_t i = 0; i < ARRAY_SIZE(names); i++)
                        remove_name(world, root, uid, names[i]);
}
