/* SPDX-License-Identifier: MIT */
/* Owns nothing: names are constants. */
#include "wire_request.h"

#include "macros.h"

#include <string.h>

static char *text(const char *words)
{
        return (char *)(uintptr_t)words;
}

/* ---- what is known -------------------------------------------------------------------------- */

static void learn(uint64_t *numbers, unsigned *n, uint64_t number)
{
        numbers[(*n)++ % KNOWN_MAX] = number;
}

static void learn_extents(struct wire_known *known, const Wire__ExtentList *list)
{
        for (size_t i = 0; i < list->n_pieces && i < 2; i++) {
                learn(known->frames, &known->n_frames, list->pieces[i]->frame);
                learn(known->addresses, &known->n_addresses, list->pieces[i]->phys);
        }
        learn(known->cursors, &known->n_cursors, list->next_cursor);
}

static void learn_reply(struct wire_known *known, const Wire__Reply *reply)
{
        switch (reply->body_case) {
        case WIRE__REPLY__BODY_HELLO:
                learn(known->sessions, &known->n_sessions, reply->hello->client);
                return;
        case WIRE__REPLY__BODY_ALLOC:
                learn(known->buffers, &known->n_buffers, reply->alloc->buffer);
                learn_extents(known, reply->alloc->extents);
                return;
        case WIRE__REPLY__BODY_ALLOC_BATCH:
                learn(known->buffers, &known->n_buffers, reply->alloc_batch->buffer);
                learn(known->frames, &known->n_frames, reply->alloc_batch->runs[0]->frame);
                return;
        case WIRE__REPLY__BODY_EXTENTS: learn_extents(known, reply->extents); return;
        case WIRE__REPLY__BODY_SHARE:
                if (reply->share->token.len == sizeof(known->tokens[0]))
                        memcpy(known->tokens[known->n_tokens++ % KNOWN_MAX],
                               reply->share->token.data, sizeof(known->tokens[0]));
                return;
        case WIRE__REPLY__BODY_FRAMES:
                learn(known->cursors, &known->n_cursors, reply->frames->next_cursor);
                return;
        case WIRE__REPLY__BODY_BUFFERS:
                learn(known->cursors, &known->n_cursors, reply->buffers->next_cursor);
                return;
        default: return;
        }
}

void wire_known_learn(struct wire_known *known, const Wire__Packet *packet)
{
        if (packet->kind_case == WIRE__PACKET__KIND_REPLY)
                learn_reply(known, packet->reply);
}

/* One of those, or any small number. */
static uint64_t known_number(const uint64_t numbers[KNOWN_MAX], struct choices *choices)
{
        const uint64_t which = choose(choices, KNOWN_MAX + 1);

        return which < KNOWN_MAX ? numbers[which] : choose(choices, 100);
}

/* ---- words ---------------------------------------------------------------------------------- */

static char *name(struct choices *choices)
{
        static const char *const names[] = { "", "ring", "other", "1000/ring", "1001/ring" };

        return text(names[choose(choices, ARRAY_SIZE(names))]);
}

static char *pool(struct choices *choices)
{
        static const char *const pools[] = { "", "any", "below4g", "nothing" };

        return text(pools[choose(choices, ARRAY_SIZE(pools))]);
}

static char *device(struct choices *choices)
{
        static const char *const devices[] = { "", "", "capture0", "capture0,capture0",
                                               "0000:01:00.0" };

        return text(devices[choose(choices, ARRAY_SIZE(devices))]);
}

/* ---- bodies --------------------------------------------------------------------------------- */

