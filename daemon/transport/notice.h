/* SPDX-License-Identifier: MIT */
/*
 * What a client must be told without having asked, until it can be told.
 */
#pragma once

#include "frame_name.h"
#include "message.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* More events than these are lost for a client that does not read: it would have to have as many
 * buffers, which cost far more. */
#define NOTICE_EVENTS_MAX (1u << 18)

/* Events of no buffer: one of each type is kept, the latest. */
#define NOTICE_OWN_TYPES 16

/* How much of it goes into one packet. */
#define NOTICE_PACKET_FRAMES 4096
#define NOTICE_PACKET_EVENTS 256

struct notice_event {
        uint32_t type;
        uint64_t buffer, offset, length;
};

/**
 * struct notice - embedded in a session; zeroed it is empty
 * @frames: that the client should unmap; no more than it has
 * @events: at most NOTICE_EVENTS_MAX; those before @first_event were sent
 * @own:    of no buffer, by type; type 0: there is none
 */
struct notice {
        uint64_t *frames;
        size_t n_frames, frames_room;
        struct notice_event *events;
        size_t n_events, first_event, events_room;
        struct notice_event own[NOTICE_OWN_TYPES];
        size_t n_own;
};

void notice_deinit(struct notice *notice);

static inline bool notice_is_empty(const struct notice *notice)
{
        return !notice->n_frames && notice->first_event == notice->n_events && !notice->n_own;
}

/* Return: 0; -ENOMEM. */
int notice_add_frame(struct notice *notice, struct frame_name frame);

/* Merged with the one before where that tells the same of the same buffer. Return: 0; -ENOBUFS
 * where there are too many; -ENOMEM. */
int notice_add_event(struct notice *notice, const struct notice_event *event);

/**
 * struct notice_packet - room for one packet's worth
 */
struct notice_packet {
        Wire__Packet packet;
        Wire__Notice wire;
        Wire__Event events[NOTICE_PACKET_EVENTS];
        Wire__Event *event_pointers[NOTICE_PACKET_EVENTS];
        size_t n_own;
};

/* The oldest part that fits into one packet; borrows from @notice. */
void notice_fill(const struct notice *notice, struct notice_packet *ret);

/* It was sent. */
void notice_forget(struct notice *notice, const struct notice_packet *sent);
