/* SPDX-License-Identifier: MIT */
/*
 * Owns the blocks of an arena. Invariant: the blocks together are never more than
 * MESSAGE_ARENA_BYTES, so a packet cannot make the process take more, whatever it says. No message
 * of par.proto contains itself, so neither can it make the parser recurse deeper than the file
 * nests. Refuses to free messages one by one.
 */
#include "message.h"

#include "packet.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define BLOCK_BYTES (64u * 1024)
#define ALIGN_BYTES _Alignof(max_align_t)

/* The newest block comes first, and only from it is memory handed out. */
struct message_block {
        struct message_block *next; /* message_arena::blocks */
        size_t room, used;          /* of bytes[] */
        max_align_t bytes[];
};

static struct message_block *block_add(struct message_arena *arena, size_t size)
{
        size_t left = MESSAGE_ARENA_BYTES - arena->used_bytes;
        size_t room = size > BLOCK_BYTES ? size : BLOCK_BYTES;
        struct message_block *block;

        if (room > left) /* the last block may be a short one */
                room = left;
        if (room < size)
                return NULL;

        block = malloc(sizeof(*block) + room);
        if (!block) {
                arena->out_of_memory = true;
                return NULL;
        }
        block->room = room;
        block->used = 0;
        block->next = arena->blocks;
        arena->blocks = block;
        arena->used_bytes += room;
        return block;
}

static void *arena_alloc(void *data, size_t size)
{
        struct message_arena *arena = data;
        struct message_block *block = arena->blocks;
        char *at;

        if (size > MESSAGE_ARENA_BYTES)
                return NULL;
        size = (size + ALIGN_BYTES - 1) & ~(ALIGN_BYTES - 1);

        if (!block || block->room - block->used < size)
                block = block_add(arena, size);
        if (!block)
                return NULL;
        at = (char *)block->bytes + block->used;
        block->used += size;
        return at;
}

/* All goes at once with the reset. */
static void arena_free(void *data, void *pointer)
{
        (void)data;
        (void)pointer;
}

void message_arena_reset(struct message_arena *arena)
{
        struct message_block *block = arena->blocks;

        while (block && block->next) {
                struct message_block *next = block->next;

                arena->used_bytes -= block->room;
                free(block);
                block = next;
        }
        if (block)
                block->used = 0;
        arena->blocks = block;
        arena->out_of_memory = false;
}

void message_arena_deinit(struct message_arena *arena)
{
        message_arena_reset(arena);
        free(arena->blocks);
        *arena = (struct message_arena){ 0 };
}

static int unpack(struct message_arena *arena, const ProtobufCMessageDescriptor *type,
                  const void *bytes, size_t size, ProtobufCMessage **ret)
{
        ProtobufCMessage *message;

        assert(size <= PACKET_BYTES_MAX);

        arena->allocator = (ProtobufCAllocator){
                .alloc = arena_alloc,
                .free = arena_free,
                .allocator_data = arena,
        };
        arena->out_of_memory = false;
        message = protobuf_c_message_unpack(type, &arena->allocator, size, bytes);
        if (!message)
                return arena->out_of_memory ? -ENOMEM : -EBADMSG;
        *ret = message;
        return 0;
}

int message_unpack_request(struct message_arena *arena, const void *bytes, size_t size,
                           Wire__Request **ret)
{
        ProtobufCMessage *message;
        int r;

        r = unpack(arena, &wire__request__descriptor, bytes, size, &message);
        if (r)
                return r;
        *ret = (Wire__Request *)message;
        return 0;
}

int message_unpack_packet(struct message_arena *arena, const void *bytes, size_t size,
                          Wire__Packet **ret)
{
        ProtobufCMessage *message;
        int r;

        r = unpack(arena, &wire__packet__descriptor, bytes, size, &message);
        if (r)
                return r;
        *ret = (Wire__Packet *)message;
        return 0;
}

static int pack(const ProtobufCMessage *message, void *bytes, size_t room, size_t *ret)
{
        size_t size = protobuf_c_message_get_packed_size(message);

        if (size > room)
                return -EMSGSIZE;
        *ret = protobuf_c_message_pack(message, bytes);
        return 0;
}

int message_pack_request(const Wire__Request *message, void *bytes, size_t room, size_t *ret)
{
        return pack(&message->base, bytes, room, ret);
}

int message_pack_packet(const Wire__Packet *message, void *bytes, size_t room, size_t *ret)
{
        return pack(&message->base, bytes, room, ret);
}
