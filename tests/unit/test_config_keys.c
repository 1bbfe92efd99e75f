/* SPDX-License-Identifier: MIT */
/*
 * The files in conf/ against the parser: the shipped pard.conf names every key in its section and
 * no other, and all files that are shipped can be loaded.
 */
#include "config.h"

#include "macros.h"

#include <ctype.h>
#include <dirent.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define KEYS_MAX 128

static char text[65536];

static void read_file(const char *name)
{
        char path[PATH_MAX];
        FILE *file;

        snprintf(path, sizeof(path), PAR_CONF_DIR "/%s", name);
        file = fopen(path, "re");
        if (!file)
                fail_msg("%s cannot be opened", path);
        text[fread(text, 1, sizeof(text) - 1, file)] = '\0';
        fclose(file);
}

static int is_conf(const struct dirent *entry)
{
        const char *dot = strrchr(entry->d_name, '.');

        return dot && strcmp(dot, ".conf") == 0;
}

/* The key that a line sets or shows commented out ("#key = value"); false where it is prose. */
static bool key_of_line(const char *line, char key[32])
{
        size_t n;

        line += strspn(line, " ");
        line += *line == '#';
        n = strspn(line, "abcdefghijklmnopqrstuvwxyz_");
        if (n == 0 || n > 31 || strncmp(line + n, " = ", 3) != 0)
                return false;
        memcpy(key, line, n);
        key[n] = '\0';
        return true;
}

static void note_section(const char *line, char sections[4][32], size_t *depth)
{
        size_t n;

        line += strspn(line, " ");
        if (*line == '#')
                return;
        n = strspn(line, "abcdefghijklmnopqrstuvwxyz_");
        if (*line == '}')
                (*depth)--;
        else if (n && line[strlen(line) - 1] == '{')
                snprintf(sections[(*depth)++], sizeof(sections[0]), "%.*s", (int)n, line);
}

static void test_config_keys_are_those_of_the_shipped_file(void **state)
{
        char sections[4][32], key[32], *save = NULL;
        size_t n_keys, depth = 0;
        const struct config_key *keys = config_keys(&n_keys);
        bool seen[KEYS_MAX] = { false };
        int failed = 0;

        (void)state;
        assert_true(n_keys <= KEYS_MAX);
        read_file("pard.conf");
        for (char *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
                const char *section;
                size_t i;

                note_section(line, sections, &depth);
                section = depth ? sections[depth - 1] : "";
                if (!key_of_line(line, key))
                        continue;
                for (i = 0; i < n_keys; i++)
                        if (strcmp(keys[i].name, key) == 0 && strcmp(keys[i].section, section) == 0)
                                break;
                if (i < n_keys) {
                        seen[i] = true;
                        continue;
                }
                print_error("pard.conf has \"%s\" in section \"%s\", which does not exist\n", key,
                            section);
                failed++;
        }
        for (size_t i = 0; i < n_keys; i++) {
                if (seen[i])
                        continue;
                print_error("pard.conf lacks \"%s\" in section \"%s\"\n", keys[i].name,
                            keys[i].section);
                failed++;
        }
        assert_int_equal(failed, 0);
}

/* Each profile alone, and what is in its header. */
static void test_config_loads_each_profile(void **state)
{
        struct dirent **names;
        int n = scandir(PAR_CONF_DIR "/devices", &names, is_conf, alphasort);

        (void)state;
        assert_true(n >= 11);
        for (int i = 0; i < n; i++) {
                struct config *config = NULL;
                char error[512] = "", name[300];

                snprintf(name, sizeof(name), "devices/%s", names[i]->d_name);
                read_file(name);
                if (!strstr(text, "\n# From: "))
                        fail_msg("%s does not tell where its numbers are from", name);
                if (config_load_devices(text, name, &config, error, sizeof(error)))
                        fail_msg("%s", error);
                assert_true(config->state.n_devices > 0);
                config_free(config);
                free(names[i]);
        }
        free(names);
}

static void test_config_loads_what_is_shipped(void **state)
{
        static const char *const names[] = {
                "pard.conf",
                "examples/sim.conf",
                "examples/radio.conf",
                "examples/gigantic.conf",
        };

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
                struct config *config = NULL;
                char error[512] = "";

                read_file(names[i]);
                if (config_load(text, names[i], &config, error, sizeof(error)))
                        fail_msg("%s", error);
                config_free(config);
        }
}

/* The defaults that pard.conf shows are the parser's: with them set, nothing changes. */
static void test_config_shows_the_true_defaults(void **state)
{
        struct config *shown = NULL, *silent = NULL;
        char error[512] = "", all[4096];
        size_t n = 0;
        char *save = NULL, key[32];

        (void)state;
        read_file("pard.conf");
        *strstr(text, "# ---- pools") = '\0';
        for (char *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
                /* Users and groups need not exist where the test runs. */
                if (!key_of_line(line, key) || strstr(key, "group") || strcmp(key, "user") == 0)
                        continue;
                n += (size_t)snprintf(all + n, sizeof(all) - n, "%s\n", line + (*line == '#'));
        }
        snprintf(all + n, sizeof(all) - n, "pool \"a\" { size_min = 2M }\n");

        if (config_load(all, "shown", &shown, error, sizeof(error)) ||
            config_load("pool \"a\" { size_min = 2M }", "silent", &silent, error, sizeof(error)))
                fail_msg("%s", error);
        assert_string_equal(shown->socket_path, silent->socket_path);
        assert_int_equal(shown->socket_mode, silent->socket_mode);
        assert_int_equal(shown->log_level, silent->log_level);
        assert_int_equal(shown->backend, silent->backend);
        assert_int_equal(shown->reserve, silent->reserve);
        assert_int_equal(shown->keep_free_bytes, silent->keep_free_bytes);
        assert_int_equal(shown->verify_ns, silent->verify_ns);
        assert_int_equal(shown->threads, silent->threads);
        assert_null(shown->metrics);
        assert_int_equal(shown->state.max_clients, silent->state.max_clients);
        assert_int_equal(shown->state.max_clients_per_user, silent->state.max_clients_per_user);
        assert_int_equal(shown->state.max_buffers, silent->state.max_buffers);
        assert_int_equal(shown->state.max_waiting, silent->state.max_waiting);
        config_free(shown);
        config_free(silent);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_config_keys_are_those_of_the_shipped_file),
                cmocka_unit_test(test_config_loads_each_profile),
                cmocka_unit_test(test_config_loads_what_is_shipped),
                cmocka_unit_test(test_config_shows_the_true_defaults),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
