/* SPDX-License-Identifier: MIT */
/*
 * Owns the difference that it made to nr_hugepages. Others change that number too, so what is
 * remembered is how much was added, never a value to go back to. The number that is written counts
 * persistent pages, while the one that is read counts surplus ones too: all sums here are of
 * persistent pages. What came is told by looking before and after, node by node, and the record
 * says before each step what may come of it; so a step that is cut off by a kill can still be told.
 * Refuses to take what keep_free protects, and to give back what it did not add.
 */
#include "stock_private.h"

#include "macros.h"
#include "sysfs.h"

#include <errno.h>

/* Raising the number turns surplus pages into persistent ones first, which adds none that is free:
 * what is still missing then is asked for again. Lowering it again gets what came free while it was
 * lowered. */
#define TRIES 4

/* How often figures are read until two readings agree: a process that ends is not as long at it. */
#define READS_MAX 1000

/* What is added at once: after each step keep_free is looked at again. */
#define STEP_BYTES (256 * MiB)

/* struct step - the entries that something under way concerns, and how many pages of each */
struct step {
        struct record_entry *entries[RECORD_ENTRIES_MAX];
        int64_t changes[RECORD_ENTRIES_MAX];
        size_t n;
};

static void unlock(pthread_mutex_t **lock)
{
        pthread_mutex_unlock(*lock);
}

static uint64_t smaller(uint64_t a, uint64_t b)
{
        return a < b ? a : b;
}

static bool same(const struct hugepages *a, const struct hugepages *b)
{
        return a->total == b->total && a->free == b->free && a->promised == b->promised &&
               a->surplus == b->surplus;
}

/* Each figure has a file of its own, and surplus pages go while they are read one after the other:
 * they count together only where none of them has changed. */
static int read_size(const struct stock *stock, uint64_t page_bytes, int node,
                     struct hugepages *ret)
{
        struct hugepages again;
        int r;

        r = sysfs_hugepages(stock->root, page_bytes, node, ret);
        for (unsigned i = 0; !r && i < READS_MAX; i++) {
                r = sysfs_hugepages(stock->root, page_bytes, node, &again);
                if (!r && same(ret, &again))
                        return 0;
                *ret = again;
        }
        return r;
}

static int read_pages(const struct stock *stock, const struct record_entry *entry,
                      struct hugepages *ret)
{
        return read_size(stock, entry->page_bytes, (int)entry->node, ret);
}

int stock_settle(struct stock *stock, struct record_entry *entry)
{
        struct hugepages pages;
        int64_t came, added;
        uint64_t now;
        int r;

        r = read_pages(stock, entry, &pages);
        if (r)
                return r;
        now = hugepages_persistent(&pages);
        came = (int64_t)(now - entry->before);
        if (came > 0)
                came = entry->change < 0 ? 0 : came > entry->change ? entry->change : came;
        else
                came = entry->change > 0 ? 0 : came < entry->change ? entry->change : came;

        /* Others may have taken away what we added: there is never more to give back than exists.
         */
        added = (int64_t)entry->added + came;
        entry->added = added > 0 ? smaller((uint64_t)added, now) : 0;
        entry->change = 0;
        return 0;
}

/* A record that cannot be written here still says what may have come: that is enough. */
static void settle(struct stock *stock, const struct step *step)
{
        for (size_t i = 0; i < step->n; i++)
                (void)stock_settle(stock, step->entries[i]);
        (void)record_save(&stock->record);
}

/* Write down that up to @change pages of an entry may come or go now. */
static int announce(struct stock *stock, struct record_entry *entry, int64_t change)
{
        struct hugepages pages;
        int r;

        if (entry->change) {
                r = stock_settle(stock, entry);
                if (r)
                        return r;
        }
        r = read_pages(stock, entry, &pages);
        if (r)
                return r;
        entry->before = hugepages_persistent(&pages);
        entry->change = change;
        return 0;
}

