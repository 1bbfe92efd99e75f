/* SPDX-License-Identifier: MIT */
/*
 * Owns the files in it. Refuses nothing: a page for which there is no memory to note it goes back
 * to its file system, from which it can be had again.
 */
#include "page_list.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ROOM_FIRST 64

void page_list_init(struct page_list *list)
{
        *list = (struct page_list){ 0 };
        pthread_mutex_init(&list->lock, NULL);
}

void page_list_deinit(struct page_list *list)
{
        for (size_t i = 0; i < list->n_pages; i++)
                close(list->pages[i].fd);
        free(list->pages);
        pthread_mutex_destroy(&list->lock);
}

static bool has_room(struct page_list *list)
{
        size_t room = list->room ? 2 * list->room : ROOM_FIRST;
        struct page *pages;

        if (list->n_pages < list->room)
                return true;
        pages = reallocarray(list->pages, room, sizeof(*pages));
        if (!pages)
                return false;
        list->pages = pages;
        list->room = room;
        return true;
}

void page_list_add(struct page_list *list, struct page page)
{
        pthread_mutex_lock(&list->lock);
        if (has_room(list))
                list->pages[list->n_pages++] = page;
        else
                close(page.fd);
        pthread_mutex_unlock(&list->lock);
}

static int take(struct page_list *list, size_t i)
{
        int fd = list->pages[i].fd;

        list->n_pages--;
        memmove(&list->pages[i], &list->pages[i + 1], (list->n_pages - i) * sizeof(*list->pages));
        return fd;
}

int page_list_take_latest(struct page_list *list, struct range window)
{
        int fd = -1;

        pthread_mutex_lock(&list->lock);
        for (size_t i = list->n_pages; i > 0 && fd < 0; i--)
                if (range_contains(window, range_of(list->pages[i - 1].phys, 1)))
                        fd = take(list, i - 1);
        pthread_mutex_unlock(&list->lock);
        return fd;
}

int page_list_take_first(struct page_list *list)
{
        int fd = -1;

        pthread_mutex_lock(&list->lock);
        if (list->n_pages > 0)
                fd = take(list, 0);
        pthread_mutex_unlock(&list->lock);
        return fd;
}
