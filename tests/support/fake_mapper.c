/* SPDX-License-Identifier: MIT */
/*
 * Owns a table. Invariant: nothing in it overlaps, and it lies in the usable ranges.
 */
#include "fake_mapper.h"

#include "macros.h"

#include <errno.h>

static struct fake_mapper *fake_of(struct mapper *mapper)
{
        return CONTAINER_OF(mapper, struct fake_mapper, mapper);
}

static int fake_describe(struct mapper *mapper, struct mapper_facts *ret)
{
        const struct fake_mapper *fake = fake_of(mapper);

        *ret = fake->facts;
        return fake->describe;
}

/* What VFIO says to this place. */
static int judge(const struct fake_mapper *fake, struct range at)
{
        const uint64_t granule = fake->facts.page_sizes & -fake->facts.page_sizes;

        if (!range_on_granule(at, granule))
                return -EINVAL;
        for (size_t i = 0; i < fake->n_mappings; i++) {
                if (range_overlaps(fake->mappings[i].at, at))
                        return -EEXIST;
        }
        if (fake->n_mappings == FAKE_MAPPINGS_MAX)
                return -ENOSPC;
        for (size_t i = 0; i < fake->facts.n_ranges; i++) {
                if (range_contains(fake->facts.ranges[i], at))
                        return 0;
        }
        return -EINVAL;
}

static int fake_map(struct mapper *mapper, void *at, uint64_t iova, uint64_t bytes,
                    enum io_access access)
{
        struct fake_mapper *fake = fake_of(mapper);
        const struct range range = range_of(iova, bytes);
        int r;

        fake->calls++;
        r = fake->map ? fake->map : judge(fake, range);
        if (!r)
                fake->mappings[fake->n_mappings++] = (struct fake_mapping){ range, at, access };
        return r;
}

static int fake_unmap(struct mapper *mapper, uint64_t iova, uint64_t bytes)
{
        struct fake_mapper *fake = fake_of(mapper);

        if (fake->unmap)
                return fake->unmap;
        for (size_t i = 0; i < fake->n_mappings; i++) {
                if (fake->mappings[i].at.first != iova || range_size(fake->mappings[i].at) != bytes)
                        continue;
                fake->mappings[i] = fake->mappings[--fake->n_mappings];
                return 0;
        }
        return -ENOENT;
}

static bool fake_is(const struct mapper *mapper, int fd)
{
        return CONTAINER_OF((struct mapper *)(uintptr_t)mapper, struct fake_mapper, mapper)->fd ==
               fd;
}

static void fake_free(struct mapper *mapper)
{
        fake_of(mapper)->frees++;
}

static const struct mapper_ops fake_ops = {
        .describe = fake_describe,
        .map = fake_map,
        .unmap = fake_unmap,
        .is = fake_is,
        .free = fake_free,
};

void fake_mapper_init(struct fake_mapper *fake, int fd)
{
        *fake = (struct fake_mapper){
                .mapper = { .ops = &fake_ops, .fd = fd },
                .facts = { .ranges = { { 0, 0xfedfffff }, { 0xfef00000, 0x7fffffffff } },
                           .n_ranges = 2,
                           .page_sizes = 4 * KiB | 2 * MiB | GiB,
                           .room = 65535 },
                .fd = fd,
        };
}

void fake_mapper_intrude(struct fake_mapper *fake, struct range at)
{
        fake->mappings[fake->n_mappings++] = (struct fake_mapping){ .at = at };
}
