/* SPDX-License-Identifier: MIT */
/*
 * Owns the configuration that was read last. Nothing is changed before all of it was found good;
 * from then on nothing can fail. Refuses what config_compare() says cannot change while pard runs.
 */
#include "keeper_reload.h"

#include "config_source.h"
#include "log.h"

#include "macros.h"

static void log_change(void *data, const char *name)
{
        (void)data;
        log_debug("reload: %s differs", name);
}

/* Only what the main loop of the keeper alone reads: its threads have their own copies. */
static void adopt(struct keeper_reload *reload, struct config *config)
{
        const struct options *options = reload->options;

        for (size_t i = 0; i < config->state.n_pools; i++)
                reload->pools[i].harvest_max_bytes = config->pools[i].harvest_max_bytes;
        reload->settings->verify_ns = config->verify_ns;
        reload->backend->ops->set_keep_free(reload->backend, config->keep_free_bytes);
        log_open("pard", options->log_level >= 0 ? options->log_level : config->log_level);
        config_free(reload->current);
        reload->current = config;
}

int keeper_reload_again(void *data, int *ret_config_fd)
{
        struct keeper_reload *reload = data;
        const struct config *from = reload->current ? reload->current : reload->first;
        const char *path = reload->options->config_path;
        struct config *config;
        char error[1024];
        int r;

        r = config_source_open_again(path, ret_config_fd);
        if (r)
                return r;
        r = config_source_load(*ret_config_fd, path, &config);
        if (r)
                return r;
        r = config_compare(from, config, reload->frames_max, log_change, NULL, error,
                           sizeof(error));
        if (r) {
                log_error("%s: %s", path, error);
                config_free(config);
                return r;
        }
        adopt(reload, config);
        return 0;
}

void keeper_reload_deinit(struct keeper_reload *reload)
{
        config_free(STEAL(reload->current));
}
