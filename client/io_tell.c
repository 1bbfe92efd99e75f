/* SPDX-License-Identifier: MIT */
/*
 * Owns nothing. What is told is true when it is told: a buffer is mapped before, and its Free,
 * which comes after it in the same connection, is sent when it is unmapped. Refuses to fail: it is
 * a label.
 */
#include "io_tell.h"

#include "handle.h"

#include <string.h>

static void send(struct par *par, Wire__Mapped *body)
{
        Wire__Request message = WIRE__REQUEST__INIT;

        message.body_case = WIRE__REQUEST__BODY_MAPPED;
        message.mapped = body;
        pthread_mutex_lock(&par->lock);
        (void)connection_send(&par->connection, &message, NULL);
        pthread_mutex_unlock(&par->lock);
}

void io_tell(const struct par_buffer *buffer, const char *device)
{
        Wire__Mapped body = WIRE__MAPPED__INIT;
        Wire__IoPart part = WIRE__IO_PART__INIT, *parts = &part;

        if (!buffer->io_space || !io_space_number(buffer->io_space))
                return;
        part.iova = buffer->io_first;
        part.length = buffer->size;
        body.buffer = buffer->id;
        body.space = io_space_number(buffer->io_space);
        if (strlen(device) <= NAME_BYTES_MAX)
                body.device = (char *)(uintptr_t)device;
        body.parts = &parts;
        body.n_parts = 1;
        send(buffer->par, &body);
}
