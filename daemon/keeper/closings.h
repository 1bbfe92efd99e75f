/* SPDX-License-Identifier: MIT */
/*
 * Closings of lingering frames' files, as the kernel tells them: when the last descriptor or
 * mapping of an open file goes, by close(), munmap() or the end of a process, inotify says so. What
 * refers to pages only is not seen.
 */
#pragma once

#include "job.h"

RB_HEAD(closings_tree, job);

/**
 * struct closings - the files that are watched
 * @fd:   readable while there are closings to be heard; -1: the kernel tells none
 * @jobs: whose files are watched, by job_leave::watch
 *
 * Not thread-safe.
 */
struct closings {
        int fd;
        struct closings_tree jobs;
};

void closings_init(struct closings *closings);
void closings_deinit(struct closings *closings); /* nothing is watched any more */

/* Watch the file of a job's frame from now on. Return: whether it is. */
bool closings_watch(struct closings *closings, struct job *job);

/* Hear nothing of it until the next closings_watch(): what is closed meanwhile is our own. */
void closings_pause(struct closings *closings, const struct job *job);

/* Watch it no longer; fine where it is not watched. */
void closings_forget(struct closings *closings, struct job *job);

/**
 * closings_hear() - what was closed
 * @heard: called for each job whose file somebody closed; for all that are watched where the kernel
 *         lost count. It must not change what is watched
 */
void closings_hear(struct closings *closings, void (*heard)(void *data, struct job *job),
                   void *data);
