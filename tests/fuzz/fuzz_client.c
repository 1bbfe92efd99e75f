/* SPDX-License-Identifier: MIT */
/*
 * libpar against a server that lies: see hostile_server.h. Each input is a row of choices, of what
 * the program calls and of what the server says.
 *
 * Held: the library never crashes, never sleeps where nobody will wake it, and ends in bounded time
 * when the server is gone; what it hands out is mapped, writable and nobody else's; events are of
 * buffers that are there; and after par_disconnect() no descriptor, mapping or memory is left.
 */
#include "hostile_server.h"
#include "inline_system.h"
#include "mangle.h"
#include "public.h"

#include "macros.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BUFFERS_MAX 8
#define CALLS_MAX   64
#define FDS_MAX     256

/* A minute to resume, ten where pard said so, and some more. */
#define LONGEST_NS (700 * NS_PER_S)
#define SLEEPS_MAX 20000u

static struct {
        struct choices choices;
        struct hostile_server server;
        struct par *par;
        struct par_device *device;
        struct par_buffer *buffers[BUFFERS_MAX];
        uint64_t since_ns;
} on;

static void must(bool ok)
{
        if (!ok)
                abort();
}

/* Nothing is heard of the server any more since then. */
static void check_time(void)
{
        if (!on.choices.over)
                on.since_ns = inline_system_ns();
        must(inline_system_ns() - on.since_ns < LONGEST_NS);
        must(inline_system_sleeps() < SLEEPS_MAX);
}

static unsigned count_descriptors(void)
{
        unsigned n = 0;

        for (int fd = 0; fd < FDS_MAX; fd++)
                n += fcntl(fd, F_GETFD) >= 0;
        return n;
}

/* ---- what a buffer is ----------------------------------------------------------------------- */

static void check_alone(const struct par_buffer *buffer)
{
        const char *first = par_buffer_data(buffer);
        const char *last = first + par_buffer_size(buffer) - 1;

        for (size_t i = 0; i < BUFFERS_MAX; i++) {
                const char *other = on.buffers[i] ? par_buffer_data(on.buffers[i]) : NULL;

                if (other && on.buffers[i] != buffer)
                        must(other > last || other + par_buffer_size(on.buffers[i]) - 1 < first);
        }
}

static void check_segments(const struct par_segment *segments, size_t n, size_t bytes)
{
        uint64_t offset = 0;

        must(n > 0);
        for (size_t i = 0; i < n; i++) {
                must(segments[i].length && segments[i].offset == offset);
                offset += segments[i].length;
        }
        must(offset == bytes);
}

static void use(struct par_buffer *buffer)
{
        const size_t bytes = par_buffer_size(buffer);
        const struct par_segment *segments;
        char *data = par_buffer_data(buffer);
        uint64_t dma[4];
        size_t n;

        must(data && bytes);
        data[0] = data[bytes / 2] = data[bytes - 1] = 'u';
        check_alone(buffer);
        n = par_buffer_segments(buffer, &segments);
        check_segments(segments, n, bytes);
        n = par_buffer_runs(buffer, &segments);
        check_segments(segments, n, bytes);
        (void)!par_buffer_pages(buffer, choose(&on.choices, 4) * 4096, 4096, dma,
                                1 + choose(&on.choices, ARRAY_SIZE(dma)));
        (void)!par_dma_address(on.par, data + choose(&on.choices, bytes), dma, NULL);
        must(strlen(par_buffer_pool(buffer)) < 4096);
}

/* ---- calls ---------------------------------------------------------------------------------- */

static struct par_buffer **room(void)
{
        for (size_t i = 0; i < BUFFERS_MAX; i++)
                if (!on.buffers[i])
                        return &on.buffers[i];
        return NULL;
}

static struct par_buffer **some(void)
{
        struct par_buffer **buffer = &on.buffers[choose(&on.choices, BUFFERS_MAX)];

        return *buffer ? buffer : NULL;
}

static void call_alloc(void)
{
        static const char *const names[] = { NULL, NULL, "ring", "other" };
        struct par_alloc_options options = {
                .device = choose(&on.choices, 4) ? NULL : on.device,
                .wait_ms = (int32_t)choose(&on.choices, 3) * 1000 - 1000,
                .name = names[choose(&on.choices, ARRAY_SIZE(names))],
                .flags = (uint32_t)choose(&on.choices, 16),
        };
        struct par_constraint constraint = { .max_segments = PAR_SEGMENTS_ANY };
        struct par_buffer **ret = room();
        const size_t bytes = 1 + choose(&on.choices, choose(&on.choices, 2) ? 8192 : 400 * KiB);

        if (!ret)
                return;
        if (par_alloc(on.par, bytes, &constraint, &options, ret)) {
                must(!*ret);
                must(*par_error(on.par));
                return;
        }
        must(par_buffer_size(*ret) >= bytes);
        use(*ret);
}

