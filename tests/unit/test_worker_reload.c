/* SPDX-License-Identifier: MIT */
/*
 * The worker's side of another configuration: what it proposes, and what it goes by afterwards.
 */
#include "worker_reload.h"

#include "keeper_protocol.h"

#include "macros.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#define BEFORE                                                                          \
        "backend = \"sim\"\n"                                                           \
        "sim { extent \"high\" { first = \"4G\" size = \"1G\" page_size = \"2M\" } }\n" \
        "pool \"any\" { page_size = \"2M\" size_min = \"64M\" size_max = \"128M\" }\n"

static const struct options options = { .config_path = "pard.conf", .log_level = -1 };

static int memfd_of(const void *bytes, size_t size)
{
        int fd = memfd_create("test", MFD_CLOEXEC);

        assert_true(fd >= 0);
        assert_int_equal(write(fd, bytes, size), size);
        return fd;
}

static int ledger_of(uint32_t slots)
{
        const struct keeper_ledger ledger = {
                .magic = KEEPER_LEDGER_MAGIC,
                .version = KEEPER_LEDGER_VERSION,
                .slots = slots,
        };

        return memfd_of(&ledger, sizeof(ledger));
}

static int setup(void **state)
{
        struct worker_reload *reload = calloc(1, sizeof(*reload));
        struct config *config;
        char error[1024];
        int ledger = ledger_of(128); /* room for 64 frames, which is what there may be */

        assert_non_null(reload);
        assert_int_equal(config_load(BEFORE, "before", &config, error, sizeof(error)), 0);
        assert_int_equal(worker_reload_init(reload, config, ledger, &options), 0);
        close(ledger);
        *state = reload;
        return 0;
}

static int teardown(void **state)
{
        worker_reload_deinit(*state);
        free(*state);
        return 0;
}

static int propose(struct worker_reload *reload, const char *text, size_t size,
                   struct proposal *proposal, char *error, size_t error_bytes)
{
        int fd = memfd_of(text, size);
        int r = worker_reload_propose(reload, fd, proposal, error, error_bytes);

        close(fd);
        return r;
}

#define POOL(size_min, size_max)                                                               \
        "backend = \"sim\"\n"                                                                  \
        "sim { extent \"high\" { first = \"4G\" size = \"1G\" page_size = \"2M\" } }\n"        \
        "pool \"any\" { page_size = \"2M\" size_min = \"" size_min "\" size_max = \"" size_max \
        "\" }\n"

static const struct {
        const char *name, *text;
        int result;
        const char *says; /* the sentence, or the only change; "": none */
} proposals[] = {
        { "the same", BEFORE, 0, "" },
        { "another size", POOL("32M", "128M"), 0, "pool any: size_min" },
        { "more than there is room for", POOL("64M", "256M"), -EINVAL, "size_max" },
        { "no configuration", "pool {", -EINVAL, "pard.conf:1" },
        { "another pool", BEFORE "pool \"more\" { page_size = \"2M\" size_min = \"2M\" }\n",
          -EINVAL, "more" },
        { "nothing", "", -EINVAL, "pool" },
};

static void test_proposals_are_compared(void **state)
{
        struct worker_reload *reload = *state;
        const struct config *before = reload->config;

        for (size_t i = 0; i < ARRAY_SIZE(proposals); i++) {
                const char *says = proposals[i].says;
                struct proposal proposal = { 0 };
                char error[1024] = "";
                int r = propose(reload, proposals[i].text, strlen(proposals[i].text), &proposal,
                                error, sizeof(error));

                if (r != proposals[i].result)
                        fail_msg("%s: %d %s", proposals[i].name, r, error);
                if (r && !strstr(error, says))
                        fail_msg("%s: %s", proposals[i].name, error);
                if (!r && proposal.n_changed != (says[0] != 0))
                        fail_msg("%s: %zu changes", proposals[i].name, proposal.n_changed);
                if (!r && says[0])
                        assert_string_equal(proposal.changed[0], says);
                assert_ptr_equal(reload->config, before);
        }
}

static void test_text_with_a_nul_is_none(void **state)
{
        struct proposal proposal;
        char error[1024] = "";

        assert_int_equal(propose(*state, BEFORE, sizeof(BEFORE), &proposal, error, sizeof(error)),
                         -EINVAL);
        assert_non_null(strstr(error, "NUL"));
}

static void test_adopted_settings_are_in_force(void **state)
{
        struct worker_reload *reload = *state;
        static const char first[] = POOL("32M", "128M"), second[] = POOL("16M", "64M");
        struct proposal proposal;
        char error[1024];

        /* One that is not adopted leaves nothing. */
        assert_int_equal(propose(reload, second, strlen(second), &proposal, error, sizeof(error)),
                         0);
        assert_int_equal(propose(reload, first, strlen(first), &proposal, error, sizeof(error)), 0);
        assert_int_equal(proposal.settings->pools[0].size_min_bytes, 32 * MiB);
        worker_reload_adopt(reload);
        assert_ptr_equal(&reload->config->state, proposal.settings);
        assert_string_equal(proposal.changed[0], "pool any: size_min");

        /* The next is compared with that. */
        assert_int_equal(propose(reload, first, strlen(first), &proposal, error, sizeof(error)), 0);
        assert_int_equal(proposal.n_changed, 0);
        assert_int_equal(propose(reload, second, strlen(second), &proposal, error, sizeof(error)),
                         0);
        assert_int_equal(proposal.n_changed, 2);
        worker_reload_adopt(reload);
        assert_int_equal(reload->config->state.pools[0].size_max_bytes, 64 * MiB);

        /* There is still room for as many frames as at the start. */
        assert_int_equal(propose(reload, BEFORE, strlen(BEFORE), &proposal, error, sizeof(error)),
                         0);
}

static void test_a_ledger_that_is_none(void **state)
{
        struct worker_reload reload;
        struct config *config;
        char error[1024];
        int fd = memfd_of("short", 5);

        (void)state;
        assert_int_equal(config_load(BEFORE, "before", &config, error, sizeof(error)), 0);
        assert_int_equal(worker_reload_init(&reload, config, fd, &options), -EPROTO);
        worker_reload_deinit(&reload);
        close(fd);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
                TEST(test_proposals_are_compared),
                TEST(test_text_with_a_nul_is_none),
                TEST(test_adopted_settings_are_in_force),
                cmocka_unit_test(test_a_ledger_that_is_none),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
