/* SPDX-License-Identifier: MIT */
/*
 * Telling the daemon where a buffer is mapped for a device.
 */
#pragma once

#include "buffer.h"

/**
 * io_tell() - tell where a buffer is mapped, so that "parctl lookup" knows whose the addresses are
 * @buffer: whole; nothing is told where it is not mapped for a device
 * @device: under which name it was opened; at most 63 bytes of it are told, or none
 *
 * Nobody waits for the reply: the buffer is as good without. par_free() needs no such call: the
 * daemon forgets it with the buffer, which is unmapped before. Without the lock.
 */
void io_tell(const struct par_buffer *buffer, const char *device);
