/* SPDX-License-Identifier: MIT */
/*
 * The workers' records, in memory of the keeper's: where the ledger is in them, of which version it
 * is, and what becomes of one that is not this program's.
 */
#pragma once

#include "ledger.h"

/**
 * records_open() - go on with the ledger of the former worker, or begin one
 * @memory:   a shared mapping of a memfd, aligned to pages; borrowed until ledger_free()
 * @bytes:    of it, a multiple of two pages
 * @slots:    the keeper's
 * @ret:      owned by the caller
 * @ret_lost: nothing is in it although something was: it was none that this program understands.
 *            Always written
 *
 * A ledger of the version before is turned into one of this version. Whoever is killed meanwhile
 * has changed nothing, and the next one begins again.
 *
 * Return: 0; -ENOSPC: @bytes is too little to begin with; -ENOMEM; other negative errno.
 */
int records_open(void *memory, size_t bytes, uint32_t slots, struct ledger **ret, bool *ret_lost);
