/* SPDX-License-Identifier: MIT */
/*
 * Owns the plan and the mapper of a container.
 *
 * Invariant: what this connection has mapped lies in places that the plan has taken. Others, such
 * as a process that shares the container, may map where the plan knows nothing of it: the kernel
 * refuses overlaps, and such a place is avoided. Refuses to hold its lock while the kernel maps,
 * which takes long for large buffers.
 */
#include "io_space.h"

#include "error.h"
#include "io_refusal.h"
#include "iova_plan.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

/* So many places with others' mappings in them may be tried for a buffer. */
#define TRIES_MAX 256

/**
 * struct io_space - a space
 * @refs:     devices and buffers; protected by the lock of the handle
 * @lock:     protects @plan and @mappings
 * @mappings: how many there are
 * @number:   among those of the handle; stays as it is
 */
struct io_space {
        LIST_ENTRY(io_space) link; /* par::io_spaces */
        unsigned refs;
        pthread_mutex_t lock;
        struct iova_plan *plan;
        struct mapper *mapper;
        size_t mappings;
        uint32_t number;
};

/* ---- life ----------------------------------------------------------------------------------- */

void io_space_ref(struct io_space *space)
{
        space->refs++;
}

static void destroy(struct io_space *space)
{
        space->mapper->ops->free(space->mapper);
        iova_plan_free(space->plan);
        pthread_mutex_destroy(&space->lock);
        free(space);
}

void io_space_unref(struct io_space *space)
{
        if (!space || --space->refs)
                return;
        LIST_REMOVE(space, link);
        destroy(space);
}

static int plan_error(int r)
{
        return error_set(r, r == -ENOMEM ? "no memory for a plan of I/O addresses"
                                         : "the IOMMU maps no address in pages of 4 KiB or more");
}

/* A container that is not in the list. */
static int create(struct mapper *mapper, struct io_space **ret)
{
        struct io_space *space = calloc(1, sizeof(*space));
        struct mapper_facts facts;
        int r;

        if (!space) {
                mapper->ops->free(mapper);
                return plan_error(-ENOMEM);
        }
        pthread_mutex_init(&space->lock, NULL);
        space->mapper = mapper;
        r = mapper->ops->describe(mapper, &facts);
        if (!r) {
                r = iova_plan_new(facts.ranges, facts.n_ranges, facts.page_sizes, &space->plan);
                if (r)
                        plan_error(r);
        }
        if (r)
                destroy(space);
        else
                *ret = space;
        return r;
}

/* Another device came to the container: are all addresses still usable? */
static int look_again(struct io_space *space)
{
        struct mapper_facts facts;
        int r;

        r = space->mapper->ops->describe(space->mapper, &facts);
        if (r)
                return r;
        pthread_mutex_lock(&space->lock);
        r = iova_plan_narrow(space->plan, facts.ranges, facts.n_ranges);
        pthread_mutex_unlock(&space->lock);
        return r ? plan_error(r) : 0;
}

/* The lowest number that no other space of the handle has. */
static uint32_t free_number(const struct io_space_list *spaces)
{
        const struct io_space *space;
        uint64_t taken = 0;

        LIST_FOREACH (space, spaces, link)
                if (space->number)
                        taken |= UINT64_C(1) << (space->number - 1);
        return ~taken ? (uint32_t)__builtin_ctzll(~taken) + 1 : 0;
}

uint32_t io_space_number(const struct io_space *space)
{
        return space->number;
}

int io_space_get(struct io_space_list *spaces, struct mapper *mapper, int fd, struct io_space **ret)
{
        struct io_space *space;
        int r;

        LIST_FOREACH (space, spaces, link) {
                if (space->mapper->ops->is(space->mapper, fd))
                        break;
        }
        if (space) {
                mapper->ops->free(mapper);
                r = look_again(space);
        } else {
                r = create(mapper, &space);
                if (!r) {
                        space->number = free_number(spaces);
                        LIST_INSERT_HEAD(spaces, space, link);
                }
        }
        if (r)
                return r;
        io_space_ref(space);
        *ret = space;
        return 0;
}

uint64_t io_space_granule(const struct io_space *space)
{
        return iova_plan_granule(space->plan);
}

/* ---- places --------------------------------------------------------------------------------- */

int io_space_take(struct io_space *space, const struct io_want *want, struct range *ret)
{
        struct iova_refusal refusal;
        int r;

        pthread_mutex_lock(&space->lock);
        r = iova_plan_take(space->plan, &want->limits, ret, &refusal);
        if (r > 0)
                r = io_refusal_place(r, space->plan, want, &refusal);
        else if (r)
                plan_error(r);
        pthread_mutex_unlock(&space->lock);
        return r;
}

void io_space_give(struct io_space *space, struct range place)
{
        pthread_mutex_lock(&space->lock);
        iova_plan_give(space->plan, place);
        pthread_mutex_unlock(&space->lock);
}

static void avoid(struct io_space *space, struct range place)
{
        pthread_mutex_lock(&space->lock);
        iova_plan_avoid(space->plan, place);
        pthread_mutex_unlock(&space->lock);
}

/* Return: how many mappings there are now. */
static size_t count_mapping(struct io_space *space, bool more)
{
        size_t mappings;

        pthread_mutex_lock(&space->lock);
        space->mappings = more ? space->mappings + 1 : space->mappings - 1;
        mappings = space->mappings;
        pthread_mutex_unlock(&space->lock);
        return mappings;
}

/* ---- mapping -------------------------------------------------------------------------------- */

/* Return: 0; -EEXIST; another negative errno or -PAR_QUOTA, with par_error() set. */
static int map_once(struct io_space *space, void *at, struct range place)
{
        const size_t mappings = count_mapping(space, true);
        int r;

        r = space->mapper->ops->map(space->mapper, at, place.first, range_size(place));
        if (!r)
                return 0;
        count_mapping(space, false);
        return r == -EEXIST ? r : io_refusal_map(r, place, mappings - 1);
}

int io_space_map(struct io_space *space, void *at, const struct io_want *want, struct range *place)
{
        int r;

        for (unsigned tries = 1; (r = map_once(space, at, *place)) == -EEXIST; tries++) {
                avoid(space, *place);
                if (tries == TRIES_MAX)
                        return error_set(-PAR_BUSY,
                                         "others have mapped something in this VFIO container at "
                                         "each of %d places for %llu bytes",
                                         TRIES_MAX, (unsigned long long)want->limits.size_bytes);
                r = io_space_take(space, want, place);
                if (r)
                        return r;
        }
        if (r)
                io_space_give(space, *place);
        return r;
}

int io_space_unmap(struct io_space *space, struct range place)
{
        int r;

        r = space->mapper->ops->unmap(space->mapper, place.first, range_size(place));
        if (r)
                return r; /* something may still be mapped there */
        count_mapping(space, false);
        io_space_give(space, place);
        return 0;
}
