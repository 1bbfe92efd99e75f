/* SPDX-License-Identifier: MIT */
/*
 * The ledger of a pard that runs, behind its back.
 */
#pragma once

#include <stddef.h>
#include <sys/types.h>

/**
 * ledger_memory_map() - map the memory that a keeper keeps for its workers
 * @ret_bytes: of it
 *
 * Ends the test program with a message where there is none.
 *
 * Return: shared with pard, for reading and writing; munmap() it.
 */
char *ledger_memory_map(pid_t keeper, size_t *ret_bytes);
