/* SPDX-License-Identifier: MIT */
/*
 * Owns nothing. What is told is true when it is told for the first time: a buffer is mapped before,
 * and its Free, which comes after it in the same connection, is sent when it is unmapped. Refuses
 * to fail: it is a label.
 */
#include "io_tell.h"

#include <errno.h>
#include <string.h>

/* Return: as connection_try_send(). */
static int send(struct par *par, const struct par_buffer *buffer)
{
        const struct io_told *told = &buffer->io_told;
        Wire__Request message = WIRE__REQUEST__INIT;
        Wire__Mapped body = WIRE__MAPPED__INIT;
        Wire__IoPart part = WIRE__IO_PART__INIT, *parts = &part;

        part.iova = told->iova;
        part.length = buffer->size;
        body.buffer = buffer->id;
        body.space = told->space;
        body.device = (char *)(uintptr_t)told->device;
        body.parts = &parts;
        body.n_parts = 1;
        message.body_case = WIRE__REQUEST__BODY_MAPPED;
        message.mapped = &body;
        return connection_try_send(&par->connection, &message, NULL);
}

void io_tell_first(struct par_buffer *buffer, const char *device)
{
        struct io_told *told = &buffer->io_told;
        struct par *par = buffer->par;

        if (!buffer->io_space || !io_space_number(buffer->io_space))
                return;
        pthread_mutex_lock(&par->lock);
        told->space = io_space_number(buffer->io_space);
        told->iova = buffer->io_first;
        if (strlen(device) < sizeof(told->device))
                memcpy(told->device, device, strlen(device) + 1);
        while (send(par, buffer) == -EAGAIN)
                connection_wait_for_room(&par->connection, 0);
        pthread_mutex_unlock(&par->lock);
}

void io_tell_anew(struct par *par)
{
        par->io_untold = 1;
        io_tell_more(par);
}

void io_tell_more(struct par *par)
{
        struct par_buffer *buffer;

        if (!par->io_untold)
                return;
        for (buffer = buffers_from(&par->buffers, par->io_untold); buffer;
             buffer = buffers_next(buffer)) {
                par->io_untold = buffer->id;
                if (buffer->io_told.space && send(par, buffer) == -EAGAIN)
                        return;
        }
        par->io_untold = 0;
}
