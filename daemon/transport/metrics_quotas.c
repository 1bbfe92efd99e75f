/* SPDX-License-Identifier: MIT */
/*
 * Owns nothing. Invariant: there are as many samples as the configuration has entries, whoever is
 * connected. Refuses names: a group may be called anything, and is a number here.
 */
#include "metrics_quotas.h"

#include "macros.h"

#include <inttypes.h>
#include <stdio.h>

static void name_principal(const struct principal *who, char to[METRICS_WHOM_BYTES])
{
        snprintf(to, METRICS_WHOM_BYTES, "%s:%" PRIu32, who->is_group ? "gid" : "uid", who->id);
}

void metrics_name_quota(const struct quota_settings *quota, char to[METRICS_WHOM_BYTES])
{
        if (quota->each)
                snprintf(to, METRICS_WHOM_BYTES, "user:*");
        else
                name_principal(&quota->who, to);
}

void metrics_name_claim(const struct claim_settings *claim, char to[METRICS_WHOM_BYTES])
{
        name_principal(&claim->who, to);
}

/**
 * struct family - a metric whose samples are put as they come; without any it is not told of
 * @begun: there was one
 */
struct family {
        const char *name, *unit, *help;
        bool begun;
};

static void put_one(struct metrics_text *text, struct family *family,
                    const struct metrics_pool *pool, const char *key, const char *value,
                    uint64_t number)
{
        if (!family->begun)
                metrics_head(text, METRICS_GAUGE, family->name, family->unit, family->help);
        family->begun = true;
        metrics_put_name(text, family->name, "", "pool", pool->report.settings->name, key, value);
        metrics_end_sample(text, number);
}

/* ---- quotas --------------------------------------------------------------------------------- */

enum figure { FIGURE_MOST, FIGURE_USED, FIGURE_PEAK, FIGURES };

static uint64_t most_bytes(const struct quota_settings *quota)
{
        return quota->bytes;
}

static uint64_t most_frames(const struct quota_settings *quota)
{
        return quota->frames;
}

static uint64_t most_buffers(const struct quota_settings *quota)
{
        return quota->buffers;
}

static uint64_t bytes_of(const struct metrics_pool *pool, uint64_t bytes, uint64_t buffers)
{
        (void)pool;
        (void)buffers;
        return bytes;
}

static uint64_t frames_of(const struct metrics_pool *pool, uint64_t bytes, uint64_t buffers)
{
        (void)buffers;
        return bytes / pool->report.settings->page_bytes;
}

static uint64_t buffers_of(const struct metrics_pool *pool, uint64_t bytes, uint64_t buffers)
{
        (void)pool;
        (void)bytes;
        return buffers;
}

/* What a quota limits; QUOTA_NONE: this one does not. */
static const struct sort {
        struct family families[FIGURES];
        uint64_t (*most)(const struct quota_settings *quota);
        uint64_t (*of)(const struct metrics_pool *pool, uint64_t bytes, uint64_t buffers);
} sorts[] = {
        { { { .name = "pard_quota_bytes",
              .unit = "bytes",
              .help = "Memory of a pool that somebody may have at most." },
            { .name = "pard_quota_used_bytes",
              .unit = "bytes",
              .help = "Memory of a pool that somebody with a quota has, until it is really gone." },
            { .name = "pard_quota_peak_bytes",
              .unit = "bytes",
              .help = "The most memory of a pool that somebody with a quota had at a time." } },
          most_bytes,
          bytes_of },
        { { { .name = "pard_quota_frames",
              .help = "Frames of a pool that somebody may have at most." },
            { .name = "pard_quota_used_frames",
              .help = "Frames of a pool that somebody with a quota has, until they are really "
                      "gone." },
            { .name = "pard_quota_peak_frames",
              .help = "The most frames of a pool that somebody with a quota had at a time." } },
          most_frames,
          frames_of },
        { { { .name = "pard_quota_buffers",
              .help = "Buffers in a pool that somebody may have at most." },
            { .name = "pard_quota_used_buffers",
              .help = "Buffers in a pool that somebody with a quota has." },
            { .name = "pard_quota_peak_buffers",
              .help = "The most buffers in a pool that somebody with a quota had at a time." } },
          most_buffers,
          buffers_of },
};

