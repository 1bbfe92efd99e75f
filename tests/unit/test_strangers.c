/* SPDX-License-Identifier: MIT */
/*
 * Who has to make way among those who said no Hello yet.
 */
#include "strangers.h"

#include "macros.h"
#include "session.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#define MOST 64

static const struct {
        const char *name;
        unsigned of[3]; /* strangers of uids 0, 1, 2, which come in turns */
        unsigned gone;  /* how many make way before nobody has to */
        uint32_t first; /* whose the first is, where one has to */
} cases[] = {
        { "nobody", { 0 }, 0, 0 },
        { "one", { 1 }, 0, 0 },
        { "a share", { STRANGERS_SHARE }, 0, 0 },
        { "one more", { STRANGERS_SHARE + 1 }, 1, 0 },
        { "shares of three", { STRANGERS_SHARE, STRANGERS_SHARE, STRANGERS_SHARE }, 0, 0 },
        { "one has more", { 1, STRANGERS_SHARE + 3, STRANGERS_SHARE }, 3, 1 },
        { "two have more", { 20, 3, 40 }, 4 + 24, 2 },
        { "two have as many", { 20, 20, 1 }, 4 + 4, 1 },
};

static void fill(struct strangers *strangers, struct session *sessions, const unsigned of[3])
{
        size_t n = 0;

        for (unsigned turn = 0; turn < MOST; turn++)
                for (uint32_t uid = 0; uid < 3; uid++) {
                        if (turn >= of[uid])
                                continue;
                        sessions[n].number = n;
                        sessions[n].peer.identity.uid = uid;
                        assert_int_equal(strangers_add(strangers, &sessions[n]), 0);
                        n++;
                }
}

static void test_who_has_more_than_a_share_goes(void **state)
{
        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
                struct session *sessions = calloc((size_t)3 * MOST, sizeof(*sessions)), *session;
                uint64_t last[3] = { 0 };
                bool any[3] = { false };
                struct strangers strangers = { 0 };
                unsigned gone = 0;

                assert_non_null(sessions);
                fill(&strangers, sessions, cases[i].of);
                while ((session = strangers_first_to_go(&strangers))) {
                        const uint32_t uid = session->peer.identity.uid;

                        if (!gone++ && uid != cases[i].first)
                                fail_msg("%s: uid %u goes first", cases[i].name, uid);
                        if (any[uid] && session->number <= last[uid])
                                fail_msg("%s: a younger one went before", cases[i].name);
                        any[uid] = true;
                        last[uid] = session->number;
                        strangers_remove(&strangers, session);
                        strangers_remove(&strangers, session); /* it is none any more */
                }
                if (gone != cases[i].gone)
                        fail_msg("%s: %u had to go", cases[i].name, gone);
                for (size_t j = 0; j < (size_t)3 * MOST; j++)
                        strangers_remove(&strangers, &sessions[j]);
                assert_true(RB_EMPTY(&strangers.by_uid) && RB_EMPTY(&strangers.by_count));
                free(sessions);
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_who_has_more_than_a_share_goes),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
