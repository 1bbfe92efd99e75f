/* SPDX-License-Identifier: MIT */
#include "lives.h"

#include "lives_limits.h"
#include "lives_shared.h"
#include "macros.h"
#include "world.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define PAGE        (2 * MiB)
#define CLIENTS     10
#define BUFFERS_MAX 600
#define REVOKED_MAX 4096

/* Some see memory elsewhere; "split" not even at multiples of its boundaries. */
#define LIVES_DEVICE 0x100u /* 0000:01:00.0 */

static const struct device_settings devices[] = {
        { .name = (char *)(uintptr_t) "narrow",
          .limits = { .window = { 0, 2 * GiB - 1 },
                      .align_bytes = 1,
                      .boundary_bytes = 256 * KiB,
                      .max_segments = SEGMENTS_ANY } },
        { .name = (char *)(uintptr_t) "units",
          .limits = { .window = RANGE_ALL, .align_bytes = 1, .max_segments = 16 },
          .min_align_mask = 8 * KiB - 1,
          .granularity_bytes = 16 * KiB,
          .pci = "0000:01:00.0",
          .facts = { .known = true, .dma_mask_bits = 48, .node = 1, .iommu_group = -1 } },
        { .name = (char *)(uintptr_t) "moved",
          .limits = { .window = RANGE_ALL, .align_bytes = 1, .max_segments = SEGMENTS_ANY },
          .windows = { { { 0, 4 * GiB - 1 }, GiB } },
          .n_windows = 1 },
        { .name = (char *)(uintptr_t) "less",
          .limits = { .window = RANGE_ALL, .align_bytes = 1, .max_segments = SEGMENTS_ANY },
          .windows = { { { GiB, 4 * GiB - 5 * MiB - 1 }, 2 * GiB } },
          .n_windows = 1 },
        { .name = (char *)(uintptr_t) "split",
          .limits = { .window = RANGE_ALL, .align_bytes = 1, .max_segments = SEGMENTS_ANY },
          .windows = { { { 2 * GiB, 4 * GiB - 11 * MiB - 1 }, 3 * MiB },
                       { { 4 * GiB - 11 * MiB, 4 * GiB - 1 }, 8 * GiB },
                       { { 0, 2 * GiB - 1 }, 16 * GiB } },
          .n_windows = 3 },
};

struct model_buffer {
        uint64_t id;
        struct client *client; /* NULL: free entry */
        unsigned owner;        /* number of the client that it was granted to, or its uid */
        struct range runs[64];
        struct frame_name frames[64]; /* that the runs lie in */
        size_t n_runs;
};

/* What clients were cut off from, in a frame that may still be theirs. */
struct model_revoked {
        struct range run;
        struct frame_name frame;
};

static struct world world;
static struct model_buffer buffers[BUFFERS_MAX];
static struct model_revoked revoked[REVOKED_MAX];
static size_t n_revoked; /* ever; the oldest are overwritten */
static struct client *clients[CLIENTS], *root;
static unsigned client_numbers[CLIENTS], last_number;
static const struct lives_sessions sessions = { client_numbers, CLIENTS };
static uint64_t client_tokens[CLIENTS], root_token;
static struct lives *lives;
static bool over; /* no more decisions */

/* Frames that the pools may have at most, whatever their settings. */
static const uint32_t most[] = { 48, 16, 16 };

static uint64_t rnd(uint64_t below)
{
        uint64_t bits = 0;

        if (!over && !lives->next(lives->data, &bits))
                over = true;
        return over ? 0 : bits % below;
}

static struct request random_request(void)
{
        static const char *const pools[] = { NULL, NULL, "any", "low", "uid" };
        static const char *const named[] = {
                "narrow", "units",      "narrow,units",        "moved",
                "split",  "less,moved", "narrow,0000:01:00.0", "moved,units"
        };
        struct request request = world_request(4096 * (1 + rnd(rnd(4) ? 64 : 2500)));

