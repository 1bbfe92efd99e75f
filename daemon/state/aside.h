/* SPDX-License-Identifier: MIT */
/*
 * Frames that clients have seen, where what the ledger says of them cannot be believed.
 */
#pragma once

#include <stdint.h>

struct frame;
struct state;

/**
 * aside_keep() - this one was put aside by a former worker
 * @frame: nobody is charged for it
 */
void aside_keep(struct state *state, struct frame *frame);

/**
 * aside_put_all() - put all frames aside of which it is not known what clients have of them
 *
 * Those without a buffer stay in quarantine until an administrator releases them; from those with
 * buffers nothing more is granted. Called when all buffers are there that could be believed.
 *
 * Return: how many were put aside.
 */
uint64_t aside_put_all(struct state *state);
