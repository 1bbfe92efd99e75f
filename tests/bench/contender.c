/* SPDX-License-Identifier: MIT */
/*
 * Owns the churn and the samples. While the clock runs nothing is called but the placer; what a
 * search asks for is drawn before.
 */
#include "contender.h"

#include "macros.h"

#include <errno.h>
#include <string.h>

#define CYCLES_IN_TURN  32
#define CYCLES_COUNTING 4096 /* while visits are counted */

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
                       struct living *ret)
{
        const struct churn *churn = &sampling->contender->churn;
        const size_t counted = sampling->contender->counter;
        uint64_t began, ended;
        int r;

        began = ticks_now();
        r = churn->ops->take(churn->placer, want, &ret->first);
        ended = ticks_now();
        ret->size_bytes = want->size_bytes;
        histogram_add(r ? &sampling->cell->refusal : &sampling->cell->take,
                      ticks_between(sampling->ticks, began, ended));
        note_visits(&sampling->visits->take, sampling->contender->counter - counted);
        return r;
}

static void sample_give(const struct sampling *sampling, struct living living)
{
        const struct churn *churn = &sampling->contender->churn;
        const size_t counted = sampling->contender->counter;
        uint64_t began, ended;

        began = ticks_now();
        churn->ops->give(churn->placer, living.first, living.size_bytes);
        ended = ticks_now();
        histogram_add(&sampling->cell->give, ticks_between(sampling->ticks, began, ended));
        note_visits(&sampling->visits->give, sampling->contender->counter - counted);
}

/* A request of the churn, which stays; as many go as have to. */
static int sample_mix(const struct sampling *sampling, const struct constraint *want)
{
        struct churn *churn = &sampling->contender->churn;
        struct living living;
        int r;

        r = sample_take(sampling, want, &living);
        if (!r)
                r = churn_keep(churn, living);
        while (churn->n_living &&
               churn->ops->free_bytes(churn->placer) < sampling->contender->free_bytes)
                sample_give(sampling, churn_choose(churn));
        return r;
}

static int sample_take_and_give(const struct sampling *sampling, const struct constraint *want)
{
        struct living living;
        int r;

        r = sample_take(sampling, want, &living);
        if (!r)
                sample_give(sampling, living);
        return r;
}

/* ---- cycles ---------------------------------------------------------------------------------- */

/* What the searches that fail ask for during one turn. */
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

        for (enum search_id i = 0; i < SEARCHES; i++) {
                const struct sampling sampling = { contender, ticks, &contender->cells[i],
                                                   &contender->visits[i] };
                struct constraint want;
                int r = 0;

                if (search_fails(i) && !failing->there[i])
                        continue;
                want = search_fails(i) ? failing->want[i]
                                       : search_draw(i, &contender->churn, &contender->random);
                if (only_find)
                        sample_find(&sampling, &want);
                else if (i == SEARCH_MIX)
                        r = sample_mix(&sampling, &want);
                else
                        r = sample_take_and_give(&sampling, &want);
                if (r < 0)
                        return r;
        }
        return 0;
}

bool contender_goes_on(const struct contender *contender, const struct contender_plan *plan)
{
        return contender->cycles < plan->cycles && contender->spent_ns < plan->box_ns;
}

int contender_turn(struct contender *contender, const struct ticks *ticks,
                   const struct contender_plan *plan)
{
        uint64_t since = ticks_wall_ns();
        struct failing failing;
        int r = 0;

        draw_failing(contender, &failing);
        for (unsigned i = 0; i < CYCLES_IN_TURN && contender_goes_on(contender, plan) && !r; i++) {
                const uint64_t before = since;

                r = cycle(contender, ticks, &failing);
                since = ticks_wall_ns();
                contender->spent_ns += since - before;
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
        const uint64_t began = ticks_wall_ns();
        int r;

        contender->free_bytes = churn->mix.memory_bytes / 100 * (100 - fill_percent);
        forget_samples(contender);
        churn_shed(churn, contender->free_bytes);
        churn->asked = churn->refused = 0;
        r = churn_run(churn, contender->free_bytes, plan->operations, began + plan->box_ns,
                      &contender->churned);
        contender->churn_ns = ticks_wall_ns() - began;
        if (!r)
                r = count_visits(contender, plan);
        forget_samples(contender);
        return r;
}
