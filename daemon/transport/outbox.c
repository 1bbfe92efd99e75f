/* SPDX-License-Identifier: MIT */
/*
 * Owns the queued packets and the descriptors in them: duplicates, because what they were made from
 * may be closed, and its number reused, before the packet goes out. Invariant: what is held and
 * what is in flight together are at most OUTBOX_DESCRIPTORS_MAX. Refuses to reorder.
 */
#include "outbox.h"

#include "packet.h"

#include "macros.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/sockios.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

/*
 * Less than SIOCOUTQ counts for any packet that nobody has received: 768 bytes were measured for
 * the smallest (6.18), most of them the kernel's own. What is below that is left of packets just
 * received: one byte of each, while the event that they were is already there (sock_wfree()), and
 * no event comes when that byte is gone, too.
 */
#define PACKET_COUNTED_MIN 256

struct outgoing {
        TAILQ_ENTRY(outgoing) link; /* outbox::queue */
        size_t size, count;
        int descriptors[OUTBOX_DESCRIPTORS_MAX];
        unsigned char bytes[];
};

static void outgoing_free(struct outgoing *outgoing)
{
        for (size_t i = 0; i < outgoing->count; i++)
                close(outgoing->descriptors[i]);
        free(outgoing);
}

DEFINE_CLEANUP(struct outgoing, outgoing_free)

static int outgoing_new(const void *bytes, size_t size, const int *descriptors, size_t count,
                        struct outgoing **ret)
{
        _cleanup_(outgoing_freep) struct outgoing *outgoing = malloc(sizeof(*outgoing) + size);

        if (!outgoing)
                return -ENOMEM;
        memcpy(outgoing->bytes, bytes, size);
        outgoing->size = size;
        for (outgoing->count = 0; outgoing->count < count; outgoing->count++) {
                int fd = fcntl(descriptors[outgoing->count], F_DUPFD_CLOEXEC, 0);

                if (fd < 0)
                        return -errno;
                outgoing->descriptors[outgoing->count] = fd;
        }
        *ret = STEAL(outgoing);
        return 0;
}

void outbox_init(struct outbox *outbox, int socket)
{
        *outbox = (struct outbox){ .socket = socket };
        TAILQ_INIT(&outbox->queue);
}

static void drop_all(struct outbox *outbox)
{
        struct outgoing *outgoing;

        while ((outgoing = TAILQ_FIRST(&outbox->queue))) {
                TAILQ_REMOVE(&outbox->queue, outgoing, link);
                outgoing_free(outgoing);
        }
        outbox->n_queued = 0;
        outbox->n_held = 0;
        outbox->n_flying = 0;
}

void outbox_deinit(struct outbox *outbox)
{
        drop_all(outbox);
}

size_t outbox_room(struct outbox *outbox)
{
        int unread_bytes;

        if (outbox->dead)
                return OUTBOX_DESCRIPTORS_MAX;
        if (outbox->n_flying && !ioctl(outbox->socket, SIOCOUTQ, &unread_bytes) &&
            unread_bytes < PACKET_COUNTED_MIN)
                outbox->n_flying = 0;
        return OUTBOX_DESCRIPTORS_MAX - outbox->n_held - outbox->n_flying;
}

/* Return: 0: sent, or nobody is there; -EAGAIN, -ETOOMANYREFS: later. */
static int send_now(struct outbox *outbox, const void *bytes, size_t size, const int *descriptors,
                    size_t count)
{
        int r;

        r = packet_send(outbox->socket, bytes, size, descriptors, count);
        if (r == -EAGAIN || r == -ETOOMANYREFS)
                return r;
        if (r == -ENOBUFS || r == -ENOMEM) /* the kernel is short: as if the socket were full */
                return -ETOOMANYREFS;
        if (r) /* -EPIPE, -ECONNRESET; anything else would not get better either */
                outbox->dead = true;
        else
                outbox->n_flying += count;
        return 0;
}

int outbox_push(struct outbox *outbox, const void *bytes, size_t size, const int *descriptors,
                size_t count)
{
        struct outgoing *outgoing = NULL;
        int r;

        assert(outbox->dead || outbox->n_held + outbox->n_flying + count <= OUTBOX_DESCRIPTORS_MAX);

        if (outbox_is_empty(outbox) && !outbox->dead &&
            !send_now(outbox, bytes, size, descriptors, count))
                return 0;
        if (outbox->dead)
                return 0;
        if (outbox->n_queued == OUTBOX_PACKETS_MAX)
                return -ENOBUFS;

        r = outgoing_new(bytes, size, descriptors, count, &outgoing);
        if (r)
                return r;
        TAILQ_INSERT_TAIL(&outbox->queue, outgoing, link);
        outbox->n_queued++;
        outbox->n_held += count;
        return 0;
}

int outbox_flush(struct outbox *outbox)
{
        struct outgoing *next;
        int r;

        while (!outbox->dead && (next = TAILQ_FIRST(&outbox->queue))) {
                r = send_now(outbox, next->bytes, next->size, next->descriptors, next->count);
                if (r)
                        return r;
                TAILQ_REMOVE(&outbox->queue, next, link);
                outbox->n_queued--;
                outbox->n_held -= next->count;
                outgoing_free(next);
        }
        if (outbox->dead)
                drop_all(outbox);
        return 0;
}
