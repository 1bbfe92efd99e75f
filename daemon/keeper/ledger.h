/* SPDX-License-Identifier: MIT */
/*
 * The keeper's side of the ledger, in which workers note what the next one must know.
 */
#pragma once

#include "keeper_protocol.h"

#include <stdbool.h>
#include <stddef.h>

/**
 * struct ledger - the mapping
 * @fd:    sealed memfd, owned; what a worker gets
 * @bytes: of what the keeper itself reads: without the records
 */
struct ledger {
        int fd;
        size_t bytes;
        struct keeper_ledger *map;
};

/* 0; negative errno. */
int ledger_init(struct ledger *ledger, uint32_t slots);

/**
 * ledger_resume() - go on with a former keeper's
 * @fd:    consumed, also on failure
 * @slots: as many as it was made for
 *
 * Return: 0; -EPROTO: of another version or size, or no ledger at all; other negative errno.
 */
int ledger_resume(struct ledger *ledger, int fd, uint32_t slots);
void ledger_deinit(struct ledger *ledger);

/* A new frame enters the slot: nobody has seen it. */
void ledger_clear(struct ledger *ledger, uint32_t slot);

/* May a client have seen this generation of the slot? */
bool ledger_says_lent(const struct ledger *ledger, uint32_t slot, uint32_t generation);
