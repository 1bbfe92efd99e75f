/* SPDX-License-Identifier: MIT */
/*
 * A session that asks for everything that pard can do, where any of it may fail.
 */
#pragma once

#include "pard_fixture.h"

#include <stdbool.h>
#include <stdint.h>

/**
 * fault_session() - clients and an administrator come, ask, and go or die
 * @pard:    borrowed
 * @restart: the worker is killed in the middle, and what is left goes on with the next
 *
 * No result matters but that there is one: a call of libpar that gives one which its header does
 * not know of ends the test program.
 */
void fault_session(const struct pard_fixture *pard, bool restart);

/* Take back what an administrator did who came to no end of it. */
void fault_session_clean_up(const struct pard_fixture *pard, uint64_t pool_bytes);

/* Return: whether all is as if nobody had ever been here: every byte of the pool is free. Ends the
 * test program where bytes are not accounted for. */
bool fault_session_is_over(const struct pard_fixture *pard, uint64_t pool_bytes);
