/* SPDX-License-Identifier: MIT */
/*
 * Refusals in figures and words.
 */
#pragma once

#include "client.h"
#include "demand.h"

/* Fill a refusal that has no figures. @format makes the sentence. */
int refusal_set(struct refusal *refusal, int result, const char *format, ...)
        __attribute__((__format__(__printf__, 3, 4)));

/**
 * refusal_explain() - why a demand is not met
 * @result: PAR_REFUSED_EXHAUSTED or PAR_REFUSED_FRAGMENTED, as the search said; becomes
 *          PAR_REFUSED_NEVER_FITS where waiting cannot help
 * @pools:  where it was looked for
 *
 * Return: the refusal's result; -ENOMEM.
 */
int refusal_explain(const struct state *state, const struct client *client,
                    const struct demand *demand, uint64_t pools, int result, struct refusal *ret);

/* The figures alone, of what the client could get in the demand's window. */
void refusal_figures(const struct state *state, const struct client *client,
                     const struct demand *demand, uint64_t pools, struct refusal *ret);

/* Add to the sentence, as far as there is room. */
void refusal_append(struct refusal *refusal, const char *format, ...)
        __attribute__((__format__(__printf__, 2, 3)));

#define DEMAND_WORDS_BYTES 304

/* What is asked for, in words: "64 MiB in one piece below 4 GiB". */
void demand_words(const struct demand *demand, char *to, size_t room);

/* "below 4 GiB", "between 0x1000 and 0x1fff", "anywhere". */
void range_words(struct range window, char *to, size_t room);

/* 41943040 as "40 MiB"; @to has room for 32 bytes. */
const char *bytes_words(uint64_t bytes, char *to);