        if (rnd(3) == 0)
                request.want.align_bytes = UINT64_C(4096) << rnd(12);
        if (rnd(3) == 0)
                request.want.boundary_bytes = UINT64_C(4096) << rnd(12);
        if (rnd(3) == 0)
                request.want.max_segments = rnd(2) ? SEGMENTS_ANY : (uint32_t)(1 + rnd(8));
        if (rnd(4) == 0)
                request.want.max_segment_bytes = 4096 * (1 + rnd(600));
        if (rnd(4) == 0)
                request.want.window.last = rnd(2) ? GiB - 1 : 4 * GiB - 1 - rnd(16) * 3 * MiB;
        if (rnd(8) == 0)
                request.want.window.first = 4 * GiB - rnd(64) * PAGE - rnd(512) * 4096;
        if (rnd(8) == 0)
                request.nodes = 1 + rnd(3);
        request.pool = pools[rnd(ARRAY_SIZE(pools))];
        if (rnd(4) == 0)
                request.device = named[rnd(ARRAY_SIZE(named))];
        return request;
}

static void check_device(const struct device_settings *device, struct range segment,
                         uint64_t dma_offset)
{
        const struct constraint *limits = &device->limits;
        const uint64_t first = segment.first + dma_offset, last = segment.last + dma_offset;
        bool seen = !device->n_windows && !dma_offset;

        for (size_t i = 0; i < device->n_windows; i++)
                seen |= range_contains(device->windows[i].cpu, segment) &&
                        device->windows[i].dma_first - device->windows[i].cpu.first == dma_offset;
        assert_true(seen);
        assert_true(range_contains(limits->window, (struct range){ first, last }));
        assert_int_equal(first & device->min_align_mask, 0);
        if (limits->boundary_bytes)
                assert_int_equal(first / limits->boundary_bytes, last / limits->boundary_bytes);
        if (device->granularity_bytes)
                assert_int_equal((first | (last + 1)) & (device->granularity_bytes - 1), 0);
}

/* Return: what sizes are rounded up to. */
static uint64_t check_devices(const char *names, struct range segment, uint64_t dma_offset)
{
        uint64_t unit = 4096;

        for (size_t i = 0; names && i < ARRAY_SIZE(devices); i++) {
                const struct device_settings *device = &devices[i];

                if (!strstr(names, device->name) &&
                    (!device->pci[0] || !strstr(names, device->pci)))
                        continue;
                check_device(device, segment, dma_offset);
                if (device->granularity_bytes > unit)
                        unit = device->granularity_bytes;
        }
        if (!names)
                assert_int_equal(dma_offset, 0);
        return unit;
}

/* Each segment on its own against the request, and all together against the size. */
static void check_segments(const struct buffer *buffer, const struct request *request,
                           const struct buffer_view *view)
{
        const struct constraint *want = &request->want;
        struct segment_cursor cursor = { 0 };
        uint64_t bytes = 0, count = 0, unit = 4096;
        struct range segment;

        while (buffer_next_segment(buffer, &cursor, &segment)) {
                unit = check_devices(request->device, segment, view->dma_offset);
                segment.first += view->dma_offset;
                segment.last += view->dma_offset;
                assert_true(range_contains(want->window, segment));
                if (want->align_bytes)
                        assert_int_equal(segment.first & (want->align_bytes - 1), 0);
                if (want->boundary_bytes)
                        assert_int_equal(segment.first / want->boundary_bytes,
                                         segment.last / want->boundary_bytes);
                if (want->max_segment_bytes)
                        assert_true(range_size(segment) <= want->max_segment_bytes);
                bytes += range_size(segment);
                count++;
        }
        assert_int_equal(bytes, view->size_bytes);
        assert_int_equal(bytes, align_down(want->size_bytes + (unit - 1), unit));
        assert_int_equal(count, view->segment_count);
        assert_true(count <= (want->max_segments ? want->max_segments : 1));
}

