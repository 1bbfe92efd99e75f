/* SPDX-License-Identifier: MIT */
/*
 * What the keeper may do: much while it opens what it needs, and nothing after that.
 * docs/security.md has the lists.
 */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

/**
 * privileges_become() - be a user for good, and keep what it takes to open things
 * @uid, @gid: of the user; no other groups remain
 * @carveout:  CAP_LINUX_IMMUTABLE is among what it takes
 *
 * Only root becomes anybody else; for others, and where @uid is root's, nothing happens. Called
 * before there are threads.
 *
 * Return: 0; negative errno, and the process is to end.
 */
int privileges_become(uid_t uid, gid_t gid, bool carveout);

/**
 * privileges_are_lent() - has a service manager given capabilities to an ordinary user?
 *
 * Then there is a way to be rid of them without capset(2), which the unit's filter refuses: another
 * exec, see privileges_return().
 */
bool privileges_are_lent(void);

/**
 * privileges_return() - the program that is executed next has none of them
 *
 * But CAP_IPC_LOCK, with which rings are made that count against no limit, and CAP_LINUX_IMMUTABLE,
 * where these are among them: who lends that has a carve-out.
 *
 * Return: 0; negative errno.
 */
int privileges_return(void);

/**
 * privileges_drop() - give up every capability for good, and what might bring one back
 * @carveout: keep CAP_LINUX_IMMUTABLE, which freezes and thaws the pages of a carve-out; over exec,
 *            too
 * @hide:     nobody but root can look into this process from now on (PR_SET_DUMPABLE), until it
 *            executes another program
 *
 * Files that take privilege come from the opener from here on. Where capset(2) is refused
 * CAP_IPC_LOCK stays until the next exec.
 *
 * Return: 0; negative errno, and the process is to end.
 */
int privileges_drop(bool carveout, bool hide);

/**
 * privileges_have_none() - give up what there is, for a process that is to have none
 *
 * Return: 0; negative errno.
 */
int privileges_have_none(void);

/**
 * privileges_settle_opener() - the same for the opener, which keeps CAP_SYS_ADMIN
 *
 * And CAP_LINUX_IMMUTABLE, where it is there: a process sees only into those that have no more than
 * itself. Where capset(2) is refused it keeps what it has.
 *
 * Return: 0; negative errno.
 */
int privileges_settle_opener(void);

/**
 * privileges_raise_limits() - limits in place of capabilities that are going to be given up
 *
 * Where that is allowed: no limit of locked memory (pins), and the right to go before others (the
 * worker).
 */
void privileges_raise_limits(void);
