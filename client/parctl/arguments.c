/* SPDX-License-Identifier: MIT */
/*
 * Owns nothing. One table of options for all commands; each command says which of them it takes,
 * and any other is refused. Wrong usage gets one line and a hint, never the whole help.
 */
#include "arguments.h"

#include "complain.h"
#include "exits.h"
#include "help.h"
#include "map_rows.h"
#include "par.h"
#include "subject.h"
#include "table.h"
#include "units.h"

#include <assert.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdlib.h>

/**
 * struct reading - a command line being read
 * @out:     what it says so far
 * @highest: the option that set the highest address, where @has_highest
 * @status:  exit status where reading ends
 */
struct reading {
        struct arguments *out;
        enum option_id highest;
        bool has_highest;
        int status;
};

static bool wrong(struct reading *reading, const char *format, ...)
        __attribute__((__format__(__printf__, 2, 3)));

/* Tell what is wrong; always false. */
static bool wrong(struct reading *reading, const char *format, ...)
{
        const struct command *command = reading->out->command;
        char text[512];
        va_list args;

        va_start(args, format);
        vsnprintf(text, sizeof(text), format, args);
        va_end(args);
        if (command)
                complain("%s\nTry: parctl %s --help", text, command->name);
        else
                complain("%s\nTry: parctl --help", text);
        reading->status = EXIT_USAGE;
        return false;
}

static bool read_size(struct reading *reading, enum option_id id, uint64_t *ret)
{
        if (size_parse(optarg, ret) == 0)
                return true;
        return wrong(reading, "--%s: \"%s\" is no number of bytes, such as 4096, 64K, 2M or 0x1000",
                     option_name(id), optarg);
}

static bool read_positive_size(struct reading *reading, enum option_id id, uint64_t *ret)
{
        if (!read_size(reading, id, ret))
                return false;
        return *ret || wrong(reading, "--%s: must be above 0", option_name(id));
}

static bool read_number(struct reading *reading, enum option_id id, uint64_t min, uint64_t max,
                        uint64_t *ret)
{
        const char *rest;

        if (units_number(optarg, ret, &rest) == 0 && !*rest && *ret >= min && *ret <= max)
                return true;
        return wrong(reading, "--%s: \"%s\" is no number from %" PRIu64 " to %" PRIu64,
                     option_name(id), optarg, min, max);
}

