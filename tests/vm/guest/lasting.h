/* SPDX-License-Identifier: MIT */
/*
 * What drivers that are killed and those who watch them share: lasting buffers, and a page of
 * figures.
 */
#pragma once

#include "insist.h"
#include "macros.h"

#include <par.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <unistd.h>

/**
 * struct figures - shared by all processes of the test
 * @stop:     drivers end when they come to an end of something
 * @lives:    of drivers, so far: a driver's own number is what it was when it began
 * @dead_completions: commands that the controller completed while nobody was there
 * @dead_transfers: of edu's, likewise
 * @nvme_rounds, @edu_rounds: that were right, from beginning to end
 * @lasting:  where the drivers' memory lies: nobody else may get any of it
 * @taken:    buffers that others had meanwhile; @stop_taking: they end
 */
struct figures {
        atomic_bool stop, stop_taking;
        atomic_uint nvme_lives, edu_lives;
        atomic_uint dead_completions, dead_transfers;
        atomic_uint nvme_rounds, edu_rounds;
        _Atomic uint64_t lasting[4];
        atomic_uint n_lasting;
        atomic_ulong taken;
};

/* The worker may die before it has answered the first request; from then on libpar sees to it. */
static inline struct par *lasting_connect(const char *client_name)
{
        const struct par_connect_options options = { .client_name = client_name };
        struct par *par;
        int r;

        do
                r = par_connect(NULL, &options, &par);
        while (r == -PAR_GONE);
        insist(r, "connect");
        return par;
}

/* A lasting buffer: there it is again, or this is the first time. It must lie where it was. */
static inline struct par_buffer *lasting_get(struct figures *figures, struct par *par,
                                             const char *name, size_t bytes, bool *ret_first)
{
        const struct par_alloc_options options = {
                .name = name, .flags = PAR_ALLOC_LASTING, .pool = "low", .wait_ms = -1
        };
        struct par_buffer *buffer;
        bool known = false;
        int r;

        r = par_open(par, name, NULL, &buffer);
        *ret_first = r == -PAR_GONE;
        if (*ret_first)
                r = par_alloc(par, bytes, NULL, &options, &buffer);
        insist(r, name);
        for (unsigned i = 0; i < atomic_load(&figures->n_lasting); i++)
                known |= atomic_load(&figures->lasting[i]) == par_buffer_dma(buffer);
        if (known == *ret_first)
                die("%s: at %#llx, %s", name, (unsigned long long)par_buffer_dma(buffer),
                    known ? "where another lies" : "where it was not before");
        if (*ret_first)
                atomic_store(&figures->lasting[atomic_fetch_add(&figures->n_lasting, 1)],
                             par_buffer_dma(buffer));
        return buffer;
}

static inline void __attribute__((__noreturn__)) be_killed(void)
{
        kill(getpid(), SIGKILL);
        for (;;)
                pause();
}

/* A driver each: does its work until it is killed, or is told to stop. @die_after: how many
 * transfers it begins before it kills itself, with them under way; 0: it does not. */
void drive_nvme(struct figures *figures, const char *address, unsigned die_after)
        __attribute__((__noreturn__));
void drive_edu(struct figures *figures, const char *address, unsigned die_after)
        __attribute__((__noreturn__));
