/* SPDX-License-Identifier: MIT */
/*
 * Owns the way of a dma-buf: par_buffer_export_dmabuf().
 *
 * Invariant: the descriptor that a caller gets is of a file as large as his buffer. From then on
 * the buffer's frames are not kept when it is freed: pard would not grant them again as they are.
 */
#include "grant.h"

#include "macros.h"

#include <errno.h>
#include <unistd.h>

/**
 * struct export - an ExportDmabuf under way
 * @request: must be first
 * @size:    of the buffer
 * @fd:      what came; -1: nothing. Owned
 * @lost:    it came, and the process has no room for another descriptor
 */
struct export
{
        struct request request;
        uint64_t size;
        int fd;
        bool lost;
};

static int take_export(struct request *request, const Wire__Reply *reply, struct packet *packet)
{
        struct export *export = CONTAINER_OF(request, struct export, request);

        if (reply->body_case != WIRE__REPLY__BODY_EXPORT_DMABUF ||
            reply->export_dmabuf->size != export->size)
                return -EPROTO;
        export->lost = packet->descriptors_cut && !packet->count;
        if (export->lost)
                return 0;
        if (packet->count != 1)
                return -EPROTO;
        export->fd = STEAL_FD(packet->descriptors[0]);
        return 0;
}

/* With the lock held. */
static int ask(struct par_buffer *buffer, struct export *export)
{
        Wire__ExportDmabuf body = WIRE__EXPORT_DMABUF__INIT;
        Wire__Request message = WIRE__REQUEST__INIT;
        int r;

        body.buffer = buffer->id;
        message.body_case = WIRE__REQUEST__BODY_EXPORT_DMABUF;
        message.export_dmabuf = &body;
        r = connection_call(&buffer->par->connection, &message, &export->request);
        if (r)
                return r;
        grant_not_again(buffer);
        if (export->lost)
                return error_set(-EMFILE, "the process has too few descriptors left to receive the "
                                          "dma-buf: raise RLIMIT_NOFILE");
        return 0;
}

/* A wrong size would show its holder somebody else's memory, or less than he was promised. */
static int check_size(struct export *export)
{
        const off_t size = lseek(export->fd, 0, SEEK_END);

        if (size >= 0 && (uint64_t)size == export->size)
                return 0;
        close(STEAL_FD(export->fd));
        return error_set(-EPROTO, "the dma-buf that pard sent is not as large as the buffer");
}

int par_buffer_export_dmabuf(struct par_buffer *buffer, int *ret_fd)
{
        struct export export = { .request = { .take = take_export }, .fd = -1 };
        struct par *par;
        int r;

        if (ret_fd)
                *ret_fd = -1;
        if (buffer && IS_STALE(buffer, DEBUG_USE_WHOLE))
                buffer = NULL;
        if (!buffer || !ret_fd)
                return error_set(-EINVAL, "no %s", buffer ? "place for the descriptor" : "buffer");
        par = buffer->par;
        r = handle_check(par);
        if (r)
                return r;
        export.size = buffer->size;
        pthread_mutex_lock(&par->lock);
        r = ask(buffer, &export);
        pthread_mutex_unlock(&par->lock);
        if (!r)
                r = check_size(&export);
        if (!r)
                *ret_fd = export.fd;
        return r;
}
