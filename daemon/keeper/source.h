/* SPDX-License-Identifier: MIT */
/*
 * Where the frames of a take come from, in this order: pages that are aside, pages that lie in the
 * stock already, nodes that lie in the range, and last whatever the system adds until enough of it
 * lies in the range. Pools that demote take larger pages apart instead.
 */
#pragma once

#include "work.h"

/* Do a JOB_TAKE, and report its end. */
void source_take(struct work *work, struct job *job);
