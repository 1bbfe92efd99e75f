/* SPDX-License-Identifier: MIT */
/*
 * The connection to the daemon: requests out, exactly one reply for each in, notices in between.
 *
 * All functions are called with the handle's lock held, and return with it held; those that say so
 * let go of it while they sleep.
 */
#pragma once

#include "error.h"
#include "message.h"
#include "packet.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

struct waker;

/**
 * struct request - a request under way, on the stack of the call that made it
 * @take:        reads a reply that says "done", as soon as it arrives and in the order of arrival,
 *               by whichever thread reads; NULL where there is nothing to read in it. It takes
 *               descriptors out of the packet by setting them to -1; any that is left is an error.
 *               Anything but 0 ends the session
 * @again:       called before it is sent to another worker, because the one that had it died; NULL:
 *               it is sent as it was
 * @message:     borrowed while it is under way
 * @unsent:      it is to be sent to another worker
 * @resent:      it was: perhaps the one before had done it already
 * @deadline_ns: of CLOCK_MONOTONIC: connection_await() gives up then; 0: never
 * @seq:         0: not sent yet
 * @answered:    the rest is valid
 * @result:      0, -errno or -PAR_*
 * @sentence:    why not, where @result is not 0; @figures: where it is a refusal
 */
struct request {
        int (*take)(struct request *request, const Wire__Reply *reply, struct packet *packet);
        void (*again)(struct request *request);
        uint64_t deadline_ns;

        TAILQ_ENTRY(request) link; /* connection::requests, while sent and not answered */
        struct waker *waker;       /* while its thread sleeps */
        Wire__Request *message;
        uint32_t seq;
        bool unsent, resent, answered;
        int result;
        char sentence[ERROR_BYTES];
        struct par_refusal_info figures;
};

/**
 * struct connection_ops - what the connection tells its owner, with the lock held
 * @notice: something arrived unasked
 * @lost:   the worker is gone; the session waits for another one
 * @watch:  a descriptor that was not there before: the connection to another worker, under the
 *          number of the one before, or a clock. Return: 0; -errno, which ends it
 * @mapped: the frames that are mapped with numbers above @after, in ascending order, at most @room.
 *          Return: how many
 * @resumed: it goes on, and everything under way was sent again
 * @ended:  the session is over; @sentence says why
 */
struct connection_ops {
        void (*notice)(void *data, const Wire__Notice *notice);
        void (*lost)(void *data);
        int (*watch)(void *data, int fd);
        size_t (*mapped)(void *data, uint64_t after, uint64_t *ret, size_t room);
        void (*resumed)(void *data);
        void (*ended)(void *data, int r, const char *sentence);
};

enum resume_stage {
        RESUME_NOT_NEEDED,
        RESUME_AWAY,        /* there is nobody to connect to: the clock says when to look again */
        RESUME_GREETING,    /* Hello is said, with the token */
        RESUME_CATCHING_UP, /* it is welcome, and says what it has and wants */
};

/**
 * struct resume - coming back to a daemon whose worker died
 * @path:  of its socket, owned
 * @name:  of the client, borrowed
 * @token: of the session; 0: it cannot be resumed
 * @stage: how far it is
 * @clock: a timerfd, owned, readable when something is due. It is there from the beginning: coming
 *         back is not the time to find that there are no descriptors left
 * @deadline_ns: of CLOCK_MONOTONIC: it is over if the session has not come back by then
 * @tries: connections that were tried since the session was lost
 * @absent: pard said goodbye; until the socket's file has another time than @socket_time nobody
 *         serves, and nobody is to be called
 * @wait_ms: that pard said the absence may last
 * @told:  the last frame that the worker was told of
 * @hello: the request
 * @count: how often it has come back
 */
struct resume {
        char *path;
        const char *name;
        uint64_t token, told;
        enum resume_stage stage;
        int clock;
        uint64_t deadline_ns, socket_time;
        unsigned tries;
        bool absent;
        uint32_t wait_ms;
        struct request hello;
        Wire__Request message;
        Wire__Hello body;
        uint32_t count;
};

