/* SPDX-License-Identifier: MIT */
/*
 * What the worker asks for. Every field is checked before anything is done. A name of a frame that
 * is late is ignored; one that never was, and everything else that a worker in its right mind would
 * not send, is refused, and ends the worker.
 */
#include "keeper_private.h"
#include "log.h"
#include "macros.h"

#include <errno.h>

#define NODES_MAX 1024

static bool valid_wish(const struct keeper *keeper, const struct keeper_message *message)
{
        return message->pool < keeper->settings->n_pools && message->first <= message->last &&
               message->node >= KEEPER_NODE_ANY && message->node < NODES_MAX;
}

static int broken(const struct keeper_message *message, const char *why)
{
        log_error("message %u of the worker makes no sense: %s", message->type, why);
        return -EBADMSG;
}

static int request_take(struct keeper *keeper, const struct keeper_message *message)
{
        if (!valid_wish(keeper, message) || !is_power_of_two(message->page_bytes) ||
            message->page_bytes < 4096 || !message->count || message->flags ||
            message->phys % message->page_bytes)
                return broken(message, "a take of impossible size, pool or place");
        if (keeper->n_takes == KEEPER_TAKES_MAX)
                return broken(message, "too many takes at once");
        return keeper_take(keeper, message);
}

static int request_cancel(struct keeper *keeper, const struct keeper_message *message)
{
        if (message->pool >= keeper->settings->n_pools)
                return broken(message, "a pool that does not exist");
        keeper_cancel(keeper, message->pool);
        return 0;
}

int keeper_leave(struct keeper *keeper, uint32_t number, const struct keeper_message *message)
{
        struct slot *slot = &keeper->slots.slots[number];
        struct job *job = slot->job;

        if (!job)
                job = job_new(JOB_LEAVE, message);
        if (!job)
                return -ENOMEM;
        if (slot->verifying) {
                slot->job = job;
                job_update(job, message);
                return 0;
        }
        job->leave.frame = slot->frame;
        job->leave.phys = slot->frame.phys;
        slot->frame = BACKEND_FRAME_NONE;
        slot->state = SLOT_LEAVING;
        slot->job = job;
        keeper_start_job(keeper, job);
        return 0;
}

/* The slot of a frame that a message names; *ret is NULL where that frame is gone already. */
static int named_slot(struct keeper *keeper, const struct keeper_message *message,
                      struct slot **ret)
{
        struct slot *slot;

        if (message->slot >= keeper->slots.room || !message->generation)
                return broken(message, "a slot that does not exist");
        slot = &keeper->slots.slots[message->slot];
        if (message->generation > slot->generation)
                return broken(message, "a frame that never was");
        *ret = message->generation == slot->generation && slot->state != SLOT_EMPTY ? slot : NULL;
        return 0;
}

static int request_leave(struct keeper *keeper, const struct keeper_message *message)
{
        struct slot *slot;
        int r;

        if (message->flags & ~(KEEPER_RETAKE | KEEPER_PATIENT | KEEPER_OWNER_GONE))
                return broken(message, "unknown flags");
        if (message->flags & KEEPER_RETAKE && !valid_wish(keeper, message))
                return broken(message, "a page to be taken again for an impossible pool or place");
        r = named_slot(keeper, message, &slot);
        if (r || !slot)
                return r;

        if (slot->state == SLOT_LEAVING) {
                job_update(slot->job, message);
                if (message->flags & KEEPER_OWNER_GONE)
                        lingering_nudge(&keeper->jobs.lingering, slot->job);
                return 0;
        }
        return keeper_leave(keeper, message->slot, message);
}

static int request_nudge(struct keeper *keeper, const struct keeper_message *message)
{
        struct slot *slot;
        int r;

        r = named_slot(keeper, message, &slot);
        if (!r && slot && slot->state == SLOT_LEAVING)
                lingering_nudge(&keeper->jobs.lingering, slot->job);
        return r;
}

static int request_watch(struct keeper *keeper, const struct keeper_message *message)
{
        int r;

        if (message->first > UINT32_MAX)
                return broken(message, "a number that is too large");
        r = watches_add(&keeper->jobs.watches, message->count, (uint32_t)message->first);
        return r == -ENOSPC ? 0 : r; /* what nobody looks at is not seen to be quiet */
}

int keeper_request(struct keeper *keeper, const struct keeper_message *message)
{
        switch (message->type) {
        case KEEPER_TAKE: return request_take(keeper, message);
        case KEEPER_FILLED: keeper_filled(keeper); return 0;
        case KEEPER_LEAVE: return request_leave(keeper, message);
        case KEEPER_NUDGE: return request_nudge(keeper, message);
        case KEEPER_READY: keeper->ready = true; return 0;
        case KEEPER_CANCEL: return request_cancel(keeper, message);
        case KEEPER_RELOAD: return keeper_ask_reload(keeper);
        case KEEPER_PONG: keeper->unanswered = 0; return 0;
        case KEEPER_WATCH: return request_watch(keeper, message);
        case KEEPER_UNWATCH: watches_remove(&keeper->jobs.watches, message->count); return 0;
        default: return broken(message, "unknown type");
        }
}
