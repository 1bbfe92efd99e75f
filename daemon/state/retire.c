/* SPDX-License-Identifier: MIT */
/*
 * Frames that are no longer what was promised: their page moved, was punched out, or failed.
 * Nothing more is granted of them, their holders are told, and they leave with their last buffer.
 */
#include "holder.h"
#include "state_private.h"

#include <syslog.h>

void state_frame_end_service(struct frame *frame)
{
        if (!frame->in_service)
                return;
        frame_remove_from(frame, &frame->pool->all);
        frame->in_service = false;
}

/* Out of service, with the buffers that are in it: their memory may not be used again. */
static void retire(struct state *state, struct frame *frame)
{
        state_frame_end_service(frame);
        if (!frame->closed)
                state_frame_close(state, frame);
        frame_set_state(frame, FRAME_RETIRED);
}

static void tell_holders(struct state *state, const struct frame *frame, enum event_type type)
{
        const struct buffer_piece *piece;

        for (piece = frame_piece_from(frame, 0); piece; piece = frame_piece_next(piece)) {
                const struct buffer *buffer = piece->buffer;

                buffer_tell(state, buffer, type, buffer_offset(buffer, piece->phys),
                            piece->length_bytes);
        }
}

static struct log_fields about_frame(const struct frame *frame)
{
        return (struct log_fields){
                .pool = frame->pool->settings->name,
                .has_frame = true,
                .frame = frame->phys,
        };
}

static void log_moved(struct state *state, const struct frame *frame, uint64_t phys)
{
        struct log_fields about = about_frame(frame);

        if (phys == UINT64_MAX)
                state_log(state, LOG_WARNING, &about,
                          "frame 0x%llx of pool %s was punched out by its holder",
                          (unsigned long long)frame->phys, frame->pool->settings->name);
        else
                state_log(state, LOG_ERR, &about, "frame 0x%llx of pool %s moved to 0x%llx",
                          (unsigned long long)frame->phys, frame->pool->settings->name,
                          (unsigned long long)phys);
}

/* What is told of a frame before it is known whose it is is dealt with after that. */
static bool is_put_off(const struct state *state, const struct frame *frame)
{
        return state->restoring && frame->lent;
}

void state_frame_moved(struct state *state, struct frame_name name, uint64_t phys, uint64_t now_ns)
{
        struct frame *frame = state_frame_named(state, name);

        if (!frame || frame->state == FRAME_LEAVING || frame->state == FRAME_LINGERING ||
            frame->state == FRAME_RETIRED)
                return;

        if (is_put_off(state, frame)) {
                frame->put_off = FRAME_MOVED;
                frame->moved_to = phys;
                state_frame_end_service(frame); /* another one may be there */
                return;
        }
        if (frame->lent)
                ledger_lose_frame(state->ledger, frame->name.slot);
        state->counters.moved++;
        frame->fault = phys == UINT64_MAX ? FRAME_PUNCHED : FRAME_MOVED;
        log_moved(state, frame, phys);
        if (frame->state == FRAME_FREE) {
                state_frame_give_back(state, frame);
        } else if (!frame->n_pieces) {
                state_frame_leave(state, frame);
        } else {
                retire(state, frame);
                tell_holders(state, frame, EVENT_MOVED);
        }
        state_changed(state, now_ns);
}

void state_frame_poisoned(struct state *state, struct frame_name name, uint64_t now_ns)
{
        struct frame *frame = state_frame_named(state, name);
        struct log_fields about;

        if (!frame || frame->fault == FRAME_POISONED)
                return;
        if (is_put_off(state, frame)) {
                frame->put_off = FRAME_POISONED;
                return;
        }

        state->counters.poisoned++;
        frame->fault = FRAME_POISONED;
        about = about_frame(frame);
        state_log(state, LOG_ERR, &about, "frame 0x%llx of pool %s: its memory has failed",
                  (unsigned long long)frame->phys, frame->pool->settings->name);

        state_frame_end_service(frame);
        switch (frame->state) {
        case FRAME_FREE: state_frame_give_back(state, frame); break;
        case FRAME_GRANTED:
        case FRAME_REUSABLE:
        case FRAME_QUARANTINED:
        case FRAME_RETIRED:
                if (!frame->n_pieces) {
                        state_frame_leave(state, frame);
                        break;
                }
                if (frame->state != FRAME_RETIRED)
                        retire(state, frame);
                tell_holders(state, frame, EVENT_POISONED);
                break;
        case FRAME_LEAVING:
        case FRAME_LINGERING:
        case FRAME_STATES: break;
        }
        state_changed(state, now_ns);
}

void state_frame_catch_up(struct state *state, struct frame *frame, uint64_t now_ns)
{
        enum frame_fault fault = frame->put_off;

        frame->put_off = FRAME_SOUND;
        if (fault == FRAME_MOVED)
                state_frame_moved(state, frame->name, frame->moved_to, now_ns);
        else if (fault == FRAME_POISONED)
                state_frame_poisoned(state, frame->name, now_ns);
}
