/* SPDX-License-Identifier: MIT */
/*
 * Owns the table while it fills. Follows the cursor until pard says that this was all.
 */
#include "listing.h"

#include "exits.h"

#include <errno.h>
#include <stdio.h>

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
        request.body_case = listing->body;
        request.pools = &list; /* every list is asked for with the same message */
        do {
                const Wire__Reply *reply;

                status = ask_request(ask, &request, &reply);
                if (status)
                        return status;
                if (reply->body_case != listing->reply) {
                        fprintf(stderr, "parctl: pard answered something else\n");
                        return EXIT_OTHER;
                }
                if (listing->add(table, arguments, reply, &list.cursor)) {
                        fprintf(stderr, "parctl: out of memory\n");
                        return EXIT_OTHER;
                }
        } while (list.cursor);
        return 0;
}

int listing_run(const struct listing *listing, const struct arguments *arguments)
{
        const struct command *command = arguments->command;
        const struct table_style style = {
                .json = arguments->json,
                .bytes = arguments->bytes,
                .no_headings = arguments->no_headings,
                .sort = arguments->sort,
        };
        struct table *table = NULL;
        struct ask *ask = NULL;
        int status;

        status = ask_open(arguments->socket_path, &ask);
        if (status)
                return status;
        table = table_new(command->name, command->columns, command->n_columns);
        status = table ? ask_all(listing, arguments, ask, table) : EXIT_OTHER;
        if (!status && table_print(table, &style)) {
                fprintf(stderr, "parctl: the list cannot be printed\n");
                status = EXIT_OTHER;
        }
        table_free(table);
        ask_close(ask);
        return status;
}

struct cell listing_node(int32_t node)
{
        return CELL_IF(node >= 0, node >= 0 ? (uint64_t)node : 0);
}
