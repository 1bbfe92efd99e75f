/* SPDX-License-Identifier: MIT */
/*
 * Owns nothing. One table of options for all commands; each command says which of them it takes,
 * and any other is refused. Wrong usage gets one line and a hint, never the whole help.
 */
#include "arguments.h"

#include "exits.h"
#include "help.h"
#include "par.h"
#include "table.h"
#include "units.h"

#include <getopt.h>
#include <stdarg.h>
#include <stdlib.h>

enum option_id {
        OPTION_SOCKET = 256,
        OPTION_JSON,
        OPTION_BYTES,
        OPTION_NO_HEADINGS,
        OPTION_HELP,
        OPTION_VERSION,
        OPTION_BELOW,
        OPTION_ADDR_MIN,
        OPTION_ADDR_MAX,
        OPTION_SORT,
        OPTION_POOL,
        OPTION_SIZE,
        OPTION_DEVICE,
        OPTION_DMA_BITS,
        OPTION_ALIGN,
        OPTION_BOUNDARY,
        OPTION_MAX_SEGMENTS,
        OPTION_MAX_SEGMENT,
        OPTION_LABEL,
        OPTION_WAIT,
        OPTION_HOLD,
};

static const struct option options[] = {
        { "socket", required_argument, NULL, OPTION_SOCKET },
        { "json", no_argument, NULL, OPTION_JSON },
        { "bytes", no_argument, NULL, OPTION_BYTES },
        { "noheadings", no_argument, NULL, OPTION_NO_HEADINGS },
        { "help", no_argument, NULL, OPTION_HELP },
        { "version", no_argument, NULL, OPTION_VERSION },
        { "below", required_argument, NULL, OPTION_BELOW },
        { "addr-min", required_argument, NULL, OPTION_ADDR_MIN },
        { "addr-max", required_argument, NULL, OPTION_ADDR_MAX },
        { "sort", required_argument, NULL, OPTION_SORT },
        { "pool", required_argument, NULL, OPTION_POOL },
        { "size", required_argument, NULL, OPTION_SIZE },
        { "device", required_argument, NULL, OPTION_DEVICE },
        { "dma-bits", required_argument, NULL, OPTION_DMA_BITS },
        { "align", required_argument, NULL, OPTION_ALIGN },
        { "boundary", required_argument, NULL, OPTION_BOUNDARY },
        { "max-segments", required_argument, NULL, OPTION_MAX_SEGMENTS },
        { "max-segment", required_argument, NULL, OPTION_MAX_SEGMENT },
        { "label", required_argument, NULL, OPTION_LABEL },
        { "wait", required_argument, NULL, OPTION_WAIT },
        { "hold", required_argument, NULL, OPTION_HOLD },
        { 0 },
};

static const char *option_name(int id)
{
        for (size_t i = 0; options[i].name; i++)
                if (options[i].val == id)
                        return options[i].name;
        return "";
}

/* What a command must take for the option to be its; 0: every command has it. */
static unsigned option_belongs(int id)
{
        switch (id) {
        case OPTION_BELOW:
        case OPTION_ADDR_MIN:
        case OPTION_ADDR_MAX: return TAKES_WINDOW | TAKES_REQUEST;
        case OPTION_SORT: return TAKES_SORT;
        case OPTION_POOL: return TAKES_POOL | TAKES_REQUEST;
        case OPTION_SIZE:
        case OPTION_DEVICE:
        case OPTION_DMA_BITS:
        case OPTION_ALIGN:
        case OPTION_BOUNDARY:
        case OPTION_MAX_SEGMENTS:
        case OPTION_MAX_SEGMENT:
        case OPTION_LABEL: return TAKES_REQUEST;
        case OPTION_WAIT:
        case OPTION_HOLD: return TAKES_HOLD;
        default: return 0;
        }
}

/**
 * struct reading - a command line being read
 * @out:     what it says so far
 * @highest: the option that set the highest address; 0: none
 * @status:  exit status where reading ends
 */
struct reading {
        struct arguments *out;
        int highest;
        int status;
};

