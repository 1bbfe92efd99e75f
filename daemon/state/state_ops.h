/* SPDX-License-Identifier: MIT */
/*
 * What state asks of its surroundings.
 */
#pragma once

#include "frame_name.h"
#include "log_fields.h"
#include "range.h"

#include <stdint.h>

struct buffer;
struct refusal;

/* state_ops.leave() */
#define LEAVE_RETAKE     1u
#define LEAVE_PATIENT    2u
#define LEAVE_OWNER_GONE 4u

enum event_type { /* the values of the wire and of par.h */
                  EVENT_MOVED = 1,
                  EVENT_POISONED,
                  EVENT_DRAINING,
                  EVENT_WANTED,
                  EVENT_REVOKED,
                  EVENT_LINGERING = 8, /* those between are the library's own */
};

/**
 * struct take_wish - frames that a pool wants
 * @count:     > 0
 * @window:    inside the pool's own
 * @run_bytes: in runs of at least this; 0: any
 */
struct take_wish {
        uint32_t pool, count;
        struct range window;
        uint64_t run_bytes;
};

/**
 * struct state_ops - called by state; none of them may call state back, or fail
 * @take:    ask the keeper for frames; answered by state_taken(). One at a time for each pool
 * @cancel:  the take of this pool is no longer wanted; it is still answered
 * @filled:  no take is under way, so what no pool wanted may go; the first time 5 s after
 *           state_start() at the latest, whatever is under way then
 * @lend:    note that clients are about to see this frame (the ledger)
 * @leave:   close what is held of the frame and have the keeper give it back; LEAVE_* in @flags
 * @nudge:   a holder may have let go of a lingering frame
 * @watch:   look at a PCI device (pci_address.h) until it is seen not to be bus master, or
 *           unwatch(); answered by state_device_seen() with the @round of the last such call before
 *           the look. Asked again while it is looked at, it is looked at once more
 * @unwatch: nobody waits for this device any more
 * @unneeded: tell a client that it should unmap a frame
 * @event:   tell a client what happened to @length bytes at @offset of its buffer; with 0 for a
 *           buffer, to so much of its memory
 * @answer:  the answer to a request that waited: @buffer, or NULL and @refusal with result @r.
 *           The waiter is gone afterwards; @ticket is what state_wait() was given
 * @log:     something that the operator wants to know; level as in syslog.h; what it is @about is
 *           borrowed and never NULL
 */
struct state_ops {
        void (*take)(void *data, const struct take_wish *wish);
        void (*cancel)(void *data, uint32_t pool);
        void (*filled)(void *data);
        void (*lend)(void *data, struct frame_name frame);
        void (*leave)(void *data, struct frame_name frame, uint32_t pool, unsigned flags);
        void (*nudge)(void *data, struct frame_name frame);
        void (*watch)(void *data, uint32_t device, uint32_t round);
        void (*unwatch)(void *data, uint32_t device);
        void (*unneeded)(void *data, void *client_data, struct frame_name frame);
        void (*event)(void *data, void *client_data, enum event_type type, uint64_t buffer,
                      uint64_t offset, uint64_t length);
        void (*answer)(void *data, void *client_data, uint64_t ticket, int r, struct buffer *buffer,
                       const struct refusal *refusal);
        void (*log)(void *data, int level, const struct log_fields *about, const char *message);
};
