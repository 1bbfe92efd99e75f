/* SPDX-License-Identifier: MIT */
/*
 * The configuration: parsed once, checked whole, then constant.
 */
#pragma once

#include "hugetlb.h"
#include "sim.h"
#include "state.h"

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
 *
 * Owns everything that it points to.
 */
struct config {
        char *socket_path;
        mode_t socket_mode;
        gid_t socket_group; /* (gid_t)-1: leave it */
        uid_t user;         /* of the worker; (uid_t)-1: the keeper's own */
        gid_t user_group;   /* (gid_t)-1: the keeper's own */
        int log_level;
        enum backend_kind backend;
        bool reserve; /* hugepages = "reserve" */
        uint64_t keep_free_bytes;
        uint64_t verify_ns;
        unsigned threads;
        struct sim_settings sim;
        struct pool_settings *pools;
        struct device_settings *devices;
        struct state_settings state; /* points into the above */
};

/**
 * config_load() - read a configuration
 * @text:  the whole text
 * @name:  of the file, for messages; borrowed
 * @ret:   owned by the caller: config_free()
 * @error: "pard.conf:12: ..." of at most @error_bytes; written only on failure
 *
 * Return: 0; -EINVAL for anything wrong in it; -ENOMEM.
 */
int config_load(const char *text, const char *name, struct config **ret, char *error,
                size_t error_bytes);
void config_free(struct config *config);
