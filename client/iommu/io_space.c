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

#include "bars.h"
#include "error.h"
#include "io_refusal.h"
#include "iova_plan.h"
#include "reserved.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

/* So many places with others' mappings in them may be tried for a buffer: the first few one below
 * the other, then ever farther apart. */
#define TRIES_MAX  256
#define TRIES_NEAR 8

/**
 * struct io_space - a space
 * @refs:      devices and buffers; protected by the lock of the handle
 * @container: its place in io_spaces::containers
 * @lock:      protects what follows, but @mapper
 * @mappings:  how many there are
 * @room:      how many it would have taken when a device came to it, others' mappings being there;
 *             UINT32_MAX: it does not say
 * @number:    among those of the handle, from 1 on; stays as it is
 */
struct io_space {
        LIST_ENTRY(io_space) link; /* io_spaces::list */
        unsigned refs;
        atomic_int *container;
        struct mapper *mapper;
        pthread_mutex_t lock;
        struct iova_plan *plan;
        size_t mappings, room;
        uint32_t number;
};

/* ---- life ----------------------------------------------------------------------------------- */

void io_spaces_init(struct io_spaces *spaces)
{
        LIST_INIT(&spaces->list);
        for (size_t i = 0; i < IO_SPACES_MAX; i++)
                atomic_init(&spaces->containers[i], -1);
}

void io_spaces_abandon(struct io_spaces *spaces)
{
        for (size_t i = 0; i < IO_SPACES_MAX; i++) {
                const int fd = atomic_exchange(&spaces->containers[i], -1);

                if (fd >= 0)
                        close(fd);
        }
}

/* Return: the place for another container; NULL: none is left. */
static atomic_int *free_container(struct io_spaces *spaces)
{
        for (size_t i = 0; i < IO_SPACES_MAX; i++) {
                if (atomic_load(&spaces->containers[i]) < 0)
                        return &spaces->containers[i];
        }
        return NULL;
}

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
        atomic_store(space->container, -1); /* before another file has the number */
        destroy(space);
}

static int plan_error(int r)
{
        return error_set(r, r == -ENOMEM ? "no memory for a plan of I/O addresses"
                                         : "the IOMMU maps no address in pages of 4 KiB or more");
}

static size_t room_of(const struct mapper_facts *facts, size_t mappings)
{
        return facts->room == UINT32_MAX ? UINT32_MAX : facts->room + mappings;
}

/* What the mapper says; and of what is usable, where it does not, what sysfs says. */
static int get_facts(struct mapper *mapper, const struct io_user *user, struct mapper_facts *ret)
{
        int r;

        r = mapper->ops->describe(mapper, ret);
        if (r || ret->n_ranges)
                return r;
        if (user->last == UINT64_MAX)
                return error_set(-ENOTSUP,
                                 "the container does not say which addresses the IOMMU maps, and "
                                 "no limit of device %s is known",
                                 user->name);
        r = reserved_usable(user->devices, user->name, user->last, ret);
        if (r)
                return error_set(-ENOTSUP,
                                 "the container does not say which addresses the IOMMU maps, nor "
                                 "does sysfs for device %s: %s",
                                 user->name, par_strerror(r));
        return 0;
}

/* A transfer to registers may never come to the IOMMU: a device takes its own for itself, and a
 * switch may send it to a neighbour. */
static void shun_bar(void *data, struct range bar)
{
        iova_plan_shun(data, bar);
}

/* What is usable of a container that nothing is known of. */
static int describe(struct io_space *space, const struct io_user *user)
{
        struct mapper_facts facts;
        int r;

        r = get_facts(space->mapper, user, &facts);
        if (r)
                return r;
        space->room = room_of(&facts, 0);
        r = iova_plan_new(facts.ranges, facts.n_ranges, facts.page_sizes, &space->plan);
        if (r)
                return plan_error(r);
        bars_each(user->devices, shun_bar, space->plan);
        return 0;
}

/* A container that is not in the list. */
static int create(struct mapper *mapper, const struct io_user *user, struct io_space **ret)
{
        struct io_space *space = calloc(1, sizeof(*space));
        int r;

        if (!space) {
                mapper->ops->free(mapper);
                return plan_error(-ENOMEM);
        }
        pthread_mutex_init(&space->lock, NULL);
        space->mapper = mapper;
        r = describe(space, user);
        if (r)
                destroy(space);
        else
                *ret = space;
        return r;
}

/* Another device came to the container: are all addresses still usable? */
static int look_again(struct io_space *space, const struct io_user *user)
{
        struct mapper_facts facts;
        int r;

        r = get_facts(space->mapper, user, &facts);
        if (r)
                return r;
        pthread_mutex_lock(&space->lock);
        space->room = room_of(&facts, space->mappings);
        r = iova_plan_narrow(space->plan, facts.ranges, facts.n_ranges);
        pthread_mutex_unlock(&space->lock);
        return r ? plan_error(r) : 0;
}

static int add(struct io_spaces *spaces, struct mapper *mapper, const struct io_user *user,
               struct io_space **ret)
{
        atomic_int *container = free_container(spaces);
        int r;

