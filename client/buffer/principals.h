/* SPDX-License-Identifier: MIT */
#pragma once

#include "message.h"
#include "public.h"

#include <stddef.h>

/**
 * principals_parse() - users and groups by their names or numbers
 * @text:      "user:alice,group:radio,uid:1001,gid:44"
 * @ret:       room for PAR_ALLOW_MAX
 * @ret_count: how many there are
 *
 * Asks the system's user and group databases.
 *
 * Return: 0; -EINVAL where one is not known or the text is none such; -ENOMEM. par_error() is set.
 */
int principals_parse(const char *text, Wire__Principal ret[PAR_ALLOW_MAX], size_t *ret_count);
