/* SPDX-License-Identifier: MIT */
/*
 * Owns nothing. A buffer lies in one view: memory of two bus windows is never one segment, and a
 * buffer that is spread over both is refused rather than looked for.
 */
#include "views.h"

#include "grow.h"
#include "refusal.h"
#include "state_private.h"

static int find(const struct state *state, const struct client *client, struct demand *demand,
                uint64_t pools, uint64_t held_up, struct choice *ret)
{
        int answer = PAR_REFUSED_EXHAUSTED;

        for (size_t i = 0; i < demand->n_views; i++) {
                int r;

                demand_select(demand, i);
                r = choice_find(state, client, demand, pools, held_up, ret);
                if (r <= 0)
                        return r;
                if (r != PAR_REFUSED_EXHAUSTED && answer == PAR_REFUSED_EXHAUSTED)
                        answer = r;
        }
        return answer;
}

int views_find(const struct state *state, const struct client *client, struct demand *demand,
               uint64_t pools, uint64_t held_up, struct choice *ret)
{
        const uint64_t nodes = demand->nodes;
        const uint64_t near = nodes ? nodes & demand->near_nodes : demand->near_nodes;
        int r = PAR_REFUSED_EXHAUSTED;

        if (near && near != nodes) {
                demand->nodes = near;
                r = find(state, client, demand, pools, held_up, ret);
                demand->nodes = nodes;
        }
        return r > 0 ? find(state, client, demand, pools, held_up, ret) : r;
}

/* Return: 2: may grow for it; 1: waiting may help; 0: it can never be had there; -ENOMEM. */
static int prospects(const struct state *state, const struct client *client,
                     const struct demand *demand, uint64_t pools)
{
        if (state_can_grow(state, client, demand, pools))
                return 2;
        return choice_could_ever(state, client, demand, pools, false);
}

static int explain_best(const struct state *state, const struct client *client,
                        struct demand *demand, uint64_t pools, int result, struct refusal *ret)
{
        size_t best_view = 0;
        int best = -1;

        for (size_t i = 0; i < demand->n_views && demand->n_views > 1; i++) {
                int chance;

                demand_select(demand, i);
                chance = prospects(state, client, demand, pools);
                if (chance < 0)
                        return chance;
                if (chance > best) {
                        best = chance;
                        best_view = i;
                }
        }
        demand_select(demand, best_view);
        return refusal_explain(state, client, demand, pools, result, ret);
}

int views_explain_barred(const struct state *state, const struct client *client,
                         struct demand *demand, uint64_t pools, uint64_t barred,
                         const struct quota_excess *excess, int result, struct refusal *ret)
{
        char quota[256];
        int r = PAR_REFUSED_NEVER_FITS;

        if (pools & ~barred || !barred)
                r = explain_best(state, client, demand, pools & ~barred, result, ret);
        if (!barred || r < 0)
                return r;
        if (r == PAR_REFUSED_NEVER_FITS) {
                /* A quota is the reason only where there could be memory. */
                r = views_could_ever(state, client, demand, barred, true);
                if (r < 0)
                        return r;
                return r ? quota_explain(client, demand, excess, ret)
                         : explain_best(state, client, demand, pools, result, ret);
        }
        quota_words(excess, quota, sizeof(quota));
        refusal_append(ret, "; %.250s", quota);
        return r;
}

int views_explain(const struct state *state, const struct client *client, struct demand *demand,
                  uint64_t pools, int result, struct refusal *ret)
{
        struct quota_excess excess = { 0 };
        uint64_t barred = quota_bars(state, client, demand, pools, &excess);

        return views_explain_barred(state, client, demand, pools, barred, &excess, result, ret);
}

bool views_grow_for(struct state *state, const struct client *client, struct demand *demand,
                    uint64_t pools, bool *ret_asked)
{
        for (size_t i = 0; i < demand->n_views; i++) {
                demand_select(demand, i);
                if (state_grow_for(state, client, demand, pools, ret_asked))
                        return true;
        }
        return false;
}

int views_could_ever(const struct state *state, const struct client *client, struct demand *demand,
                     uint64_t pools, bool own_too)
{
        int r = 0;

        for (size_t i = 0; i < demand->n_views && !r; i++) {
                demand_select(demand, i);
                r = choice_could_ever(state, client, demand, pools, own_too);
        }
        return r;
}