/* Pieces lie in frames, end and begin on their edges, and are as long as the buffer. */
static void check_pieces(const struct buffer *buffer, const struct buffer_view *view,
                         struct model_buffer *model)
{
        model->n_runs = 0;
        for (size_t i = 0; i < view->piece_count; i++) {
                struct piece piece;

                buffer_piece(buffer, i, &piece);
                assert_int_equal(piece.phys % PAGE, piece.frame_offset);
                if (i > 0)
                        assert_int_equal(piece.frame_offset, 0);
                if (i + 1 < view->piece_count)
                        assert_int_equal(piece.frame_offset + piece.length_bytes, PAGE);
                assert_true(world.frames[piece.frame.slot].lent);
                assert_in_range(model->n_runs, 0, ARRAY_SIZE(model->runs) - 1);
                model->frames[model->n_runs] = piece.frame;
                model->runs[model->n_runs++] = range_of(piece.phys, piece.length_bytes);
        }
}

/* Against every other live buffer. */
static void check_alone(const struct model_buffer *mine)
{
        for (size_t b = 0; b < BUFFERS_MAX; b++) {
                const struct model_buffer *other = &buffers[b];

                if (!other->client || other == mine)
                        continue;
                for (size_t i = 0; i < mine->n_runs; i++) {
                        for (size_t j = 0; j < other->n_runs; j++) {
                                assert_false(range_overlaps(mine->runs[i], other->runs[j]));
                                if (other->owner != mine->owner)
                                        assert_true(mine->runs[i].first / PAGE !=
                                                    other->runs[j].first / PAGE);
                        }
                }
        }
}

/* Not where a client was cut off, as long as it is the same page: it may still write there. */
static void check_not_revoked(const struct model_buffer *mine)
{
        for (size_t i = 0; i < n_revoked && i < REVOKED_MAX; i++)
                for (size_t j = 0; j < mine->n_runs; j++)
                        if (frame_id(mine->frames[j]) == frame_id(revoked[i].frame))
                                assert_false(range_overlaps(mine->runs[j], revoked[i].run));
}

static void note_grant(unsigned who, const struct buffer *buffer, const struct request *request)
{
        struct buffer_view view;
        struct model_buffer *model = buffers;

        buffer_view(buffer, &view);
        while (model->client)
                model++;
        assert_true(model < buffers + BUFFERS_MAX);
        model->id = view.id;
        model->client = clients[who];
        /* Uids are 1000 and 1001 in turn. */
        model->owner =
                strcmp(view.pool, "uid") ? client_numbers[who] : 100000 + client_numbers[who] % 2;
        check_segments(buffer, request, &view);
        check_pieces(buffer, &view, model);
        check_alone(model);
        check_not_revoked(model);
        lives->grants++;
}

static size_t count_live(void)
{
        size_t live = 0;

        for (size_t b = 0; b < BUFFERS_MAX; b++)
                live += buffers[b].client != NULL;
        return live;
}

static void step_alloc(unsigned who)
{
        struct request request = random_request();
        struct refusal refusal = { 0 };
        struct lives_count before, after;
        struct buffer *buffer;
        int r;

        if (count_live() > BUFFERS_MAX - 20)
                return;
        lives_limits_count(&world, root, &sessions, &before);
        r = state_alloc(world.state, clients[who], &request, world.now_ns, &buffer, &refusal);
        assert_true(r >= 0);
        lives_limits_count(&world, root, &sessions, &after);
        lives_limits_check(&world, client_numbers[who], &sessions, &before, &after);
        if (r) {
                assert_true(refusal.sentence[0] && refusal.result == r);
                lives->refusals++;
                return;
        }
        if (rnd(4))
                world_show(&world, clients[who], buffer);
        note_grant(who, buffer, &request);
}

