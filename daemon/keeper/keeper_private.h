/* SPDX-License-Identifier: MIT */
/*
 * The keeper's main loop: one thread that decides, which alone touches any of this.
 */
#pragma once

#include "channel.h"
#include "jobs.h"
#include "keeper.h"
#include "ledger.h"
#include "log_rate.h"
#include "notifier.h"
#include "slots.h"
#include "worker_process.h"

/**
 * struct pool_take - a take that is under way
 * @job:      NULL: none is
 * @progress: as it was last told
 */
struct pool_take {
        struct job *job;
        struct progress progress;
};

/* How far the replacement of this program is. */
enum succession {
        SUCCESSION_NONE,
        SUCCESSION_TRIAL, /* a process tries whether the next one could take over */
        SUCCESSION_STILL, /* no worker is started, and nothing is begun, until nothing is under way
                           */
};

#define STATUS_BYTES 512

/**
 * struct status - what the service manager was told
 * @text:    last
 * @next_ns: when it may be told something else
 * @extend_ns: when it was last asked to wait for the first filling
 * @reports: reports of the threads since then: it does go on
 */
struct status {
        char text[STATUS_BYTES];
        uint64_t next_ns, extend_ns, reports;
};

#define KEEPER_TAKES_MAX 256u /* takes that wait; a worker that asks for more is broken */

/**
 * struct keeper - everything
 * @settings:     borrowed
 * @notifier:     tells the service manager
 * @slots:        one more than settings->slots, for a page that was taken again before its old
 * frame is gone
 * @jobs_out:     jobs that were handed to the threads and have not come back
 * @n_out:        how many these are, without JOB_TIDY
 * @takes:        JOB_TAKEs that wait, @n_takes
 * @taking:       for each pool the one that is under way
 * @promised:     slots that the frames of @taking and @takes will need
 * @filled_once:  a worker has said that all pools are filled
 * @loose_aside, @loose_stock: something may be aside, or in the stock, that nobody needs
 * @tidying, @tidying_stock: a JOB_TIDY is under way, and no take may begin meanwhile
 * @tidy_due_ns:  not before
 * @welcomed:     the worker knows what is held: its messages are read, and it is told
 * @ready:        the worker serves
 * @announced:    the service manager knows
 * @starts:       workers started
 * @early_deaths: how many workers in a row died before they served
 * @restart_ns:   when to start the next worker, while there is none
 * @restart_wait_ns: how long that was put off
 * @verify_due_ns, @verify_next: when to verify next, and from which slot on
 * @verifying:    a JOB_VERIFY is under way
 * @return_ms:    how long clients may wait for the next pard when this one has ended; 0: there will
 *                be none that knows them
 * @unanswered:   how often the worker was asked in vain whether it is there
 * @ping_due_ns:  when to ask next
 * @watchdog_ns, @watchdog_due_ns: how often and when to tell the service manager that this loop is
 *                alive; 0: it does not want to know
 * @config_fd:    text of the configuration that is in force; owned where it is not settings' own
 * @offered_fd:   text of the one that was read last, for the worker; owned; -1: none
 * @reloads:      how often the worker asked for a reload and has no answer
 * @hung_up:      SIGHUP came
 * @succession:   see above
 * @trial:        the process that tries; 0: there is none
 * @trial_due_ns: when to end that
 * @dismissed:    the worker was asked to end, for another to take its place
 * @dismissed_due_ns: when to end it
 * @frame_words:  what is said of frames that are not what they were
 */
struct keeper {
        const struct keeper_settings *settings;
        struct notifier *notifier;
        struct slots slots;
        struct ledger ledger;
        struct channel channel;
        struct jobs jobs;
        struct job_list jobs_out;
        struct job_queue takes;
        uint32_t n_out, n_takes;
        struct pool_take taking[KEEPER_POOLS_MAX];
        uint32_t promised, verify_next;
        bool filled_once, loose_aside, loose_stock, tidying, tidying_stock, verifying;
        bool welcomed, ready, announced, hung_up;
        unsigned early_deaths, unanswered;
        uint32_t reloads, return_ms;
        uint64_t tidy_due_ns;
        struct worker_process worker;
        uint64_t starts;
        uint64_t restart_ns, restart_wait_ns;
        uint64_t verify_due_ns;
        uint64_t ping_due_ns, watchdog_ns, watchdog_due_ns;
        struct status status;
        int config_fd, offered_fd;
        enum succession succession;
        pid_t trial;
        uint64_t trial_due_ns;
        bool dismissed;
        uint64_t dismissed_due_ns;
        struct log_rate frame_words;
};

/* Hand a job to the threads. */
void keeper_start_job(struct keeper *keeper, struct job *job);

/* Tell the worker, where there is one that was welcomed. */
void keeper_tell(struct keeper *keeper, const struct keeper_message *message);

/* KEEPER_FRAME for a slot that holds a frame. @former: the KEEPER_LEAVE with which it was taken
 * again; NULL: it was not. */
