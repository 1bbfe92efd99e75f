/* SPDX-License-Identifier: MIT */
/*
 * The worker as a process: started with what the keeper protocol promises it and nothing else.
 */
#pragma once

#include "keeper.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/**
 * struct worker_process - one worker
 * @pid: 0: there is none
 */
struct worker_process {
        pid_t pid;
        uint64_t started_ns;
};

/**
 * worker_process_start() - start a worker
 * @config_fd:   instead of the settings'; borrowed
 * @ledger_fd:   borrowed
 * @ret_channel: the keeper's end, non-blocking; owned by the caller
 *
 * Its death comes as SIGCHLD. The worker is ended when the calling thread ends.
 *
 * Return: 0; negative errno where no process can be had. One that cannot be executed dies with
 * status 127.
 */
int worker_process_start(struct worker_process *worker, const struct keeper_settings *settings,
                         int config_fd, int ledger_fd, int *ret_channel);

/**
 * worker_process_reap() - has it died?
 * @ret_status: as of waitpid()
 *
 * Return: whether it has; @pid is 0 then.
 */
bool worker_process_reap(struct worker_process *worker, int *ret_status);

void worker_process_kill(struct worker_process *worker);

/**
 * worker_process_stop() - SIGTERM, and SIGKILL after two seconds; SIGCHLD is blocked
 * @channel: the keeper's end, borrowed; -1: there is none any more. It is shut down where the
 * worker cannot be signalled (another user's, without CAP_KILL), which ends it as well
 *
 * Return: 0, and @pid is 0; -EPERM where it can neither be signalled nor hears of the channel, and
 * goes on.
 */
int worker_process_stop(struct worker_process *worker, int channel);
