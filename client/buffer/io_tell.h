/* SPDX-License-Identifier: MIT */
/*
 * Telling the daemon where a buffer is mapped for a device, so that "parctl lookup" knows whose the
 * addresses are. Nobody waits for a reply: a buffer is as good without. par_free() needs no call:
 * the daemon forgets it with the buffer, which is unmapped before.
 */
#pragma once

#include "handle.h"

/**
 * io_tell_first() - a buffer was mapped
 * @buffer: whole; nothing is told where it is not mapped for a device
 * @device: under which name it was opened; at most 63 bytes of it are told, or none
 *
 * Without the lock.
 */
void io_tell_first(struct par_buffer *buffer, const char *device);

/* Another worker serves, and knows nothing of it: io_tell_more() tells of all buffers. With the
 * lock held. */
void io_tell_anew(struct par *par);

/* Tell what there is room for. With the lock held. */
void io_tell_more(struct par *par);
