/* SPDX-License-Identifier: MIT */
/* Owns nothing. */
#include "progress_bar.h"

#include <stdio.h>

const char *progress_bar(uint64_t have, uint64_t want, bool utf8, char buffer[PROGRESS_BAR_BYTES])
{
        const double part = have >= want ? 1.0 : (double)have / (double)want;
        const size_t full = (size_t)(part * (double)PROGRESS_BLOCKS);
        size_t at = 0;

        buffer[at++] = '[';
        for (size_t i = 0; i < PROGRESS_BLOCKS; i++)
                at += (size_t)snprintf(buffer + at, PROGRESS_BAR_BYTES - at, "%s",
                                       i < full ? (utf8 ? "█" : "#") : (utf8 ? "░" : "."));
        snprintf(buffer + at, PROGRESS_BAR_BYTES - at, "] %3u%%", (unsigned)(part * 100.0));
        return buffer;
}
