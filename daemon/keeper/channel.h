/* SPDX-License-Identifier: MIT */
/*
 * The keeper's end of the channel: messages of one size, queued where the worker does not read fast
 * enough, with at most one descriptor each.
 */
#pragma once

#include "keeper_protocol.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

struct channel_message;

/**
 * struct channel - one worker's channel
 * @fd:      owned; -1: there is no worker
 * @queue:   messages that are not sent yet, owned
 * @open:    opens what goes with a message when it is sent. Return: 0 and the descriptor, owned by
 *           the caller, or -1 for none; -ESTALE: the message has become moot; other negative errno:
 *           try again later
 * @stalled: the last message could not go for a reason that poll() does not show
 */
struct channel {
        int fd;
        STAILQ_HEAD(, channel_message) queue;
        int (*open)(void *data, const struct keeper_message *message, int *ret_fd);
        void *data;
        bool stalled;
};

void channel_init(struct channel *channel,
                  int (*open)(void *data, const struct keeper_message *message, int *ret_fd),
                  void *data);

/* Start on a new socket, which is consumed. */
void channel_attach(struct channel *channel, int fd);

/* Close, and forget what is queued. */
void channel_detach(struct channel *channel);

/**
 * channel_send() - send, or queue
 *
 * Without a worker nothing happens.
 *
 * Return: 0; -ENOMEM; negative errno of channel_flush().
 */
int channel_send(struct channel *channel, const struct keeper_message *message);

/**
 * channel_flush() - send what is queued, as far as it goes
 *
 * Return: 0; -EPIPE, -ECONNRESET where the worker is gone; other negative errno of sendmsg().
 */
int channel_flush(struct channel *channel);

/* Whether to wait until the socket can be written to. */
static inline bool channel_is_full(const struct channel *channel)
{
        return !STAILQ_EMPTY(&channel->queue) && !channel->stalled;
}

/**
 * channel_receive() - the next message
 *
 * Return: 0; -EAGAIN where there is none; -EPIPE where the worker closed; -EBADMSG for anything
 * that is no message: another size, a descriptor; other negative errno of recvmsg().
 */
int channel_receive(struct channel *channel, struct keeper_message *ret);
