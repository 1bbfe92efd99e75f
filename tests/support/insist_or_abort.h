/* SPDX-License-Identifier: MIT */
/* For trials that also run under a fuzzer: what does not hold is written to stderr, and aborts. */
#pragma once

#include <stdio.h>
#include <stdlib.h>

#define insist(condition, ...)                                                          \
        do {                                                                            \
                if (!(condition)) {                                                     \
                        fprintf(stderr, "%s:%d: %s: ", __FILE__, __LINE__, #condition); \
                        fprintf(stderr, __VA_ARGS__);                                   \
                        fprintf(stderr, "\n");                                          \
                        abort();                                                        \
                }                                                                       \
        } while (0)
