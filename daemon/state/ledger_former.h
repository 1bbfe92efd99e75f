/* SPDX-License-Identifier: MIT */
/*
 * An upgrade: the ledger that a program of the version before this one has left.
 *
 * The workers' records have two halves, in all versions. A ledger lies in one of them; the other
 * one is empty, or has what is being made of that ledger and does not count yet.
 */
#pragma once

#include "ledger.h"

/* At least so much is read of a ledger's beginning to find out about it, here. */
#define LEDGER_HEAD_BYTES 128

/**
 * ledger_half_in_force() - where the ledger is
 * @heads:       LEDGER_HEAD_BYTES of the beginning of each half, aligned for any object; borrowed
 * @bytes:       of each half
 * @slots:       the keeper's
 * @ret_version: LEDGER_VERSION: ledger_open() goes on with it; the one before: ledger_convert()
 *               first; 0: there is none yet. Written unless a fault is returned
 *
 * Of two that count the later version is it: the other one was not given up in time.
 *
 * Return: 0, 1: this half; -EPROTO: something lies there that this program does not understand.
 */
int ledger_half_in_force(const void *const heads[2], size_t bytes, uint32_t slots,
                         uint32_t *ret_version);

/**
 * ledger_convert() - write a ledger of the version before this one as one of this version
 * @former: the half in force, which stays as it is; borrowed for the call
 * @bytes:  of each half
 * @slots:  the keeper's
 * @memory: the other half, all zero; borrowed for the call
 *
 * It counts with the last store. Records keep their numbers, and what does not check goes on not to
 * check: ledger_read() finds it.
 */
void ledger_convert(const void *former, size_t bytes, uint32_t slots, void *memory);
