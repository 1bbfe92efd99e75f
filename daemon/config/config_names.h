/* SPDX-License-Identifier: MIT */
/*
 * Users and groups by name or number, as the system knows them.
 */
#pragma once

#include "state_settings.h"

#include <sys/types.h>

/* "radio" or "1001". Return: 0; -ENOENT where there is no such group. Any number exists. */
int names_group(const char *text, gid_t *ret);

/* "pard" or "999", and its primary group (of a number that nobody has: the same number).
 * Return: 0; -ENOENT where there is no such user. */
int names_user(const char *text, uid_t *ret, gid_t *ret_group);

/* "group:radio", "user:anna", "gid:5", "uid:1000". Return: 0; -ENOENT; -EINVAL for another form. */
int names_principal(const char *text, struct principal *ret);
