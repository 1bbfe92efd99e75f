/* SPDX-License-Identifier: MIT */
/*
 * Owns struct config. Reads the top level, then its sections, then checks what concerns several of
 * them. Refuses every text that is not right from end to end: there is no half configuration.
 */
#include "config.h"

#include "config_address.h"
#include "config_sections.h"
#include "keeper_protocol.h"
#include "protocol.h"
#include "units.h"

#include <assert.h>
#include <stdlib.h>
#include <syslog.h>

#define DEFAULT_USER        "pard"
#define DEFAULT_GROUP       "pard"
#define DEFAULT_ADMIN_GROUP "pard-admin"
#define THREADS_MAX         64u

static const char *const backend_words[] = { "hugetlb", "sim", NULL };
static const char *const hugepages_words[] = { "reserve", "existing", NULL };
static const char *const level_words[] = { "error", "warning", "notice", "info", "debug", NULL };

static int read_socket(struct config_file *file, struct config *config)
{
        const char *path = config_string(file->root, "socket");
        const char *mode = config_string(file->root, "mode");

        if (!path)
                path = SOCKET_DEFAULT;
        if (path[0] != '/')
                return config_fail(file, NULL, "socket", "\"%s\" is no absolute path", path);
        if (!address_is_path(path))
                return config_fail(file, NULL, "socket", "the path is longer than %zu bytes",
                                   ADDRESS_PATH_MAX);
        config->socket_path = strdup(path);
        if (!config->socket_path)
                return -ENOMEM;

        config->socket_mode = 0660;
        if (mode) {
                size_t n = strspn(mode, "01234567");

                if (n == 0 || n > 4 || mode[n] || strtoul(mode, NULL, 8) > 0777)
                        return config_fail(file, NULL, "mode",
                                           "\"%s\" is no octal mode, such as 0660", mode);
                config->socket_mode = (mode_t)strtoul(mode, NULL, 8);
        }
        return 0;
}

static int read_metrics(struct config_file *file, struct config *config)
{
        const char *where = config_string(file->root, "metrics");

        assert(config->socket_path); /* read before */
        if (!where || !where[0])
                return 0;
        if (!address_is_path(where) && !address_is_loopback(where))
                return config_fail(file, NULL, "metrics",
                                   "\"%s\" is neither an absolute path of at most %zu bytes nor an "
                                   "address of this machine alone, \"127.0.0.1:PORT\" or "
                                   "\"[::1]:PORT\"",
                                   where, ADDRESS_PATH_MAX);
        if (strcmp(where, config->socket_path) == 0)
                return config_fail(file, NULL, "metrics", "\"%s\" is where clients connect", where);
        config->metrics = strdup(where);
        return config->metrics ? 0 : -ENOMEM;
}

static int read_group(struct config_file *file, const char *key, const char *fallback, gid_t *ret)
{
        const char *name = config_string(file->root, key);
        int r;

        *ret = (gid_t)-1;
        r = names_group(file->names, name ? name : fallback, ret);
        if (r == -ENOENT && name)
                return config_fail(file, NULL, key, "there is no group \"%s\" here", name);
        /* That a default does not exist on this system is no mistake. */
        return r == -ENOENT ? 0 : r;
}

static int read_user(struct config_file *file, struct config *config)
{
        const char *name = config_string(file->root, "user");
        int r;

        config->user_name = strdup(name ? name : DEFAULT_USER);
        if (!config->user_name)
                return -ENOMEM;
        config->user = (uid_t)-1;
        config->user_group = (gid_t)-1;
        r = names_user(file->names, config->user_name, &config->user, &config->user_group);
        if (r == -ENOENT && name)
                return config_fail(file, NULL, "user", "there is no user \"%s\" here", name);
        return r == -ENOENT ? 0 : r;
}

static int read_identities(struct config_file *file, struct config *config)
{
        int r;

        r = names_read(file, file->names);
        if (r)
                return r;
        r = read_group(file, "group", DEFAULT_GROUP, &config->socket_group);
        if (r)
                return r;
        r = read_group(file, "admin_group", DEFAULT_ADMIN_GROUP, &config->state.admin_group);
        if (r)
                return r;
        return read_user(file, config);
}

static int read_backend(struct config_file *file, struct config *config)
{
        unsigned backend = BACKEND_HUGETLB, hugepages = 0, level = LOG_INFO - LOG_ERR;
        uint64_t threads = 4;
        int r;

        r = config_word(file, file->root, "backend", backend_words, &backend);
        if (r)
                return r;
        config->backend = backend;
        config->state.backend = backend_words[backend];
        config->state.invented = config->backend == BACKEND_SIM;
        r = config_word(file, file->root, "hugepages", hugepages_words, &hugepages);
        if (r)
                return r;
        config->reserve = hugepages == 0;
        r = config_word(file, file->root, "log_level", level_words, &level);
        if (r)
                return r;
        config->log_level = LOG_ERR + (int)level;

        config->keep_free_bytes = 2 * GiB;
        r = config_size(file, file->root, "keep_free", &config->keep_free_bytes);
        if (r)
                return r;
        config->verify_ns = 10 * NS_PER_S;
        r = config_duration(file, file->root, "verify", &config->verify_ns);
        if (r)
                return r;
        r = config_number(file, file->root, "threads", 1, THREADS_MAX, &threads);
        config->threads = (unsigned)threads;
        return r;
}

