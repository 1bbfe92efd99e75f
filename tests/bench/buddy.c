/* SPDX-License-Identifier: MIT */
/*
 * Owns two arrays by granule: the links of the blocks that begin there, and their orders. A granule
 * where no free block begins has the order 0 there, others one more than theirs. The heads of the
 * lists are the last entries of the array of links, so that lists are circular. Invariant: no two
 * buddies are free and of one order.
 */
#include "buddy.h"

#include "huge_array.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct links {
        uint32_t next, prev;
};

/**
 * struct buddy - free granules
 * @links:  @n entries, and the heads of the lists; owned
 * @orders: @n entries; owned
 * @base:   number of the first granule
 * @n:      how many granules
 * @free:   how many of them are free
 */
struct buddy {
        struct links *links;
        uint8_t *orders;
        uint64_t base, n, free;
};

static size_t links_bytes(const struct buddy *buddy)
{
        return (buddy->n + BUDDY_ORDERS) * sizeof(*buddy->links);
}

/* ---- lists: entries are numbers of granules above the base, heads follow them ---------------- */

static uint32_t head_of(const struct buddy *buddy, unsigned order)
{
        return (uint32_t)buddy->n + order;
}

static void insert_after(struct buddy *buddy, uint32_t at, uint32_t entry)
{
        const uint32_t next = buddy->links[at].next;

        buddy->links[entry] = (struct links){ .next = next, .prev = at };
        buddy->links[next].prev = entry;
        buddy->links[at].next = entry;
}

static void insert(struct buddy *buddy, struct block block, bool at_tail)
{
        const uint32_t head = head_of(buddy, block.order);
        const uint32_t entry = (uint32_t)(block.first - buddy->base);

        insert_after(buddy, at_tail ? buddy->links[head].prev : head, entry);
        buddy->orders[entry] = (uint8_t)(block.order + 1);
}

static void take_out(struct buddy *buddy, struct block block)
{
        const uint32_t entry = (uint32_t)(block.first - buddy->base);
        const struct links links = buddy->links[entry];

        buddy->links[links.prev].next = links.next;
        buddy->links[links.next].prev = links.prev;
        buddy->orders[entry] = 0;
}

static bool is_free(const struct buddy *buddy, struct block block)
{
        const uint64_t entry = block.first - buddy->base;

        /* Below the base the difference wraps. */
        return entry < buddy->n && buddy->orders[entry] == block.order + 1;
}

/* ---- from the beginning to the end ----------------------------------------------------------- */

int buddy_new(struct range granules, struct buddy **ret)
{
        struct buddy *buddy;

        if (granules.last - granules.first >= UINT32_MAX - BUDDY_ORDERS)
                return -ENOTSUP;
        buddy = calloc(1, sizeof(*buddy));
        if (!buddy)
                return -ENOMEM;
        buddy->base = granules.first;
        buddy->n = range_size(granules);
        buddy->links = huge_array_new(links_bytes(buddy));
        buddy->orders = huge_array_new(buddy->n);
        if (!buddy->links || !buddy->orders) {
                buddy_free(buddy);
                return -ENOMEM;
        }
        for (unsigned order = 0; order < BUDDY_ORDERS; order++) {
                const uint32_t head = head_of(buddy, order);

                buddy->links[head] = (struct links){ .next = head, .prev = head };
        }
        *ret = buddy;
        return 0;
}

void buddy_free(struct buddy *buddy)
{
        if (!buddy)
                return;
        huge_array_free(buddy->links, links_bytes(buddy));
        huge_array_free(buddy->orders, buddy->n);
        free(buddy);
}

unsigned buddy_order(uint64_t count)
{
        return count > 1 ? 64 - (unsigned)__builtin_clzll(count - 1) : 0;
}

void buddy_add(struct buddy *buddy, struct range granules)
{
        uint64_t first = granules.first;

        buddy->free += range_size(granules);
        while (first <= granules.last) {
                unsigned order = 0;

                while (order + 1 < BUDDY_ORDERS && !(first & (UINT64_C(1) << order)) &&
                       granules.last - first >= (UINT64_C(2) << order) - 1)
                        order++;
                insert(buddy, (struct block){ first, order }, true);
                first += UINT64_C(1) << order;
        }
}

/* ---- searching ------------------------------------------------------------------------------- */

/* The lowest part of a free block that satisfies a request; false where none does. */
static bool part_for(const struct buddy_request *want, unsigned order, struct block from,
                     struct block *ret)
{
        const uint64_t last = from.first + ((UINT64_C(1) << from.order) - 1);
        const uint64_t size = UINT64_C(1) << order;
        uint64_t first = from.first;

