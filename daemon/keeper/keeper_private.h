/* SPDX-License-Identifier: MIT */
/*
 * The keeper's main loop: one thread that decides, which alone touches any of this.
 */
#pragma once

#include "channel.h"
#include "jobs.h"
#include "keeper.h"
#include "ledger.h"
#include "slots.h"
#include "worker_process.h"

#define KEEPER_TAKES_MAX 256u /* takes that wait; a worker that asks for more is broken */

/**
 * struct keeper - everything
 * @settings:     borrowed
 * @slots:        one more than settings->slots, for a page that was taken again before its old
 * frame is gone
 * @jobs_out:     jobs that were handed to the threads and have not come back
 * @n_out:        how many these are
 * @takes:        JOB_TAKEs that wait, @n_takes; one at a time is under way, so that what one keeps
 *                aside is there for the next
 * @taking:       the one that is, or NULL
 * @promised:     slots that the frames of @taking and @takes will need
 * @welcomed:     the worker knows what is held: its messages are read, and it is told
 * @ready:        the worker serves
 * @announced:    the service manager knows
 * @starts:       workers started
 * @early_deaths: how many workers in a row died before they served
 * @restart_ns:   when to start the next worker, while there is none
 * @restart_wait_ns: how long that was put off
 * @verify_due_ns, @verify_next: when to verify next, and from which slot on
 * @verifying:    a JOB_VERIFY is under way
 */
struct keeper {
        const struct keeper_settings *settings;
        struct slots slots;
        struct ledger ledger;
        struct channel channel;
        struct jobs jobs;
        struct job_list jobs_out;
        uint32_t n_out;
        struct job_queue takes;
        uint32_t n_takes;
        struct job *taking;
        uint32_t promised;
        struct worker_process worker;
        bool welcomed, ready, announced;
        uint64_t starts;
        unsigned early_deaths;
        uint64_t restart_ns, restart_wait_ns;
        uint64_t verify_due_ns;
        uint32_t verify_next;
        bool verifying;
};

/* Hand a job to the threads. */
void keeper_start_job(struct keeper *keeper, struct job *job);

/* Tell the worker, where there is one that was welcomed. */
void keeper_tell(struct keeper *keeper, const struct keeper_message *message);

/* KEEPER_FRAME for a slot that holds a frame. */
void keeper_tell_frame(struct keeper *keeper, uint32_t number, uint32_t flags);

/**
 * keeper_request() - do what the worker asks for
 *
 * Return: 0; -EBADMSG where no worker in its right mind would ask for it; -ENOMEM.
 */
int keeper_request(struct keeper *keeper, const struct keeper_message *message);

/* Start the next take that waits, if none is under way. */
void keeper_next_take(struct keeper *keeper);

/* Drop the takes that nobody began: their worker is dead. */
void keeper_forget_takes(struct keeper *keeper);

/* Begin to give back the frame of a slot that is held, as a KEEPER_LEAVE says. 0; -ENOMEM. */
int keeper_leave(struct keeper *keeper, uint32_t number, const struct keeper_message *message);

/* Deal with what the threads report. */
void keeper_hear_reports(struct keeper *keeper);

/* Read the addresses of some frames again, if it is time; then, when it is next. */
void keeper_verify(struct keeper *keeper, uint64_t now_ns);
