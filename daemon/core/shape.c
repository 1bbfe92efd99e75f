/* SPDX-License-Identifier: MIT */
/*
 * How many segments a place has depends on where in a boundary block it starts, and neither the
 * highest start nor the start of a block is always the best one. What counts is the head: the bytes
 * from the start to the end of its block. The highest start has the shortest head, so the search is
 * for the shortest head that will do. No loop here runs more than a few times, whatever the
 * numbers. Owns nothing.
 */
#include "shape.h"

#include "segment.h"

__extension__ typedef unsigned __int128 u128;

static uint64_t ceil_div(uint64_t a, uint64_t b)
{
        return a / b + (a % b != 0);
}

/*
 * The smallest k with low <= k * step mod modulus <= high; 0 < low <= high < modulus and step <
 * modulus. There must be one. If no multiple of the step lies in [low, high] itself, one does so
 * after going round y times: y * modulus mod step then lies in [-high, -low] mod step, which is the
 * same question with smaller numbers, as in Euclid's algorithm.
 */
static uint64_t first_multiple(uint64_t step, uint64_t modulus, uint64_t low, uint64_t high)
{
        uint64_t rounds;

        assert(step > 0);
        if (ceil_div(low, step) <= high / step)
                return ceil_div(low, step);
        rounds = first_multiple(modulus % step, step, step - high % step, step - low % step);
        return (uint64_t)(((u128)modulus * rounds + low + (step - 1)) / step);
}

/*
 * The shortest head not below @head, a multiple of the alignment like it, whose last segment is at
 * least @tail long (so that what is left of the place takes no segment more than it must). A whole
 * number of segments is a multiple of the alignment, too, sooner or later; false where that is not
 * below 2^64.
 */
static bool head_with_tail(const struct shape *shape, uint64_t head, uint64_t tail, uint64_t *ret)
{
        const uint64_t longest = shape->segment_bytes;
        const uint64_t at = (head - 1) % longest;
        uint64_t steps, bytes;

        *ret = head;
        if (at >= tail - 1)
                return true;
        steps = first_multiple(shape->align_bytes % longest, longest, tail - 1 - at,
                               longest - 1 - at);
        return !__builtin_mul_overflow(steps, shape->align_bytes, &bytes) &&
               !__builtin_add_overflow(head, bytes, ret);
}

/*
 * The shortest usable head not below @head. Heads with the same number of whole blocks behind them
 * are looked at together: head and remainder have a fixed sum then, so that they make up either
 * the least number of segments or one more, as the remainder falls.
 */
static bool head_at_least(const struct shape *shape, uint64_t head, uint64_t *ret)
{
        const uint64_t size = shape->size_bytes, boundary = shape->boundary_bytes;
        const uint64_t longest = shape->segment_bytes;

        while (head <= boundary) {
                uint64_t blocks, sum, least, upto;

                if (size <= head) {
                        *ret = head;
                        return ceil_div(size, longest) <= shape->max_segments;
                }
                blocks = (size - head) / boundary;
                sum = size - blocks * boundary;
                upto = sum < boundary ? sum : boundary;
                least = blocks * ceil_div(boundary, longest) + ceil_div(sum, longest);
                if (least < shape->max_segments) {
                        *ret = head;
                        return true;
                }
                if (least == shape->max_segments &&
                    head_with_tail(shape, head, (sum - 1) % longest + 1, ret) && *ret <= upto)
                        return true;
                head = align_down(upto, shape->align_bytes) + shape->align_bytes;
        }
        return false;
}

uint64_t segments_allowed(const struct constraint *want)
{
        const bool unaligned_cut =
                (want->boundary_bytes && want->boundary_bytes < want->align_bytes) ||
                (want->max_segment_bytes && want->max_segment_bytes < want->align_bytes);

        if (unaligned_cut)
                return 1;
        return want->max_segments == SEGMENTS_ANY ? UINT64_MAX : want->max_segments;
}

bool shape_init(struct shape *shape, const struct constraint *want, uint64_t size_bytes,
                uint64_t align_bytes)
{
        *shape = (struct shape){
                .size_bytes = size_bytes,
                .align_bytes = align_bytes,
                .boundary_bytes = want->boundary_bytes,
                .segment_bytes = segment_bytes_max(want),
                .max_segments = segments_allowed(want),
        };
        if (shape->boundary_bytes > align_bytes)
                return head_at_least(shape, align_bytes, &shape->best_head);

        /* Without blocks, or where all starts are at the beginning of one, all are alike. */
        shape->boundary_bytes = 0;
        return segment_count(want, range_of(0, size_bytes)) <= shape->max_segments;
}

bool shape_fit(const struct shape *shape, struct range run, uint64_t *ret_first)
{
        const uint64_t boundary = shape->boundary_bytes;
        uint64_t first, block, head;

        assert(run.last - run.first >= shape->size_bytes - 1);
        first = align_down(run.last - (shape->size_bytes - 1), shape->align_bytes);
        if (boundary) {
                block = align_down(first, boundary);
                if (head_at_least(shape, boundary - (first - block), &head))
                        first = block + (boundary - head);
                else if (block >= shape->best_head)
                        first = block - shape->best_head;
                else
                        return false;
        }
        if (first < run.first)
                return false;
        *ret_first = first;
        return true;
}
