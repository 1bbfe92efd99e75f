/* SPDX-License-Identifier: MIT */
/*
 * Owns the pages in hand. Every page that a take gets is a frame (and reported at once), in hand,
 * aside, or back in the stock; what it has put into the stock and did not take is taken out again
 * at its end. Refuses to let a frame into a pool that wants runs before its run is complete.
 */
#include "take.h"

#include "drawing.h"
#include "harvest.h"
#include "macros.h"
#include "runs.h"

#include <errno.h>
#include <stdlib.h>
#include <time.h>

#define TELL_EVERY_NS (100 * NS_PER_MS)

static uint64_t now_ns(void)
{
        struct timespec now;

        clock_gettime(CLOCK_MONOTONIC, &now);
        return (uint64_t)now.tv_sec * NS_PER_S + (uint64_t)now.tv_nsec;
}

static const struct keeper_message *wish(const struct take *take)
{
        return &take->job->request;
}

static bool must_pin(const struct take *take)
{
        return take->work->pools[wish(take)->pool].pin_required;
}

void take_begin(struct take *take, struct work *work, struct job *job)
{
        *take = (struct take){
                .work = work,
                .job = job,
                .window = { job->request.first, job->request.last },
                .run_bytes = job->request.phys,
                .left = job->request.count,
                .told_ns = now_ns(),
        };
        take->limited = take->window.first > 0 || take->window.last < UINT64_MAX;
        job->take.seen.first = UINT64_MAX;
        job->take.seen.last = 0;
}

bool take_is_over(const struct take *take)
{
        return atomic_load(&take->job->take.cancelled) || atomic_load(&take->work->cancelled);
}

bool take_suits(const struct take *take, const struct backend_frame *frame)
{
        return work_suits(take->work, frame, wish(take));
}

void take_saw(struct take *take, const struct backend_frame *frame)
{
        struct range at = range_of(frame->phys, frame->page_bytes);

        if (at.first < take->job->take.seen.first)
                take->job->take.seen.first = at.first;
        if (at.last > take->job->take.seen.last)
                take->job->take.seen.last = at.last;
}

uint64_t take_held(const struct take *take)
{
        uint64_t held = take->extra + take->aside + take->n_hand;

        return held > take->left ? held - take->left : 0;
}

void take_tell(struct take *take, bool now)
{
        struct job_take *told = &take->job->take;
        uint64_t held_bytes = take_held(take) * wish(take)->page_bytes;
        uint64_t time = now_ns();

        if (held_bytes > told->most_held_bytes)
                told->most_held_bytes = held_bytes;
        if (!now && time - take->told_ns < TELL_EVERY_NS)
                return;
        take->told_ns = time;
        reports_progress(take->work->reports, take->job,
                         &(struct progress){ told->had, held_bytes, take->harvests });
}

static int make_frame(struct take *take, const struct backend_frame *frame)
{
        int r;

        r = reports_frame(take->work->reports, take->job, frame);
        if (r)
                return r;
        take->job->take.had++;
        take->left--;
        return 0;
}

/* @ours: it was in the stock because of this take. */
static int put_aside(struct take *take, const struct backend_frame *frame, bool ours)
{
        int r;

        r = aside_put(&take->work->aside, take, frame);
        take->aside += !r && ours;
        return r;
}

static int put_in_hand(struct take *take, const struct backend_frame *frame)
{
        size_t room = take->hand_room ? 2 * take->hand_room : 64;
        struct backend_frame *hand;

        if (take->n_hand == take->hand_room) {
                hand = reallocarray(take->hand, room, sizeof(*hand));
                if (!hand)
                        return -ENOMEM;
                take->hand = hand;
                take->hand_room = room;
        }
        take->hand[take->n_hand++] = *frame;
        return 0;
}

