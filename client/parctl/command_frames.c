/* SPDX-License-Identifier: MIT */
/* The frames: where each hugepage lies, and who has it. */
#include "commands.h"
#include "listing.h"
#include "macros.h"

#include <string.h>

static const struct column columns[] = {
        { "frame", CELL_ADDRESS, SHOW_ALWAYS },
        { "pool", CELL_TEXT, SHOW_ALWAYS },
        { "size", CELL_SIZE, SHOW_ALWAYS },
        { "node", CELL_NUMBER, SHOW_WIDE },
        { "state", CELL_TEXT, SHOW_ALWAYS },
        { "pinned", CELL_BOOL, SHOW_UNUSUAL },
        { "verified", CELL_BOOL, SHOW_UNUSUAL },
        { "buffers", CELL_NUMBER, SHOW_ALWAYS },
        { "client", CELL_NAME, SHOW_ALWAYS },
        { "uid", CELL_NUMBER, SHOW_WIDE },
        { "note", CELL_TEXT, SHOW_BELOW },
        { "holder", CELL_TEXT, SHOW_UNUSUAL },
        { "lingering_s", CELL_SECONDS, SHOW_UNUSUAL },
};

static void fill(const void *row, struct cell cells[LISTING_COLUMNS_MAX])
{
        const Wire__Frame *frame = row;
        const struct cell values[] = {
                CELL_OF(frame->phys),
                CELL_TEXT_OF(frame->pool),
                CELL_OF(frame->size),
                listing_node(frame->node),
                CELL_TEXT_OF(frame->state),
                CELL_YES_IF(frame->pinned),
                CELL_YES_IF(!frame->unverified),
                CELL_OF(frame->buffers),
                CELL_TEXT_IF(frame->known, frame->client),
                CELL_IF(frame->known, frame->uid),
                CELL_TEXT_OF(frame->note),
                CELL_TEXT_IF(*frame->holder, frame->holder),
                CELL_IF(frame->lingering_ms != 0, frame->lingering_ms / 1000),
        };

        _Static_assert(ARRAY_SIZE(values) == ARRAY_SIZE(columns), "a cell for each column");
        memcpy(cells, values, sizeof(values));
}

static struct listing_page page(const Wire__Reply *reply)
{
        return (struct listing_page){
                .rows = (void *const *)reply->frames->frames,
                .n = reply->frames->n_frames,
                .next_cursor = reply->frames->next_cursor,
        };
}

static int show(const struct arguments *arguments, struct ask *ask, const struct output *output)
{
        static const struct listing listing = {
                .body = WIRE__REQUEST__BODY_FRAMES,
                .reply = WIRE__REPLY__BODY_FRAMES,
                .page = page,
                .fill = fill,
        };

        return listing_show(&listing, arguments, ask, output);
}

const struct command command_frames = {
        .name = "frames",
        .takes = TAKES_WINDOW | TAKES_POOL | TAKES_SORT | TAKES_WATCH | TAKES_STATE,
        .summary = "Show the frames (hugepages): where each lies, and whose it is",
        .help = "A frame is named by its physical address. Whose a frame is, only "
                "administrators are told of others.\n\nA frame that lingers was given back, and "
                "cannot leave "
                "because somebody refers to it still. holder is by what: file (a descriptor or "
                "mapping), pages (a dma-buf, vmsplice, io_uring or VFIO), path (an O_PATH "
                "descriptor), hole (its owner punched it out); lingering_s since when, or since "
                "pard's "
                "worker started.",
        .columns = columns,
        .n_columns = ARRAY_SIZE(columns),
        .show = show,
};
