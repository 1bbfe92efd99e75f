/* SPDX-License-Identifier: MIT */
/*
 * The frames that the keeper holds, each under a name: the number of its slot and a generation that
 * counts the frames that the slot has held.
 */
#pragma once

#include "backend.h"
#include "keeper_protocol.h"

#include <stdbool.h>
#include <stdint.h>

enum slot_state {
        SLOT_EMPTY,
        SLOT_HELD,
        SLOT_LEAVING, /* the frame is with @job */
};

/**
 * struct slot - one place for a frame
 * @generation: of the frame that is there, or of the last that was; 0: none ever was
 * @pool:       that it is for
 * @frame:      valid while SLOT_HELD
 * @given_up:   unpinned on behalf of a former worker: it can only leave
 * @verifying:  a job is reading its address: it cannot leave yet
 * @told_phys:  where it was when it came: the address by which workers and their ledger know it
 * @seen_phys:  where it was when that was looked at last, and UINT64_MAX where its page was punched
 *              out: another one than @told_phys is told to each worker
 * @poisoned:   its memory has failed, which the worker knows
 * @job:        while SLOT_LEAVING; with @verifying: to be done after that
 */
struct slot {
        enum slot_state state;
        uint32_t generation, pool;
        struct backend_frame frame;
        bool given_up, verifying, poisoned;
        uint64_t told_phys, seen_phys;
        struct job *job;
};

/**
 * struct slots - all of them
 * @slots: @room entries, owned
 * @used:  a bit for each: it is not empty; owned
 * @free:  a ring of the numbers of empty slots: the one that is empty longest is used next
 * @n_free: how many these are
 */
struct slots {
        struct slot *slots;
        uint64_t *used;
        uint32_t *free;
        uint32_t room, n_free, next_free;
};

/* 0; -ENOMEM. */
int slots_init(struct slots *slots, uint32_t room);
/* Drops all frames. */
void slots_deinit(struct slots *slots);

/* slots_enter() - put a frame into an empty slot, of which there is one; it is consumed. */
uint32_t slots_enter(struct slots *slots, const struct backend_frame *frame, uint32_t pool);

/**
 * slots_restore() - bring slots to where a former keeper's were
 * @number, @generation: of a slot that has held a frame
 * @held: what it holds, consumed; NULL: nothing
 *
 * Followed by slots_restored(), and before that by nothing else.
 *
 * Return: 0; -EBADMSG where there is no such slot, or it was restored already.
 */
int slots_restore(struct slots *slots, uint32_t number, uint32_t generation,
                  const struct slot *held);
void slots_restored(struct slots *slots);

/* slots_leave() - the frame of this slot is gone. */
void slots_leave(struct slots *slots, uint32_t number);

/* The first slot that is not empty, from this number on; @room where there is none. */
uint32_t slots_next(const struct slots *slots, uint32_t number);

static inline uint32_t slots_used(const struct slots *slots)
{
        return slots->room - slots->n_free;
}