static void call_batch(void)
{
        const struct par_alloc_options options = { .flags = (uint32_t)choose(&on.choices, 4) };
        const size_t bytes = 1 + choose(&on.choices, 16384), count = 1 + choose(&on.choices, 6);
        struct par_buffer *batch[6], **ret;

        if (par_alloc_batch(on.par, count, bytes, NULL, &options, batch)) {
                for (size_t i = 0; i < count; i++)
                        must(!batch[i]);
                must(*par_error(on.par));
                return;
        }
        for (size_t i = 0; i < count && (ret = room()); i++) {
                must(par_buffer_size(batch[i]) >= bytes);
                *ret = STEAL(batch[i]);
                use(*ret);
        }
        par_free_batch(batch, count);
}

static void call_free_batch(void)
{
        const size_t from = choose(&on.choices, BUFFERS_MAX);

        par_free_batch(on.buffers + from, BUFFERS_MAX - from);
        for (size_t i = from; i < BUFFERS_MAX; i++)
                on.buffers[i] = NULL;
}

static void call_open(void)
{
        static const struct par_token token = { { 1, 2, 3 } };
        struct par_buffer **ret = room();
        int r;

        if (!ret)
                return;
        r = choose(&on.choices, 2) ? par_open(on.par, "1001/ring", NULL, ret)
                                   : par_open_shared(on.par, &token, NULL, ret);
        must(!r == (*ret != NULL));
        if (!r)
                use(*ret);
}

static void call_free(void)
{
        struct par_buffer **buffer = some();

        if (buffer)
                par_free(STEAL(*buffer));
}

static void call_export(void)
{
        struct par_buffer **buffer = some();
        int fd;

        if (!buffer)
                return;
        if (par_buffer_export_dmabuf(*buffer, &fd))
                must(fd == -1);
        else
                must(!close(fd));
}

static void call_share(void)
{
        struct par_buffer **buffer = some();
        struct par_token token;

        if (!buffer)
                return;
        if (choose(&on.choices, 2))
                (void)!par_buffer_share(*buffer, &token);
        else
                (void)!par_buffer_unshare(*buffer);
}

static void call_event(void)
{
        struct par_event event;
        bool known = false;

        if (par_next_event(on.par, &event)) {
                must(event.type == PAR_EVENT_NONE);
                return;
        }
        for (size_t i = 0; i < BUFFERS_MAX; i++)
                known |= event.buffer && event.buffer == on.buffers[i];
        must(!event.buffer || known);
        if (event.buffer)
                must(event.offset <= par_buffer_size(event.buffer) &&
                     event.length <= par_buffer_size(event.buffer) - event.offset);
}

static void call_device(void)
{
        if (on.device)
                par_device_close(STEAL(on.device));
        else if (par_device_open(on.par, "capture0", &on.device))
                must(!on.device);
}

static void call(void)
{
        uint64_t bytes;

        switch (choose(&on.choices, 19)) {
        case 16:
        case 17: call_batch(); return;
        case 18: call_free_batch(); return;
        case 0: call_event(); return;
        case 1: call_device(); return;
        case 2: call_share(); return;
        case 3: call_export(); return;
        case 4: call_open(); return;
        case 5: (void)!par_remove(on.par, "ring"); return;
        case 6: (void)!par_reclaim(on.par, NULL, &bytes); return;
        case 7:
        case 8:
        case 9: call_free(); return;
        default: call_alloc(); return;
        }
}

static int connect_somehow(void)
{
        const struct par_connect_options options = {
                .client_name = "fuzz",
                .spin_us = choose(&on.choices, 4) ? 0 : 50,
        };

        return par_connect("/run/pard/pard.sock", &options, &on.par);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
        const unsigned descriptors = count_descriptors();
        struct inline_server inline_server;

        memset(&on, 0, sizeof(on));
        on.choices = choices_from_input(bytes, size);
        hostile_server_begin(&on.server, &on.choices);
        inline_server = hostile_server_inline(&on.server);
        inline_system_begin(&inline_server);
        if (!connect_somehow()) {
                for (unsigned i = 0; i < CALLS_MAX && !on.choices.over; i++) {
                        call();
                        check_time();
                }
                par_disconnect(on.par);
                check_time();
        }
        inline_system_end();
        must(!inline_system_mapped());
        hostile_server_end(&on.server);
        must(count_descriptors() == descriptors);
        return 0;
}
