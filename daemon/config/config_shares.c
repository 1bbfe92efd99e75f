/* SPDX-License-Identifier: MIT */
/*
 * Owns nothing; reads the quotas and claims of one pool. What could never be kept is refused here:
 * claims of more than the pool always holds, and a claim beyond the quota of whoever has it.
 */
#include "config_names.h"
#include "config_sections.h"
#include "units.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define EACH_USER "user:*"

static int read_principal(struct config_file *file, cfg_t *section, struct principal *ret)
{
        int r = names_principal(file->names, cfg_title(section), ret);

        if (r == -ENOENT)
                return config_fail(file, section, NULL, "it does not exist here");
        if (r == -EINVAL)
                return config_fail(file, section, NULL,
                                   "it is none of \"group:NAME\", \"user:NAME\", "
                                   "\"gid:NUMBER\", \"uid:NUMBER\"");
        return r;
}

static bool is_same(const struct principal *a, const struct principal *b)
{
        return a->is_group == b->is_group && a->id == b->id;
}

/* ---- quotas --------------------------------------------------------------------------------- */

static int check_quota(struct config_file *file, cfg_t *section, const struct pool_settings *pool,
                       const struct quota_settings *quota)
{
        for (const struct quota_settings *other = pool->quotas; other < quota; other++)
                if (other->each == quota->each && is_same(&other->who, &quota->who))
                        return config_fail(file, section, NULL, "quota \"%s\" is of the same",
                                           other->name);
        return 0;
}

static int read_quota(struct config_file *file, cfg_t *section, const struct pool_settings *pool,
                      struct quota_settings *ret)
{
        int r = 0;

        *ret = (struct quota_settings){
                .name = strdup(cfg_title(section)),
                .bytes = QUOTA_NONE,
                .frames = QUOTA_NONE,
                .buffers = QUOTA_NONE,
        };
        if (!ret->name)
                return -ENOMEM;
        ret->each = strcmp(ret->name, EACH_USER) == 0;
        if (!ret->each)
                r = read_principal(file, section, &ret->who);
        if (r)
                return r;
        r = config_size(file, section, "bytes", &ret->bytes);
        if (r)
                return r;
        r = config_number(file, section, "frames", 0, UINT32_MAX, &ret->frames);
        if (r)
                return r;
        r = config_number(file, section, "buffers", 0, UINT32_MAX, &ret->buffers);
        if (r)
                return r;
        return check_quota(file, section, pool, ret);
}

static int read_quotas(struct config_file *file, cfg_t *pool_section, struct pool_settings *pool)
{
        const unsigned n = cfg_size(pool_section, "quota");

        if (n > QUOTAS_MAX)
                return config_fail(file, cfg_getnsec(pool_section, "quota", QUOTAS_MAX), NULL,
                                   "the pool has %u quotas, and at most %u can be", n, QUOTAS_MAX);
        pool->quotas = n ? calloc(n, sizeof(pool->quotas[0])) : NULL;
        if (n && !pool->quotas)
                return -ENOMEM;
        while (pool->n_quotas < n) {
                cfg_t *section = cfg_getnsec(pool_section, "quota", (unsigned)pool->n_quotas);
                int r = read_quota(file, section, pool, &pool->quotas[pool->n_quotas++]);

                if (r)
                        return r;
        }
        return 0;
}

/* ---- claims --------------------------------------------------------------------------------- */

/* The quota that holds for whoever has the claim: his own, or that of each user. NULL: none. */
static const struct quota_settings *quota_of(const struct pool_settings *pool,
                                             const struct principal *who)
{
        const struct quota_settings *each = NULL;

        for (size_t i = 0; i < pool->n_quotas; i++) {
                const struct quota_settings *quota = &pool->quotas[i];

                if (quota->each)
                        each = quota;
                else if (is_same(&quota->who, who))
                        return quota;
        }
        return who->is_group ? NULL : each;
}

/* That leaves it room. */
static int check_against_quotas(struct config_file *file, cfg_t *section,
                                const struct pool_settings *pool,
                                const struct claim_settings *claim)
{
        const struct quota_settings *quota = quota_of(pool, &claim->who);

        if (!quota ||
            (claim->bytes <= quota->bytes && claim->bytes / pool->page_bytes <= quota->frames))
                return 0;
        if (quota->each)
                return config_fail(file, section, "bytes",
                                   "\"%s\" is more than quota \"%s\" allows, which is his",
                                   config_string(section, "bytes"), quota->name);
        return config_fail(file, section, "bytes",
                           "\"%s\" is more than the quota of the same allows",
                           config_string(section, "bytes"));
}

static int check_claim(struct config_file *file, cfg_t *section, const struct pool_settings *pool,
                       const struct claim_settings *claim)
{
        char text[UNIT_TEXT_BYTES];
        uint64_t left = pool->size_min_bytes;

        if (claim->bytes % pool->page_bytes != 0)
                return config_fail(
                        file, section, "bytes", "\"%s\" is no multiple of page_size (%s)",
                        config_string(section, "bytes"), size_exact(pool->page_bytes, text));
        for (const struct claim_settings *other = pool->claims; other < claim; other++) {
                if (is_same(&other->who, &claim->who))
                        return config_fail(file, section, NULL, "claim \"%s\" is of the same",
                                           other->name);
                left -= other->bytes;
        }
        if (claim->bytes > left)
                return config_fail(file, section, "bytes",
                                   "all claims together are more than size_min (%s), which is what "
                                   "the pool always holds",
                                   size_exact(pool->size_min_bytes, text));
        return check_against_quotas(file, section, pool, claim);
}

static int read_claim(struct config_file *file, cfg_t *section, const struct pool_settings *pool,
                      struct claim_settings *ret)
{
        int r;

        ret->name = strdup(cfg_title(section));
        if (!ret->name)
                return -ENOMEM;
        r = read_principal(file, section, &ret->who);
        if (r)
                return r;
        r = config_size(file, section, "bytes", &ret->bytes);
        if (r)
                return r;
        return check_claim(file, section, pool, ret);
}

static int read_claims(struct config_file *file, cfg_t *pool_section, struct pool_settings *pool)
{
        const unsigned n = cfg_size(pool_section, "claim");

        if (n > CLAIMS_MAX)
                return config_fail(file, cfg_getnsec(pool_section, "claim", CLAIMS_MAX), NULL,
                                   "the pool has %u claims, and at most %u can be", n, CLAIMS_MAX);
        pool->claims = n ? calloc(n, sizeof(pool->claims[0])) : NULL;
        if (n && !pool->claims)
                return -ENOMEM;
        while (pool->n_claims < n) {
                cfg_t *section = cfg_getnsec(pool_section, "claim", (unsigned)pool->n_claims);
                int r = read_claim(file, section, pool, &pool->claims[pool->n_claims++]);

                if (r)
                        return r;
        }
        return 0;
}

/* ---- both ----------------------------------------------------------------------------------- */

int config_shares_read(struct config_file *file, cfg_t *section, struct pool_settings *pool)
{
        int r;

        r = read_quotas(file, section, pool);
        if (r)
                return r;
        return read_claims(file, section, pool);
}

void config_shares_deinit(struct pool_settings *pool)
{
        for (size_t i = 0; i < pool->n_quotas; i++)
                free(pool->quotas[i].name);
        free(pool->quotas);
        for (size_t i = 0; i < pool->n_claims; i++)
                free(pool->claims[i].name);
        free(pool->claims);
}
