/* SPDX-License-Identifier: MIT */
/*
 * Owns the pages. A frame is known by its address: it has no file. Asserts what the keeper must
 * never do, such as giving back what was not taken.
 */
#include "fake_backend.h"

#include "macros.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

static struct fake_backend *fake_of(struct backend *backend)
{
        return CONTAINER_OF(backend, struct fake_backend, backend);
}

/* Let happen what is to happen, and lock. 0; the errno with which this call fails. */
static int begin(struct fake_backend *fake, enum fake_call call)
{
        unsigned n;

        pthread_mutex_lock(&fake->lock);
        n = ++fake->calls[call];
        pthread_mutex_unlock(&fake->lock);
        if (fake->happen)
                fake->happen(fake->data, call, n);
        pthread_mutex_lock(&fake->lock);
        return fake->fail_at == n && fake->fail == call ? -fake->fail_errno : 0;
}

static int end(struct fake_backend *fake, int r)
{
        pthread_mutex_unlock(&fake->lock);
        return r;
}

static bool fits(const struct fake_page *page, uint64_t page_bytes, int node)
{
        return page->page_bytes == page_bytes && (node == NODE_ANY || node == page->node);
}

/* Which of two pages of the stock comes first. */
static bool before(const struct fake_backend *fake, const struct fake_page *a,
                   const struct fake_page *b)
{
        uint64_t x = a->since, y = b->since;

        if (fake->order == FAKE_SHUFFLED)
                return x * 0x9e3779b97f4a7c15 < y * 0x9e3779b97f4a7c15;
        return fake->order == FAKE_LATEST_FIRST ? x > y : x < y;
}

static struct fake_page *next_of_stock(struct fake_backend *fake, uint64_t page_bytes, int node)
{
        struct fake_page *found = NULL;

        for (size_t i = 0; i < fake->n_pages; i++) {
                struct fake_page *page = &fake->pages[i];

                if (page->place == FAKE_IN_STOCK && fits(page, page_bytes, node) &&
                    (!found || before(fake, page, found)))
                        found = page;
        }
        return found;
}

static void put_in_stock(struct fake_backend *fake, struct fake_page *page)
{
        page->place = FAKE_IN_STOCK;
        page->since = ++fake->clock;
}

static int fake_take(struct backend *backend, uint64_t page_bytes, int node, struct range window,
                     bool must_pin, struct backend_frame *ret)
{
        struct fake_backend *fake = fake_of(backend);
        struct fake_page *page;
        int r;

        (void)window;
        (void)must_pin;
        r = begin(fake, FAKE_TAKE);
        if (r)
                return end(fake, r);
        page = next_of_stock(fake, page_bytes, node);
        if (!page)
                return end(fake, -ENOMEM);
        page->place = FAKE_TAKEN;
        *ret = (struct backend_frame){
                .page_bytes = page_bytes,
                .phys = page->phys,
                .memfd = -1,
                .node = page->node,
                .pinned = true,
        };
        return end(fake, 0);
}

static int fake_let_go(struct backend *backend, struct backend_frame *frame, bool owner_gone,
                       enum backend_holder *ret_holder)
{
        struct fake_backend *fake = fake_of(backend);
        int r;

        (void)owner_gone;
        r = begin(fake, FAKE_LET_GO);
        if (r == -EBUSY)
                *ret_holder = HOLDER_NONE;
        frame->pinned = false;
        return end(fake, r);
}

static int fake_release(struct backend *backend, struct backend_frame *frame,
                        enum backend_holder *ret_holder)
{
        struct fake_backend *fake = fake_of(backend);
        struct fake_page *page = NULL;
        int r;

        r = begin(fake, FAKE_RELEASE);
        if (r == -EBUSY)
                *ret_holder = HOLDER_PATH;
        if (r)
                return end(fake, r);
        for (size_t i = 0; i < fake->n_pages && !page; i++)
                if (fake->pages[i].phys == frame->phys && fake->pages[i].place == FAKE_TAKEN &&
                    fake->pages[i].page_bytes == frame->page_bytes)
                        page = &fake->pages[i];
        assert(page && !frame->released);
        put_in_stock(fake, page);
        frame->released = true;
        return end(fake, 0);
}

static int by_address(const void *a, const void *b)
{
        uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

        return (x > y) - (x < y);
}

static int fake_look(struct backend *backend, uint64_t page_bytes, int node, struct range window,
                     void (*visit)(void *data, uint64_t phys), void *data)
{
        struct fake_backend *fake = fake_of(backend);
        uint64_t found[FAKE_PAGES_MAX] = { 0 };
        size_t n = 0;
        int r;

        r = begin(fake, FAKE_LOOK);
        if (!r && fake->blind)
                r = -EOPNOTSUPP;
        for (size_t i = 0; !r && i < fake->n_pages; i++) {
                const struct fake_page *page = &fake->pages[i];

                if (page->place == FAKE_IN_STOCK && fits(page, page_bytes, node) &&
                    range_contains(window, range_of(page->phys, page_bytes)))
                        found[n++] = page->phys;
        }
        end(fake, 0);
        qsort(found, n, sizeof(found[0]), by_address);
        for (size_t i = 0; i < n; i++)
                visit(data, found[i]);
        return r;
}

