/* SPDX-License-Identifier: MIT */
/*
 * Whose is this I/O address, and whose was it? Reads, changes nothing.
 *
 * Many clients may have told of one address, each of its own space. A question that names a device
 * is answered with those of this device; where there are none, with all others, and that is said:
 * several devices may share a container, and a buffer is told for one of them.
 */
#include "report.h"
#include "state_private.h"

#include <string.h>

/**
 * struct found - parts that have the address, up to IO_HOLDERS_MAX
 * @latest: they are former ones: keep those that ended last, the latest first
 */
struct found {
        const struct io_part *parts[IO_HOLDERS_MAX];
        size_t n;
        bool latest, more;
};

/**
 * struct search - parts of one tree
 * @matching: of the device that was asked for; all where none was
 * @steps:    how many parts may still be looked at
 */
struct search {
        const struct client *asker;
        const char *device;
        struct found matching, others;
        unsigned steps;
};

static void add(struct found *found, const struct io_part *part)
{
        size_t at = found->n;

        while (found->latest && at > 0 &&
               found->parts[at - 1]->mapping->until_ns <= part->mapping->until_ns)
                at--;
        if (found->n == IO_HOLDERS_MAX)
                found->more = true;
        else
                found->n++;
        if (at == IO_HOLDERS_MAX)
                return;
        memmove(&found->parts[at + 1], &found->parts[at],
                (found->n - at - 1) * sizeof(found->parts[0]));
        found->parts[at] = part;
}

/* Who may not know whose a mapping is, may not find it out by guessing devices either. */
static bool visit(void *data, const struct io_part *part)
{
        const struct io_mapping *mapping = part->mapping;
        struct search *search = data;

        if (!search->steps)
                return false;
        search->steps--;
        if (!*search->device || (report_may_know(search->asker, mapping->uid) &&
                                 io_mapping_is_for(mapping, search->device)))
                add(&search->matching, part);
        else
                add(&search->others, part);
        return true;
}

static void search_tree(const struct io_tree *tree, uint64_t address, struct search *search)
{
        if (!io_tree_visit(tree, address, visit, search))
                search->matching.more = search->others.more = true;
}

static void report_part(const struct io_part *part, const struct client *asker, uint64_t address,
                        uint64_t now_ns, struct io_holder *ret)
{
        const struct io_mapping *mapping = part->mapping;
        const struct buffer *buffer = mapping->buffer;

        *ret = (struct io_holder){
                .known = report_may_know(asker, mapping->uid),
                .client = "",
                .label = "",
                .device = "",
                .pool = "",
                .state = "",
                .buffer = mapping->buffer_id,
                .size_bytes = mapping->buffer_bytes,
                .offset = part->offset + (address - part->iova.first),
                .part = (size_t)(part - mapping->parts),
                .iova = part->iova,
                .age_ns = now_ns - (buffer ? buffer->since_ns : mapping->until_ns),
        };
        if (buffer) {
                ret->pool = buffer->holding->account->pool->settings->name;
                ret->page_bytes = buffer->holding->account->pool->settings->page_bytes;
                ret->state = report_buffer_state(buffer);
        }
        if (!ret->known)
                return;
        ret->client = mapping->client;
        ret->label = mapping->label;
        ret->device = mapping->device;
        ret->uid = mapping->uid;
        ret->pid = mapping->pid;
        ret->has_pci = mapping->has_pci;
        ret->pci = mapping->pci;
        /* Who uses I/O addresses needs no physical ones, and may not be meant to know them. */
        ret->has_phys = asker->is_admin && io_mapping_phys(mapping, ret->offset, &ret->phys);
}

static size_t report_found(const struct found *found, const struct client *asker, uint64_t address,
                           uint64_t now_ns, struct io_holder ret[IO_HOLDERS_MAX])
{
        for (size_t i = 0; i < found->n; i++)
                report_part(found->parts[i], asker, address, now_ns, &ret[i]);
        return found->n;
}

void state_io_lookup(const struct state *state, const struct client *asker, uint64_t address,
                     const char *device, uint64_t now_ns, struct io_report *ret)
{
        struct search now = { .asker = asker, .device = device, .steps = IO_STEPS_MAX };
        struct search past = now;
        const struct found *holders, *former;
        bool others;

        past.matching.latest = past.others.latest = true;
        search_tree(&state->io.now, address, &now);
        search_tree(&state->io.past, address, &past);
        others = !now.matching.n && !past.matching.n;
        holders = others ? &now.others : &now.matching;
        former = others ? &past.others : &past.matching;
        *ret = (struct io_report){ .more = holders->more || former->more };
        ret->n_holders = report_found(holders, asker, address, now_ns, ret->holders);
        ret->n_former = report_found(former, asker, address, now_ns, ret->former);
        ret->other_devices = others && (ret->n_holders || ret->n_former);
}
