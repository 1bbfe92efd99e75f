/* SPDX-License-Identifier: MIT */
/*
 * A ledger of the version before this one is turned into one of this version: all that it said is
 * said again, what did not check does not check, and whoever dies meanwhile has changed nothing.
 */
#include "former_ledger.h"
#include "ledger_former.h"

#include "macros.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define SLOTS      64
#define HALF_BYTES (256 * KiB)
#define PLACES_MAX 40

/* What this version wrote, what the former one wrote of the same, and what became of that. */
static unsigned char *now, *former, *made;
static struct ledger *ledger;

/* ---- what a reader sees, in words ----------------------------------------------------------- */

struct transcript {
        char text[64 * KiB];
        size_t length;
        struct ledger_found found;
};

static void say(struct transcript *to, const char *format, ...)
        __attribute__((format(printf, 2, 3)));

static void say(struct transcript *to, const char *format, ...)
{
        va_list arguments;
        int n;

        va_start(arguments, format);
        n = vsnprintf(to->text + to->length, sizeof(to->text) - to->length, format, arguments);
        va_end(arguments);
        assert_true(n >= 0 && (size_t)n < sizeof(to->text) - to->length);
        to->length += (size_t)n;
}

#define LLU(value) ((unsigned long long)(value))

static int see_session(void *data, uint32_t record, const struct ledger_session *session,
                       uint64_t ended_ns)
{
        say(data, "session %u: %llx %llu %llu %u %u %u '%s' ended %llu, %zu groups\n", record,
            LLU(session->token), LLU(session->id), LLU(session->since_ns), session->uid,
            session->gid, session->pid, session->name, LLU(ended_ns), session->n_groups);
        return 0;
}

static void see_share(struct transcript *to, const struct ledger_share *share)
{
        say(to, " '%s'%s%s%s ended %llu", share->name, share->lasting ? " lasting" : "",
            share->removed ? " removed" : "", share->left ? " left" : "", LLU(share->ended_ns));
        if (share->left)
                say(to, " by %u %u '%s'", share->left_uid, share->left_pid, share->left_name);
        if (share->token)
                say(to, " token %llx %llx", LLU(share->token[0]), LLU(share->token[1]));
        for (size_t i = 0; i < share->n_rights; i++)
                say(to, " %u:%u", share->rights[i].is_group, share->rights[i].id);
        say(to, "\n");
}

static int see_buffer(void *data, uint32_t record, const struct ledger_buffer *buffer,
                      uint64_t revoked_ns)
{
        const struct constraint *limits = buffer->limits;

        say(data, "buffer %u: %u %u %u %llu %llu %llx %llx '%s' revoked %llu exports %u%s%s\n",
            record, buffer->session, buffer->seq, buffer->pool, LLU(buffer->id),
            LLU(buffer->since_ns), LLU(buffer->dma_offset), LLU(buffer->needs_below), buffer->label,
            LLU(revoked_ns), buffer->exports, buffer->unwatched ? " unwatched" : "",
            buffer->shared ? " shared" : "");
        if (buffer->shared)
                see_share(data, buffer->shared);
        say(data, " limits %llx-%llx %llu %llu %llu %llu %u\n", LLU(limits->window.first),
            LLU(limits->window.last), LLU(limits->size_bytes), LLU(limits->align_bytes),
            LLU(limits->boundary_bytes), LLU(limits->max_segment_bytes), limits->max_segments);
        for (uint32_t i = 0; i < buffer->n_devices; i++)
                say(data, " device %x\n", buffer->devices[i]);
        for (size_t i = 0; i < buffer->n_places; i++)
                say(data, " at %llx-%llx\n", LLU(buffer->places[i].first),
                    LLU(buffer->places[i].last));
        return 0;
}

static int see_between(void *data)
{
        say(data, "between\n");
        return 0;
}

