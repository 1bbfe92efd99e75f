/* SPDX-License-Identifier: MIT */
/*
 * Names, tokens and openings of libpar against a daemon in a thread, honest and not.
 */
#include "public.h"

#include "macros.h"
#include "mock_server.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define GROUP 0x80000000u /* as struct mock_asked has it */

static struct mock *mock;
static struct par *par;

static void begin(const struct mock_settings *settings)
{
        mock = mock_start(settings);
        assert_int_equal(par_connect(mock->path, NULL, &par), 0);
}

static void end(void)
{
        par_disconnect(par);
        mock_stop(mock);
}

static bool is_filled(const struct par_buffer *buffer, unsigned char with)
{
        const unsigned char *data = par_buffer_data(buffer);

        return data[0] == with && !memcmp(data, data + 1, par_buffer_size(buffer) - 1);
}

/* ---- opening -------------------------------------------------------------------------------- */

static void test_a_name_is_opened(void **state)
{
        struct par_buffer *buffer = NULL;

        (void)state;
        begin(NULL);
        assert_int_equal(par_open(par, "1001/ring", NULL, &buffer), 0);
        assert_int_equal(par_buffer_size(buffer), MOCK_OPENED_BYTES);
        assert_string_equal(mock_asked(mock).name, "1001/ring");
        assert_int_equal(mock_asked(mock).token_bytes, 0);
        assert_int_equal(par_buffer_segments(buffer, NULL), 2);
        par_free(buffer);
        assert_int_equal(mock_counts(mock).buffers, 0);
        assert_int_equal(mock_counts(mock).still_mapped, 0);
        end();
}

/* Even where pard says that somebody had it before: that is what it is opened for. */
static void test_what_is_opened_is_not_touched(void **state)
{
        const struct mock_settings keeping = { .keep = true };
        struct par_buffer *buffer;

        (void)state;
        begin(&keeping);
        assert_int_equal(par_alloc(par, MOCK_OPENED_BYTES, NULL, NULL, &buffer), 0);
        memset(par_buffer_data(buffer), 0x5a, par_buffer_size(buffer));
        par_free(buffer);
        assert_int_equal(par_open(par, "ring", NULL, &buffer), 0);
        assert_true(is_filled(buffer, 0x5a));
        par_free(buffer);
        assert_int_equal(par_alloc(par, MOCK_OPENED_BYTES, NULL, NULL, &buffer), 0);
        assert_true(is_filled(buffer, 0));
        end();
}

static void test_a_dmabuf_is_opened(void **state)
{
        const struct mock_settings settings = { .handout_dmabuf = true };
        struct par_buffer *buffer;

        (void)state;
        begin(&settings);
        assert_int_equal(par_open(par, "ring", NULL, &buffer), 0);
        assert_int_equal(par_buffer_size(buffer), MOCK_OPENED_BYTES);
        memset(par_buffer_data(buffer), 1, par_buffer_size(buffer));
        assert_int_equal(mock_counts(mock).shown, 0);
        end();
}

static void test_a_token_is_passed_on(void **state)
{
        struct par_buffer *buffer, *opened;
        struct par_token token;
        struct mock_asked asked;

        (void)state;
        begin(NULL);
        assert_int_equal(par_open(par, "ring", NULL, &buffer), 0);
        assert_int_equal(par_buffer_share(buffer, &token), 0);
        assert_int_equal(mock_asked(mock).buffer, par_buffer_id(buffer));
        assert_false(mock_asked(mock).end);
        for (size_t i = 0; i < sizeof(token.bytes); i++)
                assert_int_equal(token.bytes[i], i + 1);
        assert_int_equal(par_open_shared(par, &token, NULL, &opened), 0);
        asked = mock_asked(mock);
        assert_string_equal(asked.name, "");
        assert_int_equal(asked.token_bytes, sizeof(token.bytes));
        assert_memory_equal(asked.token, token.bytes, sizeof(token.bytes));
        assert_int_equal(par_buffer_unshare(buffer), 0);
        assert_true(mock_asked(mock).end);
        end();
}

