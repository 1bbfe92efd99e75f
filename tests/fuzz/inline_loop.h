/* SPDX-License-Identifier: MIT */
/*
 * A worker's event loop by hand: server_run() runs in the caller's thread, and where it would wait
 * for events it runs a script instead. The time is the script's, and so is who connects. Linked
 * with --wrap for what the worker waits with, looks at the clock with, and closes strangers' files
 * with, which is done at once.
 */
#pragma once

#include <stdint.h>

struct state;

/* What is called instead of the loop; when it returns the worker ends. */
typedef void inline_script(void *data);

/* For the next server_run(). @others: what else has its turn with the worker's events. The clock
 * goes on from where it was. */
void inline_loop_begin(inline_script *script, void (*others)(void *data), void *data);

/* From here on the clock and the rest are the system's again. */
void inline_loop_end(void);

/* Let everything happen that can happen now. */
void inline_loop_turn(void);

/* Let so much time pass, and everything happen that becomes due. */
void inline_loop_pass(uint64_t ns);

/* Who connects next, until another is named. */
void inline_loop_set_uid(uint32_t uid);

/* The worker's. */
struct state *inline_loop_state(void);
