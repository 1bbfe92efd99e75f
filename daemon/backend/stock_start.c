/* SPDX-License-Identifier: MIT */
/*
 * The stock's beginning and end: what is checked before anything is added, what a killed daemon
 * left, and giving back. Owns nothing between calls. Refuses to start where pages could not be
 * added or not be written down; that there are few now is no reason.
 */
#include "stock_private.h"

#include "macros.h"
#include "sysfs.h"
#include "units.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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
                (void)stock_lower_free(stock, entry, entry->added);
        }
        for (size_t i = 0; i < stock->record.n; i++) {
                entry = &stock->record.entries[i];
                if (entry->added && (stock_lower(stock, entry, entry->added) || entry->added))
                        tell(stock, entry, "could not be given back: the next start tries again");
        }
}

/* A step that lowered the number, or one that took in the strays of it, may have left some when it
 * was cut off. */
static int settle_latest(struct stock *stock, struct record_entry *entry)
{
        uint64_t count = (uint64_t)llabs(entry->change);
        int r;

        r = stock_settle(stock, entry);
        if (!r && count)
                (void)stock_absorb_strays(stock, entry, count);
        return r;
}

/* What a killed process left, or this one before its exec: what its record says, and what came of
 * its last step. */
static int adopt(struct stock *stock, bool resumed, struct sentence error)
{
        _cleanup_(stock_unlock_fd) int lock = -1;
        struct record_entry *entry;
        int r;

        if (!stock->record.n)
                return 0;
        r = sysfs_lock(stock->root, &lock);
        if (r)
                return fail(error, r, "hugepages cannot be locked: %s", strerror(-r));
        for (size_t i = 0; i < stock->record.n; i++) {
                entry = &stock->record.entries[i];
                r = settle_latest(stock, entry);
                if (r)
                        *entry = (struct record_entry){ .page_bytes = entry->page_bytes,
                                                        .node = entry->node };
                else if (entry->added && !resumed)
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
        return adopt(stock, settings->resumed, error);
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
        _cleanup_(stock_unlock_fd) int lock = -1;

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
