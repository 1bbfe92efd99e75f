/* SPDX-License-Identifier: MIT */
/*
 * Buffers as dma-bufs: those that a client exports, and those of pools that hand out nothing else.
 */
#pragma once

#include "dmabuf_maker.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

struct buffer;
struct event;
struct reply;
struct server;
struct session;

/* Under way for one session: asked for, or made and not sent yet. */
#define SESSION_EXPORTS_MAX 64

enum export_stage {
        EXPORT_WAITS, /* in exporter::queue */
        EXPORT_RUNS,  /* exporter::running */
        EXPORT_MADE,  /* in export_list::made, with its result */
};

/* A request whose reply comes with a dma-buf. */
struct export;
TAILQ_HEAD(export_queue, export);
LIST_HEAD(export_all, export);

/**
 * struct export_list - those of one session, embedded in it
 * @all:  @count of them
 * @made: those of them to be answered
 */
struct export_list {
        struct export_all all;
        unsigned count;
        struct export_queue made;
};

/**
 * struct exporter - embedded in the server
 * @device:  /dev/udmabuf, owned; -1: there is none
 * @limits:  of the kernel
 * @maker:   NULL without @device
 * @queue:   what is to be made, of all sessions, in the order of arrival
 * @running: what is being made; NULL: nothing is
 * @event:   it is made
 */
struct exporter {
        int device;
        struct udmabuf_limits limits;
        struct dmabuf_maker *maker;
        struct export_queue queue;
        struct export *running;
        struct event *event;
};

/* Return: 0; -ENOMEM; other negative errno. exporter_deinit() also after that. */
int exporter_init(struct server *server);
void exporter_deinit(struct server *server); /* when there are no sessions any more */

void export_list_init(struct export_list *list);

/* A session ends. */
void export_forget_all(struct session *session);

/* Whether a request of this number has no reply yet. */
bool export_is_open(const struct session *session, uint32_t seq);

/* Whether this session is given a dma-buf of a buffer, and none of its frames. */
bool export_suits(const struct session *session, const struct buffer *buffer);

/**
 * export_grant() - answer a request by which a session has a buffer, in whatever way that is handed
 * out to it
 * @seq:      of the request
 * @kind:     of the request: WIRE__REQUEST__BODY_*
 * @asked_ns: when it was received; 0: it waited, which is counted elsewhere
 * @reply:    to be sent with the result, unless it is marked as later
 *
 * Return: 0; -ENOTSUP, PAR_REFUSED_NEVER_FITS, PAR_REFUSED_QUOTA where no dma-buf is to be had;
 * other negative errno. On anything but 0 reply_send() takes the buffer back.
 */
int export_grant(struct session *session, uint32_t seq, int kind, const struct buffer *buffer,
                 uint64_t asked_ns, struct reply *reply);

/* Whether there is something to be sent; and send one, for which there is room. */
static inline bool export_is_made(const struct export_list *list)
{
        return !TAILQ_EMPTY(&list->made);
}
void export_send(struct session *session);
