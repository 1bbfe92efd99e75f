/* SPDX-License-Identifier: MIT */
/*
 * A keeper for tests: says what a real one says, over memfds, with addresses of its own invention.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct fake_keeper;

/**
 * struct fake_keeper_settings - how it behaves
 * @slots:       frames at most
 * @descending:  pages come from the top of a pool's window; otherwise from the bottom
 * @let_go:      frames leave at once; otherwise they linger, until fake_keeper_let_go()
 */
struct fake_keeper_settings {
        uint32_t slots;
        bool descending;
        bool let_go;
};

/**
 * fake_keeper_new() - start one, with a thread of its own
 * @ret_channel, @ret_ledger: the worker's ends; owned by the caller
 *
 * Return: 0; negative errno.
 */
int fake_keeper_new(const struct fake_keeper_settings *settings, int *ret_channel, int *ret_ledger,
                    struct fake_keeper **ret);

/* Close the channel, which ends the worker, and forget everything. NULL is fine. */
void fake_keeper_free(struct fake_keeper *keeper);

/* Let every frame go that lingers, and all that leave from now on. */
void fake_keeper_let_go(struct fake_keeper *keeper);

/* Wait until the worker said that it serves. */
void fake_keeper_wait_ready(struct fake_keeper *keeper);

/* How many frames it holds; and how many were lent, as the ledger has it. */
size_t fake_keeper_held(struct fake_keeper *keeper);
size_t fake_keeper_lent(struct fake_keeper *keeper);

/* Say anything, true or not; @fd is borrowed, -1: none. Return: 0; negative errno. */
struct keeper_message;
int fake_keeper_say(struct fake_keeper *keeper, const struct keeper_message *message, int fd);
