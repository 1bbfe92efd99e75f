/* SPDX-License-Identifier: MIT */
/*
 * pard is stopped and started again under a service manager that keeps descriptors: a client that
 * has memory goes on with it, at the addresses where it was, and the next pard knows whose it is.
 * Where nothing is kept, or the configuration is another, that pard begins with nothing.
 *
 *     test_park [FRAMES [hugetlb]]      default: 600 frames, on sim
 */
#include "macros.h"
#include "manager.h"
#include "pard_fixture.h"
#include "process.h"
#include "wire_client.h"

#include <par.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define PAGE     (2 * MiB)
#define RESTARTS 3

static const char config[] = "%s"
                             "pool \"%s\" { page_size = \"2M\" size_min = \"%u\" size_max = \"%u\""
                             " reuse_delay = \"0\" }\n";
static const char sim[] =
        "backend = \"sim\"\n"
        "sim { extent \"high\" { first = \"4G\" size = \"16G\" page_size = \"2M\" } }\n";
static const char hugetlb[] =
        "backend = \"hugetlb\"\nhugepages = \"reserve\"\nkeep_free = \"512M\"\n";

static struct scene {
        struct manager manager;
        struct par *par;
        struct held {
                struct par_buffer *buffer;
                uint64_t dma;
        } * held;
        unsigned frames;
        bool real;
} scene;

static void configure(const char *pool)
{
        char text[1024];

        snprintf(text, sizeof(text), config, scene.real ? hugetlb : sim, pool,
                 (unsigned)((scene.frames + 8) * PAGE), (unsigned)((scene.frames + 8) * PAGE));
        manager_configure(&scene.manager, text);
}

/* ---- the client ------------------------------------------------------------------------------ */

static void put_mark(const struct held *held, unsigned i)
{
        memcpy(par_buffer_data(held->buffer), &i, sizeof(i));
}

static void take(unsigned i)
{
        /* The pool may still be filled. */
        static const struct par_alloc_options options = { .wait_ms = 60000 };
        struct held *held = &scene.held[i];
        int r = par_alloc(scene.par, PAGE, NULL, &options, &held->buffer);

        if (r)
                die("alloc %u: %s", i, par_error(scene.par));
        held->dma = par_buffer_dma(held->buffer);
        put_mark(held, i);
}

static void check_held(unsigned first)
{
        for (unsigned i = first; i < scene.frames; i++) {
                const struct held *held = &scene.held[i];

                if (par_buffer_dma(held->buffer) != held->dma)
                        die("buffer %u is at another address", i);
                if (memcmp(par_buffer_data(held->buffer), &i, sizeof(i)) != 0)
                        die("buffer %u has other bytes", i);
        }
}

static unsigned count_events(enum par_event_type type)
{
        struct par_event event;
        unsigned n = 0;

        while (!par_next_event(scene.par, &event) && event.type != PAR_EVENT_NONE)
                n += event.type == type;
        return n;
}

static void connect_and_take(void)
{
        if (par_connect(scene.manager.socket, NULL, &scene.par))
                die("connect: %s", par_error(NULL));
        for (unsigned i = 0; i < scene.frames; i++)
                take(i);
}

static void free_all(void)
{
        for (unsigned i = 0; i < scene.frames; i++)
                par_free(scene.held[i].buffer);
        par_disconnect(scene.par);
}

/* ---- what pard knows --------------------------------------------------------------------------
 */

static void expect_granted(uint64_t bytes)
{
        struct wire_client client;
        const Wire__Status *status;

        wire_client_open(scene.manager.socket, "the test", &client);
        status = wire_client_status(&client);
        if (status->bytes->granted != bytes)
                die("%llu bytes are granted, and not %llu",
                    (unsigned long long)status->bytes->granted, (unsigned long long)bytes);
        wire_client_close(&client);
}

static void expect_stored(size_t n)
{
        if (scene.manager.n_stored != n)
                die("%zu descriptors are stored, and not %zu", scene.manager.n_stored, n);
}

/* ---- the cases --------------------------------------------------------------------------------
 */

static void go_on_after_a_restart(void)
{
        const size_t bundles = (scene.frames + 252) / 253;

        for (unsigned i = 0; i < RESTARTS; i++) {
                manager_stop(&scene.manager);
                expect_stored(bundles + 3);
                manager_start(&scene.manager);
                expect_stored(0);
                par_free(scene.held[i].buffer);
                take(i);
                check_held(0);
                expect_granted(scene.frames * PAGE);
                if (count_events(PAR_EVENT_MOVED))
                        die("something moved");
        }
        /* What another pard took over is the next one's as well. */
        kill(scene.manager.pid, SIGUSR2);
        par_free(scene.held[0].buffer);
        take(0);
        check_held(0);
}

/* What its owner punches out while nobody looks is no longer where it was. */
static void tell_what_moved(void)
{
        unsigned moved = 0;

        manager_stop(&scene.manager);
        if (madvise(par_buffer_data(scene.held[0].buffer), PAGE, MADV_REMOVE) < 0)
                die("the hole cannot be made");
        manager_start(&scene.manager);
        while (!moved) {
                moved = count_events(PAR_EVENT_MOVED);
                usleep(1000);
        }
        check_held(1);
}

/* The client has what it had, and pard does not know it. @first: see check_held(). */
static void begin_anew(unsigned first)
{
        struct par_buffer *buffer;

        if (par_alloc(scene.par, PAGE, NULL, NULL, &buffer) != -PAR_GONE)
                die("a pard that knows nothing knows the client");
        check_held(first);
        expect_granted(0);
        free_all();
}

int main(int argc, char **argv)
{
        scene.frames = argc > 1 ? (unsigned)strtoul(argv[1], NULL, 0) : 600;
        scene.real = argc > 2 && strcmp(argv[2], "hugetlb") == 0;
        if (scene.real)
                require_hugepages(2 * (scene.frames + 8));
        scene.held = calloc(scene.frames, sizeof(scene.held[0]));
        if (!scene.held)
                die("no memory");
        manager_init(&scene.manager);
        configure("any");
        manager_start(&scene.manager);
        connect_and_take();
        go_on_after_a_restart();
        if (scene.real)
                tell_what_moved();

        /* A stop that is no restart. */
        manager_stop(&scene.manager);
        manager_forget(&scene.manager);
        manager_start(&scene.manager);
        begin_anew(scene.real ? 1 : 0);

        /* Pools under other names: whose frames these are cannot be said any more. */
        connect_and_take();
        manager_stop(&scene.manager);
        configure("other");
        manager_start(&scene.manager);
        expect_stored(0);
        begin_anew(0);
        manager_stop(&scene.manager);
        expect_stored(0);
        manager_deinit(&scene.manager);
        printf("%u frames over %d restarts\n", scene.frames, RESTARTS);
        free(scene.held);
        return 0;
}