static uint64_t reserved(const struct fake_backend *fake)
{
        uint64_t n = 0;

        for (size_t i = 0; i < fake->n_pages; i++)
                n += fake->pages[i].place == FAKE_IN_STOCK || fake->pages[i].place == FAKE_TAKEN;
        return n;
}

static struct fake_page *next_of_system(struct fake_backend *fake, uint64_t page_bytes, int node)
{
        for (size_t i = 0; i < fake->n_pages; i++)
                if (fake->pages[i].place == FAKE_IN_SYSTEM &&
                    fits(&fake->pages[i], page_bytes, node))
                        return &fake->pages[i];
        return NULL;
}

static int fake_more(struct backend *backend, uint64_t page_bytes, int node, uint64_t count,
                     uint64_t *ret_added)
{
        struct fake_backend *fake = fake_of(backend);
        struct fake_page *page;
        uint64_t added = 0;
        int r;

        r = begin(fake, FAKE_MORE);
        if (!r && fake->may_not_reserve)
                r = -EOPNOTSUPP;
        if (r)
                return end(fake, r);
        for (; added < count && !r; added += !r) {
                page = next_of_system(fake, page_bytes, node);
                if (!page)
                        break;
                r = reserved(fake) < fake->reservable ? 0 : -EDQUOT;
                if (!r)
                        put_in_stock(fake, page);
        }
        fake->added += added;
        *ret_added = added;
        return end(fake, r);
}

static void fake_less(struct backend *backend, uint64_t page_bytes, int node, uint64_t count)
{
        struct fake_backend *fake = fake_of(backend);
        struct fake_page *page;

        (void)begin(fake, FAKE_LESS);
        for (; count && fake->added; count--) {
                page = next_of_stock(fake, page_bytes, node);
                if (!page)
                        break;
                page->place = FAKE_IN_SYSTEM;
                fake->added--;
        }
        end(fake, 0);
}

static uint64_t fake_demotable(struct backend *backend, uint64_t small_bytes)
{
        uint64_t large_bytes = fake_of(backend)->large_bytes;

        return large_bytes > small_bytes ? large_bytes : 0;
}

static int fake_demote(struct backend *backend, uint64_t page_bytes, int node, uint64_t small_bytes)
{
        struct fake_backend *fake = fake_of(backend);
        struct fake_page *page;
        unsigned count = (unsigned)(page_bytes / small_bytes);
        int r;

        r = begin(fake, FAKE_DEMOTE);
        if (r)
                return end(fake, r);
        page = next_of_stock(fake, page_bytes, node);
        if (!page)
                return end(fake, -ENOMEM);
        page->place = FAKE_GONE;
        fake_backend_pages(fake, page->phys, small_bytes, page->node, count);
        for (size_t i = fake->n_pages - count; i < fake->n_pages; i++)
                put_in_stock(fake, &fake->pages[i]);
        fake->added += count - 1;
        return end(fake, 0);
}

static int fake_node_range(struct backend *backend, int node, struct range *ret)
{
        struct fake_backend *fake = fake_of(backend);

        if (!fake->tells_nodes)
                return -EOPNOTSUPP;
        if (node >= FAKE_NODES || fake->nodes[node].first > fake->nodes[node].last)
                return -ENOENT;
        *ret = fake->nodes[node];
        return 0;
}

static const struct backend_ops fake_ops = {
        .name = "fake",
        .take = fake_take,
        .let_go = fake_let_go,
        .release = fake_release,
        .look = fake_look,
        .more = fake_more,
        .less = fake_less,
        .demotable = fake_demotable,
        .demote = fake_demote,
        .node_range = fake_node_range,
};

void fake_backend_init(struct fake_backend *fake)
{
        *fake = (struct fake_backend){
                .backend = { .ops = &fake_ops, .can_pin = true },
                .reservable = FAKE_MORE_MAX,
        };
        for (unsigned i = 0; i < FAKE_NODES; i++)
                fake->nodes[i].first = 1;
        pthread_mutex_init(&fake->lock, NULL);
}

void fake_backend_deinit(struct fake_backend *fake)
{
        pthread_mutex_destroy(&fake->lock);
}

void fake_backend_pages(struct fake_backend *fake, uint64_t first, uint64_t page_bytes, int node,
                        unsigned count)
{
        assert(fake->n_pages + count <= FAKE_PAGES_MAX);
        for (unsigned i = 0; i < count; i++)
                fake->pages[fake->n_pages++] = (struct fake_page){
                        .phys = first + i * page_bytes,
                        .page_bytes = page_bytes,
                        .node = node,
                };
}

void fake_backend_reserve(struct fake_backend *fake, unsigned count)
{
        for (size_t i = 0; i < fake->n_pages && count; i++) {
                if (fake->pages[i].place != FAKE_IN_SYSTEM)
                        continue;
                put_in_stock(fake, &fake->pages[i]);
                count--;
        }
        assert(!count);
}

unsigned fake_backend_count(struct fake_backend *fake, enum fake_place place)
{
        unsigned n = 0;

        pthread_mutex_lock(&fake->lock);
        for (size_t i = 0; i < fake->n_pages; i++)
                n += fake->pages[i].place == place;
        pthread_mutex_unlock(&fake->lock);
        return n;
}
