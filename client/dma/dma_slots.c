/* SPDX-License-Identifier: MIT */
/*
 * Owns the bits of slots.
 *
 * Invariant: a bit is set by whoever finds it clear, and cleared by him alone. Refuses to wait: a
 * word that another thread has just changed is looked at again, and what spans several areas is
 * taken area by area and given back where one is not free.
 */
#include "dma_slots.h"

#include <assert.h>

static size_t slots_for(uint64_t bytes)
{
        return (size_t)((bytes + SLOT_BYTES - 1) >> SLOT_SHIFT);
}

/* Bits of @count slots from @first on, those that are in one area. */
static uint64_t bits(unsigned first, size_t count)
{
        const uint64_t ones = count >= AREA_SLOTS ? UINT64_MAX : (UINT64_C(1) << count) - 1;

        return ones << first;
}

size_t slots_span(const struct slot_want *want)
{
        return slots_for(want->low + want->bytes);
}

/* ---- areas that come and go ----------------------------------------------------------------- */

size_t slots_areas(size_t bytes)
{
        return (size_t)((bytes / SLOT_BYTES + AREA_SLOTS - 1) / AREA_SLOTS);
}

void slots_open(struct slots *slots, uint64_t dma, char *data, size_t bytes)
{
        const size_t areas = slots_areas(bytes);
        size_t at = atomic_load_explicit(&slots->n_areas, memory_order_relaxed);
        size_t left = bytes / SLOT_BYTES;

        assert(areas <= slots->room - at && !(dma & (SLOT_BYTES - 1)));
        for (size_t i = 0; i < areas; i++, at++) {
                struct slot_area *area = &slots->areas[at];
                const uint32_t count = left < AREA_SLOTS ? (uint32_t)left : AREA_SLOTS;

                atomic_store_explicit(&area->dma, dma + i * AREA_BYTES, memory_order_relaxed);
                atomic_store_explicit(&area->data, data + i * AREA_BYTES, memory_order_relaxed);
                atomic_store_explicit(&area->count, count, memory_order_relaxed);
                atomic_store_explicit(&area->more, (uint32_t)(areas - i - 1), memory_order_relaxed);
                left -= count;
        }
        atomic_store_explicit(&slots->n_areas, at, memory_order_release);
        for (size_t i = at - areas; i < at; i++) {
                struct slot_area *area = &slots->areas[i];
                const uint32_t count = atomic_load_explicit(&area->count, memory_order_relaxed);

                atomic_store_explicit(&area->used, ~bits(0, count), memory_order_release);
        }
}

/* What is set while nobody has a slot. */
static uint64_t missing(const struct slot_area *area)
{
        return ~bits(0, atomic_load_explicit(&area->count, memory_order_relaxed));
}

bool slots_close(struct slots *slots)
{
        const size_t n = atomic_load_explicit(&slots->n_areas, memory_order_relaxed);

        for (size_t i = 0; i < n; i++) {
                uint64_t idle = missing(&slots->areas[i]);

                if (atomic_compare_exchange_strong_explicit(&slots->areas[i].used, &idle,
                                                            UINT64_MAX, memory_order_acquire,
                                                            memory_order_relaxed))
                        continue;
                while (i--)
                        atomic_store_explicit(&slots->areas[i].used, missing(&slots->areas[i]),
                                              memory_order_release);
                return false;
        }
        atomic_store_explicit(&slots->n_areas, 0, memory_order_relaxed);
        return true;
}

size_t slots_used(const struct slots *slots)
{
        const size_t n = atomic_load_explicit(&slots->n_areas, memory_order_acquire);
        size_t used = 0;

        for (size_t i = 0; i < n; i++) {
                const struct slot_area *area = &slots->areas[i];
                const uint64_t word = atomic_load_explicit(&area->used, memory_order_relaxed);

                used += (size_t)__builtin_popcountll(word & ~missing(area));
        }
        return used;
}

/* ---- taking and giving ---------------------------------------------------------------------- */

/* Slots of an area at which a run may begin. */
static uint64_t starts(const struct slot_want *want, uint64_t dma)
{
        const uint64_t stride = want->stride >> SLOT_SHIFT;
        uint64_t mask = 1, skip;

        if (stride == 1)
                return UINT64_MAX;
        skip = ((want->low >> SLOT_SHIFT) - (dma >> SLOT_SHIFT)) & (stride - 1);
        if (skip >= AREA_SLOTS)
                return 0;
        for (uint64_t each = stride; each < AREA_SLOTS; each *= 2)
                mask |= mask << each;
        return mask << skip;
}

/* Slots from which on so many are free. */
static uint64_t runs(uint64_t free, size_t count)
{
        size_t have = 1;

        for (; have * 2 <= count; have *= 2)
                free &= free >> have;
        return have < count ? free & (free >> (count - have)) : free;
}

static uint64_t dma_of(const struct slot_area *area)
{
        return atomic_load_explicit(&area->dma, memory_order_relaxed);
}

