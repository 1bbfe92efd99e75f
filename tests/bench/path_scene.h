/* SPDX-License-Identifier: MIT */
/*
 * Who takes part in a comparison: daemons, clients, and peers.
 */
#pragma once

#include "pard_fixture.h"
#include "path_fill.h"
#include "ping.h"

#include <par.h>
#include <stdbool.h>
#include <stddef.h>

/* Where the two ends of a way run. */
enum path_place { PATH_SAME_CORE, PATH_TWO_CORES, PATH_ANYWHERE };

/* A daemon, and what its clients have; all zero: none. */
struct path_side {
        bool runs;
        struct pard_fixture pard;
        struct par **sessions; /* @n_sessions, owned */
        size_t n_sessions, next;
};

/**
 * struct path_scene - all zero: nothing runs yet
 * @sides:    ours, and, where pard is its own peer, the other
 * @pings:    peers, and what floors are made of
 * @options:  of each par_alloc()
 * @size:     of each buffer; where pages are written to, how far the writes are apart
 * @crowd_sessions, @crowd_buffers: how large the crowd is, and buffers of each session
 * @pages:    hugepages that were reserved, for both sides
 * @fill:     a pool, filled by so many @threads on our side; owned
 */
struct path_scene {
        struct path_side sides[2];
        struct ping pings[2];
        struct par_alloc_options options;
        size_t size, crowd_sessions, crowd_buffers;
        long pages;
        struct path_fill *fill;
        unsigned threads;
};

/* Start a daemon and one client, which spins for so long before it sleeps. */
int path_start_pard(struct path_side *side, const char *config, enum path_place place,
                    unsigned spin_us);

/* Start a bare server. @spins: the client looks again and again. */
int path_start_ping(struct ping *ping, enum ping_kind kind, enum path_place place, bool spins,
                    size_t connections);

/* More sessions, until there are so many, and so many buffers of 4 KiB for each that stay. */
int path_populate(struct path_side *side, size_t sessions, size_t buffers);

/* Hugepages for both sides, before either starts. Return: 0; -ENOTSUP where nobody may do that. */
int path_reserve_pages(struct path_scene *scene, long pages);

void path_scene_close(struct path_scene *scene);