/* What is announced stands in the record when this returns 0; otherwise nothing may be done. */
static int begin(struct stock *stock, const struct step *step)
{
        size_t n = 0;
        int r = 0;

        while (!r && n < step->n) {
                r = announce(stock, step->entries[n], step->changes[n]);
                n += r == 0;
        }
        if (!r)
                r = record_save(&stock->record);
        while (r && n > 0)
                step->entries[--n]->change = 0;
        return r;
}

/* A step over all entries of a size, or one node's. */
static int choose(struct stock *stock, uint64_t page_bytes, int node, int64_t change,
                  struct step *ret)
{
        struct record_entry *entry;

        ret->n = 0;
        for (size_t i = 0; i < stock->n_nodes; i++) {
                if (node != NODE_ANY && node != stock->nodes[i])
                        continue;
                entry = record_entry(&stock->record, page_bytes, stock->nodes[i], true);
                if (!entry)
                        return -ENOSPC;
                ret->entries[ret->n] = entry;
                ret->changes[ret->n++] = change;
        }
        return ret->n ? 0 : -ENOENT;
}

/* Return: 0 and how many pages there are more now; negative errno. */
static int raise_number(const struct stock *stock, uint64_t page_bytes, int node, uint64_t count,
                        uint64_t *ret_came)
{
        struct hugepages pages;
        uint64_t first, before, came = 0;
        int r;

        r = read_size(stock, page_bytes, NODE_ANY, &pages);
        if (r)
                return r;
        first = pages.total;
        for (unsigned i = 0; i < TRIES && came < count; i++) {
                before = hugepages_persistent(&pages);
                r = sysfs_set_hugepages(stock->root, page_bytes, node, before + count - came);
                if (!r)
                        r = read_size(stock, page_bytes, NODE_ANY, &pages);
                if (r)
                        return r;
                came = pages.total > first ? pages.total - first : 0;
                if (hugepages_persistent(&pages) <= before)
                        break;
        }
        *ret_came = came;
        return 0;
}

static int raise_step(struct stock *stock, uint64_t page_bytes, int node, uint64_t count,
                      uint64_t *ret_came)
{
        struct hugepages all;
        struct step step;
        int r;

        r = read_size(stock, page_bytes, NODE_ANY, &all);
        if (r)
                return r;
        r = choose(stock, page_bytes, node, (int64_t)(count + all.surplus), &step);
        if (r)
                return r;
        r = begin(stock, &step);
        if (r)
                return r;
        r = raise_number(stock, page_bytes, node, count, ret_came);
        settle(stock, &step);
        return r;
}

/*
 * How many pages of up to @count may be added. Return: 0; -EDQUOT where keep_free allows none;
 * -ENOMEM where there is no memory for one anyway; other negative errno.
 */
static int mind_keep_free(struct stock *stock, uint64_t page_bytes, uint64_t count, uint64_t *ret)
{
        uint64_t keep = atomic_load(&stock->keep_free_bytes), available;
        int r;

        r = sysfs_memory_available(stock->root, &available);
        if (r)
                return r;
        if (available < page_bytes)
                return -ENOMEM;
        if (available - page_bytes < keep)
                return -EDQUOT;
        *ret = smaller(count, (available - keep) / page_bytes);
        return 0;
}

int stock_more(struct stock *stock, uint64_t page_bytes, int node, uint64_t count,
               uint64_t *ret_added)
{
        _cleanup_(unlock) pthread_mutex_t *held = &stock->lock;
        const uint64_t most = page_bytes < STEP_BYTES ? STEP_BYTES / page_bytes : 1;
        uint64_t added = 0, wanted, allowed, came;
        _cleanup_(stock_unlock_fd) int lock = -1;
        int r;

        pthread_mutex_lock(held);
        if (!stock->reserve)
                return -EOPNOTSUPP;
        r = sysfs_lock(stock->root, &lock);
        while (!r && added < count) {
                wanted = smaller(count - added, most);
                r = mind_keep_free(stock, page_bytes, wanted, &allowed);
                if (!r)
                        r = raise_step(stock, page_bytes, node, allowed, &came);
                if (r)
                        break;
                added += smaller(came, allowed);
                if (came < allowed)
                        break;
        }
        if (r && r != -EDQUOT && r != -ENOMEM && !added)
                return r;
        *ret_added = added;
        return r == -EDQUOT ? r : 0;
}

