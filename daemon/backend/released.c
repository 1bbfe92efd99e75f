/* SPDX-License-Identifier: MIT */
/*
 * Owns the list. A page can be on it twice: given back, taken by us, and given back again while the
 * first is still being looked at; so each watch has a name of its own.
 */
#include "released.h"

#include <errno.h>
#include <stdlib.h>

struct released_page {
        uint64_t phys;
        uint32_t watch;
        bool seen;
};

void released_init(struct released *released)
{
        *released = (struct released){ .pages = NULL };
        pthread_mutex_init(&released->lock, NULL);
}

void released_deinit(struct released *released)
{
        free(released->pages);
        pthread_mutex_destroy(&released->lock);
}

static int make_room(struct released *released)
{
        size_t room = released->room ? 2 * released->room : 16;
        struct released_page *larger;

        if (released->n_pages < released->room)
                return 0;
        larger = reallocarray(released->pages, room, sizeof(*larger));
        if (!larger)
                return -ENOMEM;
        released->pages = larger;
        released->room = room;
        return 0;
}

int released_watch(struct released *released, uint64_t phys, uint32_t *ret_watch)
{
        int r;

        pthread_mutex_lock(&released->lock);
        r = make_room(released);
        if (!r) {
                *ret_watch = ++released->last;
                released->pages[released->n_pages++] =
                        (struct released_page){ phys, *ret_watch, false };
        }
        pthread_mutex_unlock(&released->lock);
        return r;
}

void released_seen(struct released *released, uint64_t phys)
{
        pthread_mutex_lock(&released->lock);
        for (size_t i = 0; i < released->n_pages; i++)
                if (released->pages[i].phys == phys)
                        released->pages[i].seen = true;
        pthread_mutex_unlock(&released->lock);
}

bool released_was_seen(struct released *released, uint32_t watch)
{
        bool seen = false;

        pthread_mutex_lock(&released->lock);
        for (size_t i = 0; i < released->n_pages; i++)
                if (released->pages[i].watch == watch)
                        seen = released->pages[i].seen;
        pthread_mutex_unlock(&released->lock);
        return seen;
}

void released_forget(struct released *released, uint32_t watch)
{
        pthread_mutex_lock(&released->lock);
        for (size_t i = 0; i < released->n_pages; i++)
                if (released->pages[i].watch == watch) {
                        released->pages[i] = released->pages[--released->n_pages];
                        break;
                }
        pthread_mutex_unlock(&released->lock);
}
