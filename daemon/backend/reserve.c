/* SPDX-License-Identifier: MIT */
/*
 * Owns the difference that it made to nr_hugepages. Others change that number too, so what is
 * remembered is how much was added, never a value to go back to. The number that is written counts
 * persistent pages, while the one that is read counts surplus ones too: all sums here are of
 * persistent pages. Refuses to take what keep_free protects.
 */
#include "reserve.h"

#include "hugetlb.h"
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
#define RAISE_TRIES 4

/**
 * struct reserve_entry - one page size on one node
 * @page_bytes: page size
 * @node:       NODE_ANY for the system as a whole, which comes after all nodes
 * @wanted:     pages that shall be free
 * @elsewhere:  of the system's free pages, those that the entries of nodes want
 * @missing:    wanted and not free before
 * @added:      persistent pages that came from here
 */
struct reserve_entry {
        uint64_t page_bytes;
        int node;
        uint64_t wanted, elsewhere, missing, added;
};

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

static void close_fd(int *fd)
{
        if (*fd >= 0)
                close(*fd);
}

static const char *where(int node, char text[32])
{
        if (node == NODE_ANY)
                return "";
        snprintf(text, 32, " on node %d", node);
        return text;
}

static struct reserve_entry *entry_of(struct reserve *reserve, uint64_t page_bytes, int node)
{
        struct reserve_entry *entry;

        for (size_t i = 0; i < reserve->n_entries; i++) {
                entry = &reserve->entries[i];
                if (entry->page_bytes == page_bytes && entry->node == node)
                        return entry;
        }
        entry = &reserve->entries[reserve->n_entries++];
        *entry = (struct reserve_entry){ .page_bytes = page_bytes, .node = node };
        return entry;
}

/* One entry for each pair of page size and node, nodes first. */
static void sum_up(struct reserve *reserve, const struct hugetlb_settings *settings)
{
        const struct backend_demand *demand;
        struct reserve_entry *entry;

        for (int any = 0; any < 2; any++)
                for (size_t i = 0; i < settings->n_demands; i++) {
                        demand = &settings->demands[i];
                        if ((demand->node == NODE_ANY) != any)
                                continue;
                        entry = entry_of(reserve, demand->page_bytes, demand->node);
                        entry->wanted += demand->bytes / demand->page_bytes +
                                         (demand->bytes % demand->page_bytes != 0);
                }

        for (size_t i = 0; i < reserve->n_entries; i++)
                for (size_t j = 0; j < reserve->n_entries; j++)
                        if (reserve->entries[i].node == NODE_ANY &&
                            reserve->entries[j].node != NODE_ANY &&
                            reserve->entries[i].page_bytes == reserve->entries[j].page_bytes)
                                reserve->entries[i].elsewhere += reserve->entries[j].wanted;
}

static int count_missing(const struct reserve *reserve, const struct reserve_entry *entry,
                         uint64_t *ret_missing, uint64_t *ret_persistent)
{
        struct hugepages pages;
        uint64_t available;
        int r;

        r = sysfs_hugepages(reserve->root, entry->page_bytes, entry->node, &pages);
        if (r)
                return r;
        available = hugepages_available(&pages);
        available -= available < entry->elsewhere ? available : entry->elsewhere;
        *ret_missing = available < entry->wanted ? entry->wanted - available : 0;
        *ret_persistent = hugepages_persistent(&pages);
        return 0;
}

static int no_such_size(struct sentence error, const struct reserve_entry *entry)
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
                    size_human(entry->page_bytes, size), where(entry->node, node), list);
}

static int look(struct reserve *reserve, const struct hugetlb_settings *settings,
                struct sentence error)
{
        char size[UNIT_TEXT_BYTES], node[32];
        struct reserve_entry *entry;
        uint64_t persistent;
        int r;

        for (size_t i = 0; i < reserve->n_entries; i++) {
                entry = &reserve->entries[i];
                r = count_missing(reserve, entry, &entry->missing, &persistent);
                if (r == -ENOENT)
                        return no_such_size(error, entry);
                if (r)
                        return fail(error, r, "cannot read how many hugepages of %s there are: %s",
                                    size_human(entry->page_bytes, size), strerror(-r));
                if (!settings->reserve && entry->wanted && entry->missing == entry->wanted)
                        return fail(error, -ENOMEM,
                                    "no hugepage of %s is free%s: write how many there shall be to "
                                    "nr_hugepages, or set hugepages = \"reserve\"",
                                    size_human(entry->page_bytes, size), where(entry->node, node));
        }
        return 0;
}

static int mind_keep_free(const struct reserve *reserve, const struct hugetlb_settings *settings,
                          struct sentence error)
{
        char need[UNIT_TEXT_BYTES], have[UNIT_TEXT_BYTES], keep[UNIT_TEXT_BYTES];
        uint64_t needed = 0, available, bytes;
        int r;

