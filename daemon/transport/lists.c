/* SPDX-License-Identifier: MIT */
/*
 * Requests that only look: status, whose an address is, and lists of as many rows as fit into a
 * packet. Owns nothing.
 */
#include "dispatch.h"

#include "convert.h"
#include "server_private.h"

#include "macros.h"

#include <string.h>

int handle_status(struct session *session, const Wire__Request *request, struct reply *reply)
{
        struct server *server = session->server;
        Wire__Status *body = &reply->room->status.status;
        struct status_report *report = &reply->room->status.report;

        (void)request;
        state_report(server->state, server_now_ns(), report);
        status_to_wire(report, &reply->room->status.bytes, body);
        body->server = server->name;
        body->admin = client_is_admin(server->state, session->client);
        body->worker_starts = keeper_link_worker_starts(server->keeper);
        reply->wire.body_case = WIRE__REPLY__BODY_STATUS;
        reply->wire.status = body;
        return 0;
}

/**
 * struct list - a list as asked for
 * @frame_state: of frames; "": any
 * @limit: rows at most, 1 to LIST_ROWS_MAX
 * @steps: entries that may still be looked at
 */
struct list {
        struct session *session;
        struct state *state;
        struct range window;
        const char *pool, *frame_state;
        uint64_t now_ns;
        size_t limit;
        unsigned steps;
};

/* However few rows pass the filter: a packet may have none, and a cursor. */
#define LIST_STEPS_MAX 4096

/* Fetch one row, and move the cursor on. Return: whether there was one. */
typedef bool next_row(struct list *list, uint64_t *cursor, struct reply_row *row);

/* Where a pool's frames come from: there may be a carve-out beside the other backend. */
static const char *backend_of(const struct list *list, const struct pool_settings *pool)
{
        return pool->source == SOURCE_CARVEOUT ? "carveout"
                                               : list->session->server->state_settings->backend;
}

/* A report's own text is gone with it. */
static char *keep_note(struct reply_row *row, const char note[REPORT_NOTE_BYTES])
{
        return memcpy(row->note, note, REPORT_NOTE_BYTES);
}

static bool next_pool(struct list *list, uint64_t *cursor, struct reply_row *row)
{
        struct pool_report report;

        if (!state_next_pool(list->state, list->session->client, cursor, &report))
                return false;
        pool_to_wire(&report, backend_of(list, report.settings), &row->bytes, &row->pool);
        return true;
}

/* Milliseconds, above 0, since a frame lingers; 0: it does not. */
static uint64_t lingering_ms(const struct frame_report *report, uint64_t now_ns)
{
        return report->lingers_since_ns ? (now_ns - report->lingers_since_ns) / NS_PER_MS + 1 : 0;
}

/* The next one in the state that is asked for. */
static bool find_frame(struct list *list, uint64_t *cursor, struct frame_report *ret)
{
        while (state_next_frame(list->state, list->session->client, list->window, list->pool,
                                cursor, &list->steps, ret))
                if (!*list->frame_state || !strcmp(list->frame_state, ret->state))
                        return true;
        return false;
}

static bool next_frame(struct list *list, uint64_t *cursor, struct reply_row *row)
{
        struct frame_report report;

        if (!find_frame(list, cursor, &report))
                return false;
        frame_to_wire(&report, &row->frame);
        row->frame.note = keep_note(row, report.note);
        row->frame.lingering_ms = lingering_ms(&report, list->now_ns);
        row->frame.unverified = list->session->server->state_settings->invented;
        return true;
}

static bool next_buffer(struct list *list, uint64_t *cursor, struct reply_row *row)
{
        struct buffer_report report;

        if (!state_next_buffer(list->state, list->session->client, list->window, list->pool,
                               list->now_ns, cursor, &list->steps, &report))
                return false;
        buffer_to_wire(&report, &row->buffer);
        row->buffer.note = keep_note(row, report.note);
        return true;
}

static bool next_client(struct list *list, uint64_t *cursor, struct reply_row *row)
{
        struct client_report report;

        if (!state_next_client(list->state, list->session->client, list->now_ns, cursor, &report))
                return false;
        memcpy(row->words, report.waiting_for, sizeof(row->words));
        client_to_wire(&report, &row->bytes, &row->client);
        row->client.waiting_for_words = row->words; /* the report's are gone with it */
        row->client.note = keep_note(row, report.note);
        return true;
}

static bool next_extent(struct list *list, uint64_t *cursor, struct reply_row *row)
{
        struct extent_report report;

        if (!state_next_extent(list->state, list->session->client, list->window, list->pool, cursor,
                               &list->steps, &report))
                return false;
        extent_to_wire(&report, &row->extent);
        return true;
}