/* Where a page belongs; on failure it is still the caller's. */
static int sort(struct take *take, const struct backend_frame *frame,
                const struct addresses *chosen, bool ours)
{
        take_saw(take, frame);
        if (take_is_easy(take) && harvest_seeks(take->work, frame))
                return aside_put(&take->work->aside, NULL, frame);
        if (!take_suits(take, frame))
                return put_aside(take, frame, ours);
        if (!take->run_bytes)
                return make_frame(take, frame);
        if (addresses_have(chosen, frame->phys))
                return put_in_hand(take, frame);
        return put_aside(take, frame, ours);
}

int take_sort(struct take *take, const struct backend_frame *frame, const struct addresses *chosen)
{
        struct backend_frame back = *frame;
        int r;

        r = sort(take, frame, chosen, false);
        if (r)
                work_give_back(take->work, &back);
        return r;
}

static int hand_addresses(const struct take *take, struct addresses *ret)
{
        int r = 0;

        for (size_t i = 0; !r && i < take->n_hand; i++)
                r = addresses_add(ret, take->hand[i].phys);
        addresses_sort(ret);
        return r;
}

static int choose(struct take *take, const struct addresses *pages, struct addresses *ret)
{
        const struct runs_wish want = { wish(take)->page_bytes, take->run_bytes, take->left };

        return runs_choose(&want, pages, &take->job->take.own, ret);
}

/* What is in @whole becomes frames. */
static int settle(struct take *take, const struct addresses *whole)
{
        struct addresses *own = &take->job->take.own;
        int r = 0, first = 0;

        while (take->n_hand) {
                struct backend_frame frame = take->hand[--take->n_hand];

                if (addresses_have(whole, frame.phys)) {
                        r = addresses_add(own, frame.phys);
                        if (!r)
                                r = make_frame(take, &frame);
                } else {
                        r = put_aside(take, &frame, true);
                }
                if (r)
                        work_give_back(take->work, &frame);
                if (!first)
                        first = r;
        }
        addresses_sort(own);
        return first;
}

/*
 * Somebody else may have got a page of a run that was chosen: only what is a long enough run all
 * the same becomes frames; the rest goes aside.
 */
static int settle_hand(struct take *take)
{
        struct addresses hand = { 0 }, whole = { 0 };
        int r, settled;

        if (!take->n_hand)
                return 0;
        r = hand_addresses(take, &hand);
        if (!r)
                r = choose(take, &hand, &whole);
        if (r)
                whole.n = 0;
        settled = settle(take, &whole);
        addresses_deinit(&hand);
        addresses_deinit(&whole);
        return r ? r : settled;
}

int take_page(struct take *take, int node, struct backend_frame *ret)
{
        struct backend *backend = take->work->backend;
        int r;

        fair_lock_enter_shared(&take->work->system);
        r = backend->ops->take(backend, wish(take)->page_bytes, node, take->window, must_pin(take),
                               ret);
        fair_lock_leave(&take->work->system);
        return r;
}

int take_put(struct take *take, struct backend_frame *frame, const struct addresses *chosen,
             size_t *n)
{
        bool ours = take->extra > 0;
        int r;

        take->extra -= ours;
        *n += take_suits(take, frame) && (!take->run_bytes || addresses_have(chosen, frame->phys));
        r = sort(take, frame, chosen, ours);
        if (r)
                work_give_back(take->work, frame);
        return r;
}

struct picking {
        struct take *take;
        const struct addresses *chosen;
};

static bool is_chosen(void *data, const struct backend_frame *frame)
{
        const struct picking *picking = data;

        return take_suits(picking->take, frame) && addresses_have(picking->chosen, frame->phys);
}

/* Those that are aside, of which there are *n in the end. */
static int pick_aside(struct take *take, const struct addresses *chosen, size_t *n)
{
        struct picking picking = { take, chosen };
        struct backend_frame frame;
        int r = 0;

        for (; !r && *n < chosen->n; ++*n) {
                if (!aside_take(&take->work->aside, is_chosen, &picking, &frame))
                        break;
                r = take_sort(take, &frame, chosen);
        }
        return r;
}

