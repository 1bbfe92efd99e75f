/* SPDX-License-Identifier: MIT */
/* Owns the placer, and the list of what lives in it. */
#include "churn.h"

#include "macros.h"
#include "ticks.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define FILL_PERCENT     98
#define FILL_REFUSALS    32
#define FILL_STRIP       (256 * MiB)
#define YOUNG            1024
#define AWAY_SHARE       64 /* one in so many */
#define LOOK_AT_CLOCK    16 /* operations between two looks */
#define LIVING_ROOM_STEP 65536

int churn_init(struct churn *churn, const struct placer_ops *ops, uint64_t memory_bytes,
               uint64_t granule_bytes, uint64_t seed)
{
        const struct range memory = { 0, memory_bytes - 1 };

        *churn = (struct churn){
                .ops = ops,
                .mix = { .memory_bytes = memory_bytes },
                .random = { .state = seed },
        };
        return ops->open(&memory, 1, granule_bytes, &churn->placer);
}

void churn_deinit(struct churn *churn)
{
        churn->ops->close(churn->placer);
        free(churn->living);
}

static int keep(struct churn *churn, struct living living)
{
        if (churn->n_living == churn->n_room) {
                const size_t n = churn->n_room + churn->n_room / 2 + LIVING_ROOM_STEP;
                struct living *grown = reallocarray(churn->living, n, sizeof(*grown));

                if (!grown)
                        return -ENOMEM;
                churn->living = grown;
                churn->n_room = n;
        }
        churn->living[churn->n_living++] = living;
        return 0;
}

/* Forget one that lives. */
static struct living remove_at(struct churn *churn, size_t i)
{
        const struct living removed = churn->living[i];

        churn->living[i] = churn->living[--churn->n_living];
        return removed;
}

static void give(struct churn *churn, struct living living)
{
        churn->ops->give(churn->placer, living.first, request_bytes(living.request));
}

/* ---- filling and emptying -------------------------------------------------------------------- */

/* @strip: NULL: the requests have their own windows */
static int fill(struct churn *churn, const struct range *strip)
{
        const uint64_t free_bytes = churn->mix.memory_bytes / 100 * (100 - FILL_PERCENT);
        unsigned refusals = 0;

        while (refusals < FILL_REFUSALS && churn->ops->free_bytes(churn->placer) > free_bytes) {
                const struct request request = mix_draw(&churn->mix, &churn->random);
                struct constraint want = request_constraint(request);
                uint64_t first;
                int r;

                if (strip && !range_intersect(want.window, *strip, &want.window))
                        continue;
                r = churn->ops->take(churn->placer, &want, &first);
                if (r < 0 || (!r && keep(churn, (struct living){ first, request })))
                        return -ENOMEM;
                /* That low memory is full does not mean that all of it is. */
                if (!request.below)
                        refusals = r ? refusals + 1 : 0;
        }
        return 0;
}

int churn_fill(struct churn *churn)
{
        int r = 0;

        if (!churn->ops->linear)
                return fill(churn, NULL);
        for (uint64_t at = 0; at < churn->mix.memory_bytes && !r; at += FILL_STRIP) {
                const struct range strip = range_of(at, FILL_STRIP);

                r = fill(churn, &strip);
        }
        return r;
}

/*
 * Each of those who live goes with the same chance. They go in the order in which they came, not in
 * a random one: what is left is the same, and neighbours are given back while they are in caches.
 */
static void thin_out(struct churn *churn, uint64_t free_bytes)
{
        const uint64_t now_free = churn->ops->free_bytes(churn->placer);
        const uint64_t surplus = free_bytes - now_free, taken = churn->mix.memory_bytes - now_free;
        size_t n_left = 0;

        for (size_t i = 0; i < churn->n_living; i++) {
                if (random_below(&churn->random, taken) < surplus)
                        give(churn, churn->living[i]);
                else
                        churn->living[n_left++] = churn->living[i];
        }
        churn->n_living = n_left;
}

