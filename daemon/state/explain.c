/* SPDX-License-Identifier: MIT */
/*
 * What would come of a request. Takes nothing.
 */
#include "choice.h"
#include "hidden.h"
#include "macros.h"
#include "refusal.h"
#include "report.h"
#include "state_private.h"

#include <inttypes.h>
#include <stdio.h>

DEFINE_CLEANUP(struct buffer, buffer_free)

/* The same where the pool hides the rest. */
static void explain_hidden_grant(const struct demand *demand, const struct choice *choice,
                                 struct explanation *ret)
{
        char what[DEMAND_WORDS_BYTES];

        ret->pool = choice->pool->settings->name;
        demand_words(demand, what, sizeof(what));
        snprintf(ret->refusal.sentence, sizeof(ret->refusal.sentence),
                 "%s: would be granted from pool %s, which hides its addresses", what, ret->pool);
}

/* The choice as a buffer would show it. */
static int explain_grant(const struct demand *demand, const struct choice *choice,
                         struct explanation *ret)
{
        _cleanup_(buffer_freep) struct buffer *buffer = NULL;
        struct segment_cursor cursor = { 0 };
        char what[DEMAND_WORDS_BYTES], dma[48] = "";
        int r;

        r = buffer_new(choice->places, choice->n_places, choice->pool->settings->page_bytes,
                       &demand->want, &buffer);
        if (r)
                return r;
        while (ret->n_segments < ARRAY_SIZE(ret->segments) &&
               buffer_next_segment(buffer, &cursor, &ret->segments[ret->n_segments]))
                ret->n_segments++;
        ret->pool = choice->pool->settings->name;
        ret->dma_offset = demand->dma_offset;
        demand_words(demand, what, sizeof(what));
        if (demand->dma_offset)
                snprintf(dma, sizeof(dma), ", for the device at 0x%" PRIx64,
                         buffer->runs[0].first + demand->dma_offset);
        snprintf(ret->refusal.sentence, sizeof(ret->refusal.sentence),
                 "%s: would be granted from pool %s at 0x%llx%s, in %llu segment%s", what,
                 ret->pool, (unsigned long long)buffer->runs[0].first, dma,
                 (unsigned long long)buffer->segment_count, buffer->segment_count == 1 ? "" : "s");
        return 0;
}

int state_explain(struct state *state, struct client *client, const struct request *request,
                  uint64_t now_ns, struct explanation *ret)
{
        _cleanup_(choice_deinit) struct choice choice = { 0 };
        struct demand demand;
        uint64_t pools = 0;
        int r;

        (void)now_ns;
        *ret = (struct explanation){ .largest = { 1, 0 } };
        r = state_decide(state, client, request, &demand, &pools, &choice, &ret->refusal);
        if (r < 0)
                return r;
        ret->result = r;
        if (pools && r != PAR_REFUSED_QUOTA)
                report_longer(state, client, &demand, pools, ret);
        if (!r) {
                refusal_figures(state, client, &demand, pools, &ret->refusal);
                if (!hidden_from(choice.pool, client))
                        return explain_grant(&demand, &choice, ret);
                explain_hidden_grant(&demand, &choice, ret);
                return 0;
        }
        if (r == PAR_REFUSED_QUOTA && choice.barred)
                report_quota_blockers(state, client, &choice.excess, ret);
        else if (pools && r != PAR_REFUSED_QUOTA)
                report_blockers(state, client, &demand, pools, ret);
        return 0;
}