static bool next_device(struct list *list, uint64_t *cursor, struct reply_row *row)
{
        const struct device_settings *device = state_next_device(list->state, cursor);

        if (device)
                device_to_wire(device, &row->device_parts, &row->device);
        return device;
}

/* What no configuration sets. Who reaches one is not read from until he has read his replies, or
 * what he began is over. */
static const struct {
        const char *whom, *limit;
        uint64_t most;
} fixed_limits[] = {
        { "connections without a session", "connections", SERVER_STRANGERS_MAX },
        { "each session", "queued replies", OUTBOX_PACKETS_MAX },
        { "each session", "descriptors in flight", OUTBOX_DESCRIPTORS_MAX },
        { "each session", "dma-bufs being made", SESSION_EXPORTS_MAX },
        { "each session", "grants read in pages", SESSION_PAGINGS_MAX },
        { "each session", "requests in a turn", SESSION_TURN_REQUESTS },
        { "each buffer", "exports", BUFFER_EXPORTS_MAX },
};

/* The fixed ones first: a cursor of the state's is behind them. */
static bool next_limit(struct list *list, uint64_t *cursor, struct reply_row *row)
{
        const uint64_t n = ARRAY_SIZE(fixed_limits);
        struct limit_report report;
        uint64_t inner;

        if (*cursor < n) {
                wire__limit__init(&row->limit);
                row->limit.whom = (char *)(uintptr_t)fixed_limits[*cursor].whom;
                row->limit.limit = (char *)(uintptr_t)fixed_limits[*cursor].limit;
                row->limit.most = fixed_limits[*cursor].most;
                ++*cursor;
                return true;
        }
        inner = *cursor - n;
        if (!state_next_limit(list->state, list->session->client, &inner, &report))
                return false;
        *cursor = inner + n;
        memcpy(row->whom, report.whom, sizeof(row->whom));
        limit_to_wire(&report, &row->limit);
        row->limit.whom = row->whom; /* the report's is gone with it */
        return true;
}

/**
 * collect() - the rows of one packet, into the reply's room
 * @asked:      borrowed
 * @next:       which list
 * @ret_count:  rows
 * @ret_cursor: where the next packet goes on; 0: that was all
 *
 * Return: 0; PAR_REFUSED_INVALID.
 */
static int collect(struct session *session, const Wire__List *asked, next_row *next,
                   struct reply *reply, size_t *ret_count, uint64_t *ret_cursor)
{
        struct reply_row *rows = reply->room->list.rows;
        struct list list = {
                .session = session,
                .state = session->server->state,
                .pool = asked->pool,
                .frame_state = asked->state,
                .now_ns = server_now_ns(),
                .limit =
                        asked->limit && asked->limit < LIST_ROWS_MAX ? asked->limit : LIST_ROWS_MAX,
                .steps = LIST_STEPS_MAX,
        };
        uint64_t cursor = asked->cursor, after = cursor;
        size_t count = 0, bytes = 0;
        struct reply_row extra;
        bool more;
        int r;

        r = window_from_wire(asked->addr_min, asked->addr_max, &list.window);
        if (r)
                return reply_say(reply, r, "addr_min is above addr_max");

        /* A row too many is fetched, to know whether there are more, but its step is not taken. */
        while ((more = next(&list, &after, count < list.limit ? &rows[count] : &extra))) {
                if (count == list.limit)
                        break;
                /* With its tag and length in the list. */
                bytes += protobuf_c_message_get_packed_size(&rows[count].base) + 4;
                if (bytes > LIST_BYTES_MAX)
                        break;
                count++;
                cursor = after;
        }
        *ret_count = count;
        if (more)
                *ret_cursor = cursor;
        else
                *ret_cursor = list.steps ? 0 : after;
        return 0;
}

int handle_pools(struct session *session, const Wire__Request *request, struct reply *reply)
{
        struct reply_list *room = &reply->room->list;
        Wire__PoolList *body = &room->pools;
        int r;

        wire__pool_list__init(body);
        r = collect(session, request->pools, next_pool, reply, &body->n_pools, &body->next_cursor);
        if (r)
                return r;
        for (size_t i = 0; i < body->n_pools; i++)
                room->pool_pointers[i] = &room->rows[i].pool;
        body->pools = room->pool_pointers;
        reply->wire.body_case = WIRE__REPLY__BODY_POOLS;
        reply->wire.pools = body;
        return 0;
}

int handle_frames(struct session *session, const Wire__Request *request, struct reply *reply)
{
        struct reply_list *room = &reply->room->list;
        Wire__FrameList *body = &room->frames;
        int r;

        wire__frame_list__init(body);
        r = collect(session, request->frames, next_frame, reply, &body->n_frames,
                    &body->next_cursor);
        if (r)
                return r;
        for (size_t i = 0; i < body->n_frames; i++)
                room->frame_pointers[i] = &room->rows[i].frame;
        body->frames = room->frame_pointers;
        reply->wire.body_case = WIRE__REPLY__BODY_FRAMES;
        reply->wire.frames = body;
        return 0;
}

