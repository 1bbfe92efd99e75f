/* SPDX-License-Identifier: MIT */
/*
 * Any bytes as a request and as a packet: memory stays within the arena, and what was packed and
 * unpacked packs into the same bytes again. (What was unpacked from strange bytes may not survive
 * its own packing: protobuf-c takes an unknown field 0 only where its tag is longer than needed.)
 */
#include "message.h"
#include "packet.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

static void must(bool ok)
{
        if (!ok)
                abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        static uint8_t first[4 * PACKET_BYTES_MAX], second[4 * PACKET_BYTES_MAX];
        struct message_arena arena = { 0 };
        Wire__Request *request;
        Wire__Packet *packet;
        size_t n, m;
        int r;

        if (size > PACKET_BYTES_MAX)
                return 0;
        if (!message_unpack_request(&arena, data, size, &request) &&
            !message_pack_request(request, first, sizeof(first), &n) && n <= PACKET_BYTES_MAX &&
            !message_unpack_request(&arena, first, n, &request)) {
                r = message_pack_request(request, second, sizeof(second), &m);
                must(!r);
                must(n == m && !memcmp(first, second, n));
        }
        message_arena_reset(&arena);
        if (!message_unpack_packet(&arena, data, size, &packet) &&
            !message_pack_packet(packet, first, sizeof(first), &n) && n <= PACKET_BYTES_MAX &&
            !message_unpack_packet(&arena, first, n, &packet)) {
                r = message_pack_packet(packet, second, sizeof(second), &m);
                must(!r);
                must(n == m && !memcmp(first, second, n));
        }
        must(arena.used_bytes <= MESSAGE_ARENA_BYTES);
        message_arena_deinit(&arena);
        return 0;
}