static void test_a_name_is_removed(void **state)
{
        (void)state;
        begin(NULL);
        assert_int_equal(par_remove(par, "ring"), 0);
        assert_int_equal(mock_asked(mock).body, WIRE__REQUEST__BODY_REMOVE);
        assert_string_equal(mock_asked(mock).name, "ring");
        assert_int_equal(par_remove(par, "gone"), -PAR_GONE);
        assert_string_equal(par_error(par), "it is not there");
        end();
}

/* ---- what is asked for ---------------------------------------------------------------------- */

static const struct {
        const char *allow;
        size_t count;
        uint32_t ids[8];
} allowed[] = {
        { "uid:1001", 1, { 1001 } },
        { "gid:44", 1, { GROUP | 44 } },
        { "user:root", 1, { 0 } },
        { "group:root", 1, { GROUP } },
        { "user:7,group:8", 2, { 7, GROUP | 8 } },
        { "uid:1,uid:2,uid:3,uid:4,gid:5,gid:6,gid:7,gid:8",
          8,
          { 1, 2, 3, 4, GROUP | 5, GROUP | 6, GROUP | 7, GROUP | 8 } },
};

static void test_those_who_are_allowed(void **state)
{
        (void)state;
        begin(NULL);
        for (size_t i = 0; i < ARRAY_SIZE(allowed); i++) {
                const struct par_alloc_options options = { .name = "ring",
                                                           .flags = PAR_ALLOC_LASTING,
                                                           .allow = allowed[i].allow };
                struct par_buffer *buffer;
                struct mock_asked asked;

                assert_int_equal(par_alloc(par, 4096, NULL, &options, &buffer), 0);
                asked = mock_asked(mock);
                assert_string_equal(asked.name, "ring");
                assert_true(asked.lasting && !asked.shared);
                if (asked.n_allow != allowed[i].count ||
                    memcmp(asked.allow, allowed[i].ids, sizeof(asked.allow)) != 0)
                        fail_msg("%s", allowed[i].allow);
                par_free(buffer);
        }
        end();
}

static const char long_entry[] =
        "user:0123456789012345678901234567890123456789012345678901234567890123456789"
        "012345678901234567890123456789012345678901234567890123456789";

static const char *const nonsense[] = {
        "",
        "root",
        "user:",
        "user:there-is-no-such-user",
        "group:there-is-no-such-group",
        "uid:root",
        "uid:4294967295",
        "uid:-1",
        "uid:1,",
        ",uid:1",
        "uid:1 ",
        "uid:1,uid:1,uid:1,uid:1,uid:1,uid:1,uid:1,uid:1,uid:1",
        long_entry,
};

static void test_nobody_knows_whom(void **state)
{
        (void)state;
        begin(NULL);
        for (size_t i = 0; i < ARRAY_SIZE(nonsense); i++) {
                const struct par_alloc_options options = { .allow = nonsense[i] };
                struct par_buffer *buffer;

                if (par_alloc(par, 4096, NULL, &options, &buffer) != -EINVAL || buffer ||
                    !strstr(par_error(par), "allow"))
                        fail_msg("%s: %s", nonsense[i], par_error(par));
        }
        assert_int_equal(mock_counts(mock).requests, 1); /* Hello */
        end();
}

