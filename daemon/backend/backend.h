/* SPDX-License-Identifier: MIT */
/*
 * Where frames come from: operations that every backend has. Called on the keeper's threads,
 * several at once; a backend does its own locking.
 */
#pragma once

#include "macros.h"
#include "range.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define NODE_ANY (-1)

struct backend;

/**
 * struct backend_frame - one frame as a backend made it
 * @memfd:      owned by whoever holds this struct, until release() consumes it.
 *              Of memory that is a memfd's: what memfd_create() returned, never handed out itself
 * @page_bytes: its size
 * @phys:       physical address, read after the pin
 * @node:       NUMA node, or NODE_ANY where it is not known
 * @pinned:     whether the kernel is kept from moving it
 * @pin:        the backend's own note of the pin, and of the page after release()
 * @was_pinned: let_go() ended the pin
 * @sealed:     let_go() has sealed it against writing, or the keeper's descriptor of it
 * @poisoned:   let_go() found that its memory has failed: the system gives it to nobody any more
 * @released:   the descriptor is gone, and what remains is to see the page become free
 */
struct backend_frame {
        uint64_t page_bytes;
        uint64_t phys;
        int memfd;
        int node;
        uint32_t pin;
        bool pinned, was_pinned;
        bool sealed, released, poisoned;
};

#define BACKEND_FRAME_NONE ((struct backend_frame){ .memfd = -1, .node = NODE_ANY })

/* Why a frame cannot be given back yet. The values are those of enum keeper_holder. */
enum backend_holder {
        HOLDER_NONE,
        HOLDER_FILE,
        HOLDER_PAGES,
        HOLDER_HOLE,
        HOLDER_PATH,
};

/**
 * struct backend_ops - what a backend can do
 *
 * @take: get one frame of @page_bytes on @node (or NODE_ANY) from the system: faulted in, pinned,
 *        its address read after that. @window is a wish: a backend that can choose takes a page
 *        inside it, another takes what comes, and the caller looks.
 *        Return: 0; -ENOMEM where the system has no page (of that size, on that node) left;
 *        -EUSERS where it has, and a limit keeps this process from it; -EPERM where no pin can be
 * had and @must_pin; -EACCES where the address cannot be read; other negative errno. *ret is
 * written only on success.
 * @open_file: an open file of the frame's memory and of nothing else, read and write: what a client
 *        is given. Owned by the caller.
 *        Return: 0; negative errno.
 * @let_go: unpin, and prove that nobody refers to the frame any more. May sleep for 0.2 s. With
 *        @owner_gone a hole that its holder punched no longer matters.
 *        Return: 0: release() may follow; -EBUSY and *ret_holder, where somebody does refer to it:
 *        try again later (HOLDER_NONE: it is the kernel that is not done with our own pin: soon);
 *        other negative errno. In any case the frame is no longer pinned, and only
 *        let_go() and release() are allowed from here on.
 * @release: return the frame, for which let_go() gave 0, to the system, at once. Its descriptor is
 *        consumed and @released set.
 *        Return: 0; -EBUSY and *ret_holder, where the page is still not free (HOLDER_PATH): call
 *        release() again later, with the same frame.
 * @verify: where the frame is now, without disturbing whoever uses it.
 *        Return: 0 and *ret_phys, UINT64_MAX where its page was punched out; -EHWPOISON where its
 *        memory has failed; other negative errno.
 * @deinit: undo everything, reserved hugepages included. Frames must have been given back or are
 *        dropped by their descriptors.
 *
 * The system's stock of pages, from which take() takes. These may sleep, as long as one call takes
 * the kernel; whoever calls them asks for little at a time.
 *
 * @look: visit the address of every page of @page_bytes in the stock that nobody uses and that lies
 *        inside @window, on @node (or NODE_ANY), in ascending order, without touching any.
 *        Return: 0; -EOPNOTSUPP where the system does not show it; other negative errno.
 * @more: have the system put up to @count more pages of @page_bytes on @node (or NODE_ANY) into the
 *        stock. They are given back at deinit() at the latest, and by the next start after a kill.
 *        Return: 0 and *ret_added, which is less than @count where the system has no more; -EDQUOT
 *        and *ret_added where keep_free forbids more than that; -EOPNOTSUPP where pard was told
 *        not to reserve; other negative errno, and nothing was added.
 * @less: take up to @count pages of @page_bytes that nobody uses out of the stock again, of those
 *        that more() or demote() put there; never what an administrator reserved. Cannot fail: what
 *        is not possible now is done at deinit().
 * @demotable: the largest page size that demote() can make into pages of @small_bytes; 0: there is
 *        none.
 * @demote: make a page of @page_bytes that nobody uses in the stock into adjacent ones of
 *        @small_bytes, which then count as added by more(), and the large one no longer.
 *        Return: 0; -ENOMEM where there is no such page; -EOPNOTSUPP; other negative errno.
 * @node_range: lowest and highest address of a node's memory.
 *        Return: 0; -ENOENT where there is no such node; -EOPNOTSUPP; other negative errno.
 * @set_keep_free: from now on leave the system this much.
 *
 * When the process goes on with another program. Nothing else is being called, then.
 *
 * @save: write down what the next program must know of the backend itself, and keep the descriptors
 *        in it open over exec. *ret_bytes: owned by the caller: free(); NULL: there is nothing.
 *        Return: 0; -ENOMEM; other negative errno.
 * @resume: called before anything else with what save() wrote, of whichever version. The backend
 *        is as new.
 *        Return: 0; -EPROTO where it makes no sense; other negative errno.
 * @adopt: a frame of the former program, as it was there; @frame may change. Those that are
 *        @released come first: the page of one may be another frame by now.
 *        Return: 0; -ENOMEM.
 *
 * When another process goes on with frames of one that has ended, and with it the pins.
 *
 * @reclaim: the same, for such a frame: pinned again if it was, and *frame says where it is now:
 *        its @phys is UINT64_MAX where its page was punched out.
 *        Return: 0; -EHWPOISON where its memory has failed; other negative errno. What is left is a
 *        frame in any case.
 * @reclaimed: all were; what the system lends them is to be given back by this one.
 */
