/* SPDX-License-Identifier: MIT */
/*
 * The ledger alone: what is written comes back; whoever writes may die between any two stores; and
 * whatever a former process left is read without harm.
 */
#include "ledger_private.h"

#include "macros.h"
#include "random.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define SLOTS        64
#define LEDGER_BYTES (64 * KiB)
#define PLACES_MAX   40
#define ENTRIES_MAX  2000

static uint64_t memory[LEDGER_BYTES / sizeof(uint64_t)];
static struct ledger *ledger;

/* ---- what a reader sees --------------------------------------------------------------------- */

struct seen {
        uint64_t id, revoked_ns;
        size_t n_places;
        struct range places[PLACES_MAX];
        char label[LEDGER_TEXT_BYTES], name[LEDGER_TEXT_BYTES], left_name[LEDGER_TEXT_BYTES];
        struct ledger_share share;
        uint64_t token[2];
};

struct seen_holder {
        uint32_t record, session, seq;
        uint64_t buffer;
};

static struct {
        size_t n_sessions, n_buffers, n_holders;
        struct seen_holder holders[ENTRIES_MAX];
        uint64_t sessions[ENTRIES_MAX], ended_ns[ENTRIES_MAX];
        struct seen buffers[ENTRIES_MAX];
        int session_result, buffer_result, between_result, holder_result;
} seen;

static int see_session(void *data, uint32_t record, const struct ledger_session *session,
                       uint64_t ended_ns)
{
        (void)data;
        assert_true(record < ledger->tables[LEDGER_SESSIONS].room);
        assert_in_range(seen.n_sessions, 0, ENTRIES_MAX - 1);
        assert_true(strlen(session->name) < LEDGER_TEXT_BYTES);
        seen.ended_ns[seen.n_sessions] = ended_ns;
        seen.sessions[seen.n_sessions++] = session->id;
        return seen.session_result;
}

static void see_share(const struct ledger_share *share, struct seen *to)
{
        strcpy(to->name, share->name);
        strcpy(to->left_name, share->left_name);
        to->share = *share;
        assert_true(share->n_rights <= LEDGER_RIGHTS);
        if (share->token)
                memcpy(to->token, share->token, sizeof(to->token));
}

static int see_buffer(void *data, uint32_t record, const struct ledger_buffer *buffer,
                      uint64_t revoked_ns)
{
        struct seen *to = &seen.buffers[seen.n_buffers];

        (void)data;
        assert_true(record < ledger->tables[LEDGER_BUFFERS].room);
        assert_in_range(seen.n_buffers, 0, ENTRIES_MAX - 1);
        assert_true(strlen(buffer->label) < LEDGER_TEXT_BYTES);
        seen.n_buffers++;
        to->id = buffer->id;
        to->revoked_ns = revoked_ns;
        to->n_places = buffer->n_places;
        strcpy(to->label, buffer->label);
        if (buffer->shared)
                see_share(buffer->shared, to);
        for (size_t i = 0; i < buffer->n_places && i < PLACES_MAX; i++)
                to->places[i] = buffer->places[i];
        return seen.buffer_result;
}

static int see_between(void *data)
{
        (void)data;
        for (size_t i = 0; i < seen.n_buffers; i++)
                assert_true(seen.buffers[i].revoked_ns);
        return seen.between_result;
}

static int see_holder(void *data, uint32_t record, uint32_t session, uint64_t buffer, uint32_t seq)
{
        (void)data;
        assert_true(record < ledger->tables[LEDGER_HOLDERS].room);
        assert_in_range(seen.n_holders, 0, ENTRIES_MAX - 1);
        seen.holders[seen.n_holders++] = (struct seen_holder){ record, session, seq, buffer };
        return seen.holder_result;
}

static const struct ledger_visitor visitor = { see_session, see_buffer, see_between, see_holder };

static void start_empty(void)
{
        memset(memory, 0, sizeof(memory));
        assert_int_equal(ledger_open(memory, sizeof(memory), SLOTS, &ledger), 0);
}

