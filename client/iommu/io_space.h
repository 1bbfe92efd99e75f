/* SPDX-License-Identifier: MIT */
/*
 * The I/O addresses of one container: planned here, mapped by its mapper. Devices and buffers
 * share it.
 */
#pragma once

#include "io_want.h"
#include "mapper.h"

#include <stdatomic.h>
#include <sys/queue.h>

struct io_space;

/* A connection has no more containers than this. */
#define IO_SPACES_MAX 32

/**
 * struct io_spaces - the containers of a connection
 * @list:       their spaces
 * @containers: their descriptors; -1: none. A child of fork() can read that, also where another
 *              thread was changing the list at that moment
 */
struct io_spaces {
        LIST_HEAD(io_space_list, io_space) list;
        atomic_int containers[IO_SPACES_MAX];
};

void io_spaces_init(struct io_spaces *spaces);

/* In a child of fork() that can free nothing: let go of the containers, or they would outlive the
 * parent with all that is mapped in them. */
void io_spaces_abandon(struct io_spaces *spaces);

/**
 * struct io_user - the device that comes to a container
 * @name: a PCI address, or one that sysfs does not know
 * @last: the highest address that it reaches; UINT64_MAX: no limit is known
 * @devices: NULL: /sys/bus/pci/devices; a folder like it
 */
struct io_user {
        const char *name;
        uint64_t last;
        const char *devices;
};

/**
 * io_space_get() - the space of a mapper
 * @spaces: of the handle, whose lock is held
 * @mapper: consumed, also on failure
 * @fd:     of its container; borrowed
 * @user:   borrowed
 * @ret:    one more reference: io_space_unref()
 *
 * The container may be known already; then what is usable may have become less. Where the mapper
 * does not say what is usable, it is what @user reaches, without what sysfs lists as reserved.
 *
 * Return: 0; -EMFILE where there are IO_SPACES_MAX; -ENOTSUP where nobody knows what is usable;
 * another negative errno. par_error() is set.
 */
int io_space_get(struct io_spaces *spaces, struct mapper *mapper, int fd,
                 const struct io_user *user, struct io_space **ret);

/* With the lock of the handle held. The last one leaves the list; what is mapped stays so. */
void io_space_ref(struct io_space *space);
void io_space_unref(struct io_space *space); /* NULL is fine */

uint64_t io_space_granule(const struct io_space *space);

/* Among those of its handle, from 1 to IO_SPACE_NUMBERS; 0: there are more than that. */
#define IO_SPACE_NUMBERS 64
uint32_t io_space_number(const struct io_space *space);

/**
 * io_space_take() - plan a place
 * @ret: taken; io_space_map() or io_space_give()
 *
 * Return: 0; -PAR_INVALID, -PAR_NEVER_FITS, -PAR_EXHAUSTED, -PAR_FRAGMENTED; -ENOMEM. par_error()
 * is set.
 */
int io_space_take(struct io_space *space, const struct io_want *want, struct range *ret);

/* A place that is not needed after all. */
void io_space_give(struct io_space *space, struct range place);

/* A place that is not needed after all, and where others have mapped something. */
void io_space_avoid(struct io_space *space, struct range place);

/**
 * io_space_map() - map a buffer where it was planned
 * @at:    memory of the size of @place
 * @want:  what @place was taken for
 * @place: where it is mapped, which is elsewhere if somebody else had mapped something there
 *
 * Return: 0; -PAR_QUOTA where a limit of the process or the container is reached; -PAR_BUSY where
 * others' mappings are in the way; what io_space_take() returns for another place; another negative
 * errno. par_error() is set, and the place is given back.
 */
int io_space_map(struct io_space *space, void *at, const struct io_want *want, struct range *place);

/**
 * io_space_unmap() - undo io_space_map()
 *
 * Return: 0; negative errno: the place is not used again.
 */
int io_space_unmap(struct io_space *space, struct range place);

/**
 * io_space_map_part() - map memory into part of a place that stays taken
 * @at:     memory of the size of @part
 * @part:   where it is mapped, and nowhere else
 * @access: what the device may do there
 *
 * Return: 0; -PAR_QUOTA as io_space_map(); -PAR_BUSY where others' mappings are in the way; another
 * negative errno. par_error() is set.
 */
int io_space_map_part(struct io_space *space, void *at, struct range part, enum io_access access);

/* Undo one io_space_map_part(); the place stays taken. Return: 0; negative errno. */
int io_space_unmap_part(struct io_space *space, struct range part);
