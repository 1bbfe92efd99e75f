/* SPDX-License-Identifier: MIT */
/*
 * Owns the difference that it made to nr_hugepages. Others change that number too, so what is
 * remembered is how much was added, never a value to go back to. The number that is written counts
 * persistent pages, while the one that is read counts surplus ones too: all sums here are of
 * persistent pages. What came is told by looking before and after, node by node, and the record
 * says before each step what may come of it; so a step that is cut off by a kill can still be told.
 * Refuses to take what keep_free protects, and to give back what it did not add.
 */
#include "stock.h"

#include "macros.h"
#include "sysfs.h"
#include "units.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Raising the number turns surplus pages into persistent ones first, which adds none that is free:
 * what is still missing then is asked for again. */
#define TRIES 4

/* What is added at once: after each step keep_free is looked at again. */
#define STEP_BYTES (256 * MiB)

/* struct step - the entries that something under way concerns, and how many pages of each */
struct step {
        struct record_entry *entries[RECORD_ENTRIES_MAX];
        int64_t changes[RECORD_ENTRIES_MAX];
        size_t n;
};

static void close_fd(int *fd)
{
        if (*fd >= 0)
                close(*fd);
}

static void unlock(pthread_mutex_t **lock)
{
        pthread_mutex_unlock(*lock);
}

static uint64_t smaller(uint64_t a, uint64_t b)
{
        return a < b ? a : b;
}

static int read_pages(const struct stock *stock, const struct record_entry *entry,
                      struct hugepages *ret)
{
        return sysfs_hugepages(stock->root, entry->page_bytes, (int)entry->node, ret);
}

/* Note what became of what was under way. */
static int settle_entry(struct stock *stock, struct record_entry *entry)
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
                (void)settle_entry(stock, step->entries[i]);
        (void)record_save(&stock->record);
}

