/* SPDX-License-Identifier: MIT */
/*
 * Owns the files in it. Refuses nothing: a page for which there is no memory to note it goes back
 * to its file system, from which it can be had again.
 */
#include "page_list.h"

#include "backend.h"

#include <errno.h>
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

size_t page_list_count(struct page_list *list)
{
        size_t n;

        pthread_mutex_lock(&list->lock);
        n = list->n_pages;
        pthread_mutex_unlock(&list->lock);
        return n;
}

static int by_phys(const void *a, const void *b)
{
        const struct page *x = a, *y = b;

        return (x->phys > y->phys) - (x->phys < y->phys);
}

void page_list_sort(struct page_list *list)
{
        pthread_mutex_lock(&list->lock);
        if (list->n_pages > 1)
                qsort(list->pages, list->n_pages, sizeof(*list->pages), by_phys);
        pthread_mutex_unlock(&list->lock);
}

static bool is_wanted(const struct page *page, struct range window, int node)
{
        return window.first <= page->phys && page->phys <= window.last &&
               (node == NODE_ANY || node == page->node);
}

static struct page take(struct page_list *list, size_t i)
{
        struct page page = list->pages[i];

        list->n_pages--;
        memmove(&list->pages[i], &list->pages[i + 1], (list->n_pages - i) * sizeof(*list->pages));
        return page;
}

bool page_list_take_latest(struct page_list *list, struct range window, int node, struct page *ret)
{
        bool found = false;

        pthread_mutex_lock(&list->lock);
        for (size_t i = list->n_pages; i > 0 && !found; i--) {
                found = is_wanted(&list->pages[i - 1], window, node);
                if (found)
                        *ret = take(list, i - 1);
        }
        pthread_mutex_unlock(&list->lock);
        return found;
}

bool page_list_take_first(struct page_list *list, struct page *ret)
{
        bool found;

        pthread_mutex_lock(&list->lock);
        found = list->n_pages > 0;
        if (found)
                *ret = take(list, 0);
        pthread_mutex_unlock(&list->lock);
        return found;
}

static int by_address(const void *a, const void *b)
{
        uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

        return (x > y) - (x < y);
}

int page_list_look(struct page_list *list, struct range window, int node, uint64_t **ret,
                   size_t *ret_n)
{
        uint64_t *pages;
        size_t n = 0;

        pthread_mutex_lock(&list->lock);
        pages = calloc(list->n_pages + 1, sizeof(*pages));
        for (size_t i = 0; pages && i < list->n_pages; i++)
                if (is_wanted(&list->pages[i], window, node))
                        pages[n++] = list->pages[i].phys;
        pthread_mutex_unlock(&list->lock);
        if (!pages)
                return -ENOMEM;
        qsort(pages, n, sizeof(*pages), by_address);
        *ret = pages;
        *ret_n = n;
        return 0;
}