        if (first < want->window.first)
                first = want->window.first;
        if (!align_up(first, want->align > size ? want->align : size, &first) || first > last ||
            first > want->window.last || want->window.last - first < want->count - 1)
                return false;
        *ret = (struct block){ first, order };
        return true;
}

bool buddy_find(const struct buddy *buddy, const struct buddy_request *want, struct block *ret_from,
                struct block *ret_block)
{
        const unsigned least = buddy_order(want->count);

        for (unsigned order = least; order < BUDDY_ORDERS; order++) {
                const uint32_t head = head_of(buddy, order);

                for (uint32_t i = buddy->links[head].next; i != head; i = buddy->links[i].next) {
                        const struct block from = { buddy->base + i, order };

                        if (part_for(want, least, from, ret_block)) {
                                *ret_from = from;
                                return true;
                        }
                }
        }
        return false;
}

bool buddy_first(const struct buddy *buddy, unsigned order, struct block *ret)
{
        for (; order < BUDDY_ORDERS; order++) {
                const uint32_t head = head_of(buddy, order);

                if (buddy->links[head].next == head)
                        continue;
                *ret = (struct block){ buddy->base + buddy->links[head].next, order };
                return true;
        }
        return false;
}

/* ---- changes --------------------------------------------------------------------------------- */

void buddy_take(struct buddy *buddy, struct block from, struct block block)
{
        assert(is_free(buddy, from) && block.order <= from.order);
        take_out(buddy, from);
        while (from.order > block.order) {
                struct block other = { from.first, --from.order };
                const uint64_t upper = from.first + (UINT64_C(1) << from.order);

                if (block.first >= upper)
                        from.first = upper;
                else
                        other.first = upper;
                insert(buddy, other, false);
        }
        buddy->free -= UINT64_C(1) << block.order;
}

static struct block buddy_of(struct block block)
{
        block.first ^= UINT64_C(1) << block.order;
        return block;
}

static struct block parent_of(struct block block)
{
        block.first &= ~(UINT64_C(1) << block.order);
        block.order++;
        return block;
}

/*
 * Whether a block is one that Linux leaves alone for a while: it would merge twice as soon as its
 * buddy comes free, since the buddy of what both make up is free.
 */
static bool merge_is_likely(const struct buddy *buddy, struct block block)
{
        return block.order + 1 < BUDDY_ORDERS && is_free(buddy, buddy_of(parent_of(block)));
}

void buddy_give(struct buddy *buddy, struct block block)
{
        buddy->free += UINT64_C(1) << block.order;
        while (block.order + 1 < BUDDY_ORDERS && is_free(buddy, buddy_of(block))) {
                take_out(buddy, buddy_of(block));
                block = parent_of(block);
        }
        insert(buddy, block, merge_is_likely(buddy, block));
}

/* ---- what there is --------------------------------------------------------------------------- */

uint64_t buddy_free_count(const struct buddy *buddy)
{
        return buddy->free;
}

/* How many entries of the free block around an entry there are from it on; 0 where it is taken. */
static uint64_t free_from(const struct buddy *buddy, uint64_t entry)
{
        for (unsigned order = 0; order < BUDDY_ORDERS; order++) {
                const uint64_t mask = (UINT64_C(1) << order) - 1;
                const uint64_t first = (buddy->base + entry) & ~mask;

                if (is_free(buddy, (struct block){ first, order }))
                        return mask + 1 - (buddy->base + entry - first);
        }
        return 0;
}

/* The first entry of [@at, @end) with a free block; @end if none. */
static uint64_t next_free(const struct buddy *buddy, uint64_t at, uint64_t end)
{
        uint64_t eight;

        while (at < end && !buddy->orders[at]) {
                at++;
                while (end - at >= sizeof(eight)) {
                        memcpy(&eight, &buddy->orders[at], sizeof(eight));
                        if (eight)
                                break;
                        at += sizeof(eight);
                }
        }
        return at;
}

uint64_t buddy_longest(const struct buddy *buddy, struct range window)
{
        const struct range all = { buddy->base, buddy->base + (buddy->n - 1) };
        uint64_t at, end, run, longest = 0;

        if (!range_intersect(window, all, &window))
                return 0;
        at = window.first - buddy->base;
        end = window.last - buddy->base + 1;
        run = free_from(buddy, at);
        while (at + run < end) {
                const uint64_t next = at + run;

                if (buddy->orders[next]) {
                        run += UINT64_C(1) << (buddy->orders[next] - 1);
                        continue;
                }
                longest = run > longest ? run : longest;
                at = next_free(buddy, next, end);
                run = 0;
        }
        run = end - at;
        return run > longest ? run : longest;
}

size_t buddy_metadata_bytes(const struct buddy *buddy)
{
        return sizeof(*buddy) + links_bytes(buddy) + buddy->n;
}