/* All of them, or none and no frame has another owner. */
static void step_batch(unsigned who)
{
        const size_t count = 1 + (size_t)rnd(8);
        struct request request = random_request();
        struct buffer *got[BATCH_BUFFERS_MAX];
        struct lives_count before, after;
        struct refusal refusal = { 0 };
        int r;

        if (count_live() > BUFFERS_MAX - 20)
                return;
        if (rnd(4))
                request.want.size_bytes = 1 + rnd(64 * KiB);
        lives_limits_count(&world, root, &sessions, &before);
        r = state_alloc_batch(world.state, clients[who], &request, count, world.now_ns, got,
                              &refusal);
        assert_true(r >= 0);
        lives_limits_count(&world, root, &sessions, &after);
        lives_limits_check(&world, client_numbers[who], &sessions, &before, &after);
        if (r) {
                assert_true(refusal.sentence[0] && refusal.result == r);
                lives->refusals++;
                return;
        }
        for (size_t i = 0; i < count; i++) {
                if (rnd(4))
                        world_show(&world, clients[who], got[i]);
                note_grant(who, got[i], &request);
        }
}

static void step_release(unsigned who)
{
        size_t from = rnd(BUFFERS_MAX);

        for (size_t i = 0; i < BUFFERS_MAX; i++) {
                struct model_buffer *model = &buffers[(from + i) % BUFFERS_MAX];

                if (model->client != clients[who])
                        continue;
                assert_int_equal(state_release(world.state, clients[who], model->id, world.now_ns),
                                 0);
                model->client = NULL;
                return;
        }
}

static void begin_client(unsigned who)
{
        client_numbers[who] = ++last_number;
        clients[who] = lives_limits_client(&world, last_number);
        client_tokens[who] = world.last_token;
}

/* Its memory may come back any time. */
static void forget_buffers(const struct client *client)
{
        for (size_t b = 0; b < BUFFERS_MAX; b++)
                if (buffers[b].client == client)
                        buffers[b].client = NULL;
}

/* ---- the worker's death --------------------------------------------------------------------- */

/* What the ledger says of it is what its client was told. */
static void check_restored(const struct model_buffer *model)
{
        const struct buffer *buffer = client_buffer(model->client, model->id);
        struct buffer_view view;

        assert_non_null(buffer);
        buffer_view(buffer, &view);
        assert_int_equal(view.piece_count, model->n_runs);
        for (size_t i = 0; i < view.piece_count; i++) {
                struct piece piece;

                buffer_piece(buffer, i, &piece);
                assert_int_equal(piece.phys, model->runs[i].first);
                assert_int_equal(piece.length_bytes, range_size(model->runs[i]));
        }
}

/* @held: whose each buffer was, by numbers. */
static void come_back(unsigned who, const unsigned held[BUFFERS_MAX])
{
        clients[who] = lives_limits_resume(&world, client_numbers[who], client_tokens[who]);
        assert_non_null(clients[who]);
        for (size_t b = 0; b < BUFFERS_MAX; b++) {
                if (held[b] != who)
                        continue;
                buffers[b].client = clients[who];
                check_restored(&buffers[b]);
        }
        for (uint32_t i = 0; i < world.n_slots; i++)
                if (world.frames[i].held && rnd(2))
                        assert_int_equal(client_has_mapped(clients[who], world.frames[i].name), 0);
}

/* Who has each buffer; CLIENTS: nobody. Of another worker they will be other objects. */
static void note_holders(unsigned ret[BUFFERS_MAX])
{
        for (size_t b = 0; b < BUFFERS_MAX; b++) {
                ret[b] = 0;
                while (ret[b] < CLIENTS && clients[ret[b]] != buffers[b].client)
                        ret[b]++;
        }
}