/* Who sleeps until there is room to send; on its own stack. @waker: NULL: it naps. */
struct room_waiter {
        struct waker *waker;
        LIST_ENTRY(room_waiter) link;
};

/**
 * struct connection - the socket and what is under way on it
 * @lock:     the handle's, borrowed
 * @socket:   non-blocking; stays open, shut down, when the session has ended. The same number as
 *            long as the connection lives
 * @resume:   how the session goes on with another worker
 * @gone:     the session has ended; @why says how
 * @reader:   who of the waiting callers sleeps on the socket
 * @unawaited: replies to come for which nobody waits
 * @room_waiters: those who sleep in connection_wait_for_room()
 * @spin_us:  how long to busy-poll before sleeping
 * @batch_max: buffers that the daemon takes in one request; 0: it knows no batches
 */
struct connection {
        pthread_mutex_t *lock;
        const struct connection_ops *ops;
        void *data;
        int socket;
        struct resume resume;
        bool gone;
        char why[ERROR_BYTES];
        uint32_t last_seq, last_unawaited, unawaited, spin_us, batch_max;
        TAILQ_HEAD(, request) requests;
        const struct request *reader;
        struct waker *spare_wakers;
        LIST_HEAD(, room_waiter) room_waiters;
        struct message_arena arena;
        uint8_t incoming[PACKET_BYTES_MAX], outgoing[PACKET_BYTES_MAX];
};

/**
 * connection_init() - connect the socket; nothing is said yet
 * @connection: zeroed; connection_deinit() also after a failure
 * @path:       of the daemon's socket
 * @lock:       the handle's; borrowed for the life of the connection
 * @ops:        borrowed likewise
 * @data:       handed to @ops
 *
 * Return: 0; -EINVAL where the path is too long; -errno of socket() and connect(). par_error() is
 * set.
 */
int connection_init(struct connection *connection, const char *path, pthread_mutex_t *lock,
                    const struct connection_ops *ops, void *data);
void connection_deinit(struct connection *connection);

/**
 * connection_try_send() - send a request
 * @message: its seq is filled in
 * @request: from now on under way until it is answered or forgotten; NULL: nobody waits for the
 *           reply
 *
 * Return: 0; -EAGAIN where the socket is full, or the session waits for another worker; -PAR_GONE;
 * -EINVAL where it does not fit into a packet. par_error() is set except with -EAGAIN.
 */
int connection_try_send(struct connection *connection, Wire__Request *message,
                        struct request *request);

/* Sleep, without the lock, until there is room in the socket; what arrives meanwhile is read.
 * @deadline_ns: of CLOCK_MONOTONIC; 0: none. */
void connection_wait_for_room(struct connection *connection, uint64_t deadline_ns);

/* connection_try_send(), for as long as it takes, or until the deadline of @request: -ETIMEDOUT.
 * Lets go of the lock where the socket is full. */
int connection_send(struct connection *connection, Wire__Request *message, struct request *request);

/**
 * connection_await() - sleep until a request is answered
 * @interruptible: a signal ends the waiting
 *
 * Lets go of the lock while it sleeps. One of the waiting threads reads for all.
 *
 * Return: 0: answered; -EINTR; -ETIMEDOUT: the request is still under way.
 */
int connection_await(struct connection *connection, struct request *request, bool interruptible);

/* Send a request and await the answer. Return: its result; par_error() is set where it is not 0. */
int connection_call(struct connection *connection, Wire__Request *message, struct request *request);

/* The result of a request that was answered with another one than 0; par_error() is set. */
int request_error(const struct request *request);

/* Stop waiting for a request that is under way: its reply is passed over. Only before the end. */
void connection_forget(struct connection *connection, struct request *request);

/* Read what has arrived. Never sleeps. */
void connection_read(struct connection *connection);

/* From now on the session outlives workers. @name: borrowed for the life of the connection.
 * Return: 0; -EMFILE, -ENFILE, -ENOMEM, with par_error() set. */
int connection_make_resumable(struct connection *connection, const char *name, uint64_t token);

/* End the session: everything under way gets @r, whatever comes later -PAR_GONE. */
void connection_end(struct connection *connection, int r, const char *sentence);