        if (!container) {
                mapper->ops->free(mapper);
                return error_set(-EMFILE, "a connection has at most %d containers", IO_SPACES_MAX);
        }
        r = create(mapper, user, ret);
        if (r)
                return r;
        (*ret)->container = container;
        (*ret)->number = (uint32_t)(container - spaces->containers) + 1;
        atomic_store(container, mapper->fd);
        LIST_INSERT_HEAD(&spaces->list, *ret, link);
        return 0;
}

uint32_t io_space_number(const struct io_space *space)
{
        return space->number;
}

int io_space_get(struct io_spaces *spaces, struct mapper *mapper, int fd,
                 const struct io_user *user, struct io_space **ret)
{
        struct io_space *space;
        int r;

        LIST_FOREACH (space, &spaces->list, link) {
                if (space->mapper->ops->is(space->mapper, fd))
                        break;
        }
        if (space) {
                mapper->ops->free(mapper);
                r = look_again(space, user);
        } else {
                r = add(spaces, mapper, user, &space);
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

void io_space_avoid(struct io_space *space, struct range place)
{
        pthread_mutex_lock(&space->lock);
        iova_plan_avoid(space->plan, place);
        pthread_mutex_unlock(&space->lock);
}

static void count_mapping(struct io_space *space, bool more)
{
        pthread_mutex_lock(&space->lock);
        space->mappings = more ? space->mappings + 1 : space->mappings - 1;
        pthread_mutex_unlock(&space->lock);
}

/* ---- mapping -------------------------------------------------------------------------------- */

/* Return: 0; -EEXIST; another negative errno or -PAR_QUOTA, with par_error() set. */
static int map_once(struct io_space *space, void *at, struct range place, enum io_access access)
{
        struct io_count count;
        int r;

        r = space->mapper->ops->map(space->mapper, at, place.first, range_size(place), access);
        if (r == -EEXIST)
                return r;
        if (!r) {
                count_mapping(space, true);
                return 0;
        }
        pthread_mutex_lock(&space->lock);
        count = (struct io_count){ .mappings = space->mappings, .room = space->room };
        pthread_mutex_unlock(&space->lock);
        return io_refusal_map(r, place, &count);
}

/* A place farther down than @place, with so many bytes between them. Return: whether there is one.
 */
static bool take_below(struct io_space *space, const struct io_want *want, uint64_t skip_bytes,
                       struct range *place)
{
        struct constraint below = want->limits;
        bool taken;

        if (place->first < skip_bytes || place->first - skip_bytes <= below.window.first)
                return false;
        below.window.last = place->first - skip_bytes - 1;
        pthread_mutex_lock(&space->lock);
        taken = iova_plan_try(space->plan, &below, place);
        pthread_mutex_unlock(&space->lock);
        return taken;
}

/* Others' mappings often lie side by side: what is next to one is skipped, twice as much each time,
 * and less again near the lower end. Then comes what was skipped. */
static int take_elsewhere(struct io_space *space, const struct io_want *want, unsigned tries,
                          uint64_t *skip_bytes, struct range *place)
{
        const uint64_t bytes = want->limits.size_bytes;

        if (tries > TRIES_NEAR && *skip_bytes <= UINT64_MAX / 2) {
                *skip_bytes = *skip_bytes ? *skip_bytes * 2 : bytes;
                for (; *skip_bytes >= bytes; *skip_bytes /= 2) {
                        if (take_below(space, want, *skip_bytes, place))
                                return 0;
                }
        }
        *skip_bytes = 0;
        return io_space_take(space, want, place);
}

int io_space_map(struct io_space *space, void *at, const struct io_want *want, struct range *place)
{
        uint64_t skip_bytes = 0;
        int r;

        for (unsigned tries = 1; (r = map_once(space, at, *place, want->access)) == -EEXIST;
             tries++) {
                io_space_avoid(space, *place);
                if (tries == TRIES_MAX)
                        return error_set(-PAR_BUSY,
                                         "others have mapped something in this VFIO container at "
                                         "each of %d places for %llu bytes",
                                         TRIES_MAX, (unsigned long long)want->limits.size_bytes);
                r = take_elsewhere(space, want, tries, &skip_bytes, place);
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

        r = io_space_unmap_part(space, place);
        if (!r)
                io_space_give(space, place);
        return r;
}

int io_space_map_part(struct io_space *space, void *at, struct range part, enum io_access access)
{
        int r;

        r = map_once(space, at, part, access);
        if (r != -EEXIST)
                return r;
        return error_set(-PAR_BUSY,
                         "others have mapped something in this VFIO container between I/O "
                         "addresses %#llx and %#llx, which are reserved here",
                         (unsigned long long)part.first, (unsigned long long)part.last);
}

int io_space_unmap_part(struct io_space *space, struct range part)
{
        int r;

        r = space->mapper->ops->unmap(space->mapper, part.first, range_size(part));
        if (!r)
                count_mapping(space, false);
        return r; /* with another result something may still be mapped there */
}
