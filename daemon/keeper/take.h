/* SPDX-License-Identifier: MIT */
/*
 * A take under way: frames for one pool. What all sources of pages have in common: what suits,
 * where a page goes, what is held meanwhile, and what the main loop is told.
 */
#pragma once

#include "addresses.h"
#include "job.h"
#include "work.h"

/**
 * struct take - one take
 * @work, @job: borrowed
 * @window:     where its frames have to lie
 * @limited:    that is not everywhere
 * @run_bytes:  its frames have to lie in runs of this; 0: anywhere. A source may set it
 * @left:       frames that are still wanted
 * @extra:      pages that are in the system's stock because of this take, beyond what it found
 * there
 * @lost:       pages that were, and that somebody else took: what he had added for himself is left
 * @aside:      of those that it took out of the stock again, how many went aside
 * @hand:       @n_hand pages that were chosen, until all of their run are there; owned
 * @harvests:   it has to hold pages beyond what it wants
 * @has_turn:   and may do so
 * @told_ns:    when the main loop last heard of it
 */
struct take {
        struct work *work;
        struct job *job;
        struct range window;
        bool limited;
        uint64_t run_bytes;
        uint32_t left;
        uint64_t extra, lost, aside;
        struct backend_frame *hand;
        size_t n_hand, hand_room;
        bool harvests, has_turn;
        uint64_t told_ns;
};

/* @take is new; what it holds is given back by take_end(). */
void take_begin(struct take *take, struct work *work, struct job *job);

/**
 * take_end() - give back what is held, and report the end
 * @r: why there are not more frames, or 0
 */
void take_end(struct take *take, int r);

/* Whether it should end: somebody wants it to. */
bool take_is_over(const struct take *take);

/* Every page of the pool's size and node will do. */
static inline bool take_is_easy(const struct take *take)
{
        return !take->limited && !take->run_bytes;
}

/* Whether a page may become a frame of this pool. */
bool take_suits(const struct take *take, const struct backend_frame *frame);

/**
 * take_page() - take one page from the system's stock, beside other threads that do so
 *
 * Return: as the backend's take().
 */
int take_page(struct take *take, int node, struct backend_frame *ret);

/**
 * take_put() - put a page of take_page() where it belongs
 * @frame: consumed
 * @n:     counts those that are wanted
 *
 * Return: 0; -ENOMEM.
 */
int take_put(struct take *take, struct backend_frame *frame, const struct addresses *chosen,
             size_t *n);

/* Remember where a page was seen. */
void take_saw(struct take *take, const struct backend_frame *frame);

/**
 * take_draw() - take pages from the system's stock, by as many threads as help
 * @node:   or NODE_ANY
 * @chosen: sorted addresses of those that are wanted: until all are had; NULL: until no more are
 *          wanted
 * @most:   pages that are taken at most
 *
 * What suits becomes a frame, what does not goes aside. It ends as well where the stock is empty.
 *
 * Return: 0; -ECANCELED; negative errno of the backend.
 */
int take_draw(struct take *take, int node, const struct addresses *chosen, uint64_t most);

/* The same for one page that was had from elsewhere; it is consumed. 0; -ENOMEM. */
int take_sort(struct take *take, const struct backend_frame *frame, const struct addresses *chosen);

/* Take what is still wanted in one piece, as far as pages of @large_bytes allow, where the pool
 * does not say how long its runs have to be. */
void take_want_runs(struct take *take, uint64_t large_bytes);

/**
 * take_look() - what of the stock, and of what is aside, would do
 * @node:       or NODE_ANY
 * @ret_chosen: sorted, no more than are wanted; owned by the caller
 *
 * Return: 0; -ENOMEM; negative errno where it cannot be seen.
 */
int take_look(struct take *take, int node, struct addresses *ret_chosen);

/* Remember where the pages of the stock lie that would not do: it tells the operator why. */
void take_look_around(struct take *take, int node);

/* Give back what this take has put into the stock. */
void take_less(struct take *take, int node);

/* Pages that are held beyond those that are still wanted. */
uint64_t take_held(const struct take *take);

/* After each change of what is held: note the most, and tell the main loop now and then. */
void take_tell(struct take *take, bool now);