static int see_holder(void *data, uint32_t record, uint32_t session, uint64_t buffer, uint32_t seq)
{
        say(data, "holder %u: %u %llu %u\n", record, session, LLU(buffer), seq);
        return 0;
}

/* Read it as the next worker does. */
static void transcribe(void *memory, struct transcript *ret)
{
        static const struct ledger_visitor visitor = { see_session, see_buffer, see_between,
                                                       see_holder };
        struct ledger *read;
        uint32_t session, uid;

        ret->length = 0;
        assert_int_equal(ledger_open(memory, HALF_BYTES, SLOTS, &read), 0);
        assert_int_equal(ledger_read(read, &visitor, ret, &ret->found), 0);
        for (uint32_t slot = 0; slot < SLOTS; slot++)
                for (uint32_t generation = 1; generation < 4; generation++)
                        if (ledger_frame_charged(read, slot, generation, &session, &uid))
                                say(ret, "frame %u.%u: %u %u%s%s\n", slot, generation, session, uid,
                                    ledger_frame_exported(read, slot) ? " exported" : "",
                                    ledger_frame_closed(read, slot) ? " closed" : "");
                        else if (ledger_frame_aside(read, slot, generation))
                                say(ret, "frame %u.%u: aside\n", slot, generation);
        say(ret, "last %llu %llu\n", LLU(ledger_last_owner(read)), LLU(ledger_last_buffer(read)));
        ledger_free(read);
}

/* ---- what is written ------------------------------------------------------------------------ */

static uint32_t add_session(uint64_t id, const char *name)
{
        const struct ledger_session session = {
                .token = id * UINT64_C(0x123456789),
                .id = id,
                .since_ns = id + 5,
                .uid = 1000 + (uint32_t)id,
                .gid = 2000,
                .pid = 77,
                .name = name,
        };
        uint32_t record;

        assert_int_equal(ledger_add_session(ledger, &session, &record), 0);
        return record;
}

/* @share: its record; LEDGER_NONE: it is not shared. */
static uint32_t add_buffer_of(uint32_t session, uint64_t id, size_t n_places, uint32_t share)
{
        static const struct constraint limits = {
                .window = { MiB, GiB - 1 },
                .size_bytes = 160 * KiB,
                .align_bytes = 4 * KiB,
                .boundary_bytes = MiB,
                .max_segment_bytes = 8 * KiB,
                .max_segments = SEGMENTS_ANY,
        };
        struct range places[PLACES_MAX];
        struct ledger_buffer buffer = {
                .session = session,
                .seq = (uint32_t)id + 3,
                .pool = 1,
                .id = id,
                .since_ns = id + 9,
                .dma_offset = 0x1000,
                .needs_below = UINT64_C(1) << 32,
                .limits = &limits,
                .label = "a label",
                .places = places,
                .n_places = n_places,
                .devices = { 0x100, 0x208 },
                .n_devices = (uint32_t)(id % 3),
                .unwatched = id % 2,
                .share = share,
        };
        uint32_t record;

        for (size_t i = 0; i < n_places; i++)
                places[i] = range_of(id * MiB + i * 8 * KiB, 4 * KiB);
        assert_int_equal(ledger_hold_buffer(ledger, n_places, &record), 0);
        ledger_commit_buffer(ledger, record, &buffer);
        return record;
}

static uint32_t add_buffer(uint32_t session, uint64_t id, size_t n_places)
{
        return add_buffer_of(session, id, n_places, LEDGER_NONE);
}

static uint32_t add_share(const char *name, bool lasting)
{
        static const struct ledger_right rights[] = { { 0, 1001 }, { 1, 500 }, { 1, UINT32_MAX } };
        const struct ledger_share share = { .name = name,
                                            .lasting = lasting,
                                            .rights = rights,
                                            .n_rights = lasting ? ARRAY_SIZE(rights) : 0 };
        uint32_t record;

        assert_int_equal(ledger_add_share(ledger, &share, &record), 0);
        return record;
}

