/* SPDX-License-Identifier: MIT */
/*
 * Users and groups by name or number. Asking the system for them reads files and may wait for
 * servers, which a process without rights, or with clients, cannot do: what was found goes along in
 * the text of the configuration, as its key ids, and with that nobody asks again.
 */
#pragma once

#include "state_settings.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct config_file;

/**
 * struct known_name - a user or group that was looked for and is there
 * @uid, @gid: of a group only @gid
 */
struct known_name {
        char *name;
        bool is_group;
        uid_t uid;
        gid_t gid;
};

/**
 * struct known_names - those of one configuration; zeroed at first
 * @known: @n of them
 * @told:  the text has told all that there are; the system is not asked
 */
struct known_names {
        struct known_name *known;
        size_t n;
        bool told;
};

void names_deinit(struct known_names *names);

/* The key ids, where it is set. Return: 0; -EINVAL with the error told; -ENOMEM. */
int names_read(struct config_file *file, struct known_names *names);

/* "radio" or "1001". Return: 0; -ENOENT where there is no such group; -ENOMEM. Any number exists.
 */
int names_group(struct known_names *names, const char *text, gid_t *ret);

/* "pard" or "999", and its primary group (of a number that nobody has: the same number).
 * Return: 0; -ENOENT where there is no such user; -ENOMEM. */
int names_user(struct known_names *names, const char *text, uid_t *ret, gid_t *ret_group);

/* "group:radio", "user:anna", "gid:5", "uid:1000". Return: 0; -ENOENT; -EINVAL for another form;
 * -ENOMEM. */
int names_principal(struct known_names *names, const char *text, struct principal *ret);