/* As the next process would. Return: what ledger_read() did. */
static int read_again(struct ledger_found *found)
{
        const int session = seen.session_result, buffer = seen.buffer_result,
                  between = seen.between_result, holder = seen.holder_result;

        ledger_free(ledger);
        assert_int_equal(ledger_open(memory, sizeof(memory), SLOTS, &ledger), 0);
        memset(&seen, 0, sizeof(seen));
        seen.session_result = session;
        seen.buffer_result = buffer;
        seen.between_result = between;
        seen.holder_result = holder;
        return ledger_read(ledger, &visitor, NULL, found);
}

static uint32_t add_session(uint64_t id)
{
        const struct ledger_session session = {
                .token = id * 7, .id = id, .since_ns = 5, .uid = 1000, .name = "client"
        };
        uint32_t record;

        assert_int_equal(ledger_add_session(ledger, &session, &record), 0);
        return record;
}

/* The i-th place of a buffer. */
static struct range place_of(uint64_t id, size_t i)
{
        return range_of(id * MiB + i * 8 * KiB, 4 * KiB);
}

/* The same of one that is shared, or not (LEDGER_NONE). Return: its record; LEDGER_NONE: there was
 * no room. */
static uint32_t add_buffer_with(uint32_t session, uint64_t id, size_t n_places, uint32_t share)
{
        const struct constraint limits = { .window = RANGE_ALL, .size_bytes = 4 * KiB };
        struct range places[PLACES_MAX];
        uint32_t record;
        int r;

        for (size_t i = 0; i < n_places; i++)
                places[i] = place_of(id, i);
        r = ledger_hold_buffer(ledger, n_places, &record);
        assert_true(r == 0 || r == -ENOSPC);
        if (r)
                return LEDGER_NONE;
        ledger_commit_buffer(ledger, record,
                             &(struct ledger_buffer){
                                     .session = session,
                                     .seq = (uint32_t)id,
                                     .id = id,
                                     .limits = &limits,
                                     .label = "label",
                                     .places = places,
                                     .n_places = n_places,
                                     .share = share,
                             });
        return record;
}

static uint32_t add_buffer(uint32_t session, uint64_t id, size_t n_places)
{
        return add_buffer_with(session, id, n_places, LEDGER_NONE);
}

static const struct ledger_right rights[] = { { 0, 1001 }, { 1, 44 } };

static uint32_t add_share(const char *name)
{
        const struct ledger_share share = {
                .name = name, .lasting = true, .rights = rights, .n_rights = ARRAY_SIZE(rights)
        };
        uint32_t record;

        assert_int_equal(ledger_add_share(ledger, &share, &record), 0);
        return record;
}

static uint32_t add_holder(uint32_t session, uint32_t buffer, uint32_t seq)
{
        uint32_t record;

        assert_int_equal(ledger_add_holder(ledger, session, buffer, seq, &record), 0);
        return record;
}

static void assert_seen(const struct seen *buffer, uint64_t id, size_t n_places)
{
        assert_int_equal(buffer->id, id);
        assert_int_equal(buffer->n_places, n_places);
        assert_string_equal(buffer->label, "label");
        for (size_t i = 0; i < n_places; i++)
                assert_memory_equal(&buffer->places[i], &(struct range[]){ place_of(id, i) },
                                    sizeof(struct range));
}

/* ---- tests ---------------------------------------------------------------------------------- */

static void test_ledger_is_empty_at_first(void **state)
{
        struct ledger_found found;

        (void)state;
        start_empty();
        assert_int_equal(read_again(&found), 0);
        assert_int_equal(seen.n_sessions + seen.n_buffers, 0);
        assert_int_equal(found.faults + found.refused, 0);
        ledger_free(ledger);
}

static void test_ledger_is_none_without_memory(void **state)
{
        const struct ledger_session session = { .id = 1, .name = "" };
        uint32_t record;

        (void)state;
        assert_int_equal(ledger_add_session(NULL, &session, &record), 0);
        assert_int_equal(record, LEDGER_NONE);
        assert_int_equal(ledger_hold_buffer(NULL, 3, &record), 0);
        assert_int_equal(record, LEDGER_NONE);
        assert_true(ledger_has_room(NULL));
        ledger_commit_buffer(NULL, record, &(struct ledger_buffer){ 0 });
        ledger_revoke_buffer(NULL, record, 1);
        ledger_drop_buffer(NULL, record);
        ledger_end_session(NULL, 5, 1);
        ledger_drop_session(NULL, 5);
        ledger_charge_frame(NULL, 1, 2, 3, 4);
        assert_false(ledger_frame_charged(NULL, 1, 2, &record, &record));
        ledger_free(NULL);
}