        for (size_t i = 0; i < reserve->n_entries; i++) {
                if (__builtin_mul_overflow(reserve->entries[i].missing,
                                           reserve->entries[i].page_bytes, &bytes) ||
                    __builtin_add_overflow(needed, bytes, &needed))
                        needed = UINT64_MAX;
        }
        if (!needed)
                return 0;

        r = sysfs_memory_available(reserve->root, &available);
        if (r)
                return fail(error, r, "cannot read how much memory is available: %s", strerror(-r));
        if (needed > available || available - needed < settings->keep_free_bytes)
                return fail(error, -ENOMEM,
                            "%s more in hugepages are wanted, but of the system's memory %s are "
                            "available and keep_free leaves it %s",
                            size_human(needed, need), size_human(available, have),
                            size_human(settings->keep_free_bytes, keep));
        return 0;
}

static int raise_entry(struct reserve *reserve, struct reserve_entry *entry, struct sentence error)
{
        char size[UNIT_TEXT_BYTES], node[32];
        uint64_t missing, before, after;
        int r;

        r = count_missing(reserve, entry, &missing, &before);
        for (unsigned i = 0; !r && missing && i < RAISE_TRIES; i++) {
                r = sysfs_set_hugepages(reserve->root, entry->page_bytes, entry->node,
                                        before + missing);
                if (r)
                        break;
                r = count_missing(reserve, entry, &missing, &after);
                if (!r && after > before) {
                        entry->added += after - before;
                        before = after;
                }
        }
        if (r)
                return fail(error, r, "cannot reserve hugepages of %s%s: %s%s",
                            size_human(entry->page_bytes, size), where(entry->node, node),
                            strerror(-r),
                            r == -EACCES || r == -EPERM || r == -EROFS
                                    ? " (only root may write nr_hugepages; with hugepages = "
                                      "\"existing\" those are taken that are there)"
                                    : "");
        if (missing)
                return fail(error, -ENOMEM,
                            "%" PRIu64 " hugepages of %s are wanted%s, but the system can only "
                            "make it %" PRIu64,
                            entry->wanted, size_human(entry->page_bytes, size),
                            where(entry->node, node), entry->wanted - missing);
        return 0;
}

static int reserve_all(struct reserve *reserve, const struct hugetlb_settings *settings,
                       struct sentence error)
{
        _cleanup_(close_fd) int lock = -1;
        int r;

        if (settings->reserve) {
                r = sysfs_lock(reserve->root, &lock);
                if (r)
                        return fail(error, r == -ENOENT ? -ENOENT : r,
                                    "this system has no hugepages: %s", strerror(-r));
        }
        r = look(reserve, settings, error);
        if (r || !settings->reserve)
                return r;
        r = mind_keep_free(reserve, settings, error);
        if (r)
                return r;
        for (size_t i = 0; i < reserve->n_entries; i++) {
                r = raise_entry(reserve, &reserve->entries[i], error);
                if (r)
                        return r;
        }
        return 0;
}

int reserve_init(struct reserve *reserve, const struct hugetlb_settings *settings, char *error,
                 size_t error_bytes)
{
        struct sentence sentence = { error, error_bytes };
        int r;

        *reserve = (struct reserve){ .root = strdup(settings->sysfs_root) };
        reserve->entries = calloc(settings->n_demands + 1, sizeof(*reserve->entries));
        if (!reserve->root || !reserve->entries) {
                r = fail(sentence, -ENOMEM, "%s", strerror(ENOMEM));
        } else {
                sum_up(reserve, settings);
                r = reserve_all(reserve, settings, sentence);
        }
        if (r)
                reserve_deinit(reserve);
        return r;
}

static void give_back(struct reserve *reserve, const struct reserve_entry *entry)
{
        struct hugepages pages;
        uint64_t persistent;

        if (!entry->added || sysfs_hugepages(reserve->root, entry->page_bytes, entry->node, &pages))
                return;
        persistent = hugepages_persistent(&pages);
        /* Nowhere to say that this failed: nobody but an administrator can help then. */
        (void)sysfs_set_hugepages(reserve->root, entry->page_bytes, entry->node,
                                  persistent > entry->added ? persistent - entry->added : 0);
}

void reserve_deinit(struct reserve *reserve)
{
        _cleanup_(close_fd) int lock = -1;

        if (reserve->root && reserve->entries) {
                (void)sysfs_lock(reserve->root, &lock);
                for (size_t i = reserve->n_entries; i-- > 0;)
                        give_back(reserve, &reserve->entries[i]);
        }
        free(reserve->entries);
        free(reserve->root);
        *reserve = (struct reserve){ .root = NULL };
}