static void choose_constraint(Wire__Constraint *constraint, struct choices *choices)
{
        wire__constraint__init(constraint);
        constraint->max_segments = choose(choices, 2) ? UINT32_MAX : (uint32_t)choose(choices, 9);
        if (choose(choices, 3) == 2)
                constraint->align = choose_power(choices, 0, 24);
        if (choose(choices, 3) == 2)
                constraint->boundary = choose_power(choices, 10, 30);
        if (choose(choices, 3) == 2)
                constraint->max_segment_bytes = 4096 * choose(choices, 600);
        if (choose(choices, 3) == 2)
                constraint->addr_max = (4 * GiB >> choose(choices, 5)) - 1;
        if (choose(choices, 8) == 7)
                constraint->addr_min = choose_power(choices, 20, 40);
        if (choose(choices, 8) == 7)
                constraint->nodes = choose(choices, 4);
}

static void choose_alloc(struct wire_request *request, struct choices *choices)
{
        static const int32_t waits[] = { 0, 0, 0, 1, 1000, 5000 };
        Wire__Alloc *alloc = &request->body.alloc;

        wire__alloc__init(alloc);
        choose_constraint(&request->constraint, choices);
        alloc->constraint = &request->constraint;
        alloc->size = 1 + choose(choices, choose(choices, 3) ? 64 * KiB : 12 * MiB);
        alloc->pool = pool(choices);
        alloc->device = device(choices);
        alloc->label = name(choices);
        alloc->wait_ms = waits[choose(choices, ARRAY_SIZE(waits))];
        alloc->blind = choose(choices, 4) == 3;
        alloc->again = choose(choices, 8) == 7;
        if (choose(choices, 3) < 2)
                return;
        alloc->name = name(choices);
        alloc->shared = choose(choices, 2) == 1;
        alloc->lasting = choose(choices, 4) == 3;
        wire__principal__init(&request->allow);
        request->allow.group = choose(choices, 2) == 1;
        request->allow.id = 1000 + (uint32_t)choose(choices, 2);
        request->allow_list[0] = &request->allow;
        alloc->allow = request->allow_list;
        alloc->n_allow = choose(choices, 2);
}

static void choose_batch(struct wire_request *request, struct choices *choices)
{
        Wire__AllocBatch *batch = &request->batch;

        wire__alloc_batch__init(batch);
        batch->alloc = choose(choices, 32) == 31 ? NULL : &request->body.alloc;
        batch->count = (uint32_t)choose(choices, choose(choices, 8) == 7 ? 100 : 9);
        choose_alloc(request, choices);
        if (choose(choices, 4) == 3)
                return;
        request->body.alloc.wait_ms = 0;
        request->body.alloc.shared = request->body.alloc.lasting = false;
        request->body.alloc.name = text("");
        request->body.alloc.n_allow = 0;
}

static void choose_open(Wire__Open *open, const struct wire_known *known, struct choices *choices)
{
        static uint8_t token[16];

        wire__open__init(open);
        open->name = name(choices);
        open->again = choose(choices, 8) == 7;
        if (choose(choices, 2))
                return;
        memcpy(token, known->tokens[choose(choices, KNOWN_MAX)], sizeof(token));
        open->token.data = token;
        open->token.len = sizeof(token);
}

static size_t choose_numbers(struct wire_request *request, const uint64_t from[KNOWN_MAX],
                             struct choices *choices)
{
        const size_t n = choose(choices, ARRAY_SIZE(request->numbers) + 1);

        for (size_t i = 0; i < n; i++)
                request->numbers[i] = known_number(from, choices);
        return n;
}

static void choose_list(Wire__List *list, const struct wire_known *known, struct choices *choices)
{
        static const char *const states[] = { "", "free", "granted", "quarantined", "none" };

        wire__list__init(list);
        list->cursor = choose(choices, 3) ? 0 : known_number(known->cursors, choices);
        list->limit = (uint32_t)choose(choices, 4);
        list->pool = pool(choices);
        list->state = text(states[choose(choices, ARRAY_SIZE(states))]);
        if (choose(choices, 4) == 3)
                list->addr_max = known_number(known->addresses, choices);
}

static void choose_mapped(struct wire_request *request, const struct wire_known *known,
                          struct choices *choices)
{
        Wire__Mapped *mapped = &request->body.mapped;

