/* SPDX-License-Identifier: MIT */
/*
 * Slots of a buffer, for what is bounced: which are in use. Areas of 64 are words of bits, taken
 * and given without a lock.
 *
 * Pure: no memory is touched but the bits. An array of areas is never freed while anybody may look
 * at it; what is closed has no free slot, so who comes too late finds nothing.
 */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SLOT_SHIFT 11
#define SLOT_BYTES ((size_t)1 << SLOT_SHIFT)
#define AREA_SLOTS 64u
#define AREA_BYTES (AREA_SLOTS * SLOT_BYTES)

/**
 * struct slot_area - up to 64 slots side by side, for the processor and for the device
 * @used:  a bit each; those that do not exist are set
 * @dma:   where the device sees the first, a multiple of SLOT_BYTES
 * @data:  where it is mapped
 * @count: how many there are
 * @more:  areas that follow it without a gap
 *
 * All but @used changes only while nothing of it is free; who looks meanwhile looks again once he
 * has a slot.
 */
struct slot_area {
        _Alignas(64) _Atomic(uint64_t) used;
        _Atomic(uint64_t) dma;
        _Atomic(char *) data;
        _Atomic(uint32_t) count, more;
};

/* struct slots - @n_areas with room for @room; all zero: none */
struct slots {
        struct slot_area *areas;
        _Atomic(size_t) n_areas;
        size_t room;
};

/**
 * struct slot_want - what is looked for
 * @bytes:  > 0, from @low on
 * @low:    the lower bits that the first byte's dma has to have, below @stride
 * @stride: a power of two, a multiple of SLOT_BYTES
 * @hint:   where to begin: whoever has another one is not in the way
 */
struct slot_want {
        size_t bytes;
        uint64_t low, stride;
        size_t hint;
};

/**
 * struct slot_run - slots that were taken: some from one of an area on, perhaps of those after it,
 *                   too
 * @word: slot_run(); 0: none
 *
 * One word, since a processor that reads at once what was written in pieces waits until all it has
 * written is in the cache, and here it has just copied.
 */
struct slot_run {
        uint64_t word;
};

#define RUN_COUNT_SHIFT 8
#define RUN_AREA_SHIFT  32

/* @first: below AREA_SLOTS. @count: > 0, below 2^24. */
static inline struct slot_run slot_run(size_t area, size_t first, size_t count)
{
        return (struct slot_run){ (uint64_t)area << RUN_AREA_SHIFT |
                                  (uint64_t)count << RUN_COUNT_SHIFT | first };
}

static inline size_t run_area(struct slot_run run)
{
        return (size_t)(run.word >> RUN_AREA_SHIFT);
}

static inline size_t run_count(struct slot_run run)
{
        return (uint32_t)run.word >> RUN_COUNT_SHIFT;
}

static inline unsigned run_first(struct slot_run run)
{
        return (uint8_t)run.word;
}

/* How many slots it takes, where the first begins on a multiple of @stride: of the bits between the
 * slot's beginning and the first byte, too. */
size_t slots_span(const struct slot_want *want);

/**
 * slots_open() - add contiguous memory to areas that are closed
 * @slots:    has room for it
 * @dma, @data: of its first byte, where a slot begins
 * @bytes:    as many slots as fit
 *
 * Not at the same time as another one.
 */
void slots_open(struct slots *slots, uint64_t dma, char *data, size_t bytes);

/* How many areas slots_open() adds. */
size_t slots_areas(size_t bytes);

/* Take slots. Return: whether there were such. */
bool slots_take(struct slots *slots, const struct slot_want *want, struct slot_run *ret);

/* Give them back. Return: false where some were not in use: nothing is given back then. */
bool slots_give(struct slots *slots, struct slot_run run);

/* Where the first slot of a run is, for the device and for the processor. */
static inline uint64_t slots_dma(const struct slots *slots, struct slot_run run)
{
        return atomic_load_explicit(&slots->areas[run_area(run)].dma, memory_order_relaxed) +
               run_first(run) * SLOT_BYTES;
}

static inline char *slots_data(const struct slots *slots, struct slot_run run)
{
        return atomic_load_explicit(&slots->areas[run_area(run)].data, memory_order_relaxed) +
               run_first(run) * SLOT_BYTES;
}

/* Take all, so that it can be given away. Return: false where some are in use: nothing is taken. */
bool slots_close(struct slots *slots);

/* How many are in use, of those that are there. */
size_t slots_used(const struct slots *slots);
