/* SPDX-License-Identifier: MIT */
/*
 * Walks the invariants of shared buffers; see check.c.
 */
#undef NDEBUG /* to check is all that this file does */

#include "holder.h"
#include "holding.h"
#include "share.h"
#include "state_private.h"

static void check_frames(const struct share *share)
{
        for (size_t i = 0; i < share->buffer->n_pieces; i++) {
                const struct frame *frame = share->buffer->pieces[i].frame;

                assert(frame->n_pieces == 1 && frame->closed && !frame->n_ended);
        }
}

static void check_share(const struct share *share)
{
        const struct holding *holding = share->holding;
        const struct holder *holder;
        uint64_t n = 0, n_strangers = 0;

        assert(share->buffer->share == share && share->buffer->holding == holding);
        assert(holding->share == share && holding->n_buffers == 1 && !holding->client);
        assert(!due_is_set(&holding->due));
        assert(share->n_holders || share->lasting);
        assert(!share->lasting || *share->name);
        assert(!*share->name || share_named(share->state, share->uid->uid, share->name) == share);
        assert((!share->token.half[0] && !share->token.half[1]) ||
               share_of_token(share->state, &share->token) == share);
        LIST_FOREACH (holder, &share->holders, of_share) {
                assert(holder->share == share && holder_of(holder->client, share) == holder);
                n_strangers += holder->client->identity.uid != share->uid->uid;
                n++;
        }
        assert(n == share->n_holders && n_strangers == share->n_strangers);
        check_frames(share);
}

void shares_check(const struct state *state)
{
        const struct share *share;

        LIST_FOREACH (share, &state->shares, link)
                check_share(share);
}
