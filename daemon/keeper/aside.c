/* SPDX-License-Identifier: MIT */
/*
 * Owns the pages that are kept aside: taken from the system, shown to nobody. Refuses to give one
 * back: that may take long, and is for whoever takes it out.
 */
#include "aside.h"

#include "job.h"

#include <errno.h>
#include <stdlib.h>

struct aside_page {
        TAILQ_ENTRY(aside_page) link; /* aside::pages */
        const void *owner;
        struct backend_frame frame;
};

void aside_init(struct aside *aside)
{
        pthread_mutex_init(&aside->lock, NULL);
        TAILQ_INIT(&aside->pages);
}

void aside_deinit(struct aside *aside)
{
        struct aside_page *page;

        while ((page = TAILQ_FIRST(&aside->pages))) {
                TAILQ_REMOVE(&aside->pages, page, link);
                frame_drop(&page->frame);
                free(page);
        }
        pthread_mutex_destroy(&aside->lock);
}

int aside_put(struct aside *aside, const void *owner, const struct backend_frame *frame)
{
        struct aside_page *page;

        page = calloc(1, sizeof(*page));
        if (!page)
                return -ENOMEM;
        page->owner = owner;
        page->frame = *frame;
        pthread_mutex_lock(&aside->lock);
        TAILQ_INSERT_TAIL(&aside->pages, page, link);
        pthread_mutex_unlock(&aside->lock);
        return 0;
}

/* @page is in the list, or NULL; the lock is held, and let go. */
static bool hand_out(struct aside *aside, struct aside_page *page, struct backend_frame *ret)
{
        if (page)
                TAILQ_REMOVE(&aside->pages, page, link);
        pthread_mutex_unlock(&aside->lock);
        if (!page)
                return false;
        *ret = page->frame;
        free(page);
        return true;
}

bool aside_take(struct aside *aside, bool (*suits)(void *data, const struct backend_frame *frame),
                void *data, struct backend_frame *ret)
{
        struct aside_page *page;

        pthread_mutex_lock(&aside->lock);
        TAILQ_FOREACH (page, &aside->pages, link) {
                if (suits(data, &page->frame))
                        break;
        }
        return hand_out(aside, page, ret);
}

bool aside_next(struct aside *aside, const void *owner, struct backend_frame *ret)
{
        struct aside_page *page;

        pthread_mutex_lock(&aside->lock);
        TAILQ_FOREACH (page, &aside->pages, link) {
                if (page->owner == owner)
                        break;
        }
        return hand_out(aside, page, ret);
}

bool aside_is_loose(struct aside *aside)
{
        struct aside_page *page;

        pthread_mutex_lock(&aside->lock);
        TAILQ_FOREACH (page, &aside->pages, link) {
                if (!page->owner)
                        break;
        }
        pthread_mutex_unlock(&aside->lock);
        return page != NULL;
}

void aside_disown(struct aside *aside, const void *owner)
{
        struct aside_page *page;

        pthread_mutex_lock(&aside->lock);
        TAILQ_FOREACH (page, &aside->pages, link) {
                if (page->owner == owner)
                        page->owner = NULL;
        }
        pthread_mutex_unlock(&aside->lock);
}
