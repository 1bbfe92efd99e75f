/* SPDX-License-Identifier: MIT */
/*
 * Whose buffer has an I/O address, and whose had it, as clients have told: the question and the
 * answer.
 */
#pragma once

#include "message.h"
#include "subject.h"

#include <jansson.h>
#include <stdio.h>

struct ask;

/**
 * lookup_io_ask() - ask pard
 * @device: a name or a PCI address; NULL: that of the fault's requester, or any
 * @ret:    lives until the next question
 *
 * Return: 0, or the exit status; then it has been complained.
 */
int lookup_io_ask(struct ask *ask, const struct subject *subject, const char *device,
                  const Wire__FoundIo **ret);

/* Whether somebody has told of this address, for the device that was asked for. */
bool lookup_io_is_known(const Wire__FoundIo *found);

/* The answer as an object, owned by the caller; NULL without memory. */
json_t *lookup_io_json(const struct subject *subject, const Wire__FoundIo *found);

/* The answer as lines. */
void lookup_io_print(const struct subject *subject, const Wire__FoundIo *found, FILE *stream);
