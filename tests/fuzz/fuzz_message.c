/* SPDX-License-Identifier: MIT */
/*
 * Any bytes as a request and as a packet, and messages of every kind with fields of every value, as
 * the same bytes choose.
 *
 * Held: memory stays within the arena; what was packed and unpacked packs into the same bytes
 * again. (What was unpacked from strange bytes may not survive its own packing: protobuf-c takes an
 * unknown field 0 only where its tag is longer than needed.) A message that was made survives being
 * packed and unpacked as it was; and a packet arrives as it was sent, with all its descriptors.
 */
#include "choices.h"
#include "macros.h"
#include "message.h"
#include "packet.h"

#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static void must(bool ok)
{
        if (!ok)
                abort();
}

/* ---- any bytes ------------------------------------------------------------------------------ */

static uint8_t first[4 * PACKET_BYTES_MAX], second[4 * PACKET_BYTES_MAX];
static struct message_arena arena;

static void check_bytes(const uint8_t *data, size_t size)
{
        Wire__Request *request;
        Wire__Packet *packet;
        size_t n, m;
        int r;

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
}

/* ---- made messages -------------------------------------------------------------------------- */

#define LIST_MAX 3

/* Where they live; forgotten all at once. */
static _Alignas(max_align_t) uint8_t heap[256 * KiB];
static size_t heap_used;

/* All zero. */
static void *take(size_t bytes)
{
        uint8_t *at = heap + heap_used;

        heap_used += (bytes + 15) / 16 * 16;
        must(heap_used <= sizeof(heap));
        return memset(at, 0, bytes);
}

static ProtobufCMessage *make(const ProtobufCMessageDescriptor *type, struct choices *choices);

static char *make_text(struct choices *choices)
{
        const size_t n = choose(choices, 5);
        char *text = take(n + 1);

        for (size_t i = 0; i < n; i++)
                text[i] = (char)(1 + choose(choices, 127)); /* one byte each in UTF-8 */
        return text;
}

static void make_value(const ProtobufCFieldDescriptor *field, void *at, struct choices *choices)
{
        const uint64_t number = choose(choices, 2) ? choose_any(choices) : choose(choices, 300);
        const uint32_t small = (uint32_t)number;
        ProtobufCBinaryData *data = at;
        ProtobufCMessage *message;
        char *text;

        switch (field->type) {
        case PROTOBUF_C_TYPE_MESSAGE:
                message = make(field->descriptor, choices);
                memcpy(at, &message, sizeof(message));
                return;
        case PROTOBUF_C_TYPE_STRING:
                text = make_text(choices);
                memcpy(at, &text, sizeof(text));
                return;
        case PROTOBUF_C_TYPE_BYTES:
                data->len = choose(choices, 20);
                data->data = take(data->len + 1);
                return;
        case PROTOBUF_C_TYPE_BOOL: *(protobuf_c_boolean *)at = number % 2 != 0; return;
        case PROTOBUF_C_TYPE_UINT64:
        case PROTOBUF_C_TYPE_FIXED64: memcpy(at, &number, sizeof(number)); return;
        case PROTOBUF_C_TYPE_UINT32:
        case PROTOBUF_C_TYPE_SINT32: memcpy(at, &small, sizeof(small)); return;
        default: abort(); /* par.proto has no others: a new one wants its line here */
        }
}

static size_t value_bytes(const ProtobufCFieldDescriptor *field)
{
        return field->type == PROTOBUF_C_TYPE_UINT32 ? sizeof(uint32_t) : sizeof(uint64_t);
}

static void make_list(const ProtobufCFieldDescriptor *field, char *message, struct choices *choices)
{
        const size_t n = choose(choices, LIST_MAX + 1);
        char *array = take(n * value_bytes(field) + 1);

        for (size_t i = 0; i < n; i++)
                make_value(field, array + i * value_bytes(field), choices);
        memcpy(message + field->quantifier_offset, &n, sizeof(n));
        memcpy(message + field->offset, &array, sizeof(array));
}

static ProtobufCMessage *make(const ProtobufCMessageDescriptor *type, struct choices *choices)
{
        char *message = take(type->sizeof_message);
        size_t alternative = type->n_fields ? choose(choices, type->n_fields) : 0;

        protobuf_c_message_init(type, message);
        for (size_t i = 0; i < type->n_fields; i++) {
                const ProtobufCFieldDescriptor *field = &type->fields[i];

                if (field->label == PROTOBUF_C_LABEL_REPEATED) {
                        make_list(field, message, choices);
                } else if (!(field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF)) {
                        make_value(field, message + field->offset, choices);
                } else if (i == alternative) {
                        memcpy(message + field->quantifier_offset, &field->id, sizeof(field->id));
                        make_value(field, message + field->offset, choices);
                }
        }
        return (ProtobufCMessage *)(void *)message;
}

/* The same bytes after a way through the arena. */
static size_t check_made(struct choices *choices)
{
        Wire__Request *request;
        Wire__Packet *packet;
        size_t n = 0, m;

        heap_used = 0;
        message_arena_reset(&arena);
        if (choose(choices, 2)) {
                request = (Wire__Request *)make(&wire__request__descriptor, choices);
                must(!message_pack_request(request, first, sizeof(first), &n));
                if (!n)
                        return 0;
                must(!message_unpack_request(&arena, first, n, &request));
                must(!message_pack_request(request, second, sizeof(second), &m));
        } else {
                packet = (Wire__Packet *)make(&wire__packet__descriptor, choices);
                must(!message_pack_packet(packet, first, sizeof(first), &n));
                if (!n)
                        return 0;
                must(!message_unpack_packet(&arena, first, n, &packet));
                must(!message_pack_packet(packet, second, sizeof(second), &m));
        }
        must(n == m && !memcmp(first, second, n));
        return n;
}

/* ---- packets -------------------------------------------------------------------------------- */

/* @first, @size bytes of it, with as many descriptors as are chosen. */
static void check_packet(size_t size, struct choices *choices)
{
        static const size_t counts[] = { 0, 1, 2, 63, 64, 252, PACKET_DESCRIPTORS_MAX };
        static int ends[2] = { -1, -1 }, descriptors[PACKET_DESCRIPTORS_MAX];
        const size_t count = counts[choose(choices, ARRAY_SIZE(counts))];
        const size_t room = choose(choices, 2) ? sizeof(second) : size - choose(choices, size);
        struct packet packet;

        if (ends[0] < 0)
                must(!socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends));
        for (size_t i = 0; i < count; i++)
                descriptors[i] = ends[1];
        must(!packet_send(ends[0], first, size, descriptors, count));
        must(!packet_receive(ends[1], second, room, &packet));
        must(packet.bytes_cut == (room < size) && !packet.descriptors_cut);
        must(packet.size == (room < size ? room : size) && packet.count == count);
        must(!memcmp(first, second, packet.size));
        for (size_t i = 0; i < count; i++)
                must(packet.descriptors[i] > 2 &&
                     fcntl(packet.descriptors[i], F_GETFD) == FD_CLOEXEC);
        packet_close_descriptors(&packet);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        struct choices choices = choices_from_input(data, size);
        size_t n;

        if (!size || size > PACKET_BYTES_MAX)
                return 0;
        check_bytes(data, size);
        n = check_made(&choices);
        if (n && n <= PACKET_BYTES_MAX)
                check_packet(n, &choices);
        message_arena_deinit(&arena);
        return 0;
}
