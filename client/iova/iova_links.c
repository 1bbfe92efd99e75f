/* SPDX-License-Identifier: MIT */
/*
 * Owns the order of links. Refuses to know what is mapped, or anything of the kernel.
 */
#include "iova_links.h"

#include <stdlib.h>

static int link_compare(const struct iova_link *a, const struct iova_link *b)
{
        return (a->at > b->at) - (a->at < b->at);
}

TREE_GENERATE(iova_link_tree, iova_link, by_at, link_compare)

struct iova_link *iova_links_from(struct iova_links *links, uint64_t at)
{
        struct iova_link key = { .at = at };
        struct iova_link *link = RB_NFIND(iova_link_tree, &links->by_at, &key), *before;

        before = link ? RB_PREV(iova_link_tree, &links->by_at, link)
                      : RB_MAX(iova_link_tree, &links->by_at);
        return before && at - before->at < before->length ? before : link;
}

struct iova_link *iova_links_next(struct iova_link *link)
{
        return RB_NEXT(iova_link_tree, NULL, link);
}

bool iova_links_overlap(struct iova_links *links, uint64_t at, uint64_t length)
{
        const struct iova_link *link = iova_links_from(links, at);

        return link && link->at <= at + (length - 1);
}

struct iova_link *iova_links_cut(struct iova_links *links, uint64_t at, uint64_t length)
{
        const uint64_t last = at + (length - 1);
        struct iova_link *link = iova_links_from(links, at);

        if (link && link->at < at)
                return link;
        link = iova_links_from(links, last);
        return link && link->at <= last && link->at + (link->length - 1) > last ? link : NULL;
}

void iova_links_insert(struct iova_links *links, struct iova_link *link)
{
        RB_INSERT(iova_link_tree, &links->by_at, link);
}

void iova_links_remove(struct iova_links *links, struct iova_link *link)
{
        RB_REMOVE(iova_link_tree, &links->by_at, link);
}

void iova_links_clear(struct iova_links *links)
{
        struct iova_link *link;

        while ((link = RB_MIN(iova_link_tree, &links->by_at))) {
                iova_links_remove(links, link);
                free(link);
        }
}

struct iova_link *iova_links_batch(struct iova_link *link)
{
        struct iova_link *next = iova_links_next(link);

        link->batch = link->length;
        while (next && !link->apart && !next->apart && next->at == link->at + link->batch &&
               next->memory == link->memory + link->batch && next->directions == link->directions) {
                link->batch += next->length;
                next = iova_links_next(next);
        }
        return next;
}
