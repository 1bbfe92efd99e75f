/* SPDX-License-Identifier: MIT */
/*
 * Owns nothing beyond a call. Each source is asked for what the ones before it did not have.
 * Refuses to look further once a take is to end, or the backend fails in a way that says nothing
 * about pages.
 */
#include "source.h"

#include "harvest.h"
#include "macros.h"
#include "take.h"

#include <errno.h>

#define NODES_MAX 1024

static const struct keeper_message *wish(const struct take *take)
{
        return &take->job->request;
}

static bool suits(void *data, const struct backend_frame *frame)
{
        struct take *take = data;

        if (frame->page_bytes == wish(take)->page_bytes)
                take_saw(take, frame);
        return take_suits(take, frame) && !(take_is_easy(take) && harvest_seeks(take->work, frame));
}

static int from_aside(struct take *take)
{
        struct backend_frame frame;
        int r = 0;

        while (!r && !take->run_bytes && take->left &&
               aside_take(&take->work->aside, suits, take, &frame))
                r = take_sort(take, &frame, NULL);
        return r;
}

static int from_stock(struct take *take)
{
        uint32_t before;
        int r;

        if (take_is_easy(take))
                return take_draw(take, wish(take)->node, NULL, UINT64_MAX);
        do {
                struct addresses chosen = { 0 };

                before = take->left;
                r = take_look(take, wish(take)->node, &chosen);
                if (!r && chosen.n)
                        r = take_draw(take, wish(take)->node, &chosen, UINT64_MAX);
                addresses_deinit(&chosen);
        } while (!r && take->left && take->left < before);
        if (r == -EOPNOTSUPP && !take->run_bytes)
                r = take_draw(take, wish(take)->node, NULL, UINT64_MAX);
        return r;
}

/* Reasons for which there may yet be pages elsewhere. */
static bool may_go_on(int why)
{
        return why == -ENOMEM || why == -EDQUOT || why == -EFBIG || why == -ENOENT;
}

/**
 * from_nodes() - from the nodes whose memory overlaps the window
 * @inside: those that lie inside of it; otherwise the others
 * @why:    why there are not more; in and out
 *
 * Return: whether the system tells where nodes lie.
 */
static bool from_nodes(struct take *take, bool inside, uint64_t large_bytes, int *why)
{
        struct backend *backend = take->work->backend;
        struct range range;
        bool told = false;
        int r;

        for (int node = 0; node < NODES_MAX && take->left; node++) {
                if (wish(take)->node != NODE_ANY && wish(take)->node != node)
                        continue;
                r = backend->ops->node_range(backend, node, &range);
                if (r == -ENOENT)
                        continue;
                if (r)
                        break;
                told = true;
                if (!range_overlaps(take->window, range) ||
                    range_contains(take->window, range) != inside)
                        continue;
                *why = harvest(take, node, inside, large_bytes);
                if (*why && !may_go_on(*why))
                        break;
        }
        return told;
}

static int from_system(struct take *take, uint64_t large_bytes)
{
        int why = -ENOMEM;

        if (!take->limited)
                return harvest(take, wish(take)->node, true, large_bytes);
        /* Memory of other nodes is not held for nothing. */
        if (!from_nodes(take, true, large_bytes, &why))
                return harvest(take, wish(take)->node, false, large_bytes);
        if (take->left && may_go_on(why))
                (void)from_nodes(take, false, large_bytes, &why);
        return take->left ? why : 0;
}

static int from_large(struct take *take)
{
        struct backend *backend = take->work->backend;
        uint64_t large_bytes;

        large_bytes = backend->ops->demotable(backend, wish(take)->page_bytes);
        return large_bytes ? from_system(take, large_bytes) : -EOPNOTSUPP;
}

static int take_from_all(struct take *take)
{
        bool demotes = take->work->pools[wish(take)->pool].demote;
        /* What lies in the stock meanwhile is what somebody found in his range, on top. */
        bool stock_last = take_is_easy(take) && atomic_load(&take->work->harvesting);
        int r, why;

        r = from_aside(take);
        if (!r && take->left && !stock_last && !(demotes && !take->run_bytes))
                r = from_stock(take);
        if (r || !take->left)
                return r;

        why = demotes ? from_large(take) : from_system(take, 0);
        if (take->left && stock_last && !demotes && (why == -EOPNOTSUPP || may_go_on(why))) {
                r = from_stock(take);
                if (r)
                        return r;
        }
        /* Pages that pard may not reserve are pages that the system does not have. */
        return why == -EOPNOTSUPP && !demotes ? -ENOMEM : why;
}

void source_take(struct work *work, struct job *job)
{
        struct take take;
        int r;

        take_begin(&take, work, job);
        r = take_from_all(&take);
        harvest_end(&take);
        take_end(&take, r);
}
