/* SPDX-License-Identifier: MIT */
/*
 * Messages to bytes and back, and what hostile bytes can make of an arena.
 */
#include "message.h"
#include "packet.h"

#include "macros.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static int setup(void **state)
{
        struct message_arena *arena = calloc(1, sizeof(*arena));

        assert_non_null(arena);
        *state = arena;
        return 0;
}

static int teardown(void **state)
{
        message_arena_deinit(*state);
        free(*state);
        return 0;
}

/* An Alloc with everything in it. */
static size_t pack_alloc(uint8_t *bytes, size_t room)
{
        Wire__Request request = WIRE__REQUEST__INIT;
        Wire__Alloc alloc = WIRE__ALLOC__INIT;
        Wire__Constraint constraint = WIRE__CONSTRAINT__INIT;
        char device[] = "capture0", label[] = "iq-ring";
        size_t size;

        constraint.addr_max = UINT64_MAX;
        constraint.max_segments = UINT32_MAX;
        alloc.size = 8 * MiB;
        alloc.constraint = &constraint;
        alloc.device = device;
        alloc.label = label;
        alloc.wait_ms = -1;
        request.seq = 7;
        request.body_case = WIRE__REQUEST__BODY_ALLOC;
        request.alloc = &alloc;
        assert_int_equal(message_pack_request(&request, bytes, room, &size), 0);
        return size;
}

static void test_message_returns_what_was_packed(void **state)
{
        struct message_arena *arena = *state;
        uint8_t bytes[256];
        size_t size = pack_alloc(bytes, sizeof(bytes));
        Wire__Request *request;

        for (int i = 0; i < 3; i++) {
                assert_int_equal(message_unpack_request(arena, bytes, size, &request), 0);
                assert_int_equal(request->seq, 7);
                assert_int_equal(request->body_case, WIRE__REQUEST__BODY_ALLOC);
                assert_int_equal(request->alloc->size, 8 * MiB);
                assert_true(request->alloc->constraint->addr_max == UINT64_MAX);
                assert_int_equal(request->alloc->constraint->max_segments, UINT32_MAX);
                assert_string_equal(request->alloc->device, "capture0");
                assert_string_equal(request->alloc->label, "iq-ring");
                assert_string_equal(request->alloc->pool, "");
                assert_int_equal(request->alloc->wait_ms, -1);
                message_arena_reset(arena);
        }
}

static void test_message_refuses_a_buffer_too_small(void **state)
{
        Wire__Packet packet = WIRE__PACKET__INIT;
        Wire__Reply reply = WIRE__REPLY__INIT;
        uint8_t bytes[3] = { 0x55, 0x55, 0x55 };
        size_t size;

        (void)state;
        reply.seq = 5;
        packet.kind_case = WIRE__PACKET__KIND_REPLY;
        packet.reply = &reply;
        assert_int_equal(message_pack_packet(&packet, bytes, sizeof(bytes), &size), -EMSGSIZE);
        assert_int_equal(bytes[0], 0x55);
}

static const struct {
        const char *name;
        size_t size;
        uint8_t bytes[16];
        int result;
} byte_cases[] = {
        { "nothing at all is an empty request", 0, { 0 }, 0 },
        { "field number 0", 2, { 0x00, 0x01 }, -EBADMSG },
        { "a varint without an end", 2, { 0x08, 0xff }, -EBADMSG },
        { "a varint of more than 10 bytes",
          12,
          { 0x08, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01 },
          -EBADMSG },
        { "a submessage longer than the packet", 2, { 0x12, 0x05 }, -EBADMSG },
        { "a length near 2^32", 6, { 0x12, 0xff, 0xff, 0xff, 0xff, 0x0f }, -EBADMSG },
        { "a group, which proto3 has not", 1, { 0x13 }, -EBADMSG },
        { "the wrong wire type of a body", 2, { 0x10, 0x05 }, -EBADMSG },
        { "a field of a newer client", 3, { 0xf8, 0x07, 0x01 }, 0 },
};

static void test_message_judges_bytes(void **state)
{
        struct message_arena *arena = *state;
        Wire__Request *request;

        for (size_t i = 0; i < ARRAY_SIZE(byte_cases); i++) {
                int r = message_unpack_request(arena, byte_cases[i].bytes, byte_cases[i].size,
                                               &request);

                if (r != byte_cases[i].result)
                        fail_msg("%s: %d", byte_cases[i].name, r);
                message_arena_reset(arena);
        }
}

static void test_message_survives_every_truncation(void **state)
{
        struct message_arena *arena = *state;
        uint8_t whole[256];
        size_t size = pack_alloc(whole, sizeof(whole));
        Wire__Request *request;

        for (size_t cut = 0; cut < size; cut++) {
                /* Its own allocation, so that a read past the end is seen. */
                uint8_t *bytes = malloc(cut ? cut : 1);
                int r;

                assert_non_null(bytes);
                memcpy(bytes, whole, cut);
                r = message_unpack_request(arena, bytes, cut, &request);
                assert_true(r == 0 || r == -EBADMSG);
                free(bytes);
                message_arena_reset(arena);
        }
}

