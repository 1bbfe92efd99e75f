/* SPDX-License-Identifier: MIT */
/*
 * A frame by the keeper's name for it.
 */
#pragma once

#include <stdint.h>

/**
 * struct frame_name - one frame, for as long as the keeper has it
 * @slot:       its place among those that the keeper has room for
 * @generation: counts the frames that were in that place
 */
struct frame_name {
        uint32_t slot, generation;
};

static inline uint64_t frame_id(struct frame_name name)
{
        return (uint64_t)name.generation << 32 | name.slot;
}
