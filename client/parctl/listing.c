/* SPDX-License-Identifier: MIT */
/*
 * Owns the table while it fills. Follows the cursor until pard says that this was all.
 */
#include "listing.h"

#include "complain.h"
#include "exits.h"

static int add_rows(const struct listing *listing, const struct arguments *arguments,
                    const struct listing_page *page, struct table *table)
{
        struct cell cells[LISTING_COLUMNS_MAX];

        for (size_t i = 0; i < page->n; i++) {
                if (listing->wanted && !listing->wanted(page->rows[i], arguments))
                        continue;
                listing->fill(page->rows[i], cells);
                if (table_add(table, cells)) {
                        complain("out of memory");
                        return EXIT_OTHER;
                }
        }
        return 0;
}

static int ask_all(const struct listing *listing, const struct arguments *arguments,
                   struct ask *ask, struct table *table)
{
        Wire__Request request = WIRE__REQUEST__INIT;
        Wire__List list = WIRE__LIST__INIT;
        int status;

        list.addr_min = arguments->addr_min;
        list.addr_max = arguments->addr_max;
        if (arguments->pool)
                list.pool = (char *)arguments->pool;
        if (arguments->lingering)
                list.state = (char *)(uintptr_t) "lingering";
        request.body_case = listing->body;
        request.pools = &list; /* every list is asked for with the same message */
        do {
                const Wire__Reply *reply;
                struct listing_page page;

                status = ask_for(ask, &request, listing->reply, &reply);
                if (status)
                        return status;
                page = listing->page(reply);
                status = add_rows(listing, arguments, &page, table);
                list.cursor = page.next_cursor;
        } while (!status && list.cursor);
        return status;
}

int listing_show(const struct listing *listing, const struct arguments *arguments, struct ask *ask,
                 const struct output *output)
{
        const struct command *command = arguments->command;
        const struct table_style style = {
                .json = arguments->json,
                .bytes = arguments->bytes,
                .no_headings = arguments->no_headings,
                .sort = arguments->sort,
                .columns = arguments->columns,
                .stream = output->stream,
                .width = output->width,
        };
        struct table *table;
        int status;

        table = table_new(command->name, command->columns, command->n_columns);
        if (!table) {
                complain("out of memory");
                return EXIT_OTHER;
        }
        status = ask_all(listing, arguments, ask, table);
        if (!status && table_print(table, &style)) {
                complain("the list cannot be printed");
                status = EXIT_OTHER;
        }
        table_free(table);
        return status;
}

struct cell listing_node(int32_t node)
{
        return CELL_IF(node >= 0, node >= 0 ? (uint64_t)node : 0);
}
