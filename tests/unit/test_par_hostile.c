/* SPDX-License-Identifier: MIT */
/*
 * libpar against a daemon that lies: nothing that arrives may crash it, write where no memory was
 * granted, or leave a descriptor or a mapping behind.
 */
#include "public.h"

#include "descriptors.h"
#include "macros.h"
#include "mock_server.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#define PAGE (64 * KiB)

/* ---- lies ----------------------------------------------------------------------------------- */

static Wire__Grant *head_of(struct mock_reply *reply)
{
        static Wire__Grant nothing;
        Wire__Reply *body = reply->packet->reply;

        return body->body_case == WIRE__REPLY__BODY_ALLOC ? body->alloc : &nothing;
}

static Wire__ExtentList *list_of(struct mock_reply *reply)
{
        Wire__Reply *body = reply->packet->reply;

        return body->body_case == WIRE__REPLY__BODY_ALLOC     ? body->alloc->extents
               : body->body_case == WIRE__REPLY__BODY_EXTENTS ? body->extents
                                                              : NULL;
}

/* A function that changes one thing in each description. */
#define LIE(name, change)                                                   \
        static void lie_##name(struct mock *mock, struct mock_reply *reply) \
        {                                                                   \
                Wire__ExtentList *list = list_of(reply);                    \
                Wire__Grant *head = head_of(reply);                         \
                                                                            \
                (void)mock;                                                 \
                (void)head;                                                 \
                if (list) {                                                 \
                        change;                                             \
                }                                                           \
        }

LIE(buffer_0, head->buffer = 0)
LIE(size_0, head->size = 0)
LIE(size_small, head->size = 4096)
LIE(size_large, head->size += head->page_size)
LIE(size_huge, head->size = UINT64_MAX)
LIE(page_0, head->page_size = 0)
LIE(page_odd, head->page_size = 65537)
LIE(page_small, head->page_size = 2048)
LIE(page_huge, head->page_size = UINT64_C(1) << 63)
LIE(page_larger, head->page_size *= 2)
LIE(page_smaller, head->page_size /= 2)
LIE(pieces_0, head->piece_count = 0)
LIE(pieces_fewer, head->piece_count--)
LIE(pieces_more, head->piece_count++)
LIE(pieces_huge, head->piece_count = UINT64_MAX)
LIE(segments_0, head->segment_count = 0)
LIE(segments_fewer, head->segment_count--)
LIE(segments_more, head->segment_count++)
LIE(segments_huge, head->segment_count = UINT64_MAX)
LIE(no_extents, head->extents = NULL)
LIE(empty, list->n_pieces = list->n_segments = 0)
LIE(empty_for_ever, list->n_pieces = list->n_segments = 0; list->next_cursor = 1)
LIE(piece_0, list->pieces[0]->length = 0)
LIE(piece_short, list->pieces[0]->length -= 4096)
LIE(piece_long, list->pieces[0]->length += 4096)
LIE(piece_huge, list->pieces[0]->length = UINT64_MAX)
LIE(offset_beyond, list->pieces[0]->frame_offset = PAGE)
LIE(offset_huge, list->pieces[0]->frame_offset = UINT64_MAX)
LIE(offset_inside, list->pieces[1]->frame_offset = 4096)
LIE(frame_twice, list->pieces[1]->frame = list->pieces[0]->frame)
LIE(frame_again, list->pieces[1]->frame = list->pieces[0]->frame; list->pieces[1]->has_fd = 0)
LIE(frame_unknown, list->pieces[0]->has_fd = 0;
    memmove(reply->descriptors, reply->descriptors + 1, --reply->count * sizeof(int)))
LIE(descriptor_missing, reply->count--)
LIE(descriptors_missing, reply->count = 0)
LIE(descriptor_too_many, reply->descriptors[reply->count++] = 0)
LIE(segment_0, list->segments[0]->length = 0)
LIE(segment_long, list->segments[0]->length += 4096)
LIE(segment_huge, list->segments[0]->length = UINT64_MAX)
LIE(segment_wraps, list->segments[0]->dma = UINT64_MAX - 100)
LIE(segment_missing, list->n_segments--)
LIE(other_seq, reply->packet->reply->seq += 5)
LIE(seq_0, reply->packet->reply->seq = 0)
LIE(seq_unawaited, reply->packet->reply->seq = UINT32_C(1) << 31)
LIE(no_body, reply->packet->reply->body_case = 0)
LIE(result_between, reply->packet->reply->result = 4999)
LIE(result_beyond, reply->packet->reply->result = 5010)
LIE(result_huge, reply->packet->reply->result = UINT32_MAX)

