/* SPDX-License-Identifier: MIT */
/*
 * Owns ranges of I/O addresses, from their place in the plan of a container to the end.
 *
 * Invariant: a range's place is taken as long as anything may be mapped there. Refuses to give back
 * what could not be unmapped.
 */
#include "iova.h"

#include "handle.h"

#include "macros.h"

#include <errno.h>
#include <stdlib.h>
#include <syslog.h>

/* ---- life ----------------------------------------------------------------------------------- */

static int check_options(const struct par_iova_options *options)
{
        uint64_t reserved;

        if (!options)
                return 0;
        reserved = options->flags | options->reserved_flags;
        for (size_t i = 0; i < ARRAY_SIZE(options->reserved); i++)
                reserved |= options->reserved[i];
        return reserved ? error_set(-EINVAL, "options: flags or a reserved field is not zero") : 0;
}

/* An object for a range that is not planned yet. Return: 0; -ENOTSUP, -ENOMEM. */
static int create(const struct par_device *device, struct par_iova **ret)
{
        struct io_space *space = device_io_space(device);
        struct par_iova *range;

        if (!space)
                return error_set(-ENOTSUP,
                                 "device %s is not attached to a VFIO container: no address can be "
                                 "chosen for it",
                                 device->name);
        range = calloc(1, sizeof(*range));
        if (!range) {
                pthread_mutex_lock(&device->par->lock);
                io_space_unref(space);
                pthread_mutex_unlock(&device->par->lock);
                return error_set(-ENOMEM, "no memory for a range of I/O addresses");
        }
        range->par = device->par;
        range->space = space;
        pthread_mutex_init(&range->lock, NULL);
        *ret = range;
        return 0;
}

void iova_free(struct par_iova *range, bool in_child)
{
        io_space_unref(range->space);
        if (in_child && pthread_mutex_trylock(&range->lock))
                return; /* its memory stays where it is */
        if (in_child)
                pthread_mutex_unlock(&range->lock);
        iova_links_clear(&range->linked);
        iova_links_clear(&range->mapped);
        pthread_mutex_destroy(&range->lock);
        free(range);
}

static int plan(struct par_iova *range, const struct par_device *device, uint64_t size,
                const struct par_constraint *constraint)
{
        struct io_want want;
        uint64_t bytes;

        if (!align_up(size, io_space_granule(range->space), &bytes))
                bytes = size; /* the plan says what is wrong with it */
        io_want_init(&want, bytes, constraint);
        io_want_narrow(&want, &device->limits, device->name);
        return io_space_take(range->space, &want, &range->place);
}

int par_iova_reserve(struct par_device *device, uint64_t size,
                     const struct par_constraint *constraint,
                     const struct par_iova_options *options, struct par_iova **ret)
{
        struct par_iova *range;
        int r;

        if (ret)
                *ret = NULL;
        if (!device || !ret)
                return error_set(-EINVAL, "no %s", device ? "place for the range" : "device");
        r = handle_check(device->par);
        if (!r)
                r = io_want_check(constraint);
        if (!r)
                r = check_options(options);
        if (!r)
                r = create(device, &range);
        if (r)
                return r;

        r = plan(range, device, size, constraint);
        pthread_mutex_lock(&device->par->lock);
        if (r)
                iova_free(range, false);
        else
                LIST_INSERT_HEAD(&device->par->iovas, range, link);
        pthread_mutex_unlock(&device->par->lock);
        if (!r)
                *ret = range;
        return r;
}

void iova_unmap(struct par_iova *range)
{
        struct iova_link *link = iova_links_from(&range->mapped, 0);

        for (; link; link = iova_links_next(link)) {
                const struct range part = iova_part(range, link->at, link->length);
                const int r = io_space_unmap_part(range->space, part);

                if (!r)
                        continue;
                range->stuck = true;
                handle_log(range->par, LOG_WARNING,
                           "%llu bytes cannot be unmapped from I/O address %#llx: %s",
                           (unsigned long long)link->length, (unsigned long long)part.first,
                           par_strerror(r));
        }
        iova_links_clear(&range->mapped);
}

void par_iova_destroy(struct par_iova *range)
{
        const int errno_before = errno;
        struct par *par;

        if (!range || handle_check(range->par))
                return; /* in a child par_disconnect() frees it */
        par = range->par;
        iova_unmap(range);
        if (range->avoid && !range->stuck)
                io_space_avoid(range->space, range->place);
        else if (!range->stuck)
                io_space_give(range->space, range->place);
        pthread_mutex_lock(&par->lock);
        LIST_REMOVE(range, link);
        iova_free(range, false);
        pthread_mutex_unlock(&par->lock);
        errno = errno_before;
}

/* ---- what users read ------------------------------------------------------------------------ */

uint64_t par_iova_dma(const struct par_iova *range)
{
        return range ? range->place.first : 0;
}

uint64_t par_iova_size(const struct par_iova *range)
{
        return range ? range_size(range->place) : 0;
}

uint64_t par_iova_granule(const struct par_iova *range)
{
        return range ? io_space_granule(range->space) : 0;
}