static void add_holder(uint32_t session, uint32_t buffer, uint32_t seq)
{
        uint32_t record;

        assert_int_equal(ledger_add_holder(ledger, session, buffer, seq, &record), 0);
}

static void write_nothing(void)
{
}

static void write_sessions(void)
{
        add_session(1, "goes on");
        ledger_end_session(ledger, add_session(2, ""), 1234);
        add_session(7, "sixty-three characters sixty-three characters sixty-three chars");
}

static void write_buffers(void)
{
        static const size_t counts[] = { 1, 2, 3, 9, 10, 16, 17, PLACES_MAX };
        const uint32_t session = add_session(1, "owner"), ended = add_session(2, "ended");

        for (size_t i = 0; i < ARRAY_SIZE(counts); i++) {
                add_buffer(session, 2 * i + 1, counts[i]);
                ledger_revoke_buffer(ledger, add_buffer(ended, 2 * i + 2, counts[i]), 99 + i);
        }
        ledger_end_session(ledger, ended, 42);
        ledger_drop_session(ledger, ended);
}

static void write_exports(void)
{
        const uint32_t session = add_session(1, "exporter");

        ledger_export_buffer(ledger, add_buffer(session, 1, 1), 3);
        ledger_export_buffer(ledger, add_buffer(session, 2, 12), 1);
}

static void write_frames(void)
{
        const uint32_t session = add_session(1, "payer");

        ledger_charge_frame(ledger, 0, 1, session, 1001);
        ledger_charge_frame(ledger, 1, 3, LEDGER_NONE, 1002);
        ledger_charge_frame(ledger, SLOTS - 1, 2, session, 0);
        ledger_export_frame(ledger, 1);
        ledger_close_frame(ledger, 0);
        ledger_put_aside(ledger, 7, 2);
}

static void write_shares(void)
{
        static const uint64_t token[2] = { UINT64_C(0xfedcba9876543210), 17 };
        const uint32_t first = add_session(1, "first"), second = add_session(2, "second");
        const uint32_t ring = add_share("ring", true), removed = add_share("old", true);
        const uint32_t left = add_share("", false), plain = add_share("plain", false);
        uint32_t buffers[4];

        buffers[0] = add_buffer_of(first, 1, 1, ring);
        buffers[1] = add_buffer_of(second, 2, 3, removed);
        buffers[2] = add_buffer_of(second, 3, 12, left);
        buffers[3] = add_buffer_of(first, 4, 1, plain);
        for (uint32_t i = 0; i < ARRAY_SIZE(buffers); i++)
                add_holder(i % 2 ? first : second, buffers[i], 10 + i);
        add_holder(first, buffers[0], 20);
        ledger_set_token(ledger, ring, token);
        ledger_remove_share(ledger, removed);
        ledger_leave_share(ledger, left, 1002, 77, "second");
        ledger_end_share(ledger, plain, 4321);
}

/* Records that were used and are not, between others. */
static void write_gaps(void)
{
        uint32_t sessions[6], buffers[12];

        for (uint32_t i = 0; i < ARRAY_SIZE(sessions); i++)
                sessions[i] = add_session(i + 1, "one of many");
        for (uint32_t i = 0; i < ARRAY_SIZE(buffers); i++)
                buffers[i] = add_buffer(sessions[i % 5], i + 1, 1 + i * 3);
        for (uint32_t i = 0; i < ARRAY_SIZE(buffers); i += 3)
                ledger_drop_buffer(ledger, buffers[i]);
        ledger_drop_session(ledger, sessions[5]);
}

static void write_all(void)
{
        write_buffers();
        write_exports();
        write_frames();
        write_shares();
        write_gaps();
}

static const struct {
        const char *name;
        void (*write)(void);
} contents[] = {
        { "nothing", write_nothing },
        { "sessions, one has ended", write_sessions },
        { "buffers, granted and revoked", write_buffers },
        { "exports", write_exports },
        { "frames", write_frames },
        { "shared buffers", write_shares },
        { "gaps", write_gaps },
        { "all of it", write_all },
};