static void lie_small_frame(struct mock *mock, struct mock_reply *reply)
{
        (void)mock;
        for (size_t i = 0; i < reply->count; i++) {
                (void)!ftruncate(reply->descriptors[i], 4096);
        }
}

static void lie_no_kind(struct mock *mock, struct mock_reply *reply)
{
        static const uint8_t field_99[] = { 0x98, 0x06, 0x01 };

        (void)mock;
        memcpy(reply->raw, field_99, sizeof(field_99));
        reply->raw_bytes = sizeof(field_99);
}

static void lie_garbage(struct mock *mock, struct mock_reply *reply)
{
        (void)mock;
        memset(reply->raw, 0xff, 100);
        reply->raw_bytes = 100;
}

static const struct {
        const char *name;
        void (*spoil)(struct mock *mock, struct mock_reply *reply);
} lies[] = {
        { "buffer number 0", lie_buffer_0 },
        { "size 0", lie_size_0 },
        { "size smaller than asked for", lie_size_small },
        { "size a page larger than asked for", lie_size_large },
        { "size of everything", lie_size_huge },
        { "page size 0", lie_page_0 },
        { "page size no power of two", lie_page_odd },
        { "page size below 4 KiB", lie_page_small },
        { "page size of half of everything", lie_page_huge },
        { "page size twice that of the frames", lie_page_larger },
        { "page size half that of the frames", lie_page_smaller },
        { "no pieces", lie_pieces_0 },
        { "a piece fewer than said", lie_pieces_more },
        { "a piece more than said", lie_pieces_fewer },
        { "pieces without number", lie_pieces_huge },
        { "no segments", lie_segments_0 },
        { "a segment fewer than said", lie_segments_more },
        { "a segment more than said", lie_segments_fewer },
        { "segments without number", lie_segments_huge },
        { "no description", lie_no_extents },
        { "an empty description", lie_empty },
        { "an empty description without end", lie_empty_for_ever },
        { "an empty piece", lie_piece_0 },
        { "a piece that stops short", lie_piece_short },
        { "a piece beyond its frame", lie_piece_long },
        { "a piece of everything", lie_piece_huge },
        { "a piece that starts behind its frame", lie_offset_beyond },
        { "a piece that starts far behind", lie_offset_huge },
        { "a hole between pieces", lie_offset_inside },
        { "a frame shown twice", lie_frame_twice },
        { "a frame twice in a buffer", lie_frame_again },
        { "a frame never shown", lie_frame_unknown },
        { "a descriptor too few", lie_descriptor_missing },
        { "no descriptors", lie_descriptors_missing },
        { "a descriptor too many", lie_descriptor_too_many },
        { "a frame without memory", lie_small_frame },
        { "an empty segment", lie_segment_0 },
        { "a segment beyond the buffer", lie_segment_long },
        { "a segment of everything", lie_segment_huge },
        { "a segment around the end of addresses", lie_segment_wraps },
        { "a segment missing", lie_segment_missing },
        { "a reply to nobody", lie_other_seq },
        { "a reply to request 0", lie_seq_0 },
        { "a reply to nobody's request", lie_seq_unawaited },
        { "a reply without what was asked for", lie_no_body },
        { "a result below the refusals", lie_result_between },
        { "a result above the refusals", lie_result_beyond },
        { "a negative result", lie_result_huge },
        { "a packet of no kind", lie_no_kind },
        { "garbage", lie_garbage },
};

/* ---- tests ---------------------------------------------------------------------------------- */

