/* SPDX-License-Identifier: MIT */
/*
 * Owns the churn and the samples. While the clock runs nothing is called but the placer; what a
 * search asks for is drawn before.
 */
#include "contender.h"

#include "macros.h"

#include <errno.h>
#include <string.h>

#define CYCLES_IN_ROUND 32   /* with the same requests that fail */
#define ROUNDS_IN_TURN  32   /* so many that a predecessor's use of the caches is soon forgotten */
#define CYCLES_COUNTING 4096 /* while visits are counted */
#define TURN_NS         (100 * NS_PER_MS)

int contender_init(struct contender *contender, const struct placer_ops *ops, uint64_t memory_bytes,
                   uint64_t granule_bytes, uint64_t seed)
{
        memset(contender, 0, sizeof(*contender));
        contender->random.state = ~seed;
        return churn_init(&contender->churn, ops, memory_bytes, granule_bytes, seed);
}

void contender_deinit(struct contender *contender)
{
        churn_deinit(&contender->churn);
}

int contender_fill(struct contender *contender)
{
        const uint64_t began = ticks_wall_ns();
        int r;

        r = churn_fill(&contender->churn);
        contender->fill_ns = ticks_wall_ns() - began;
        return r;
}

/* ---- samples --------------------------------------------------------------------------------- */

/**
 * struct sampling - the samples of one search
 * @cell, @visits: of that search
 */
struct sampling {
        struct contender *contender;
        const struct ticks *ticks;
        struct cell *cell;
        struct visits *visits;
};

static void note_visits(size_t *most, size_t count)
{
        if (count > *most)
                *most = count;
}

static void sample_find(const struct sampling *sampling, const struct constraint *want)
{
        const struct churn *churn = &sampling->contender->churn;
        const size_t counted = sampling->contender->counter;
        uint64_t first, began, ended;
        int r;

        began = ticks_now();
        r = churn->ops->find(churn->placer, want, &first);
        ended = ticks_now();
        histogram_add(r ? &sampling->cell->refusal : &sampling->cell->find,
                      ticks_between(sampling->ticks, began, ended));
        note_visits(&sampling->visits->find, sampling->contender->counter - counted);
}

static int sample_take(const struct sampling *sampling, const struct constraint *want,
                       uint64_t *ret_first)
{
        const struct churn *churn = &sampling->contender->churn;
        const size_t counted = sampling->contender->counter;
        uint64_t began, ended;
        int r;

        began = ticks_now();
        r = churn->ops->take(churn->placer, want, ret_first);
        ended = ticks_now();
        histogram_add(r ? &sampling->cell->refusal : &sampling->cell->take,
                      ticks_between(sampling->ticks, began, ended));
        note_visits(&sampling->visits->take, sampling->contender->counter - counted);
        return r;
}

static void sample_give(const struct sampling *sampling, uint64_t first, uint64_t size_bytes)
{
        const struct churn *churn = &sampling->contender->churn;
        const size_t counted = sampling->contender->counter;
        uint64_t began, ended;

        began = ticks_now();
        churn->ops->give(churn->placer, first, size_bytes);
        ended = ticks_now();
        histogram_add(&sampling->cell->give, ticks_between(sampling->ticks, began, ended));
        note_visits(&sampling->visits->give, sampling->contender->counter - counted);
}

/* As many go as have to, and one comes, and stays if it can. */
static int sample_mix(const struct sampling *sampling)
{
        struct churn *churn = &sampling->contender->churn;
        struct constraint want;
        uint64_t first = 0;
        int r;

        while (churn_one_goes(churn)) {
                const struct living gone = churn_choose(churn);

                sample_give(sampling, gone.first, request_bytes(gone.request));
        }
        want = request_constraint(churn_draw(churn));
        r = sample_take(sampling, &want, &first);
        return churn_settle(churn, r, first);
}

static int sample_take_and_give(const struct sampling *sampling, const struct constraint *want)
{
        uint64_t first;
        int r;

        r = sample_take(sampling, want, &first);
        if (!r)
                sample_give(sampling, first, want->size_bytes);
        return r;
}

/* ---- cycles ---------------------------------------------------------------------------------- */