/* Take a run that lies in one area. */
static bool take_in_area(struct slot_area *area, const struct slot_want *want, size_t count,
                         unsigned *ret_first)
{
        uint64_t used = atomic_load_explicit(&area->used, memory_order_acquire);

        while (used != UINT64_MAX) {
                const uint64_t dma = dma_of(area);
                const uint64_t found = runs(~used, count) & starts(want, dma);
                unsigned first;

                if (!found)
                        return false;
                first = (unsigned)__builtin_ctzll(found);
                if (!atomic_compare_exchange_weak_explicit(
                            &area->used, &used, used | bits(first, count), memory_order_acq_rel,
                            memory_order_acquire))
                        continue;
                if (dma_of(area) == dma) {
                        *ret_first = first;
                        return true;
                }
                /* It had become other memory in between. */
                used = atomic_fetch_and_explicit(&area->used, ~bits(first, count),
                                                 memory_order_release) &
                       ~bits(first, count);
        }
        return false;
}

static bool take_bits(struct slot_area *area, uint64_t wanted)
{
        uint64_t used = atomic_load_explicit(&area->used, memory_order_acquire);

        while (!(used & wanted))
                if (atomic_compare_exchange_weak_explicit(&area->used, &used, used | wanted,
                                                          memory_order_acq_rel,
                                                          memory_order_acquire))
                        return true;
        return false;
}

/* The bits of a run in the @i-th of its areas. */
static uint64_t bits_in(struct slot_run run, size_t i)
{
        const size_t last = run_first(run) + run_count(run) - 1;
        const size_t from = i ? 0 : run_first(run);
        const size_t to = last / AREA_SLOTS == i ? last % AREA_SLOTS : AREA_SLOTS - 1;

        return bits((unsigned)from, to - from + 1);
}

static size_t areas_of(struct slot_run run)
{
        return (run_first(run) + run_count(run) - 1) / AREA_SLOTS + 1;
}

/* Give the first @n areas of a run back. */
static void give_areas(struct slots *slots, struct slot_run run, size_t n)
{
        for (size_t i = 0; i < n; i++)
                atomic_fetch_and_explicit(&slots->areas[run_area(run) + i].used, ~bits_in(run, i),
                                          memory_order_release);
}

static bool take_areas(struct slots *slots, struct slot_run run)
{
        for (size_t i = 0; i < areas_of(run); i++) {
                if (take_bits(&slots->areas[run_area(run) + i], bits_in(run, i)))
                        continue;
                give_areas(slots, run, i);
                return false;
        }
        return true;
}

/* Slots of an area from which on all that follow in it are free. */
static uint64_t tail(uint64_t used)
{
        const unsigned above = used ? 64 - (unsigned)__builtin_clzll(used) : 0;

        return above < AREA_SLOTS ? UINT64_MAX << above : 0;
}

/* From the end, where those that lie in one area do not look first. */
static __attribute__((__noinline__)) bool take_several(struct slots *slots,
                                                       const struct slot_want *want, size_t count,
                                                       struct slot_run *ret)
{
        size_t i = atomic_load_explicit(&slots->n_areas, memory_order_acquire);

        while (i--) {
                struct slot_area *area = &slots->areas[i];
                const uint64_t used = atomic_load_explicit(&area->used, memory_order_acquire);
                const uint64_t dma = dma_of(area), at = starts(want, dma) & tail(used);
                struct slot_run run;

                if (!at)
                        continue;
                run = slot_run(i, (size_t)__builtin_ctzll(at), count);
                if (areas_of(run) - 1 > atomic_load_explicit(&area->more, memory_order_relaxed) ||
                    !take_areas(slots, run))
                        continue;
                /* What is taken stays as it is: was it so when it was looked at? */
                if (dma_of(area) == dma &&
                    areas_of(run) - 1 <= atomic_load_explicit(&area->more, memory_order_relaxed)) {
                        *ret = run;
                        return true;
                }
                give_areas(slots, run, areas_of(run));
        }
        return false;
}

bool slots_take(struct slots *slots, const struct slot_want *want, struct slot_run *ret)
{
        /* Those before the first byte are not needed, but for what is before it in its own slot. */
        const uint64_t skip = want->low & ~(uint64_t)(SLOT_BYTES - 1);
        const size_t count = slots_for(want->low - skip + want->bytes);
        const size_t n = atomic_load_explicit(&slots->n_areas, memory_order_acquire);
        size_t at = want->hint < n ? want->hint : 0;
        unsigned first;

        for (size_t i = 0; i < n && count <= AREA_SLOTS; i++) {
                if (take_in_area(&slots->areas[at], want, count, &first)) {
                        *ret = slot_run(at, first, count);
                        return true;
                }
                at = at + 1 < n ? at + 1 : 0;
        }
        return count > 1 && take_several(slots, want, count, ret);
}

/* Most lie in one area. */
static bool give_one(struct slot_area *area, uint64_t mine)
{
        if ((atomic_load_explicit(&area->used, memory_order_relaxed) & mine) != mine)
                return false;
        atomic_fetch_and_explicit(&area->used, ~mine, memory_order_release);
        return true;
}

static __attribute__((__noinline__)) bool give_several(struct slots *slots, struct slot_run run)
{
        for (size_t i = 0; i < areas_of(run); i++) {
                const uint64_t mine = bits_in(run, i);

                if ((atomic_load_explicit(&slots->areas[run_area(run) + i].used,
                                          memory_order_relaxed) &
                     mine) != mine)
                        return false;
        }
        give_areas(slots, run, areas_of(run));
        return true;
}

bool slots_give(struct slots *slots, struct slot_run run)
{
        if (run_first(run) + run_count(run) <= AREA_SLOTS)
                return give_one(&slots->areas[run_area(run)], bits(run_first(run), run_count(run)));
        return give_several(slots, run);
}
