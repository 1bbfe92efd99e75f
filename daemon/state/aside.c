/* SPDX-License-Identifier: MIT */
/*
 * Where a part of the ledger does not check, any frame without a buffer may be one whose buffer was
 * not believed: a client has it mapped, and a device may write to it. No time makes that safe, so
 * it waits in quarantine for an administrator, charged to nobody, over further deaths of workers.
 *
 * Refuses to touch what is on its way out: of that no buffer was left.
 */
#include "aside.h"

#include "account.h"
#include "ledger.h"
#include "pool.h"
#include "state_private.h"

void aside_keep(struct state *state, struct frame *frame)
{
        assert(frame->state == FRAME_QUARANTINED && !frame->account);

        due_cancel(&state->dues, &frame->due);
        frame->aside = true;
}

/* It was charged to whoever has had it before. */
static void uncharge(struct state *state, struct frame *frame)
{
        struct owner *owner = frame->account->owner;

        if (frame->divided)
                node_spaces_clear(&frame->account->partial, frame->node, frame_range(frame));
        frame_end_parts(frame);
        frame_discharge(frame);
        frame_set_state(frame, FRAME_QUARANTINED);
        LIST_INSERT_HEAD(&frame->pool->orphans, frame, charged);
        frame->pool->n_orphans++;
        state_owner_settle(state, owner);
}

static bool is_on_its_way_out(const struct frame *frame)
{
        return frame->given_up || frame->state == FRAME_LEAVING || frame->state == FRAME_LINGERING;
}

uint64_t aside_put_all(struct state *state)
{
        uint64_t n = 0;

        for (size_t i = 0; i < state->n_slots; i++) {
                struct frame *frame = state->slots[i];

                if (!frame || !frame->lent || is_on_its_way_out(frame))
                        continue;
                if (frame->n_pieces) {
                        if (!frame->closed)
                                state_frame_close(state, frame);
                        continue;
                }
                if (frame->account)
                        uncharge(state, frame);
                aside_keep(state, frame);
                ledger_put_aside(state->ledger, frame->name.slot, frame->name.generation);
                n++;
        }
        return n;
}
