/* SPDX-License-Identifier: MIT */
/*
 * Owns a handle of libpar, and sessions without libpar for what it never asks. Refuses nothing: who
 * has lost its connection is through with what is left to ask.
 */
#include "fault_session.h"

#include "macros.h"
#include "message.h"
#include "packet.h"
#include "process.h"
#include "wire_client.h"

#include <errno.h>
#include <fcntl.h>
#include <par.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- a session by hand ----------------------------------------------------------------------- */

/* @fd: -1: the connection is lost. */
struct raw {
        int fd;
        uint32_t seq;
        struct message_arena arena;
        struct packet got;
};

static void raw_lose(struct raw *raw)
{
        packet_close_descriptors(&raw->got);
        message_arena_deinit(&raw->arena);
        if (raw->fd >= 0)
                close(raw->fd);
        *raw = (struct raw){ .fd = -1 };
}

static void raw_post(struct raw *raw, Wire__Request *request)
{
        char bytes[4096];
        size_t size;

        if (raw->fd < 0)
                return;
        request->seq = ++raw->seq;
        if (message_pack_request(request, bytes, sizeof(bytes), &size) ||
            packet_send(raw->fd, bytes, size, NULL, 0))
                raw_lose(raw);
}

/* The reply to the request posted last, or to one posted @before it. NULL: the connection is lost.
 */
static const Wire__Reply *raw_reply(struct raw *raw, uint32_t before)
{
        static char bytes[PACKET_BYTES_MAX];
        Wire__Packet *packet;

        while (raw->fd >= 0) {
                packet_close_descriptors(&raw->got);
                message_arena_reset(&raw->arena);
                if (packet_receive(raw->fd, bytes, sizeof(bytes), &raw->got) || !raw->got.size ||
                    message_unpack_packet(&raw->arena, bytes, raw->got.size, &packet))
                        raw_lose(raw);
                else if (packet->kind_case == WIRE__PACKET__KIND_REPLY &&
                         packet->reply->seq == raw->seq - before)
                        return packet->reply;
        }
        return NULL;
}

static const Wire__Reply *raw_ask(struct raw *raw, Wire__Request *request)
{
        raw_post(raw, request);
        return raw_reply(raw, 0);
}

static void raw_open(const char *path, const char *name, struct raw *ret)
{
        struct sockaddr_un address = { .sun_family = AF_UNIX };
        Wire__Request request = WIRE__REQUEST__INIT;
        Wire__Hello hello = WIRE__HELLO__INIT;
        char client_name[64];

        *ret = (struct raw){ .fd = -1 };
        snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
        snprintf(client_name, sizeof(client_name), "%s", name);
        ret->fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
        if (ret->fd < 0 || connect(ret->fd, (struct sockaddr *)&address, sizeof(address)) < 0)
                die("%s: %s", path, strerror(errno));
        hello.version = 1;
        hello.client_name = client_name;
        request.body_case = WIRE__REQUEST__BODY_HELLO;
        request.hello = &hello;
        if (!raw_ask(ret, &request))
                raw_lose(ret);
}

/* ---- what an administrator asks -------------------------------------------------------------- */

static void ask_lists(struct raw *raw)
{
        static const Wire__Request__BodyCase lists[] = {
                WIRE__REQUEST__BODY_STATUS,  WIRE__REQUEST__BODY_POOLS,
                WIRE__REQUEST__BODY_FRAMES,  WIRE__REQUEST__BODY_BUFFERS,
                WIRE__REQUEST__BODY_CLIENTS, WIRE__REQUEST__BODY_MAP,
                WIRE__REQUEST__BODY_DEVICES,
        };

        for (size_t i = 0; i < ARRAY_SIZE(lists); i++) {
                Wire__Request request = WIRE__REQUEST__INIT;
                Wire__List list = WIRE__LIST__INIT;

                request.body_case = lists[i];
                request.status = &list; /* as all of them in the union */
                (void)raw_ask(raw, &request);
        }
}

