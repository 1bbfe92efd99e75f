/* SPDX-License-Identifier: MIT */
/* The clients: how much each is charged with, and who waits. */
#include "commands.h"
#include "listing.h"
#include "macros.h"

#include <string.h>

static const struct column columns[] = {
        { "id", CELL_NUMBER, SHOW_ALWAYS },
        { "client", CELL_NAME, SHOW_ALWAYS },
        { "pid", CELL_NUMBER, SHOW_WIDE },
        { "uid", CELL_NUMBER, SHOW_WIDE },
        { "connected", CELL_BOOL, SHOW_UNUSUAL },
        { "mine", CELL_BOOL, SHOW_JSON },
        { "buffers", CELL_NUMBER, SHOW_ALWAYS },
        { "held", CELL_SIZE, SHOW_ALWAYS },
        { "granted", CELL_SIZE, SHOW_ALWAYS },
        { "reusable", CELL_SIZE, SHOW_UNUSUAL },
        { "leaving", CELL_SIZE, SHOW_UNUSUAL },
        { "lingering", CELL_SIZE, SHOW_UNUSUAL },
        { "quarantined", CELL_SIZE, SHOW_UNUSUAL },
        { "retired", CELL_SIZE, SHOW_UNUSUAL },
        { "waiting_for", CELL_SIZE, SHOW_UNUSUAL },
        { "waiting_s", CELL_SECONDS, SHOW_UNUSUAL },
        { "age_s", CELL_SECONDS, SHOW_WIDE },
        { "waiting", CELL_NUMBER, SHOW_UNUSUAL },
        { "waiting_request", CELL_TEXT, SHOW_BELOW },
        { "note", CELL_TEXT, SHOW_BELOW },
        { "quarantine_s", CELL_SECONDS, SHOW_UNUSUAL },
};

static void fill(const void *row, struct cell cells[LISTING_COLUMNS_MAX])
{
        const Wire__Client *client = row;
        const Wire__StateBytes none = WIRE__STATE_BYTES__INIT;
        const Wire__StateBytes *bytes = client->bytes ? client->bytes : &none;
        const bool waits = client->waiting_for != 0;
        const struct cell values[] = {
                CELL_OF(client->client),
                CELL_TEXT_IF(client->known, client->name),
                CELL_IF(client->known, client->pid),
                CELL_IF(client->known, client->uid),
                CELL_YES_IF(client->connected),
                CELL_YES_IF(client->mine),
                CELL_OF(client->buffers),
                CELL_OF(bytes->held),
                CELL_OF(bytes->granted),
                CELL_OF(bytes->reusable),
                CELL_OF(bytes->leaving),
                CELL_OF(bytes->lingering),
                CELL_OF(bytes->quarantined),
                CELL_OF(bytes->retired),
                CELL_IF(waits, client->waiting_for),
                CELL_IF(waits, client->waiting_since_ms / 1000),
                CELL_OF(client->age_ms / 1000),
                CELL_OF(client->waiting),
                CELL_TEXT_OF(client->waiting_for_words),
                CELL_TEXT_OF(client->note),
                CELL_IF(client->quarantine_ms != 0, client->quarantine_ms / 1000),
        };

        _Static_assert(ARRAY_SIZE(values) == ARRAY_SIZE(columns), "a cell for each column");
        memcpy(cells, values, sizeof(values));
}

static struct listing_page page(const Wire__Reply *reply)
{
        return (struct listing_page){
                .rows = (void *const *)reply->clients->clients,
                .n = reply->clients->n_clients,
                .next_cursor = reply->clients->next_cursor,
        };
}

static int show(const struct arguments *arguments, struct ask *ask, const struct output *output)
{
        static const struct listing listing = {
                .body = WIRE__REQUEST__BODY_CLIENTS,
                .reply = WIRE__REPLY__BODY_CLIENTS,
                .page = page,
                .fill = fill,
        };

        return listing_show(&listing, arguments, ask, output);
}

const struct command command_clients = {
        .name = "clients",
        .takes = TAKES_SORT | TAKES_WATCH,
        .summary = "Show the clients: what each is charged with, and who waits for what",
        .help = "A client that is gone is listed as long as memory is charged to it. Who "
                "a client is, only administrators are told of others.\n\nwaiting is how many "
                "requests wait; waiting_for, waiting_s and waiting_request are of the first of "
                "them: how much, since when, and what it asks for.\n\nThe note tells why memory of "
                "a client "
                "that is gone is in quarantine.",
        .columns = columns,
        .n_columns = ARRAY_SIZE(columns),
        .show = show,
};
