/* SPDX-License-Identifier: MIT */
/*
 * Owns nothing. Refuses every argument that it does not know, positional ones included: a daemon
 * that starts in spite of a misspelt option does something that nobody asked for.
 */
#include "options.h"

#include "macros.h"

#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>

static const char help[] =
        "Usage: pard [OPTION...]\n"
        "Hold memory at known physical addresses, and grant it to drivers in user space.\n"
        "\n"
        "  --config FILE       the configuration (default: " PARD_CONFIG_PATH ")\n"
        "  --check-config      check the configuration, say what is wrong, and end\n"
        "  --socket PATH       listen there instead of where the configuration says\n"
        "  --log-level LEVEL   error, warning, notice, info or debug, instead of what the\n"
        "                      configuration says\n"
        "  --park              at the end, leave memory that programs use with the service\n"
        "                      manager, for the next start (FileDescriptorStoreMax= of systemd)\n"
        "  --version           print the version, and end\n"
        "  --help              print this, and end\n"
        "\n"
        "pard stays in the foreground and logs to standard error. SIGTERM and SIGINT stop it;\n"
        "hugepages that it reserved are given back then.\n"
        "\n"
        "Exit status: 0 after an orderly stop, 1 where pard cannot start or go on, 2 for wrong\n"
        "usage.\n";

static int parse_level(const char *text, struct options *ret)
{
        static const char *const names[] = { "error", "warning", "notice", "info", "debug" };

        for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
                if (strcmp(text, names[i]) != 0)
                        continue;
                ret->log_level = LOG_ERR + (int)i;
                ret->log_level_name = names[i];
                return 0;
        }
        fprintf(stderr,
                "pard: --log-level: \"%s\" is none of error, warning, notice, info, debug\n", text);
        return -EINVAL;
}

static int parse_fd(const char *text, int *ret)
{
        char *end;
        long fd = strtol(text, &end, 10);

        if (end == text || *end || fd < 0 || fd > INT_MAX) {
                fprintf(stderr, "pard: \"%s\" is no descriptor\n", text);
                return -EINVAL;
        }
        *ret = (int)fd;
        return 0;
}

int options_parse(int argc, char *const *argv, struct options *ret)
{
        static const struct option known[] = {
                { "config", required_argument, NULL, 'c' },
                { "check-config", no_argument, NULL, 'C' },
                { "socket", required_argument, NULL, 's' },
                { "log-level", required_argument, NULL, 'l' },
                { "park", no_argument, NULL, 'p' },
                { "worker", no_argument, NULL, 'w' },
                { "opener", required_argument, NULL, 'o' },
                { "store-udmabuf", no_argument, NULL, 'u' },
                { "takeover", required_argument, NULL, 't' },
                { "try-takeover", required_argument, NULL, 'T' },
                { "version", no_argument, NULL, 'V' },
                { "help", no_argument, NULL, 'h' },
                { 0 },
        };
        int c;

        *ret = (struct options){
                .config_path = PARD_CONFIG_PATH, .log_level = -1, .takeover_fd = -1, .opener_fd = -1
        };
        while ((c = getopt_long(argc, argv, "", known, NULL)) != -1) {
                switch (c) {
                case 'c': ret->config_path = optarg; break;
                case 'C': ret->action = ACTION_CHECK_CONFIG; break;
                case 's': ret->socket_path = optarg; break;
                case 'p': ret->parks = true; break;
                case 'o':
                        if (parse_fd(optarg, &ret->opener_fd))
                                return -EINVAL;
                        break;
                case 'u': ret->action = ACTION_STORE_UDMABUF; break;
                case 'w': ret->action = ACTION_WORK; break;
                case 'T': ret->action = ACTION_TRY_TAKEOVER; /* fall through */
                case 't':
                        if (parse_fd(optarg, &ret->takeover_fd))
                                return -EINVAL;
                        break;
                case 'V': ret->action = ACTION_VERSION; return 0;
                case 'h': ret->action = ACTION_HELP; return 0;
                case 'l':
                        if (parse_level(optarg, ret))
                                return -EINVAL;
                        break;
                default: fprintf(stderr, "Try: pard --help\n"); return -EINVAL;
                }
        }
        if (optind < argc) {
                fprintf(stderr, "pard: \"%s\": no arguments are expected\nTry: pard --help\n",
                        argv[optind]);
                return -EINVAL;
        }
        return 0;
}

void options_print_help(void)
{
        fputs(help, stdout);
}