static void ask_lookups(struct raw *raw, uint64_t phys)
{
        Wire__Request request = WIRE__REQUEST__INIT;
        Wire__Lookup lookup = WIRE__LOOKUP__INIT;
        Wire__LookupIo lookup_io = WIRE__LOOKUP_IO__INIT;

        lookup.address = phys;
        request.body_case = WIRE__REQUEST__BODY_LOOKUP;
        request.lookup = &lookup;
        (void)raw_ask(raw, &request);
        lookup_io.address = 0x10000;
        lookup_io.device = (char *)(uintptr_t) "";
        request.body_case = WIRE__REQUEST__BODY_LOOKUP_IO;
        request.lookup_io = &lookup_io;
        (void)raw_ask(raw, &request);
}

static void ask_resize(struct raw *raw, uint64_t size)
{
        Wire__Request request = WIRE__REQUEST__INIT;
        Wire__Resize resize = WIRE__RESIZE__INIT;

        resize.pool = (char *)(uintptr_t) "any";
        resize.size = size;
        request.body_case = WIRE__REQUEST__BODY_RESIZE;
        request.resize = &resize;
        (void)raw_ask(raw, &request);
}

static void ask_drain(struct raw *raw, uint64_t first, uint64_t last, bool end)
{
        Wire__Request request = WIRE__REQUEST__INIT;
        Wire__Drain drain = WIRE__DRAIN__INIT;

        drain.pool = (char *)(uintptr_t) "any";
        drain.addr_min = first;
        drain.addr_max = last;
        drain.end = end;
        request.body_case = WIRE__REQUEST__BODY_DRAIN;
        request.drain = &drain;
        (void)raw_ask(raw, &request);
}

static void ask_selection(struct raw *raw, Wire__Request__BodyCase what, uint64_t buffer,
                          const char *client)
{
        Wire__Request request = WIRE__REQUEST__INIT;
        Wire__Selection selection = WIRE__SELECTION__INIT;

        selection.buffer = buffer;
        selection.client_name = (char *)(uintptr_t)client;
        request.body_case = what;
        request.revoke = &selection;
        (void)raw_ask(raw, &request);
}

static void ask_reload(struct raw *raw)
{
        Wire__Request request = WIRE__REQUEST__INIT;
        Wire__Reload reload = WIRE__RELOAD__INIT;

        request.body_case = WIRE__REQUEST__BODY_RELOAD;
        request.reload = &reload;
        (void)raw_ask(raw, &request);
}

/* ---- what clients ask without libpar --------------------------------------------------------- */

static void post_alloc(struct raw *raw, Wire__Request__BodyCase what, uint64_t size,
                       int32_t wait_ms)
{
        Wire__Request request = WIRE__REQUEST__INIT;
        Wire__Alloc alloc = WIRE__ALLOC__INIT;
        Wire__Constraint any = WIRE__CONSTRAINT__INIT;

        any.max_segments = PAR_SEGMENTS_ANY;
        alloc.size = size;
        alloc.wait_ms = wait_ms;
        alloc.constraint = &any;
        request.body_case = what;
        request.alloc = &alloc;
        raw_post(raw, &request);
}

/* Return: the buffer's number; 0 where there is none. */
static uint64_t ask_alloc(struct raw *raw, uint64_t size)
{
        const Wire__Reply *reply;

        post_alloc(raw, WIRE__REQUEST__BODY_ALLOC, size, 0);
        reply = raw_reply(raw, 0);
        return reply && reply->body_case == WIRE__REPLY__BODY_ALLOC ? reply->alloc->buffer : 0;
}

static void ask_mapped(struct raw *raw, uint64_t buffer)
{
        Wire__Request request = WIRE__REQUEST__INIT;
        Wire__Mapped mapped = WIRE__MAPPED__INIT;
        Wire__IoPart part = WIRE__IO_PART__INIT, *parts[] = { &part };

        part.iova = 0x10000;
        part.length = 4096;
        mapped.buffer = buffer;
        mapped.space = 1;
        mapped.parts = parts;
        mapped.n_parts = 1;
        request.body_case = WIRE__REQUEST__BODY_MAPPED;
        request.mapped = &mapped;
        (void)raw_ask(raw, &request);
}