static void check_lie(size_t index, size_t pieces_per_packet)
{
        struct mock_settings settings = { .spoil = lies[index].spoil,
                                          .pieces_per_packet = pieces_per_packet };
        struct mock *mock = mock_start(&settings);
        struct par_buffer *buffer = NULL;
        struct par_event event;
        struct par *par;
        int r, later;

        assert_int_equal(par_connect(mock->path, NULL, &par), 0);
        r = par_alloc(par, 3 * PAGE, NULL, NULL, &buffer);
        if (r != -EPROTO)
                fail_msg("%s: %d, %s", lies[index].name, r, par_error(par));
        later = par_alloc(par, 3 * PAGE, NULL, NULL, &buffer);
        if (later != -PAR_GONE)
                fail_msg("%s: %d later", lies[index].name, later);
        assert_null(buffer);
        assert_int_equal(par_next_event(par, &event), 0);
        assert_int_equal(event.type, PAR_EVENT_LOST);
        par_disconnect(par);
        mock_stop(mock);
}

static void test_hostile_descriptions_end_the_session(void **state)
{
        size_t descriptors = descriptors_open();

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(lies); i++) {
                check_lie(i, 200);
                check_lie(i, 2);
                if (descriptors_open() != descriptors)
                        fail_msg("%s: descriptors are left", lies[i].name);
        }
}

/* The memory of the buffer before, under another number. */
static void lie_same_memory(struct mock *mock, struct mock_reply *reply)
{
        Wire__ExtentList *list = list_of(reply);

        (void)mock;
        if (list && list->pieces[0]->frame_offset) {
                list->pieces[0]->phys -= list->pieces[0]->frame_offset;
                list->pieces[0]->frame_offset = 0;
        }
}

static void lie_same_number(struct mock *mock, struct mock_reply *reply)
{
        static uint64_t first;

        (void)mock;
        if (!first)
                first = head_of(reply)->buffer;
        head_of(reply)->buffer = first;
}

static void check_second(void (*spoil)(struct mock *mock, struct mock_reply *reply))
{
        struct mock_settings settings = { .spoil = spoil };
        struct mock *mock = mock_start(&settings);
        struct par_buffer *first, *second;
        struct par *par;

        assert_int_equal(par_connect(mock->path, NULL, &par), 0);
        assert_int_equal(par_alloc(par, 8192, NULL, NULL, &first), 0);
        memset(par_buffer_data(first), 1, 8192);
        assert_int_equal(par_alloc(par, 4096, NULL, NULL, &second), -EPROTO);
        assert_int_equal(*(char *)par_buffer_data(first), 1);
        par_free(first);
        par_disconnect(par);
        mock_stop(mock);
}

static void test_hostile_second_grant(void **state)
{
        (void)state;
        check_second(lie_same_memory);
        check_second(lie_same_number);
}

static void test_hostile_notices(void **state)
{
        static const uint8_t empty_notice[] = { 0x12, 0x00 };
        struct mock *mock = mock_start(NULL);
        struct par_buffer *buffer;
        struct par_event event;
        struct par *par;
        int sockets[2];

        (void)state;
        assert_int_equal(par_connect(mock->path, NULL, &par), 0);
        assert_int_equal(par_alloc(par, 4096, NULL, NULL, &buffer), 0);
        mock_send_raw(mock, empty_notice, sizeof(empty_notice), -1);
        assert_int_equal(par_next_event(par, &event), -EAGAIN);
        for (int i = 0; i < 20000; i++) {
                mock_send_event(mock, PAR_EVENT_POISONED, i % 2, UINT64_MAX, UINT64_MAX);
                if (i % 50 == 0)
                        (void)!par_next_event(par, &event);
        }
        while (par_next_event(par, &event) == 0)
                assert_int_equal(event.type, PAR_EVENT_POISONED);

        assert_int_equal(pipe(sockets), 0);
        mock_send_raw(mock, empty_notice, sizeof(empty_notice), sockets[0]);
        close(sockets[0]);
        assert_int_equal(par_next_event(par, &event), 0);
        assert_int_equal(event.type, PAR_EVENT_LOST);
        assert_int_equal(fcntl(sockets[1], F_GETFL) & O_ACCMODE, O_WRONLY);
        close(sockets[1]);
        par_disconnect(par);
        mock_stop(mock);
}

/* A daemon takes away what there is not, what it took already, and what is just being freed; and it
 * says so of a buffer, and then grants its memory to another one. */
