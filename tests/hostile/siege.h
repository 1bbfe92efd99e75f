/* SPDX-License-Identifier: MIT */
/*
 * A pard that is attacked, a well-behaved client inside, and what must be so afterwards.
 */
#pragma once

#include "attack.h"
#include "outcome.h"
#include "pard_fixture.h"
#include "wire_client.h"

/**
 * struct siege - one pard
 * @real:   on real hugepages
 * @admin:  an administrator's session, who looks
 * @worker: as it was at the beginning
 * @fresh:  what pard used before anybody came
 * @answers: that the well-behaved client has had before an attack may end, beside its time
 * @grown:  its heaps have the size that all this takes
 */
struct siege {
        bool real;
        struct pard_fixture pard;
        struct wire_client admin;
        pid_t worker;
        struct footprint fresh;
        uint64_t answers;
        bool grown;
        uint64_t revocations; /* that its administrator asked for in this attack */
};

/* Start pard, and let it grow to its size under all attacks at once. */
void siege_begin(struct siege *siege, bool real);

/* Stop it. */
void siege_end(struct siege *siege);

/**
 * siege_suffer() - one attack, or all of them at once
 * @siege:   borrowed
 * @attack:  NULL: all that mean something here
 * @seconds: how long
 * @ret:     ret->report is the caller's: good_client_forget()
 *
 * The test program ends with a message where
 * - a hostile process saw or got what is another's;
 * - the well-behaved client found a byte or an address that is not its own, or was refused memory;
 * - what pard holds did not add up at any moment;
 * - the worker ended, or said something at the level of errors;
 * - not all memory was free again, or descriptors not closed, within a minute (on real hugepages
 * the keeper may have one more);
 * - the memory of pard itself grew by more than 16 MiB (with a sanitizer, which keeps some: 1 GiB);
 * - the log was flooded;
 * - nothing was tried at all.
 */
void siege_suffer(struct siege *siege, const struct attack *attack, double seconds,
                  struct outcome *ret);
