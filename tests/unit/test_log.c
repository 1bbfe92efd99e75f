/* SPDX-License-Identifier: MIT */
/*
 * The log: lines on standard error, or entries with fields where the journal listens there.
 */
#include "log.h"
#include "log_rate.h"

#include "macros.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

/* What the journal was sent last, one field a line; how often; and what it says to that. */
static char entry[8192];
static unsigned entries;
static int journal_result;

int __wrap_sd_journal_sendv(const struct iovec *fields, int n);

int __wrap_sd_journal_sendv(const struct iovec *fields, int n)
{
        size_t used = 0;

        for (int i = 0; i < n; i++)
                used += (size_t)snprintf(entry + used, sizeof(entry) - used, "%.*s\n",
                                         (int)fields[i].iov_len, (const char *)fields[i].iov_base);
        entries++;
        errno = EIO; /* whoever logs must not see that */
        return journal_result;
}

/* The monotonic clock, for what is tested here. */
static time_t clock_s;

int __wrap_clock_gettime(clockid_t which, struct timespec *ret);

int __wrap_clock_gettime(clockid_t which, struct timespec *ret)
{
        assert_int_equal(which, CLOCK_MONOTONIC);
        *ret = (struct timespec){ .tv_sec = clock_s };
        return 0;
}

/**
 * struct setup - standard error leads to a file
 * @saved: what it was
 * @file:  a memfd
 */
struct setup {
        int saved, file;
};

static int setup(void **state)
{
        struct setup *it = calloc(1, sizeof(*it));

        assert_non_null(it);
        it->file = memfd_create("stderr", MFD_CLOEXEC);
        assert_true(it->file >= 0);
        fflush(stderr);
        it->saved = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3);
        assert_int_equal(dup2(it->file, STDERR_FILENO), STDERR_FILENO);
        *entry = '\0';
        entries = 0;
        journal_result = 0;
        unsetenv("JOURNAL_STREAM");
        *state = it;
        return 0;
}

static int teardown(void **state)
{
        struct setup *it = *state;

        dup2(it->saved, STDERR_FILENO);
        close(it->saved);
        close(it->file);
        free(it);
        return 0;
}

/* All lines so far; static. */
static const char *lines(const struct setup *it)
{
        static char text[8192];
        ssize_t n = pread(it->file, text, sizeof(text) - 1, 0);

        assert_true(n >= 0);
        text[n] = '\0';
        return text;
}

/* As the service manager says it. @inode_more: something else than what standard error is. */
static void set_journal_stream(ino_t inode_more)
{
        char stream[64];
        struct stat status;

        assert_int_equal(fstat(STDERR_FILENO, &status), 0);
        snprintf(stream, sizeof(stream), "%ju:%ju", (uintmax_t)status.st_dev,
                 (uintmax_t)(status.st_ino + inode_more));
        assert_int_equal(setenv("JOURNAL_STREAM", stream, 1), 0);
}

static void test_log_writes_lines_with_levels(void **state)
{
        log_open("pard", LOG_NOTICE);
        log_warning("pool %s has %d frames", "any", 3);
        log_notice("so");
        log_info("less important than what is shown");
        assert_false(log_has_complained());
        log_event(LOG_ERR, &(struct log_fields){ .pool = "any" }, "only the sentence");
        assert_string_equal(lines(*state), "<4>pard: pool any has 3 frames\n"
                                           "<5>pard: so\n"
                                           "<3>pard: only the sentence\n");
        assert_int_equal(entries, 0);
        assert_true(log_has_complained());
}

static void test_log_cuts_what_is_too_long(void **state)
{
        char sentence[4000];
        const char *text;

        memset(sentence, 'x', sizeof(sentence) - 1);
        sentence[sizeof(sentence) - 1] = '\0';
        log_open("pard", LOG_INFO);
        log_info("%s", sentence);
        log_info("next");
        text = lines(*state);
        assert_int_equal(strncmp(text, "<6>pard: xxx", 12), 0);
        assert_in_range(strcspn(text, "\n"), 900, 1023);
        assert_string_equal(strchr(text, '\n') + 1, "<6>pard: next\n");

        set_journal_stream(0);
        log_open("pard", LOG_INFO);
        log_event(LOG_INFO, &(struct log_fields){ .client = sentence }, "%s", sentence);
        assert_int_equal(entries, 1);
        assert_non_null(strstr(entry, "\nPAR_CLIENT=xxx"));
}