struct backend_ops {
        const char *name;
        int (*take)(struct backend *backend, uint64_t page_bytes, int node, struct range window,
                    bool must_pin, struct backend_frame *ret);
        int (*open_file)(struct backend *backend, const struct backend_frame *frame, int *ret_fd);
        int (*let_go)(struct backend *backend, struct backend_frame *frame, bool owner_gone,
                      enum backend_holder *ret_holder);
        int (*release)(struct backend *backend, struct backend_frame *frame,
                       enum backend_holder *ret_holder);
        int (*verify)(struct backend *backend, const struct backend_frame *frame,
                      uint64_t *ret_phys);
        void (*deinit)(struct backend *backend);
        int (*look)(struct backend *backend, uint64_t page_bytes, int node, struct range window,
                    void (*visit)(void *data, uint64_t phys), void *data);
        int (*more)(struct backend *backend, uint64_t page_bytes, int node, uint64_t count,
                    uint64_t *ret_added);
        void (*less)(struct backend *backend, uint64_t page_bytes, int node, uint64_t count);
        uint64_t (*demotable)(struct backend *backend, uint64_t small_bytes);
        int (*demote)(struct backend *backend, uint64_t page_bytes, int node, uint64_t small_bytes);
        int (*node_range)(struct backend *backend, int node, struct range *ret);
        void (*set_keep_free)(struct backend *backend, uint64_t bytes);
        int (*save)(struct backend *backend, void **ret_bytes, size_t *ret_n);
        int (*resume)(struct backend *backend, const void *bytes, size_t n);
        int (*adopt)(struct backend *backend, struct backend_frame *frame);
        int (*reclaim)(struct backend *backend, struct backend_frame *frame);
        void (*reclaimed)(struct backend *backend);
};

#define BACKEND_TAKERS_MAX 4u

/**
 * struct backend - embedded first in every one
 * @can_pin: pins can be had at all
 * @takers:  how many threads at once get frames quicker than one after another, up to
 *           BACKEND_TAKERS_MAX; 0 is 1
 */
struct backend {
        const struct backend_ops *ops;
        bool can_pin;
        unsigned takers;
};

/* backend_free() - deinit() and free; NULL is fine. */
void backend_free(struct backend *backend);
DEFINE_CLEANUP(struct backend, backend_free)
