/* SPDX-License-Identifier: MIT */
/*
 * How clients of a pard that was stopped see that there is another one, without connecting.
 */
#pragma once

#include <stdint.h>

/**
 * serving_mark() - change the time of the socket's file
 * @listen_fd: borrowed
 *
 * Where that is not possible (another's file) or makes no sense (a socket without a file) nothing
 * happens, and clients of a former pard find this one only if it has bound the socket itself.
 */
void serving_mark(int listen_fd);

/* When that was, in nanoseconds; 0 where it cannot be told. */
uint64_t serving_mark_read(int listen_fd);
