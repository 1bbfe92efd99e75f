/* SPDX-License-Identifier: MIT */
/*
 * Having the system put more pages into its stock until enough of them are good: all of them where
 * any page will do, and otherwise as many as it takes, within limits. What is held like that is
 * reserved and not touched.
 */
#pragma once

#include "take.h"

/**
 * harvest() - take frames from pages that the system adds
 * @node:        where; or NODE_ANY
 * @all_good:    every page of this node will do
 * @large_bytes: 0; or the larger size of pages that are added and taken apart
 *
 * What was added and is not needed is taken out of the stock again.
 *
 * Return: 0 where nothing is wanted any more, or why more cannot be had: -ENOMEM: the system has no
 * more; -EDQUOT: keep_free; -EFBIG: harvest_max; -EOPNOTSUPP: pard may not reserve; -ECANCELED;
 * other negative errno.
 */
int harvest(struct take *take, int node, bool all_good, uint64_t large_bytes);

/* Whether a page is of those that another take harvests: whoever can do with any leaves it to him.
 */
bool harvest_seeks(struct work *work, const struct backend_frame *frame);

/* The take ends: it is the next one's turn. */
void harvest_end(struct take *take);
