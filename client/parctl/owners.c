/* SPDX-License-Identifier: MIT */
/*
 * Owns nothing. Single buffers are shown one by one; of clients and pools it tells how much they
 * have.
 */
#include "owners.h"

#include "safe_text.h"
#include "table.h"
#include "units.h"

#include <stdio.h>
#include <string.h>

/* What has been found so far. */
struct sum {
        uint64_t bytes, buffers;
};

static bool is_named(const struct arguments *arguments, uint64_t buffer)
{
        const char *rest;
        uint64_t number;

        for (size_t i = 0; i < arguments->n_operands; i++)
                if (units_number(arguments->operands[i], &number, &rest) == 0 && number == buffer)
                        return true;
        return false;
}

static void show_buffer(const Wire__Buffer *buffer, bool exact)
{
        char safe[SAFE_TEXT_BYTES], size[UNIT_TEXT_BYTES];

        fprintf(stderr, "buffer %" PRIu64 ": %s in pool %s", buffer->buffer,
                size_text(buffer->size, exact, size), safe_text(buffer->pool, safe));
        if (*buffer->label)
                fprintf(stderr, ", \"%s\"", safe_text(buffer->label, safe));
        if (buffer->known)
                fprintf(stderr, ", of %s, pid %" PRIu32 ", uid %" PRIu32,
                        safe_text(buffer->client, safe), buffer->pid, buffer->uid);
        fputc('\n', stderr);
}

static void look_at_buffer(const Wire__Buffer *buffer, const struct arguments *arguments,
                           bool quarantined, struct sum *sum)
{
        const char *name = arguments->client_name;

        if (quarantined != (strcmp(buffer->state, "quarantined") == 0))
                return;
        if (name && (!buffer->known || strcmp(buffer->client, name) != 0))
                return;
        if (arguments->n_operands && !is_named(arguments, buffer->buffer))
                return;
        if (arguments->n_operands)
                show_buffer(buffer, arguments->bytes);
        sum->bytes += buffer->size;
        sum->buffers++;
}

static int add_buffers(struct ask *ask, const struct arguments *arguments, bool quarantined,
                       struct sum *sum)
{
        Wire__Request request = WIRE__REQUEST__INIT;
        Wire__List list = WIRE__LIST__INIT;

        if (arguments->pool)
                list.pool = (char *)arguments->pool;
        request.body_case = WIRE__REQUEST__BODY_BUFFERS;
        request.buffers = &list;
        do {
                const Wire__Reply *reply;
                int status;

                status = ask_for(ask, &request, WIRE__REPLY__BODY_BUFFERS, &reply);
                if (status)
                        return status;
                for (size_t i = 0; i < reply->buffers->n_buffers; i++)
                        look_at_buffer(reply->buffers->buffers[i], arguments, quarantined, sum);
                list.cursor = reply->buffers->next_cursor;
        } while (list.cursor);
        return 0;
}

static void look_at_client(const Wire__Client *client, const struct arguments *arguments,
                           bool quarantined, struct sum *sum)
{
        const Wire__StateBytes none = WIRE__STATE_BYTES__INIT;
        const Wire__StateBytes *bytes = client->bytes ? client->bytes : &none;
        char safe[SAFE_TEXT_BYTES], size[UNIT_TEXT_BYTES];

        if (client->client != arguments->client)
                return;
        sum->bytes += quarantined ? bytes->quarantined : bytes->granted;
        fprintf(stderr, "client %" PRIu64, client->client);
        if (client->known)
                fprintf(stderr, ": %s, pid %" PRIu32 ", uid %" PRIu32,
                        safe_text(client->name, safe), client->pid, client->uid);
        fprintf(stderr, ": %s %s\n", size_text(sum->bytes, arguments->bytes, size),
                quarantined ? "quarantined" : "granted");
}

/* Lists of buffers do not have the numbers of clients. */
static int show_client(struct ask *ask, const struct arguments *arguments, bool quarantined,
                       struct sum *sum)
{
        Wire__Request request = WIRE__REQUEST__INIT;
        Wire__List list = WIRE__LIST__INIT;

        request.body_case = WIRE__REQUEST__BODY_CLIENTS;
        request.clients = &list;
        do {
                const Wire__Reply *reply;
                int status;

                status = ask_for(ask, &request, WIRE__REPLY__BODY_CLIENTS, &reply);
                if (status)
                        return status;
                for (size_t i = 0; i < reply->clients->n_clients; i++)
                        look_at_client(reply->clients->clients[i], arguments, quarantined, sum);
                list.cursor = reply->clients->next_cursor;
        } while (list.cursor);
        return 0;
}

static void show_sum(const struct arguments *arguments, const struct sum *sum)
{
        char size[UNIT_TEXT_BYTES];

        fprintf(stderr, "%" PRIu64 " buffer%s, %s", sum->buffers, sum->buffers == 1 ? "" : "s",
                size_text(sum->bytes, arguments->bytes, size));
        if (arguments->client_name)
                fprintf(stderr, ", of clients called %s", arguments->client_name);
        if (arguments->pool)
                fprintf(stderr, ", in pool %s", arguments->pool);
        fputc('\n', stderr);
}

int owners_show(struct ask *ask, const struct arguments *arguments, bool quarantined, bool *ret_any)
{
        struct sum sum = { 0 };
        int status;

        if (arguments->client)
                status = show_client(ask, arguments, quarantined, &sum);
        else
                status = add_buffers(ask, arguments, quarantined, &sum);
        if (status)
                return status;
        *ret_any = sum.bytes != 0;
        if (*ret_any && !arguments->client && !arguments->n_operands)
                show_sum(arguments, &sum);
        return 0;
}