void keeper_tell_frame(struct keeper *keeper, uint32_t number, uint32_t flags,
                       const struct keeper_message *former);

/* KEEPER_POISONED for a slot. */
void keeper_tell_poisoned(struct keeper *keeper, uint32_t number);

/**
 * keeper_request() - do what the worker asks for
 *
 * Return: 0; -EBADMSG where no worker in its right mind would ask for it; -ENOMEM.
 */
int keeper_request(struct keeper *keeper, const struct keeper_message *message);

/* ---- takes.c ---- */

/* Have a KEEPER_TAKE done, as soon as it is its turn. 0; -ENOMEM. */
int keeper_take(struct keeper *keeper, const struct keeper_message *message);

/* Start the takes whose turn it is. */
void keeper_next_takes(struct keeper *keeper);

/* What a take reports. */
void keeper_take_goes_on(struct keeper *keeper, struct job *job, const struct progress *progress);
void keeper_take_done(struct keeper *keeper, struct job *job);

/* End the takes for a pool. */
void keeper_cancel(struct keeper *keeper, uint32_t pool);

/* Drop the takes that nobody began: their worker is dead. */
void keeper_forget_takes(struct keeper *keeper);

/* Whether pools are being filled for the first time in a worker's life; and that they are filled.
 */
void keeper_filling(struct keeper *keeper, bool filling);
void keeper_filled(struct keeper *keeper);

/* Give back what nobody needs, if it is time; when it is; and that it was done. */
void keeper_tidy(struct keeper *keeper, uint64_t now_ns);
uint64_t keeper_tidy_due(const struct keeper *keeper);
void keeper_tidied(struct keeper *keeper, const struct job *job);

/* ---- vigil.c ---- */

/* Before the loop: does the service manager want to hear from it? */
void keeper_begin_vigil(struct keeper *keeper);

/* Ask the worker whether it is there, replace it if it is not, and tell the service manager that
 * this loop is alive and what is done, each if it is time; then, when one of them is next. */
void keeper_vigil(struct keeper *keeper, uint64_t now_ns);
uint64_t keeper_vigil_due(const struct keeper *keeper);

/* ---- renewal.c ---- */

/* The worker wants the configuration to be read again. 0; -EBADMSG where it asks all the time. */
int keeper_ask_reload(struct keeper *keeper);

/* Read the configuration again, if somebody wants it and the worker can hear of it; and when. */
void keeper_reload(struct keeper *keeper);
uint64_t keeper_reload_due(const struct keeper *keeper);

/* ---- succession.c ---- */

/* SIGUSR1: end the worker in order, so that another takes its place. */
void keeper_dismiss_worker(struct keeper *keeper);

/* SIGUSR2: try whether this program can be replaced, and if so do it. */
void keeper_begin_succession(struct keeper *keeper);

/**
 * keeper_succeed() - go on with the replacement; and when it is time to
 *
 * Does not return where this program was replaced.
 *
 * Return: 0; negative errno where this one can neither be replaced nor go on.
 */
int keeper_succeed(struct keeper *keeper, uint64_t now_ns);
uint64_t keeper_succession_due(const struct keeper *keeper);

/* Take up what settings->takeover says. Slots are new. 0; negative errno. */
int keeper_take_over(struct keeper *keeper);

/* ---- stopping.c ---- */

/* Before the worker is told to stop: how long its clients may wait for the next pard. */
uint32_t keeper_return_ms(const struct keeper *keeper);

/* Have the service manager keep what somebody uses. The threads have ended. */
void keeper_park(struct keeper *keeper);

/* ---- succession.c, for stopping.c ---- */

/* What the next keeper has to know of this one, and of a slot. */
struct takeover_head keeper_head(const struct keeper *keeper);
struct takeover_slot keeper_record(const struct slot *slot, uint32_t number);

/* ---- keeper.c, for succession.c ---- */

/* Start, and end, all threads, with what they have under way. 0; negative errno. */
int keeper_start_threads(struct keeper *keeper);
void keeper_end_threads(struct keeper *keeper);

/* ---- requests.c, results.c ---- */

/* A JOB_LEAVE comes back, and the frame has not left. */
void keeper_called_back(struct keeper *keeper, struct job *job);

/* The frame of a slot is elsewhere, or its page was punched out (UINT64_MAX): say so, to the worker
 * as well; and the same to the next worker. */
void keeper_frame_moved(struct keeper *keeper, uint32_t number, uint64_t phys);
void keeper_tell_moved(struct keeper *keeper, uint32_t number);

/* Begin to give back the frame of a slot that is held, as a KEEPER_LEAVE says; or, while its
 * address is being read, have it done after that. 0; -ENOMEM. */
int keeper_leave(struct keeper *keeper, uint32_t number, const struct keeper_message *message);

/* Deal with what the threads report. */
void keeper_hear_reports(struct keeper *keeper);

/* Read the addresses of some frames again, if it is time; then, when it is next. */
void keeper_verify(struct keeper *keeper, uint64_t now_ns);
