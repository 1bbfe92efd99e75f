/* SPDX-License-Identifier: MIT */
/*
 * The configuration: parsed once, checked whole, then constant.
 */
#pragma once

#include "config_names.h"
#include "hugetlb.h"
#include "sim.h"
#include "state_settings.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum backend_kind {
        BACKEND_HUGETLB,
        BACKEND_SIM,
};

/**
 * struct config - what conf/pard.conf says, with defaults filled in and names resolved to numbers
 * @socket_path:     absolute
 * @socket_mode:     permission bits
 * @socket_group:    (gid_t)-1: leave it
 * @user_name:       whom the worker runs as, as it was written
 * @user:            its uid; (uid_t)-1: there is no such user, which only the default may be
 * @user_group:      its primary group; (gid_t)-1 likewise
 * @log_level:       as in syslog.h
 * @backend:         where frames come from
 * @reserve:         hugepages = "reserve"
 * @carveouts:       @n_carveouts directories of carved-out memory
 * @keep_free_bytes: what the system keeps
 * @verify_ns:       period of verification; 0: never
 * @metrics:         where metrics are served: a path, or "127.0.0.1:PORT"; NULL: nowhere
 * @threads:         of the keeper, >= 1
 * @devices_dir:     where further devices are described; NULL: nowhere. Whoever reads the text has
 *                   added what is there
 * @sim:             the invented machine; without extents where @backend is another
 * @pools:           @state.n_pools entries
 * @devices:         @state.n_devices entries; NULL where there is none
 * @pool_highest, @device_highest: which key set the highest address of each, "below" for instance;
 *                   NULL: none did
 * @names:           users and groups that it names
 * @state:           for the worker; points into the above
 *
 * Owns everything that it points to.
 */
struct config {
        char *socket_path;
        mode_t socket_mode;
        gid_t socket_group;
        char *user_name;
        uid_t user;
        gid_t user_group;
        int log_level;
        enum backend_kind backend;
        bool reserve;
        char **carveouts;
        size_t n_carveouts;
        uint64_t keep_free_bytes;
        uint64_t verify_ns;
        char *metrics;
        unsigned threads;
        char *devices_dir;
        struct sim_settings sim;
        struct pool_settings *pools;
        struct device_settings *devices;
        const char **pool_highest, **device_highest;
        struct known_names names;
        struct state_settings state;
};

/**
 * config_load() - read a configuration
 * @text:  the whole text; borrowed for the call
 * @name:  of the file, for messages; borrowed for the call
 * @ret:   owned by the caller: config_free()
 * @error: "pard.conf:12: ..." of at most @error_bytes; written only on failure
 *
 * Depends on nothing but the text and, unless it has the key ids, the system's users and groups:
 * every process that reads the same text gets the same configuration. One thread at a time.
 *
 * Return: 0; -EINVAL for anything wrong in it; -ENOMEM.
 */
int config_load(const char *text, const char *name, struct config **ret, char *error,
                size_t error_bytes);
/**
 * config_load_partly() - read a configuration, or as much of it as comes before a mistake
 *
 * As config_load(); with -EINVAL *ret is owned by the caller, too, and of it only names counts: the
 * users and groups that were found until then.
 */
int config_load_partly(const char *text, const char *name, struct config **ret, char *error,
                       size_t error_bytes);
/**
 * config_load_devices() - read a text that has device sections and nothing else
 *
 * As config_load(); of what is returned only the devices are filled in.
 */
int config_load_devices(const char *text, const char *name, struct config **ret, char *error,
                        size_t error_bytes);
void config_free(struct config *config); /* NULL is fine */

/**
 * struct config_key - one key that a configuration may have
 * @section: "" at the top level, else "pool", "quota", "claim", "device", "bus_window", "pci",
 *           "sim" or "extent"
 * @name:    what stands left of the equal sign
 * @is_list: takes { "a", "b" }
 */
struct config_key {
        const char *section, *name;
        bool is_list;
};

/* All keys, section by section, in the order of conf/pard.conf; *ret_count tells how many. */
const struct config_key *config_keys(size_t *ret_count);

/**
 * config_compare() - may a running daemon go from one configuration to another?
 * @from:       what it goes by now
 * @frames_max: frames that it has room for: config_frames() of the configuration it started with,
 *              half of the keeper's slots
 * @changed:    called with the name of each setting that differs ("pool below4g: size_max",
 *              "device capture0: dma_bits", "keep_free"), also of those that cannot change; NULL:
 *              nobody wants to know. The name is borrowed for the call
 * @data:       handed to @changed
 * @error:      a sentence that names everything that cannot change while pard runs; written only on
 *              failure, of at most @error_bytes, which is > 0
 *
 * Return: 0; -EINVAL.
 */
int config_compare(const struct config *from, const struct config *to, uint64_t frames_max,
                   void (*changed)(void *data, const char *name), void *data, char *error,
                   size_t error_bytes);

/* Frames that all pools of a configuration may hold together: their size_max. */
uint64_t config_frames(const struct config *config);
