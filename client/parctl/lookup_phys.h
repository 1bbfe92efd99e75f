/* SPDX-License-Identifier: MIT */
/*
 * Whose memory lies at a physical address, and whose it was: the question and the answer.
 */
#pragma once

#include "message.h"
#include "subject.h"

#include <jansson.h>
#include <stdio.h>

struct ask;

/**
 * lookup_phys_ask() - ask pard
 * @ret: lives until the next question
 *
 * Return: 0, or the exit status; then it has been complained.
 */
int lookup_phys_ask(struct ask *ask, uint64_t address, const Wire__Found **ret);

/* Whether pard has, or knows to have had, memory there. */
bool lookup_phys_is_known(const Wire__Found *found);

/* The answer as an object, owned by the caller; NULL without memory. */
json_t *lookup_phys_json(const struct subject *subject, const Wire__Found *wire);

/* The answer as lines. @exact: sizes in bytes. */
void lookup_phys_print(const struct subject *subject, const Wire__Found *wire, bool exact,
                       FILE *stream);
