/* SPDX-License-Identifier: MIT */
/*
 * Owns the places from which the program calls the library.
 *
 * Invariant: what is in the tree never changes and never goes, so it is read without the lock by
 * whoever has a pointer to it. Refuses to hold the lock while the dynamic linker is asked: a thread
 * that loads a module may hold the linker's, and call the library.
 */
#include "debug_site.h"

#include "debug_line.h"

#include <dlfcn.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static const struct debug_site unknown = { .text = "an unknown place" };

static int compare(const struct debug_site *a, const struct debug_site *b)
{
        const uintptr_t x = (uintptr_t)a->address, y = (uintptr_t)b->address;

        return (x > y) - (x < y);
}

TREE_GENERATE(debug_site_tree, debug_site, by_address, compare)

void debug_sites_init(struct debug_sites *sites)
{
        pthread_mutex_init(&sites->lock, NULL);
        RB_INIT(&sites->by_address);
}

static const char *file_of(const char *path)
{
        const char *slash = strrchr(path, '/');

        return slash ? slash + 1 : path;
}

/* The call itself, not what follows it: that may belong to the next line or function. */
static void describe(struct debug_site *site)
{
        const uintptr_t call = (uintptr_t)site->address - 1;
        struct line line = line_begin(site->text, sizeof(site->text));
        Dl_info where;

        if (!site->address) {
                line_add(&line, "the library itself");
                return;
        }
        if (!dladdr((const void *)call, &where) || !where.dli_fname) {
                line_add_hex(&line, (uintptr_t)site->address);
                return;
        }
        if (where.dli_sname) {
                line_add(&line, where.dli_sname);
                line_add(&line, " (");
        }
        line_add(&line, file_of(where.dli_fname));
        line_add(&line, "+");
        line_add_hex(&line, call - (uintptr_t)where.dli_fbase);
        if (where.dli_sname)
                line_add(&line, ")");
}

static struct debug_site *find(struct debug_sites *sites, const void *address)
{
        struct debug_site key = { .address = address };

        return RB_FIND(debug_site_tree, &sites->by_address, &key);
}

const struct debug_site *debug_site(struct debug_sites *sites, const void *address)
{
        struct debug_site *site, *other;

        pthread_mutex_lock(&sites->lock);
        site = find(sites, address);
        pthread_mutex_unlock(&sites->lock);
        if (site)
                return site;

        site = calloc(1, sizeof(*site));
        if (!site)
                return &unknown;
        site->address = address;
        describe(site);
        pthread_mutex_lock(&sites->lock);
        other = RB_INSERT(debug_site_tree, &sites->by_address, site);
        pthread_mutex_unlock(&sites->lock);
        if (!other)
                return site;
        free(site); /* another thread was faster */
        return other;
}
