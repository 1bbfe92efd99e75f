/* SPDX-License-Identifier: MIT */
/*
 * Owns an inotify descriptor. A watch belongs to the file's inode, not to one of our descriptors,
 * and does not keep the file: it ends with it. Where the kernel has no room for another the file is
 * not watched, and whoever waits has to look by himself.
 */
#include "closings.h"

#include <errno.h>
#include <stdio.h>
#include <sys/inotify.h>
#include <unistd.h>

/* What cannot happen to a file that we have open: a watch must be for something. */
#define PAUSED IN_DELETE_SELF

static int by_watch(const struct job *a, const struct job *b)
{
        return (a->leave.watch > b->leave.watch) - (a->leave.watch < b->leave.watch);
}

RB_GENERATE_INTERNAL(closings_tree, job, leave.watched, by_watch,
                     static __attribute__((__unused__)))

void closings_init(struct closings *closings)
{
        RB_INIT(&closings->jobs);
        closings->fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
}

void closings_deinit(struct closings *closings)
{
        if (closings->fd >= 0)
                close(closings->fd);
}

/* Return: the number of the watch, which a file keeps; -1. */
static int set_mask(const struct closings *closings, const struct job *job, uint32_t mask)
{
        char path[32];

        if (closings->fd < 0 || job->leave.frame.memfd < 0)
                return -1;
        snprintf(path, sizeof(path), "/proc/self/fd/%d", job->leave.frame.memfd);
        return inotify_add_watch(closings->fd, path, mask);
}

bool closings_watch(struct closings *closings, struct job *job)
{
        int watch = set_mask(closings, job, IN_CLOSE);

        if (watch < 0) {
                closings_forget(closings, job);
                return false;
        }
        if (!job->leave.watch) {
                job->leave.watch = watch;
                (void)RB_INSERT(closings_tree, &closings->jobs, job);
        }
        return true;
}

void closings_pause(struct closings *closings, const struct job *job)
{
        if (job->leave.watch)
                (void)set_mask(closings, job, PAUSED);
}

void closings_forget(struct closings *closings, struct job *job)
{
        if (!job->leave.watch)
                return;
        (void)RB_REMOVE(closings_tree, &closings->jobs, job);
        (void)inotify_rm_watch(closings->fd, job->leave.watch); /* gone with the file, perhaps */
        job->leave.watch = 0;
}

static void hear_all(struct closings *closings, void (*heard)(void *data, struct job *job),
                     void *data)
{
        struct job *job;

        RB_FOREACH (job, closings_tree, &closings->jobs)
                heard(data, job);
}

static void hear_one(struct closings *closings, int watch,
                     void (*heard)(void *data, struct job *job), void *data)
{
        struct job key = { .leave.watch = watch };
        struct job *job = RB_FIND(closings_tree, &closings->jobs, &key);

        if (job)
                heard(data, job);
}

void closings_hear(struct closings *closings, void (*heard)(void *data, struct job *job),
                   void *data)
{
        /* Files have no names here, so every event is as long as the struct. */
        struct inotify_event events[64];
        ssize_t n;

        if (closings->fd < 0)
                return;
        while ((n = read(closings->fd, events, sizeof(events))) > 0)
                for (size_t i = 0; i < (size_t)n / sizeof(events[0]); i++) {
                        if (events[i].mask & IN_Q_OVERFLOW)
                                hear_all(closings, heard, data);
                        else if (events[i].mask & IN_CLOSE)
                                hear_one(closings, events[i].wd, heard, data);
                }
}
