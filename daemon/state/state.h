/* SPDX-License-Identifier: MIT */
/*
 * Who holds what. Decides about grants, returns, waiting and quarantine; knows no sockets, no
 * system calls and no clock: the time comes with every call, and what has to be done outside goes
 * through struct state_ops.
 *
 * Times are nanoseconds of one monotonic clock. Pointers that are handed out are borrowed and valid
 * until the object dies, which is said at each.
 */
#pragma once

#include "administration.h"
#include "buffer_view.h"
#include "device_news.h"
#include "frame_name.h"
#include "frame_news.h"
#include "limit_list.h"
#include "reach.h"
#include "request.h"
#include "sharing.h"
#include "state_client.h"
#include "state_io.h"
#include "state_ops.h"
#include "state_report.h"
#include "state_settings.h"

#include <stdint.h>

struct ledger;
struct state;

/**
 * state_new() - an empty state
 * @settings: borrowed until state_free()
 * @ops:      borrowed until state_free()
 * @data:     handed to every operation
 * @now_ns:   the time
 * @ret:      owned by the caller
 *
 * Return: 0; -ENOMEM.
 */
int state_new(const struct state_settings *settings, const struct state_ops *ops, void *data,
              uint64_t now_ns, struct state **ret);
void state_free(struct state *state); /* calls no operation; NULL is fine */

/**
 * state_keep_in() - have a ledger kept of who holds what
 * @ledger: borrowed until state_free(); opened, and not read yet where another process left it.
 *          NULL: what is in it stays as it is, whatever happens to this state
 *
 * Called before the first frame comes; or with NULL before the end. What is in it is read by
 * state_start().
 */
void state_keep_in(struct state *state, struct ledger *ledger);

/* What a former worker left could not be read: all that clients have seen is kept aside, see
 * aside.h. Called before state_start(). */
void state_ledger_is_lost(struct state *state);

/* Ask for what the pools lack. Called once, after the frames that the keeper already had. Then
 * state_ops.filled() follows, at once or when the answers have come. Return: 0; -ENOMEM, where not
 * all that the ledger says could be understood: another process may try again. */
int state_start(struct state *state, uint64_t now_ns);

/**
 * state_reconfigure() - go by other settings from now on
 * @settings: borrowed until state_free(), or until replaced; the same pools in the same order, with
 *            the same page_bytes, window, node, isolation, handout and pin_required
 */
void state_reconfigure(struct state *state, const struct state_settings *settings, uint64_t now_ns);

/* A device of the configuration, by its name or PCI address; NULL where there is none of that. */
const struct device_settings *state_device(const struct state *state, const char *name);

/* The list of devices, in the order of the configuration. @cursor: 0 at first, moves on with each.
 * Return: the next one; NULL: there are no more. */
const struct device_settings *state_next_device(const struct state *state, uint64_t *cursor);

/**
 * state_device_limits() - what devices allow, all together
 * @names:       separated by commas
 * @ret:         of addresses as they see them; size_bytes is 0
 * @ret_nodes:   bit mask; 0: any
 * @ret_sight:   how they see memory
 * @ret_refusal: filled with a result above 0
 *
 * Return: 0; PAR_REFUSED_INVALID where there is no such device; PAR_REFUSED_NEVER_FITS where they
 * have nothing in common.
 */
int state_device_limits(const struct state *state, const char *names, struct constraint *ret,
                        uint64_t *ret_nodes, struct sight *ret_sight, struct refusal *ret_refusal);

/* Do what is due: deadlines, ends of quarantine and reuse. */
void state_tick(struct state *state, uint64_t now_ns);

/* When state_tick() has something to do next; UINT64_MAX: never. */
uint64_t state_next_due(const struct state *state);

/* Walk every invariant; asserts. Called after each change where PAR_CHECKS is defined. */
void state_check(const struct state *state);
