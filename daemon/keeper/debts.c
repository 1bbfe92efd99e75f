/* SPDX-License-Identifier: MIT */
/*
 * Owns the list. Where there are more sizes and nodes than it has room for, what is owed to the
 * last of them is forgotten: it goes when pard ends.
 */
#include "debts.h"

void debts_init(struct debts *debts)
{
        *debts = (struct debts){ 0 };
        pthread_mutex_init(&debts->lock, NULL);
}

void debts_deinit(struct debts *debts)
{
        pthread_mutex_destroy(&debts->lock);
}

void debts_add(struct debts *debts, uint64_t page_bytes, int node, uint64_t pages)
{
        unsigned i = 0;

        pthread_mutex_lock(&debts->lock);
        while (i < debts->n &&
               (debts->all[i].page_bytes != page_bytes || debts->all[i].node != node))
                i++;
        if (i == debts->n && i < DEBTS_MAX)
                debts->all[debts->n++] = (struct debt){ .page_bytes = page_bytes, .node = node };
        if (i < DEBTS_MAX)
                debts->all[i].pages += pages;
        pthread_mutex_unlock(&debts->lock);
}

bool debts_any(struct debts *debts)
{
        bool any;

        pthread_mutex_lock(&debts->lock);
        any = debts->n > 0;
        pthread_mutex_unlock(&debts->lock);
        return any;
}

bool debts_next(struct debts *debts, uint64_t step_bytes, struct debt *ret)
{
        struct debt *debt;
        uint64_t step;
        bool any;

        pthread_mutex_lock(&debts->lock);
        any = debts->n > 0;
        if (any) {
                debt = &debts->all[debts->n - 1];
                step = step_bytes / debt->page_bytes;
                step = step ? step : 1;
                *ret = *debt;
                ret->pages = step < debt->pages ? step : debt->pages;
                debt->pages -= ret->pages;
                debts->n -= !debt->pages;
        }
        pthread_mutex_unlock(&debts->lock);
        return any;
}