static void ask_extents(struct raw *raw, uint64_t buffer)
{
        Wire__Request request = WIRE__REQUEST__INIT;
        Wire__Extents extents = WIRE__EXTENTS__INIT;

        extents.buffer = buffer;
        request.body_case = WIRE__REQUEST__BODY_EXTENTS;
        request.extents = &extents;
        (void)raw_ask(raw, &request);
}

static void ask_drop(struct raw *raw)
{
        Wire__Request request = WIRE__REQUEST__INIT;
        Wire__Drop drop = WIRE__DROP__INIT;
        uint64_t frames[] = { 1, 2, 3 };

        drop.frames = frames;
        drop.n_frames = ARRAY_SIZE(frames);
        request.body_case = WIRE__REQUEST__BODY_DROP;
        request.drop = &drop;
        (void)raw_ask(raw, &request);
}

/* What waits for more than there is, is cancelled: two replies. */
static void ask_and_cancel(struct raw *raw)
{
        Wire__Request request = WIRE__REQUEST__INIT;
        Wire__Cancel cancel = WIRE__CANCEL__INIT;

        post_alloc(raw, WIRE__REQUEST__BODY_ALLOC, 30 * MiB, -1);
        cancel.seq = raw->seq;
        request.body_case = WIRE__REQUEST__BODY_CANCEL;
        request.cancel = &cancel;
        raw_post(raw, &request);
        (void)raw_reply(raw, 0);
}

/* It has memory that is known to be mapped for a device, waits for more, and is gone. */
static void live_and_die(const char *socket)
{
        struct raw raw;
        uint64_t buffer;

        raw_open(socket, "mortal", &raw);
        post_alloc(&raw, WIRE__REQUEST__BODY_EXPLAIN, 3 * MiB, 0);
        (void)raw_reply(&raw, 0);
        buffer = ask_alloc(&raw, 3 * MiB);
        ask_mapped(&raw, buffer);
        ask_extents(&raw, buffer);
        ask_drop(&raw);
        ask_and_cancel(&raw);
        post_alloc(&raw, WIRE__REQUEST__BODY_ALLOC, 30 * MiB, -1);
        raw_lose(&raw);
}

/* ---- a client -------------------------------------------------------------------------------- */

/* No result that par.h does not know: a refusal, or an errno. */
static int known(const char *call, int r)
{
        if (r > 0 || (r < -4095 && (r > -PAR_NEVER_FITS || r < -PAR_GONE)))
                die("%s gave %d", call, r);
        return r;
}

static struct par_buffer *get(struct par *par, const struct par_device *device, size_t size,
                              uint32_t segments, int32_t wait_ms)
{
        const struct par_constraint want = { .max_segments = segments };
        const struct par_alloc_options options = { .device = device,
                                                   .label = "of a fault session",
                                                   .wait_ms = wait_ms };
        struct par_buffer *buffer;

        if (known("par_alloc", par_alloc(par, size, &want, &options, &buffer)))
                return NULL;
        memset(par_buffer_data(buffer), 1, size);
        return buffer;
}

static void read_events(struct par *par)
{
        struct par_event event;

        while (!known("par_next_event", par_next_event(par, &event)))
                ;
}

static void administer(const char *socket, struct par_buffer *victim)
{
        const struct par_segment *segments = NULL;
        uint64_t phys = 0;
        struct raw raw;

        if (par_buffer_segments(victim, &segments))
                phys = segments[0].phys;
        raw_open(socket, "admin", &raw);
        ask_lists(&raw);
        ask_lookups(&raw, phys);
        ask_resize(&raw, 40 * MiB);
        ask_drain(&raw, phys, phys + 4095, false);
        ask_selection(&raw, WIRE__REQUEST__BODY_REVOKE, par_buffer_id(victim), "");
        ask_drain(&raw, phys, phys + 4095, true);
        ask_resize(&raw, 32 * MiB);
        ask_reload(&raw);
        ask_selection(&raw, WIRE__REQUEST__BODY_RELEASE, 0, "mortal");
        raw_lose(&raw);
}

