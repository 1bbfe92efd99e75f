/* SPDX-License-Identifier: MIT */
/*
 * Owns the threads, which end before drawing_run() does. All that they share is under one lock,
 * which nobody holds while the kernel zeroes a page. Refuses to begin a page more than are wanted,
 * whatever becomes of those that others have begun.
 */
#include "drawing.h"

#include "macros.h"

#include <assert.h>

/* A thread is worth it for so much that the kernel has to zero. */
#define THREAD_BYTES (8 * MiB)

/**
 * struct drawing - pages that are being taken
 * @lock:  over all but @node and @chosen, and over @take
 * @begun: pages on which a thread is
 * @over:  no more is begun
 */
struct drawing {
        pthread_mutex_t lock;
        struct take *take;
        int node;
        const struct addresses *chosen;
        uint64_t most, begun;
        size_t n;
        bool over;
};

/* With the lock held. */
static bool may_begin(struct drawing *drawing)
{
        const struct take *take = drawing->take;
        uint64_t wanted = drawing->chosen ? drawing->chosen->n - drawing->n : take->left;

        drawing->over |= take_is_over(take);
        return !drawing->over && take->left && drawing->most && drawing->begun < wanted;
}

/* Take a page, and put it where it belongs. The lock is held, but not meanwhile. */
static void draw(struct drawing *drawing)
{
        struct backend_frame frame;
        int r;

        drawing->most--;
        drawing->begun++;
        pthread_mutex_unlock(&drawing->lock);
        r = take_page(drawing->take, drawing->node, &frame);
        pthread_mutex_lock(&drawing->lock);
        drawing->begun--;
        if (!r)
                r = take_put(drawing->take, &frame, drawing->chosen, &drawing->n);
        drawing->over |= r != 0;
        take_tell(drawing->take, false);
}

static void *draw_all(void *data)
{
        struct drawing *drawing = data;

        pthread_mutex_lock(&drawing->lock);
        while (may_begin(drawing))
                draw(drawing);
        pthread_mutex_unlock(&drawing->lock);
        return NULL;
}

/* How many threads are quicker than one less. */
static unsigned threads_for(const struct take *take, uint64_t pages)
{
        const uint64_t page_bytes = take->job->request.page_bytes;
        const unsigned most = take->work->backend->takers;
        uint64_t n = page_bytes < THREAD_BYTES ? pages / (THREAD_BYTES / page_bytes) : pages;

        assert(most <= BACKEND_TAKERS_MAX);
        return n < most ? (unsigned)n : most;
}

void drawing_run(struct take *take, int node, const struct addresses *chosen, uint64_t *most,
                 size_t *n)
{
        struct drawing drawing = {
                .take = take,
                .node = node,
                .chosen = chosen,
                .most = *most,
                .n = *n,
        };
        uint64_t pages = chosen ? chosen->n - *n : take->left;
        unsigned wanted = threads_for(take, pages < *most ? pages : *most), n_threads = 0;
        pthread_t threads[BACKEND_TAKERS_MAX];

        if (wanted < 2)
                return;
        pthread_mutex_init(&drawing.lock, NULL);
        /* Where one cannot be made the others do its part. */
        while (n_threads < wanted - 1 &&
               !pthread_create(&threads[n_threads], NULL, draw_all, &drawing))
                n_threads++;
        draw_all(&drawing);
        while (n_threads)
                pthread_join(threads[--n_threads], NULL);
        pthread_mutex_destroy(&drawing.lock);
        *most = drawing.most;
        *n = drawing.n;
}
