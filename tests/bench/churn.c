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

int churn_keep(struct churn *churn, struct living living)
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

struct living churn_choose(struct churn *churn)
{
        const size_t n = churn->n_living;
        const bool young = random_one_in(&churn->random, 2) && n > YOUNG;
        const size_t i = young ? n - YOUNG + random_below(&churn->random, YOUNG)
                               : random_below(&churn->random, n);
        const struct living chosen = churn->living[i];

        churn->living[i] = churn->living[--churn->n_living];
        return chosen;
}

static void give_one(struct churn *churn)
{
        const struct living gone = churn_choose(churn);

        churn->ops->give(churn->placer, gone.first, gone.size_bytes);
}

/* Return: 0; a refusal; -ENOMEM. */
static int take_one(struct churn *churn, const struct constraint *want)
{
        struct living living = { .size_bytes = want->size_bytes };
        int r;

        churn->asked++;
        r = churn->ops->take(churn->placer, want, &living.first);
        if (r)
                churn->refused++;
        return r ? r : churn_keep(churn, living);
}

/* @strip: NULL: the requests have their own windows */
static int fill(struct churn *churn, const struct range *strip, uint64_t free_bytes)
{
        unsigned refusals = 0;
        int r;

        while (refusals < FILL_REFUSALS && churn->ops->free_bytes(churn->placer) > free_bytes) {
                struct constraint want = mix_draw(&churn->mix, &churn->random);

                if (strip)
                        want.window = *strip;
                r = take_one(churn, &want);
                if (r < 0)
                        return r;
                /* That low memory is full does not mean that all of it is. */
                if (want.window.last == (strip ? strip->last : UINT64_MAX))
                        refusals = r ? refusals + 1 : 0;
        }
        return 0;
}

int churn_fill(struct churn *churn)
{
        const uint64_t memory = churn->mix.memory_bytes;
        const uint64_t free_bytes = memory / 100 * (100 - FILL_PERCENT);
        int r = 0;

        if (churn->ops->linear)
                for (uint64_t at = 0; at < memory && !r; at += FILL_STRIP) {
                        const struct range strip = range_of(at, FILL_STRIP);

                        r = fill(churn, &strip, free_bytes);
                }
        else
                r = fill(churn, NULL, free_bytes);
        return r;
}

void churn_shed(struct churn *churn, uint64_t free_bytes)
{
        while (churn->n_living && churn->ops->free_bytes(churn->placer) < free_bytes) {
                const size_t i = random_below(&churn->random, churn->n_living);
                const struct living gone = churn->living[i];

                churn->living[i] = churn->living[--churn->n_living];
                churn->ops->give(churn->placer, gone.first, gone.size_bytes);
        }
}

int churn_run(struct churn *churn, uint64_t free_bytes, uint64_t operations, uint64_t deadline_ns,
              uint64_t *ret_done)
{
        uint64_t done;
        int r;

        for (done = 0; done < operations; done++) {
                struct constraint want;

                if (done % LOOK_AT_CLOCK == 0 && ticks_wall_ns() > deadline_ns)
                        break;
                if (churn->n_living && churn->ops->free_bytes(churn->placer) <= free_bytes) {
                        give_one(churn);
                        continue;
                }
                want = mix_draw(&churn->mix, &churn->random);
                r = take_one(churn, &want);
                if (r < 0)
                        return r;
        }
        *ret_done = done;
        return 0;
}
