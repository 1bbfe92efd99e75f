/* SPDX-License-Identifier: MIT */
/* The limits there are, and how much of each is used. */
#include "commands.h"
#include "listing.h"
#include "macros.h"

#include <string.h>

static const struct column columns[] = {
        { "whom", CELL_TEXT, SHOW_ALWAYS },   { "pool", CELL_TEXT, SHOW_ALWAYS },
        { "limit", CELL_TEXT, SHOW_ALWAYS },  { "used", CELL_NUMBER, SHOW_ALWAYS },
        { "most", CELL_NUMBER, SHOW_ALWAYS }, { "set_by", CELL_TEXT, SHOW_ALWAYS },
};

enum { COLUMN_USED = 3, COLUMN_MOST };

/* Limits are filtered here: the protocol's list has all of them. */
static bool is_wanted(const void *row, const struct arguments *arguments)
{
        const Wire__Limit *limit = row;

        return !arguments->pool || strcmp(arguments->pool, limit->pool) == 0;
}

static bool is_of_bytes(const Wire__Limit *limit)
{
        return strcmp(limit->limit, "bytes") == 0 || strcmp(limit->limit, "claim") == 0;
}

static void fill(const void *row, struct cell cells[LISTING_COLUMNS_MAX])
{
        const Wire__Limit *limit = row;
        struct cell values[] = {
                CELL_TEXT_OF(limit->whom),  CELL_TEXT_OF(limit->pool),
                CELL_TEXT_OF(limit->limit), CELL_IF(limit->counted, limit->used),
                CELL_OF(limit->most),       CELL_TEXT_OF(limit->set_by),
        };

        _Static_assert(ARRAY_SIZE(values) == ARRAY_SIZE(columns), "a cell for each column");
        values[COLUMN_USED].is_size = values[COLUMN_MOST].is_size = is_of_bytes(limit);
        memcpy(cells, values, sizeof(values));
}

static struct listing_page page(const Wire__Reply *reply)
{
        return (struct listing_page){
                .rows = (void *const *)reply->limits->limits,
                .n = reply->limits->n_limits,
                .next_cursor = reply->limits->next_cursor,
        };
}

static int show(const struct arguments *arguments, struct ask *ask, const struct output *output)
{
        static const struct listing listing = {
                .body = WIRE__REQUEST__BODY_LIMITS,
                .reply = WIRE__REPLY__BODY_LIMITS,
                .page = page,
                .wanted = is_wanted,
                .fill = fill,
        };

        return listing_show(&listing, arguments, ask, output);
}

const struct command command_limits = {
        .name = "limits",
        .takes = TAKES_POOL | TAKES_SORT | TAKES_WATCH,
        .summary = "Show quotas, claims and other limits, and how much of each is used",
        .help = "bytes, frames and buffers are of quotas: what is charged to a user or a group in "
                "a "
                "pool, in whole frames, until it is really gone. A claim is what of a pool is kept "
                "for somebody, in bytes: \"most\" is what is kept, and \"used\" may be more, since "
                "beyond his claim one is like all others.\n\nset_by is the key or section of the "
                "configuration; limits without it are fixed. A session that has reached "
                "one of these is heard again when it has read its replies. Administrators are told "
                "of all users, others of themselves.",
        .columns = columns,
        .n_columns = ARRAY_SIZE(columns),
        .show = show,
};
