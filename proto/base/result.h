/* SPDX-License-Identifier: MIT */
/*
 * Results that cross module borders and the wire.
 *
 * Every function that can fail returns int: 0, a positive enum par_refusal (a legitimate answer) or
 * a negative errno (the machine or the code failed). The values of the enum are the wire's.
 */
#pragma once

#include <stdbool.h>

/**
 * enum par_refusal - why a request was answered with no
 * @PAR_REFUSED_NEVER_FITS: no memory that pard holds or could hold satisfies the request; permanent
 * @PAR_REFUSED_EXHAUSTED:  too few bytes are free in the window now
 * @PAR_REFUSED_FRAGMENTED: enough bytes are free in the window, but not in such pieces
 * @PAR_REFUSED_QUOTA:      a limit of the client's own is reached
 * @PAR_REFUSED_DENIED:     the client may not do this, or not with this pool
 * @PAR_REFUSED_BUSY:       in use, or already under way
 * @PAR_REFUSED_TIMED_OUT:  waited until the deadline
 * @PAR_REFUSED_INVALID:    the request makes no sense; permanent
 * @PAR_REFUSED_GONE:       what was named is not there (any more), or the connection was lost
 */
enum par_refusal {
        PAR_REFUSED_NEVER_FITS = 5001,
        PAR_REFUSED_EXHAUSTED,
        PAR_REFUSED_FRAGMENTED,
        PAR_REFUSED_QUOTA,
        PAR_REFUSED_DENIED,
        PAR_REFUSED_BUSY,
        PAR_REFUSED_TIMED_OUT,
        PAR_REFUSED_INVALID,
        PAR_REFUSED_GONE,
};

#define PAR_REFUSED_FIRST PAR_REFUSED_NEVER_FITS
#define PAR_REFUSED_LAST  PAR_REFUSED_GONE

/**
 * par_refusal_name() - the word for a refusal, as parctl's JSON has it
 * @refusal: any value
 *
 * Return: a static string such as "never_fits"; "unknown" for a value that is no refusal.
 */
static inline const char *par_refusal_name(int refusal)
{
        switch (refusal) {
        case PAR_REFUSED_NEVER_FITS: return "never_fits";
        case PAR_REFUSED_EXHAUSTED: return "exhausted";
        case PAR_REFUSED_FRAGMENTED: return "fragmented";
        case PAR_REFUSED_QUOTA: return "quota";
        case PAR_REFUSED_DENIED: return "denied";
        case PAR_REFUSED_BUSY: return "busy";
        case PAR_REFUSED_TIMED_OUT: return "timed_out";
        case PAR_REFUSED_INVALID: return "invalid";
        case PAR_REFUSED_GONE: return "gone";
        default: return "unknown";
        }
}

/* Whether a result is a refusal at all. */
static inline bool par_is_refusal(int r)
{
        return r >= PAR_REFUSED_FIRST && r <= PAR_REFUSED_LAST;
}
