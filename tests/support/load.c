/* SPDX-License-Identifier: MIT */
/*
 * Owns the processes, which die with the test program.
 */
#include "load.h"

#include "process.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

static pid_t start_client(struct load *load)
{
        struct random random = { random_next(&load->random) };
        pid_t parent = getpid(), pid;
        struct par *par;

        pid = fork();
        if (pid < 0)
                die("no process for a client");
        if (pid)
                return pid;
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (getppid() != parent)
                _exit(0);
        if (par_connect(NULL, NULL, &par))
                die("client: %s", par_error(NULL));
        for (;;)
                load->work(par, &random);
}

void load_start(struct load *load, size_t count, load_function *work, uint64_t seed)
{
        if (count > LOAD_CLIENTS_MAX)
                die("at most %d clients", LOAD_CLIENTS_MAX);
        *load = (struct load){ .work = work, .random = { seed }, .count = count };
        fflush(NULL);
        for (size_t i = 0; i < count; i++)
                load->pids[i] = start_client(load);
}

static void kill_client(struct load *load, size_t i)
{
        int status;

        kill(load->pids[i], SIGKILL);
        waitpid(load->pids[i], &status, 0);
        if (!WIFSIGNALED(status))
                die("a client ended by itself, with %d", WEXITSTATUS(status));
        load->killed++;
}

void load_replace_one(struct load *load)
{
        size_t i = random_below(&load->random, load->count);

        kill_client(load, i);
        fflush(NULL);
        load->pids[i] = start_client(load);
}

void load_stop(struct load *load)
{
        for (size_t i = 0; i < load->count; i++)
                kill_client(load, i);
        load->count = 0;
}
