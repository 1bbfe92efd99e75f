/* SPDX-License-Identifier: MIT */
/*
 * What the lists and single answers have in common.
 */
#pragma once

#include "client.h"
#include "demand.h"
#include "state.h"

/* Who holds something, as far as the asker may know: himself, his uid, or all to an administrator.
 */
void report_holding(const struct holding *holding, const struct client *asker,
                    struct holder_report *ret);
void report_owner(const struct owner *owner, const struct client *asker, struct holder_report *ret);

/* Whether this asker may know what is somebody of @uid's. */
bool report_may_know(const struct client *asker, uint32_t uid);

void report_frame(const struct frame *frame, const struct client *asker, struct frame_report *ret);
void report_buffer(const struct buffer *buffer, const struct client *asker, uint64_t now_ns,
                   struct buffer_report *ret);

/* "granted", "quarantined", "revoked", "retired" */
const char *report_buffer_state(const struct buffer *buffer);

/* Whether a list of @name's memory shows this pool; NULL or "": of all. */
bool report_wants_pool(const struct pool *pool, const char *name);

/* A cursor of frames that the asker may know of: the frame that it stands before, which may reach
 * into @window, and the next one. report_pass() moves it on. Each pool that had to be looked into
 * takes one of the @steps, but not the last. */
struct quota_excess;
struct frame *report_frame_at(const struct state *state, const struct client *asker,
                              struct range window, uint64_t cursor, unsigned *steps);
struct frame *report_frame_next(const struct state *state, const struct client *asker,
                                const struct frame *frame, unsigned *steps);
void report_pass(uint64_t *cursor, const struct frame *frame);

/* The frame in which an address lies; NULL: none. One that is out of service stands back: its
 * address is no longer true, but a device that was told it goes on. */
const struct frame *report_frame_over(const struct state *state, uint64_t phys);

/* lookup.c: the piece of a buffer in which an address of the frame lies; NULL: none. */
const struct buffer_piece *report_piece_over(const struct frame *frame, uint64_t phys);

/* blockers.c: fill in who is in the way. */
void report_blockers(const struct state *state, const struct client *asker,
                     const struct demand *demand, uint64_t pools, struct explanation *ret);

/* blockers.c: the same where a quota is: what counts for it. */
void report_quota_blockers(const struct state *state, const struct client *asker,
                           const struct quota_excess *excess, struct explanation *ret);

/* longer.c: fill in the largest run that is free for the client, and what is at its ends. */
void report_longer(const struct state *state, const struct client *client,
                   const struct demand *demand, uint64_t pools, struct explanation *ret);
