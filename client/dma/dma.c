/* SPDX-License-Identifier: MIT */
/*
 * Owns what the streaming mappings of a device share, from par_device_open() to
 * par_device_close().
 */
#include "dma.h"

#include "handle.h"

#include <stdlib.h>
#include <string.h>
#include <syslog.h>

struct dma *dma_new(struct par_device *device)
{
        struct dma *dma = aligned_alloc(_Alignof(struct dma), sizeof(*dma));

        if (!dma)
                return NULL;
        memset(dma, 0, sizeof(*dma));
        dma->device = device;
        bounce_init(&dma->bounce, device, &device->reach);
        page_maps_init(&dma->pages);
        return dma;
}

/* In a child of fork() another thread of the parent may have been changing either; that is left. */
void dma_free(struct dma *dma)
{
        if (!dma || pthread_mutex_trylock(&dma->bounce.growing))
                return;
        pthread_mutex_unlock(&dma->bounce.growing);
        if (pthread_mutex_trylock(&dma->pages.lock))
                return;
        pthread_mutex_unlock(&dma->pages.lock);
        bounce_deinit(&dma->bounce);
        page_maps_deinit(&dma->pages);
        free(dma);
}

void dma_unmap_pages(struct dma *dma)
{
        (void)page_maps_close(&dma->pages);
}

void dma_close(struct dma *dma)
{
        struct par *par = dma->device->par;
        uint64_t bytes;
        size_t pages;

        pthread_mutex_lock(&par->lock);
        pages = page_maps_close(&dma->pages);
        pthread_mutex_unlock(&par->lock);
        bytes = bounce_close(&dma->bounce);
        if (pages || bytes)
                handle_log(par, LOG_WARNING,
                           "device %s is closed: mappings of %llu bytes of slots, and %zu in the "
                           "IOMMU, were not unmapped",
                           dma->device->name, (unsigned long long)bytes, pages);
}
