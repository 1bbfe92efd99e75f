/* SPDX-License-Identifier: MIT */
/*
 * The metrics as text: a small daemon's against files that were read by a person, and any daemon's
 * against the rules of the format.
 */
#include "metrics.h"
#include "metrics_quotas.h"

#include "macros.h"
#include "random.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define SAMPLES_MAX 4096
#define NAME_BYTES  256

static char pool_name[] = "any", odd_name[] = "a\\b\"c\nd";

/* What they are called nobody is told. */
static char user_name[] = "user:radio", group_name[] = "group:a\"b", each_name[] = "user:*";

static struct quota_settings quotas[] = {
        { .name = user_name,
          .who = { false, 1000 },
          .bytes = 16 * MiB,
          .frames = QUOTA_NONE,
          .buffers = 100 },
        { .name = group_name,
          .who = { true, 44 },
          .bytes = QUOTA_NONE,
          .frames = 12,
          .buffers = QUOTA_NONE },
        { .name = each_name,
          .each = true,
          .bytes = 8 * MiB,
          .frames = QUOTA_NONE,
          .buffers = QUOTA_NONE },
};

static struct claim_settings claims[] = {
        { .name = group_name, .who = { true, 4294967294 }, .bytes = 4 * MiB },
};

static const struct pool_settings settings[] = {
        { .name = pool_name,
          .page_bytes = 2 * MiB,
          .size_max_bytes = 64 * MiB,
          .quotas = quotas,
          .n_quotas = ARRAY_SIZE(quotas),
          .claims = claims,
          .n_claims = ARRAY_SIZE(claims) },
        { .name = odd_name, .page_bytes = 2 * MiB, .size_max_bytes = 4 * GiB },
};

/* Room for two pools and all that is told of them. */
struct daemon {
        struct metrics metrics;
        struct metrics_pool pools[2];
        struct metrics_use quotas[ARRAY_SIZE(quotas)], claims[ARRAY_SIZE(claims)];
        struct metrics_view view;
};

static void daemon_init(struct daemon *daemon)
{
        static const char backend[] = "sim";

        *daemon = (struct daemon){
                .pools = {
                        { .report = { .settings = &settings[0], .state = "ready", .note = "" } },
                        { .report = { .settings = &settings[1], .state = "short", .note = "" } },
                },
                .view = { .version = "1.2.3", .started_s = 1763726400, .worker_starts = 2 },
        };
        for (size_t i = 0; i < ARRAY_SIZE(quotas); i++)
                metrics_name_quota(&quotas[i], daemon->quotas[i].whom);
        for (size_t i = 0; i < ARRAY_SIZE(claims); i++)
                metrics_name_claim(&claims[i], daemon->claims[i].whom);
        daemon->pools[0].quotas = daemon->quotas;
        daemon->pools[0].claims = daemon->claims;
        daemon->view.status.backend = backend;
        daemon->view.pools = daemon->pools;
        daemon->view.n_pools = ARRAY_SIZE(daemon->pools);
        daemon->view.requests[1] = "hello";
        daemon->view.requests[4] = "alloc";
}

/* The text is owned by the caller. */
static char *render(const struct daemon *daemon, enum metrics_format format)
{
        char *text, *whole;
        size_t size;

        assert_int_equal(metrics_render(&daemon->metrics, &daemon->view, format, &text, &size), 0);
        assert_null(memchr(text, '\0', size));
        whole = strndup(text, size);
        assert_non_null(whole);
        free(text);
        return whole;
}

/* ---- by the letter -------------------------------------------------------------------------- */