/* What the searches that fail ask for during one round. */
struct failing {
        struct constraint want[SEARCHES];
        bool there[SEARCHES];
};

static void draw_failing(struct contender *contender, struct failing *ret)
{
        for (enum search_id i = 0; i < SEARCHES; i++)
                ret->there[i] =
                        search_fails(i) && search_draw_failing(i, &contender->churn,
                                                               &contender->random, &ret->want[i]);
}

/* Each search once. Return: 0; -ENOMEM. */
static int cycle(struct contender *contender, const struct ticks *ticks,
                 const struct failing *failing)
{
        const bool only_find = contender->cycles++ % 2;
        int r;

        r = sample_mix(&(struct sampling){ contender, ticks, &contender->cells[SEARCH_MIX],
                                           &contender->visits[SEARCH_MIX] });
        for (enum search_id i = SEARCH_MIX + 1; i < SEARCHES && r >= 0; i++) {
                const struct sampling sampling = { contender, ticks, &contender->cells[i],
                                                   &contender->visits[i] };
                struct constraint want;

                if (search_fails(i) && !failing->there[i])
                        continue;
                want = search_fails(i) ? failing->want[i]
                                       : search_draw(i, &contender->churn, &contender->random);
                if (only_find)
                        sample_find(&sampling, &want);
                else
                        r = sample_take_and_give(&sampling, &want);
        }
        return r < 0 ? r : 0;
}

bool contender_goes_on(const struct contender *contender, const struct contender_plan *plan)
{
        return contender->cycles < plan->cycles && contender->spent_ns < plan->box_ns;
}

static int sample_round(struct contender *contender, const struct ticks *ticks,
                        const struct contender_plan *plan)
{
        uint64_t since = ticks_wall_ns();
        struct failing failing;
        int r = 0;

        draw_failing(contender, &failing);
        for (unsigned i = 0; i < CYCLES_IN_ROUND && contender_goes_on(contender, plan) && !r; i++) {
                const uint64_t before = since;

                r = cycle(contender, ticks, &failing);
                since = ticks_wall_ns();
                contender->spent_ns += since - before;
        }
        return r;
}

int contender_turn(struct contender *contender, const struct ticks *ticks,
                   const struct contender_plan *plan)
{
        const uint64_t until = ticks_wall_ns() + TURN_NS;
        int r = 0;

        for (unsigned i = 0; i < ROUNDS_IN_TURN && !r; i++) {
                /* Nothing is drawn in vain: the same seed makes the same searches. */
                if (!contender_goes_on(contender, plan) || ticks_wall_ns() >= until)
                        break;
                r = sample_round(contender, ticks, plan);
        }
        return r;
}

/* ---- a state --------------------------------------------------------------------------------- */

static void forget_samples(struct contender *contender)
{
        memset(contender->cells, 0, sizeof(contender->cells));
        contender->spent_ns = contender->cycles = 0;
}

/* The same cycles with the counter on. What the clock says meanwhile is of no use. */
static int count_visits(struct contender *contender, const struct contender_plan *plan)
{
        const struct churn *churn = &contender->churn;
        const struct contender_plan counting = { .cycles = CYCLES_COUNTING,
                                                 .box_ns = plan->box_ns };
        const struct ticks ticks = { .ns_each = 1.0 };
        int r = 0;

        if (!churn->ops->count_visits)
                return 0;
        memset(contender->visits, 0, sizeof(contender->visits));
        churn->ops->count_visits(churn->placer, &contender->counter);
        while (contender_goes_on(contender, &counting) && !r)
                r = contender_turn(contender, &ticks, &counting);
        churn->ops->count_visits(churn->placer, NULL);
        return r;
}

int contender_enter(struct contender *contender, unsigned fill_percent,
                    const struct contender_plan *plan)
{
        struct churn *churn = &contender->churn;
        uint64_t began;
        int r;

        forget_samples(contender);
        churn_shed(churn, churn->mix.memory_bytes / 100 * (100 - fill_percent));
        began = ticks_wall_ns();
        r = churn_run(churn, plan->operations, began + plan->box_ns, &contender->churned);
        contender->churn_ns = ticks_wall_ns() - began;
        if (!r)
                r = count_visits(contender, plan);
        forget_samples(contender);
        return r;
}
