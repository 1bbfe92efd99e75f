/* SPDX-License-Identifier: MIT */
/*
 * Owns the locks, what is aside, and what is owed: for each page that comes back and is not taken
 * again, one goes out of the stock, so that the system has it. Refuses to wait for anybody: what
 * cannot be done now is told.
 */
#include "work.h"

#include "macros.h"

#include <errno.h>

#define STEP_BYTES (64 * MiB)

/* Pages that came into the stock above the one that is taken again: so many are looked through. */
#define RETAKE_TRIES 16

void work_init(struct work *work, const struct keeper_settings *settings, struct reports *reports)
{
        *work = (struct work){ .backend = settings->backend,
                               .pools = settings->pools,
                               .n_pools = settings->n_pools,
                               .reports = reports };
        pthread_mutex_init(&work->stock, NULL);
        fair_lock_init(&work->system);
        pthread_mutex_init(&work->turn_lock, NULL);
        pthread_cond_init(&work->turn_changed, NULL);
        debts_init(&work->debts);
        debts_init(&work->late);
        aside_init(&work->aside);
}

void work_deinit(struct work *work)
{
        aside_deinit(&work->aside);
        debts_deinit(&work->late);
        debts_deinit(&work->debts);
        pthread_cond_destroy(&work->turn_changed);
        pthread_mutex_destroy(&work->turn_lock);
        fair_lock_deinit(&work->system);
        pthread_mutex_destroy(&work->stock);
}

void work_wake(struct work *work)
{
        pthread_mutex_lock(&work->turn_lock);
        pthread_cond_broadcast(&work->turn_changed);
        pthread_mutex_unlock(&work->turn_lock);
}

static bool must_pin(const struct work *work, const struct keeper_message *request)
{
        return work->pools[request->pool].pin_required;
}

bool work_suits(const struct work *work, const struct backend_frame *frame,
                const struct keeper_message *request)
{
        return frame->page_bytes == request->page_bytes &&
               (request->node == NODE_ANY || request->node == frame->node) &&
               (frame->pinned || !must_pin(work, request)) &&
               range_contains((struct range){ request->first, request->last },
                              range_of(frame->phys, frame->page_bytes));
}

/* ---- the stock ------------------------------------------------------------------------------ */

/* Do a part of what is owed. The stock lock is held. */
static void pay(struct work *work)
{
        struct debt debt;

        if (!debts_next(&work->debts, STEP_BYTES, &debt))
                return;
        fair_lock_enter(&work->system);
        work->backend->ops->less(work->backend, debt.page_bytes, debt.node, debt.pages);
        fair_lock_leave(&work->system);
}

static void pay_all(struct work *work)
{
        while (debts_any(&work->debts)) {
                pthread_mutex_lock(&work->stock);
                pay(work);
                pthread_mutex_unlock(&work->stock);
        }
}

/*
 * Without waiting for who is adding pages, which may take long: he does it when he is done. Nothing
 * is forgotten, since whoever lets go of the lock looks once more what is owed.
 */
static void pay_if_possible(struct work *work)
{
        while (debts_any(&work->debts) && pthread_mutex_trylock(&work->stock) == 0) {
                pay(work);
                pthread_mutex_unlock(&work->stock);
        }
}

int work_more(struct work *work, uint64_t page_bytes, int node, uint64_t count, uint64_t *ret_added)
{
        int r;

        *ret_added = 0;
        pthread_mutex_lock(&work->stock);
        atomic_fetch_add(&work->adding, 1);
        r = work->backend->ops->more(work->backend, page_bytes, node, count, ret_added);
        atomic_fetch_add(&work->adding, 1);
        pthread_mutex_unlock(&work->stock);
        pay_all(work);
        return r;
}

int work_demote(struct work *work, uint64_t page_bytes, int node, uint64_t small_bytes)
{
        int r;

        pthread_mutex_lock(&work->stock);
        /* It takes some milliseconds, and buries a page that is to be taken again. */
        fair_lock_enter(&work->system);
        r = work->backend->ops->demote(work->backend, page_bytes, node, small_bytes);
        fair_lock_leave(&work->system);
        pthread_mutex_unlock(&work->stock);
        pay_all(work);
        return r;
}

void work_less(struct work *work, uint64_t page_bytes, int node, uint64_t count)
{
        if (!count)
                return;
        debts_add(&work->debts, page_bytes, node, count);
        pay_all(work);
}

/* A frame that nobody refers to goes back to the system, not to the stock. */
static int release(struct work *work, struct backend_frame *frame, enum backend_holder *ret_holder)
{
        int r;

        fair_lock_enter(&work->system);
        r = work->backend->ops->release(work->backend, frame, ret_holder);
        fair_lock_leave(&work->system);
        if (r)
                return r;
        debts_add(&work->debts, frame->page_bytes, frame->node, 1);
        pay_if_possible(work);
        return 0;
}