static int read_carveouts(struct config_file *file, struct config *config)
{
        const unsigned n = cfg_size(file->root, "carveout");

        if (n == 0)
                return 0;
        if (config->backend != BACKEND_HUGETLB)
                return config_fail(file, NULL, "carveout",
                                   "real memory goes only with backend = \"hugetlb\"");
        config->carveouts = calloc(n, sizeof(*config->carveouts));
        if (!config->carveouts)
                return -ENOMEM;
        for (unsigned i = 0; i < n; i++) {
                const char *path = cfg_getnstr(file->root, "carveout", i);

                if (*path != '/')
                        return config_fail(file, NULL, "carveout",
                                           "\"%s\" is no absolute path of a directory", path);
                config->carveouts[i] = strdup(path);
                if (!config->carveouts[i])
                        return -ENOMEM;
                config->n_carveouts++;
        }
        return 0;
}

static int read_limits(struct config_file *file, struct config *config)
{
        const struct {
                const char *key;
                uint64_t fallback, max;
                uint32_t *ret;
        } limits[] = {
                { "max_clients", 1024, 65536, &config->state.max_clients },
                { "max_clients_per_user", 0, 65536, &config->state.max_clients_per_user },
                { "max_buffers", 65536, UINT32_MAX, &config->state.max_buffers },
                { "max_waiting", 64, 65536, &config->state.max_waiting },
        };
        int r;

        for (size_t i = 0; i < ARRAY_SIZE(limits); i++) {
                uint64_t value = limits[i].fallback;

                r = config_number(file, file->root, limits[i].key, 1, limits[i].max, &value);
                if (r)
                        return r;
                *limits[i].ret = (uint32_t)value;
        }
        /* Nobody but administrators has all of them by default. */
        if (!config->state.max_clients_per_user)
                config->state.max_clients_per_user = (config->state.max_clients + 1) / 2;
        return 0;
}

/* A size of pages is a backend's, and a pool of such pages has to be that backend's. */
static int check_source(struct config_file *file, const struct config *config, unsigned i)
{
        const struct pool_settings *pool = &config->pools[i];
        const bool carved = pool->source == SOURCE_CARVEOUT;
        cfg_t *section = cfg_getnsec(file->root, "pool", i);

        if (carved && !config->n_carveouts)
                return config_fail(file, section, "source",
                                   "\"carveout\" needs the key carveout: where that memory is");
        if (!carved && config->n_carveouts && pool->page_bytes == GRANULE_BYTES)
                return config_fail(file, section, "page_size",
                                   "\"%s\": such pages come only with source = \"carveout\"",
                                   config_string(section, "page_size"));
        return 0;
}

static int read_pools(struct config_file *file, struct config *config)
{
        unsigned n = cfg_size(file->root, "pool");
        int r;

        if (n == 0)
                return config_fail(file, NULL, NULL, "there is no pool: pard would hold no memory");
        if (n > KEEPER_POOLS_MAX)
                return config_fail(file, cfg_getnsec(file->root, "pool", KEEPER_POOLS_MAX), NULL,
                                   "there are %u pools, and at most %u can be", n,
                                   KEEPER_POOLS_MAX);
        config->pools = calloc(n, sizeof(*config->pools));
        config->pool_highest = calloc(n, sizeof(*config->pool_highest));
        if (!config->pools || !config->pool_highest)
                return -ENOMEM;
        config->state.pools = config->pools;
        config->state.n_pools = n;
        for (unsigned i = 0; i < n; i++) {
                r = config_pool_read(file, cfg_getnsec(file->root, "pool", i), &config->pools[i],
                                     &config->pool_highest[i]);
                if (!r)
                        r = check_source(file, config, i);
                if (r)
                        return r;
        }
        return 0;
}

static int check_sim_page_size(struct config_file *file, const struct config *config, unsigned pool)
{
        const uint64_t page_bytes = config->pools[pool].page_bytes;
        const bool demote = config->pools[pool].source == SOURCE_DEMOTE;
        char text[UNIT_TEXT_BYTES];

        for (size_t i = 0; i < config->sim.n_extents; i++) {
                const uint64_t extent_bytes = config->sim.extents[i].page_bytes;

                if (demote ? extent_bytes > page_bytes : extent_bytes == page_bytes)
                        return 0;
        }
        return config_fail(file, cfg_getnsec(file->root, "pool", pool),
                           demote ? "source" : "page_size", "no extent of sim has pages of %s%s",
                           demote ? "more than " : "", size_exact(page_bytes, text));
}

static int read_devices_dir(struct config_file *file, struct config *config)
{
        const char *path = config_string(file->root, "devices_dir");

        if (!path || !path[0])
                return 0;
        config->devices_dir = strdup(path);
        return config->devices_dir ? 0 : -ENOMEM;
}

