/* SPDX-License-Identifier: MIT */
/*
 * Every event that can be brought about from outside, through a real daemon and par_fd(): each is
 * waited for in an event loop, level-triggered and edge-triggered, and is what it should be. What
 * nobody reads for a while is not lost, and comes merged. (POISONED takes memory that fails: that
 * is in the tests on virtual machines.)
 *
 *     test_events [hugetlb]      default: invented memory, which cannot move
 */
#include "frame_tricks.h"
#include "macros.h"
#include "pard_fixture.h"
#include "process.h"
#include "wire_client.h"

#include <errno.h>
#include <fcntl.h>
#include <par.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#define POOL_BYTES (16 * MiB)
#define SOON_MS    60000

static const char pool[] =
        "verify = \"20ms\"\n"
        "pool \"any\" { page_size = \"2M\" size_min = \"16M\" reuse_delay = \"0ms\" }\n";
static const char hugetlb[] =
        "backend = \"hugetlb\"\nhugepages = \"reserve\"\nkeep_free = \"512M\"\n";
static const char sim[] =
        "backend = \"sim\"\n"
        "sim { extent \"high\" { first = \"4G\" size = \"1G\" page_size = \"2M\" } }\n";

/**
 * struct scene - one client and its event loop
 * @buffer:  all of the pool; NULL once it was freed
 * @loop:    an epoll descriptor that watches par_fd()
 * @rival:   a process that waits for memory; 0: none
 * @splice:  a pipe with a page of what was freed
 */
struct scene {
        struct pard_fixture pard;
        struct wire_client admin;
        struct par *par;
        struct par_buffer *buffer;
        int loop;
        pid_t rival;
        int splice[2];
        long hugepages_before;
};

/* ---- what makes it happen -------------------------------------------------------------------- */

static void ask(struct scene *scene, Wire__Request *request, const char *what)
{
        const Wire__Reply *reply = wire_client_ask(&scene->admin, request);

        if (reply->result)
                die("%s: %u", what, reply->result);
}

static void drain(struct scene *scene, bool end)
{
        Wire__Request request = WIRE__REQUEST__INIT;
        Wire__Drain body = WIRE__DRAIN__INIT;

        body.pool = (char *)(uintptr_t) "any";
        body.end = end;
        request.body_case = WIRE__REQUEST__BODY_DRAIN;
        request.drain = &body;
        ask(scene, &request, "drain");
}

static void begin_drain(struct scene *scene)
{
        drain(scene, false);
}

static void end_drain(struct scene *scene)
{
        drain(scene, true);
}

static void revoke_buffer(struct scene *scene)
{
        Wire__Request request = WIRE__REQUEST__INIT;
        Wire__Selection which = WIRE__SELECTION__INIT;

        which.buffer = par_buffer_id(scene->buffer);
        request.body_case = WIRE__REQUEST__BODY_REVOKE;
        request.revoke = &which;
        ask(scene, &request, "revoke");
}

static void want(struct scene *scene)
{
        const struct par_alloc_options options = { .wait_ms = -1 };
        struct par_buffer *buffer;
        struct par *par;

        fflush(NULL);
        scene->rival = fork();
        insist(scene->rival >= 0, "fork");
        if (scene->rival)
                return;
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (par_connect(scene->pard.socket, NULL, &par) ||
            par_alloc(par, 2 * MiB, NULL, &options, &buffer))
                die("rival: %s", par_error(NULL));
        _exit(0);
}

static void end_rival(struct scene *scene)
{
        kill(scene->rival, SIGKILL);
        waitpid(scene->rival, NULL, 0);
        scene->rival = 0;
}

static void leak(struct scene *scene)
{
        struct iovec page = { par_buffer_data(scene->buffer), 4096 };

        insist(pipe2(scene->splice, O_CLOEXEC) == 0, "pipe");
        insist(vmsplice(scene->splice[1], &page, 1, 0) == 4096, "vmsplice");
        par_free(scene->buffer);
        scene->buffer = NULL;
}

static void end_leak(struct scene *scene)
{
        close(scene->splice[0]);
        close(scene->splice[1]);
}

static void punch_page(struct scene *scene)
{
        insist(madvise(par_buffer_data(scene->buffer), 2 * MiB, MADV_REMOVE) == 0, "MADV_REMOVE");
}

static void kill_worker(struct scene *scene)
{
        kill(pard_fixture_worker(&scene->pard), SIGKILL);
        wire_client_abandon(&scene->admin);
}

static void end_kill(struct scene *scene)
{
        wire_client_open(scene->pard.socket, "events-admin", &scene->admin);
}

static void stop_daemon(struct scene *scene)
{
        wire_client_close(&scene->admin);
        /* The client still has its buffer. */
        scene->hugepages_before = scene->pard.hugepages_before;
        scene->pard.hugepages_before = -1;
        pard_fixture_stop(&scene->pard);
}

static void end_stop(struct scene *scene)
{
        scene->pard.hugepages_before = scene->hugepages_before;
        pard_fixture_expect_hugepages(&scene->pard);
}

/* ---- what is waited for ---------------------------------------------------------------------- */