static int draw_pages(struct take *take, int node, const struct addresses *chosen, uint64_t most)
{
        struct backend_frame frame;
        size_t n = 0;
        int r = 0;

        if (chosen)
                r = pick_aside(take, chosen, &n);
        if (!r)
                drawing_run(take, node, chosen, &most, &n);
        for (; !r && most && take->left && (!chosen || n < chosen->n); most--) {
                if (take_is_over(take))
                        return -ECANCELED;
                r = take_page(take, node, &frame);
                if (r == -ENOMEM) {
                        take->lost += take->extra;
                        take->extra = 0;
                        return 0;
                }
                if (!r)
                        r = take_put(take, &frame, chosen, &n);
                take_tell(take, false);
        }
        return r;
}

int take_draw(struct take *take, int node, const struct addresses *chosen, uint64_t most)
{
        int r, settled;

        r = draw_pages(take, node, chosen, most);
        settled = settle_hand(take);
        return r ? r : settled;
}

void take_want_runs(struct take *take, uint64_t large_bytes)
{
        uint64_t rest_bytes = take->left * wish(take)->page_bytes;

        if (!wish(take)->phys)
                take->run_bytes = rest_bytes < large_bytes ? rest_bytes : large_bytes;
}

static void see(void *data, uint64_t phys)
{
        struct take *take = data;
        struct backend_frame page = { .phys = phys, .page_bytes = wish(take)->page_bytes };

        take_saw(take, &page);
}

/* For the backend's look(), and for what is aside. */
struct looking {
        struct take *take;
        struct addresses pages;
        int result;
};

static void visit(void *data, uint64_t phys)
{
        struct looking *looking = data;
        struct backend_frame page = { .phys = phys, .page_bytes = wish(looking->take)->page_bytes };

        take_saw(looking->take, &page);
        if (!looking->result)
                looking->result = addresses_add(&looking->pages, phys);
}

static bool visit_aside(void *data, const struct backend_frame *frame)
{
        struct looking *looking = data;

        if (take_suits(looking->take, frame))
                visit(data, frame->phys);
        return false;
}

int take_look(struct take *take, int node, struct addresses *ret_chosen)
{
        struct backend *backend = take->work->backend;
        struct looking looking = { .take = take };
        int r;

        r = backend->ops->look(backend, wish(take)->page_bytes, node, take->window, visit,
                               &looking);
        if (!r) {
                struct backend_frame none;

                (void)aside_take(&take->work->aside, visit_aside, &looking, &none);
                addresses_sort(&looking.pages);
        }
        if (!r)
                r = looking.result;
        if (!r)
                r = choose(take, &looking.pages, ret_chosen);
        addresses_deinit(&looking.pages);
        return r;
}

void take_look_around(struct take *take, int node)
{
        struct backend *backend = take->work->backend;

        /* Where it cannot be seen, those that were taken out of it are known all the same. */
        if (take->limited)
                (void)backend->ops->look(backend, wish(take)->page_bytes, node, RANGE_ALL, see,
                                         take);
}

void take_less(struct take *take, int node)
{
        work_less(take->work, wish(take)->page_bytes, node, take->extra + take->lost);
        take->extra = take->lost = 0;
}

void take_end(struct take *take, int r)
{
        struct work *work = take->work;
        struct job *job = take->job;
        struct backend_frame frame;

        /* While the pools are filled for the first time the next one looks through them. */
        if (!atomic_load(&work->filling) || atomic_load(&work->cancelled))
                while (!atomic_load(&work->stopping) && aside_next(&work->aside, take, &frame))
                        work_give_back(work, &frame);
        aside_disown(&work->aside, take);
        free(take->hand);

        job->take.result = take->left ? r : 0;
        reports_done(work->reports, job);
}