/* @now has what @write writes, @former the same of the former version, @made nothing. */
static void start_with(void (*write)(void))
{
        memset(now, 0, HALF_BYTES);
        memset(former, 0, HALF_BYTES);
        memset(made, 0, HALF_BYTES);
        assert_int_equal(ledger_open(now, HALF_BYTES, SLOTS, &ledger), 0);
        write();
        former_ledger_write(ledger, former);
        ledger_free(ledger);
}

static int in_force(uint32_t *ret_version)
{
        return ledger_half_in_force((const void *const[]){ made, former }, HALF_BYTES, SLOTS,
                                    ret_version);
}

static void assert_in_force(int half, uint32_t version)
{
        uint32_t found;

        assert_int_equal(in_force(&found), half);
        assert_int_equal(found, version);
}

static void *new_half(void)
{
        void *half =
                mmap(NULL, HALF_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

        assert_true(half != MAP_FAILED);
        return half;
}

static int map_all(void **state)
{
        (void)state;
        now = new_half();
        former = new_half();
        made = new_half();
        return 0;
}

static int unmap_all(void **state)
{
        (void)state;
        munmap(now, HALF_BYTES);
        munmap(former, HALF_BYTES);
        munmap(made, HALF_BYTES);
        return 0;
}

/* ---- tests ---------------------------------------------------------------------------------- */

static void test_former_says_the_same(void **state)
{
        static struct transcript expected, got;
        size_t failed = 0;

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(contents); i++) {
                start_with(contents[i].write);
                assert_in_force(1, LEDGER_FORMER_VERSION);
                ledger_convert(former, HALF_BYTES, SLOTS, made);
                assert_in_force(0, LEDGER_VERSION);
                transcribe(now, &expected);
                transcribe(made, &got);
                if (strcmp(got.text, expected.text) != 0 || got.found.faults) {
                        print_error("%s: %s\ninstead of %s\n", contents[i].name, got.text,
                                    expected.text);
                        failed++;
                }
        }
        assert_int_equal(failed, 0);
}

/* New records find places of their own, and numbers are not given twice. */
static void test_former_goes_on(void **state)
{
        static struct transcript got;
        uint32_t session;

        (void)state;
        start_with(write_all);
        ledger_convert(former, HALF_BYTES, SLOTS, made);
        transcribe(made, &got);
        assert_int_equal(ledger_open(made, HALF_BYTES, SLOTS, &ledger), 0);
        assert_int_equal(ledger_last_owner(ledger), 6);
        session = add_session(100, "new");
        add_buffer(session, 200, PLACES_MAX);
        ledger_free(ledger);
        transcribe(made, &got);
        assert_int_equal(got.found.faults + got.found.refused, 0);
        assert_non_null(strstr(got.text, "'new'"));
        assert_non_null(strstr(got.text, "last 100 200"));
}

static void damage_session(struct former_ledger at)
{
        at.sessions[0].uid++;
}

static void damage_session_name(struct former_ledger at)
{
        memset(at.sessions[0].name, 'x', sizeof(at.sessions[0].name));
}

static void damage_session_sum(struct former_ledger at)
{
        at.sessions[0].sum ^= 1;
}

static void damage_session_word(struct former_ledger at)
{
        at.sessions[0].begin.word = 2;
}

static void damage_buffer(struct former_ledger at)
{
        at.buffers[0].places[0].first += 4 * KiB;
}

static void damage_buffer_session(struct former_ledger at)
{
        at.buffers[0].session = 1 << 20;
}

static void damage_buffer_count(struct former_ledger at)
{
        at.buffers[0].n_places++;
}

static void damage_buffer_extent(struct former_ledger at)
{
        at.buffers[0].extent = 1 << 30;
}

