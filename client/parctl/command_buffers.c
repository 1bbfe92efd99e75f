/* SPDX-License-Identifier: MIT */
/* The buffers: who has which memory, and who has low memory without needing it. */
#include "commands.h"
#include "listing.h"
#include "macros.h"

#include <string.h>

static const struct column columns[] = {
        { "buffer", CELL_NUMBER, SHOW_ALWAYS }, { "label", CELL_NAME, SHOW_ALWAYS },
        { "name", CELL_NAME, SHOW_UNUSUAL },    { "client", CELL_NAME, SHOW_ALWAYS },
        { "pid", CELL_NUMBER, SHOW_WIDE },      { "uid", CELL_NUMBER, SHOW_WIDE },
        { "pool", CELL_TEXT, SHOW_ALWAYS },     { "size", CELL_SIZE, SHOW_ALWAYS },
        { "segments", CELL_NUMBER, SHOW_JSON }, { "first", CELL_ADDRESS, SHOW_ALWAYS },
        { "last", CELL_ADDRESS, SHOW_WIDE },    { "needs_below", CELL_ADDRESS, SHOW_ALWAYS },
        { "state", CELL_TEXT, SHOW_ALWAYS },    { "age_s", CELL_SECONDS, SHOW_WIDE },
        { "holders", CELL_NUMBER, SHOW_JSON },  { "lasting", CELL_BOOL, SHOW_JSON },
        { "note", CELL_TEXT, SHOW_BELOW },
};

/* Not those whose own limit keeps them in the window that was asked for. */
static bool is_wanted(const void *row, const struct arguments *arguments)
{
        const Wire__Buffer *buffer = row;

        return !arguments->without_need || !buffer->needs_below ||
               buffer->needs_below > arguments->addr_max;
}

static void fill(const void *row, struct cell cells[LISTING_COLUMNS_MAX])
{
        const Wire__Buffer *buffer = row;
        const struct cell values[] = {
                CELL_OF(buffer->buffer),
                CELL_TEXT_OF(buffer->label),
                CELL_TEXT_OF(buffer->name),
                CELL_TEXT_IF(buffer->known, buffer->client),
                CELL_IF(buffer->known, buffer->pid),
                CELL_IF(buffer->known, buffer->uid),
                CELL_TEXT_OF(buffer->pool),
                CELL_OF(buffer->size),
                CELL_IF(!buffer->hidden, buffer->segments),
                CELL_IF(!buffer->hidden, buffer->first),
                CELL_IF(!buffer->hidden, buffer->last),
                CELL_IF(buffer->needs_below != 0, buffer->needs_below),
                CELL_TEXT_OF(buffer->state),
                CELL_OF(buffer->age_ms / 1000),
                CELL_IF(buffer->shared, buffer->holders),
                CELL_YES_IF(buffer->lasting),
                CELL_TEXT_OF(buffer->note),
        };

        _Static_assert(ARRAY_SIZE(values) == ARRAY_SIZE(columns), "a cell for each column");
        memcpy(cells, values, sizeof(values));
}

static struct listing_page page(const Wire__Reply *reply)
{
        return (struct listing_page){
                .rows = (void *const *)reply->buffers->buffers,
                .n = reply->buffers->n_buffers,
                .next_cursor = reply->buffers->next_cursor,
        };
}

static int show(const struct arguments *arguments, struct ask *ask, const struct output *output)
{
        static const struct listing listing = {
                .body = WIRE__REQUEST__BODY_BUFFERS,
                .reply = WIRE__REPLY__BODY_BUFFERS,
                .page = page,
                .wanted = is_wanted,
                .fill = fill,
        };

        return listing_show(&listing, arguments, ask, output);
}

const struct command command_buffers = {
        .name = "buffers",
        .takes = TAKES_WINDOW | TAKES_POOL | TAKES_SORT | TAKES_WATCH | TAKES_NEED,
        .summary = "Show the buffers: who has which memory, and which limit it needs",
        .help = "needs_below is the highest address that the buffer's own request "
                "allowed: a buffer without it in low memory need not be there. \"parctl buffers "
                "--below "
                "4G --without-need --sort -size\" lists who could make room there. Whose a "
                "buffer is, only administrators are told of others.\n\nOf what is in quarantine "
                "the "
                "note tells what it waits for: a device that is still bus master, say.\n\nA buffer "
                "with a name can be open in several programs (holders), and one that is lasting in "
                "none; the client is the one that allocated it, which may be gone.",
        .columns = columns,
        .n_columns = ARRAY_SIZE(columns),
        .show = show,
};