static void test_what_makes_no_sense(void **state)
{
        const struct par_open_options unknown = { .flags = PAR_ALLOC_LASTING },
                                      reserved = { .reserved = { 0, 0, 0, 0, 0, 0, 1 } },
                                      flags = { .reserved_flags = 1 };
        const struct par_token token = { { 1 } };
        struct par_buffer *buffer;
        struct par_token ret;

        (void)state;
        begin(NULL);
        assert_int_equal(par_open(NULL, "ring", NULL, &buffer), -EINVAL);
        assert_int_equal(par_open(par, NULL, NULL, &buffer), -EINVAL);
        assert_int_equal(par_open(par, "ring", NULL, NULL), -EINVAL);
        assert_int_equal(par_open(par, "ring", &unknown, &buffer), -EINVAL);
        assert_int_equal(par_open(par, "ring", &reserved, &buffer), -EINVAL);
        assert_int_equal(par_open(par, "ring", &flags, &buffer), -EINVAL);
        assert_int_equal(par_open_shared(par, NULL, NULL, &buffer), -EINVAL);
        assert_int_equal(par_open_shared(par, &token, NULL, NULL), -EINVAL);
        assert_int_equal(par_buffer_share(NULL, &ret), -EINVAL);
        assert_int_equal(par_buffer_unshare(NULL), -EINVAL);
        assert_int_equal(par_remove(par, NULL), -EINVAL);
        assert_null(buffer);
        assert_int_equal(mock_counts(mock).requests, 1); /* Hello */
        assert_int_equal(par_open(par, "gone", NULL, &buffer), -PAR_GONE);
        assert_string_equal(par_error(par), "it is not there");
        assert_null(buffer);
        assert_int_equal(par_open(par, "ring", NULL, &buffer), 0);
        assert_int_equal(par_buffer_share(buffer, NULL), -EINVAL);
        end();
}

static void test_a_child_has_nothing(void **state)
{
        struct par_buffer *buffer;
        int status;
        pid_t pid;

        (void)state;
        begin(NULL);
        assert_int_equal(par_open(par, "ring", NULL, &buffer), 0);
        (void)mock_counts(mock); /* it is done with the last request: the child has a copy */
        pid = fork();
        assert_true(pid >= 0);
        if (!pid) {
                struct par_buffer *other;
                struct par_token token;

                if (par_open(par, "ring", NULL, &other) != -ECHILD ||
                    par_remove(par, "ring") != -ECHILD ||
                    par_buffer_share(buffer, &token) != -ECHILD)
                        _exit(1);
                _exit(0);
        }
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_int_equal(status, 0);
        end();
}

/* ---- lies ----------------------------------------------------------------------------------- */

static Wire__Reply *share_of(const struct mock_reply *reply)
{
        return reply->packet->reply->body_case == WIRE__REPLY__BODY_SHARE ? reply->packet->reply
                                                                          : NULL;
}

static void lie_short(struct mock *of, struct mock_reply *reply)
{
        (void)of;
        if (share_of(reply))
                share_of(reply)->share->token.len--;
}

static void lie_none(struct mock *of, struct mock_reply *reply)
{
        (void)of;
        if (share_of(reply))
                share_of(reply)->share->token.len = 0;
}

static void lie_other(struct mock *of, struct mock_reply *reply)
{
        (void)of;
        if (share_of(reply))
                reply->packet->reply->body_case = WIRE__REPLY__BODY__NOT_SET;
}

static const struct {
        const char *name;
        void (*spoil)(struct mock *mock, struct mock_reply *reply);
} lies[] = {
        { "a token that is too short", lie_short },
        { "no token", lie_none },
        { "another answer", lie_other },
};

static void test_lies_are_not_believed(void **state)
{
        static const struct par_token zero;

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(lies); i++) {
                const struct mock_settings settings = { .spoil = lies[i].spoil };
                struct par_token token = { { 7 } };
                struct par_buffer *buffer;

                begin(&settings);
                assert_int_equal(par_open(par, "ring", NULL, &buffer), 0);
                if (par_buffer_share(buffer, &token) != -EPROTO)
                        fail_msg("%s: it was believed", lies[i].name);
                assert_memory_equal(&token, &zero, sizeof(token));
                assert_int_equal(par_remove(par, "ring"), -PAR_GONE); /* the session is over */
                end();
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_a_name_is_opened),
                cmocka_unit_test(test_what_is_opened_is_not_touched),
                cmocka_unit_test(test_a_dmabuf_is_opened),
                cmocka_unit_test(test_a_token_is_passed_on),
                cmocka_unit_test(test_a_name_is_removed),
                cmocka_unit_test(test_those_who_are_allowed),
                cmocka_unit_test(test_nobody_knows_whom),
                cmocka_unit_test(test_what_makes_no_sense),
                cmocka_unit_test(test_a_child_has_nothing),
                cmocka_unit_test(test_lies_are_not_believed),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