        wire__mapped__init(mapped);
        mapped->buffer = known_number(known->buffers, choices);
        mapped->space = (uint32_t)choose(choices, 66);
        mapped->device = device(choices);
        mapped->pci = text(choose(choices, 2) ? "0000:01:00.0" : "");
        wire__io_part__init(&request->part);
        request->part.iova = 4096 * choose(choices, 16);
        request->part.length = 1 + choose(choices, 8192);
        request->part_list[0] = &request->part;
        mapped->parts = request->part_list;
        mapped->n_parts = choose(choices, 2);
}

static void choose_selection(Wire__Selection *selection, const struct wire_known *known,
                             struct choices *choices)
{
        wire__selection__init(selection);
        switch (choose(choices, 4)) {
        case 0: selection->buffer = known_number(known->buffers, choices); return;
        case 1: selection->client = known_number(known->sessions, choices); return;
        case 2: selection->client_name = text("fuzz"); return;
        default: selection->pool = pool(choices); return;
        }
}

static void choose_drain(Wire__Drain *drain, const struct wire_known *known,
                         struct choices *choices)
{
        wire__drain__init(drain);
        drain->pool = pool(choices);
        drain->addr_min = choose(choices, 2) ? 0 : known_number(known->addresses, choices);
        drain->addr_max = choose(choices, 2) ? 0 : (UINT64_C(1) << choose(choices, 44)) - 1;
        drain->end = choose(choices, 2) == 1;
}

/* ---- which ---------------------------------------------------------------------------------- */

#define SET(which, WHICH, type)                                           \
        do {                                                              \
                request->message.body_case = WIRE__REQUEST__BODY_##WHICH; \
                request->message.which = &body->type;                     \
        } while (0)

static void choose_about_buffers(struct wire_request *request, const struct wire_known *known,
                                 uint32_t last_seq, struct choices *choices)
{
        __typeof__(request->body) *body = &request->body;

        switch (choose(choices, 9)) {
        case 7:
                SET(free_batch, FREE_BATCH, free_batch);
                wire__free_batch__init(&body->free_batch);
                body->free_batch.n_buffers = choose_numbers(request, known->buffers, choices);
                body->free_batch.buffers = request->numbers;
                return;
        case 0:
                SET(extents, EXTENTS, extents);
                wire__extents__init(&body->extents);
                body->extents.buffer = known_number(known->buffers, choices);
                body->extents.cursor = known_number(known->cursors, choices);
                return;
        case 1:
                SET(export_dmabuf, EXPORT_DMABUF, export_dmabuf);
                wire__export_dmabuf__init(&body->export_dmabuf);
                body->export_dmabuf.buffer = known_number(known->buffers, choices);
                return;
        case 2:
                SET(drop, DROP, drop);
                wire__drop__init(&body->drop);
                body->drop.n_frames = choose_numbers(request, known->frames, choices);
                body->drop.frames = request->numbers;
                return;
        case 3:
                SET(kept, KEPT, kept);
                wire__kept__init(&body->kept);
                body->kept.n_frames = choose_numbers(request, known->frames, choices);
                body->kept.frames = request->numbers;
                return;
        case 4:
                SET(cancel, CANCEL, cancel);
                wire__cancel__init(&body->cancel);
                body->cancel.seq = last_seq - (uint32_t)choose(choices, 4);
                return;
        case 5:
                SET(mapped, MAPPED, mapped);
                choose_mapped(request, known, choices);
                return;
        case 6:
                SET(share, SHARE, share);
                wire__share__init(&body->share);
                body->share.buffer = known_number(known->buffers, choices);
                body->share.end = choose(choices, 4) == 3;
                return;
        default:
                SET(free, FREE, free);
                wire__free__init(&body->free);
                body->free.buffer = known_number(known->buffers, choices);
                body->free.n_dropped_frames = choose_numbers(request, known->frames, choices);
                body->free.dropped_frames = request->numbers;
                return;
        }
}

static void choose_question(struct wire_request *request, const struct wire_known *known,
                            struct choices *choices)
{
        __typeof__(request->body) *body = &request->body;

