/* SPDX-License-Identifier: MIT */
/*
 * Owns the memory of ranges of I/O addresses: linked piece by piece, mapped in as few calls as it
 * allows, and unlinked as it was mapped.
 *
 * Invariant: what is mapped lies in links none of which the kernel would have to cut, and what is
 * linked lies beside it. Refuses to unmap and map again what a device may be using.
 */
#include "iova.h"

#include "handle.h"

#include <errno.h>
#include <stdlib.h>
#include <syslog.h>

/* ---- linking -------------------------------------------------------------------------------- */

static int check(const struct par_iova *range)
{
        return range ? handle_check(range->par) : error_set(-EINVAL, "no range");
}

/* Where the memory of a part is. Return: 0; -EINVAL. */
static int find_memory(const struct par_iova *range, const struct par_sg_part *part,
                       struct debug_call call, struct iova_link *ret)
{
        const struct par_buffer *buffer = part->buffer;
        uint64_t first = (uintptr_t)part->memory, bytes = SIZE_MAX - part->offset, last;

        if (part->reserved[0] || part->reserved[1] || (buffer && part->memory))
                return error_set(-EINVAL,
                                 "a part: a reserved field is not zero, or it has a buffer and an "
                                 "address in memory");
        if (buffer && debug_on() &&
            debug_buffer_is_stale(buffer, part->length ? DEBUG_USE_FACT : DEBUG_USE_WHOLE, call))
                return error_set(-EINVAL, "a part of a buffer that was freed");
        if (buffer && buffer->par != range->par)
                return error_set(-EINVAL, "the buffer belongs to another connection");
        if (buffer) {
                first = (uintptr_t)buffer->data;
                bytes = part->offset <= buffer->size ? buffer->size - part->offset : 0;
        }
        ret->length = part->length || !buffer ? part->length : bytes;
        if (ret->length > bytes || (buffer && part->offset > buffer->size) ||
            __builtin_add_overflow(first, part->offset, &first) ||
            (ret->length && __builtin_add_overflow(first, ret->length - 1, &last)))
                return error_set(-EINVAL, "%zu bytes from offset %zu: there are %llu", part->length,
                                 part->offset, (unsigned long long)bytes);
        ret->memory = (char *)(uintptr_t)first;
        return 0;
}

/* Whether a link lies on granules, and in the range. Return: 0; -EINVAL, -ERANGE. */
static int check_place(const struct par_iova *range, const struct iova_link *link)
{
        const uint64_t granule = par_iova_granule(range), size = par_iova_size(range);

        if ((link->at | link->length | (uintptr_t)link->memory) & (granule - 1))
                return error_set(-EINVAL,
                                 "%llu bytes at %p to offset %#llx of the range: the IOMMU maps "
                                 "multiples of %llu alone",
                                 (unsigned long long)link->length, (void *)link->memory,
                                 (unsigned long long)link->at, (unsigned long long)granule);
        if (link->at > size || link->length > size - link->at)
                return error_set(-ERANGE, "%llu bytes to offset %#llx of a range of %llu",
                                 (unsigned long long)link->length, (unsigned long long)link->at,
                                 (unsigned long long)size);
        return 0;
}

/* Links for all parts, one behind the other from @at on. Return: 0; -EINVAL, -ERANGE, -ENOMEM. */
static int make_links(const struct par_iova *range, uint64_t at, const struct par_sg_part *parts,
                      size_t count, struct debug_call call, struct iova_links *links)
{
        struct iova_link wanted = { .at = at }, *link;
        int r = 0;

        for (size_t i = 0; i < count && !r; i++, wanted.at += wanted.length) {
                r = find_memory(range, &parts[i], call, &wanted);
                if (!r)
                        r = check_place(range, &wanted);
                if (r || !wanted.length)
                        continue;
                link = malloc(sizeof(*link));
                if (!link)
                        return error_set(-ENOMEM, "no memory for a link");
                *link = wanted;
                iova_links_insert(links, link);
        }
        return r;
}

static void move_links(struct iova_links *from, struct iova_links *to)
{
        struct iova_link *link;

        while ((link = iova_links_from(from, 0))) {
                iova_links_remove(from, link);
                iova_links_insert(to, link);
        }
}

/* With the lock held. Return: 0; -EEXIST. */
static int adopt(struct par_iova *range, struct iova_links *links)
{
        struct iova_link *link;

        for (link = iova_links_from(links, 0); link; link = iova_links_next(link)) {
                if (iova_links_overlap(&range->linked, link->at, link->length) ||
                    iova_links_overlap(&range->mapped, link->at, link->length))
                        return error_set(-EEXIST,
                                         "something is linked at offset %#llx of the range, or in "
                                         "the %llu bytes from there on",
                                         (unsigned long long)link->at,
                                         (unsigned long long)link->length);
        }
        move_links(links, &range->linked);
        return 0;
}

#define DIRECTIONS (PAR_IOVA_TO_DEVICE | PAR_IOVA_FROM_DEVICE)

static int check_flags(uint32_t flags)
{
        if (flags & ~(PAR_IOVA_APART | DIRECTIONS))
                return error_set(-EINVAL, "an unknown flag");
        if ((flags & DIRECTIONS) == DIRECTIONS)
                return error_set(-EINVAL, "parts that the device only reads, and only writes");
        return 0;
}