static bool wrong(struct reading *reading, const char *format, ...)
        __attribute__((__format__(__printf__, 2, 3)));

/* Tell what is wrong; always false. */
static bool wrong(struct reading *reading, const char *format, ...)
{
        const struct command *command = reading->out->command;
        va_list args;

        fputs("parctl: ", stderr);
        va_start(args, format);
        vfprintf(stderr, format, args);
        va_end(args);
        if (command)
                fprintf(stderr, "\nTry: parctl %s --help\n", command->name);
        else
                fputs("\nTry: parctl --help\n", stderr);
        reading->status = EXIT_USAGE;
        return false;
}

static bool read_size(struct reading *reading, int id, uint64_t *ret)
{
        if (size_parse(optarg, ret) == 0)
                return true;
        return wrong(reading, "--%s: \"%s\" is no number of bytes, such as 4096, 64K, 2M or 0x1000",
                     option_name(id), optarg);
}

static bool read_positive_size(struct reading *reading, int id, uint64_t *ret)
{
        if (!read_size(reading, id, ret))
                return false;
        return *ret || wrong(reading, "--%s: must be above 0", option_name(id));
}

static bool read_number(struct reading *reading, int id, uint64_t min, uint64_t max, uint64_t *ret)
{
        const char *rest;

        if (units_number(optarg, ret, &rest) == 0 && !*rest && *ret >= min && *ret <= max)
                return true;
        return wrong(reading, "--%s: \"%s\" is no number from %" PRIu64 " to %" PRIu64,
                     option_name(id), optarg, min, max);
}

static bool read_highest(struct reading *reading, int id)
{
        uint64_t value = 0, *last = &reading->out->addr_max;

        if (reading->highest && reading->highest != id)
                return wrong(reading, "--%s and --%s both set the highest address: give one",
                             option_name(reading->highest), option_name(id));
        reading->highest = id;
        switch (id) {
        case OPTION_BELOW:
                if (!read_positive_size(reading, id, &value))
                        return false;
                if (value == 1)
                        return wrong(reading, "--below: there is nothing below 1");
                *last = value - 1;
                return true;
        case OPTION_DMA_BITS:
                if (!read_number(reading, id, 1, 64, &value))
                        return false;
                *last = UINT64_MAX >> (64 - value);
                return true;
        default: return read_positive_size(reading, id, last);
        }
}

static bool read_segments(struct reading *reading, int id)
{
        uint64_t value = PAR_SEGMENTS_ANY;

        if (strcmp(optarg, "any") != 0 &&
            !read_number(reading, id, 1, PAR_SEGMENTS_ANY - 1, &value))
                return false;
        reading->out->max_segments = (uint32_t)value;
        return true;
}

static bool read_wait(struct reading *reading, int id)
{
        uint64_t value = 0;

        if (strcmp(optarg, "-1") == 0) {
                reading->out->wait_ms = -1;
                return true;
        }
        if (!read_number(reading, id, 0, INT32_MAX, &value))
                return false;
        reading->out->wait_ms = (int32_t)value;
        return true;
}

static bool read_hold(struct reading *reading, int id)
{
        uint64_t seconds = 0;

        if (!read_number(reading, id, 0, 1000000000, &seconds))
                return false;
        reading->out->hold_ns = seconds * NS_PER_S;
        return true;
}

static bool read_sort(struct reading *reading)
{
        const struct command *command = reading->out->command;

        reading->out->sort = optarg;
        if (table_has_column(command->columns, command->n_columns, optarg))
                return true;
        return wrong(reading, "--sort: %s have no column \"%s\"", command->name,
                     optarg + (*optarg == '-'));
}