static void test_log_tells_the_journal_what_it_is_about(void **state)
{
        const struct log_fields about = {
                .pool = "below4g",
                .client = "radio\n0",
                .buffer = 17,
                .has_uid = true,
                .has_frame = true,
                .uid = 1000,
                .frame = 0x38a00000,
        };
        char expected[512];
        int line;

        set_journal_stream(0);
        log_open("pard-worker", LOG_INFO);
        errno = ENOENT;
        line = __LINE__ + 1;
        log_event(LOG_WARNING, &about, "frame %d is gone", 5);
        assert_int_equal(errno, ENOENT);
        snprintf(expected, sizeof(expected),
                 "MESSAGE=frame 5 is "
                 "gone\nPRIORITY=4\nSYSLOG_IDENTIFIER=pard-worker\nCODE_FILE=%s\nCODE_LINE=%d\n"
                 "CODE_FUNC=%s\nPAR_POOL=below4g\nPAR_CLIENT=radio\n0\nPAR_UID=1000\n"
                 "PAR_FRAME=0x38a00000\nPAR_BUFFER=17\n",
                 __FILE_NAME__, line, __func__);
        assert_string_equal(entry, expected);
        assert_string_equal(lines(*state), "");
}

static void test_log_leaves_out_what_is_not_known(void **state)
{
        (void)state;
        set_journal_stream(0);
        log_open("pard", LOG_INFO);
        log_info("nothing in particular");
        assert_null(strstr(entry, "PAR_"));
        assert_non_null(strstr(entry, "CODE_FILE=test_log.c\n"));
        log_write(LOG_INFO, NULL, &(struct log_fields){ .has_uid = true }, "root");
        assert_non_null(strstr(entry, "\nPAR_UID=0\n"));
        assert_null(strstr(entry, "CODE_"));
        assert_null(strstr(entry, "PAR_POOL"));
        assert_null(strstr(entry, "PAR_FRAME"));
        assert_int_equal(entries, 2);
        log_debug("less important than what is shown");
        assert_int_equal(entries, 2);
}

static void test_log_knows_when_the_journal_is_elsewhere(void **state)
{
        set_journal_stream(1);
        log_open("pard", LOG_INFO);
        log_info("here");
        assert_int_equal(setenv("JOURNAL_STREAM", "rubbish", 1), 0);
        log_open("pard", LOG_INFO);
        log_info("and here");
        assert_int_equal(entries, 0);
        assert_string_equal(lines(*state), "<6>pard: here\n<6>pard: and here\n");
}

static void test_log_writes_lines_where_the_journal_refuses(void **state)
{
        set_journal_stream(0);
        log_open("pard", LOG_INFO);
        journal_result = -ENOBUFS;
        log_info("after all");
        assert_int_equal(entries, 1);
        assert_string_equal(lines(*state), "<6>pard: after all\n");
}

/* For people at a terminal the level is a word. */
static void test_log_writes_words_on_a_terminal(void **state)
{
        static const struct {
                int level;
                const char *line;
        } lines_of[] = {
                { LOG_EMERG, "pard: emergency: so\r\n" }, { LOG_CRIT, "pard: critical: so\r\n" },
                { LOG_ERR, "pard: error: so\r\n" },       { LOG_WARNING, "pard: warning: so\r\n" },
                { LOG_NOTICE, "pard: notice: so\r\n" },   { LOG_INFO, "pard: info: so\r\n" },
                { LOG_DEBUG, "pard: debug: so\r\n" },
        };
        int terminal = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC), other;

        (void)state;
        assert_true(terminal >= 0);
        assert_int_equal(grantpt(terminal), 0);
        assert_int_equal(unlockpt(terminal), 0);
        other = open(ptsname(terminal), O_RDWR | O_NOCTTY | O_CLOEXEC);
        assert_true(other >= 0);
        assert_int_equal(dup2(other, STDERR_FILENO), STDERR_FILENO);
        log_open("pard", LOG_DEBUG);
        for (size_t i = 0; i < ARRAY_SIZE(lines_of); i++) {
                char line[64] = "";

                log_event(lines_of[i].level, NULL, "%s", "so");
                assert_int_equal(read(terminal, line, sizeof(line) - 1), strlen(lines_of[i].line));
                assert_string_equal(line, lines_of[i].line);
        }
        close(other);
        close(terminal);
}