static void fill_small(struct daemon *daemon)
{
        struct metrics_pool *pool = &daemon->pools[0];

        daemon_init(daemon);
        daemon->view.n_pools = 1;
        pool->report.bytes = (struct state_bytes){
                .held = 28,
                .free = 1,
                .granted = 2,
                .reusable = 3,
                .leaving = 4,
                .lingering = 5,
                .quarantined = 6,
                .retired = 7,
        };
        pool->report.goal_bytes = 32 * MiB;
        pool->report.largest_run_bytes = 16 * MiB;
        pool->report.taking_bytes = 8 * MiB;
        pool->report.taken_bytes = 2 * MiB;
        pool->report.held_aside_bytes = GiB;
        pool->report.draining_bytes = 4 * MiB;
        pool->report.waiting = 9;
        pool->counters = (struct pool_counters){
                .grants = 11,
                .frees = 12,
                .grown_frames = 13,
                .shrunk_frames = 14,
                .harvests = 15,
                .lost_to_system = 16,
                .waits = 17,
        };
        daemon->quotas[0].use = (struct quota_use){ 14 * MiB, 51, 16 * MiB, 52 };
        daemon->quotas[1].use = (struct quota_use){ 20 * MiB, 53, 22 * MiB, 54 };
        daemon->quotas[2].use = (struct quota_use){ 0, 0, 6 * MiB, 55 };
        daemon->claims[0].use = (struct quota_use){ 2 * MiB, 56, 10 * MiB, 57 };
        for (uint32_t i = 0; i < QUOTA_SHARES; i++)
                pool->users[i] = 64 - i;
        daemon->view.status.clients = 21;
        daemon->view.status.buffers = 22;
        daemon->view.status.waiting = 23;
        daemon->view.status.pinned = true;
        daemon->view.counters = (struct state_counters){
                .moved = 31,
                .poisoned = 34,
                .timed_out_waits = 32,
                .sessions = 33,
        };
        for (size_t i = 0; i < REFUSALS; i++)
                daemon->view.counters.refused[i] = 40 + i;
        metrics_count(&daemon->metrics.requests[4], 0);
        metrics_count(&daemon->metrics.requests[4], NS_PER_US);
        metrics_count(&daemon->metrics.requests[4], NS_PER_US + 1);
        metrics_count(&daemon->metrics.requests[4], 10 * NS_PER_S);
        metrics_count(&daemon->metrics.requests[4], 10 * NS_PER_S + 1);
        metrics_count(&daemon->metrics.waits, 3 * NS_PER_MS);
}

static void compare_with_file(enum metrics_format format, const char *name)
{
        static char expected[65536];
        struct daemon daemon;
        char path[512], *text;
        FILE *file;

        fill_small(&daemon);
        text = render(&daemon, format);
        snprintf(path, sizeof(path), PAR_GOLDEN_DIR "/%s", name);
        file = fopen(path, "re");
        if (!file)
                fail_msg("%s cannot be opened", path);
        expected[fread(expected, 1, sizeof(expected) - 1, file)] = '\0';
        fclose(file);
        if (strcmp(text, expected) != 0) {
                fputs(text, stdout);
                fail_msg("this differs from %s", path);
        }
        free(text);
}

static void test_metrics_are_told_as_openmetrics(void **state)
{
        (void)state;
        compare_with_file(METRICS_OPENMETRICS, "metrics.openmetrics");
}

static void test_metrics_are_told_as_before_openmetrics(void **state)
{
        (void)state;
        compare_with_file(METRICS_PLAIN, "metrics.plain");
}

static void test_metrics_escape_what_would_end_a_label(void **state)
{
        struct daemon daemon;
        char *text;

        (void)state;
        daemon_init(&daemon);
        text = render(&daemon, METRICS_OPENMETRICS);
        assert_non_null(strstr(text, "\npard_pool_short{pool=\"any\"} 0\n"));
        assert_non_null(strstr(text, "\npard_pool_short{pool=\"a\\\\b\\\"c\\nd\"} 1\n"));
        free(text);
}

static void test_metrics_miss_nothing_when_more_came_than_was_asked_for(void **state)
{
        struct daemon daemon;
        char *text;

        (void)state;
        daemon_init(&daemon);
        daemon.pools[0].report.taking_bytes = 2 * MiB;
        daemon.pools[0].report.taken_bytes = 4 * MiB;
        text = render(&daemon, METRICS_PLAIN);
        assert_non_null(strstr(text, "\npard_pool_missing_bytes{pool=\"any\"} 0\n"));
        free(text);
}

static void test_metrics_call_nobody_by_a_name(void **state)
{
        struct daemon daemon;
        char *text;

        (void)state;
        daemon_init(&daemon);
        text = render(&daemon, METRICS_PLAIN);
        assert_non_null(strstr(text, "whom=\"uid:1000\""));
        assert_null(strstr(text, "radio"));
        assert_null(strstr(text, "group"));
        free(text);
}

