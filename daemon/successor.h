/* SPDX-License-Identifier: MIT */
/*
 * How this program is executed again in place of itself, and whether it could take over what a
 * running keeper would leave to it.
 */
#pragma once

#include "keeper.h"
#include "options.h"

#include <limits.h>

#define SUCCESSOR_ARGUMENTS_MAX 12

/**
 * struct successor - the command line of the next keeper
 * @path:  of this program's file, or of what took its place since
 * @fd:    the number of a descriptor, filled in by the keeper
 * @argv, @trial_argv: point to the above, and into the options
 */
struct successor {
        char path[PATH_MAX];
        char fd[SUCCESSOR_FD_BYTES];
        char *argv[SUCCESSOR_ARGUMENTS_MAX], *trial_argv[SUCCESSOR_ARGUMENTS_MAX];
};

/**
 * successor_init() - from how this one was executed
 * @successor: not to be moved afterwards
 * @options:   borrowed
 *
 * Return: 0; negative errno where it is not known which file this program is.
 */
int successor_init(struct successor *successor, const struct options *options);

/**
 * successor_path() - which file this program is, or what took its place since
 *
 * Return: 0; negative errno.
 */
int successor_path(char path[PATH_MAX]);

/**
 * successor_try() - read what a keeper would leave in options->takeover_fd, and change nothing
 *
 * Logs what is not right. Return: 0; negative errno.
 */
int successor_try(const struct options *options);
