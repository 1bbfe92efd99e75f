/* SPDX-License-Identifier: MIT */
/*
 * Owns the frames that this session has mapped. Every frame is mapped once and whole, and shared by
 * all buffers in it.
 *
 * Invariant: a frame with live buffers stays mapped where it is. A frame that was unmapped is in
 * the queue of those that the daemon has to be told of, and no longer in the tree: the two together
 * are what the daemon believes to be mapped here. Refuses to decide when the daemon is told, and
 * takes no lock: the handle's lock is held by every caller.
 */
#include "frame.h"

#include "macros.h"
#include "mapping.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

static void close_fd(struct frame *frame)
{
        if (frame->fd >= 0)
                close(STEAL_FD(frame->fd));
}

static int frame_compare(const struct frame *a, const struct frame *b)
{
        return (a->id > b->id) - (a->id < b->id);
}

TREE_GENERATE(frame_tree, frame, by_id, frame_compare)

void frames_init(struct frames *frames)
{
        RB_INIT(&frames->by_id);
        STAILQ_INIT(&frames->untold);
}

void frames_deinit(struct frames *frames, bool in_child)
{
        struct frame *frame, *next;

        RB_FOREACH_SAFE (frame, frame_tree, &frames->by_id, next) {
                RB_REMOVE(frame_tree, &frames->by_id, frame);
                /* What the child did not get may be something else of its own by now. */
                if (frame->base && (!in_child || frame->fork_buffers))
                        mapping_release(frame->base, frame->page_bytes);
                close_fd(frame);
                free(frame);
        }
        frames_told(frames, SIZE_MAX);
}

struct frame *frames_find(struct frames *frames, uint64_t id)
{
        struct frame key = { .id = id };

        return RB_FIND(frame_tree, &frames->by_id, &key);
}

int frames_add(struct frames *frames, uint64_t id, size_t page_bytes, struct frame **ret)
{
        struct frame *frame, *other;

        frame = calloc(1, sizeof(*frame));
        if (!frame)
                return -ENOMEM;
        frame->id = id;
        frame->page_bytes = page_bytes;
        frame->fd = -1;
        frame->worker = frames->worker;
        other = RB_INSERT(frame_tree, &frames->by_id, frame);
        assert(!other);
        (void)other;

        *ret = frame;
        return 0;
}

int frame_map(struct frame *frame, int fd, char *place)
{
        int r;

        if (!place)
                return mapping_map(fd, frame->page_bytes, &frame->base, &frame->huge);
        r = mapping_place(fd, frame->page_bytes, place, &frame->huge);
        if (!r)
                frame->base = place;
        return r;
}

void frame_keep_fd(struct frame *frame, int fd)
{
        struct rlimit limit;

        /* Numbers are given out from below: half of them are the program's. */
        if (getrlimit(RLIMIT_NOFILE, &limit) || (rlim_t)fd >= limit.rlim_cur / 2)
                close(fd);
        else
                frame->fd = fd;
}

void frame_ref(struct frame *frame, bool keep_on_fork)
{
        frame->buffers++;
        if (keep_on_fork && !frame->fork_buffers++ && frame->base)
                mapping_keep_on_fork(frame->base, frame->page_bytes, true);
}

static void unmap(struct frames *frames, struct frame *frame)
{
        if (frame->base)
                mapping_release(frame->base, frame->page_bytes);
        frame->base = NULL;
        close_fd(frame);
        RB_REMOVE(frame_tree, &frames->by_id, frame);
        frames->unmapped++;
        if (frames->lost && frame->worker != frames->worker) {
                frames->told++; /* this worker was never told that it was mapped */
                free(frame);
                return;
        }
        STAILQ_INSERT_TAIL(&frames->untold, frame, by_turn);
}

void frame_unref(struct frames *frames, struct frame *frame, bool keep_on_fork)
{
        assert(frame->buffers > 0);

        if (keep_on_fork && !--frame->fork_buffers && frame->base)
                mapping_keep_on_fork(frame->base, frame->page_bytes, false);
        if (!--frame->buffers && (!frame->keep || !frame->base))
                unmap(frames, frame);
}

void frames_unneeded(struct frames *frames, uint64_t id)
{
        struct frame *frame = frames_find(frames, id);

        if (!frame)
                return; /* the daemon is being told so already */
        frame->keep = false;
        if (!frame->buffers)
                unmap(frames, frame);
}

void frames_lose(struct frames *frames)
{
        frames_told(frames, SIZE_MAX);
        frames->worker++;
        frames->lost = true;
}

void frames_resume(struct frames *frames)
{
        frames->lost = false;
}

size_t frames_list(struct frames *frames, uint64_t after, uint64_t *ret, size_t room)
{
        struct frame key = { .id = after + 1 }, *frame;
        size_t count = 0;

        frame = RB_NFIND(frame_tree, &frames->by_id, &key);
        for (; frame && count < room; frame = RB_NEXT(frame_tree, &frames->by_id, frame)) {
                frame->worker = frames->worker;
                ret[count++] = frame->id;
        }
        return count;
}

size_t frames_untold(struct frames *frames)
{
        const struct frame *frame;
        size_t count = 0;

        STAILQ_FOREACH (frame, &frames->untold, by_turn) {
                if (count == FRAMES_TOLD_MAX)
                        break;
                frames->telling[count++] = frame->id;
        }
        return count;
}

void frames_told(struct frames *frames, size_t count)
{
        struct frame *frame;

        for (; count && (frame = STAILQ_FIRST(&frames->untold)); count--) {
                STAILQ_REMOVE_HEAD(&frames->untold, by_turn);
                frames->told++;
                free(frame);
        }
}