/* The labels are those of quota_percents. */
static void test_metrics_tell_the_shares_that_are_counted(void **state)
{
        struct daemon daemon;
        char *text, *at;

        (void)state;
        daemon_init(&daemon);
        text = at = render(&daemon, METRICS_PLAIN);
        for (unsigned i = 0; i < QUOTA_SHARES; i++) {
                at = strstr(at, "share=\"");
                assert_non_null(at);
                at += strlen("share=\"");
                assert_int_equal(strtod(at, NULL) * 100 + 0.5, quota_percents[i]);
        }
        assert_null(strstr(at, "share="));
        free(text);
}

/* ---- by the rules --------------------------------------------------------------------------- */

/**
 * struct reading - a text being checked
 * @family, @type: of the lines since the last "# TYPE"
 * @seen:   names with labels
 * @bucket: of the histogram before
 */
struct reading {
        char family[NAME_BYTES], type[32];
        char seen[SAMPLES_MAX][NAME_BYTES];
        size_t n_seen;
        char series[NAME_BYTES];
        double bucket, le;
};

static bool ends_with(const char *name, size_t n, const char *suffix)
{
        return n >= strlen(suffix) &&
               strncmp(name + n - strlen(suffix), suffix, strlen(suffix)) == 0;
}

/* Whether a sample of that name belongs to the family. */
static bool belongs(const struct reading *reading, enum metrics_format format, const char *name,
                    size_t n)
{
        static const char *const of_histogram[] = { "_bucket", "_count", "_sum" };
        size_t stem = strlen(reading->family);

        if (n < stem || strncmp(name, reading->family, stem) != 0)
                return false;
        if (strcmp(reading->type, "histogram") == 0) {
                for (size_t i = 0; i < ARRAY_SIZE(of_histogram); i++)
                        if (n == stem + strlen(of_histogram[i]) &&
                            ends_with(name, n, of_histogram[i]))
                                return true;
                return false;
        }
        if (strcmp(reading->type, "counter") == 0)
                return format == METRICS_OPENMETRICS
                               ? n == stem + strlen("_total") && ends_with(name, n, "_total")
                               : n == stem && ends_with(name, n, "_total");
        if (strcmp(reading->type, "info") == 0)
                return n == stem + strlen("_info") && ends_with(name, n, "_info");
        return strcmp(reading->type, "gauge") == 0 && n == stem;
}

static void check_bucket(struct reading *reading, const char *line, double value)
{
        const char *le = strstr(line, "le=\"");
        size_t n;
        double upper;

        assert_non_null(le);
        n = (size_t)(le - line);
        if (strlen(reading->series) != n || strncmp(reading->series, line, n) != 0) {
                snprintf(reading->series, sizeof(reading->series), "%.*s", (int)n, line);
                reading->bucket = 0;
                reading->le = 0;
        }
        upper = strtod(le + 4, NULL);
        assert_true(upper > reading->le);
        assert_true(value >= reading->bucket);
        reading->le = upper;
        reading->bucket = value;
}

static void check_sample(struct reading *reading, enum metrics_format format, const char *line)
{
        size_t n = strspn(line, "abcdefghijklmnopqrstuvwxyz_");
        const char *value = strrchr(line, ' ');
        char *rest;

        assert_non_null(value);
        if (!belongs(reading, format, line, n))
                fail_msg("%s is no sample of the %s %s", line, reading->type, reading->family);
        assert_true(line[n] == ' ' || line[n] == '{');
        assert_true(line[n] == ' ' || value[-1] == '}');

        assert_true(reading->n_seen < SAMPLES_MAX);
        snprintf(reading->seen[reading->n_seen], NAME_BYTES, "%.*s", (int)(value - line), line);
        for (size_t i = 0; i < reading->n_seen; i++)
                if (strcmp(reading->seen[i], reading->seen[reading->n_seen]) == 0)
                        fail_msg("%s is there twice", reading->seen[i]);
        reading->n_seen++;

        assert_true(strtod(value + 1, &rest) >= 0);
        assert_int_equal(*rest, '\0');
        if (ends_with(line, n, "_bucket"))
                check_bucket(reading, line, strtod(value + 1, NULL));
        if (strcmp(reading->type, "histogram") == 0 && ends_with(line, n, "_count"))
                assert_true(strtod(value + 1, NULL) == reading->bucket);
}