/* Of what each user may have there is no one figure of what is used. */
static bool is_told(const struct quota_settings *quota, const struct sort *sort, enum figure figure)
{
        return sort->most(quota) != QUOTA_NONE && !(figure == FIGURE_USED && quota->each);
}

static uint64_t figure_of(const struct metrics_pool *pool, size_t quota, const struct sort *sort,
                          enum figure figure)
{
        const struct quota_use *use = &pool->quotas[quota].use;

        if (figure == FIGURE_MOST)
                return sort->most(&pool->report.settings->quotas[quota]);
        if (figure == FIGURE_USED)
                return sort->of(pool, use->bytes, use->buffers);
        return sort->of(pool, use->peak_bytes, use->peak_buffers);
}

static void put_figure(struct metrics_text *text, const struct metrics_view *view,
                       const struct sort *sort, enum figure figure)
{
        struct family family = sort->families[figure];

        for (size_t i = 0; i < view->n_pools; i++) {
                const struct metrics_pool *pool = &view->pools[i];

                for (size_t j = 0; j < pool->report.settings->n_quotas; j++)
                        if (is_told(&pool->report.settings->quotas[j], sort, figure))
                                put_one(text, &family, pool, "whom", pool->quotas[j].whom,
                                        figure_of(pool, j, sort, figure));
        }
}

static bool has_quota_of_each(const struct pool_settings *settings)
{
        for (size_t i = 0; i < settings->n_quotas; i++)
                if (settings->quotas[i].each)
                        return true;
        return false;
}

static void put_users(struct metrics_text *text, const struct metrics_view *view)
{
        /* quota_percents */
        static const char *const shares[QUOTA_SHARES] = { "0.5", "0.75", "0.9", "1.0" };
        struct family family = {
                .name = "pard_quota_users",
                .help = "Users who have such a share at least of what each user may have of a "
                        "pool.",
        };

        for (size_t i = 0; i < view->n_pools; i++) {
                const struct metrics_pool *pool = &view->pools[i];

                for (unsigned j = 0; j < QUOTA_SHARES; j++)
                        if (has_quota_of_each(pool->report.settings))
                                put_one(text, &family, pool, "share", shares[j], pool->users[j]);
        }
}

/* ---- claims --------------------------------------------------------------------------------- */

static uint64_t claim_figure(const struct metrics_pool *pool, size_t claim, enum figure figure)
{
        if (figure == FIGURE_MOST)
                return pool->report.settings->claims[claim].bytes;
        return figure == FIGURE_USED ? pool->claims[claim].use.bytes
                                     : pool->claims[claim].use.peak_bytes;
}

static void put_claims(struct metrics_text *text, const struct metrics_view *view,
                       enum figure figure)
{
        static const struct family families[FIGURES] = {
                { .name = "pard_claim_bytes",
                  .unit = "bytes",
                  .help = "Memory of a pool that is kept for somebody." },
                { .name = "pard_claim_used_bytes",
                  .unit = "bytes",
                  .help = "Memory of a pool that somebody with a claim has, which may be more than "
                          "that." },
                { .name = "pard_claim_peak_bytes",
                  .unit = "bytes",
                  .help = "The most memory of a pool that somebody with a claim had at a time." },
        };
        struct family family = families[figure];

        for (size_t i = 0; i < view->n_pools; i++)
                for (size_t j = 0; j < view->pools[i].report.settings->n_claims; j++)
                        put_one(text, &family, &view->pools[i], "whom",
                                view->pools[i].claims[j].whom,
                                claim_figure(&view->pools[i], j, figure));
}

void metrics_put_quotas(struct metrics_text *text, const struct metrics_view *view)
{
        for (size_t i = 0; i < ARRAY_SIZE(sorts); i++)
                for (enum figure figure = 0; figure < FIGURES; figure++)
                        put_figure(text, view, &sorts[i], figure);
        put_users(text, view);
        for (enum figure figure = 0; figure < FIGURES; figure++)
                put_claims(text, view, figure);
}