void churn_shed(struct churn *churn, uint64_t free_bytes)
{
        churn->free_bytes = free_bytes;
        churn->n_away = churn->to_come = churn->to_go = 0;
        churn->tries = churn->refused = churn->gave_up = 0;
        if (churn->ops->free_bytes(churn->placer) < free_bytes)
                thin_out(churn, free_bytes);
        /* The chance is that of a byte: a little more or less has gone. */
        while (churn->n_living && churn->ops->free_bytes(churn->placer) < free_bytes)
                give(churn, remove_at(churn, random_below(&churn->random, churn->n_living)));
}

/* ---- going and coming ------------------------------------------------------------------------ */

/* Others, as many as there is room for beside those who are away. */
static void add_newcomers(struct churn *churn, size_t most)
{
        uint64_t promised = churn->free_bytes;

        for (size_t i = 0; i < churn->n_away; i++)
                promised += request_bytes(churn->away[i]);
        while (churn->n_away < most && churn->ops->free_bytes(churn->placer) > promised) {
                const struct request newcomer = mix_draw(&churn->mix, &churn->random);

                churn->away[churn->n_away++] = newcomer;
                promised += request_bytes(newcomer);
        }
}

/* All have tried: how many go now, together with those who are still away. */
static void next_round(struct churn *churn)
{
        size_t most = (churn->n_living + churn->n_away) / AWAY_SHARE + 2;

        if (most > CHURN_AWAY_MAX)
                most = CHURN_AWAY_MAX;
        for (; churn->n_away > most / 2; churn->gave_up++) {
                const size_t i = random_below(&churn->random, churn->n_away--);

                churn->away[i] = churn->away[churn->n_away];
        }
        add_newcomers(churn, most);
        churn->to_go = most - churn->n_away;
        if (churn->to_go > churn->n_living)
                churn->to_go = churn->n_living;
        churn->to_come = churn->n_away + churn->to_go;
}

bool churn_one_goes(struct churn *churn)
{
        if (churn->to_go + churn->to_come == 0)
                next_round(churn);
        return churn->to_go > 0;
}

struct living churn_choose(struct churn *churn)
{
        const size_t n = churn->n_living;
        size_t i = random_below(&churn->random, n);
        struct living chosen;

        if (n > YOUNG && random_one_in(&churn->random, 2))
                i = n - YOUNG + i % YOUNG;
        chosen = remove_at(churn, i);
        churn->away[churn->n_away++] = chosen.request;
        churn->to_go--;
        return chosen;
}

/* It becomes the last of those who have not tried yet, and then the first of those who have. */
struct request churn_draw(struct churn *churn)
{
        const size_t i = random_below(&churn->random, churn->to_come--);
        const struct request drawn = churn->away[i];

        churn->away[i] = churn->away[churn->to_come];
        churn->away[churn->to_come] = drawn;
        return drawn;
}

int churn_settle(struct churn *churn, int r, uint64_t first)
{
        struct request *drawn = &churn->away[churn->to_come];
        const struct living living = { first, *drawn };

        churn->tries++;
        churn->refused += r > 0;
        if (!r) {
                *drawn = churn->away[--churn->n_away];
                r = keep(churn, living);
        }
        return r < 0 ? r : 0;
}

/* Return: 0; -ENOMEM. */
static int come(struct churn *churn)
{
        const struct constraint want = request_constraint(churn_draw(churn));
        uint64_t first = 0;
        int r;

        r = churn->ops->take(churn->placer, &want, &first);
        return churn_settle(churn, r, first);
}

int churn_run(struct churn *churn, uint64_t operations, uint64_t deadline_ns, uint64_t *ret_done)
{
        uint64_t done;
        int r = 0;

        for (done = 0; done < operations; done++) {
                if (done % LOOK_AT_CLOCK == 0 && ticks_wall_ns() > deadline_ns)
                        break;
                if (churn_one_goes(churn))
                        give(churn, churn_choose(churn));
                else
                        r = come(churn);
                if (r)
                        return r;
        }
        *ret_done = done;
        return 0;
}

uint64_t churn_living_bytes(const struct churn *churn)
{
        uint64_t sum = 0;

        for (size_t i = 0; i < churn->n_living; i++)
                sum += request_bytes(churn->living[i].request);
        return sum;
}
