/* SPDX-License-Identifier: MIT */
/*
 * How many segments a place has depends on where in a boundary block it starts, and neither the
 * highest start nor the start of a block is always the best one. What counts is the head: the bytes
 * from the start to the end of its block. The highest start has the shortest head, so the search is
 * for the shortest head that will do. No loop here runs more than a few times, but for one that
 * runs once for each doubling of the alignment, whatever the numbers. Owns nothing.
 */
#include "shape.h"

#include "segment.h"

__extension__ typedef unsigned __int128 u128;

static uint64_t lowest_bit(uint64_t v)
{
        return v & -v;
}

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
 * The shortest head not below @head, away from it by a multiple of the alignment, whose last
 * segment is at least @tail long (so that what is left of the place takes no segment more than it
 * must). False where none below 2^64 is.
 */
static bool head_with_tail(const struct shape *shape, uint64_t head, uint64_t tail, uint64_t *ret)
{
        const uint64_t longest = shape->segment_bytes, align = shape->align_bytes;
        const uint64_t at = (head - 1) % longest;
        const uint64_t divisor = lowest_bit(longest | align); /* greatest common one: see below */
        uint64_t steps, bytes;

        *ret = head;
        if (at >= tail - 1)
                return true;
        /*
         * Steps of the alignment, taken modulo the longest segment, lead to all that differs from
         * @at by a multiple of the greatest common divisor, and nowhere else. That divisor is a
         * power of two, as the alignment is. This is the last such place in a segment.
         */
        if (longest - divisor + at % divisor < tail - 1)
                return false;
        steps = first_multiple(align % longest, longest, tail - 1 - at, longest - 1 - at);
        return !__builtin_mul_overflow(steps, align, &bytes) &&
               !__builtin_add_overflow(head, bytes, ret);
}

/*
 * Where no segment is shorter than its block but the first and the last, the place must leave the
 * first block in time: a head below that is too short, all others will do.
 */
static bool head_of_blocks(const struct shape *shape, uint64_t head, uint64_t *ret)
{
        uint64_t behind, shortest;

        *ret = head;
        if (__builtin_mul_overflow(shape->max_segments - 1, shape->boundary_bytes, &behind) ||
            behind >= shape->size_bytes)
                return true;
        shortest = shape->size_bytes - behind;
        if (head < shortest && (!align_up(shortest - head, shape->align_bytes, ret) ||
                                __builtin_add_overflow(*ret, head, ret)))
                return false;
        return *ret <= shape->boundary_bytes;
}

/*
 * The shortest usable head not below @head, away from it by a multiple of the alignment. Heads with
 * the same number of whole blocks behind them are looked at together: head and remainder have a
 * fixed sum then, so that they make up either the least number of segments or one more, as the
 * remainder falls.
 */
static bool head_at_least(const struct shape *shape, uint64_t head, uint64_t *ret)
{
        const uint64_t size = shape->size_bytes, boundary = shape->boundary_bytes;
        const uint64_t longest = shape->segment_bytes;

        if (longest == boundary)
                return head_of_blocks(shape, head, ret);
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
                head += align_down(upto - head, shape->align_bytes) + shape->align_bytes;
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

/*
 * Make the alignment as large as can be. Heads are multiples of it; where none that is usable is an
 * odd multiple, all of them are multiples of twice the alignment, and so are all starts, because
 * the block is one, too. No start is lost, and a search that knows the larger alignment passes over
 * whatever holds no multiple of it. A place of size s that must not straddle a boundary b, for
 * example, may only start at multiples of b if s > b - alignment. When the alignment has become the
 * block, all starts are at the beginning of one: they are alike, and the boundary can be forgotten.
 */
static void raise_alignment(struct shape *shape)
{
        while (shape->align_bytes < shape->boundary_bytes) {
                struct shape twice = *shape;
                uint64_t odd;

                twice.align_bytes *= 2;
                if (shape->best_head & shape->align_bytes ||
                    head_at_least(&twice, shape->align_bytes, &odd))
                        return;
                *shape = twice;
        }
        shape->boundary_bytes = 0;
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
        if (shape->boundary_bytes > align_bytes) {
                if (!head_at_least(shape, align_bytes, &shape->best_head))
                        return false;
                raise_alignment(shape);
                return true;
        }

        /* Without blocks, or where all starts are at the beginning of one, all are alike. */
        shape->boundary_bytes = 0;
        return size_bytes <= shape->segment_bytes ||
               segment_count(want, range_of(0, size_bytes)) <= shape->max_segments;
}

bool shape_below(const struct shape *shape, uint64_t at, uint64_t *ret)
{
        const uint64_t boundary = shape->boundary_bytes;
        uint64_t first, block, head;

        first = align_down(at, shape->align_bytes);
        if (boundary) {
                block = align_down(first, boundary);
                if (head_at_least(shape, boundary - (first - block), &head))
                        first = block + (boundary - head);
                else if (block >= shape->best_head)
                        first = block - shape->best_head;
                else
                        return false;
        }
        *ret = first;
        return true;
}