static void test_ledger_gives_back_places(void **state)
{
        static const size_t counts[] = { 1, 2, 3, 9, 10, 16, 17, 40 };
        struct ledger_found found;
        uint32_t session;

        (void)state;
        start_empty();
        session = add_session(9);
        for (size_t i = 0; i < ARRAY_SIZE(counts); i++)
                add_buffer(session, i + 1, counts[i]);
        assert_int_equal(read_again(&found), 0);
        assert_int_equal(seen.n_sessions, 1);
        assert_int_equal(seen.n_buffers, ARRAY_SIZE(counts));
        for (size_t i = 0; i < ARRAY_SIZE(counts); i++)
                assert_seen(&seen.buffers[i], i + 1, counts[i]);
        assert_int_equal(ledger_last_buffer(ledger), ARRAY_SIZE(counts));
        assert_int_equal(ledger_last_owner(ledger), 9);
        ledger_free(ledger);
}

static void test_ledger_tells_revoked_ones_first(void **state)
{
        struct ledger_found found;
        uint32_t session;

        (void)state;
        start_empty();
        session = add_session(1);
        add_buffer(session, 1, 1);
        ledger_revoke_buffer(ledger, add_buffer(session, 2, 5), 42);
        assert_int_equal(read_again(&found), 0);
        assert_int_equal(seen.n_buffers, 2);
        assert_seen(&seen.buffers[0], 2, 5);
        assert_int_equal(seen.buffers[0].revoked_ns, 42);
        assert_seen(&seen.buffers[1], 1, 1);
        ledger_free(ledger);
}

/* A session stays as long as a buffer refers to it, in the next process as well. */
static void test_ledger_counts_references(void **state)
{
        struct ledger_found found;
        uint32_t session, buffer;

        (void)state;
        start_empty();
        session = add_session(1);
        buffer = add_buffer(session, 1, 1);
        ledger_end_session(ledger, session, 77);
        ledger_drop_session(ledger, session);
        assert_int_equal(read_again(&found), 0);
        assert_int_equal(seen.n_sessions, 1);
        assert_int_equal(seen.ended_ns[0], 77);
        ledger_drop_session(ledger, session);
        ledger_drop_buffer(ledger, buffer);
        assert_int_equal(read_again(&found), 0);
        assert_int_equal(seen.n_sessions + seen.n_buffers, 0);
        ledger_free(ledger);
}

static void test_ledger_charges_frames(void **state)
{
        uint32_t session, uid;

        (void)state;
        start_empty();
        assert_false(ledger_frame_charged(ledger, 3, 0, &session, &uid));
        ledger_charge_frame(ledger, 3, 8, LEDGER_NONE, 1000);
        assert_true(ledger_frame_charged(ledger, 3, 8, &session, &uid));
        assert_true(session == LEDGER_NONE && uid == 1000);
        assert_false(ledger_frame_charged(ledger, 3, 9, &session, &uid));
        assert_false(ledger_frame_charged(ledger, SLOTS, 8, &session, &uid));
        ledger->frames[3].uid = 0;
        assert_false(ledger_frame_charged(ledger, 3, 8, &session, &uid));
        ledger_free(ledger);
}