/* A long line ends with a newline there, too. */
static void test_log_cuts_what_is_too_long_with_its_name(void **state)
{
        char who[200], sentence[1000];
        const char *text;

        memset(who, 'w', sizeof(who) - 1);
        who[sizeof(who) - 1] = '\0';
        memset(sentence, 'x', sizeof(sentence) - 1);
        sentence[sizeof(sentence) - 1] = '\0';
        log_open(who, LOG_INFO);
        log_info("%s", sentence);
        log_info("next");
        text = lines(*state);
        assert_int_equal(strcspn(text, "\n"), 1022);
        assert_int_equal(strncmp(strchr(text, '\n') + 1, "<6>www", 6), 0);
}

/* Nobody reads: whoever logs goes on, and sees nothing of it. */
static void test_log_goes_on_where_nothing_can_be_written(void **state)
{
        int full = open("/dev/full", O_WRONLY | O_CLOEXEC);

        (void)state;
        assert_true(full >= 0);
        assert_int_equal(dup2(full, STDERR_FILENO), STDERR_FILENO);
        close(full);
        log_open("pard", LOG_INFO);
        errno = ENOENT;
        log_error("lost");
        assert_int_equal(errno, ENOENT);
        assert_true(log_has_complained());
}

/* Return: how many of @count messages are written. */
static unsigned say(struct log_rate *rate, unsigned count)
{
        unsigned said = 0;

        for (unsigned i = 0; i < count; i++)
                said += log_rate_allows(rate);
        return said;
}

static void test_log_rate_bounds_what_strangers_cause(void **state)
{
        struct log_rate rate = { 0 }, other = { 0 };

        log_open("pard", LOG_NOTICE);
        clock_s = 1000;
        assert_int_equal(say(&rate, 5000), LOG_RATE_MESSAGES);
        assert_int_equal(say(&other, 3), 3); /* each sort has its own */
        clock_s += LOG_RATE_S - 1;
        assert_int_equal(say(&rate, 1), 0);
        assert_string_equal(lines(*state), "");

        clock_s += 1;
        assert_int_equal(say(&rate, 30), LOG_RATE_MESSAGES);
        assert_string_equal(lines(*state), "<5>pard: 4981 messages like this one were left out:\n");
        clock_s += 10 * LOG_RATE_S;
        assert_int_equal(say(&rate, 1), 1);
        clock_s += LOG_RATE_S;
        assert_int_equal(say(&rate, 1), 1); /* nothing was left out: nothing to tell */
        assert_string_equal(lines(*state), "<5>pard: 4981 messages like this one were left out:\n"
                                           "<5>pard: 10 messages like this one were left out:\n");
}

int main(void)
{
#define TEST(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
        const struct CMUnitTest tests[] = {
                TEST(test_log_writes_lines_with_levels),
                TEST(test_log_cuts_what_is_too_long),
                TEST(test_log_tells_the_journal_what_it_is_about),
                TEST(test_log_leaves_out_what_is_not_known),
                TEST(test_log_knows_when_the_journal_is_elsewhere),
                TEST(test_log_writes_lines_where_the_journal_refuses),
                TEST(test_log_writes_words_on_a_terminal),
                TEST(test_log_cuts_what_is_too_long_with_its_name),
                TEST(test_log_goes_on_where_nothing_can_be_written),
                TEST(test_log_rate_bounds_what_strangers_cause),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
