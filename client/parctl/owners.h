/* SPDX-License-Identifier: MIT */
/*
 * Whose memory a revoke or release would be about: shown before it is done.
 */
#pragma once

#include "arguments.h"
#include "ask.h"

/**
 * owners_show() - what the selection of the command line would reach, on standard error
 * @quarantined: memory in quarantine is meant, otherwise what is granted
 * @ret_any: false: there is nothing that it could reach
 *
 * Buffers one by one, clients one by one, or a pool as a whole, as the lists have them now. What
 * the asker may not know is not told.
 *
 * Return: 0, or the exit status.
 */
int owners_show(struct ask *ask, const struct arguments *arguments, bool quarantined,
                bool *ret_any);
