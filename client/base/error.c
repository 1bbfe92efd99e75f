/* SPDX-License-Identifier: MIT */
/*
 * Owns one sentence per thread: why that thread's last call failed; and its figures.
 *
 * Invariant: the sentence is always a terminated string. Fixed storage, so that telling about a
 * lack of memory needs none. Refuses to be anybody else's: a failure in one thread never changes
 * what another one reads.
 */
#include "error.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static _Thread_local char sentence_of_thread[ERROR_BYTES];
static _Thread_local struct par_refusal_info refusal_of_thread;

static const char *const refusal_texts[] = {
        [0] = "Never fits: no place can satisfy this",
        [PAR_EXHAUSTED - PAR_NEVER_FITS] = "Exhausted: too little is free in the window",
        [PAR_FRAGMENTED - PAR_NEVER_FITS] = "Fragmented: no free piece is large enough",
        [PAR_QUOTA - PAR_NEVER_FITS] = "A limit of this client is reached",
        [PAR_DENIED - PAR_NEVER_FITS] = "Denied by pard",
        [PAR_BUSY - PAR_NEVER_FITS] = "Busy: in use, or already under way",
        [PAR_TIMED_OUT - PAR_NEVER_FITS] = "Timed out while waiting for memory",
        [PAR_INVALID - PAR_NEVER_FITS] = "Invalid request",
        [PAR_GONE - PAR_NEVER_FITS] = "Gone: the connection to pard, or what was named",
};

int error_set(int r, const char *format, ...)
{
        va_list arguments;

        va_start(arguments, format);
        vsnprintf(sentence_of_thread, sizeof(sentence_of_thread), format, arguments);
        va_end(arguments);
        refusal_of_thread = (struct par_refusal_info){ 0 };
        return error_set_figures(r, NULL);
}

int error_set_figures(int r, const struct par_refusal_info *figures)
{
        if (r > -PAR_NEVER_FITS)
                return r;
        if (figures)
                refusal_of_thread = *figures;
        if (!refusal_of_thread.result) {
                refusal_of_thread.result = r;
                refusal_of_thread.permanent = (uint32_t)par_is_permanent(r);
        }
        return r;
}

int error_set_sentence(int r, const char *sentence)
{
        return error_set(r, "%s", *sentence ? sentence : par_strerror(r));
}

const char *par_error(const struct par *par)
{
        (void)par; /* the sentence is the thread's, also where there is no handle yet */
        return sentence_of_thread;
}

int par_last_refusal(const struct par *par, struct par_refusal_info *ret)
{
        (void)par;
        if (!ret)
                return -EINVAL;
        *ret = refusal_of_thread;
        return ret->result ? 0 : -ENOENT;
}

const char *par_strerror(int r)
{
        const char *text;

        if (r > 0)
                r = -r; /* this way round: INT_MIN has no positive counterpart */
        if (r == 0)
                return "Success";
        if (r <= -PAR_NEVER_FITS && r >= -PAR_GONE)
                return refusal_texts[-r - PAR_NEVER_FITS];
        text = r >= -4095 ? strerrordesc_np(-r) : NULL;
        return text ? text : "Unknown error";
}

int par_is_permanent(int r)
{
        switch (r > 0 ? -r : r) {
        case -PAR_NEVER_FITS:
        case -PAR_DENIED:
        case -PAR_INVALID:
        case -EINVAL:
        case -ENOTSUP: return 1;
        default: return 0;
        }
}