/* Up to @count surplus pages of a node, or of all, become persistent ones, and ours, to be given
 * back at the end. The kernel does that before it adds any. */
static int absorb(struct stock *stock, const struct hugepages *all, uint64_t page_bytes, int node,
                  uint64_t count)
{
        struct step step;
        int r;

        count = smaller(count, all->surplus);
        r = choose(stock, page_bytes, node, (int64_t)count, &step);
        if (!r)
                r = begin(stock, &step);
        if (r)
                return r;
        r = sysfs_set_hugepages(stock->root, page_bytes, node, hugepages_persistent(all) + count);
        settle(stock, &step);
        return r;
}

void stock_reclaim(struct stock *stock, uint64_t page_bytes, uint64_t count)
{
        _cleanup_(unlock) pthread_mutex_t *held = &stock->lock;
        _cleanup_(stock_unlock_fd) int lock = -1;
        struct hugepages all;

        pthread_mutex_lock(held);
        if (!stock->reserve || sysfs_lock(stock->root, &lock) ||
            read_size(stock, page_bytes, NODE_ANY, &all) || !all.surplus)
                return;
        (void)absorb(stock, &all, page_bytes, NODE_ANY, count);
}

/*
 * The kernel goes no lower than the used pages are many, surplus ones included, and rather calls
 * free pages surplus, which stay then. So where that could happen, the surplus pages become
 * persistent ones first.
 */
static int absorb_surplus(struct stock *stock, uint64_t page_bytes, uint64_t count)
{
        struct hugepages all;
        uint64_t persistent;
        int r;

        r = read_size(stock, page_bytes, NODE_ANY, &all);
        if (r)
                return r;
        persistent = hugepages_persistent(&all);
        if (!all.surplus ||
            persistent - smaller(persistent, count) >= all.total - all.free + all.promised)
                return 0;
        return absorb(stock, &all, page_bytes, NODE_ANY, all.surplus);
}

/* The record says that pages go until it is known what came of it: strays included. */
static int lower_once(struct stock *stock, struct record_entry *entry, uint64_t count)
{
        struct step step = { { entry }, { -(int64_t)count }, 1 };
        struct hugepages all;
        uint64_t persistent;
        int r;

        r = begin(stock, &step);
        if (r)
                return r;
        r = read_size(stock, entry->page_bytes, NODE_ANY, &all);
        if (!r) {
                persistent = hugepages_persistent(&all);
                r = sysfs_set_hugepages(stock->root, entry->page_bytes, (int)entry->node,
                                        persistent - smaller(persistent, count));
        }
        (void)stock_settle(stock, entry);
        return r;
}

/*
 * Of @count pages that were to go, those that are free and called surplus: the kernel gives the
 * free pages to the system without a lock, and then makes all that is still too many surplus, also
 * what became free meanwhile (set_max_huge_pages(), 6.18). Nothing takes those away: a surplus page
 * goes when it becomes free, not when it is.
 */
static int find_strays(const struct stock *stock, const struct record_entry *entry, uint64_t count,
                       struct hugepages *ret_all, uint64_t *ret)
{
        struct hugepages pages;
        int r;

        r = read_pages(stock, entry, &pages);
        if (!r)
                r = read_size(stock, entry->page_bytes, NODE_ANY, ret_all);
        if (r)
                return r;
        *ret = smaller(smaller(count, pages.surplus),
                       smaller(pages.free, hugepages_available(ret_all)));
        return 0;
}

int stock_absorb_strays(struct stock *stock, struct record_entry *entry, uint64_t count)
{
        struct hugepages all;
        uint64_t strays;
        int r;

        r = find_strays(stock, entry, count, &all, &strays);
        if (r || !strays)
                return r;
        return absorb(stock, &all, entry->page_bytes, (int)entry->node, strays);
}

