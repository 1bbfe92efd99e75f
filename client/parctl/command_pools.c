/* SPDX-License-Identifier: MIT */
/* The pools: what each holds, and in which state its bytes are. */
#include "commands.h"
#include "listing.h"
#include "macros.h"
#include "pools.h"
#include "progress.h"

#include <string.h>

static const struct column columns[] = {
        { "pool", CELL_TEXT, SHOW_ALWAYS },         { "backend", CELL_TEXT, SHOW_JSON },
        { "first", CELL_ADDRESS, SHOW_ALWAYS },     { "last", CELL_ADDRESS, SHOW_ALWAYS },
        { "page_size", CELL_SIZE, SHOW_WIDE },      { "node", CELL_NUMBER, SHOW_JSON },
        { "size_min", CELL_SIZE, SHOW_JSON },       { "size_max", CELL_SIZE, SHOW_JSON },
        { "held", CELL_SIZE, SHOW_ALWAYS },         { "free", CELL_SIZE, SHOW_ALWAYS },
        { "granted", CELL_SIZE, SHOW_ALWAYS },      { "reusable", CELL_SIZE, SHOW_UNUSUAL },
        { "leaving", CELL_SIZE, SHOW_UNUSUAL },     { "lingering", CELL_SIZE, SHOW_UNUSUAL },
        { "quarantined", CELL_SIZE, SHOW_UNUSUAL }, { "retired", CELL_SIZE, SHOW_UNUSUAL },
        { "largest_run", CELL_SIZE, SHOW_WIDE },    { "pinned", CELL_BOOL, SHOW_UNUSUAL },
        { "state", CELL_TEXT, SHOW_ALWAYS },        { "lost_to_system", CELL_NUMBER, SHOW_UNUSUAL },
        { "allowed", CELL_BOOL, SHOW_UNUSUAL },     { "note", CELL_TEXT, SHOW_BELOW },
        { "goal", CELL_SIZE, SHOW_WIDE },           { "spare", CELL_SIZE, SHOW_JSON },
        { "run_min", CELL_SIZE, SHOW_JSON },        { "taking", CELL_SIZE, SHOW_JSON },
        { "taken", CELL_SIZE, SHOW_JSON },          { "held_aside", CELL_SIZE, SHOW_JSON },
        { "draining", CELL_SIZE, SHOW_UNUSUAL },    { "waiting", CELL_NUMBER, SHOW_UNUSUAL },
        { "hidden", CELL_BOOL, SHOW_JSON },         { "quota", CELL_SIZE, SHOW_JSON },
        { "claimed", CELL_SIZE, SHOW_UNUSUAL },     { "claims_unused", CELL_SIZE, SHOW_UNUSUAL },
};

/* Pools are filtered here: the protocol's list of pools has all of them. */
static bool is_wanted(const void *row, const struct arguments *arguments)
{
        const Wire__Pool *pool = row;

        if (arguments->pool && strcmp(arguments->pool, pool->pool) != 0)
                return false;
        return pool->last >= arguments->addr_min &&
               (!arguments->addr_max || pool->first <= arguments->addr_max);
}

static void fill(const void *row, struct cell cells[LISTING_COLUMNS_MAX])
{
        const Wire__Pool *pool = row;
        const Wire__StateBytes none = WIRE__STATE_BYTES__INIT;
        const Wire__StateBytes *bytes = pool->bytes ? pool->bytes : &none;
        const struct cell values[] = {
                CELL_TEXT_OF(pool->pool),    CELL_TEXT_OF(pool->backend),
                CELL_OF(pool->first),        CELL_OF(pool->last),
                CELL_OF(pool->page_size),    listing_node(pool->node),
                CELL_OF(pool->size_min),     CELL_OF(pool->size_max),
                CELL_OF(bytes->held),        CELL_OF(bytes->free),
                CELL_OF(bytes->granted),     CELL_OF(bytes->reusable),
                CELL_OF(bytes->leaving),     CELL_OF(bytes->lingering),
                CELL_OF(bytes->quarantined), CELL_OF(bytes->retired),
                CELL_OF(pool->largest_run),  CELL_YES_IF(pool->pinned),
                CELL_TEXT_OF(pool->state),   CELL_OF(pool->lost_to_system),
                CELL_YES_IF(pool->allowed),  CELL_TEXT_OF(pool->note),
                CELL_OF(pool->goal),         CELL_OF(pool->spare),
                CELL_OF(pool->run_min),      CELL_OF(pool->taking),
                CELL_OF(pool->taken),        CELL_OF(pool->held_aside),
                CELL_OF(pool->draining),     CELL_OF(pool->waiting),
                CELL_YES_IF(pool->hidden),   CELL_IF(pool->quota != 0, pool->quota),
                CELL_OF(pool->claimed),      CELL_OF(pool->claims_unused),
        };

        _Static_assert(ARRAY_SIZE(values) == ARRAY_SIZE(columns), "a cell for each column");
        memcpy(cells, values, sizeof(values));
}

static struct listing_page page(const Wire__Reply *reply)
{
        return (struct listing_page){
                .rows = (void *const *)reply->pools->pools,
                .n = reply->pools->n_pools,
                .next_cursor = reply->pools->next_cursor,
        };
}

static int show(const struct arguments *arguments, struct ask *ask, const struct output *output)
{
        static const struct listing listing = {
                .body = WIRE__REQUEST__BODY_POOLS,
                .reply = WIRE__REPLY__BODY_POOLS,
                .page = page,
                .wanted = is_wanted,
                .fill = fill,
        };

        struct pools pools = { 0 };
        int status;

        status = listing_show(&listing, arguments, ask, output);
        if (status || arguments->json || arguments->no_headings)
                return status;
        status = pools_ask(ask, &pools);
        if (!status)
                progress_lines(&pools, arguments->pool, false, arguments->bytes, output);
        pools_deinit(&pools);
        return status;
}

const struct command command_pools = {
        .name = "pools",
        .takes = TAKES_WINDOW | TAKES_POOL | TAKES_SORT | TAKES_WATCH,
        .summary = "Show the pools: their ranges, and what their memory is doing",
        .help = "States of memory: free; granted to a client; reusable (its client's, "
                "empty, kept for a moment); leaving (being given back); lingering (given "
                "up, but somebody still refers to it); quarantined (its client died); "
                "retired (its memory moved or failed).\n\nA pool's goal is what it wants to hold; "
                "it holds more while more is in use. Where it is filling, growing or harvesting a "
                "line below the list "
                "tells how far it is, and how much a harvest holds aside meanwhile; taking is what "
                "it takes just now, and taken how much of that is there.",
        .columns = columns,
        .n_columns = ARRAY_SIZE(columns),
        .show = show,
};
