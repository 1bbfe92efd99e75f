/* SPDX-License-Identifier: MIT */
/*
 * Pins and pages that go over to another program: to the next one of this process, which goes on
 * with the rings, and from a process that has ended, whose pins ended with it. Owns the count of
 * pages that were reclaimed. Refuses to touch a frame before it was looked at.
 */
#include "hugetlb_private.h"

#include "macros.h"
#include "pagemap.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>

int hugetlb_save(struct backend *backend, void **ret_bytes, size_t *ret_n)
{
        *ret_bytes = NULL;
        *ret_n = 0;
        return backend->can_pin ? pins_save(&hugetlb_of(backend)->pins, ret_bytes, ret_n) : 0;
}

/* The new ring, of which nothing is used yet, is not needed. */
int hugetlb_resume(struct backend *backend, const void *bytes, size_t n)
{
        struct hugetlb *hugetlb = hugetlb_of(backend);
        int r;

        if (!n)
                return 0;
        if (backend->can_pin)
                pins_deinit(&hugetlb->pins);
        r = pins_resume(&hugetlb->pins, bytes, n);
        backend->can_pin = !r;
        return r;
}

int hugetlb_adopt(struct backend *backend, struct backend_frame *frame)
{
        struct hugetlb *hugetlb = hugetlb_of(backend);

        if (frame->released)
                return released_watch(&hugetlb->released, frame->phys, &frame->pin);
        released_seen(&hugetlb->released, frame->phys);
        return 0;
}

static void count_reclaimed(struct hugetlb *hugetlb, uint64_t page_bytes)
{
        for (size_t i = 0; i < ARRAY_SIZE(hugetlb->reclaimed); i++) {
                struct reclaimed_pages *pages = &hugetlb->reclaimed[i];

                if (pages->count && pages->page_bytes != page_bytes)
                        continue;
                pages->page_bytes = page_bytes;
                pages->count++;
                return;
        }
}

/* Looks before it maps: the touch of a hole would get another page. */
int hugetlb_reclaim(struct backend *backend, struct backend_frame *frame)
{
        struct hugetlb *hugetlb = hugetlb_of(backend);
        const bool was_pinned = frame->pinned;
        void *map;
        int r;

        frame->pinned = false;
        frame->pin = PINS_NONE;
        r = hugetlb_verify(backend, frame, &frame->phys);
        if (r || frame->phys == UINT64_MAX)
                return r;
        count_reclaimed(hugetlb, frame->page_bytes);
        if (!was_pinned)
                return 0;
        map = mmap(NULL, frame->page_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, frame->memfd, 0);
        if (map == MAP_FAILED)
                return -errno;
        (void)hugetlb_pin(hugetlb, frame, map, false); /* the frame tells */
        if (frame->pinned)
                r = pagemap_read(hugetlb->pagemap, (uint64_t)(uintptr_t)map, &frame->phys);
        munmap(map, frame->page_bytes);
        return r;
}

void hugetlb_reclaimed(struct backend *backend)
{
        struct hugetlb *hugetlb = hugetlb_of(backend);

        for (size_t i = 0; i < ARRAY_SIZE(hugetlb->reclaimed); i++)
                if (hugetlb->reclaimed[i].count)
                        stock_reclaim(&hugetlb->stock, hugetlb->reclaimed[i].page_bytes,
                                      hugetlb->reclaimed[i].count);
        memset(hugetlb->reclaimed, 0, sizeof(hugetlb->reclaimed));
}
