/* SPDX-License-Identifier: MIT */
/*
 * The options of all commands: one table for reading the command line and for --help.
 */
#pragma once

#include <stddef.h>

/* Options beyond the general ones, as a set: which of them a command takes. */
enum {
        TAKES_WINDOW = 1u << 0,  /* --below, --addr-min, --addr-max: what reaches there */
        TAKES_SORT = 1u << 1,    /* --sort, --columns */
        TAKES_POOL = 1u << 2,    /* --pool */
        TAKES_REQUEST = 1u << 3, /* --size, --device, --align ... */
        TAKES_HOLD = 1u << 4,    /* --name, --lasting, --allow, --wait, --hold, -- COMMAND */
        TAKES_PICTURE = 1u << 5, /* --rows, --scale, --svg */
        TAKES_WATCH = 1u << 6,   /* --watch */
        TAKES_NEED = 1u << 7,    /* --without-need */
        TAKES_RESIZE = 1u << 8,  /* --by, --to, --no-wait */
        TAKES_DRAIN = 1u << 9,   /* --below, --addr-min, --addr-max, --end, --wait */
        TAKES_OWNER = 1u << 10,  /* --client, --client-name, --pool, --yes */
        TAKES_LOOKUP = 1u << 11, /* --iova, --device: of that device */
};

enum option_id {
        OPTION_SOCKET = 256, /* no character */
        OPTION_JSON,
        OPTION_BYTES,
        OPTION_NO_HEADINGS,
        OPTION_NO_COLOR,
        OPTION_HELP,
        OPTION_VERSION,
        OPTION_BELOW,
        OPTION_ADDR_MIN,
        OPTION_ADDR_MAX,
        OPTION_SORT,
        OPTION_COLUMNS,
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
        OPTION_ROWS,
        OPTION_SCALE,
        OPTION_SVG,
        OPTION_WATCH,
        OPTION_WITHOUT_NEED,
        OPTION_BY,
        OPTION_TO,
        OPTION_NO_WAIT,
        OPTION_END,
        OPTION_WAIT_EMPTY,
        OPTION_CLIENT,
        OPTION_CLIENT_NAME,
        OPTION_YES,
        OPTION_IOVA,
        OPTION_VFIO,
        OPTION_NAME,
        OPTION_LASTING,
        OPTION_ALLOW,
};

/**
 * struct option_spec - one option of some commands
 * @name:  without its dashes
 * @value: what it needs, in capitals; NULL: nothing; "[=...]" where it may be left out
 * @id:    what it means; several entries may mean the same, with other words for it
 * @takes: the commands that have it: those with any of these bits; 0: all
 * @text:  for --help
 */
struct option_spec {
        const char *name, *value;
        enum option_id id;
        unsigned takes;
        const char *text;
};

/* All of them, in the order of --help; *ret_count tells how many. */
const struct option_spec *options_all(size_t *ret_count);

/* Of a command that takes @takes; NULL: it has no such option. */
const struct option_spec *options_find(unsigned takes, const char *name);

/* What it is called; "" for no option at all. */
const char *option_name(enum option_id id);
