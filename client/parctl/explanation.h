/* SPDX-License-Identifier: MIT */
/*
 * What would come of a request: asked for by explain, and by alloc when it is refused.
 */
#pragma once

#include "arguments.h"
#include "par.h"

#include <stdio.h>

/**
 * explanation_print() - ask pard to explain a request, and print the answer
 * @arguments: the request, and how to print
 * @text:      where text goes; JSON goes to standard output
 *
 * Return: EXIT_DONE where it would be granted; EXIT_REFUSED, EXIT_REFUSED_EVER where not; another
 * exit status where nothing could be printed.
 */
int explanation_print(const struct arguments *arguments, FILE *text);

/**
 * explanation_print_refusal() - as explanation_print(), of a request that was refused
 *
 * Prints nothing where pard would grant it: the answer has changed meanwhile, or what was refused
 * is no matter of memory, such as a name.
 *
 * Return: as explanation_print(); EXIT_DONE where nothing was printed for that.
 */
int explanation_print_refusal(const struct arguments *arguments, FILE *text);

/**
 * explanation_print_last() - the same of what libpar said last
 * @buffer: what was granted; NULL: the calling thread's last failure was a refusal
 *
 * Return: as explanation_print().
 */
int explanation_print_last(const struct par_buffer *buffer, const struct arguments *arguments,
                           FILE *text);