/* Most come back, in any order; the others are dead, and somebody else begins. */
static void step_restart(void)
{
        unsigned first = (unsigned)rnd(CLIENTS), held[BUFFERS_MAX];

        note_holders(held);
        for (size_t b = 0; b < BUFFERS_MAX; b++)
                buffers[b].client = NULL;
        world_restart(&world);
        root = world_resume(&world, 0, root_token);
        assert_non_null(root);
        for (unsigned i = 0; i < CLIENTS; i++) {
                unsigned who = (first + i) % CLIENTS;

                if (rnd(8))
                        come_back(who, held);
                else
                        begin_client(who);
                state_check(world.state);
        }
}

static void step_end(unsigned who)
{
        client_end(world.state, clients[who], rnd(2), world.now_ns);
        forget_buffers(clients[who]);
        begin_client(who);
}

static void note_revoked(struct model_buffer *model)
{
        for (size_t i = 0; i < model->n_runs; i++)
                revoked[n_revoked++ % REVOKED_MAX] =
                        (struct model_revoked){ model->runs[i], model->frames[i] };
        model->client = NULL;
}

static void step_revoke(unsigned who)
{
        struct model_buffer *model = &buffers[rnd(BUFFERS_MAX)];
        struct selection which = { .client = client_id(clients[who]) };
        struct refusal refusal;
        uint64_t bytes = 0;
        int r;

        if (rnd(4) && model->client)
                which = (struct selection){ .buffer = model->id };
        r = state_revoke(world.state, rnd(8) ? root : clients[who], &which, world.now_ns, &bytes,
                         &refusal);
        assert_int_equal(r == 0, bytes > 0);
        if (r)
                return;
        for (size_t b = 0; b < BUFFERS_MAX; b++)
                if (which.buffer ? &buffers[b] == model : buffers[b].client == clients[who])
                        note_revoked(&buffers[b]);
}

static void step_end_quarantine(unsigned who)
{
        static const char *const pools[] = { "any", "low", "uid" };
        struct selection which = { .name = "c" };
        struct refusal refusal;
        uint64_t bytes = 0;
        int r;

        if (rnd(2))
                which.pool = pools[rnd(ARRAY_SIZE(pools))];
        if (rnd(2))
                which = (struct selection){ .buffer = rnd(5000) };
        r = state_end_quarantine(world.state, rnd(2) ? root : clients[who], &which, world.now_ns,
                                 &bytes, &refusal);
        assert_int_equal(r == 0, bytes > 0);
}

static void step_lookup(unsigned who)
{
        const struct model_buffer *model = &buffers[rnd(BUFFERS_MAX)];
        struct lookup_report found;
        uint64_t in_run, phys;

        if (!model->client) {
                state_lookup(world.state, clients[who], rnd(5 * GiB), world.now_ns, &found);
                return;
        }
        in_run = rnd(model->n_runs);
        phys = model->runs[in_run].first + rnd(range_size(model->runs[in_run]));
        state_lookup(world.state, clients[who], phys, world.now_ns, &found);
        assert_true(found.held && found.has_buffer);
        assert_int_equal(found.buffer.id, model->id);
        assert_int_equal(found.buffer.holder.mine, model->client == clients[who]);
        for (size_t i = 0; i < in_run; i++)
                phys += range_size(model->runs[i]);
        assert_int_equal(found.offset, phys - model->runs[in_run].first);
}

static bool io_report_has(const struct io_report *report, uint64_t buffer)
{
        for (size_t i = 0; i < report->n_holders; i++)
                if (report->holders[i].buffer == buffer)
                        return true;
        return false;
}

