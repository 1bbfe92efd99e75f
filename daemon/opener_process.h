/* SPDX-License-Identifier: MIT */
/*
 * The process that keeps privileges, so that the keeper can give them up.
 */
#pragma once

/**
 * opener_process_start() - start the opener, with no more than it needs
 *
 * Logs why it fails.
 *
 * Return: 0; negative errno.
 */
int opener_process_start(void);

/**
 * opener_process_begin_without() - the service manager has lent capabilities: the opener keeps
 * them, and this program begins again without
 * @argv: of this one
 *
 * Returns where that fails, which it logs.
 */
void opener_process_begin_without(char *const *argv);
