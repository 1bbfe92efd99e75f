/* SPDX-License-Identifier: MIT */
/*
 * Owns nothing; merges limits. Refuses to judge them: whether they can be met is for who looks for
 * a place.
 */
#include "io_want.h"

#include "error.h"

#include "macros.h"

#include <errno.h>
#include <stdio.h>

void io_want_init(struct io_want *want, uint64_t size_bytes,
                  const struct par_constraint *constraint)
{
        static const struct par_constraint none = { .flags = 0 };
        const struct par_constraint *from = constraint ? constraint : &none;

        *want = (struct io_want){
                .limits = {
                        .window = { from->addr_min, from->addr_max ? from->addr_max : UINT64_MAX },
                        .size_bytes = size_bytes,
                        .align_bytes = from->align ? from->align : 1,
                        .boundary_bytes = from->boundary,
                        .max_segment_bytes = from->max_segment_bytes,
                        .max_segments = from->max_segments ? from->max_segments : 1,
                },
        };
}

static void at_least(struct io_want *want, enum limit limit, uint64_t *ours, uint64_t device)
{
        if (device <= *ours)
                return;
        *ours = device;
        want->set_by_device[limit] = true;
}

/* Where 0 is no limit, and less is tighter. */
static void at_most(struct io_want *want, enum limit limit, uint64_t *ours, uint64_t device)
{
        if (!device || (*ours && *ours <= device))
                return;
        *ours = device;
        want->set_by_device[limit] = true;
}

void io_want_narrow(struct io_want *want, const struct par_constraint *device, const char *name)
{
        struct constraint *ours = &want->limits;

        want->who = name;
        at_least(want, LIMIT_ADDR_MIN, &ours->window.first, device->addr_min);
        at_most(want, LIMIT_ADDR_MAX, &ours->window.last, device->addr_max);
        at_least(want, LIMIT_ALIGN, &ours->align_bytes, device->align);
        at_most(want, LIMIT_BOUNDARY, &ours->boundary_bytes, device->boundary);
        at_most(want, LIMIT_MAX_SEGMENT_BYTES, &ours->max_segment_bytes, device->max_segment_bytes);
        if (device->max_segments && device->max_segments < ours->max_segments) {
                ours->max_segments = device->max_segments;
                want->set_by_device[LIMIT_MAX_SEGMENTS] = true;
        }
}

const char *io_want_setter(const struct io_want *want, enum limit limit,
                           char text[IO_WANT_WHO_BYTES])
{
        if (!want->set_by_device[limit])
                return "the request";
        snprintf(text, IO_WANT_WHO_BYTES, "device %s", want->who);
        return text;
}

int io_want_check(const struct par_constraint *constraint)
{
        uint64_t reserved = constraint ? constraint->flags : 0;

        for (size_t i = 0; constraint && i < ARRAY_SIZE(constraint->reserved); i++)
                reserved |= constraint->reserved[i];
        return reserved ? error_set(-EINVAL, "constraint: flags or a reserved field is not zero")
                        : 0;
}