/* Buffers that were granted later lie in another frame, however many they are by then. */
static void test_ledger_knows_when_a_frame_was_lost(void **state)
{
        static const struct {
                const char *name;
                uint64_t lost_at, last;
        } cases[] = {
                { "nothing was granted ever", 0, 0 },
                { "nothing was granted since", 7, 7 },
                { "a few were", 7, 12 },
                { "and their lowest bits began again", (UINT64_C(1) << 29) - 1, UINT64_C(1) << 29 },
                { "as many as can be told", 7, 7 + (UINT64_C(1) << 29) - 1 },
                { "long after the beginning", (UINT64_C(5) << 40) + 3, (UINT64_C(5) << 40) + 9 },
        };
        uint64_t last;

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
                start_empty();
                print_message("%s\n", cases[i].name);
                ledger_charge_frame(ledger, 3, 8, LEDGER_NONE, 1000);
                assert_false(ledger_frame_lost(ledger, 3, 8, &last));
                ledger->head->last_buffer = cases[i].lost_at;
                ledger_lose_frame(ledger, 3);
                ledger->head->last_buffer = cases[i].last;
                ledger_lose_frame(ledger, 3); /* it is known */
                ledger_close_frame(ledger, 3);
                assert_true(ledger_frame_lost(ledger, 3, 8, &last));
                assert_int_equal(last, cases[i].lost_at);
                assert_true(ledger_frame_closed(ledger, 3));
                assert_false(ledger_frame_lost(ledger, 3, 9, &last));
                ledger_charge_frame(ledger, 3, 9, LEDGER_NONE, 1000);
                assert_false(ledger_frame_lost(ledger, 3, 9, &last));
                ledger_free(ledger);
        }
}

/* Until it is full, and then from the beginning. Nothing is lost on the way. */
static void test_ledger_is_full_at_some_point(void **state)
{
        struct ledger_found found;
        uint32_t session, record, records[ENTRIES_MAX];
        size_t n[2] = { 0 };

        (void)state;
        start_empty();
        session = add_session(1);
        for (unsigned round = 0; round < 2; round++) {
                while ((record = add_buffer(session, n[round] + 1, 1 + n[round] % 12)) !=
                       LEDGER_NONE)
                        records[n[round]++] = record;
                assert_int_equal(read_again(&found), 0);
                assert_int_equal(seen.n_buffers, n[round]);
                while (ledger_hold_buffer(ledger, 1, &record) == 0)
                        ledger_commit_buffer(ledger, record,
                                             &(struct ledger_buffer){
                                                     .session = session,
                                                     .id = 1000 + record,
                                                     .limits = &(struct constraint){ 0 },
                                                     .label = "",
                                                     .places = &(struct range){ 0, 1 },
                                                     .n_places = 1,
                                                     .share = LEDGER_NONE,
                                             });
                assert_false(ledger_has_room(ledger));
                assert_int_equal(read_again(&found), 0);
                for (uint32_t i = 0; i < ledger->tables[LEDGER_BUFFERS].room; i++)
                        ledger_drop_buffer(ledger, i);
        }
        (void)records;
        assert_true(n[0] > 50 && n[0] == n[1]);
        ledger_free(ledger);
}

static void change_magic(struct ledger_head *head)
{
        head->magic++;
}

static void change_version(struct ledger_head *head)
{
        head->version++;
}

static void change_used(struct ledger_head *head)
{
        head->used[1] = 1 << 30;
}

static void change_last_owner(struct ledger_head *head)
{
        head->last_owner = UINT64_MAX;
}

static void change_last_buffer(struct ledger_head *head)
{
        head->last_buffer = LEDGER_NUMBER_MAX + 1;
}

static const struct {
        const char *name;
        void (*change)(struct ledger_head *head);
} wrong_heads[] = {
        { "no ledger", change_magic },
        { "another version", change_version },
        { "more than there is room for", change_used },
        { "a session's number that none ever had", change_last_owner },
        { "a buffer's number that none ever had", change_last_buffer },
};

static void test_ledger_refuses_what_is_none(void **state)
{
        struct ledger *other;

        (void)state;
        start_empty();
        ledger_free(ledger);
        assert_int_equal(ledger_open(memory, sizeof(memory), SLOTS + 1, &other), -EPROTO);
        assert_int_equal(ledger_open(memory, sizeof(memory) / 2, SLOTS, &other), -EPROTO);
        assert_int_equal(ledger_open(memory, 1000, SLOTS, &other), -ENOSPC);
        for (size_t i = 0; i < ARRAY_SIZE(wrong_heads); i++) {
                start_empty();
                ledger_free(ledger);
                wrong_heads[i].change((struct ledger_head *)(void *)memory);
                if (ledger_open(memory, sizeof(memory), SLOTS, &other) != -EPROTO)
                        fail_msg("%s", wrong_heads[i].name);
        }
}

