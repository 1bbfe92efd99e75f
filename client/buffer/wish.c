/* SPDX-License-Identifier: MIT */
/*
 * Owns nothing: what a caller of par_alloc() wants, as the wire has it. Refuses what the wire
 * cannot carry, and nodes that a request and its device do not share.
 */
#include "wish.h"

#include "alloc.h"
#include "principals.h"

#include "macros.h"

#include <errno.h>

#define KNOWN_FLAGS \
        (PAR_ALLOC_UNINITIALIZED | PAR_ALLOC_KEEP_ON_FORK | PAR_ALLOC_SHARED | PAR_ALLOC_LASTING)

static bool all_zero(const uint64_t *reserved, size_t count)
{
        for (size_t i = 0; i < count; i++) {
                if (reserved[i])
                        return false;
        }
        return true;
}

int alloc_check(struct par *par, const struct par_constraint *constraint,
                const struct par_alloc_options *options)
{
        int r;

        if (constraint && (constraint->flags || !all_zero(constraint->reserved, 5)))
                return error_set(-EINVAL, "constraint: flags or a reserved field is not zero");
        if (!options)
                return 0;
        if ((options->flags & ~KNOWN_FLAGS) ||
            !all_zero(options->reserved, ARRAY_SIZE(options->reserved)))
                return error_set(-EINVAL, "options: an unknown flag, or reserved is not zero");
        if (options->device && options->device->par != par)
                return error_set(-EINVAL, "the device belongs to another connection");
        r = handle_check_name("name", options->name);
        return r ? r : handle_check_name("label", options->label);
}

void wish_init(struct wish *wish)
{
        wire__request__init(&wish->message);
        wire__alloc__init(&wish->alloc);
        wire__open__init(&wish->open);
        wire__constraint__init(&wish->constraint);
        wish->flags = 0;
        wish->view = VIEW_MEMORY;
        wish->io = (struct io_wish){ 0 };
}

void wish_alloc(struct wish *wish, size_t size, const struct par_constraint *constraint,
                const struct par_alloc_options *options)
{
        wish_init(wish);
        wish->message.body_case = WIRE__REQUEST__BODY_ALLOC;
        wish->message.alloc = &wish->alloc;
        wish->alloc.size = size;

        if (constraint) {
                wish->alloc.constraint = &wish->constraint;
                wish->constraint.addr_min = constraint->addr_min;
                wish->constraint.addr_max = constraint->addr_max;
                wish->constraint.align = constraint->align;
                wish->constraint.boundary = constraint->boundary;
                wish->constraint.max_segment_bytes = constraint->max_segment_bytes;
                wish->constraint.max_segments = constraint->max_segments;
                wish->constraint.nodes = constraint->nodes;
        }
        if (options) {
                wish->flags = options->flags;
                wish->alloc.wait_ms = options->wait_ms;
                if (options->device) {
                        wish->alloc.device = options->device->name;
                        wish->view = atomic_load(&options->device->view);
                }
                if (options->pool)
                        wish->alloc.pool = (char *)options->pool;
                if (options->label)
                        wish->alloc.label = (char *)options->label;
                if (options->name)
                        wish->alloc.name = (char *)options->name;
                wish->alloc.shared = (options->flags & PAR_ALLOC_SHARED) != 0;
                wish->alloc.lasting = (options->flags & PAR_ALLOC_LASTING) != 0;
        }
}

int wish_principals(struct wish *wish, const struct par_alloc_options *options)
{
        size_t n = 0;
        int r;

        if (!options || !options->allow)
                return 0;
        r = principals_parse(options->allow, wish->allow, &n);
        for (size_t i = 0; i < n; i++)
                wish->allow_pointers[i] = &wish->allow[i];
        wish->alloc.allow = wish->allow_pointers;
        wish->alloc.n_allow = n;
        return r;
}

/* Behind an IOMMU all limits are of I/O addresses, and any memory will do. */
static int wish_any_memory(struct wish *wish, const struct par_device *device)
{
        const uint64_t nodes = wish->constraint.nodes, near = device->limits.nodes;

        if (nodes && near && !(nodes & near))
                return error_set(-PAR_NEVER_FITS,
                                 "nodes %#llx of the request and %#llx of device %s have none in "
                                 "common",
                                 (unsigned long long)nodes, (unsigned long long)near, device->name);
        wire__constraint__init(&wish->constraint);
        wish->constraint.nodes = nodes && near ? nodes & near : nodes | near;
        wish->constraint.align = io_space_granule(wish->io.space);
        wish->constraint.max_segments = PAR_SEGMENTS_ANY;
        wish->alloc.constraint = &wish->constraint;
        wish->alloc.size = wish->io.want.limits.size_bytes;
        wish->alloc.device = (char *)"";
        wish->alloc.blind = true;
        return 0;
}

int wish_plan(struct wish *wish, struct par *par, const struct par_constraint *constraint,
              const struct par_device *device)
{
        int r;

        r = io_wish_init(&wish->io, par, wish->alloc.size, constraint, device);
        if (r || !wish->io.space)
                return r;
        return wish_any_memory(wish, device);
}
