/* SPDX-License-Identifier: MIT */
/*
 * A range of I/O addresses that is reserved first, and filled later.
 */
#pragma once

#include "iova_links.h"
#include "public.h"

#include "range.h"

#include <pthread.h>
#include <sys/queue.h>

struct io_space;

/**
 * struct par_iova - a range
 * @par:     whose; borrowed
 * @space:   of the container; a reference
 * @place:   its addresses, taken in the plan of @space
 * @lock:    protects what follows
 * @linked:  what is to be mapped, @mapped: and what is; both together do not overlap
 * @avoid:   somebody else has mapped something in @place
 * @stuck:   something in @place could not be unmapped
 */
struct par_iova {
        LIST_ENTRY(par_iova) link; /* par::iovas */
        struct par *par;
        struct io_space *space;
        struct range place;
        pthread_mutex_t lock;
        struct iova_links linked, mapped;
        bool avoid, stuck;
};

/* The I/O addresses of @length > 0 bytes of a range. */
static inline struct range iova_part(const struct par_iova *range, uint64_t at, uint64_t length)
{
        return range_of(range->place.first + at, length);
}

/* Unmap what is mapped; the place stays taken. With what fails the log is told. */
void iova_unmap(struct par_iova *range);

/* Free the object, with the lock of the handle held. @in_child: of fork(); another thread may have
 * been changing it then. */
void iova_free(struct par_iova *range, bool in_child);