static void kill_worker(const struct pard_fixture *pard)
{
        pid_t worker = pard_fixture_worker(pard);

        if (worker)
                kill(worker, SIGKILL);
}

static void use(const struct pard_fixture *pard, struct par *par, bool restart)
{
        struct par_device *device = NULL;
        struct par_buffer *small, *large, *scattered, *again;
        int dmabuf;

        (void)known("par_device_open", par_device_open(par, "capture0", &device));
        small = get(par, device, 4096, 1, 0);
        large = get(par, NULL, 5 * MiB, 1, 0);
        scattered = get(par, NULL, 6 * MiB, PAR_SEGMENTS_ANY, 0);
        par_free(get(par, NULL, 29 * MiB, PAR_SEGMENTS_ANY, 1));
        if (small && !known("par_buffer_export_dmabuf", par_buffer_export_dmabuf(small, &dmabuf)))
                close(dmabuf);
        if (restart)
                kill_worker(pard);
        live_and_die(pard->socket);
        administer(pard->socket, large);
        read_events(par);
        par_free(small);
        again = get(par, device, 8192, 1, 0);
        par_free(large);
        par_free(scattered);
        par_free(get(par, NULL, 2 * MiB, 1, 0));
        (void)known("par_reclaim", par_reclaim(par, "mortal", NULL));
        par_free(again);
        read_events(par);
        par_device_close(device);
}

void fault_session(const struct pard_fixture *pard, bool restart)
{
        const struct par_connect_options options = { .client_name = "user" };
        struct par *par;

        if (known("par_connect", par_connect(pard->socket, &options, &par)))
                return;
        use(pard, par, restart);
        par_disconnect(par);
}

/* ---- from outside ---------------------------------------------------------------------------- */

static void clean_up(const struct pard_fixture *pard, uint64_t pool_bytes)
{
        struct raw raw;

        raw_open(pard->socket, "cleans", &raw);
        ask_drain(&raw, 0, UINT64_MAX, true);
        ask_resize(&raw, pool_bytes);
        ask_reload(&raw);
        raw_lose(&raw);
}

static bool is_over(const struct pard_fixture *pard, uint64_t pool_bytes)
{
        Wire__Request request = WIRE__REQUEST__INIT;
        Wire__List list = WIRE__LIST__INIT;
        const Wire__Reply *reply;
        struct raw raw;
        bool over = false;

        raw_open(pard->socket, "looks", &raw);
        request.body_case = WIRE__REQUEST__BODY_STATUS;
        request.status = &list;
        reply = raw_ask(&raw, &request);
        if (reply && reply->body_case == WIRE__REPLY__BODY_STATUS) {
                const Wire__Status *status = reply->status;

                check_sum_of_states(status->bytes);
                over = status->bytes->free == pool_bytes && status->bytes->held == pool_bytes &&
                       status->clients == 1 && !status->buffers && !status->waiting;
        }
        raw_lose(&raw);
        return over;
}

/* In a process of its own: a session that the next worker does not hear of again is awaited for as
 * long as its process lives. Return: what the child found. */
static bool ask_in_child(const struct pard_fixture *pard, uint64_t pool_bytes, bool clean)
{
        int status;
        pid_t pid;

        fflush(NULL);
        pid = fork();
        if (pid < 0)
                die("fork: %s", strerror(errno));
        if (pid == 0) {
                if (clean)
                        clean_up(pard, pool_bytes);
                _exit(clean || is_over(pard, pool_bytes) ? 0 : 2);
        }
        if (waitpid(pid, &status, 0) != pid || !WIFEXITED(status) || WEXITSTATUS(status) == 1)
                die("the daemon could not be asked");
        return status == 0;
}

void fault_session_clean_up(const struct pard_fixture *pard, uint64_t pool_bytes)
{
        (void)ask_in_child(pard, pool_bytes, true);
}

bool fault_session_is_over(const struct pard_fixture *pard, uint64_t pool_bytes)
{
        return ask_in_child(pard, pool_bytes, false);
}
