/* SPDX-License-Identifier: MIT */
/*
 * One message, one packet: sending and receiving bytes with descriptors over a SOCK_SEQPACKET
 * socket. The only place that knows SCM_RIGHTS.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PACKET_BYTES_MAX       65536 /* longest packet of the protocol */
#define PACKET_DESCRIPTORS_MAX 253   /* SCM_MAX_FD of the kernel */

/**
 * packet_send() - send one packet
 * @socket:      SOCK_SEQPACKET; borrowed
 * @bytes:       payload
 * @size:        1 to PACKET_BYTES_MAX
 * @descriptors: @count descriptors to send along, borrowed; NULL where @count is 0
 * @count:       at most PACKET_DESCRIPTORS_MAX
 *
 * Never raises SIGPIPE. Blocks where the socket does.
 *
 * Return: 0; -EAGAIN where a non-blocking socket is full; -EPIPE, -ECONNRESET; -ETOOMANYREFS where
 * too many descriptors of this user are in flight; other negative errno of sendmsg().
 */
int packet_send(int socket, const void *bytes, size_t size, const int *descriptors, size_t count);

/**
 * struct packet - what packet_receive() got
 * @size:           bytes of payload; 0 with a return of 0 means that the peer closed, or sent an
 *                  empty packet, which is as good as that
 * @credentials:    the sender's came along. On a socket with SO_PASSCRED they do with every packet,
 *                  which tells an empty one from the end
 * @count:          descriptors received
 * @bytes_cut:      the packet was longer than the buffer
 * @descriptors_cut: descriptors were lost, because the process has no more room for them
 * @descriptors:    close-on-exec; owned by the caller
 */
struct packet {
        size_t size;
        size_t count;
        bool bytes_cut;
        bool descriptors_cut;
        bool credentials;
        int descriptors[PACKET_DESCRIPTORS_MAX];
};

/**
 * packet_receive() - receive one packet
 * @socket: borrowed
 * @bytes:  buffer for the payload
 * @room:   its size
 * @ret:    written only on success
 *
 * Always offers room for every descriptor that a packet can carry: a descriptor for which there is
 * none would be closed by the kernel inside the call, and closing a stranger's can block.
 *
 * Return: 0; -EAGAIN, -EINTR, -ECONNRESET; other negative errno of recvmsg().
 */
int packet_receive(int socket, void *bytes, size_t room, struct packet *ret);

/* Close what a packet brought; for receivers to whom no descriptor means harm. */
void packet_close_descriptors(struct packet *packet);
