/* SPDX-License-Identifier: MIT */
/*
 * The command line: which command, and what it was told.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct command;

/**
 * struct arguments - the whole command line
 * @command:     what to do
 * @socket_path: NULL: $PAR_SOCKET or the default
 * @json, @bytes, @no_headings: how to print
 * @sort:        column to sort by; NULL: as pard lists them
 * @pool, @device, @label: NULL where not given
 * @addr_min, @addr_max: inclusive; addr_max 0: no limit
 * @size, @align, @boundary, @max_segment_bytes: bytes; 0: not given
 * @max_segments: 0: one
 * @wait_ms:     as in par_alloc_options
 * @hold_ns:     how long to keep the buffer
 * @child_argv:  what to run with the buffer, NULL-terminated; NULL: nothing
 *
 * Borrows everything from argv.
 */
struct arguments {
        const struct command *command;
        const char *socket_path;
        bool json, bytes, no_headings;
        const char *sort;
        const char *pool, *device, *label;
        uint64_t addr_min, addr_max;
        uint64_t size, align, boundary, max_segment_bytes;
        uint32_t max_segments;
        int32_t wait_ms;
        uint64_t hold_ns;
        char *const *child_argv;
};

/* Options beyond the general ones, as a set: which of them a command takes. */
enum {
        TAKES_WINDOW = 1u << 0, /* --below, --addr-min, --addr-max */
        TAKES_SORT = 1u << 1,
        TAKES_POOL = 1u << 2,
        TAKES_REQUEST = 1u << 3, /* --size, --device, --align ... */
        TAKES_HOLD = 1u << 4,    /* --wait, --hold, -- COMMAND */
};

/**
 * struct command - one command of parctl
 * @name:    its word
 * @takes:   TAKES_*
 * @summary: one line for --help
 * @help:    what COMMAND --help prints after the usage line
 * @columns: of its list; NULL where it prints none
 * @run:     does it
 *           Return: the exit status.
 */
struct command {
        const char *name;
        unsigned takes;
        const char *summary;
        const char *help;
        const struct column *columns;
        size_t n_columns;
        int (*run)(const struct arguments *arguments);
};

/* All commands, in the order of --help; *ret_count tells how many. */
const struct command *const *commands(size_t *ret_count);

/**
 * arguments_parse() - read the command line
 * @ret_status: exit status where there is nothing to run: wrong usage (told on standard error), or
 *              help and version (printed)
 *
 * Return: whether there is a command to run.
 */
bool arguments_parse(int argc, char *const *argv, struct arguments *ret, int *ret_status);
