/* SPDX-License-Identifier: MIT */
/*
 * The daemon's command line.
 */
#pragma once

#include <stdbool.h>

enum { EXIT_USAGE = 2 }; /* the status of a command line that is not right */

enum action {
        ACTION_SERVE,
        ACTION_WORK,          /* be the worker of a keeper that has prepared the descriptors */
        ACTION_TRY_TAKEOVER,  /* see whether what a keeper would leave could be taken over */
        ACTION_STORE_UDMABUF, /* have the service manager hand /dev/udmabuf to the start */
        ACTION_CHECK_CONFIG,
        ACTION_VERSION,
        ACTION_HELP,
};

/**
 * struct options - what the command line says
 * @action:      what to do
 * @config_path: never NULL; borrowed from argv or static
 * @socket_path: NULL: as configured; borrowed from argv
 * @log_level:   as in syslog.h; -1: as configured
 * @log_level_name: its word; NULL where @log_level is -1
 * @parks:       leave memory that is in use with the service manager at the end
 * @takeover_fd: what a keeper left, or would leave; -1: none did
 * @opener_fd:   of the opener that this program started before it executed itself; -1: none
 */
struct options {
        enum action action;
        const char *config_path;
        const char *socket_path;
        int log_level;
        const char *log_level_name;
        bool parks;
        int takeover_fd;
        int opener_fd;
};

/**
 * options_parse() - read the command line
 *
 * Tells what is wrong on standard error.
 *
 * Return: 0; -EINVAL.
 */
int options_parse(int argc, char *const *argv, struct options *ret);

/* What --help prints, on standard output. */
void options_print_help(void);