int par_iova_link(struct par_iova *range, uint64_t at, const struct par_sg_part *parts,
                  size_t count, uint32_t flags)
{
        struct iova_links links = { .by_at = RB_INITIALIZER(&links.by_at) };
        struct iova_link *link;
        int r;

        r = check(range);
        if (r)
                return r;
        r = check_flags(flags);
        if (!r && !parts && count)
                r = error_set(-EINVAL, "no parts");
        if (r)
                return r;
        r = make_links(range, at, parts, count, DEBUG_CALL, &links);
        for (link = iova_links_from(&links, 0); link; link = iova_links_next(link)) {
                link->apart = flags & PAR_IOVA_APART;
                link->directions = flags & DIRECTIONS;
        }
        if (!r) {
                pthread_mutex_lock(&range->lock);
                r = adopt(range, &links);
                pthread_mutex_unlock(&range->lock);
        }
        iova_links_clear(&links);
        return r;
}

/* ---- mapping -------------------------------------------------------------------------------- */

/* Undo the batches before @last. */
static void unmap_before(struct par_iova *range, const struct iova_link *last)
{
        struct iova_link *link = iova_links_from(&range->linked, 0);

        while (link != last) {
                const struct range part = iova_part(range, link->at, link->batch);
                const int r = io_space_unmap_part(range->space, part);

                if (r) {
                        range->stuck = true;
                        handle_log(range->par, LOG_WARNING,
                                   "%llu bytes cannot be unmapped from I/O address %#llx: %s",
                                   (unsigned long long)link->batch, (unsigned long long)part.first,
                                   par_strerror(r));
                }
                link = iova_links_from(&range->linked, link->at + link->batch);
        }
}

/* All batches are mapped: each is one link from now on. */
static void commit(struct par_iova *range)
{
        struct iova_link *first, *next;

        while ((first = iova_links_from(&range->linked, 0))) {
                const uint64_t end = first->at + first->batch;

                while ((next = iova_links_next(first)) && next->at < end) {
                        iova_links_remove(&range->linked, next);
                        free(next);
                }
                iova_links_remove(&range->linked, first);
                first->length = first->batch;
                iova_links_insert(&range->mapped, first);
        }
}

static enum io_access access_of(const struct iova_link *link)
{
        if (link->directions & PAR_IOVA_TO_DEVICE)
                return IO_READ;
        return link->directions & PAR_IOVA_FROM_DEVICE ? IO_WRITE : IO_READ_WRITE;
}

/* With the lock held. */
static int map_all(struct par_iova *range)
{
        struct iova_link *link = iova_links_from(&range->linked, 0), *next;
        int r = 0;

        for (; link; link = next) {
                next = iova_links_batch(link);
                r = io_space_map_part(range->space, link->memory,
                                      iova_part(range, link->at, link->batch), access_of(link));
                if (r)
                        break;
        }
        if (r == -PAR_BUSY)
                range->avoid = true;
        if (r)
                unmap_before(range, link);
        else
                commit(range);
        return r;
}

int par_iova_sync(struct par_iova *range)
{
        int r;

        r = check(range);
        if (r)
                return r;
        pthread_mutex_lock(&range->lock);
        r = map_all(range);
        pthread_mutex_unlock(&range->lock);
        return r;
}

/* ---- unlinking ------------------------------------------------------------------------------ */

/* With the lock held, of links that are whole in there. */
static int unmap_some(struct par_iova *range, uint64_t at, uint64_t last)
{
        struct iova_link *link;
        int r;

        while ((link = iova_links_from(&range->mapped, at)) && link->at <= last) {
                const struct range part = iova_part(range, link->at, link->length);

                r = io_space_unmap_part(range->space, part);
                if (r)
                        return error_set(r,
                                         "%llu bytes cannot be unmapped from I/O address %#llx: "
                                         "%s",
                                         (unsigned long long)link->length,
                                         (unsigned long long)part.first, par_strerror(r));
                iova_links_remove(&range->mapped, link);
                free(link);
        }
        while ((link = iova_links_from(&range->linked, at)) && link->at <= last) {
                iova_links_remove(&range->linked, link);
                free(link);
        }
        return 0;
}

/* With the lock held. */
static int unlink_some(struct par_iova *range, uint64_t at, uint64_t length)
{
        const struct iova_link *link = iova_links_cut(&range->mapped, at, length);

        if (!link)
                link = iova_links_cut(&range->linked, at, length);
        if (link)
                return error_set(-EINVAL,
                                 "the %llu bytes at offset %#llx of the range are one mapping: it "
                                 "is unlinked as a whole",
                                 (unsigned long long)link->length, (unsigned long long)link->at);
        return unmap_some(range, at, at + (length - 1));
}

int par_iova_unlink(struct par_iova *range, uint64_t at, uint64_t length)
{
        int r;

        r = check(range);
        if (r)
                return r;
        if (at > par_iova_size(range) || length > par_iova_size(range) - at)
                return error_set(-ERANGE, "%llu bytes from offset %#llx of a range of %llu",
                                 (unsigned long long)length, (unsigned long long)at,
                                 (unsigned long long)par_iova_size(range));
        if (!length)
                return 0;
        pthread_mutex_lock(&range->lock);
        r = unlink_some(range, at, length);
        pthread_mutex_unlock(&range->lock);
        return r;
}
