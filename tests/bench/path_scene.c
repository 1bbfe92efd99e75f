/* SPDX-License-Identifier: MIT */
/*
 * Owns what it starts: daemons end, hugepages go back. Refuses to measure where the machine is not
 * as it has to be: that is no figure.
 */
#include "path_scene.h"

#include "units.h"

#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static const char nr_hugepages[] = "/sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages";

/* Run here, and what is started from now on, on the machine's first processor, or the other one. */
static int pin(bool other)
{
        cpu_set_t set;

        CPU_ZERO(&set);
        CPU_SET(other && sysconf(_SC_NPROCESSORS_ONLN) > 1, &set);
        return sched_setaffinity(0, sizeof(set), &set) ? -errno : 0;
}

static int pin_nowhere(void)
{
        cpu_set_t set;

        CPU_ZERO(&set);
        for (long i = 0; i < sysconf(_SC_NPROCESSORS_ONLN) && i < CPU_SETSIZE; i++)
                CPU_SET((unsigned)i, &set);
        return sched_setaffinity(0, sizeof(set), &set) ? -errno : 0;
}

/* Where the server is to run. */
static int pin_server(enum path_place place)
{
        return place == PATH_ANYWHERE ? pin_nowhere() : pin(place == PATH_TWO_CORES);
}

/* Where the client is. */
static int pin_client(enum path_place place)
{
        return place == PATH_ANYWHERE ? 0 : pin(false);
}

static int connect_one(struct path_side *side, unsigned spin_us)
{
        struct par_connect_options options = { .client_name = "par-bench", .spin_us = spin_us };
        struct par **sessions;
        int r;

        sessions = realloc(side->sessions, (side->n_sessions + 1) * sizeof(struct par *));
        if (!sessions)
                return -ENOMEM;
        side->sessions = sessions;
        r = par_connect(side->pard.socket, &options, &sessions[side->n_sessions]);
        if (!r)
                side->n_sessions++;
        return r;
}

int path_start_pard(struct path_side *side, const char *config, enum path_place place,
                    unsigned spin_us)
{
        int r;

        r = pin_server(place);
        if (r)
                return r;
        pard_fixture_start_filled(config, &side->pard);
        side->runs = true;
        r = pin_client(place);
        return r ? r : connect_one(side, spin_us);
}

int path_start_ping(struct ping *ping, enum ping_kind kind, enum path_place place, bool spins,
                    size_t connections)
{
        int r;

        r = pin_server(place);
        if (!r)
                r = ping_start(ping, kind, connections);
        if (r)
                return r;
        ping->spins = spins;
        return pin_client(place);
}

int path_populate(struct path_side *side, size_t sessions, size_t buffers)
{
        struct par_buffer *buffer;
        int r = 0;

        while (!r && side->n_sessions < sessions)
                r = connect_one(side, 0);
        for (size_t i = 0; i < side->n_sessions; i++)
                for (size_t n = 0; n < buffers && !r; n++)
                        r = par_alloc(side->sessions[i], 4 * KiB, NULL, NULL, &buffer);
        return r;
}

/* ---- hugepages ------------------------------------------------------------------------------ */

static int change_pages(long by)
{
        FILE *file = fopen(nr_hugepages, "r+e");
        char text[32];
        int r = -ENOTSUP;

        if (file && fgets(text, sizeof(text), file)) {
                rewind(file);
                r = fprintf(file, "%ld", strtol(text, NULL, 10) + by) > 0 ? 0 : -EIO;
        }
        if (file && fclose(file))
                r = -EIO;
        return r;
}

int path_reserve_pages(struct path_scene *scene, long pages)
{
        int r;

        r = change_pages(pages);
        if (!r)
                scene->pages = pages;
        return r;
}

/* ---- the end -------------------------------------------------------------------------------- */

void path_scene_close(struct path_scene *scene)
{
        ping_stop(&scene->pings[0]);
        ping_stop(&scene->pings[1]);
        for (unsigned i = 0; i < 2; i++) {
                struct path_side *side = &scene->sides[i];

                for (size_t n = 0; n < side->n_sessions; n++)
                        par_disconnect(side->sessions[n]);
                free(side->sessions);
                if (side->runs)
                        pard_fixture_stop(&side->pard);
        }
        path_fill_free(scene->fill);
        if (scene->pages && change_pages(-scene->pages))
                fprintf(stderr, "par-bench: %ld hugepages were not given back\n", scene->pages);
        *scene = (struct path_scene){ 0 };
}
