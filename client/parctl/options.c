/* SPDX-License-Identifier: MIT */
/*
 * Owns the table of options. An option that two kinds of commands have in different senses is in it
 * twice.
 */
#include "options.h"

#include "macros.h"

#include <string.h>

static const struct option_spec specs[] = {
        { "below", "ADDRESS", OPTION_BELOW, TAKES_WINDOW, "only what reaches below this address" },
        { "addr-min", "ADDRESS", OPTION_ADDR_MIN, TAKES_WINDOW,
          "only what reaches to this address or above it" },
        { "addr-max", "ADDRESS", OPTION_ADDR_MAX, TAKES_WINDOW,
          "only what reaches to this address or below it" },
        { "pool", "NAME", OPTION_POOL, TAKES_POOL, "only this pool" },
        { "sort", "COLUMNS", OPTION_SORT, TAKES_SORT,
          "a,-b: lowest a first, for equal ones highest b" },
        { "columns", "COLUMNS", OPTION_COLUMNS, TAKES_SORT, "a,b: text has these, in this order" },

        { "without-need", NULL, OPTION_WITHOUT_NEED, TAKES_NEED,
          "only buffers that might as well lie above --below or --addr-max" },
        { "rows", "N", OPTION_ROWS, TAKES_PICTURE,
          "at most N lines; default: as the terminal has" },
        { "scale", "SIZE", OPTION_SCALE, TAKES_PICTURE,
          "memory in a block; default: so that it fits" },
        { "svg", "FILE", OPTION_SVG, TAKES_PICTURE, "write a picture to FILE; -: standard output" },

        { "size", "SIZE", OPTION_SIZE, TAKES_REQUEST, "how much; needed" },
        { "device", "NAMES", OPTION_DEVICE, TAKES_REQUEST,
          "a,b: within the limits of these devices of pard's configuration" },
        { "vfio", NULL, OPTION_VFIO, TAKES_REQUEST,
          "map it for --device, a PCI address, behind an IOMMU: limits are of I/O addresses" },
        { "dma-bits", "N", OPTION_DMA_BITS, TAKES_REQUEST, "addresses of at most N bits" },
        { "below", "ADDRESS", OPTION_BELOW, TAKES_REQUEST, "below this address" },
        { "addr-max", "ADDRESS", OPTION_ADDR_MAX, TAKES_REQUEST,
          "up to and including this address" },
        { "addr-min", "ADDRESS", OPTION_ADDR_MIN, TAKES_REQUEST, "from this address on" },
        { "align", "SIZE", OPTION_ALIGN, TAKES_REQUEST,
          "every segment starts on a multiple of this power of two" },
        { "boundary", "SIZE", OPTION_BOUNDARY, TAKES_REQUEST,
          "no segment straddles a multiple of this power of two" },
        { "max-segments", "N", OPTION_MAX_SEGMENTS, TAKES_REQUEST,
          "in up to N pieces, or \"any\" number; default: 1" },
        { "max-segment", "SIZE", OPTION_MAX_SEGMENT, TAKES_REQUEST, "no piece is longer" },
        { "pool", "NAME", OPTION_POOL, TAKES_REQUEST, "from this pool only" },
        { "label", "TEXT", OPTION_LABEL, TAKES_REQUEST, "what lists show beside the buffer" },
        { "name", "TEXT", OPTION_NAME, TAKES_HOLD, "by which others can open it" },
        { "lasting", NULL, OPTION_LASTING, TAKES_HOLD,
          "it stays until \"parctl remove\"; takes --name" },
        { "allow", "WHOM", OPTION_ALLOW, TAKES_HOLD,
          "user:A,group:B: who else may open it by its name" },
        { "wait", "MS", OPTION_WAIT, TAKES_HOLD, "milliseconds to wait for memory; -1: for ever" },
        { "hold", "SECONDS", OPTION_HOLD, TAKES_HOLD, "keep the buffer so long" },

        { "by", "SIZE", OPTION_BY, TAKES_RESIZE, "by how much its goal changes" },
        { "to", "SIZE", OPTION_TO, TAKES_RESIZE, "what its goal becomes" },
        { "no-wait", NULL, OPTION_NO_WAIT, TAKES_RESIZE, "do not wait until it is there" },

        { "below", "ADDRESS", OPTION_BELOW, TAKES_DRAIN,
          "only frames that reach below this address" },
        { "addr-min", "ADDRESS", OPTION_ADDR_MIN, TAKES_DRAIN,
          "only frames that reach to this address or above it" },
        { "addr-max", "ADDRESS", OPTION_ADDR_MAX, TAKES_DRAIN,
          "only frames that reach to this address or below it" },
        { "end", NULL, OPTION_END, TAKES_DRAIN, "grant from there again" },
        { "wait", NULL, OPTION_WAIT_EMPTY, TAKES_DRAIN, "wait until nothing is in use there" },

        { "client", "N", OPTION_CLIENT, TAKES_OWNER,
          "of this client, by its number (id) in clients" },
        { "client-name", "NAME", OPTION_CLIENT_NAME, TAKES_OWNER, "of clients of this name" },
        { "pool", "NAME", OPTION_POOL, TAKES_OWNER, "in this pool" },
        { "yes", NULL, OPTION_YES, TAKES_OWNER, "do not ask; needed without a terminal" },

        { "iova", NULL, OPTION_IOVA, TAKES_LOOKUP, "addresses are I/O addresses" },
        { "device", "NAME", OPTION_DEVICE, TAKES_LOOKUP,
          "of this device: its name, or its PCI address" },

        { "watch", "[=SECONDS]", OPTION_WATCH, TAKES_WATCH,
          "show it again and again; default: every 2 seconds" },

        { "socket", "PATH", OPTION_SOCKET, 0, "default: $PAR_SOCKET or /run/pard/pard.sock" },
        { "json", NULL, OPTION_JSON, 0, "JSON; sizes in bytes, addresses as hexadecimal texts" },
        { "bytes", NULL, OPTION_BYTES, 0, "print sizes in bytes instead of K, M, G, T" },
        { "noheadings", NULL, OPTION_NO_HEADINGS, 0, "print lists without their headings" },
        { "no-color", NULL, OPTION_NO_COLOR, 0, "no colours, and no characters beyond ASCII" },
        { "help", NULL, OPTION_HELP, 0, "print the help of parctl or of a command" },
        { "version", NULL, OPTION_VERSION, 0, "print the version" },
};

const struct option_spec *options_all(size_t *ret_count)
{
        *ret_count = ARRAY_SIZE(specs);
        return specs;
}

const struct option_spec *options_find(unsigned takes, const char *name)
{
        for (size_t i = 0; i < ARRAY_SIZE(specs); i++)
                if (strcmp(specs[i].name, name) == 0 &&
                    (!specs[i].takes || (specs[i].takes & takes)))
                        return &specs[i];
        return NULL;
}

const char *option_name(enum option_id id)
{
        for (size_t i = 0; i < ARRAY_SIZE(specs); i++)
                if (specs[i].id == id)
                        return specs[i].name;
        return "";
}
