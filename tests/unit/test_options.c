/* SPDX-License-Identifier: MIT */
/*
 * The daemon's command line: what is read from it, and what is said of mistakes.
 */
#include "options.h"

#include "macros.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <syslog.h>
#include <unistd.h>

#include <cmocka.h>

#define WORDS_MAX 6

/* @words: behind the program's name, up to a NULL. */
static int parse(const char *const *words, struct options *ret)
{
        char *argv[WORDS_MAX + 2] = { (char *)(uintptr_t) "pard" };
        int argc = 1;

        for (; words[argc - 1]; argc++)
                argv[argc] = (char *)(uintptr_t)words[argc - 1];
        optind = 0; /* from the start, and anew */
        return options_parse(argc, argv, ret);
}

static const struct {
        const char *name;
        const char *words[WORDS_MAX];
        struct options want; /* without a config_path: the default one */
} good_cases[] = {
        { "nothing", { 0 }, { .log_level = -1, .takeover_fd = -1 } },
        { "a configuration and a socket",
          { "--config", "/a/b", "--socket=/c" },
          { .config_path = "/a/b", .socket_path = "/c", .log_level = -1, .takeover_fd = -1 } },
        { "the gravest level",
          { "--log-level", "error" },
          { .log_level = LOG_ERR, .log_level_name = "error", .takeover_fd = -1 } },
        { "the least grave one, the last one given",
          { "--log-level=error", "--log-level=debug" },
          { .log_level = LOG_DEBUG, .log_level_name = "debug", .takeover_fd = -1 } },
        { "a check, with parking",
          { "--park", "--check-config" },
          { .action = ACTION_CHECK_CONFIG, .parks = true, .log_level = -1, .takeover_fd = -1 } },
        { "a worker",
          { "--worker" },
          { .action = ACTION_WORK, .log_level = -1, .takeover_fd = -1 } },
        { "a keeper that goes on",
          { "--takeover", "17" },
          { .action = ACTION_SERVE, .log_level = -1, .takeover_fd = 17 } },
        { "one that only tries",
          { "--try-takeover=0" },
          { .action = ACTION_TRY_TAKEOVER, .log_level = -1, .takeover_fd = 0 } },
        { "whatever follows --version",
          { "--version", "--colour" },
          { .action = ACTION_VERSION, .log_level = -1, .takeover_fd = -1 } },
        { "whatever follows --help",
          { "--help", "now" },
          { .action = ACTION_HELP, .log_level = -1, .takeover_fd = -1 } },
};

static void same_text(const char *have, const char *want)
{
        assert_int_equal(!have, !want);
        if (want)
                assert_string_equal(have, want);
}

static void test_options_are_read(void **state)
{
        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(good_cases); i++) {
                const struct options *want = &good_cases[i].want;
                struct options have;

                print_message("%s\n", good_cases[i].name);
                assert_int_equal(parse(good_cases[i].words, &have), 0);
                assert_int_equal(have.action, want->action);
                same_text(have.config_path,
                          want->config_path ? want->config_path : PARD_CONFIG_PATH);
                same_text(have.socket_path, want->socket_path);
                same_text(have.log_level_name, want->log_level_name);
                assert_int_equal(have.log_level, want->log_level);
                assert_int_equal(have.parks, want->parks);
                assert_int_equal(have.takeover_fd, want->takeover_fd);
        }
}

static const struct {
        const char *name;
        const char *words[WORDS_MAX];
        const char *says;
} bad_cases[] = {
        { "an unknown option", { "--colour" }, "unrecognized option '--colour'\nTry: pard --help" },
        { "an option without its value", { "--socket" }, "requires an argument\nTry: pard --help" },
        { "a value too much", { "--park=yes" }, "doesn't allow an argument\nTry: pard --help" },
        { "an argument", { "now" }, "pard: \"now\": no arguments are expected\nTry: pard --help" },
        { "an argument behind an option",
          { "--park", "now", "and then" },
          "pard: \"now\": no arguments are expected" },
        { "an unknown level",
          { "--log-level", "loud" },
          "pard: --log-level: \"loud\" is none of error, warning, notice, info, debug\n" },
        { "a level in capitals", { "--log-level=INFO" }, "\"INFO\" is none of" },
        { "no number", { "--takeover", "x" }, "pard: \"x\" is no descriptor\n" },
        { "no number at all", { "--takeover", "" }, "pard: \"\" is no descriptor\n" },
        { "a number and more", { "--takeover", "3x" }, "pard: \"3x\" is no descriptor\n" },
        { "a negative number", { "--try-takeover", "-1" }, "pard: \"-1\" is no descriptor\n" },
        { "a number that is no int",
          { "--try-takeover", "2147483648" },
          "pard: \"2147483648\" is no descriptor\n" },
};

/* What goes to @stream (@fd) while @run runs; static. */
static const char *said(FILE *stream, int fd, void (*run)(const void *data), const void *data)
{
        static char text[8192];
        int file = memfd_create("said", MFD_CLOEXEC), saved;
        ssize_t n;

        fflush(stream);
        saved = fcntl(fd, F_DUPFD_CLOEXEC, 3);
        assert_true(file >= 0 && saved >= 0);
        assert_int_equal(dup2(file, fd), fd);
        run(data);
        fflush(stream);
        assert_int_equal(dup2(saved, fd), fd);
        close(saved);
        n = pread(file, text, sizeof(text) - 1, 0);
        close(file);
        assert_true(n >= 0);
        text[n] = '\0';
        return text;
}

static void run_bad(const void *words)
{
        struct options options;

        assert_int_equal(parse(words, &options), -EINVAL);
}

static void test_options_tell_what_is_wrong(void **state)
{
        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(bad_cases); i++) {
                const char *text;

                print_message("%s\n", bad_cases[i].name);
                text = said(stderr, STDERR_FILENO, run_bad, bad_cases[i].words);
                if (!strstr(text, bad_cases[i].says))
                        fail_msg("\"%s\" is not in: %s", bad_cases[i].says, text);
        }
}

static void run_help(const void *data)
{
        (void)data;
        options_print_help();
}

/* Every option of good_cases that is meant for people, and where the configuration is. */
static void test_options_help_names_them(void **state)
{
        static const char *const names[] = { "--config FILE", "--check-config",    "--socket PATH",
                                             "--park",        "--log-level LEVEL", "--version",
                                             "--help",        PARD_CONFIG_PATH };
        const char *text = said(stdout, STDOUT_FILENO, run_help, NULL);

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(names); i++)
                if (!strstr(text, names[i]))
                        fail_msg("--help does not name %s", names[i]);
        /* Those are between pard and itself. */
        assert_null(strstr(text, "takeover"));
        assert_null(strstr(text, "--worker"));
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_options_are_read),
                cmocka_unit_test(test_options_tell_what_is_wrong),
                cmocka_unit_test(test_options_help_names_them),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