static void test_hostile_revocations(void **state)
{
        struct mock_settings settings = { .spoil = NULL };
        struct mock *mock = mock_start(&settings);
        struct par_buffer *first, *second, *freed;
        struct par_event event;
        struct par *par;
        uint64_t number;

        (void)state;
        assert_int_equal(par_connect(mock->path, NULL, &par), 0);
        assert_int_equal(par_alloc(par, 8192, NULL, NULL, &first), 0);
        assert_int_equal(par_alloc(par, 4096, NULL, NULL, &freed), 0);
        number = par_buffer_id(freed);
        mock_send_event_of(mock, PAR_EVENT_REVOKED, number); /* meets its par_free() */
        par_free(freed);
        mock_send_event_of(mock, PAR_EVENT_REVOKED, number);
        mock_send_event_of(mock, PAR_EVENT_REVOKED, UINT64_MAX);
        mock_send_event_of(mock, PAR_EVENT_MOVED, par_buffer_id(first));
        for (int i = 0; i < 100; i++)
                mock_send_event_of(mock, PAR_EVENT_REVOKED, par_buffer_id(first));
        mock_send_event_of(mock, PAR_EVENT_REVOKED, 0);

        assert_int_equal(par_next_event(par, &event), 0);
        assert_int_equal(event.type, PAR_EVENT_MOVED);
        assert_int_equal(par_next_event(par, &event), 0);
        assert_int_equal(event.type, PAR_EVENT_REVOKED);
        assert_ptr_equal(event.buffer, first);
        assert_int_equal(event.length, 8192);
        assert_int_equal(par_next_event(par, &event), 0);
        assert_null(event.buffer);
        assert_int_equal(par_next_event(par, &event), -EAGAIN);

        memset(par_buffer_data(first), 1, 8192);
        mock->settings.spoil = lie_same_memory;
        assert_int_equal(par_alloc(par, 4096, NULL, NULL, &second), -EPROTO);
        assert_int_equal(*(char *)par_buffer_data(first), 1);
        par_free(first);
        par_disconnect(par);
        mock_stop(mock);
}

/* ---- random bytes --------------------------------------------------------------------------- */

static unsigned seed;

/* Changes a few bytes of the packed reply. */
static void lie_at_random(struct mock *mock, struct mock_reply *reply)
{
        (void)mock;
        if (rand_r(&seed) % 3 == 0 ||
            message_pack_packet(reply->packet, reply->raw, sizeof(reply->raw), &reply->raw_bytes))
                return;
        for (int i = rand_r(&seed) % 4; i >= 0; i--)
                reply->raw[(size_t)rand_r(&seed) % reply->raw_bytes] = (uint8_t)rand_r(&seed);
        if (rand_r(&seed) % 8 == 0 && reply->count)
                reply->count--;
}

static void test_hostile_bytes(void **state)
{
        struct mock_settings settings = { .pieces_per_packet = 3, .spoil = lie_at_random };
        size_t descriptors = descriptors_open(), sessions = 0;
        struct mock *mock = NULL;
        struct par *par = NULL;

        (void)state;
        for (unsigned round = 0; round < 3000; round++) {
                struct par_buffer *buffer;
                int r;

                if (!par) {
                        seed = round;
                        settings.keep = round % 2;
                        mock = mock_start(&settings);
                        assert_int_equal(par_connect(mock->path, NULL, &par), 0);
                        sessions++;
                }
                r = par_alloc(par, 1 + round % 11 * 20000, NULL, NULL, &buffer);
                if (!r) {
                        memset(par_buffer_data(buffer), 1, par_buffer_size(buffer));
                        par_free(buffer);
                } else {
                        assert_null(buffer);
                }
                if (r == -PAR_GONE || round % 100 == 99) {
                        par_disconnect(par);
                        mock_stop(mock);
                        par = NULL;
                }
        }
        assert_true(sessions > 100);
        assert_int_equal(descriptors_open(), descriptors);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_hostile_descriptions_end_the_session),
                cmocka_unit_test(test_hostile_second_grant),
                cmocka_unit_test(test_hostile_notices),
                cmocka_unit_test(test_hostile_revocations),
                cmocka_unit_test(test_hostile_bytes),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
