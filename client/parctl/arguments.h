/* SPDX-License-Identifier: MIT */
/*
 * The command line: which command, and what it was told.
 */
#pragma once

#include "options.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct ask;
struct command;
struct output;

/**
 * struct arguments - the whole command line
 * @command:     what to do
 * @operands:    @n_operands words behind it that are no options
 * @socket_path: NULL: $PAR_SOCKET or the default
 * @json, @bytes, @no_headings, @no_color: how to print
 * @sort, @columns: names of columns with commas between them; NULL: not given
 * @pool, @device, @label: NULL where not given
 * @addr_min, @addr_max: inclusive; addr_max 0: no limit
 * @size, @align, @boundary, @max_segment_bytes: bytes; 0: not given
 * @max_segments: 0: one
 * @wait_ms:     as in par_alloc_options
 * @hold_ns:     how long to keep the buffer
 * @rows, @scale, @svg: how large the map, in lines, and a block of it, in bytes, and where to; 0
 * and NULL: not given
 * @watch_ns:    how often to show it again; 0: only once
 * @without_need: only buffers that need not lie where they are
 * @by, @to:     how much more or less a pool's goal becomes, or how much; 0: not given
 * @no_wait, @end, @wait_empty, @yes: --no-wait, --end, --wait without a time, --yes
 * @client, @client_name: whose buffers; 0 and NULL: not given
 * @iova:        addresses are I/O addresses
 * @vfio:        the buffer is mapped for @device, which is behind an IOMMU
 * @name, @lasting, @allow: of a buffer that others can open; NULL where not given
 * @child_argv:  what to run with the buffer, NULL-terminated; NULL: nothing
 *
 * Borrows everything from argv.
 */
struct arguments {
        const struct command *command;
        char *const *operands;
        size_t n_operands;
        const char *socket_path;
        bool json, bytes, no_headings, no_color;
        const char *sort, *columns;
        const char *pool, *device, *label;
        uint64_t addr_min, addr_max;
        uint64_t size, align, boundary, max_segment_bytes;
        uint32_t max_segments;
        int32_t wait_ms;
        uint64_t hold_ns;
        size_t rows;
        uint64_t scale;
        const char *svg;
        uint64_t watch_ns;
        bool without_need;
        uint64_t by, to;
        bool no_wait, end, wait_empty, yes;
        uint64_t client;
        const char *client_name;
        bool iova, vfio;
        const char *name, *allow;
        bool lasting;
        char *const *child_argv;
};

enum operand_kind {
        OPERAND_TEXT,
        OPERAND_SUBJECT, /* as subject_parse() reads it, or "-" */
        OPERAND_NUMBER,  /* decimal or hexadecimal, above 0 */
};

/**
 * struct command - one command of parctl
 * @name:    its word
 * @operands: what stands behind it, for the usage line; NULL: nothing
 * @operand: what each of them is; checked with the command line
 * @operands_min, @operands_max: how many
 * @takes:   TAKES_*
 * @summary: one line for --help
 * @help:    what COMMAND --help prints after the options
 * @columns: of its list; NULL where it prints none
 * @show:    of a command that only looks: asks and prints
 *           Return: the exit status.
 * @run:     of any other: does all of it
 *           Return: the exit status.
 */
struct command {
        const char *name, *operands;
        enum operand_kind operand;
        size_t operands_min, operands_max;
        unsigned takes;
        const char *summary;
        const char *help;
        const struct column *columns;
        size_t n_columns;
        int (*show)(const struct arguments *arguments, struct ask *ask,
                    const struct output *output);
        int (*run)(const struct arguments *arguments);
};

/* All commands, in the order of --help; *ret_count tells how many. */
const struct command *const *commands(size_t *ret_count);

/* A command by its word; NULL: there is none. */
const struct command *command_find(const char *name);

/**
 * arguments_parse() - read the command line
 * @ret_status: exit status where there is nothing to run: wrong usage (told on standard error), or
 *              help and version (printed)
 *
 * Return: whether there is a command to run.
 */
bool arguments_parse(int argc, char *const *argv, struct arguments *ret, int *ret_status);