static const struct {
        const char *name;
        uint32_t type;
        bool real;       /* it takes real hugepages */
        bool of_buffer;  /* it names the buffer */
        uint64_t length; /* of the event */
        void (*cause)(struct scene *scene);
        void (*end)(struct scene *scene); /* NULL: nothing is to be undone */
} cases[] = {
        { "DRAINING: an administrator drains the pool", PAR_EVENT_DRAINING, false, true, POOL_BYTES,
          begin_drain, end_drain },
        { "WANTED: somebody waits for memory", PAR_EVENT_WANTED, false, true, POOL_BYTES, want,
          end_rival },
        { "REVOKED: an administrator takes it away", PAR_EVENT_REVOKED, false, true, POOL_BYTES,
          revoke_buffer, NULL },
        { "MOVED: a page was punched out", PAR_EVENT_MOVED, true, true, 2 * MiB, punch_page, NULL },
        { "LINGERING: what was freed is in a pipe", PAR_EVENT_LINGERING, false, false, 2 * MiB,
          leak, end_leak },
        { "RECONNECTED: the worker dies", PAR_EVENT_RECONNECTED, false, false, 0, kill_worker,
          end_kill },
        { "LOST: the daemon ends", PAR_EVENT_LOST, false, false, 0, stop_daemon, end_stop },
};

static void open_client(struct scene *scene, uint32_t trigger)
{
        const struct par_constraint anywhere = { .max_segments = PAR_SEGMENTS_ANY };
        const struct par_alloc_options options = { .wait_ms = SOON_MS };
        struct epoll_event in = { .events = EPOLLIN | trigger };

        if (par_connect(scene->pard.socket, NULL, &scene->par) ||
            par_alloc(scene->par, POOL_BYTES, &anywhere, &options, &scene->buffer))
                die("client: %s", par_error(NULL));
        scene->loop = epoll_create1(EPOLL_CLOEXEC);
        insist(scene->loop >= 0, "epoll");
        insist(epoll_ctl(scene->loop, EPOLL_CTL_ADD, par_fd(scene->par), &in) == 0, "epoll");
}

/* As an event loop does: sleep until par_fd() is readable, then fetch until there is no more. */
static struct par_event await(struct scene *scene, uint32_t type, const char *name)
{
        struct par_event event, found = { .type = PAR_EVENT_NONE };
        struct epoll_event ready;

        while (found.type == PAR_EVENT_NONE) {
                int n = epoll_wait(scene->loop, &ready, 1, SOON_MS);

                if (n < 0 && errno == EINTR)
                        continue;
                if (n != 1)
                        die("%s: nothing happens", name);
                while (par_next_event(scene->par, &event) == 0)
                        if (event.type == type)
                                found = event;
                        else
                                die("%s: event %u instead", name, event.type);
        }
        return found;
}

static void play(struct scene *scene, size_t number, uint32_t trigger)
{
        const char *name = cases[number].name;
        struct par_event event;

        open_client(scene, trigger);
        cases[number].cause(scene);
        event = await(scene, cases[number].type, name);
        if ((event.buffer != NULL) != cases[number].of_buffer ||
            (event.buffer && event.buffer != scene->buffer) || event.offset ||
            event.length < cases[number].length)
                die("%s: of buffer %p, %llu bytes at %llu", name, (void *)event.buffer,
                    (unsigned long long)event.length, (unsigned long long)event.offset);
        close(scene->loop);
        par_free(scene->buffer);
        scene->buffer = NULL;
        par_disconnect(scene->par);
        if (cases[number].end)
                cases[number].end(scene);
        printf("%s, %s\n", name, trigger ? "edge-triggered" : "level-triggered");
}

/* What happens again and again while nobody looks is told once, in all its extent. */
static void flood(struct scene *scene)
{
        struct par_event event;

        open_client(scene, 0);
        for (unsigned i = 0; i < 100; i++) {
                drain(scene, false);
                drain(scene, true);
        }
        event = await(scene, PAR_EVENT_DRAINING, "a flood");
        if (event.buffer != scene->buffer || event.length != POOL_BYTES)
                die("a flood: %llu bytes", (unsigned long long)event.length);
        if (par_next_event(scene->par, &event) != -EAGAIN)
                die("a flood: another event, %u", event.type);
        close(scene->loop);
        par_free(scene->buffer);
        par_disconnect(scene->par);
        printf("a hundred drains: one event\n");
}

static void start(struct scene *scene, bool real)
{
        char config[1024];

        snprintf(config, sizeof(config), "%s%s", real ? hugetlb : sim, pool);
        pard_fixture_start_filled(config, &scene->pard);
        wire_client_open(scene->pard.socket, "events-admin", &scene->admin);
}

int main(int argc, char **argv)
{
        bool real = argc > 1 && strcmp(argv[1], "hugetlb") == 0;
        struct scene scene = { .rival = 0 };

        if (real)
                require_hugepages(POOL_BYTES / MiB);
        for (int edge = 0; edge < 2; edge++) {
                start(&scene, real);
                flood(&scene);
                for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
                        if (real || !cases[i].real)
                                play(&scene, i, edge ? EPOLLET : 0);
        }
        return 0;
}
