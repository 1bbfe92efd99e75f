/* SPDX-License-Identifier: MIT */
/*
 * Ends a test in which something hangs, with words of its own: from a thread, where a signal's
 * handler could say nothing.
 */
#pragma once

/* From now on @late is called, from another thread, when the time is over; it does not return. */
void watchdog_start(void (*late)(void));

/* So many seconds from now; any earlier time is forgotten. */
void watchdog_set(unsigned seconds);
