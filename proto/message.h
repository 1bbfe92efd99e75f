/* SPDX-License-Identifier: MIT */
/*
 * Messages to bytes and back, with bounded memory: unpacking a packet can allocate only from an
 * arena of fixed size, whatever the packet says.
 */
#pragma once

#include "par.pb-c.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Protobuf structs are larger than their bytes: an empty submessage of 2 bytes on the wire becomes
 * some 100 bytes and a pointer. The arena bounds what a hostile packet can make of that.
 */
#define MESSAGE_ARENA_BYTES (4u * 1024 * 1024)

/**
 * struct message_arena - where unpacked messages live
 *
 * Zero it before first use. message_arena_reset() forgets all messages at once and keeps a first
 * block for the next; message_arena_deinit() frees. Messages are never freed one by one.
 */
struct message_arena {
        struct message_block *blocks;
        size_t used_bytes;  /* of all blocks together */
        bool out_of_memory; /* the system had no more; otherwise a failure is the packet's */
        ProtobufCAllocator allocator;
};

void message_arena_reset(struct message_arena *arena);
void message_arena_deinit(struct message_arena *arena);

/**
 * message_unpack_request(), message_unpack_packet() - bytes to a message
 * @arena: where it lives until the next reset
 * @bytes: one packet
 * @size:  1 to PACKET_BYTES_MAX
 * @ret:   lives in the arena
 *
 * Return: 0; -EBADMSG where the bytes are no such message, or need more memory than the arena may
 * have; -ENOMEM.
 */
int message_unpack_request(struct message_arena *arena, const void *bytes, size_t size,
                           Wire__Request **ret);
int message_unpack_packet(struct message_arena *arena, const void *bytes, size_t size,
                          Wire__Packet **ret);

/**
 * message_pack_request(), message_pack_packet() - a message to bytes
 * @message: borrowed
 * @bytes:   buffer of @room bytes
 * @ret:     bytes written
 *
 * Return: 0; -EMSGSIZE where it does not fit into @room.
 */
int message_pack_request(const Wire__Request *message, void *bytes, size_t room, size_t *ret);
int message_pack_packet(const Wire__Packet *message, void *bytes, size_t room, size_t *ret);
