/* SPDX-License-Identifier: MIT */
/*
 * What is compared in par-bench map.
 */
#pragma once

#include <par_dma.h>
#include <stdint.h>

/**
 * struct map_scene - a device and memory
 * @reachable: of pard's, which the device sees; @plain: of malloc(); @copy: where the peer copies
 * to, of pard's
 */
struct map_scene {
        struct par_device *device;
        char *reachable, *plain, *copy;
};

/**
 * struct map_row - one comparison
 * @bytes:  mapped at once
 * @copies: of so many, by the peer; 0: there is none
 * @factor, @plus_ns: asked for: at most so many times the peer, and so much; 0, 0: nothing
 * @ours:   do it so many times. Return: 0; negative errno or -PAR_*
 */
struct map_row {
        const char *name, *what;
        size_t bytes;
        unsigned copies;
        double factor, plus_ns;
        int (*ours)(const struct map_scene *scene, const struct map_row *row, uint64_t times);
};

#define MAP_BYTES_MAX ((size_t)65536)

extern const struct map_row map_rows[];
extern const unsigned n_map_rows;

/* The peer. */
int map_copy(const struct map_scene *scene, const struct map_row *row, uint64_t times);