static int read_sim(struct config_file *file, struct config *config)
{
        int r;

        if (cfg_size(file->root, "sim") > 0) {
                r = config_sim_read(file, cfg_getsec(file->root, "sim"), &config->sim);
                if (r)
                        return r;
        }
        if (config->backend != BACKEND_SIM)
                return 0;
        if (config->sim.n_extents == 0)
                return config_fail(file, NULL, "backend",
                                   "\"sim\" needs a sim section with an extent: the invented "
                                   "memory");
        for (unsigned i = 0; i < config->state.n_pools; i++) {
                r = check_sim_page_size(file, config, i);
                if (r)
                        return r;
        }
        return 0;
}

static int check_frames(struct config_file *file, struct config *config)
{
        if (config_frames(config) > KEEPER_SLOTS_MAX / 2)
                return config_fail(file, NULL, NULL,
                                   "the pools have %" PRIu64 " pages together, and at most %u can "
                                   "be held: take larger pages",
                                   config_frames(config), KEEPER_SLOTS_MAX / 2);
        return 0;
}

static int read_all(struct config_file *file, struct config *config)
{
        static int (*const parts[])(struct config_file *, struct config *) = {
                read_socket,      read_metrics, read_identities, read_backend,
                read_carveouts,   read_limits,  read_pools,      config_devices_read,
                read_devices_dir, read_sim,     check_frames,
        };
        int r;

        for (size_t i = 0; i < ARRAY_SIZE(parts); i++) {
                r = parts[i](file, config);
                if (r)
                        return r;
        }
        return 0;
}

/* Anything else than a device is refused. */
static int read_devices_only(struct config_file *file, struct config *config)
{
        static const char *const sections[] = { "pool", "sim", "pci" };
        const struct config_key *keys;
        size_t n_keys;

        keys = config_keys(&n_keys);
        for (size_t i = 0; i < n_keys; i++)
                if (!keys[i].section[0] && config_string(file->root, keys[i].name))
                        return config_fail(file, NULL, keys[i].name,
                                           "only devices are described here");
        for (size_t i = 0; i < ARRAY_SIZE(sections); i++)
                if (cfg_size(file->root, sections[i]) > 0)
                        return config_fail(file, cfg_getnsec(file->root, sections[i], 0), NULL,
                                           "only devices are described here");
        return config_devices_read(file, config);
}

/* *ret: written with -EINVAL as well. */
static int load_partly(const char *text, const char *name,
                       int (*read)(struct config_file *, struct config *), struct config **ret,
                       char *error, size_t error_bytes)
{
        struct config_file file = { .name = name, .error = error, .error_bytes = error_bytes };
        struct config *config;
        int r;

        config = calloc(1, sizeof(*config));
        if (!config)
                return -ENOMEM;
        file.names = &config->names;
        r = config_file_parse(&file, text);
        if (!r)
                r = read(&file, config);
        config_file_deinit(&file);
        if (r == -ENOMEM)
                snprintf(error, error_bytes, "%s: out of memory", name);
        if (r && r != -EINVAL) {
                config_free(config);
                return r;
        }
        *ret = config;
        return r;
}

static int load(const char *text, const char *name,
                int (*read)(struct config_file *, struct config *), struct config **ret,
                char *error, size_t error_bytes)
{
        struct config *config = NULL;
        int r;

        r = load_partly(text, name, read, &config, error, error_bytes);
        if (r) {
                config_free(config);
                return r;
        }
        *ret = config;
        return 0;
}

int config_load(const char *text, const char *name, struct config **ret, char *error,
                size_t error_bytes)
{
        return load(text, name, read_all, ret, error, error_bytes);
}

int config_load_partly(const char *text, const char *name, struct config **ret, char *error,
                       size_t error_bytes)
{
        return load_partly(text, name, read_all, ret, error, error_bytes);
}

int config_load_devices(const char *text, const char *name, struct config **ret, char *error,
                        size_t error_bytes)
{
        return load(text, name, read_devices_only, ret, error, error_bytes);
}

void config_free(struct config *config)
{
        if (!config)
                return;
        for (size_t i = 0; config->pools && i < config->state.n_pools; i++)
                config_pool_deinit(&config->pools[i]);
        for (size_t i = 0; config->devices && i < config->state.n_devices; i++)
                free(config->devices[i].name);
        for (size_t i = 0; i < config->n_carveouts; i++)
                free(config->carveouts[i]);
        free(config->carveouts);
        free(config->pools);
        free(config->devices);
        free(config->pool_highest);
        free(config->device_highest);
        free(config->sim.extents);
        free(config->socket_path);
        free(config->metrics);
        free(config->devices_dir);
        free(config->user_name);
        names_deinit(&config->names);
        free(config);
}

uint64_t config_frames(const struct config *config)
{
        uint64_t frames = 0;

        for (size_t i = 0; i < config->state.n_pools; i++) {
                const struct pool_settings *pool = &config->pools[i];

                /* A sum that does not fit is more than any limit. */
                if (__builtin_add_overflow(frames, pool->size_max_bytes / pool->page_bytes,
                                           &frames))
                        return UINT64_MAX;
        }
        return frames;
}
