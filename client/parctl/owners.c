/* SPDX-License-Identifier: MIT */
/*
 * Owns nothing. The list of buffers does not have all that is in quarantine: clients and pools are
 * shown with what the lists of clients and of pools say. Of buffers that are not listed it says so,
 * and lets pard judge.
 */
#include "owners.h"

#include "pools.h"
#include "safe_text.h"
#include "table.h"
#include "units.h"

#include <stdio.h>
#include <string.h>

#define CLIENTS_SHOWN 20

/**
 * struct owners - what is looked for, and what was found
 * @count: clients with such memory
 * @found: the buffer that is looked for is in the list
 */
struct owners {
        const struct arguments *arguments;
        bool quarantined;
        size_t count;
        bool found;
        uint64_t buffer;
};

/* What rows of a list are given to. */
typedef void look_at(struct owners *owners, const Wire__Reply *reply, uint64_t *ret_cursor);

static int ask_list(struct ask *ask, struct owners *owners, Wire__Request__BodyCase body,
                    Wire__Reply__BodyCase answer, look_at *look)
{
        Wire__Request request = WIRE__REQUEST__INIT;
        Wire__List list = WIRE__LIST__INIT;

        request.body_case = body;
        request.buffers = &list; /* every list is asked for with the same message */
        do {
                const Wire__Reply *reply;
                int status;

                status = ask_for(ask, &request, answer, &reply);
                if (status)
                        return status;
                look(owners, reply, &list.cursor);
        } while (list.cursor);
        return 0;
}

static void show_holder(bool known, const char *name, uint32_t pid, uint32_t uid)
{
        char safe[SAFE_TEXT_BYTES];

        if (known)
                fprintf(stderr, ", of %s, pid %" PRIu32 ", uid %" PRIu32, safe_text(name, safe),
                        pid, uid);
        fputc('\n', stderr);
}

static void look_at_buffers(struct owners *owners, const Wire__Reply *reply, uint64_t *ret_cursor)
{
        const bool exact = owners->arguments->bytes;
        char safe[SAFE_TEXT_BYTES], size[UNIT_TEXT_BYTES];

        for (size_t i = 0; i < reply->buffers->n_buffers; i++) {
                const Wire__Buffer *buffer = reply->buffers->buffers[i];

                if (buffer->buffer != owners->buffer)
                        continue;
                owners->found = true;
                fprintf(stderr, "buffer %" PRIu64 ": %s in pool %s, %s", buffer->buffer,
                        size_text(buffer->size, exact, size), buffer->pool, buffer->state);
                if (*buffer->label)
                        fprintf(stderr, ", \"%s\"", safe_text(buffer->label, safe));
                show_holder(buffer->known, buffer->client, buffer->pid, buffer->uid);
        }
        *ret_cursor = owners->found ? 0 : reply->buffers->next_cursor;
}

static int show_buffers(struct ask *ask, struct owners *owners)
{
        const struct arguments *arguments = owners->arguments;

        for (size_t i = 0; i < arguments->n_operands; i++) {
                const char *rest;
                int status;

                owners->found = units_number(arguments->operands[i], &owners->buffer, &rest) != 0;
                status = ask_list(ask, owners, WIRE__REQUEST__BODY_BUFFERS,
                                  WIRE__REPLY__BODY_BUFFERS, look_at_buffers);
                if (status)
                        return status;
                if (!owners->found)
                        fprintf(stderr, "buffer %" PRIu64 ": not in the list of buffers\n",
                                owners->buffer);
        }
        return 0;
}

static void look_at_clients(struct owners *owners, const Wire__Reply *reply, uint64_t *ret_cursor)
{
        const struct arguments *arguments = owners->arguments;
        const char *name = arguments->client_name;
        char size[UNIT_TEXT_BYTES];

        for (size_t i = 0; i < reply->clients->n_clients; i++) {
                const Wire__Client *client = reply->clients->clients[i];
                uint64_t bytes = 0;

                if (client->bytes)
                        bytes = owners->quarantined ? client->bytes->quarantined
                                                    : client->bytes->granted;
                if (!bytes || (arguments->client && client->client != arguments->client) ||
                    (name && strcmp(client->name, name) != 0) || ++owners->count > CLIENTS_SHOWN)
                        continue;
                fprintf(stderr, "client %" PRIu64 ": %s %s", client->client,
                        size_text(bytes, arguments->bytes, size),
                        owners->quarantined ? "quarantined" : "granted");
                show_holder(client->known, client->name, client->pid, client->uid);
        }
        *ret_cursor = reply->clients->next_cursor;
}

static int show_pool(struct ask *ask, const struct owners *owners, bool *ret_any)
{
        const struct arguments *arguments = owners->arguments;
        const struct pool_view *pool = NULL;
        struct pools pools = { 0 };
        char size[UNIT_TEXT_BYTES];
        uint64_t bytes = 0;
        int status;

        status = pools_ask(ask, &pools);
        if (!status)
                pool = pools_find(&pools, arguments->pool);
        if (pool)
                bytes = owners->quarantined ? pool->quarantined : pool->granted;
        *ret_any = bytes != 0;
        if (bytes)
                fprintf(stderr, "pool %s: all that is %s there, %s\n", arguments->pool,
                        owners->quarantined ? "quarantined" : "granted",
                        size_text(bytes, arguments->bytes, size));
        pools_deinit(&pools);
        return status;
}

int owners_show(struct ask *ask, const struct arguments *arguments, bool quarantined, bool *ret_any)
{
        struct owners owners = { .arguments = arguments, .quarantined = quarantined };
        int status;

        *ret_any = true;
        if (arguments->n_operands)
                return show_buffers(ask, &owners);
        if (!arguments->client && !arguments->client_name)
                return show_pool(ask, &owners, ret_any);
        status = ask_list(ask, &owners, WIRE__REQUEST__BODY_CLIENTS, WIRE__REPLY__BODY_CLIENTS,
                          look_at_clients);
        if (owners.count > CLIENTS_SHOWN)
                fprintf(stderr, "and %zu more clients\n", owners.count - CLIENTS_SHOWN);
        if (owners.count && arguments->pool)
                fprintf(stderr, "of that, what lies in pool %s\n", arguments->pool);
        *ret_any = owners.count != 0;
        return status;
}