static void damage_session_filler(struct former_ledger at)
{
        at.sessions[0].filler = 1;
}

static void damage_buffer_share(struct former_ledger at)
{
        at.buffers[0].share = 0;
}

static void damage_buffer_word(struct former_ledger at)
{
        at.buffers[0].begin.word = 77;
}

static void damage_extent(struct former_ledger at)
{
        at.extents[at.buffers[0].extent].places[0].last++;
}

static void damage_extent_word(struct former_ledger at)
{
        at.extents[at.buffers[0].extent].begin.word = 0;
}

/* Each change, and how many records are given up for it: a session takes its buffers along. */
static const struct {
        const char *name;
        void (*damage)(struct former_ledger at);
        unsigned sessions, buffers, faults;
} damages[] = {
        { "a session's uid", damage_session, 1, 1, 2 },
        { "a session's name", damage_session_name, 1, 1, 2 },
        { "a session's filler", damage_session_filler, 1, 1, 2 },
        { "a session's sum", damage_session_sum, 1, 1, 2 },
        { "a session's word", damage_session_word, 1, 1, 2 },
        { "a place", damage_buffer, 2, 1, 1 },
        { "a buffer's session", damage_buffer_session, 2, 1, 1 },
        { "a buffer's number of places", damage_buffer_count, 2, 1, 1 },
        { "a buffer's extent", damage_buffer_extent, 2, 1, 1 },
        { "a buffer's share", damage_buffer_share, 2, 1, 1 },
        { "a buffer's word", damage_buffer_word, 2, 1, 1 },
        { "an extent's place", damage_extent, 2, 1, 1 },
        { "an extent's word", damage_extent_word, 2, 1, 1 },
};

static void write_two_of_each(void)
{
        const uint32_t first = add_session(1, "first"), second = add_session(2, "second");

        add_buffer(first, 1, 12);
        add_buffer(second, 2, 12);
}

static void test_former_damage_is_not_believed(void **state)
{
        static struct transcript got;
        size_t failed = 0;

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(damages); i++) {
                start_with(write_two_of_each);
                damages[i].damage(former_ledger_at(former));
                ledger_convert(former, HALF_BYTES, SLOTS, made);
                transcribe(made, &got);
                if (got.found.sessions != damages[i].sessions ||
                    got.found.buffers != damages[i].buffers ||
                    got.found.faults != damages[i].faults || !strstr(got.text, "'second'") ||
                    !strstr(got.text, "buffer 1:") || strstr(got.text, "buffer 0:")) {
                        print_error("%s: %llu faults, %s\n", damages[i].name, LLU(got.found.faults),
                                    got.text);
                        failed++;
                }
        }
        assert_int_equal(failed, 0);
}

static void test_former_frame_damage_is_not_believed(void **state)
{
        static struct transcript got;

        (void)state;
        start_with(write_frames);
        former_ledger_at(former).frames[0].uid++;
        ledger_convert(former, HALF_BYTES, SLOTS, made);
        transcribe(made, &got);
        assert_null(strstr(got.text, "frame 0.1"));
        assert_non_null(strstr(got.text, "frame 1.3"));
}

static void change_magic(struct former_ledger at)
{
        at.head->magic++;
}

static void change_to_version_0(struct former_ledger at)
{
        at.head->version = LEDGER_FORMER_VERSION - 1;
}

static void change_to_next_version(struct former_ledger at)
{
        at.head->version = LEDGER_VERSION + 1;
}

/* Its rooms are not divided as this version divides. */
static void change_to_this_version(struct former_ledger at)
{
        at.head->version = LEDGER_VERSION;
}

static void change_slots(struct former_ledger at)
{
        at.head->slots++;
}

static void change_rooms(struct former_ledger at)
{
        at.head->rooms[FORMER_EXTENTS]++;
}

static void change_used(struct former_ledger at)
{
        at.head->used[FORMER_SESSIONS] = at.head->rooms[FORMER_SESSIONS] + 1;
}