static bool read_option(struct reading *reading, int id)
{
        struct arguments *out = reading->out;
        const unsigned belongs = option_belongs(id);

        if (belongs && !out->command)
                return wrong(reading, "--%s stands behind the command", option_name(id));
        if (belongs && !(belongs & out->command->takes))
                return wrong(reading, "%s does not take --%s", out->command->name, option_name(id));
        switch (id) {
        case OPTION_SOCKET: out->socket_path = optarg; return true;
        case OPTION_JSON: out->json = true; return true;
        case OPTION_BYTES: out->bytes = true; return true;
        case OPTION_NO_HEADINGS: out->no_headings = true; return true;
        case OPTION_POOL: out->pool = optarg; return true;
        case OPTION_DEVICE: out->device = optarg; return true;
        case OPTION_LABEL: out->label = optarg; return true;
        case OPTION_SORT: return read_sort(reading);
        case OPTION_ADDR_MIN: return read_size(reading, id, &out->addr_min);
        case OPTION_ADDR_MAX:
        case OPTION_BELOW:
        case OPTION_DMA_BITS: return read_highest(reading, id);
        case OPTION_SIZE: return read_positive_size(reading, id, &out->size);
        case OPTION_ALIGN: return read_positive_size(reading, id, &out->align);
        case OPTION_BOUNDARY: return read_positive_size(reading, id, &out->boundary);
        case OPTION_MAX_SEGMENT: return read_positive_size(reading, id, &out->max_segment_bytes);
        case OPTION_MAX_SEGMENTS: return read_segments(reading, id);
        case OPTION_WAIT: return read_wait(reading, id);
        case OPTION_HOLD: return read_hold(reading, id);
        case OPTION_HELP:
                help_print(out->command);
                reading->status = EXIT_DONE;
                return false;
        case OPTION_VERSION:
                printf("parctl %s\n", PARCTL_VERSION);
                reading->status = EXIT_DONE;
                return false;
        default: return wrong(reading, "unknown option \"%s\"", "");
        }
}

/* All options up to the next word or "--". */
static bool read_options(struct reading *reading, int argc, char *const *argv)
{
        int id;

        opterr = 0;
        while ((id = getopt_long(argc, argv, "+:", options, NULL)) != -1) {
                if (id == ':')
                        return wrong(reading, "%s needs a value", argv[optind - 1]);
                if (id == '?')
                        return wrong(reading, "unknown option or value: %s", argv[optind - 1]);
                if (!read_option(reading, id))
                        return false;
        }
        return true;
}

static bool read_command(struct reading *reading, const char *name)
{
        size_t n;
        const struct command *const *all = commands(&n);

        for (size_t i = 0; i < n; i++) {
                if (strcmp(all[i]->name, name) != 0)
                        continue;
                reading->out->command = all[i];
                return true;
        }
        return wrong(reading, "unknown command \"%s\"", name);
}

static bool read_child(struct reading *reading, int argc, char *const *argv)
{
        struct arguments *out = reading->out;

        if (optind == argc && strcmp(argv[optind - 1], "--") != 0)
                return true;
        if (strcmp(argv[optind - 1], "--") != 0)
                return wrong(reading, "unexpected \"%s\"", argv[optind]);
        if (!(out->command->takes & TAKES_HOLD))
                return wrong(reading, "%s does not run a command", out->command->name);
        if (optind == argc)
                return wrong(reading, "a command is missing after --");
        if (out->hold_ns)
                return wrong(reading, "--hold and -- COMMAND: give one");
        out->child_argv = argv + optind;
        return true;
}

static bool check(struct reading *reading)
{
        const struct arguments *out = reading->out;

        if ((out->command->takes & TAKES_REQUEST) && !out->size)
                return wrong(reading, "%s needs --size", out->command->name);
        return true;
}

bool arguments_parse(int argc, char *const *argv, struct arguments *ret, int *ret_status)
{
        struct reading reading = { .out = ret };
        bool done;

        *ret = (struct arguments){ 0 };
        done = read_options(&reading, argc, argv);
        if (done && optind >= argc)
                done = wrong(&reading, "a command is missing");
        done = done && read_command(&reading, argv[optind]);
        if (done) {
                optind++;
                done = read_options(&reading, argc, argv) && read_child(&reading, argc, argv) &&
                       check(&reading);
        }
        *ret_status = reading.status;
        return done;
}
