/* SPDX-License-Identifier: MIT */
/*
 * The worker's end of the channel to the keeper: its news goes to the state, the state's wishes go
 * to it. Holds the worker's descriptor of every frame.
 */
#pragma once

#include "state.h"

#include <stdbool.h>
#include <stdint.h>

struct keeper_link;

/**
 * struct keeper_verdict - the keeper has read the configuration again
 * @heard:  it has said so; otherwise the rest means nothing
 * @asked:  because keeper_link_reload() asked for it
 * @result: 0: it goes by it from now on; -EINVAL: it is not good, or changes what cannot change;
 *          other negative errno: it could not be read
 * @fd:     the text, sealed; owned by whoever asked; -1: none, which only a failure has
 */
struct keeper_verdict {
        bool heard, asked;
        int result, fd;
};

/**
 * keeper_link_new() - over a channel that nothing was read from yet
 * @channel_fd: SOCK_SEQPACKET, made non-blocking; consumed
 * @ledger_fd:  memfd of struct keeper_ledger; consumed
 * @settings:   borrowed
 * @ret:        owned by the caller: keeper_link_free()
 *
 * Return: 0; -EPROTO where the ledger is no ledger; -ENOMEM; other negative errno.
 */
int keeper_link_new(int channel_fd, int ledger_fd, const struct state_settings *settings,
                    struct keeper_link **ret);
void keeper_link_free(struct keeper_link *link); /* NULL is fine */

/* The channel, to be polled; borrowed. */
int keeper_link_fd(const struct keeper_link *link);

/**
 * keeper_link_receive() - hand one message to the state
 * @state:       told
 * @ret_verdict: what is not the state's; always written
 *
 * A ping is answered by the next keeper_link_flush().
 *
 * Return: 0; -EAGAIN where there is none; -EPIPE where the keeper closed; -EPROTO where it said
 * what it may not say; -ENOMEM; other negative errno.
 */
int keeper_link_receive(struct keeper_link *link, struct state *state, uint64_t now_ns,
                        struct keeper_verdict *ret_verdict);

/**
 * keeper_link_flush() - send what is queued
 *
 * Return: 0; -EAGAIN where the channel is full; -ENOMEM where something could not be queued before;
 * other negative errno.
 */
int keeper_link_flush(struct keeper_link *link);

/* The operations of the same names in struct state_ops. They queue; nothing is sent before the next
 * keeper_link_flush(). */
void keeper_link_take(struct keeper_link *link, const struct take_wish *wish);
void keeper_link_cancel(struct keeper_link *link, uint32_t pool);
void keeper_link_filled(struct keeper_link *link);
void keeper_link_lend(struct keeper_link *link, struct frame_name frame);
void keeper_link_leave(struct keeper_link *link, struct frame_name frame, uint32_t pool,
                       unsigned flags);
void keeper_link_nudge(struct keeper_link *link, struct frame_name frame);
void keeper_link_watch(struct keeper_link *link, uint32_t device, uint32_t round);
void keeper_link_unwatch(struct keeper_link *link, uint32_t device);

/* Have the keeper read its configuration again; a keeper_verdict is the answer. */
void keeper_link_reload(struct keeper_link *link);

/* Go by other settings, of the same pools; borrowed. */
void keeper_link_reconfigure(struct keeper_link *link, const struct state_settings *settings);

/* The worker's descriptor of a frame; borrowed, valid until the next call of the state. -1 where
 * there is none. */
int keeper_link_frame_fd(const struct keeper_link *link, struct frame_name frame);

/* Whether the keeper ends, and we with it. @ret_wait_ms: for how long clients may wait for another
 * pard, and @ret_socket_time_ns: see KEEPER_STOP; written only if so. */
bool keeper_link_stops(const struct keeper_link *link, uint32_t *ret_wait_ms,
                       uint64_t *ret_socket_time_ns);

/* Whether all has come that the keeper had at first, and the state was started. */
bool keeper_link_is_started(const struct keeper_link *link);

/* What is kept for the next worker; lives as long as the link. */
struct ledger *keeper_link_records(const struct keeper_link *link);

/* Whether there is nothing in it although a former worker had something there. */
bool keeper_link_records_lost(const struct keeper_link *link);

/* How often a worker was started, this one included; 0 before the keeper said. */
uint32_t keeper_link_worker_starts(const struct keeper_link *link);
