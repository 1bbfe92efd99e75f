/* SPDX-License-Identifier: MIT */
/*
 * Owns nothing. Knows no pool's size: memory is reserved when pools grow.
 */
#include "make_backend.h"

#include "by_size.h"
#include "carveout.h"
#include "log.h"
#include "macros.h"
#include "units.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define PAGE_SIZES_MAX 16

static void tell(const char *sentence)
{
        log_warning("%s", sentence);
}

/* A frame that leaves and the one that replaces it are both pinned for a moment. */
static uint32_t pins_for(const struct config *config)
{
        const uint64_t pins = config_frames(config) * 2;

        return pins < UINT32_MAX ? (uint32_t)pins : UINT32_MAX;
}

static int make_hugetlb(const struct config *config, const char *record_path, bool resumed,
                        struct backend **ret)
{
        struct hugetlb_need *needs = calloc(config->state.n_pools, sizeof(*needs));
        struct hugetlb_settings settings = {
                .reserve = config->reserve,
                .keep_free_bytes = config->keep_free_bytes,
                .needs = needs,
                .pins = pins_for(config),
                .record_path = record_path,
                .tell = tell,
                .resumed = resumed,
                .sysfs_root = "",
        };
        char error[512] = "";
        int r;

        if (!needs)
                return -ENOMEM;
        for (size_t i = 0; i < config->state.n_pools; i++) {
                const struct pool_settings *pool = &config->pools[i];

                if (pool->source != SOURCE_CARVEOUT)
                        needs[settings.n_needs++] =
                                (struct hugetlb_need){ pool->page_bytes, pool->node };
        }
        r = hugetlb_new(&settings, ret, error, sizeof(error));
        free(needs);
        if (!r)
                return 0;
        log_error("hugepages cannot be had: %s", *error ? error : strerror(-r));
        if ((r == -EACCES || r == -EPERM) && geteuid() != 0)
                log_error("pard runs as uid %u: the hugetlb backend must be started by root (it "
                          "reads physical addresses and reserves hugepages); backend = \"sim\" "
                          "needs no rights",
                          (unsigned)geteuid());
        return r;
}

/* What pools may have of a carve-out: more of it would be held for nothing. */
static size_t carveout_pages(const struct config *config)
{
        size_t pages = 0;

        for (size_t i = 0; i < config->state.n_pools; i++)
                if (config->pools[i].source == SOURCE_CARVEOUT)
                        pages += config->pools[i].size_max_bytes / config->pools[i].page_bytes;
        return pages;
}

static int make_carveout(const struct config *config, struct backend **ret)
{
        const struct carveout_settings settings = {
                .paths = (const char *const *)config->carveouts,
                .n_paths = config->n_carveouts,
                .pages_max = carveout_pages(config),
        };
        char error[512] = "";
        int r;

        if (carveout_page_bytes() != GRANULE_BYTES) {
                log_error("carved-out memory cannot be had: this kernel's pages have not 4 KiB");
                return -EOPNOTSUPP;
        }
        r = carveout_new(&settings, ret, error, sizeof(error));
        if (r)
                log_error("carved-out memory cannot be had: %s", *error ? error : strerror(-r));
        return r;
}

/* Hugepages, and the small pages of a carve-out beside them. */
static int make_real(const struct config *config, const char *record_path, bool resumed,
                     struct backend **ret)
{
        _cleanup_(backend_freep) struct backend *hugetlb = NULL;
        struct backend *carveout;
        int r;

        r = make_hugetlb(config, record_path, resumed, &hugetlb);
        if (r)
                return r;
        if (!config->n_carveouts) {
                *ret = STEAL(hugetlb);
                return 0;
        }
        r = make_carveout(config, &carveout);
        if (r)
                return r;
        return by_size_new(carveout_page_bytes(), carveout, STEAL(hugetlb), ret);
}

int make_backend(const struct config *config, const char *socket_path, bool resumed,
                 struct backend **ret)
{
        char record_path[PATH_MAX];
        int r;

        if (snprintf(record_path, sizeof(record_path), "%s.reserved", socket_path) >=
            (int)sizeof(record_path))
                return -ENAMETOOLONG;

        switch (config->backend) {
        case BACKEND_HUGETLB: return make_real(config, record_path, resumed, ret);
        case BACKEND_SIM:
                r = sim_new(&config->sim, ret);
                if (!r)
                        (*ret)->ops->set_keep_free(*ret, config->keep_free_bytes);
                else
                        log_error("the invented memory cannot be made: %s", strerror(-r));
                return r;
        }
        return -EINVAL;
}

void warn_of_page_sizes(const struct config *config)
{
        uint64_t sizes[PAGE_SIZES_MAX];
        size_t n = hugetlb_page_sizes(sizes, PAGE_SIZES_MAX);
        char text[UNIT_TEXT_BYTES];

        if (config->backend != BACKEND_HUGETLB)
                return;
        if (n > PAGE_SIZES_MAX)
                n = PAGE_SIZES_MAX;
        for (size_t i = 0; i < config->state.n_pools; i++) {
                const struct pool_settings *pool = &config->pools[i];
                bool known = pool->source == SOURCE_CARVEOUT;

                for (size_t k = 0; k < n; k++)
                        known |= sizes[k] == pool->page_bytes;
                if (!known)
                        log_warning("pool \"%s\": this system has no hugepages of %s", pool->name,
                                    size_exact(pool->page_bytes, text));
        }
}
