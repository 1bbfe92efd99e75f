/* SPDX-License-Identifier: MIT */
/*
 * What pard tells a client of its buffers.
 */
#pragma once

#include <par.h>

/**
 * events_await() - the next event of one connection
 * @seconds: how long to wait for it
 * @ret:     the event; PAR_EVENT_NONE where none came
 */
void events_await(struct par *par, int seconds, struct par_event *ret);