/* A client tells anything of a buffer's I/O addresses; what is taken is found. */
static void step_tell(unsigned who)
{
        const struct model_buffer *model = &buffers[rnd(BUFFERS_MAX)];
        const struct io_tell_part part = { range_of(rnd(64) * 4096, 1 + rnd(4 * MiB)), rnd(8192) };
        const struct io_tell tell = {
                .buffer = model->id,
                .space = (uint32_t)rnd(4),
                .device = rnd(2) ? "0000:03:00.0" : "any",
                .parts = &part,
                .n_parts = rnd(8) > 0,
        };
        struct io_report report;
        struct refusal refusal;
        int r;

        r = state_io_tell(world.state, clients[who], &tell, world.now_ns, &refusal);
        assert_true(r >= 0 && (model->client == clients[who] || r == PAR_REFUSED_GONE));
        state_io_lookup(world.state, clients[who], part.iova.first, "03:00.0", world.now_ns,
                        &report);
        state_io_lookup(world.state, clients[who], part.iova.first, "", world.now_ns, &report);
        assert_true(r || io_report_has(&report, model->id) == (tell.n_parts > 0) || report.more);
}

/* All of what is held, once. */
static void step_map(unsigned who)
{
        struct extent_report extent;
        uint64_t cursor = 0, bytes = 0;
        unsigned steps;

        do {
                steps = 1 + (unsigned)rnd(40);
                while (state_next_extent(world.state, clients[who], RANGE_ALL, NULL, &cursor,
                                         &steps, &extent))
                        bytes += range_size(extent.range);
        } while (!steps);
        assert_int_equal(bytes, world_bytes(&world).held);
}

static void step_keeper(void)
{
        struct world_frame *frame = &world.frames[rnd(world.n_slots)];

        if (!frame->held)
                return;
        if (rnd(2000) == 0) {
                state_frame_poisoned(world.state, frame->name, world.now_ns);
        } else if (frame->leaving) {
                if (rnd(4) == 0) {
                        state_frame_lingers(world.state, frame->name, 1 + (int)rnd(4),
                                            world.now_ns);
                } else {
                        world.snatch = rnd(50) == 0;
                        world_let_frame_leave(&world, frame);
                        world.snatch = false;
                }
        } else if (rnd(2000) == 0) {
                state_frame_moved(world.state, frame->name, rnd(2) ? UINT64_MAX : TiB,
                                  world.now_ns);
        }
}

static void step_dropped(unsigned who)
{
        struct world_frame *frame = &world.frames[rnd(world.n_slots)];

        state_dropped(world.state, clients[who], frame->name, world.now_ns);
}

static void take_answers(void)
{
        for (size_t i = 0; i < world.n_answers; i++) {
                const struct world_answer *answer = &world.answers[i];
                unsigned who = (unsigned)(answer->ticket % CLIENTS);

                /* The buffer is the client's; it gives it straight back. */
                if (!answer->r && client_buffer(clients[who], answer->buffer))
                        state_release(world.state, clients[who], answer->buffer, world.now_ns);
        }
        world.n_answers = 0;
}

static void step_wait(unsigned who)
{
        struct request request = random_request();
        struct refusal refusal;
        int r;

        r = state_wait(world.state, clients[who], &request, world.now_ns + rnd(3) * NS_PER_S,
                       who + CLIENTS * (1 + rnd(1000)), world.now_ns, &refusal);
        assert_true(r >= 0);
}

/* As a client that does not wait: while pools grow. */
static void step_grow(unsigned who)
{
        struct request request = random_request();
        struct refusal refusal;
        int r;

        r = state_wait(world.state, clients[who], &request, WAIT_FOR_GROWTH,
                       who + CLIENTS * (1 + rnd(1000)), world.now_ns, &refusal);
        assert_true(r >= 0 && r != PAR_REFUSED_TIMED_OUT);
}

static void step_take(void)
{
        static const int faults[] = { 0, 0, 0, -ENOMEM, -EDQUOT, -EFBIG, -ECANCELED };
        uint32_t pool = (uint32_t)rnd(world.settings.n_pools);

        if (!world.want[pool])
                return;
        world.scatter = (uint32_t)rnd(3);
        if (rnd(4) == 0)
                state_taking(world.state, pool, (uint32_t)rnd(world.want[pool] + 1), rnd(2) * GiB,
                             world.now_ns);
        else
                world_serve_take(&world, pool, rnd(3) ? UINT32_MAX : (uint32_t)rnd(8),
                                 faults[rnd(ARRAY_SIZE(faults))]);
}

