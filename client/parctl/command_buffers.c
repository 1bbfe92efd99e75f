/* SPDX-License-Identifier: MIT */
/* The buffers: who has which memory, and who has low memory without needing it. */
#include "commands.h"
#include "listing.h"
#include "macros.h"

static const struct column columns[] = {
        { "buffer", CELL_NUMBER, SHOW_ALWAYS }, { "label", CELL_NAME, SHOW_ALWAYS },
        { "name", CELL_NAME, SHOW_JSON },       { "client", CELL_NAME, SHOW_ALWAYS },
        { "pid", CELL_NUMBER, SHOW_WIDE },      { "uid", CELL_NUMBER, SHOW_WIDE },
        { "pool", CELL_TEXT, SHOW_ALWAYS },     { "size", CELL_SIZE, SHOW_ALWAYS },
        { "segments", CELL_NUMBER, SHOW_JSON }, { "first", CELL_ADDRESS, SHOW_ALWAYS },
        { "last", CELL_ADDRESS, SHOW_WIDE },    { "needs_below", CELL_ADDRESS, SHOW_ALWAYS },
        { "state", CELL_TEXT, SHOW_ALWAYS },    { "age_s", CELL_SECONDS, SHOW_WIDE },
};

static int add_buffer(struct table *table, const Wire__Buffer *buffer)
{
        const struct cell cells[] = {
                CELL_OF(buffer->buffer),
                CELL_TEXT_OF(buffer->label),
                CELL_TEXT_OF(NULL), /* no buffer has a name of its own yet */
                CELL_TEXT_IF(buffer->known, buffer->client),
                CELL_IF(buffer->known, buffer->pid),
                CELL_IF(buffer->known, buffer->uid),
                CELL_TEXT_OF(buffer->pool),
                CELL_OF(buffer->size),
                CELL_OF(buffer->segments),
                CELL_OF(buffer->first),
                CELL_OF(buffer->last),
                CELL_IF(buffer->needs_below != 0, buffer->needs_below),
                CELL_TEXT_OF(buffer->state),
                CELL_OF(buffer->age_ms / 1000),
        };

        _Static_assert(ARRAY_SIZE(cells) == ARRAY_SIZE(columns), "a cell for each column");
        return table_add(table, cells);
}

static int add(struct table *table, const struct arguments *arguments, const Wire__Reply *reply,
               uint64_t *ret_cursor)
{
        int r = 0;

        (void)arguments;
        for (size_t i = 0; i < reply->buffers->n_buffers && !r; i++)
                r = add_buffer(table, reply->buffers->buffers[i]);
        *ret_cursor = reply->buffers->next_cursor;
        return r;
}

static int run(const struct arguments *arguments)
{
        static const struct listing listing = {
                .body = WIRE__REQUEST__BODY_BUFFERS,
                .reply = WIRE__REPLY__BODY_BUFFERS,
                .add = add,
        };

        return listing_run(&listing, arguments);
}

const struct command command_buffers = {
        .name = "buffers",
        .takes = TAKES_WINDOW | TAKES_POOL | TAKES_SORT,
        .summary = "Show the buffers: who has which memory, and which limit it needs",
        .help = "needs_below is the highest address that the buffer's own request "
                "allowed: a buffer without it in low memory need not be there. Whose a "
                "buffer is, only administrators are told of others.",
        .columns = columns,
        .n_columns = ARRAY_SIZE(columns),
        .run = run,
};