static void test_message_survives_random_bytes(void **state)
{
        struct message_arena *arena = *state;
        uint64_t seed = 88172645463325252u;
        uint8_t bytes[512];
        Wire__Request *request;
        Wire__Packet *packet;

        for (int i = 0; i < 20000; i++) {
                size_t size = 1 + (size_t)(seed % sizeof(bytes));
                int r;

                for (size_t j = 0; j < size; j++) {
                        seed ^= seed << 13;
                        seed ^= seed >> 7;
                        seed ^= seed << 17;
                        bytes[j] = (uint8_t)seed;
                }
                r = message_unpack_request(arena, bytes, size, &request);
                assert_true(r == 0 || r == -EBADMSG);
                r = message_unpack_packet(arena, bytes, size, &packet);
                assert_true(r == 0 || r == -EBADMSG);
                assert_true(arena->used_bytes <= MESSAGE_ARENA_BYTES);
                message_arena_reset(arena);
        }
}

/* Whatever nests in itself: no message of the protocol does, so it is an unknown field at once. */
static void test_message_does_not_recurse_with_the_packet(void **state)
{
        struct message_arena *arena = *state;
        static uint8_t bytes[PACKET_BYTES_MAX];
        size_t at = sizeof(bytes);
        Wire__Request *request;
        int r;

        while (at > 8) {
                size_t inner = sizeof(bytes) - at;

                bytes[--at] = (uint8_t)(inner >> 14 & 0x7f);
                bytes[--at] = (uint8_t)(0x80 | (inner >> 7 & 0x7f));
                bytes[--at] = (uint8_t)(0x80 | (inner & 0x7f));
                bytes[--at] = 0x22; /* field 4 of Request: Alloc; of Alloc: pool */
        }
        r = message_unpack_request(arena, bytes + at, sizeof(bytes) - at, &request);
        assert_true(r == 0 || r == -EBADMSG);
}

/* An empty Event takes 2 bytes in the packet and many times that in memory. */
static void test_message_stays_within_its_arena(void **state)
{
        struct message_arena *arena = *state;
        static uint8_t bytes[PACKET_BYTES_MAX];
        size_t at = 0, inner = sizeof(bytes) - 8;
        Wire__Packet *packet;
        int r;

        bytes[at++] = 0x12; /* notice */
        bytes[at++] = (uint8_t)(0x80 | (inner & 0x7f));
        bytes[at++] = (uint8_t)(0x80 | (inner >> 7 & 0x7f));
        bytes[at++] = (uint8_t)(inner >> 14);
        for (size_t i = 0; i < inner; i += 2) {
                bytes[at++] = 0x12; /* an empty Event */
                bytes[at++] = 0x00;
        }
        r = message_unpack_packet(arena, bytes, at, &packet);
        assert_true(r == 0 || r == -EBADMSG);
        assert_true(arena->used_bytes <= MESSAGE_ARENA_BYTES);
        message_arena_reset(arena);

        /* Unknown fields, each of them a copy. */
        for (size_t i = 0; i < sizeof(bytes); i += 2) {
                bytes[i] = 0x78;
                bytes[i + 1] = 0x01;
        }
        bytes[0] = 0x78;
        r = message_unpack_packet(arena, bytes, sizeof(bytes), &packet);
        assert_true(r == 0 || r == -EBADMSG);
        assert_true(arena->used_bytes <= MESSAGE_ARENA_BYTES);

        /* And it still serves the next. */
        message_arena_reset(arena);
        assert_true(arena->used_bytes < MESSAGE_ARENA_BYTES / 4);
        assert_int_equal(message_unpack_packet(arena, "", 0, &packet), 0);
}

static void test_message_carries_the_largest_lists(void **state)
{
        struct message_arena *arena = *state;
        Wire__Packet packet = WIRE__PACKET__INIT, *got;
        Wire__Notice notice = WIRE__NOTICE__INIT;
        static uint64_t frames[6000];
        static uint8_t bytes[PACKET_BYTES_MAX];
        size_t size;

        for (size_t i = 0; i < ARRAY_SIZE(frames); i++)
                frames[i] = UINT64_MAX - i;
        notice.n_unneeded_frames = ARRAY_SIZE(frames);
        notice.unneeded_frames = frames;
        packet.kind_case = WIRE__PACKET__KIND_NOTICE;
        packet.notice = &notice;
        assert_int_equal(message_pack_packet(&packet, bytes, sizeof(bytes), &size), 0);
        assert_int_equal(message_unpack_packet(arena, bytes, size, &got), 0);
        assert_int_equal(got->notice->n_unneeded_frames, ARRAY_SIZE(frames));
        assert_memory_equal(got->notice->unneeded_frames, frames, sizeof(frames));
}

int main(void)
{
        const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
                TEST(test_message_returns_what_was_packed),
                TEST(test_message_refuses_a_buffer_too_small),
                TEST(test_message_judges_bytes),
                TEST(test_message_survives_every_truncation),
                TEST(test_message_survives_random_bytes),
                TEST(test_message_does_not_recurse_with_the_packet),
                TEST(test_message_stays_within_its_arena),
                TEST(test_message_carries_the_largest_lists),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