/* Write down that up to @change pages of an entry may come or go now. */
static int announce(struct stock *stock, struct record_entry *entry, int64_t change)
{
        struct hugepages pages;
        int r;

        if (entry->change) {
                r = settle_entry(stock, entry);
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

        r = sysfs_hugepages(stock->root, page_bytes, NODE_ANY, &pages);
        if (r)
                return r;
        first = pages.total;
        for (unsigned i = 0; i < TRIES && came < count; i++) {
                before = hugepages_persistent(&pages);
                r = sysfs_set_hugepages(stock->root, page_bytes, node, before + count - came);
                if (!r)
                        r = sysfs_hugepages(stock->root, page_bytes, NODE_ANY, &pages);
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

        r = sysfs_hugepages(stock->root, page_bytes, NODE_ANY, &all);
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
        _cleanup_(close_fd) int lock = -1;
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

/*
 * The kernel goes no lower than the used pages are many, surplus ones included, and rather calls
 * free pages surplus, which stay then. So where that could happen, the surplus pages become
 * persistent ones first, and ours, to be given back at the end.
 */
static int absorb_surplus(struct stock *stock, uint64_t page_bytes, uint64_t count)
{
        struct hugepages all;
        struct step step;
        uint64_t persistent;
        int r;

        r = sysfs_hugepages(stock->root, page_bytes, NODE_ANY, &all);
        if (r)
                return r;
        persistent = hugepages_persistent(&all);
        if (!all.surplus ||
            persistent - smaller(persistent, count) >= all.total - all.free + all.promised)
                return 0;
        r = choose(stock, page_bytes, NODE_ANY, (int64_t)all.surplus, &step);
        if (!r)
                r = begin(stock, &step);
        if (r)
                return r;
        r = sysfs_set_hugepages(stock->root, page_bytes, NODE_ANY, all.total);
        settle(stock, &step);
        return r;
}

/* Used pages that are in the way become surplus: they go when they no longer are. */
static int lower(struct stock *stock, struct record_entry *entry, uint64_t count)
{
        struct step step = { { entry }, { -(int64_t)count }, 1 };
        struct hugepages all;
        uint64_t persistent;
        int r;

        r = begin(stock, &step);
        if (r)
                return r;
        r = sysfs_hugepages(stock->root, entry->page_bytes, NODE_ANY, &all);
        if (!r) {
                persistent = hugepages_persistent(&all);
                r = sysfs_set_hugepages(stock->root, entry->page_bytes, (int)entry->node,
                                        persistent - smaller(persistent, count));
        }
        settle(stock, &step);
        return r;
}

/* Of an entry as many as are free, and ours. Return: how many went. */
static uint64_t lower_free(struct stock *stock, struct record_entry *entry, uint64_t count)
{
        struct hugepages pages;
        uint64_t had;

        if (!entry->added || read_pages(stock, entry, &pages))
                return 0;
        count = smaller(smaller(count, entry->added), hugepages_available(&pages));
        if (!count || absorb_surplus(stock, entry->page_bytes, count))
                return 0;
        had = entry->added;
        if (lower(stock, entry, count))
                return 0;
        return had - smaller(had, entry->added);
}

void stock_less(struct stock *stock, uint64_t page_bytes, int node, uint64_t count)
{
        _cleanup_(unlock) pthread_mutex_t *held = &stock->lock;
        _cleanup_(close_fd) int lock = -1;
        struct record_entry *entry;
        struct hugepages pages;

        pthread_mutex_lock(held);
        if (sysfs_lock(stock->root, &lock) ||
            sysfs_hugepages(stock->root, page_bytes, NODE_ANY, &pages))
                return;
        /* Only here is it told how many are promised to mappings. */
        count = smaller(count, hugepages_available(&pages));
        for (size_t i = 0; count && i < stock->record.n; i++) {
                entry = &stock->record.entries[i];
                if (entry->page_bytes == page_bytes && (node == NODE_ANY || node == entry->node))
                        count -= lower_free(stock, entry, count);
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
        _cleanup_(close_fd) int lock = -1;
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

struct sentence {
        char *text;
        size_t room;
};

static int fail(struct sentence error, int r, const char *format, ...)
        __attribute__((__format__(__printf__, 3, 4)));

static int fail(struct sentence error, int r, const char *format, ...)
{
        va_list args;

        va_start(args, format);
        vsnprintf(error.text, error.room, format, args);
        va_end(args);
        return r;
}

static const char *where(int node, char text[32])
{
        if (node == NODE_ANY)
                return "";
        snprintf(text, 32, " on node %d", node);
        return text;
}

static int no_such_size(struct sentence error, const struct hugetlb_need *need)
{
        char size[UNIT_TEXT_BYTES], node[32], list[128] = "none";
        uint64_t sizes[8];
        size_t used = 0, n;

        n = hugetlb_page_sizes(sizes, ARRAY_SIZE(sizes));
        for (size_t i = 0; i < n && i < ARRAY_SIZE(sizes) && used < sizeof(list) - 32; i++) {
                char one[UNIT_TEXT_BYTES];

                used += (size_t)snprintf(list + used, sizeof(list) - used, "%s%s", i ? ", " : "",
                                         size_human(sizes[i], one));
        }
        return fail(error, -ENOENT, "there are no hugepages of %s%s; this system has sizes: %s",
                    size_human(need->page_bytes, size), where(need->node, node), list);
}

static int check_need(const struct stock *stock, const struct hugetlb_need *need,
                      struct sentence error)
{
        char size[UNIT_TEXT_BYTES], node[32];
        struct hugepages pages;
        int r;

        r = sysfs_hugepages(stock->root, need->page_bytes, need->node, &pages);
        if (r == -ENOENT)
                return no_such_size(error, need);
        if (r)
                return fail(error, r, "cannot read how many hugepages of %s there are: %s",
                            size_human(need->page_bytes, size), strerror(-r));
        r = stock->reserve ? sysfs_may_set_hugepages(stock->root, need->page_bytes, need->node) : 0;
        if (r)
                return fail(error, r,
                            "cannot reserve hugepages of %s%s: %s (only root may write "
                            "nr_hugepages; with hugepages = \"existing\" those are taken that are "
                            "there)",
                            size_human(need->page_bytes, size), where(need->node, node),
                            strerror(-r));
        return 0;
}

static void tell(const struct stock *stock, const struct record_entry *entry, const char *what)
{
        char text[256], size[UNIT_TEXT_BYTES], node[32];

        if (!stock->tell)
                return;
        snprintf(text, sizeof(text), "%" PRIu64 " hugepages of %s%s %s", entry->added,
                 size_human(entry->page_bytes, size), where((int)entry->node, node), what);
        stock->tell(text);
}

/* The free ones first: as long as there are any, the kernel is confused by used ones. */
static void give_back_all(struct stock *stock)
{
        struct record_entry *entry;

        for (size_t i = 0; i < stock->record.n; i++) {
                entry = &stock->record.entries[i];
                (void)lower_free(stock, entry, entry->added);
        }
        for (size_t i = 0; i < stock->record.n; i++) {
                entry = &stock->record.entries[i];
                if (entry->added && (lower(stock, entry, entry->added) || entry->added))
                        tell(stock, entry, "could not be given back: the next start tries again");
        }
}

/* What a killed process left: what its record says, and what came of its last step. */
static int adopt(struct stock *stock, struct sentence error)
{
        _cleanup_(close_fd) int lock = -1;
        struct record_entry *entry;
        int r;

        if (!stock->record.n)
                return 0;
        r = sysfs_lock(stock->root, &lock);
        if (r)
                return fail(error, r, "hugepages cannot be locked: %s", strerror(-r));
        for (size_t i = 0; i < stock->record.n; i++) {
                entry = &stock->record.entries[i];
                r = settle_entry(stock, entry);
                if (r)
                        *entry = (struct record_entry){ .page_bytes = entry->page_bytes,
                                                        .node = entry->node };
                else if (entry->added)
                        tell(stock, entry,
                             stock->reserve ? "were left reserved by a pard that was killed: they "
                                              "are used, and given back at the end"
                                            : "were left reserved by a pard that was killed: they "
                                              "are given back");
        }
        if (!stock->reserve)
                give_back_all(stock);
        return 0;
}

static int start(struct stock *stock, const struct hugetlb_settings *settings,
                 struct sentence error)
{
        char note[512];
        int r;

        for (size_t i = 0; i < settings->n_needs; i++) {
                r = check_need(stock, &settings->needs[i], error);
                if (r)
                        return r;
        }
        r = sysfs_nodes(stock->root, &stock->nodes, &stock->n_nodes);
        if (r)
                return fail(error, r, "cannot see which nodes there are: %s", strerror(-r));
        if (!stock->n_nodes)
                stock->nodes[stock->n_nodes++] = NODE_ANY;

        r = record_open(&stock->record, settings->record_path, stock->root, stock->reserve, note,
                        sizeof(note));
        if (r)
                return fail(error, r, "%s", note);
        if (*note && stock->tell)
                stock->tell(note);
        return adopt(stock, error);
}

int stock_init(struct stock *stock, const struct hugetlb_settings *settings, char *error,
               size_t error_bytes)
{
        struct sentence sentence = { error, error_bytes };
        int r;

        *stock = (struct stock){
                .root = strdup(settings->sysfs_root),
                .reserve = settings->reserve,
                .keep_free_bytes = settings->keep_free_bytes,
                .tell = settings->tell,
                .record = RECORD_NONE,
        };
        if (!stock->root)
                return fail(sentence, -ENOMEM, "%s", strerror(ENOMEM));
        pthread_mutex_init(&stock->lock, NULL);
        r = start(stock, settings, sentence);
        if (r)
                stock_deinit(stock);
        return r;
}

void stock_deinit(struct stock *stock)
{
        _cleanup_(close_fd) int lock = -1;

        if (!stock->root)
                return;
        if (stock->record.n) {
                (void)sysfs_lock(stock->root, &lock);
                give_back_all(stock);
        }
        record_close(&stock->record);
        pthread_mutex_destroy(&stock->lock);
        free(stock->nodes);
        free(stock->root);
        *stock = (struct stock){ .root = NULL };
}
