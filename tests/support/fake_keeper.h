/* SPDX-License-Identifier: MIT */
/*
 * A keeper for tests: says what a real one says, over memfds, with addresses of its own invention.
 */
#pragma once

#include "keeper_protocol.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct fake_keeper;

/* settings.reload: what a request to read the configuration again is answered with. */
struct fake_reload {
        bool silent;      /* not at all */
        int result;       /* as in KEEPER_CONFIG */
        const char *text; /* of the configuration; NULL: it could not be read */
};

/**
 * struct fake_keeper_settings - how it behaves
 * @slots:       frames at most
 * @descending:  pages come from the top of a pool's window; otherwise from the bottom
 * @let_go:      frames leave at once; otherwise they linger, until fake_keeper_let_go()
 * @stock:       frames that a pool can have altogether; 0: any number
 * @stock_result: what a take ends with where there are no more; 0: -ENOMEM
 * @reload:      see there
 * @by_hand:     it has no thread: it answers in fake_keeper_turn()
 */
struct fake_keeper_settings {
        uint32_t slots;
        bool descending;
        bool let_go;
        uint32_t stock[KEEPER_POOLS_MAX];
        int stock_result;
        struct fake_reload reload;
        bool by_hand;
};

/**
 * fake_keeper_new() - start one, with a thread of its own
 * @ret_channel, @ret_ledger: the worker's ends; owned by the caller
 *
 * Return: 0; negative errno.
 */
int fake_keeper_new(const struct fake_keeper_settings *settings, int *ret_channel, int *ret_ledger,
                    struct fake_keeper **ret);

/**
 * fake_keeper_leave_worker() - close the channel, which ends the worker, and keep everything else
 *
 * Followed by fake_keeper_next_worker() or fake_keeper_free().
 */
void fake_keeper_leave_worker(struct fake_keeper *keeper);

/* Welcome another worker with all that is held; as fake_keeper_new(). */
int fake_keeper_next_worker(struct fake_keeper *keeper, int *ret_channel, int *ret_ledger);

/* Close the channel, which ends the worker, and forget everything. NULL is fine. */
void fake_keeper_free(struct fake_keeper *keeper);

/* Answer what the worker has said so far, where there is no thread that does. */
void fake_keeper_turn(struct fake_keeper *keeper);

/* From now on frames linger. */
void fake_keeper_keep(struct fake_keeper *keeper);

/* Let every frame go that lingers, and all that leave from now on. */
void fake_keeper_let_go(struct fake_keeper *keeper);

/* Wait until the worker said that it serves. */
void fake_keeper_wait_ready(struct fake_keeper *keeper);

/* How many frames it holds; and how many were lent, as the ledger has it. */
size_t fake_keeper_held(struct fake_keeper *keeper);
size_t fake_keeper_lent(struct fake_keeper *keeper);

/* Takes that come from now on stay open, until fake_keeper_give() and fake_keeper_end_take(), or
 * until they are cancelled. */
void fake_keeper_hold_takes(struct fake_keeper *keeper);

/* Wait until a take of the pool is open. Return: how many frames it asks for. */
uint32_t fake_keeper_await_take(struct fake_keeper *keeper, uint32_t pool);

/* Give the open take of a pool so many frames, and tell the progress: @aside bytes held beside. */
void fake_keeper_give(struct fake_keeper *keeper, uint32_t pool, uint32_t count, uint64_t aside);

/* End the open take of a pool. @result: 0 or negative errno. */
void fake_keeper_end_take(struct fake_keeper *keeper, uint32_t pool, int result);

/* How many takes the worker has cancelled. */
unsigned fake_keeper_cancels(struct fake_keeper *keeper);

/* Ask whether the worker is there, and wait for its answer. */
void fake_keeper_ping(struct fake_keeper *keeper);

/* From now on a request to read the configuration again is answered so; @text stays the caller's.
 */
void fake_keeper_set_reload(struct fake_keeper *keeper, const struct fake_reload *reload);

/* The configuration was read again, for the worker's request or (@asked false) without one. */
void fake_keeper_tell_config(struct fake_keeper *keeper, const struct fake_reload *reload,
                             bool asked);

/* How often the worker has asked to read the configuration; and wait until it has so often. */
unsigned fake_keeper_reloads(struct fake_keeper *keeper);
void fake_keeper_await_reloads(struct fake_keeper *keeper, unsigned count);

/* Say anything, true or not; @fd is borrowed, -1: none. Return: 0; negative errno. */
int fake_keeper_say(struct fake_keeper *keeper, const struct keeper_message *message, int fd);
