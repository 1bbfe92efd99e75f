/* SPDX-License-Identifier: MIT */
/*
 * What went wrong, for people: one line a complaint.
 */
#pragma once

#include <stdio.h>

/* Say "parctl: ..." on standard error, or where complaints go instead. Ends the line itself. */
void complain(const char *format, ...) __attribute__((__format__(__printf__, 1, 2)));

/**
 * complain_to() - where complaints go from here on
 * @stream: borrowed until the next call; NULL: standard error
 */
void complain_to(FILE *stream);