static void check_rules(char *text, enum metrics_format format)
{
        static struct reading reading;
        char *save = NULL, *line, *last = NULL;

        memset(&reading, 0, sizeof(reading));
        assert_int_equal(text[strlen(text) - 1], '\n');
        for (line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
                last = line;
                if (strncmp(line, "# TYPE ", 7) == 0)
                        assert_int_equal(
                                sscanf(line, "# TYPE %255s %31s", reading.family, reading.type), 2);
                else if (strncmp(line, "# HELP ", 7) == 0 || strncmp(line, "# UNIT ", 7) == 0)
                        assert_int_equal(strncmp(line + 7, reading.family, strlen(reading.family)),
                                         0);
                else if (*line != '#')
                        check_sample(&reading, format, line);
                else
                        assert_string_equal(line, "# EOF");
        }
        assert_string_equal(last, "# EOF");
        assert_true(reading.n_seen > 0);
}

/* A random number of any size. */
static uint64_t any(struct random *random)
{
        return random_next(random) >> random_below(random, 64);
}

static void randomize(struct daemon *daemon, struct random *random)
{
        daemon_init(daemon);
        for (size_t i = 0; i < METRICS_REQUESTS_MAX; i++)
                for (uint64_t n = random_below(random, 20); n; n--)
                        metrics_count(&daemon->metrics.requests[i], any(random) >> 24);
        for (size_t i = 0; i < ARRAY_SIZE(daemon->pools); i++) {
                daemon->pools[i].report.bytes.free = any(random);
                daemon->pools[i].report.goal_bytes = any(random);
                daemon->pools[i].report.taking_bytes = any(random);
                daemon->pools[i].counters.grants = any(random);
        }
        daemon->view.counters.moved = any(random);
        daemon->view.n_pools = random_below(random, ARRAY_SIZE(daemon->pools) + 1);
}

static void test_metrics_keep_to_the_rules_of_the_format(void **state)
{
        struct random random = { 1 };

        (void)state;
        for (int i = 0; i < 200; i++) {
                enum metrics_format format = i % 2 ? METRICS_OPENMETRICS : METRICS_PLAIN;
                struct daemon daemon;
                char *text;

                randomize(&daemon, &random);
                text = render(&daemon, format);
                check_rules(text, format);
                free(text);
        }
}

static void test_metrics_put_a_time_into_the_smallest_bucket_that_holds_it(void **state)
{
        static const struct {
                uint64_t ns;
                size_t bucket;
        } cases[] = {
                { 0, 0 },
                { NS_PER_US, 0 },
                { NS_PER_US + 1, 1 },
                { 500 * NS_PER_US, 8 },
                { 500 * NS_PER_US + 1, 9 },
                { 10 * NS_PER_S, METRICS_BUCKETS - 1 },
                { 10 * NS_PER_S + 1, METRICS_BUCKETS },
                { UINT64_MAX, METRICS_BUCKETS },
        };

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
                struct metrics_times times = { .sum_ns = 0 };

                metrics_count(&times, cases[i].ns);
                for (size_t j = 0; j <= METRICS_BUCKETS; j++)
                        assert_int_equal(times.counts[j], j == cases[i].bucket);
                assert_int_equal(times.sum_ns, cases[i].ns);
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_metrics_are_told_as_openmetrics),
                cmocka_unit_test(test_metrics_are_told_as_before_openmetrics),
                cmocka_unit_test(test_metrics_escape_what_would_end_a_label),
                cmocka_unit_test(test_metrics_call_nobody_by_a_name),
                cmocka_unit_test(test_metrics_tell_the_shares_that_are_counted),
                cmocka_unit_test(test_metrics_miss_nothing_when_more_came_than_was_asked_for),
                cmocka_unit_test(test_metrics_keep_to_the_rules_of_the_format),
                cmocka_unit_test(test_metrics_put_a_time_into_the_smallest_bucket_that_holds_it),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