static bool read_highest(struct reading *reading, enum option_id id)
{
        uint64_t value = 0, *last = &reading->out->addr_max;

        if (reading->has_highest && reading->highest != id)
                return wrong(reading, "--%s and --%s both set the highest address: give one",
                             option_name(reading->highest), option_name(id));
        reading->highest = id;
        reading->has_highest = true;
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

static bool read_segments(struct reading *reading, enum option_id id)
{
        uint64_t value = PAR_SEGMENTS_ANY;
        const char *rest;

        if (strcmp(optarg, "any") != 0 && (units_number(optarg, &value, &rest) != 0 || *rest ||
                                           !value || value >= PAR_SEGMENTS_ANY))
                return wrong(reading, "--%s: \"%s\" is neither \"any\" nor a number from 1 to %u",
                             option_name(id), optarg, PAR_SEGMENTS_ANY - 1);
        reading->out->max_segments = (uint32_t)value;
        return true;
}

static bool read_wait(struct reading *reading, enum option_id id)
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

static bool read_hold(struct reading *reading, enum option_id id)
{
        uint64_t seconds = 0;

        if (!read_number(reading, id, 0, 1000000000, &seconds))
                return false;
        reading->out->hold_ns = seconds * NS_PER_S;
        return true;
}

static bool read_rows(struct reading *reading, enum option_id id)
{
        uint64_t value = 0;

        if (!read_number(reading, id, 1, 1000000, &value))
                return false;
        reading->out->rows = value;
        return true;
}

static bool read_scale(struct reading *reading, enum option_id id)
{
        uint64_t *scale = &reading->out->scale;

        if (!read_size(reading, id, scale))
                return false;
        if (*scale % MAP_BLOCK_BYTES == 0 && *scale && *scale <= MAP_BLOCK_LIMIT)
                return true;
        return wrong(reading, "--%s: must be a multiple of 4K, up to 1024T", option_name(id));
}

static bool read_watch(struct reading *reading, enum option_id id)
{
        uint64_t seconds = 2;

        if (optarg && !read_number(reading, id, 1, 86400, &seconds))
                return false;
        reading->out->watch_ns = seconds * NS_PER_S;
        return true;
}

/* Names of columns with commas between them. */
static bool read_columns(struct reading *reading, enum option_id id, bool signs, const char **ret)
{
        const struct command *command = reading->out->command;
        const char *name = optarg;

        *ret = optarg;
        for (;;) {
                const size_t length = strcspn(name, ",");
                const size_t sign = signs && *name == '-';

                if (table_find_column(command->columns, command->n_columns, name + sign,
                                      length - sign) == command->n_columns)
                        return wrong(reading, "--%s: %s have no column \"%.*s\"", option_name(id),
                                     command->name, (int)(length - sign), name + sign);
                if (!name[length])
                        return true;
                name += length + 1;
        }
}

static bool read_option(struct reading *reading, enum option_id id)
{
        struct arguments *out = reading->out;

        switch (id) {
        case OPTION_SOCKET: out->socket_path = optarg; return true;
        case OPTION_JSON: out->json = true; return true;
        case OPTION_BYTES: out->bytes = true; return true;
        case OPTION_NO_HEADINGS: out->no_headings = true; return true;
        case OPTION_NO_COLOR: out->no_color = true; return true;
        case OPTION_POOL: out->pool = optarg; return true;
        case OPTION_DEVICE: out->device = optarg; return true;
        case OPTION_LABEL: out->label = optarg; return true;
        case OPTION_NAME: out->name = optarg; return true;
        case OPTION_LASTING: out->lasting = true; return true;
        case OPTION_ALLOW: out->allow = optarg; return true;
        case OPTION_SORT: return read_columns(reading, id, true, &out->sort);
        case OPTION_COLUMNS: return read_columns(reading, id, false, &out->columns);
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
        case OPTION_ROWS: return read_rows(reading, id);
        case OPTION_SCALE: return read_scale(reading, id);
        case OPTION_SVG: out->svg = optarg; return true;
        case OPTION_WATCH: return read_watch(reading, id);
        case OPTION_WITHOUT_NEED: out->without_need = true; return true;
        case OPTION_LINGERING: out->lingering = true; return true;
        case OPTION_BY: return read_positive_size(reading, id, &out->by);
        case OPTION_TO: return read_positive_size(reading, id, &out->to);
        case OPTION_NO_WAIT: out->no_wait = true; return true;
        case OPTION_END: out->end = true; return true;
        case OPTION_WAIT_EMPTY: out->wait_empty = true; return true;
        case OPTION_CLIENT: return read_number(reading, id, 1, UINT64_MAX, &out->client);
        case OPTION_CLIENT_NAME: out->client_name = optarg; return true;
        case OPTION_YES: out->yes = true; return true;
        case OPTION_IOVA: out->iova = true; return true;
        case OPTION_VFIO: out->vfio = true; return true;
        case OPTION_HELP:
                help_print(out->command);
                reading->status = EXIT_DONE;
                return false;
        case OPTION_VERSION:
                printf("parctl %s\n", PARCTL_VERSION);
                reading->status = EXIT_DONE;
                return false;
        }
        return false;
}

/* Tell why getopt_long() does not know what it has just read. */
static bool wrong_option(struct reading *reading, const char *word)
{
        const struct command *command = reading->out->command;
        char name[64];

        /* A character. There are no such options, and @word may be another word. */
        if (optopt && optopt < OPTION_SOCKET)
                return wrong(reading, "unknown option: -%c", optopt);
        if (optopt)
                return wrong(reading, "--%s takes no value", option_name((enum option_id)optopt));
        snprintf(name, sizeof(name), "%s", strncmp(word, "--", 2) == 0 ? word + 2 : "");
        name[strcspn(name, "=")] = '\0';
        if (!options_find(~0u, name))
                return wrong(reading, "unknown option: %s", word);
        if (!command)
                return wrong(reading, "--%s stands behind the command", name);
        return wrong(reading, "%s does not take --%s", command->name, name);
}

#define OPTIONS_MAX 64

/* What getopt_long() wants to know of the options of a command that takes @takes. */
static void fill_options(unsigned takes, struct option options[OPTIONS_MAX])
{
        size_t n_specs, n = 0;
        const struct option_spec *specs = options_all(&n_specs);

        for (size_t i = 0; i < n_specs; i++) {
                if (options_find(takes, specs[i].name) != &specs[i])
                        continue;
                assert(n + 1 < OPTIONS_MAX);
                options[n++] = (struct option){
                        .name = specs[i].name,
                        .has_arg = specs[i].value ? required_argument : no_argument,
                        .val = (int)specs[i].id,
                };
                if (specs[i].value && *specs[i].value == '[')
                        options[n - 1].has_arg = optional_argument;
        }
        options[n] = (struct option){ 0 };
}

/* All options; where @mixed they may stand behind other words as well, which become the last. */
static bool read_options(struct reading *reading, int argc, char *const *argv, bool mixed)
{
        const struct command *command = reading->out->command;
        struct option options[OPTIONS_MAX];
        int id;

        fill_options(command ? command->takes : 0, options);
        opterr = 0;
        optind = 0; /* from the start, and anew */
        while ((id = getopt_long(argc, argv, mixed ? ":" : "+:", options, NULL)) != -1) {
                if (id == ':')
                        return wrong(reading, "%s needs a value", argv[optind - 1]);
                if (id == '?')
                        return wrong_option(reading, argv[optind - 1]);
                if (!read_option(reading, (enum option_id)id))
                        return false;
        }
        return true;
}

/* What follows the options of a command that runs another. */
static bool read_child(struct reading *reading, int argc, char *const *argv)
{
        struct arguments *out = reading->out;
        const bool marked = strcmp(argv[optind - 1], "--") == 0;

        if (!marked && optind == argc)
                return true;
        if (!marked)
                return wrong(reading, "unexpected \"%s\"", argv[optind]);
        if (optind == argc)
                return wrong(reading, "a command is missing after --");
        if (out->hold_ns)
                return wrong(reading, "--hold and -- COMMAND: give one");
        out->child_argv = argv + optind;
        return true;
}

static bool check_subject(struct reading *reading, const char *text)
{
        const struct arguments *out = reading->out;
        struct subject subject;

        if (strcmp(text, "-") == 0)
                return true;
        if (!subject_parse(text, out->iova, &subject))
                return wrong(reading,
                             "%s: \"%s\" is no address, such as 0x38a01000 or 4G, and no line of "
                             "an IOMMU fault",
                             out->command->name, text);
        return subject.kind != SUBJECT_PHYS || !out->device ||
               wrong(reading, "--device: %s is a physical address; of an I/O address give --iova",
                     text);
}

static bool check_operand(struct reading *reading, const char *text)
{
        const char *name = reading->out->command->name, *rest;
        uint64_t value;

        switch (reading->out->command->operand) {
        case OPERAND_TEXT: return true;
        case OPERAND_SUBJECT: return check_subject(reading, text);
        case OPERAND_NUMBER:
                return (units_number(text, &value, &rest) == 0 && !*rest && value) ||
                       wrong(reading, "%s: \"%s\" is no number above 0", name, text);
        }
        return false;
}

static bool read_operands(struct reading *reading, int argc, char *const *argv)
{
        struct arguments *out = reading->out;
        const struct command *command = out->command;

        out->operands = argv + optind;
        out->n_operands = (size_t)(argc - optind);
        if (out->n_operands > command->operands_max)
                return wrong(reading, "unexpected \"%s\"", out->operands[command->operands_max]);
        if (out->n_operands < command->operands_min)
                return wrong(reading, "%s needs %s", command->name, command->operands);
        for (size_t i = 0; i < out->n_operands; i++)
                if (!check_operand(reading, out->operands[i]))
                        return false;
        return true;
}

static bool check(struct reading *reading)
{
        const struct arguments *out = reading->out;

        if ((out->command->takes & TAKES_REQUEST) && !out->size)
                return wrong(reading, "%s needs --size", out->command->name);
        if (out->vfio && !out->device)
                return wrong(reading, "--vfio needs --device");
        if (out->lasting && !out->name)
                return wrong(reading, "--lasting needs --name");
        if (out->allow && !out->name)
                return wrong(reading, "--allow needs --name");
        if ((out->command->takes & TAKES_RESIZE) && !out->by && !out->to)
                return wrong(reading, "%s needs --by or --to", out->command->name);
        if (out->by && out->to)
                return wrong(reading, "--by and --to: give one");
        if ((out->command->takes & TAKES_OWNER) && !out->n_operands && !out->client &&
            !out->client_name && !out->pool)
                return wrong(reading, "%s needs BUFFER..., --client, --client-name or --pool",
                             out->command->name);
        if (out->without_need && !out->addr_max)
                return wrong(reading, "--without-need: needs --below or --addr-max");
        if (out->end && out->wait_empty)
                return wrong(reading, "--end and --wait: give one");
        if (out->watch_ns && out->svg)
                return wrong(reading, "--watch and --svg: give one");
        if (out->rows && out->scale)
                return wrong(reading, "--rows and --scale: give one");
        return true;
}

/* The command and all behind it; argv[0] is its word. */
static bool read_command(struct reading *reading, int argc, char *const *argv)
{
        struct arguments *out = reading->out;
        bool mixed;

        out->command = command_find(argv[0]);
        if (!out->command)
                return wrong(reading, "unknown command \"%s\"", argv[0]);
        mixed = !(out->command->takes & TAKES_HOLD);
        if (!read_options(reading, argc, argv, mixed))
                return false;
        if (!(mixed ? read_operands : read_child)(reading, argc, argv))
                return false;
        return check(reading);
}

bool arguments_parse(int argc, char *const *argv, struct arguments *ret, int *ret_status)
{
        struct reading reading = { .out = ret };
        bool done;

        *ret = (struct arguments){ 0 };
        done = read_options(&reading, argc, argv, false);
        if (done && optind >= argc)
                done = wrong(&reading, "a command is missing");
        done = done && read_command(&reading, argc - optind, argv + optind);
        *ret_status = reading.status;
        return done;
}
