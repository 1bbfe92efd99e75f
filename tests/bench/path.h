/* SPDX-License-Identifier: MIT */
/*
 * What the way to pard and back costs, against the least that such a way can cost, in the same run.
 */
#pragma once

#include "path_scene.h"
#include "ticks.h"

/**
 * struct path_row - one comparison
 * @name:  for people and programs
 * @ours, @peer: what is compared, in words
 * @bar:   so many times the peer at most; 0: nothing is asked
 * @turn:  operations of one side before it is the other's turn
 * @open:  set the scene. Return: 0; -ENOTSUP where this machine cannot; negative errno
 * @first, @second: one operation of ours, of the peer; @ret_ticks is what counts of it. Return: 0;
 *         negative errno or -PAR_*
 *
 * The scene is closed by path_scene_close(), after a failure, too.
 */
struct path_row {
        const char *name, *ours, *peer;
        double bar;
        unsigned turn;
        int (*open)(struct path_scene *scene, const struct path_row *row);
        int (*first)(struct path_scene *scene, uint64_t *ret_ticks);
        int (*second)(struct path_scene *scene, uint64_t *ret_ticks);
        enum ping_kind kinds[2];
};

extern const struct path_row path_rows[];
extern const unsigned n_path_rows;

/* The command "path" of par-bench. Return: an exit status. */
int path_main(int argc, char **argv);
