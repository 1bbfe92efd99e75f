/* SPDX-License-Identifier: MIT */
/*
 * Owns two arrays. Whatever comes while the client does not read is merged into the one notice that
 * it gets when it does.
 */
#include "notice.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define ROOM_FIRST 16

void notice_deinit(struct notice *notice)
{
        free(notice->frames);
        free(notice->events);
        *notice = (struct notice){ 0 };
}

/* Return: the array with room for one more; NULL, and the old one is still there. */
static void *grown(void *array, size_t n, size_t *room, size_t size)
{
        size_t more = *room ? *room * 2 : ROOM_FIRST;

        if (n < *room)
                return array;
        array = reallocarray(array, more, size);
        if (array)
                *room = more;
        return array;
}

int notice_add_frame(struct notice *notice, struct frame_name frame)
{
        uint64_t *frames = grown(notice->frames, notice->n_frames, &notice->frames_room,
                                 sizeof(*notice->frames));

        if (!frames)
                return -ENOMEM;
        notice->frames = frames;
        notice->frames[notice->n_frames++] = frame_id(frame);
        return 0;
}

int notice_add_event(struct notice *notice, const struct notice_event *event)
{
        struct notice_event *events;

        if (notice->n_events == NOTICE_EVENTS_MAX)
                return -ENOBUFS;
        events = grown(notice->events, notice->n_events, &notice->events_room,
                       sizeof(*notice->events));
        if (!events)
                return -ENOMEM;
        notice->events = events;
        notice->events[notice->n_events++] = *event;
        return 0;
}

static size_t at_most(size_t n, size_t max)
{
        return n < max ? n : max;
}

void notice_fill(const struct notice *notice, struct notice_packet *ret)
{
        Wire__Notice *wire = &ret->wire;

        wire__packet__init(&ret->packet);
        wire__notice__init(wire);
        ret->packet.kind_case = WIRE__PACKET__KIND_NOTICE;
        ret->packet.notice = wire;

        wire->n_unneeded_frames = at_most(notice->n_frames, NOTICE_PACKET_FRAMES);
        wire->unneeded_frames = notice->frames;
        wire->n_events = at_most(notice->n_events, NOTICE_PACKET_EVENTS);
        wire->events = ret->event_pointers;
        for (size_t i = 0; i < wire->n_events; i++) {
                const struct notice_event *event = &notice->events[i];
                Wire__Event *to = &ret->events[i];

                wire__event__init(to);
                to->type = event->type;
                to->buffer = event->buffer;
                to->offset = event->offset;
                to->length = event->length;
                ret->event_pointers[i] = to;
        }
}

void notice_forget(struct notice *notice, const struct notice_packet *sent)
{
        size_t frames = sent->wire.n_unneeded_frames, events = sent->wire.n_events;

        if (frames) {
                notice->n_frames -= frames;
                memmove(notice->frames, notice->frames + frames,
                        notice->n_frames * sizeof(*notice->frames));
        }
        if (events) {
                notice->n_events -= events;
                memmove(notice->events, notice->events + events,
                        notice->n_events * sizeof(*notice->events));
        }
}
