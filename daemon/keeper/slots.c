/* SPDX-License-Identifier: MIT */
/*
 * Owns the frames that are held. Every slot is on the free ring, and without its bit, exactly while
 * it is empty. There may be a million of them, of which few are used: what goes through them goes
 * by the bits. A generation is never 0 and never used twice in a row, so that a name that is late
 * is recognised.
 */
#include "slots.h"

#include "job.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

int slots_init(struct slots *slots, uint32_t room)
{
        *slots = (struct slots){ .room = room };
        slots->slots = calloc(room, sizeof(*slots->slots));
        slots->used = calloc(room / 64 + 1, sizeof(*slots->used));
        slots->free = calloc(room, sizeof(*slots->free));
        if (!slots->slots || !slots->used || !slots->free) {
                slots_deinit(slots);
                return -ENOMEM;
        }
        for (uint32_t i = 0; i < room; i++)
                slots->free[i] = i;
        slots->n_free = room;
        return 0;
}

void slots_deinit(struct slots *slots)
{
        if (slots->slots && slots->used)
                for (uint32_t i = slots_next(slots, 0); i < slots->room;
                     i = slots_next(slots, i + 1))
                        if (slots->slots[i].state == SLOT_HELD)
                                frame_drop(&slots->slots[i].frame);
        free(slots->slots);
        free(slots->used);
        free(slots->free);
}

uint32_t slots_next(const struct slots *slots, uint32_t number)
{
        uint64_t bits;

        for (; number < slots->room; number = (number | 63) + 1) {
                bits = slots->used[number / 64] >> number % 64;
                if (bits)
                        return number + (uint32_t)__builtin_ctzll(bits);
        }
        return slots->room;
}

uint32_t slots_enter(struct slots *slots, const struct backend_frame *frame, uint32_t pool)
{
        uint32_t number, generation;

        assert(slots->n_free > 0);
        number = slots->free[slots->next_free];
        slots->next_free = (slots->next_free + 1) % slots->room;
        slots->n_free--;
        slots->used[number / 64] |= UINT64_C(1) << number % 64;

        generation = slots->slots[number].generation + 1;
        slots->slots[number] = (struct slot){
                .state = SLOT_HELD,
                .generation = generation ? generation : 1,
                .pool = pool,
                .frame = *frame,
                .told_phys = frame->phys,
                .seen_phys = frame->phys,
        };
        return number;
}

int slots_restore(struct slots *slots, uint32_t number, uint32_t generation,
                  const struct slot *held)
{
        if (number >= slots->room || !generation || slots->slots[number].generation)
                return -EBADMSG;
        if (held) {
                slots->slots[number] = *held;
                slots->used[number / 64] |= UINT64_C(1) << number % 64;
        }
        slots->slots[number].generation = generation;
        return 0;
}

void slots_restored(struct slots *slots)
{
        slots->n_free = 0;
        slots->next_free = 0;
        for (uint32_t i = 0; i < slots->room; i++)
                if (slots->slots[i].state == SLOT_EMPTY)
                        slots->free[slots->n_free++] = i;
}

void slots_leave(struct slots *slots, uint32_t number)
{
        struct slot *slot = &slots->slots[number];

        assert(slot->state != SLOT_EMPTY);
        *slot = (struct slot){ .state = SLOT_EMPTY, .generation = slot->generation };
        slots->used[number / 64] &= ~(UINT64_C(1) << number % 64);
        slots->free[(slots->next_free + slots->n_free++) % slots->room] = number;
}
