/* SPDX-License-Identifier: MIT */
/*
 * Owns the processes, which die with the test program.
 */
#include "load.h"

#include "macros.h"
#include "process.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

void load_take_and_free(struct par *par, struct random *random,
                        const struct par_alloc_options *options, uint32_t pause_us)
{
        const struct par_constraint want = { .max_segments = PAR_SEGMENTS_ANY };

        for (;;) {
                struct par_buffer *buffer = NULL;
                int r = par_alloc(par, 4096 + random_below(random, 8 * MiB), &want, options,
                                  &buffer);

                if (r == -PAR_GONE || (r < 0 && r > -PAR_NEVER_FITS))
                        die("load: %s: %s", par_strerror(r), par_error(par));
                if (pause_us)
                        usleep((useconds_t)random_below(random, pause_us));
                par_free(buffer);
        }
}

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