static void step_resize(unsigned who)
{
        const struct pool_settings *pool = &world.pools[rnd(world.settings.n_pools)];
        struct refusal refusal;
        int r;

        r = state_resize(world.state, rnd(8) ? root : clients[who], pool->name,
                         rnd(56) * PAGE + rnd(2), world.now_ns, &refusal);
        assert_true(!r || refusal.sentence[0]);
}

static void step_drain(void)
{
        const struct pool_settings *pool = &world.pools[rnd(world.settings.n_pools)];
        uint64_t top = pool->window.last < 4 * GiB ? pool->window.last + 1 : 4 * GiB;
        struct refusal refusal;
        struct range window;
        uint64_t bytes;
        int r;

        window = range_of(top - (1 + rnd(60)) * PAGE, (1 + rnd(12)) * PAGE);
        if (rnd(4) == 0)
                window = RANGE_ALL;
        /* Ended more often than begun, or nothing would be left to grant. */
        r = state_drain(world.state, root, pool->name, window, window.first > 0 && rnd(4) == 0,
                        world.now_ns, &bytes, &refusal);
        assert_true(!r || refusal.sentence[0]);
}

/* The pools are what they were, but for how large they may be. */
static void step_reconfigure(void)
{
        for (size_t i = 0; i < world.settings.n_pools; i++) {
                struct pool_settings *pool = &world.pools[i];

                pool->size_min_bytes = (1 + rnd(most[i])) * PAGE;
                pool->size_max_bytes = pool->size_min_bytes + rnd(most[i]) * PAGE;
                if (pool->size_max_bytes > most[i] * PAGE)
                        pool->size_max_bytes = most[i] * PAGE;
                pool->spare_bytes = rnd(4) * PAGE;
                pool->shrink_delay_ns = rnd(4) * NS_PER_S;
                pool->run_min_bytes = rnd(4) ? 0 : 2 * PAGE;
        }
        lives_limits_change(&world, rnd);
        state_reconfigure(world.state, &world.settings, world.now_ns);
}

static void step_pool(unsigned who)
{
        switch (rnd(16)) {
        case 0: step_resize(who); return;
        case 1: step_drain(); return;
        case 2:
                if (rnd(4) == 0)
                        step_reconfigure();
                return;
        case 3: step_grow(who); return;
        default: step_take();
        }
}

/* Everything as it was configured, and the system has enough. */
static void calm_down(void)
{
        struct refusal refusal;
        uint64_t bytes;

        for (size_t i = 0; i < world.settings.n_pools; i++) {
                struct pool_settings *pool = &world.pools[i];

                pool->size_min_bytes = most[i] / 2 * PAGE;
                pool->size_max_bytes = most[i] * PAGE;
                pool->spare_bytes = PAGE;
                pool->shrink_delay_ns = NS_PER_S;
                pool->run_min_bytes = 0;
        }
        lives_limits_remove(&world);
        world.scatter = 0;
        world.clumsy = world.late = false;
        state_reconfigure(world.state, &world.settings, world.now_ns);
        for (size_t i = 0; i < world.settings.n_pools; i++) {
                assert_int_equal(state_drain(world.state, root, world.pools[i].name, RANGE_ALL,
                                             false, world.now_ns, &bytes, &refusal),
                                 0);
                assert_int_equal(state_resize(world.state, root, world.pools[i].name,
                                              world.pools[i].size_min_bytes, world.now_ns,
                                              &refusal),
                                 0);
        }
}

static void step_explain(unsigned who)
{
        static struct explanation explanation;
        struct request request = random_request();

        assert_int_equal(
                state_explain(world.state, clients[who], &request, world.now_ns, &explanation), 0);
        assert_true(explanation.refusal.sentence[0]);
}