int stock_lower(struct stock *stock, struct record_entry *entry, uint64_t count)
{
        uint64_t left;
        int r;

        r = lower_once(stock, entry, count);
        left = entry->added;
        for (unsigned i = 0; !r && i < TRIES; i++) {
                r = stock_absorb_strays(stock, entry, count);
                if (r || entry->added <= left)
                        break;
                count = entry->added - left;
                r = lower_once(stock, entry, count);
                left = entry->added;
        }
        (void)record_save(&stock->record);
        return r;
}

uint64_t stock_lower_free(struct stock *stock, struct record_entry *entry, uint64_t count)
{
        struct hugepages pages;
        uint64_t had;

        if (!entry->added || read_pages(stock, entry, &pages))
                return 0;
        count = smaller(smaller(count, entry->added), hugepages_available(&pages));
        if (!count || absorb_surplus(stock, entry->page_bytes, count))
                return 0;
        had = entry->added;
        if (stock_lower(stock, entry, count))
                return 0;
        return had - smaller(had, entry->added);
}

void stock_less(struct stock *stock, uint64_t page_bytes, int node, uint64_t count)
{
        _cleanup_(unlock) pthread_mutex_t *held = &stock->lock;
        _cleanup_(stock_unlock_fd) int lock = -1;
        struct record_entry *entry;
        struct hugepages pages;

        pthread_mutex_lock(held);
        if (sysfs_lock(stock->root, &lock) || read_size(stock, page_bytes, NODE_ANY, &pages))
                return;
        /* Only here is it told how many are promised to mappings. */
        count = smaller(count, hugepages_available(&pages));
        for (size_t i = 0; count && i < stock->record.n; i++) {
                entry = &stock->record.entries[i];
                if (entry->page_bytes == page_bytes && (node == NODE_ANY || node == entry->node))
                        count -= stock_lower_free(stock, entry, count);
        }
}

uint64_t stock_demotable(const struct stock *stock, uint64_t small_bytes)
{
        uint64_t sizes[16];
        size_t n = hugetlb_page_sizes(sizes, ARRAY_SIZE(sizes));

        for (size_t i = smaller(n, ARRAY_SIZE(sizes)); i-- > 0;)
                if (sizes[i] > small_bytes && sysfs_can_demote(stock->root, sizes[i]))
                        return sizes[i];
        return 0;
}

/* An entry with a free page of ours; NULL: there is none. */
static struct record_entry *find_free(struct stock *stock, uint64_t page_bytes, int node)
{
        struct record_entry *entry;
        struct hugepages pages;

        for (size_t i = 0; i < stock->record.n; i++) {
                entry = &stock->record.entries[i];
                if (entry->page_bytes == page_bytes && entry->added &&
                    (node == NODE_ANY || node == entry->node) &&
                    read_pages(stock, entry, &pages) == 0 && pages.free)
                        return entry;
        }
        return NULL;
}

int stock_demote(struct stock *stock, uint64_t page_bytes, int node, uint64_t small_bytes)
{
        _cleanup_(unlock) pthread_mutex_t *held = &stock->lock;
        struct record_entry *large, *small;
        _cleanup_(stock_unlock_fd) int lock = -1;
        struct step step;
        int r;

        pthread_mutex_lock(held);
        if (!stock->reserve || !small_bytes || page_bytes % small_bytes ||
            page_bytes == small_bytes)
                return -EOPNOTSUPP;
        r = sysfs_lock(stock->root, &lock);
        if (r)
                return r;
        large = find_free(stock, page_bytes, node);
        if (!large)
                return -ENOMEM;
        small = record_entry(&stock->record, small_bytes, (int)large->node, true);
        if (!small)
                return -ENOSPC;

        step = (struct step){ { large, small }, { -1, (int64_t)(page_bytes / small_bytes) }, 2 };
        r = begin(stock, &step);
        if (r)
                return r;
        r = sysfs_demote_hugepage(stock->root, page_bytes, (int)large->node, small_bytes);
        settle(stock, &step);
        return r;
}

void stock_set_keep_free(struct stock *stock, uint64_t bytes)
{
        atomic_store(&stock->keep_free_bytes, bytes);
}