void work_give_back(struct work *work, struct backend_frame *frame)
{
        enum backend_holder holder;
        int r;

        r = work->backend->ops->let_go(work->backend, frame, true, &holder);
        if (!r)
                r = release(work, frame, &holder);
        if (r)
                debts_add(&work->late, frame->page_bytes, frame->node, 1);
        frame_drop(frame);
}

static void count_page(void *data, uint64_t phys)
{
        (void)phys;
        (*(uint64_t *)data)++;
}

static void empty_stock(struct work *work, uint64_t page_bytes)
{
        uint64_t pages = 0;

        if (work->backend->ops->look(work->backend, page_bytes, NODE_ANY, RANGE_ALL, count_page,
                                     &pages))
                pages = 1; /* it cannot be seen: the rest goes when pard ends */
        work_less(work, page_bytes, NODE_ANY, pages);
}

static void pay_late(struct work *work)
{
        struct debt debt;

        while (debts_next(&work->late, UINT64_MAX, &debt))
                work_less(work, debt.page_bytes, debt.node, debt.pages);
}

/* What a killed daemon left in the stock, and no pool had use for. */
static void empty_stocks(struct work *work)
{
        for (uint32_t i = 0; i < work->n_pools; i++) {
                uint32_t first = 0;

                while (work->pools[first].page_bytes != work->pools[i].page_bytes)
                        first++;
                if (first == i)
                        empty_stock(work, work->pools[i].page_bytes);
        }
}

void work_tidy(struct work *work, struct job *job)
{
        struct backend_frame frame;

        pay_late(work);
        while (!atomic_load(&work->stopping) && aside_next(&work->aside, NULL, &frame))
                work_give_back(work, &frame);
        if (job->tidy.stock)
                empty_stocks(work);
        job->tidy.again = debts_any(&work->late);
        reports_done(work->reports, job);
}

/* ---- giving back, and taking again ---------------------------------------------------------- */

static int retake_page(struct work *work, const struct keeper_message *request,
                       struct backend_frame *ret)
{
        return work->backend->ops->take(work->backend, request->page_bytes, request->node,
                                        (struct range){ request->first, request->last },
                                        must_pin(work, request), ret);
}

/*
 * Pages that somebody of us adds at the same moment lie above the one that was just given back: if
 * the first is no good, the next ones are looked at. The system lock is held.
 *
 * @others: @*n_others pages that are to be given back.
 */
static bool retake(struct work *work, struct job_leave *leave, const struct keeper_message *request,
                   unsigned adding, struct backend_frame others[RETAKE_TRIES], unsigned *n_others)
{
        struct backend_frame frame;

        *n_others = 0;
        while (*n_others < RETAKE_TRIES && retake_page(work, request, &frame) == 0) {
                leave->same |= frame.phys == leave->phys;
                if (work_suits(work, &frame, request)) {
                        leave->fresh = frame;
                        return true;
                }
                others[(*n_others)++] = frame;
                if (leave->same || atomic_load(&work->adding) == adding)
                        break;
        }
        return false;
}

static int release_and_retake(struct work *work, struct job_leave *leave,
                              const struct keeper_message *request, enum backend_holder *ret_holder)
{
        struct backend_frame others[RETAKE_TRIES];
        unsigned n_others = 0, adding;
        int r;

        fair_lock_enter(&work->system);
        /* An odd number: somebody is adding. */
        adding = atomic_load(&work->adding) & ~1u;
        r = work->backend->ops->release(work->backend, &leave->frame, ret_holder);
        if (!r)
                leave->got = retake(work, leave, request, adding, others, &n_others);
        fair_lock_leave(&work->system);
        for (unsigned i = 0; i < n_others; i++)
                work_give_back(work, &others[i]);
        return r;
}

bool work_leave(struct work *work, struct job *job, enum backend_holder *ret_holder)
{
        struct keeper_message request = job_request(job);
        struct job_leave *leave = &job->leave;
        int r;

        request.page_bytes = leave->frame.page_bytes;
        /* A failure that says nothing about holders is no proof that there is none. */
        *ret_holder = HOLDER_FILE;
        r = work->backend->ops->let_go(work->backend, &leave->frame,
                                       request.flags & KEEPER_OWNER_GONE, ret_holder);
        if (r)
                return false;
        if (request.flags & KEEPER_RETAKE)
                return release_and_retake(work, leave, &request, ret_holder) == 0;
        return release(work, &leave->frame, ret_holder) == 0;
}

void work_verify(struct work *work, struct job *job)
{
        for (unsigned i = 0; i < job->verify.count; i++) {
                struct job_verify_item *item = &job->verify.items[i];

                item->result = work->backend->ops->verify(work->backend, &item->frame, &item->phys);
        }
        reports_done(work->reports, job);
}
