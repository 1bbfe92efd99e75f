/* SPDX-License-Identifier: MIT */
/*
 * What lies between the runs that have been cut. In a gap only the longest piece is looked for;
 * when it is that one's turn, the gap becomes two. Private to the core.
 */
#pragma once

#include "gathering.h"

/* Note a range in which no piece is a full one, and of which no run lies in part. Return: 0;
 * -ENOMEM. */
int gap_push(struct gathering *gathering, struct range gap);

/**
 * gap_open() - look into a gap whose turn it is
 *
 * Runs that reach from one space into another are cut at once, all of them; so there is none in any
 * window that is left.
 *
 * Return: 0; -ENOMEM.
 */
int gap_open(struct gathering *gathering, struct range gap);

/**
 * gap_split() - cut the run with the longest piece of a window, and look into what is beside it
 * @window: a candidate that is one
 *
 * Return: 0; -ENOMEM.
 */
int gap_split(struct gathering *gathering, const struct candidate *window);
