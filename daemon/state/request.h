/* SPDX-License-Identifier: MIT */
/*
 * Requests for memory, why they are refused, and how memory is given back.
 */
#pragma once

#include "constraint.h"
#include "frame_name.h"
#include "sharing.h"

#include <stdbool.h>
#include <stdint.h>

#define SENTENCE_BYTES 640

struct buffer;
struct client;
struct state;

/**
 * struct request - a request for memory
 * @want:   constraint; its window's last is UINT64_MAX and its boundary 0 where there is no limit,
 *          align 0 means 1, max_segments 0 means 1: state fills in
 * @nodes:  bit mask; 0: any
 * @device: name, or several, separated by commas; NULL or "": none
 * @pool:   name; NULL or "": any
 * @label:  NULL or ""; copied
 * @share:  how it may be shared
 * @seq:    its number, by which its client asks again; 0: none
 * @blind:  physical addresses are of no use to the client: pools that hide them will do, too
 * @patient: state_wait() follows where state_alloc() refuses it for now: the refusal is not
 * counted, the answer to the wait is
 */
struct request {
        struct constraint want;
        uint64_t nodes;
        const char *device, *pool, *label;
        struct share_request share;
        uint32_t seq;
        bool blind, patient;
};

/**
 * struct refusal - why not, with figures
 * @result:         PAR_REFUSED_*
 * @permanent:      waiting cannot help
 * @growing:        a pool may grow so that the request can be met: who has the request answered
 *                  now does so with state_wait() and WAIT_FOR_GROWTH, also where its client does
 *                  not want to wait
 * @limit:          what rules it out; LIMIT_NONE: no limit of the request's
 * @limit_set_by:   "the request", "device capture0", "the bus windows of device pi4"
 * @conflict:       LIMIT_NONE, or what @limit contradicts; @conflict_set_by: who set that
 * @size_bytes:     asked for
 * @free_in_window_bytes, @largest_run_bytes: of what the client could get
 * @sentence:       all of it in words
 */
struct refusal {
        int result;
        bool permanent;
        bool growing;
        enum limit limit;
        char limit_set_by[96];
        enum limit conflict;
        char conflict_set_by[96];
        uint64_t size_bytes, free_in_window_bytes, largest_run_bytes;
        char sentence[SENTENCE_BYTES];
};

/**
 * state_alloc() - grant a buffer now
 * @client:      who asks; charged for it
 * @request:     borrowed
 * @ret_buffer:  valid until it is freed
 * @ret_refusal: filled with every result above 0
 *
 * A refusal with @growing set is not counted: state_wait() follows.
 *
 * Return: 0; PAR_REFUSED_*; -ENOMEM. On anything but 0 nothing changed.
 */
int state_alloc(struct state *state, struct client *client, const struct request *request,
                uint64_t now_ns, struct buffer **ret_buffer, struct refusal *ret_refusal);

/* Buffers of one batch: each may lie in a frame that its client has not seen, and as many
 * descriptors go with one packet. */
#define BATCH_BUFFERS_MAX 64

/**
 * state_alloc_batch() - grant several equal buffers now, or none
 * @request:     of each of them; not to be shared
 * @count:       1 to BATCH_BUFFERS_MAX
 * @ret:         @count buffers, whose numbers follow each other. Each lies in one frame, and is one
 *               segment
 * @ret_refusal: filled with every result above 0: why the first that is not to be had is not
 *
 * Counts as so many of state_alloc() would. Never waits, not even for pools to grow.
 *
 * Return: 0; PAR_REFUSED_*, of which PAR_REFUSED_INVALID also where such buffers have to be asked
 * for one by one: because each may take more than a frame or a segment, or its pool hands dma-bufs
 * out, or its device has bus windows; -ENOMEM. On anything but 0 nothing changed.
 */
int state_alloc_batch(struct state *state, struct client *client, const struct request *request,
                      size_t count, uint64_t now_ns, struct buffer **ret,
                      struct refusal *ret_refusal);

/* state_wait(): not for what others give back, only while pools grow, for 2 s at most. */
#define WAIT_FOR_GROWTH 0

/**
 * state_wait() - let a request wait that was refused for now
 * @request:     copied
 * @deadline_ns: UINT64_MAX: none; WAIT_FOR_GROWTH
 * @ticket:      handed to state_ops.answer(), and names it in state_cancel()
 * @ret_refusal: filled with a result above 0
 *
 * Pools are asked to grow for it, where they may and that would help. With WAIT_FOR_GROWTH the
 * answer is, as soon as that is known, a buffer or the refusal that state_alloc() gave; never
 * PAR_REFUSED_TIMED_OUT.
 *
 * Return: 0: the answer comes later, never during this call; PAR_REFUSED_QUOTA where too many of
 * this client wait already, or with WAIT_FOR_GROWTH the plain refusal; -ENOMEM.
 */
int state_wait(struct state *state, struct client *client, const struct request *request,
               uint64_t deadline_ns, uint64_t ticket, uint64_t now_ns, struct refusal *ret_refusal);

/* Others may have been held up by it: they may be answered during this call. Return: 0: it waited,
 * and is gone without an answer; PAR_REFUSED_GONE. */
int state_cancel(struct state *state, struct client *client, uint64_t ticket, uint64_t now_ns);

/**
 * state_release() - a client frees a buffer of its own
 *
 * Return: 0; PAR_REFUSED_GONE where it has no such buffer.
 */
int state_release(struct state *state, struct client *client, uint64_t id, uint64_t now_ns);

/**
 * state_release_batch() - a client frees buffers of its own
 * @ids: @count of them
 *
 * Return: 0; PAR_REFUSED_GONE where it has not all of them: the others are freed, and @ret_gone is
 * the first that it has not.
 */
int state_release_batch(struct state *state, struct client *client, const uint64_t *ids,
                        size_t count, uint64_t now_ns, uint64_t *ret_gone);

/* Exports of one buffer. Each costs the kernel some memory that is charged to nobody, and whoever
 * wants more can duplicate what he has. */
#define BUFFER_EXPORTS_MAX 16

/**
 * state_export() - note that a descriptor of a buffer's memory alone is about to be made
 * @ret_refusal: filled with a result above 0
 *
 * Others may get it from the client, and it opens the memory for as long as they have it. The state
 * does not learn when that ends: the keeper's proof does, that nobody refers to the frame.
 *
 * Return: 0; PAR_REFUSED_GONE where the client has no such buffer; PAR_REFUSED_QUOTA after
 * BUFFER_EXPORTS_MAX; PAR_REFUSED_DENIED where another uid made it, and shares it.
 */
int state_export(struct state *state, struct client *client, uint64_t id,
                 struct refusal *ret_refusal);

/* It was not made after all. A buffer that is gone meanwhile is passed over. */
void state_unexport(struct client *client, uint64_t id);

/* A client says that it no longer has a frame mapped. Frames it does not have are passed over. */
void state_dropped(struct state *state, struct client *client, struct frame_name name,
                   uint64_t now_ns);

/* End the quarantine of what clients of this name and of this client's uid left behind. */
void state_reclaim(struct state *state, struct client *client, const char *name, uint64_t now_ns,
                   uint64_t *ret_bytes);
