/* SPDX-License-Identifier: MIT */
/*
 * Filling the pools: asking the keeper, and what came of it.
 */
#include "macros.h"
#include "refusal.h"
#include "state_private.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <syslog.h>

#define REFILL_DELAY_FIRST_NS NS_PER_S
#define REFILL_DELAY_MAX_NS   (60 * NS_PER_S)

void state_refill(struct state *state, struct pool *pool)
{
        uint64_t missing = pool_missing_bytes(pool) / pool->settings->page_bytes;

        if (!missing || pool->taking)
                return;
        if (missing > UINT32_MAX)
                missing = UINT32_MAX;
        pool->taking = (uint32_t)missing;
        state->taking_told = false;
        state->ops->take(state->data, &(struct take_wish){ .pool = pool->index,
                                                           .count = pool->taking,
                                                           .window = pool->settings->window });
}

static void tell_when_filled(struct state *state)
{
        if (state->taking_told)
                return;
        for (size_t i = 0; i < state->settings->n_pools; i++)
                if (state->pools[i].taking)
                        return;
        state->taking_told = true;
        state->ops->filled(state->data);
}

void state_start(struct state *state, uint64_t now_ns)
{
        /* The narrow ranges first: what they cannot use is good enough for the wide ones. */
        for (size_t i = state->settings->n_pools; i-- > 0;) {
                struct pool *pool = &state->pools[state->preferred[i]];

                pool->refill_delay_ns = REFILL_DELAY_FIRST_NS;
                state_refill(state, pool);
                if (!pool->taking)
                        pool->filled_once = true;
        }
        tell_when_filled(state);
        state_changed(state, now_ns);
}

/* Why the pool holds less than it should. */
static void write_note(struct pool *pool, int r, uint64_t seen_first, uint64_t seen_last)
{
        const struct pool_settings *settings = pool->settings;
        char held[32], want[32], page[32];

        if (!pool_missing_bytes(pool)) {
                pool->note[0] = '\0';
                return;
        }
        bytes_words(pool->bytes.held, held);
        bytes_words(settings->size_min_bytes, want);
        bytes_words(settings->page_bytes, page);

        if (r == -EPERM)
                snprintf(pool->note, sizeof(pool->note),
                         "%s of %s: pages cannot be pinned here; pin = \"optional\" takes them all "
                         "the same",
                         held, want);
        else if (r == -ENOMEM && seen_first <= seen_last && settings->limited)
                snprintf(pool->note, sizeof(pool->note),
                         "%s of %s: the other %s pages that the system has lie between 0x%llx and "
                         "0x%llx",
                         held, want, page, (unsigned long long)seen_first,
                         (unsigned long long)seen_last);
        else if (r == -ENOMEM)
                snprintf(pool->note, sizeof(pool->note),
                         "%s of %s: the system has no more %s pages", held, want, page);
        else
                snprintf(pool->note, sizeof(pool->note), "%s of %s: %s", held, want,
                         r ? strerror(-r) : "pages were lost to the system");
}

void state_taken(struct state *state, uint32_t pool_index, const struct take_result *result,
                 uint64_t now_ns)
{
        struct pool *pool;

        if (pool_index >= state->settings->n_pools || !state->pools[pool_index].taking)
                return;
        pool = &state->pools[pool_index];
        pool->taking = 0;
        write_note(pool, result->r, result->seen.first, result->seen.last);
        if (pool->note[0] && !pool->filled_once)
                state_log(state, LOG_WARNING, &(struct log_fields){ .pool = pool->settings->name },
                          "pool %s: %s", pool->settings->name, pool->note);
        /* What was lost comes back as the system has it; what never was there is not asked for
         * again and again. */
        if (pool->filled_once && pool_missing_bytes(pool)) {
                pool->refill_delay_ns =
                        result->got ? REFILL_DELAY_FIRST_NS : pool->refill_delay_ns * 2;
                if (pool->refill_delay_ns > REFILL_DELAY_MAX_NS)
                        pool->refill_delay_ns = REFILL_DELAY_MAX_NS;
                due_set(&state->dues, &pool->refill, now_ns + pool->refill_delay_ns);
        } else {
                pool->refill_delay_ns = REFILL_DELAY_FIRST_NS;
        }
        pool->filled_once = true;
        state->memory_came = true; /* or the news that none comes */
        tell_when_filled(state);
        state_changed(state, now_ns);
}