static void change_last_owner(struct former_ledger at)
{
        at.head->last_owner = UINT64_MAX;
}

static void change_last_buffer(struct former_ledger at)
{
        at.head->last_buffer = LEDGER_NUMBER_MAX + 1;
}

/* This version has less room for sessions. */
static void change_to_full(struct former_ledger at)
{
        at.head->used[FORMER_SESSIONS] = at.head->rooms[FORMER_SESSIONS];
}

/* Two of the same version: who knows which one is the later. */
static void change_to_twice(struct former_ledger at)
{
        memcpy(made, at.head, HALF_BYTES);
}

static void test_former_refuses_what_is_none(void **state)
{
        static const struct {
                const char *name;
                void (*change)(struct former_ledger at);
        } cases[] = {
                { "no ledger", change_magic },
                { "version 0", change_to_version_0 },
                { "a later version", change_to_next_version },
                { "this version", change_to_this_version },
                { "other slots", change_slots },
                { "other rooms", change_rooms },
                { "more than there is room for", change_used },
                { "a session's number that none ever had", change_last_owner },
                { "a buffer's number that none ever had", change_last_buffer },
                { "more than there is room for now", change_to_full },
                { "twice", change_to_twice },
        };
        uint32_t version;
        size_t failed = 0;

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
                start_with(write_all);
                cases[i].change(former_ledger_at(former));
                if (in_force(&version) != -EPROTO) {
                        print_error("%s: it is understood\n", cases[i].name);
                        failed++;
                }
        }
        assert_int_equal(failed, 0);
}

/* ---- dying in the middle -------------------------------------------------------------------- */

static sigjmp_buf died;

static void die_here(int signal)
{
        (void)signal;
        siglongjmp(died, 1);
}

/* Convert, and die at the first store into a page of @made. Return: whether there was one. */
static bool dies_at(size_t page, size_t page_bytes)
{
        const struct sigaction action = { .sa_handler = die_here };
        struct sigaction before;
        bool dead;

        assert_int_equal(mprotect(made + page * page_bytes, page_bytes, PROT_READ), 0);
        assert_int_equal(sigaction(SIGSEGV, &action, &before), 0);
        dead = sigsetjmp(died, 1);
        if (!dead)
                ledger_convert(former, HALF_BYTES, SLOTS, made);
        assert_int_equal(sigaction(SIGSEGV, &before, NULL), 0);
        assert_int_equal(mprotect(made, HALF_BYTES, PROT_READ | PROT_WRITE), 0);
        return dead;
}

static void test_former_is_tried_again(void **state)
{
        static struct transcript expected, got;
        const size_t page_bytes = (size_t)sysconf(_SC_PAGESIZE);
        size_t deaths = 0;

        (void)state;
        for (size_t page = 0; page < HALF_BYTES / page_bytes; page++) {
                start_with(write_all);
                if (!dies_at(page, page_bytes))
                        continue;
                deaths++;
                assert_in_force(1, LEDGER_FORMER_VERSION);
                memset(made, 0, HALF_BYTES); /* as records_open() does */
                ledger_convert(former, HALF_BYTES, SLOTS, made);
                assert_in_force(0, LEDGER_VERSION);
                transcribe(now, &expected);
                transcribe(made, &got);
                assert_string_equal(got.text, expected.text);
                assert_int_equal(got.found.faults, 0);
        }
        assert_true(deaths > 4);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_former_says_the_same),
                cmocka_unit_test(test_former_goes_on),
                cmocka_unit_test(test_former_damage_is_not_believed),
                cmocka_unit_test(test_former_frame_damage_is_not_believed),
                cmocka_unit_test(test_former_refuses_what_is_none),
                cmocka_unit_test(test_former_is_tried_again),
        };

        return cmocka_run_group_tests(tests, map_all, unmap_all);
}
