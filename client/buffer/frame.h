/* SPDX-License-Identifier: MIT */
/*
 * The frames (hugepages) that this session has mapped, and those that it has to tell the daemon it
 * no longer has.
 */
#pragma once

#include "rb_tree.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

/* Frames named in one message at most: 10 bytes each, in a packet of 64 KiB. */
#define FRAMES_TOLD_MAX 4096u

/**
 * struct frame - a frame of this session
 * @id:           the daemon's number for it
 * @page_bytes:   its size
 * @fd:           its descriptor, owned, where parts of it are mapped once more; -1
 * @base:         where it is mapped, on a multiple of @page_bytes; NULL where its descriptor was
 *                lost or could not be mapped: the daemon has to send it again
 * @buffers:      live buffers of this session in it; it stays where it is while there are any
 * @fork_buffers: those of them that a child of fork() shall have
 * @worker:       the daemon's worker that was last told that it is mapped, as frames::worker counts
 * @huge:         it is one page of the kernel's
 * @keep:         leave it mapped when the last buffer is freed
 */
struct frame {
        RB_ENTRY(frame) by_id;       /* frames::by_id */
        STAILQ_ENTRY(frame) by_turn; /* frames::untold */
        uint64_t id;
        size_t page_bytes;
        int fd;
        char *base;
        uint32_t buffers, fork_buffers, worker;
        bool huge, keep;
};

RB_HEAD(frame_tree, frame);
STAILQ_HEAD(frame_queue, frame);

/**
 * struct frames - all frames of a session
 * @by_id:    mapped, and known to the daemon as mapped
 * @untold:   unmapped, which the daemon does not know yet
 * @unmapped: how many were ever unmapped
 * @told:     how many of them the daemon was ever told; the difference is the length of @untold
 * @worker:   of the daemon; counts up when it dies
 * @lost:     the present one has not been told of all that is mapped yet
 * @telling:  room for frames_untold()
 *
 * The two counts tell whether the daemon can have thought that a frame is still mapped when it
 * answered: only where something was unmapped of which it had not been told before the request.
 */
struct frames {
        struct frame_tree by_id;
        struct frame_queue untold;
        uint64_t unmapped, told;
        uint32_t worker;
        bool lost;
        uint64_t telling[FRAMES_TOLD_MAX];
};

void frames_init(struct frames *frames);

/* Unmap everything and forget it. @in_child: only what a child of fork() has. */
void frames_deinit(struct frames *frames, bool in_child);

/* The frame of this number; NULL where this session does not have it mapped. */
struct frame *frames_find(struct frames *frames, uint64_t id);

/**
 * frames_add() - a frame whose descriptor has arrived
 * @id:         not there yet
 * @page_bytes: its size
 * @ret:        not mapped yet; owned by @frames
 *
 * Return: 0; -ENOMEM.
 */
int frames_add(struct frames *frames, uint64_t id, size_t page_bytes, struct frame **ret);

/**
 * frame_map() - give a frame its place
 * @fd:    its descriptor; borrowed
 * @place: reserved address space; NULL: anywhere
 *
 * Return: 0; -errno of mapping_map() or mapping_place(): it is not mapped.
 */
int frame_map(struct frame *frame, int fd, char *place);

/* Keep its descriptor, unless the process has few left; @fd is consumed. */
void frame_keep_fd(struct frame *frame, int fd);

/* A buffer begins to use a frame. */
void frame_ref(struct frame *frame, bool keep_on_fork);

/* A buffer no longer uses a frame. With the last one it is unmapped, unless it is to be kept. */
void frame_unref(struct frames *frames, struct frame *frame, bool keep_on_fork);

/* The daemon does not need a frame any more: unmap it as soon as no buffer is in it. */
void frames_unneeded(struct frames *frames, uint64_t id);

/* The daemon's worker died: the next one believes nothing to be mapped here; until
 * frames_resume(), when it was told of all that is. */
void frames_lose(struct frames *frames);
void frames_resume(struct frames *frames);

/* The numbers above @after of all frames, in ascending order, of which the daemon is being told:
 * also of those that could not be mapped, since it will be told that they are dropped. Return: how
 * many, at most @room. */
size_t frames_list(struct frames *frames, uint64_t after, uint64_t *ret, size_t room);

/**
 * frames_untold() - list the first frames of which the daemon is to be told in @frames->telling
 *
 * Return: how many; frames_told() takes them off.
 */
size_t frames_untold(struct frames *frames);
void frames_told(struct frames *frames, size_t count);
