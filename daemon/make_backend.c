/* SPDX-License-Identifier: MIT */
/*
 * Owns nothing. Knows no pool's size: memory is reserved when pools grow.
 */
#include "make_backend.h"

#include "log.h"
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

static int make_hugetlb(const struct config *config, const char *record_path, struct backend **ret)
{
        struct hugetlb_need *needs = calloc(config->state.n_pools, sizeof(*needs));
        struct hugetlb_settings settings = {
                .reserve = config->reserve,
                .keep_free_bytes = config->keep_free_bytes,
                .needs = needs,
                .n_needs = config->state.n_pools,
                .record_path = record_path,
                .tell = tell,
                .sysfs_root = "",
        };
        char error[512] = "";
        int r;

        if (!needs)
                return -ENOMEM;
        for (size_t i = 0; i < config->state.n_pools; i++)
                needs[i] =
                        (struct hugetlb_need){ config->pools[i].page_bytes, config->pools[i].node };
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

int make_backend(const struct config *config, const char *socket_path, struct backend **ret)
{
        char record_path[PATH_MAX];
        int r;

        if (snprintf(record_path, sizeof(record_path), "%s.reserved", socket_path) >=
            (int)sizeof(record_path))
                return -ENAMETOOLONG;

        switch (config->backend) {
        case BACKEND_HUGETLB: return make_hugetlb(config, record_path, ret);
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
                bool known = false;

                for (size_t k = 0; k < n; k++)
                        known |= sizes[k] == pool->page_bytes;
                if (!known)
                        log_warning("pool \"%s\": this system has no hugepages of %s", pool->name,
                                    size_exact(pool->page_bytes, text));
        }
}
