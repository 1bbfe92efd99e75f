/* SPDX-License-Identifier: MIT */
/*
 * What the threads report, and what of it the worker is told. Frames enter and leave their slots
 * here, whether there is a worker to be told or not.
 */
#include "keeper_private.h"
#include "log.h"
#include "macros.h"

#include <errno.h>
#include <string.h>

void keeper_start_job(struct keeper *keeper, struct job *job)
{
        LIST_INSERT_HEAD(&keeper->jobs_out, job, link);
        keeper->n_out += job->kind != JOB_TIDY; /* which changes nothing that the worker knows */
        jobs_add(&keeper->jobs, job);
}

/* @former: as for keeper_tell_frame() */
static uint32_t enter(struct keeper *keeper, const struct backend_frame *frame, uint32_t pool,
                      const struct keeper_message *former)
{
        uint32_t slot = slots_enter(&keeper->slots, frame, pool);

        ledger_clear(&keeper->ledger, slot);
        keeper_tell_frame(keeper, slot, 0, former);
        return slot;
}

static struct log_fields about_slot(const struct keeper *keeper, const struct slot *slot)
{
        return (struct log_fields){
                .pool = keeper->settings->pools[slot->pool].name,
                .has_frame = true,
                .frame = slot->told_phys,
        };
}

/* Its memory has failed; who knows that is not told again. */
static void poisoned(struct keeper *keeper, uint32_t number)
{
        struct slot *slot = &keeper->slots.slots[number];
        struct log_fields about = about_slot(keeper, slot);

        if (slot->poisoned)
                return;
        slot->poisoned = true;
        if (log_rate_allows(&keeper->frame_words))
                log_event(LOG_WARNING, &about, "the memory of frame %u at 0x%llx has failed",
                          number, (unsigned long long)slot->told_phys);
        keeper_tell_poisoned(keeper, number);
}

static void left(struct keeper *keeper, struct job *job)
{
        struct job_leave *leave = &job->leave;
        struct keeper_message gone = {
                .type = KEEPER_LEFT,
                .slot = job->request.slot,
                .generation = job->request.generation,
                .pool = keeper->slots.slots[job->request.slot].pool,
                .node = KEEPER_NODE_ANY,
        };

        if (leave->frame.poisoned)
                poisoned(keeper, job->request.slot);
        if (leave->got)
                enter(keeper, &leave->fresh, job->request.pool, &job->request);
        /* What has failed was not lost to anybody. */
        if (job->request.flags & KEEPER_RETAKE && !(leave->got && leave->same) &&
            !leave->frame.poisoned)
                gone.flags = KEEPER_LOST;
        slots_leave(&keeper->slots, job->request.slot);
        keeper_tell(keeper, &gone);
}

/* The frame could not leave while its worker lived: the next one is told of it. */
void keeper_called_back(struct keeper *keeper, struct job *job)
{
        struct slot *slot = &keeper->slots.slots[job->request.slot];

        slot->state = SLOT_HELD;
        slot->frame = job->leave.frame;
        slot->given_up = true;
        slot->job = NULL;
}

/* The backend knows nothing of messages, but its answers go into them as they are. */
_Static_assert((int)HOLDER_FILE == KEEPER_HOLDER_FILE && (int)HOLDER_PAGES == KEEPER_HOLDER_PAGES &&
                       (int)HOLDER_HOLE == KEEPER_HOLDER_HOLE &&
                       (int)HOLDER_PATH == KEEPER_HOLDER_PATH,
               "the same values");

static void lingers(struct keeper *keeper, const struct job *job, enum backend_holder holder)
{
        /* The job's request may change; what names the frame does not. */
        struct keeper_message message = {
                .type = KEEPER_LINGERS,
                .slot = job->request.slot,
                .generation = job->request.generation,
                .pool = keeper->slots.slots[job->request.slot].pool,
                .node = KEEPER_NODE_ANY,
                .result = (int32_t)holder,
        };

        keeper_tell(keeper, &message);
}

void keeper_tell_moved(struct keeper *keeper, uint32_t number)
{
        const struct slot *slot = &keeper->slots.slots[number];
        struct keeper_message message = {
                .type = KEEPER_MOVED,
                .slot = number,
                .generation = slot->generation,
                .pool = slot->pool,
                .phys = slot->seen_phys,
                .page_bytes = slot->frame.page_bytes,
                .node = slot->frame.node,
        };

        keeper_tell(keeper, &message);
}