static void test_ledger_stops_where_a_visitor_fails(void **state)
{
        static const struct {
                int *result;
                const char *name;
        } cases[] = {
                { &seen.session_result, "a session" },
                { &seen.buffer_result, "a buffer" },
                { &seen.between_result, "in between" },
                { &seen.holder_result, "a holder" },
        };
        struct ledger_found found;
        uint32_t session;

        (void)state;
        start_empty();
        session = add_session(1);
        add_holder(session, add_buffer_with(session, 1, 12, add_share("")), 1);
        for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
                *cases[i].result = -ENOMEM;
                if (read_again(&found) != -ENOMEM)
                        fail_msg("%s", cases[i].name);
                *cases[i].result = 0;
        }
        assert_int_equal(read_again(&found), 0);
        assert_seen(&seen.buffers[0], 1, 12);
        ledger_free(ledger);
}

static void test_ledger_drops_what_is_not_wanted(void **state)
{
        struct ledger_found found;

        (void)state;
        start_empty();
        add_buffer(add_session(1), 1, 12);
        seen.buffer_result = 1;
        assert_int_equal(read_again(&found), 0);
        assert_int_equal(found.refused, 1);
        seen.buffer_result = 0;
        assert_int_equal(read_again(&found), 0);
        assert_int_equal(seen.n_buffers, 0);
        assert_int_equal(seen.n_sessions, 1);
        ledger_free(ledger);
}

/* Every other one is shared. */
static void add_one(uint32_t session, uint64_t id)
{
        const size_t n_places = 1 + id % 20;

        if (id % 2)
                add_buffer(session, id, n_places);
        else
                add_holder(session, add_buffer_with(session, id, n_places, add_share("ring")), 1);
}

/*
 * Any bytes, anywhere. It must come to an end, give every buffer that it tells of in one piece, and
 * work afterwards: what was told of is there the next time.
 */
static void test_ledger_survives_any_damage(void **state)
{
        struct random random = { .state = 4711 };
        struct ledger_found found;
        size_t n_buffers, told = 0;

        (void)state;
        for (unsigned round = 0; round < 3000; round++) {
                unsigned char *bytes = (unsigned char *)memory;
                uint32_t session;

                start_empty();
                session = add_session(1);
                for (uint64_t id = 1; id < 12; id++)
                        add_one(id % 3 ? session : add_session(id), id);
                ledger_drop_buffer(ledger, 4);
                for (uint64_t i = random_below(&random, 20); i > 0; i--) {
                        const uint64_t table = random_below(&random, LEDGER_TABLES);
                        const struct ledger_records *records = &ledger->tables[table];
                        const size_t at = (size_t)(records->at - bytes) +
                                          random_below(&random, 14 * records->record_bytes);

                        bytes[at] = (unsigned char)random_below(&random, 256);
                }
                assert_int_equal(read_again(&found), 0);
                n_buffers = seen.n_buffers;
                told += n_buffers;
                for (size_t i = 0; i < n_buffers; i++)
                        assert_seen(&seen.buffers[i], seen.buffers[i].id,
                                    1 + seen.buffers[i].id % 20);
                assert_int_equal(read_again(&found), 0);
                assert_int_equal(seen.n_buffers, n_buffers);
                assert_int_equal(found.faults, 0);
                while (add_buffer(add_session(100), 100, 3) != LEDGER_NONE &&
                       ledger_has_room(ledger))
                        if (ledger->tables[LEDGER_SESSIONS].spare == LEDGER_NONE)
                                break;
                ledger_free(ledger);
        }
        assert_in_range(told, 10000, 33000);
}

/* ---- dying between any two stores ----------------------------------------------------------- */

/*
 * Every prefix of the stores of a change is what a process may leave that dies there. The stores
 * are not seen one by one here: instead each change is applied to a copy byte by byte in the order
 * of its commit words, first all that is not a word, then the words; with any subset of the bytes
 * of the first half. Nothing but the state before or after may be read.
 */