int handle_buffers(struct session *session, const Wire__Request *request, struct reply *reply)
{
        struct reply_list *room = &reply->room->list;
        Wire__BufferList *body = &room->buffers;
        int r;

        wire__buffer_list__init(body);
        r = collect(session, request->buffers, next_buffer, reply, &body->n_buffers,
                    &body->next_cursor);
        if (r)
                return r;
        for (size_t i = 0; i < body->n_buffers; i++)
                room->buffer_pointers[i] = &room->rows[i].buffer;
        body->buffers = room->buffer_pointers;
        reply->wire.body_case = WIRE__REPLY__BODY_BUFFERS;
        reply->wire.buffers = body;
        return 0;
}

int handle_clients(struct session *session, const Wire__Request *request, struct reply *reply)
{
        struct reply_list *room = &reply->room->list;
        Wire__ClientList *body = &room->clients;
        int r;

        wire__client_list__init(body);
        r = collect(session, request->clients, next_client, reply, &body->n_clients,
                    &body->next_cursor);
        if (r)
                return r;
        for (size_t i = 0; i < body->n_clients; i++)
                room->client_pointers[i] = &room->rows[i].client;
        body->clients = room->client_pointers;
        reply->wire.body_case = WIRE__REPLY__BODY_CLIENTS;
        reply->wire.clients = body;
        return 0;
}

int handle_map(struct session *session, const Wire__Request *request, struct reply *reply)
{
        struct reply_list *room = &reply->room->list;
        Wire__ExtentMap *body = &room->map;
        int r;

        wire__extent_map__init(body);
        r = collect(session, request->map, next_extent, reply, &body->n_extents,
                    &body->next_cursor);
        if (r)
                return r;
        for (size_t i = 0; i < body->n_extents; i++)
                room->extent_pointers[i] = &room->rows[i].extent;
        body->extents = room->extent_pointers;
        reply->wire.body_case = WIRE__REPLY__BODY_MAP;
        reply->wire.map = body;
        return 0;
}

int handle_devices(struct session *session, const Wire__Request *request, struct reply *reply)
{
        struct reply_list *room = &reply->room->list;
        Wire__DeviceList *body = &room->devices;
        int r;

        wire__device_list__init(body);
        r = collect(session, request->devices, next_device, reply, &body->n_devices,
                    &body->next_cursor);
        if (r)
                return r;
        for (size_t i = 0; i < body->n_devices; i++)
                room->device_pointers[i] = &room->rows[i].device;
        body->devices = room->device_pointers;
        reply->wire.body_case = WIRE__REPLY__BODY_DEVICES;
        reply->wire.devices = body;
        return 0;
}

int handle_limits(struct session *session, const Wire__Request *request, struct reply *reply)
{
        struct reply_list *room = &reply->room->list;
        Wire__LimitList *body = &room->limits;
        int r;

        wire__limit_list__init(body);
        r = collect(session, request->limits, next_limit, reply, &body->n_limits,
                    &body->next_cursor);
        if (r)
                return r;
        for (size_t i = 0; i < body->n_limits; i++)
                room->limit_pointers[i] = &room->rows[i].limit;
        body->limits = room->limit_pointers;
        reply->wire.body_case = WIRE__REPLY__BODY_LIMITS;
        reply->wire.limits = body;
        return 0;
}

int handle_lookup(struct session *session, const Wire__Request *request, struct reply *reply)
{
        struct reply_found *room = &reply->room->found;
        const struct lookup_report *report = &room->report;
        Wire__Found *body = &room->found;

        state_lookup(session->server->state, session->client, request->lookup->address,
                     server_now_ns(), &room->report);
        wire__found__init(body);
        body->held = report->held;
        if (report->held) {
                frame_to_wire(&report->frame, &room->frame);
                room->frame.lingering_ms = lingering_ms(&report->frame, server_now_ns());
                body->frame = &room->frame;
        }
        if (report->has_buffer) {
                buffer_to_wire(&report->buffer, &room->buffer);
                body->buffer = &room->buffer;
                body->offset = report->offset;
        }
        for (size_t i = 0; i < report->n_former; i++) {
                former_to_wire(&report->former[i], &room->former[i]);
                room->former_pointers[i] = &room->former[i];
        }
        body->n_former = report->n_former;
        body->former = room->former_pointers;
        reply->wire.body_case = WIRE__REPLY__BODY_LOOKUP;
        reply->wire.lookup = body;
        return 0;
}