void keeper_frame_moved(struct keeper *keeper, uint32_t number, uint64_t phys)
{
        struct slot *slot = &keeper->slots.slots[number];
        struct log_fields about = about_slot(keeper, slot);

        if (log_rate_allows(&keeper->frame_words))
                log_event(LOG_WARNING, &about, "frame %u is no longer at 0x%llx", number,
                          (unsigned long long)slot->told_phys);
        slot->seen_phys = phys;
        keeper_tell_moved(keeper, number);
}

static void verified(struct keeper *keeper, const struct job_verify_item *item)
{
        struct slot *slot = &keeper->slots.slots[item->slot];

        slot->verifying = false;
        if (item->result == -EHWPOISON)
                poisoned(keeper, item->slot);
        else if (item->result)
                log_debug("cannot look where frame %u is: %s", item->slot, strerror(-item->result));
        else if (item->phys != slot->seen_phys)
                keeper_frame_moved(keeper, item->slot, item->phys);

        if (slot->job) {
                struct keeper_message leave = job_request(slot->job);

                (void)keeper_leave(keeper, item->slot, &leave); /* the job is there already */
        }
}

static void done(struct keeper *keeper, struct job *job)
{
        LIST_REMOVE(job, link);
        keeper->n_out -= job->kind != JOB_TIDY;
        switch (job->kind) {
        case JOB_TAKE: keeper_take_done(keeper, job); break;
        case JOB_LEAVE:
                if (job->leave.left)
                        left(keeper, job);
                else
                        keeper_called_back(keeper, job);
                break;
        case JOB_VERIFY:
                keeper->verifying = false;
                for (unsigned i = 0; i < job->verify.count; i++)
                        verified(keeper, &job->verify.items[i]);
                break;
        case JOB_TIDY: keeper_tidied(keeper, job); break;
        }
}

static void seen(struct keeper *keeper, const struct sighting *seen)
{
        struct keeper_message message = {
                .type = KEEPER_SEEN,
                .count = seen->device,
                .first = seen->round,
                .node = KEEPER_NODE_ANY,
                .result = seen->result,
        };

        /* What a former worker asked for: rounds are numbers of one worker's. */
        if (!watches_are_of(&keeper->jobs.watches, seen))
                return;
        keeper_tell(keeper, &message);
}

void keeper_hear_reports(struct keeper *keeper)
{
        struct report *report;

        reports_clear_event(&keeper->jobs.reports);
        while ((report = reports_next(&keeper->jobs.reports))) {
                keeper->status.reports++;
                switch (report->kind) {
                case REPORT_FRAME:
                        keeper->promised--;
                        enter(keeper, &report->frame, report->job->request.pool, NULL);
                        break;
                case REPORT_PROGRESS:
                        keeper_take_goes_on(keeper, report->job, &report->progress);
                        break;
                case REPORT_LINGERS: lingers(keeper, report->job, report->holder); break;
                case REPORT_SEEN: seen(keeper, &report->seen); break;
                case REPORT_DONE: done(keeper, report->job); break;
                }
                report_free(report);
        }
}

/* How long between two batches, so that all have had their turn within the period. */
static uint64_t verify_wait(const struct keeper *keeper)
{
        uint64_t batches = (slots_used(&keeper->slots) + VERIFY_BATCH - 1) / VERIFY_BATCH;
        uint64_t wait = keeper->settings->verify_ns / (batches ? batches : 1);

        return wait > NS_PER_MS ? wait : NS_PER_MS;
}

/* Round and round; there is at least one. */
static uint32_t next_to_verify(struct keeper *keeper)
{
        uint32_t number = slots_next(&keeper->slots, keeper->verify_next);

        if (number == keeper->slots.room)
                number = slots_next(&keeper->slots, 0);
        keeper->verify_next = number + 1;
        return number;
}

void keeper_verify(struct keeper *keeper, uint64_t now_ns)
{
        struct job *job;

        if (!keeper->settings->verify_ns || keeper->verifying || now_ns < keeper->verify_due_ns)
                return;
        keeper->verify_due_ns = now_ns + verify_wait(keeper);

        job = job_new(JOB_VERIFY, NULL);
        if (!job)
                return;
        /* So many at a time, whatever they are: where most linger, a search would be of all. */
        for (uint32_t i = 0; i < VERIFY_BATCH && i < slots_used(&keeper->slots); i++) {
                uint32_t number = next_to_verify(keeper);
                struct slot *slot = &keeper->slots.slots[number];

                if (slot->state != SLOT_HELD || slot->given_up || slot->poisoned)
                        continue;
                slot->verifying = true;
                job->verify.items[job->verify.count++] =
                        (struct job_verify_item){ .slot = number, .frame = slot->frame };
        }
        if (!job->verify.count) {
                job_free(job);
                return;
        }
        keeper->verifying = true;
        keeper_start_job(keeper, job);
}