static void test_ledger_is_before_or_after(void **state)
{
        struct random random = { .state = 99 };
        static uint64_t before[ARRAY_SIZE(memory)], after[ARRAY_SIZE(memory)];
        struct ledger_found found;

        (void)state;
        for (unsigned round = 0; round < 500; round++) {
                const size_t places = 1 + random_below(&random, PLACES_MAX);
                uint32_t session, record;

                start_empty();
                session = add_session(1);
                add_buffer(session, 1, 1 + random_below(&random, 20));
                memcpy(before, memory, sizeof(memory));
                record = add_buffer_with(session, 2, places,
                                         round % 2 ? LEDGER_NONE : add_share("ring"));
                memcpy(after, memory, sizeof(memory));
                for (size_t i = 0; i < ARRAY_SIZE(memory); i++)
                        memory[i] = random_below(&random, 2) ? before[i] : after[i];
                ledger_buffer(ledger, record)->begin.word = 0;
                assert_int_equal(read_again(&found), 0);
                assert_int_equal(seen.n_buffers, 1);
                assert_int_equal(found.faults, 0);
                assert_true(add_buffer(session, 3, PLACES_MAX) != LEDGER_NONE);
                assert_int_equal(read_again(&found), 0);
                assert_int_equal(seen.n_buffers, 2);
                ledger_free(ledger);
        }
}

/* ---- shared buffers ------------------------------------------------------------------------- */

static void test_ledger_keeps_what_is_shared(void **state)
{
        struct ledger_found found;
        uint32_t session, other, buffer, holder;
        const struct seen *kept = &seen.buffers[0];

        (void)state;
        start_empty();
        session = add_session(1);
        other = add_session(2);
        buffer = add_buffer_with(session, 10, 1, add_share("ring"));
        add_buffer(session, 11, 1);
        holder = add_holder(other, buffer, 7);
        assert_int_equal(read_again(&found), 0);
        assert_int_equal(found.faults + found.refused, 0);
        assert_int_equal(seen.n_buffers, 2);
        assert_string_equal(kept->name, "ring");
        assert_true(kept->share.lasting && !kept->share.removed && !kept->share.left);
        assert_null(kept->share.token);
        assert_int_equal(kept->share.ended_ns, 0);
        assert_int_equal(kept->share.n_rights, ARRAY_SIZE(rights));
        assert_memory_equal(kept->share.rights, rights, sizeof(rights));
        assert_null(seen.buffers[1].share.name);
        assert_int_equal(seen.n_holders, 1);
        assert_int_equal(seen.holders[0].session, other);
        assert_int_equal(seen.holders[0].buffer, 10);
        assert_int_equal(seen.holders[0].seq, 7);
        assert_int_equal(seen.holders[0].record, holder);
        ledger_free(ledger);
}

/* What changes later, each by itself. */
static void test_ledger_keeps_what_becomes_of_a_share(void **state)
{
        const uint64_t token[2] = { 3, 4 };
        const struct seen *kept = &seen.buffers[0];
        struct ledger_found found;
        uint32_t share;

        (void)state;
        start_empty();
        share = add_share("ring");
        add_buffer_with(add_session(1), 10, 1, share);
        ledger_set_token(ledger, share, token);
        assert_int_equal(read_again(&found), 0);
        assert_non_null(kept->share.token);
        assert_memory_equal(kept->token, token, sizeof(token));
        ledger_set_token(ledger, share, NULL);
        ledger_leave_share(ledger, share, 1000, 77, "driver");
        assert_int_equal(read_again(&found), 0);
        assert_null(kept->share.token);
        assert_true(kept->share.left);
        assert_int_equal(kept->share.left_uid, 1000);
        assert_int_equal(kept->share.left_pid, 77);
        assert_string_equal(kept->left_name, "driver");
        ledger_leave_share(ledger, share, 0, 0, NULL);
        ledger_remove_share(ledger, share);
        assert_int_equal(read_again(&found), 0);
        assert_true(kept->share.removed && !kept->share.left);
        ledger_end_share(ledger, share, 55);
        assert_int_equal(read_again(&found), 0);
        assert_int_equal(kept->share.ended_ns, 55);
        ledger_free(ledger);
}

/* A process may die between a holder and its buffer, or a holder's end and its buffer's. */
static void test_ledger_forgets_holders_without_a_buffer(void **state)
{
        struct ledger_found found;
        uint32_t session, record;

        (void)state;
        start_empty();
        session = add_session(1);
        assert_int_equal(ledger_hold_buffer(ledger, 1, &record), 0);
        add_holder(session, record, 1);
        add_share("ring");
        assert_int_equal(read_again(&found), 0);
        assert_int_equal(found.faults + found.refused, 0);
        assert_int_equal(seen.n_buffers + seen.n_holders, 0);
        /* And all of it can be used again. */
        assert_int_equal(add_share("another"), 0);
        assert_int_equal(add_holder(session, add_buffer(session, 3, 1), 1), 0);
        ledger_free(ledger);
}

