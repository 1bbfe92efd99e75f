/* SPDX-License-Identifier: MIT */
/*
 * The calling thread's last failure, as a sentence, and with figures where it is a refusal.
 */
#pragma once

#include "public.h"

#define ERROR_BYTES 512

/**
 * error_set() - remember why a call failed
 * @r:      what the call returns, below 0
 * @format: the sentence, without newline; cut at ERROR_BYTES - 1
 *
 * Return: @r.
 */
int error_set(int r, const char *format, ...) __attribute__((__format__(__printf__, 2, 3)));

/* Add the figures of a refusal to the sentence that error_set() has just remembered; @figures:
 * result and permanent are filled in from @r where they are 0; NULL: only those two are known. */
int error_set_figures(int r, const struct par_refusal_info *figures);

/* The same with a sentence that is there already; where it is empty, par_strerror()'s text. */
int error_set_sentence(int r, const char *sentence);
