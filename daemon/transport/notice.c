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

static void merge(struct notice_event *told, const struct notice_event *more)
{
        uint64_t end = told->offset + told->length, more_end = more->offset + more->length;

        if (more->offset < told->offset)
                told->offset = more->offset;
        told->length = (more_end > end ? more_end : end) - told->offset;
}

int notice_add_event(struct notice *notice, const struct notice_event *event)
{
        struct notice_event *events, *last = NULL;

        if (!event->buffer) {
                notice->n_own += !notice->own[event->type].type;
                notice->own[event->type] = *event;
                return 0;
        }
        if (notice->first_event < notice->n_events)
                last = &notice->events[notice->n_events - 1];
        if (last && last->type == event->type && last->buffer == event->buffer) {
                merge(last, event);
                return 0;
        }
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

static void put_event(struct notice_packet *packet, const struct notice_event *event)
{
        size_t n = packet->wire.n_events++;
        Wire__Event *to = &packet->events[n];

        wire__event__init(to);
        to->type = event->type;
        to->buffer = event->buffer;
        to->offset = event->offset;
        to->length = event->length;
        packet->event_pointers[n] = to;
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
        wire->events = ret->event_pointers;
        for (size_t i = 0; i < NOTICE_OWN_TYPES; i++)
                if (notice->own[i].type)
                        put_event(ret, &notice->own[i]);
        ret->n_own = wire->n_events;
        for (size_t i = notice->first_event;
             i < notice->n_events && wire->n_events < NOTICE_PACKET_EVENTS; i++)
                put_event(ret, &notice->events[i]);
}

/* They may be many, so they are not moved up for each packet. */
static void forget_events(struct notice *notice, size_t n)
{
        notice->first_event += n;
        if (notice->first_event < notice->n_events)
                return;
        free(notice->events);
        notice->events = NULL;
        notice->first_event = notice->n_events = notice->events_room = 0;
}

void notice_forget(struct notice *notice, const struct notice_packet *sent)
{
        size_t frames = sent->wire.n_unneeded_frames;

        if (frames) {
                notice->n_frames -= frames;
                memmove(notice->frames, notice->frames + frames,
                        notice->n_frames * sizeof(*notice->frames));
        }
        if (sent->n_own) {
                memset(notice->own, 0, sizeof(notice->own));
                notice->n_own = 0;
        }
        if (notice->n_events)
                forget_events(notice, sent->wire.n_events - sent->n_own);
}
