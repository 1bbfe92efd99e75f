/* SPDX-License-Identifier: MIT */
/*
 * Frames that clients have seen: of which they were given a descriptor, and may have mapped.
 */
#include "client.h"

#include "state_private.h"
#include "tell.h"

#include <errno.h>
#include <stdlib.h>

static int shown_compare(const struct shown *a, const struct shown *b)
{
        if (a->frame == b->frame)
                return 0;
        return (uintptr_t)a->frame < (uintptr_t)b->frame ? -1 : 1;
}

TREE_GENERATE(shown_tree, shown, by_frame, shown_compare)

int client_shown(struct client *client, struct frame_name name)
{
        struct frame *frame = state_frame_named(client->state, name);
        struct shown *shown, key = { .frame = frame };

        assert(frame);

        if (RB_FIND(shown_tree, &client->shown, &key))
                return 1;
        shown = calloc(1, sizeof(*shown));
        if (!shown)
                return -ENOMEM;
        shown->client = client;
        shown->frame = frame;
        RB_INSERT(shown_tree, &client->shown, shown);
        LIST_INSERT_HEAD(&frame->shown, shown, link);
        return 0;
}

static void shown_free(struct shown *shown)
{
        RB_REMOVE(shown_tree, &shown->client->shown, shown);
        LIST_REMOVE(shown, link);
        free(shown);
}

bool client_unshow(struct client *client, const struct frame *frame)
{
        struct shown key = { .frame = (struct frame *)(uintptr_t)frame };
        struct shown *shown = RB_FIND(shown_tree, &client->shown, &key);

        if (!shown)
                return false;
        shown_free(shown);
        return true;
}

void frame_unshow_all(struct frame *frame)
{
        struct shown *shown, *next;

        LIST_FOREACH_SAFE (shown, &frame->shown, link, next)
                shown_free(shown);
}

/* Nobody has it any more: what was kept for its owner may go, what lingered may be gone. */
static void frame_let_go(struct state *state, struct frame *frame)
{
        if (frame->state == FRAME_LINGERING) {
                state->ops->nudge(state->data, frame->name);
                tell_lingering_later(state, frame);
        } else if (frame->state == FRAME_REUSABLE && LIST_EMPTY(&frame->shown)) {
                state_frame_leave(state, frame);
        }
}

void state_dropped(struct state *state, struct client *client, struct frame_name name,
                   uint64_t now_ns)
{
        struct frame *frame = state_frame_named(state, name);

        if (!frame || !client_unshow(client, frame))
                return;
        frame_let_go(state, frame);
        state_changed(state, now_ns);
}

/* What is shared has its frames to itself. */
static bool has_shared_frame(const struct client *client, const struct frame *frame)
{
        const struct buffer_piece *piece = frame_piece_from(frame, 0);

        return piece && piece->buffer->share && holder_of(client, piece->buffer->share);
}

int client_has_mapped(struct client *client, struct frame_name name)
{
        struct state *state = client->state;
        struct frame *frame = state_frame_named(state, name);
        const struct owner *owner;
        int r;

        if (!frame || !frame->account)
                return 0;
        owner = frame->account->owner;
        if (owner != client->session_owner && owner != client->uid_owner &&
            !has_shared_frame(client, frame))
                return 0;
        r = client_shown(client, name);
        if (r < 0)
                return r;
        if (frame->state == FRAME_LEAVING || frame->state == FRAME_LINGERING)
                state->ops->unneeded(state->data, client->data, name);
        return 0;
}

void client_forget_shown(struct client *client)
{
        struct shown *shown;

        while ((shown = RB_ROOT(&client->shown))) {
                struct frame *frame = shown->frame;

                shown_free(shown);
                frame_let_go(client->state, frame);
        }
}
