/* SPDX-License-Identifier: MIT */
/*
 * Buffers whose memory is handed out by a descriptor of its own, a dma-buf, to whomever its client
 * likes. The frames learn of it: a place that somebody may still write to is granted to nobody any
 * more, not even to its owner, before the frame has been with the kernel.
 */
#include "refusal.h"
#include "state_private.h"

#include <inttypes.h>

void buffer_mark_exported(struct state *state, struct buffer *buffer)
{
        for (size_t i = 0; i < buffer->n_pieces; i++) {
                struct frame *frame = buffer->pieces[i].frame;

                frame->exported = true;
                ledger_export_frame(state->ledger, frame->name.slot);
        }
        buffer->n_exports++;
        ledger_export_buffer(state->ledger, buffer->record, buffer->n_exports);
}

int state_export(struct state *state, struct client *client, uint64_t id,
                 struct refusal *ret_refusal)
{
        struct buffer *buffer = client_buffer(client, id);

        if (!buffer)
                return refusal_set(ret_refusal, PAR_REFUSED_GONE, "no buffer %" PRIu64 " of yours",
                                   id);
        if (client_is_stranger(client, buffer))
                return refusal_set(ret_refusal, PAR_REFUSED_DENIED,
                                   "another uid made buffer %" PRIu64
                                   ", and alone says who else may have it",
                                   id);
        if (buffer->n_exports == BUFFER_EXPORTS_MAX)
                return refusal_set(ret_refusal, PAR_REFUSED_QUOTA,
                                   "buffer %" PRIu64 " was exported %u times, which is as often as "
                                   "it may be: duplicate a descriptor that you have",
                                   id, buffer->n_exports);
        buffer_mark_exported(state, buffer);
        state_check_after_change(state);
        return 0;
}

void state_unexport(struct client *client, uint64_t id)
{
        struct buffer *buffer = client_buffer(client, id);

        if (buffer && buffer->n_exports)
                buffer->n_exports--; /* its frames remember: they are not kept, which does no harm
                                      */
}
