/* SPDX-License-Identifier: MIT */
/* Owns nothing; asks the clock. */
#include "moment.h"

#include <time.h>

const char *moment_text(uint64_t age_ms, char text[MOMENT_BYTES])
{
        const time_t then = time(NULL) - (time_t)(age_ms / 1000);
        struct tm tm;

        if (!gmtime_r(&then, &tm) || !strftime(text, MOMENT_BYTES, "%Y-%m-%dT%H:%M:%SZ", &tm))
                return "";
        return text;
}