        choose_list(&body->list, known, choices);
        switch (choose(choices, 12)) {
        case 0: SET(status, STATUS, list); return;
        case 1: SET(pools, POOLS, list); return;
        case 2: SET(frames, FRAMES, list); return;
        case 3: SET(buffers, BUFFERS, list); return;
        case 4: SET(clients, CLIENTS, list); return;
        case 5: SET(map, MAP, list); return;
        case 6: SET(devices, DEVICES, list); return;
        case 7:
                SET(lookup, LOOKUP, lookup);
                wire__lookup__init(&body->lookup);
                body->lookup.address = known_number(known->addresses, choices);
                return;
        case 8:
                SET(lookup_io, LOOKUP_IO, lookup_io);
                wire__lookup_io__init(&body->lookup_io);
                body->lookup_io.address = 4096 * choose(choices, 16);
                body->lookup_io.device = device(choices);
                return;
        case 9:
                SET(device_open, DEVICE_OPEN, device_open);
                wire__device_open__init(&body->device_open);
                body->device_open.name = device(choices);
                return;
        default:
                SET(explain, EXPLAIN, alloc);
                choose_alloc(request, choices);
                return;
        }
}

static void choose_order(struct wire_request *request, const struct wire_known *known,
                         struct choices *choices)
{
        __typeof__(request->body) *body = &request->body;

        switch (choose(choices, 7)) {
        case 0:
                SET(resize, RESIZE, resize);
                wire__resize__init(&body->resize);
                body->resize.pool = pool(choices);
                body->resize.size = 2 * MiB * choose(choices, 24);
                return;
        case 1:
                SET(drain, DRAIN, drain);
                choose_drain(&body->drain, known, choices);
                return;
        case 2:
                SET(revoke, REVOKE, selection);
                choose_selection(&body->selection, known, choices);
                return;
        case 3:
                SET(release, RELEASE, selection);
                choose_selection(&body->selection, known, choices);
                return;
        case 4:
                SET(reload, RELOAD, reload);
                wire__reload__init(&body->reload);
                return;
        case 5:
                SET(reclaim, RECLAIM, reclaim);
                wire__reclaim__init(&body->reclaim);
                body->reclaim.client_name = text(choose(choices, 2) ? "fuzz" : "");
                return;
        default:
                SET(remove, REMOVE, remove);
                wire__remove__init(&body->remove);
                body->remove.name = name(choices);
                return;
        }
}

void wire_request_choose(struct wire_request *request, const struct wire_known *known,
                         uint32_t last_seq, struct choices *choices)
{
        __typeof__(request->body) *body = &request->body;

        wire__request__init(&request->message);
        switch (choose(choices, 12)) {
        case 0: choose_order(request, known, choices); return;
        case 1:
        case 2: choose_question(request, known, choices); return;
        case 3:
        case 4:
        case 5: choose_about_buffers(request, known, last_seq, choices); return;
        case 6:
                SET(open, OPEN, open);
                choose_open(&body->open, known, choices);
                return;
        case 7:
                request->message.body_case = WIRE__REQUEST__BODY_ALLOC_BATCH;
                request->message.alloc_batch = &request->batch;
                choose_batch(request, choices);
                return;
        default:
                SET(alloc, ALLOC, alloc);
                choose_alloc(request, choices);
                return;
        }
}

void wire_request_hello(struct wire_request *request, uint64_t token)
{
        __typeof__(request->body) *body = &request->body;

        wire__request__init(&request->message);
        SET(hello, HELLO, hello);
        wire__hello__init(&body->hello);
        body->hello.version = 1;
        body->hello.client_name = text("fuzz");
        body->hello.resume_token = token;
}

void wire_request_bye(struct wire_request *request)
{
        __typeof__(request->body) *body = &request->body;

        wire__request__init(&request->message);
        SET(bye, BYE, bye);
        wire__bye__init(&body->bye);
}
