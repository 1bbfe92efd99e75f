/* SPDX-License-Identifier: MIT */
/*
 * What would come of a request: asked for by explain, and by alloc when it is refused.
 */
#pragma once

#include "arguments.h"

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