static const struct {
        const char *name;
        size_t offset; /* of a byte in the share's record */
} share_faults[] = {
        { "the name", offsetof(struct ledger_share_record, name) + 1 },
        { "whether it lasts", offsetof(struct ledger_share_record, lasting) },
        { "who may open it", offsetof(struct ledger_share_record, rights) + 4 },
        { "the sum", offsetof(struct ledger_share_record, sum) },
        { "its word", offsetof(struct ledger_share_record, begin) },
};

static void test_ledger_gives_up_shares_that_do_not_check(void **state)
{
        struct ledger_found found;
        size_t failed = 0;

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(share_faults); i++) {
                uint32_t session, share;

                start_empty();
                session = add_session(1);
                share = add_share("ring");
                add_holder(session, add_buffer_with(session, 10, 1, share), 1);
                add_buffer(session, 11, 1);
                ((unsigned char *)ledger_share(ledger, share))[share_faults[i].offset] ^= 0x5a;
                assert_int_equal(read_again(&found), 0);
                if (!found.faults || seen.n_buffers != 1 || seen.buffers[0].id != 11 ||
                    seen.n_holders) {
                        print_error("%s: not noticed\n", share_faults[i].name);
                        failed++;
                }
                ledger_free(ledger);
        }
        assert_int_equal(failed, 0);
}

/* Two buffers with one name's record: the second is no buffer. */
static void test_ledger_gives_a_share_to_one_buffer(void **state)
{
        struct ledger_found found;
        uint32_t session, share;

        (void)state;
        start_empty();
        session = add_session(1);
        share = add_share("ring");
        add_buffer_with(session, 10, 1, share);
        add_buffer_with(session, 11, 1, share);
        assert_int_equal(read_again(&found), 0);
        assert_int_equal(found.faults, 1);
        assert_int_equal(seen.n_buffers, 1);
        ledger_free(ledger);
}

static void test_ledger_drops_what_a_visitor_refuses_to_share(void **state)
{
        struct ledger_found found;
        uint32_t session;

        (void)state;
        start_empty();
        session = add_session(1);
        add_holder(session, add_buffer_with(session, 10, 1, add_share("ring")), 1);
        seen.holder_result = 1;
        assert_int_equal(read_again(&found), 0);
        assert_int_equal(found.refused, 1);
        assert_int_equal(seen.n_holders, 1);
        assert_int_equal(read_again(&found), 0);
        assert_int_equal(seen.n_holders, 0);
        seen.holder_result = 0;
        ledger_free(ledger);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_ledger_is_empty_at_first),
                cmocka_unit_test(test_ledger_is_none_without_memory),
                cmocka_unit_test(test_ledger_gives_back_places),
                cmocka_unit_test(test_ledger_tells_revoked_ones_first),
                cmocka_unit_test(test_ledger_counts_references),
                cmocka_unit_test(test_ledger_charges_frames),
                cmocka_unit_test(test_ledger_knows_when_a_frame_was_lost),
                cmocka_unit_test(test_ledger_is_full_at_some_point),
                cmocka_unit_test(test_ledger_refuses_what_is_none),
                cmocka_unit_test(test_ledger_stops_where_a_visitor_fails),
                cmocka_unit_test(test_ledger_drops_what_is_not_wanted),
                cmocka_unit_test(test_ledger_survives_any_damage),
                cmocka_unit_test(test_ledger_is_before_or_after),
                cmocka_unit_test(test_ledger_keeps_what_is_shared),
                cmocka_unit_test(test_ledger_keeps_what_becomes_of_a_share),
                cmocka_unit_test(test_ledger_forgets_holders_without_a_buffer),
                cmocka_unit_test(test_ledger_gives_up_shares_that_do_not_check),
                cmocka_unit_test(test_ledger_gives_a_share_to_one_buffer),
                cmocka_unit_test(test_ledger_drops_what_a_visitor_refuses_to_share),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