static void step_admin(unsigned who)
{
        switch (rnd(10)) {
        case 0: step_revoke(who); return;
        case 1: step_end_quarantine(who); return;
        case 2: step_map(who); return;
        case 3:
        case 4: step_tell(who); return;
        default: step_lookup(who);
        }
}

/* The device with an address is looked at: whatever is seen, or only what lets go of memory. */
static void see_device(bool quiet)
{
        struct world_watch *watch = world_watch(&world, LIVES_DEVICE);
        enum device_sight sight = quiet ? SIGHT_QUIET : (enum device_sight)(SIGHT_QUIET + rnd(3));
        uint32_t round = watch->round - (!quiet && rnd(2) ? 1 : 0);

        if (!watch->on)
                return;
        watch->on = sight != SIGHT_QUIET || round != watch->round;
        state_device_seen(world.state, LIVES_DEVICE, round, sight, world.now_ns);
}

static void step(void)
{
        unsigned who = (unsigned)rnd(CLIENTS);
        uint64_t dice = rnd(100);

        if (dice < 36)
                step_alloc(who);
        else if (dice < 40)
                step_batch(who);
        else if (dice < 68)
                step_release(who);
        else if (dice < 70)
                step_admin(who);
        else if (dice < 71)
                step_end(who);
        else if (dice < 76)
                step_pool(who);
        else if (dice < 88)
                step_keeper();
        else if (dice < 94)
                step_dropped(who);
        else if (dice < 96)
                step_wait(who);
        else if (dice < 97)
                step_explain(who);
        else if (dice < 98)
                lives_shared_step(&world, clients[who], rnd);
        else
                world.now_ns += rnd(NS_PER_S);
        if (!rnd(400))
                step_restart();
        if (!rnd(32))
                see_device(false);
        if (state_next_due(world.state) <= world.now_ns)
                state_tick(world.state, world.now_ns);
        take_answers();
        state_check(world.state);
}

void lives_run(struct lives *of, unsigned steps)
{
        uint32_t low, uid;

        lives = of;
        over = false;
        last_number = 0;
        n_revoked = 0;
        memset(buffers, 0, sizeof(buffers));
        lives_shared_begin();
        world_init(&world, most[0]);
        low = world_add_pool(&world, "low", 0, GiB - 1, most[1]);
        uid = world_add_pool(&world, "uid", 0, 3 * GiB - 1, most[2]);
        memcpy(world.devices, devices, sizeof(devices));
        world.settings.n_devices = ARRAY_SIZE(devices);
        world.pools[0].reuse_delay_ns = NS_PER_S;
        world.pools[low].spill = true;
        world.pools[uid].isolation = ISOLATE_UID;
        world.pools[uid].reuse_delay_ns = NS_PER_S / 2;
        world.clumsy = world.late = true;
        lives_limits_change(&world, rnd);
        world_start(&world);
        for (unsigned i = 0; i < CLIENTS; i++)
                begin_client(i);
        root = world_client(&world, 0, "root");
        root_token = world.last_token;
        for (unsigned i = 0; i < steps && !over; i++)
                step();
        for (unsigned i = 0; i < CLIENTS; i++)
                client_end(world.state, clients[i], rnd(2), world.now_ns);
        lives_shared_end(&world, root);
        see_device(true);
        calm_down();
        client_end(world.state, root, true, world.now_ns);
        world_pass(&world, 100 * NS_PER_S);
        see_device(true); /* who did not come back counts as dead since then */
        world_pass(&world, 100 * NS_PER_S);
        world_let_leave(&world);
        world_pass(&world, 100 * NS_PER_S);
        assert_int_equal(world_bytes(&world).free, world_bytes(&world).held);
        for (size_t i = 0; i < world.settings.n_pools; i++) {
                assert_int_equal(world_pool(&world, (uint32_t)i).bytes.held, most[i] / 2 * PAGE);
                assert_string_equal(world_pool(&world, (uint32_t)i).state, "ready");
        }
        world_stop(&world);
}
